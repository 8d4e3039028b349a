from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import ClassVar

import msgspec
import pytest

from hean.config import HEANSettings
from hean.core.errors import SettingsError, StrategyError
from hean.core.events import Event, Need, Quote, StrategyRegistered
from hean.core.features import FeatureTables, InstrumentTables, MicroPriceTable
from hean.core.testing import BTC, MINUTE, START, MiniSystem, btc_perpetual, quote
from hean.strategies import (
    DeskState,
    Parameters,
    SpecRow,
    StrategiesSettings,
    Strategy,
    StrategySection,
    StrategySet,
    Tunable,
    build_strategies,
    load_strategies,
    tunable,
)
from hean.strategies.decisions import NOTHING, Outputs
from hean.strategies.desk import Desk
from hean.strategies.registry import GROUP, AnyStrategy, check_strategy_class
from hean.strategies.spec import MOMENTUM_TRADER, TABLE

ROW = msgspec.structs.replace(
    MOMENTUM_TRADER, strategy="foreign", needs=(Need.QUOTES,), tunables=(Tunable("pace", 1, 5),)
)


class ForeignSettings(StrategySection):
    """Settings of a strategy from elsewhere."""

    pace: float = tunable(ROW, "pace", 2)
    """Some pace."""


class ForeignState(DeskState[Desk], kw_only=True):
    """Counts quotes."""

    seen: int = 0


class Foreign(Strategy[ForeignState, ForeignSettings]):
    """A strategy that another package might offer."""

    row: ClassVar[SpecRow] = ROW
    listens = (Quote,)
    section_type = ForeignSettings
    state_type = ForeignState

    @classmethod
    def initial(cls, parameters: Parameters[ForeignSettings]) -> ForeignState:
        desks = {
            one.instrument: Desk(instrument=one.instrument, specification=one.specification)
            for one in parameters.markets.values()
        }
        return ForeignState(strategy="foreign", desks=desks)

    @staticmethod
    def step(
        state: ForeignState, event: Event, parameters: Parameters[ForeignSettings]
    ) -> tuple[ForeignState, Outputs]:
        state.seen += 1
        return state, NOTHING


class Misnamed(Foreign):
    """Its row says another name than its entry point."""


def _build(
    section: StrategiesSettings | None = None,
    *,
    carries: tuple[Need, ...] = (Need.QUOTES, Need.BARS),
    kinds: dict[str, type[AnyStrategy]] | None = None,
    system: MiniSystem | None = None,
    tables: FeatureTables | None = None,
) -> StrategySet:
    where = system or MiniSystem()
    return build_strategies(
        settings=HEANSettings(),
        section=section or StrategiesSettings(),
        bus=where.bus,
        agenda=where.agenda,
        view=where.view,
        carries={BTC: carries},
        instruments=(btc_perpetual(),),
        bar_intervals={BTC: 5 * MINUTE},
        kinds=kinds,
        tables=tables,
    )


def test_the_installed_strategies_keep_the_contract() -> None:
    """Every entry point of this package loads, in the order of the table."""
    found = list(load_strategies())
    order = [row.strategy for row in TABLE if row.strategy in found]
    assert found[: len(order)] == order
    assert "momentum_trader" in found


def test_each_installed_strategy_has_its_settings() -> None:
    """Each of our strategies has its own field of its own section type."""
    section = StrategiesSettings()
    for name, kind in load_strategies().items():
        assert isinstance(getattr(section, name), kind.section_type)


def test_a_foreign_strategy_is_found_and_set_up_like_ours() -> None:
    """A third party's class takes part with settings from `others`."""
    section = StrategiesSettings(others={"foreign": {"pace": 4.0}})
    built = _build(section, kinds={"foreign": Foreign})
    (one,) = built.strategies
    assert one.section.pace == 4.0
    assert one.runs
    assert one.instruments == (BTC,)


def test_an_entry_point_that_is_no_strategy_is_refused() -> None:
    """A class that is no Strategy, or calls itself otherwise, raises StrategyError."""
    with pytest.raises(StrategyError, match="not a subclass"):
        check_strategy_class("foreign", dict)
    with pytest.raises(StrategyError, match="calls itself foreign"):
        check_strategy_class("other", Misnamed)


def test_a_tunable_without_a_setting_is_refused() -> None:
    """A row whose tunable has no field of that name raises StrategyError."""

    class Lacking(Foreign):
        """Its row names a tunable that its settings lack."""

        row = msgspec.structs.replace(ROW, tunables=(Tunable("missing", 0, 1),))

    with pytest.raises(StrategyError, match="no setting for its tunable missing"):
        check_strategy_class("foreign", Lacking)


