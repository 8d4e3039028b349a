"""The base of all strategies: one pure step, its state in and out, and the way to the bus.

`step(state, event, parameters) -> (state, outputs)` depends on its arguments alone. It owns the
state it is given and may reuse its memory; the caller goes on with the one returned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, ClassVar, Generic, TypeVar, cast

import msgspec

from hean.config import Section
from hean.core.bus import Bus, Stage
from hean.core.events import (
    Event,
    FeedGap,
    Heartbeat,
    InstrumentUpdated,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    PositionChanged,
    PositionClosed,
    PositionOpened,
    RefusedBy,
    RegimeChanged,
    RunStarted,
    SentimentReading,
    SignalRejected,
    SignalWithdrawn,
    StrategyProfile,
    StrategyRegistered,
)
from hean.core.snapshot import pack, unpack
from hean.strategies import desk as desks
from hean.strategies.decisions import NOTHING, Outputs, State, pull
from hean.strategies.desk import Desk, Wish
from hean.strategies.pace import PaceRules
from hean.strategies.quoting import QuoteDesk
from hean.strategies.spec import SpecRow
from hean.strategies.universe import Market

DeskT = TypeVar("DeskT", bound=Desk)


class StrategySection(Section):
    """The settings every strategy has; its own tunables are added by a subclass."""

    enabled: bool = True
    """Whether the strategy is started."""
    symbols: tuple[str, ...] = ()
    """Coins it runs on, comma-separated; empty means its own list."""


class StrategyNote(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What people should know of a strategy; `expected` says in a phrase what it may earn."""

    purpose: str
    orders: str = ""
    exits: str = ""
    expected: str = "Not stated."
    edge: str = ""
    literature: tuple[str, ...] = ()


class DeskState(State, Generic[DeskT], kw_only=True):
    """A state with a desk for each instrument, traded or read."""

    desks: dict[str, DeskT]


StateT = TypeVar("StateT", bound="DeskState[Any]")
SectionT = TypeVar("SectionT", bound=StrategySection)


class Parameters(Generic[SectionT]):
    """What a step is told beside state and event: the row, the settings, the markets. Constant."""

    __slots__ = ("markets", "row", "section")

    def __init__(self, row: SpecRow, section: SectionT, markets: Mapping[str, Market]) -> None:
        self.row = row
        self.section = section
        self.markets = markets


class Heard(msgspec.Struct, frozen=True, gc=False):
    """What `hear` made of an event: whose desk, the entry it ended unfilled, what must be said."""

    desk: str = ""
    ended: Wish | None = None
    outputs: Outputs = NOTHING


_UNHEARD = Heard()


def hear(state: DeskState[DeskT], event: Event, rules: PaceRules) -> Heard:
    """Take the facts all strategies share: run, instrument, regime, gaps, and own reports."""
    if isinstance(event, RunStarted):
        state.history_until = event.history_until
        return _UNHEARD
    name = getattr(event, "instrument", "")
    desk = state.desks.get(name)
    if desk is None:
        return _UNHEARD
    match event:
        case RegimeChanged():
            desks.on_regime(desk, event)
        case InstrumentUpdated():
            desk.specification = event.specification
        case FeedGap():
            desk.gap_at = event.ts_init
        case SignalRejected():
            return Heard(name, desks.on_refusal(desk, event))
        case SignalWithdrawn():
            desks.on_withdrawal(desk, event)
        case OrderCancelled() | OrderExpired() | OrderRejected():
            return Heard(name, desks.on_order_end(desk, event))
        case OrderFilled():
            desks.on_fill(desk, event)
        case PositionOpened():
            desks.on_opened(desk, event)
        case PositionChanged():
            desks.on_changed(desk, event)
        case PositionClosed():
            if desks.on_closed(desk, event, rules):
                outputs = pull(state, desk, event.ts_init, "position closed before its entry")
                return Heard(name, None, outputs)
        case _:
            return _UNHEARD
    return Heard(name)


_UNKEYED = (Heartbeat, SentimentReading)
_SHARED = (RegimeChanged, InstrumentUpdated, FeedGap)


