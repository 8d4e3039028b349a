"""Finds strategies by entry point, ours and others' alike, and sets up those that are enabled.

A package offers a strategy under the entry-point group `hean.strategies`; the name is the
strategy's id, the object its class. None gets a privilege or another channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

import msgspec
from pydantic import ValidationError

from hean.config import HEANSettings
from hean.core.bus import Bus
from hean.core.errors import SettingsError, StrategyError
from hean.core.events import Need, StrategyRegistered
from hean.core.features import FeatureTables
from hean.core.instruments import Instrument
from hean.core.market_view import MarketView
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.strategies.base import Strategy, StrategySection
from hean.strategies.settings import StrategiesSettings
from hean.strategies.spec import TABLE
from hean.strategies.universe import Market, assign

GROUP = "hean.strategies"
AnyStrategy = Strategy[Any, Any]


def check_strategy_class(name: str, given: object) -> type[AnyStrategy]:
    """Return the class if it keeps the contract; raises `StrategyError` with one sentence."""
    if not (isinstance(given, type) and issubclass(given, Strategy)):
        raise StrategyError(f"strategy {name} is {given!r}, not a subclass of Strategy")
    found = cast("type[AnyStrategy]", given)
    row = found.row
    if row.strategy != name:
        raise StrategyError(f"strategy {name} calls itself {row.strategy} in its row")
    if not row.needs or not row.regimes or not row.universe or row.daily_cap <= 0:
        raise StrategyError(f"the row of {name} lacks needs, regimes, a universe or a daily cap")
    fields = found.section_type.model_fields
    for one in row.tunables:
        default = fields[one.name].default if one.name in fields else None
        if default is None:
            raise StrategyError(f"{name} has no setting for its tunable {one.name}")
        if not one.low <= default <= one.high:
            raise StrategyError(
                f"{name}.{one.name} is {default} by default, outside {one.low:g} to {one.high:g}"
            )
    return found


def load_strategies(points: Sequence[EntryPoint] | None = None) -> dict[str, type[AnyStrategy]]:
    """Return every strategy installed here, in the table's order, foreign ones after it by name.

    Raises `StrategyError` for one that cannot be loaded, breaks the contract, or comes twice.
    """
    found: dict[str, type[AnyStrategy]] = {}
    for point in entry_points(group=GROUP) if points is None else points:
        if point.name in found:
            raise StrategyError(f"two packages offer a strategy named {point.name}")
        try:
            loaded: object = point.load()
        except (ImportError, AttributeError) as error:
            raise StrategyError(f"strategy {point.name} cannot be loaded: {error}") from error
        found[point.name] = check_strategy_class(point.name, loaded)
    own = [row.strategy for row in TABLE if row.strategy in found]
    return {name: found[name] for name in (*own, *sorted(set(found) - set(own)))}


def section_of(name: str, kind: type[AnyStrategy], section: StrategiesSettings) -> StrategySection:
    """Return the settings of a strategy: our own field, or its part of `others`."""
    own = getattr(section, name, None)
    if isinstance(own, StrategySection):
        return own
    try:
        return kind.section_type.model_validate(section.others.get(name, {}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(one) for one in first["loc"])
        raise SettingsError(
            f"STRATEGIES__OTHERS: {name}.{place} does not fit: {first['msg']}"
        ) from error


class _SetState(msgspec.Struct, frozen=True):
    states: dict[str, bytes]


class StrategySet:
    """All strategies of a run, those that cannot run included: they say why."""

    name = "strategies"

    def __init__(self, strategies: Sequence[AnyStrategy]) -> None:
        self.strategies = tuple(strategies)

    def __getitem__(self, name: str) -> AnyStrategy:
        """Return a strategy by id; raises `KeyError` for one that is not here."""
        for one in self.strategies:
            if one.name == name:
                return one
        raise KeyError(name)

    def attach(self, bus: Bus) -> None:
        """Subscribe those that run."""
        for one in self.strategies:
            one.attach(bus)

    def registered_events(self, ts: int) -> tuple[StrategyRegistered, ...]:
        """Return the announcements for the start-up dispatch."""
        return tuple(one.registered(ts) for one in self.strategies)

    def status(self) -> dict[str, dict[str, str]]:
        """Return for each strategy and instrument, in words, what it does or waits for."""
        return {
            one.name: {key: one.status(key) for key in one.instruments} or {"": one.status("")}
            for one in self.strategies
        }

    def snapshot(self) -> bytes:
        """Return the state of every strategy that runs."""
        states = {one.name: one.snapshot() for one in self.strategies if one.runs}
        return pack(self.name, 1, _SetState(states))

    def restore(self, state: bytes) -> None:
        """Take over the states; a strategy that the snapshot does not know starts fresh."""
        found = unpack(state, self.name, 1, _SetState).states
        for one in self.strategies:
            if one.runs and one.name in found:
                one.restore(found[one.name])


def build_strategies(
    *,
    settings: HEANSettings,
    section: StrategiesSettings,
    bus: Bus,
    agenda: Agenda,
    view: MarketView,
    carries: Mapping[str, tuple[Need, ...]],
    instruments: Sequence[Instrument],
    bar_intervals: Mapping[str, int],
    kinds: Mapping[str, type[AnyStrategy]] | None = None,
    tables: FeatureTables | None = None,
) -> StrategySet:
    """Set up every installed strategy on what the feed carries; nothing is attached yet.

    `tables` are the fitted ones of this start. `kinds` replaces the installed ones, for tests.
    Agenda and view are not handed on: a step sees its state and the event alone.
    """
    del settings, agenda, view
    built: list[AnyStrategy] = []
    known = load_strategies() if kinds is None else kinds
    strange = sorted(set(section.others) - set(known))
    if strange:
        raise SettingsError(f"STRATEGIES__OTHERS names {strange[0]}, which is not installed")
    for name, kind in known.items():
        own = section_of(name, kind, section)
        assignment = assign(
            kind.row,
            own.symbols or kind.row.universe,
            carries,
            instruments,
            bar_intervals,
            at_least=kind.at_least,
        )
        built.append(
            kind(
                section=own,
                bus=bus,
                markets=tuple(_with_table(one, tables) for one in assignment.markets),
                cannot_run_because=assignment.cannot_run_because,
            )
        )
    return StrategySet(built)


def _with_table(market: Market, tables: FeatureTables | None) -> Market:
    """Add the micro-price table that was fitted at this instrument's tick and lot size, if any."""
    if tables is None:
        return market
    rules = market.specification
    own = tables.of(market.instrument, rules.tick, rules.lot)
    return msgspec.structs.replace(market, micro_price=own.micro_price)