def test_a_name_offered_twice_and_a_broken_one_are_refused() -> None:
    """Two packages may not offer one name; what cannot be imported is named."""
    point = EntryPoint("momentum_trader", "hean.strategies.momentum_trader:MomentumTrader", GROUP)
    with pytest.raises(StrategyError, match="two packages"):
        load_strategies((point, point))
    broken = EntryPoint("gone", "hean.strategies.gone:Gone", GROUP)
    with pytest.raises(StrategyError, match="gone cannot be loaded"):
        load_strategies((broken,))


def test_strange_settings_of_others_are_refused() -> None:
    """Settings for what is not installed, or that do not fit, raise SettingsError."""
    with pytest.raises(SettingsError, match="nobody"):
        _build(StrategiesSettings(others={"nobody": {}}))
    section = StrategiesSettings(others={"foreign": {"pace": 9.0}})
    with pytest.raises(SettingsError, match=r"foreign\.pace"):
        _build(section, kinds={"foreign": Foreign})


def test_what_cannot_run_says_so_and_stays_silent() -> None:
    """A strategy whose needs the feed lacks is registered with its reason and hears nothing."""
    system = MiniSystem()
    built = _build(kinds={"foreign": Foreign}, carries=(), system=system)
    built.attach(system.bus)
    system.take(quote())
    (event,) = built.registered_events(START)
    assert isinstance(event, StrategyRegistered)
    assert "quotes (Q)" in event.cannot_run_because
    assert built["foreign"].state.seen == 0


def test_a_strategy_switched_off_is_registered_but_deaf() -> None:
    """`enabled` false leaves the strategy registered, not subscribed."""
    system = MiniSystem()
    section = StrategiesSettings(others={"foreign": {"enabled": False}})
    built = _build(section, kinds={"foreign": Foreign}, system=system)
    built.attach(system.bus)
    system.take(quote())
    assert not built.registered_events(START)[0].enabled
    assert built["foreign"].state.seen == 0
    assert built.status()["foreign"][BTC] == "switched off by setting"


def test_a_set_survives_a_restart() -> None:
    """A restored set goes on counting where the snapshot was taken."""
    system = MiniSystem()
    built = _build(kinds={"foreign": Foreign}, system=system)
    built.attach(system.bus)
    system.take(quote())
    fresh = _build(kinds={"foreign": Foreign})
    fresh.restore(built.snapshot())
    assert fresh["foreign"].state == built["foreign"].state
    assert fresh["foreign"].state.seen == 1
    with pytest.raises(KeyError):
        fresh["nobody"]


def test_the_default_set_says_why_it_waits() -> None:
    """On bars momentum waits, and the scalper says what it lacks."""
    status = _build().status()
    assert status["momentum_trader"][BTC] == "waiting because nothing has triggered it yet"
    assert "trades (T)" in status["hf_scalping"][""]


def _tables(correction: float, tick: float = 0.1) -> FeatureTables:
    """Return tables for BTC whose corrections are all alike."""
    table = MicroPriceTable(version="v", corrections=((correction, correction, correction),) * 10)
    own = InstrumentTables(tick=tick, lot=btc_perpetual().lot, micro_price=table)
    return FeatureTables(
        version="v", source="made", source_sha256="", first=0, last=0, instruments={BTC: own}
    )


def _correction(built: StrategySet) -> float | None:
    """Return what the foreign strategy's desk of BTC corrects, None without a table."""
    table = built["foreign"].state.desks[BTC].micro_price
    return None if table is None else table.corrections[0][0]


def test_fitted_tables_reach_the_desk_and_a_restore_keeps_those_of_this_start() -> None:
    """A desk has the table given at the start, also after a snapshot made with another one."""
    kinds: dict[str, type[AnyStrategy]] = {"foreign": Foreign}
    old, new = _build(kinds=kinds, tables=_tables(0.1)), _build(kinds=kinds, tables=_tables(0.2))
    assert (_correction(old), _correction(new)) == (0.1, 0.2)
    new.restore(old.snapshot())
    assert _correction(new) == 0.2
    bare = _build(kinds=kinds)
    bare.restore(old.snapshot())
    assert _correction(bare) is None


def test_a_table_of_another_tick_size_serves_nobody() -> None:
    """A table fitted at another tick is not handed to a desk."""
    built = _build(kinds={"foreign": Foreign}, tables=_tables(0.1, tick=0.5))
    assert _correction(built) is None