class Strategy(ABC, Generic[StateT, SectionT]):
    """A strategy on the bus: `handle` steps its state and publishes what the step says.

    A subclass names its `row`, `section_type`, `state_type`, `desk_type` and the market events it
    `listens` to, and gives `step`; `open_desk` or `initial` too where a desk holds more at first.
    `at_least` is how many instruments it needs.
    """

    row: ClassVar[SpecRow]
    note: ClassVar[StrategyNote | None] = None
    listens: ClassVar[tuple[type[Event], ...]]
    at_least: ClassVar[int] = 1
    state_version: ClassVar[int] = 1
    section_type: ClassVar[type[StrategySection]]
    state_type: ClassVar[type[DeskState[Any]]]
    desk_type: ClassVar[type[Desk]] = Desk

    def __init__(
        self,
        *,
        section: SectionT,
        bus: Bus,
        markets: tuple[Market, ...],
        cannot_run_because: str = "",
    ) -> None:
        self._bus = bus
        self._publish = bus.publish
        self.section = section
        self.markets = markets
        self.cannot_run_because = cannot_run_because
        self.parameters = Parameters(self.row, section, {one.instrument: one for one in markets})
        self.state = self.initial(self.parameters)
        self._take_tables()

    @property
    def name(self) -> str:
        return self.row.strategy

    @property
    def instruments(self) -> tuple[str, ...]:
        """What it trades: its markets, then their spot legs if it needs them."""
        own = tuple(one.instrument for one in self.markets)
        return own + tuple(key for key in self.state.desks if key not in own)

    @property
    def runs(self) -> bool:
        return self.section.enabled and not self.cannot_run_because

    @classmethod
    def initial(cls, parameters: Parameters[SectionT]) -> StateT:
        """Return the state before the first event: a desk for each market."""
        desks = {key: cls.open_desk(one, parameters) for key, one in parameters.markets.items()}
        return cast("StateT", cls.state_type(strategy=cls.row.strategy, desks=desks))

    @classmethod
    def open_desk(cls, market: Market, parameters: Parameters[SectionT]) -> Desk:
        """Return the desk of a market before the first event."""
        return cls.desk_type(instrument=market.instrument, specification=market.specification)

    @staticmethod
    @abstractmethod
    def step(
        state: StateT, event: Event, parameters: Parameters[SectionT]
    ) -> tuple[StateT, Outputs]:
        """Take one event; return the state to go on with and what to publish, in order."""

    @property
    def profile(self) -> StrategyProfile:
        """The machine-checkable row as others read it, with a digest of the parameters."""
        row = self.row
        return StrategyProfile(
            strategy=row.strategy,
            version=row.version,
            frequency=row.frequency,
            needs=row.needs,
            optional_needs=row.optional_needs,
            regimes=row.regimes,
            instruments=self.instruments,
            runs_on_bars=row.runs_on_bars,
            cooldown_seconds=float(row.cooldown_seconds),
            daily_cap=row.daily_cap,
            time_stop_seconds=float(row.time_stop_seconds),
            styles=row.styles,
            legs=row.legs,
            typical_stop_bp=float(row.typical_stop_bp),
            cluster=row.cluster,
            directional=row.directional,
            carry=row.carry,
            needs_rebate=row.needs_rebate,
            market_neutral=row.market_neutral,
            affinity=row.affinity,
            claims_edge=row.claims_edge,
            walk_forward_days=float(row.walk_forward_days),
            parameters_sha256=sha256(self.section.model_dump_json().encode()).hexdigest(),
        )

    def registered(self, ts: int) -> StrategyRegistered:
        """Return the announcement of the strategy at kernel time `ts`."""
        return StrategyRegistered(
            ts_event=ts,
            ts_init=ts,
            strategy=self.name,
            profile=self.profile,
            enabled=self.section.enabled,
            cannot_run_because=self.cannot_run_because,
        )

    def attach(self, bus: Bus) -> None:
        """Subscribe to its markets' events, the run, and its own reports; not if it cannot run."""
        if not self.runs:
            return
        stage, owner, handle = Stage.STRATEGIES, self.name, self.handle
        bus.subscribe(RunStarted, handle, stage=stage, owner=owner)
        for kind in self.listens:
            if kind in _UNKEYED:
                bus.subscribe(kind, handle, stage=stage, owner=owner)
        for instrument in self.instruments:
            for kind in (*_SHARED, *(one for one in self.listens if one not in _UNKEYED)):
                bus.subscribe(kind, handle, stage=stage, owner=owner, key=instrument)
        for kind in desks.OWN_EVENTS:
            heard = self._hear_refusal if kind is SignalRejected else handle
            bus.subscribe(kind, heard, stage=stage, owner=owner, key=owner)

    def handle(self, event: Event) -> None:
        """Step the state by one event and publish what the step says."""
        self.state, outputs = self.step(self.state, event, self.parameters)
        for output in outputs:
            self._publish(output)

    def _hear_refusal(self, event: Event) -> None:
        """Take the gate's refusals; its own it knows, and they are most of what it says."""
        if isinstance(event, SignalRejected) and event.refused_by is RefusedBy.STRATEGY:
            return
        self.handle(event)

    def status(self, instrument: str) -> str:
        """Return in words what the strategy does or waits for on an instrument."""
        if not self.section.enabled:
            return "switched off by setting"
        if self.cannot_run_because:
            return f"not running because {self.cannot_run_because}"
        desk = self.state.desks.get(instrument)
        return "does not trade this instrument" if desk is None else _words(desk)

    def snapshot(self) -> bytes:
        """Return the whole state, versioned."""
        return pack(self.name, self.state_version, self.state)

    def restore(self, state: bytes) -> None:
        """Take over a state made by `snapshot`; instruments new since then keep fresh desks."""
        found = unpack(state, self.name, self.state_version, self.state_type)
        for key, value in self.state.desks.items():
            found.desks.setdefault(key, value)
        self.state = cast("StateT", found)
        self._take_tables()

    def _take_tables(self) -> None:
        """Give each desk this start's fitted table, whatever a restored state was made with."""
        for market in self.markets:
            desk = self.state.desks.get(market.instrument)
            if desk is not None:
                desk.micro_price = market.micro_price


def _words(desk: Desk) -> str:
    if desk.exit is not None:
        return "closing its position"
    if desk.holding is not None:
        side = "long" if desk.holding.sign > 0 else "short"
        return f"holding {side} {desk.holding.quantity:g} from {desk.holding.entry:g}"
    if isinstance(desk, QuoteDesk) and desk.quotes:
        return f"quoting with {len(desk.quotes)} orders decided or at work"
    if desk.entry is not None:
        return "waiting because its own order is being decided or worked"
    if desk.refused is None:
        return "waiting because nothing has triggered it yet"
    last = desk.refused
    sentence = last.code.sentence[0].lower() + last.code.sentence[1:].rstrip(".")
    numbers = f" ({last.number:g} against {last.limit:g})" if last.number or last.limit else ""
    said = " (the risk gate says)" if last.by_gate else ""
    return f"waiting because {sentence}{numbers}{said}"
