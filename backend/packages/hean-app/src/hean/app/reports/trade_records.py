"""Closed trades, real and shadow, read from a journal's events: one group is one trade.

All results are in bp of the entry notional; of a group, of its largest leg, as the guard counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from math import fsum
from typing import Final

import msgspec

from hean.app.reports.fill_marks import FillMark
from hean.core.edge import markout_bp
from hean.core.events import (
    EdgeGuardChanged,
    Event,
    FeeShare,
    GuardMode,
    Liquidity,
    OrderFilled,
    OrderRequest,
    PositionClosed,
    PositionOpened,
    Regime,
    ShadowClosed,
    Side,
    Signal,
    StrategyRegistered,
)
from hean.risk.edge_cells import cell_key, cell_name, symbol_group

RECORDS: Final = tuple(
    one.__name__
    for one in (
        StrategyRegistered,
        Signal,
        OrderRequest,
        OrderFilled,
        PositionOpened,
        PositionClosed,
        ShadowClosed,
        EdgeGuardChanged,
    )
)
"""The types of a journal's records that `TradeRecords` reads."""
UNKNOWN: Final = "unknown"
_FAULTS: Final = frozenset({"would_refuse.EDGE", "would_refuse.NO_REBATE"})
"""How the gate marks an order whose plan failed a check, where the guard only observes."""
_BP: Final = 10_000.0
_DUST: Final = Decimal("0.01")


class Kind(StrEnum):
    """Where a trade was made: in the account, or in the shadow book, its plan sound or failed."""

    REAL = "real"
    SHADOW = "shadow"
    FAILED_PLAN = "failed plan"


class Plan(msgspec.Struct, frozen=True):
    """How far from the entry the first target and the stop were, in bp."""

    target_bp: float
    stop_bp: float


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One closed trade; bp of entry notional, `fees_bp` paid and `funding_bp` received positive.

    `spread_bp` and `impact_bp` are what the fills cost against the mid, up to the touch (earned
    where they rested) and beyond it; both are inside `gross_bp`, and None unless
    the mid of each fill is known. `markouts` are of its maker fills, a tuple a horizon. `cell` is
    the guard's. `regime` is that of the entry, `opened_on` the instrument opened first.
    `claimed_cost_bp` is what its signal said it would cost, 0 where it did not. `shares` is what
    fees fall on, empty where the fills do not say. `promotes`: whether the guard counts it.
    """

    strategy: str
    instrument: str
    regime: str
    kind: Kind
    closed_ns: int
    gross_bp: float
    fees_bp: float
    funding_bp: float
    net_bp: float
    spread_bp: float | None = None
    impact_bp: float | None = None
    plan: Plan | None = None
    maker_fills: int = 0
    markouts: tuple[tuple[float, ...], ...] = ()
    cell: str = ""
    opened_on: str = ""
    claimed_cost_bp: float = 0.0
    promotes: bool = True
    before_fees_bp: float = 0.0
    shares: tuple[FeeShare, ...] = ()


class _Leg(msgspec.Struct, frozen=True):
    closed: PositionClosed
    fills: tuple[OrderFilled, ...]


class _Group(msgspec.Struct):
    opened_on: str = ""
    open: list[str] = []
    legs: list[_Leg] = []


def _notional(event: PositionClosed) -> float:
    return abs(float(event.quantity) * float(event.entry_price))


def _is_whole(leg: _Leg) -> bool:
    """Return whether the fills are one trade from flat to flat, but for dust below a lot."""
    bought = sold = Decimal(0)
    for fill in leg.fills:
        if fill.side is Side.BUY:
            bought += fill.quantity
        else:
            sold += fill.quantity
    return abs(bought - sold) <= max(bought, sold) * _DUST


class TradeRecords:
    """Takes a journal's events in order; then holds trades, open positions and guard modes.

    `bases` gives the base coin of each instrument, which decides its group in the guard's cells.
    """

    def __init__(
        self, *, marks: Mapping[str, FillMark] | None = None, bases: Mapping[str, str] | None = None
    ) -> None:
        self.trades: list[Trade] = []
        self.registered: dict[str, StrategyRegistered] = {}
        self.modes: dict[str, GuardMode] = {}
        self._marks = marks or {}
        self._bases = bases or {}
        self._plans: dict[str, tuple[float, float]] = {}
        self._costs: dict[str, float] = {}
        self._faulted: set[str] = set()
        self._legs: dict[str, list[str]] = {}
        self._fills: dict[tuple[str, str], dict[str, OrderFilled]] = {}
        self._members: dict[tuple[str, str], str] = {}
        self._groups: dict[str, _Group] = {}

    def take_all(self, events: Iterable[Event]) -> TradeRecords:
        """Take events and return itself."""
        for event in events:
            self.take(event)
        return self

    @property
    def open_positions(self) -> dict[str, int]:
        """How many positions each strategy still holds: their results are in no trade."""
        found: dict[str, int] = {}
        for strategy, _ in self._members:
            found[strategy] = found.get(strategy, 0) + 1
        return found

    def take(self, event: Event) -> None:
        """Take one event; types it does not know are passed over."""
        match event:
            case Signal():
                self._on_signal(event)
            case OrderRequest():
                if any(name in _FAULTS for name, _ in event.size_factors):
                    self._faulted.add(event.signal_id)
            case OrderFilled():
                fills = self._fills.setdefault((event.strategy, event.instrument), {})
                fills.setdefault(event.fill_id, event)
            case PositionOpened():
                self._on_opened(event)
            case PositionClosed():
                self._on_closed(event)
            case ShadowClosed():
                self.trades.append(self._shadow(event))
            case EdgeGuardChanged():
                self.modes[event.cell] = event.mode
            case StrategyRegistered():
                self.registered[event.strategy] = event
            case _:
                pass

    def _on_signal(self, event: Signal) -> None:
        if event.cost_bp > 0.0:
            self._costs[event.signal_id] = event.cost_bp
        if event.stop and event.targets and event.legs == 1:
            self._plans[event.signal_id] = (event.targets[0], event.stop)
        if event.group:
            legs = self._legs.setdefault(event.group, [])
            if event.instrument not in legs:
                legs.append(event.instrument)

    def _on_opened(self, event: PositionOpened) -> None:
        key = (event.strategy, event.instrument)
        if key not in self._members:
            self._members[key] = event.group
            if event.group:
                fresh = _Group(opened_on=event.instrument)
                self._groups.setdefault(event.group, fresh).open.append(event.instrument)

    def _on_closed(self, event: PositionClosed) -> None:
        key = (event.strategy, event.instrument)
        leg = _Leg(event, tuple(self._fills.pop(key, {}).values()))
        name = self._members.pop(key, "")
        group = self._groups.get(name)
        legs, opened_on = [leg], event.instrument
        if group is not None:
            group.open.remove(event.instrument)
            group.legs.append(leg)
            if group.open:
                return
            legs, opened_on = self._groups.pop(name).legs, group.opened_on
        notional = max(_notional(one.closed) for one in legs)
        if notional > 0.0:
            self.trades.append(self._real(legs, notional, opened_on))

    def _real(self, legs: list[_Leg], notional: float, opened_on: str) -> Trade:
        first = next(one.closed for one in legs if one.closed.instrument == opened_on)
        last = legs[-1].closed
        fills = [fill for leg in legs for fill in leg.fills]
        scale = _BP / notional
        makers = [fill for fill in fills if fill.liquidity is Liquidity.MAKER]
        spread, impact = self._slippage(legs, scale)
        net_bp = fsum(float(one.closed.net) for one in legs) * scale
        fees_bp = fsum(float(one.closed.fees) for one in legs) * scale
        return Trade(
            strategy=first.strategy,
            instrument=self._name(first.group, first.instrument),
            regime=_regime(first.regime),
            kind=Kind.REAL,
            closed_ns=last.ts_init,
            gross_bp=fsum(float(one.closed.gross) for one in legs) * scale,
            fees_bp=fees_bp,
            funding_bp=fsum(float(one.closed.funding) for one in legs) * scale,
            net_bp=net_bp,
            spread_bp=spread,
            impact_bp=impact,
            plan=None
            if len(legs) > 1
            else self._plan(first.signal_id, float(first.entry_price), first.side),
            maker_fills=len(makers),
            markouts=self._markouts(makers),
            cell=self._cell(first.strategy, opened_on, first.regime),
            opened_on=opened_on,
            claimed_cost_bp=self._costs.get(first.signal_id, 0.0),
            promotes=all(one.closed.signal_id not in self._faulted for one in legs),
            before_fees_bp=net_bp + fees_bp,
            shares=_shares(legs, notional),
        )

    def _shadow(self, event: ShadowClosed) -> Trade:
        return Trade(
            strategy=event.strategy,
            instrument=self._name(event.group, event.instrument),
            regime=_regime(event.regime),
            kind=Kind.SHADOW if event.promotes else Kind.FAILED_PLAN,
            closed_ns=event.ts_init,
            gross_bp=event.gross_bp,
            fees_bp=event.fees_bp,
            funding_bp=event.funding_bp,
            net_bp=event.net_bp,
            plan=self._plan(event.signal_id, event.entry_price, event.side),
            cell=self._cell(event.strategy, event.instrument, event.regime),
            opened_on=event.instrument,
            claimed_cost_bp=self._costs.get(event.signal_id, 0.0),
            promotes=event.promotes,
            before_fees_bp=event.net_bp + event.fees_bp - event.slippage_bp,
            shares=event.shares,
        )

    def _name(self, group: str, instrument: str) -> str:
        """Return the instruments of a group in the order of its legs."""
        return " + ".join(self._legs.get(group, ())) or instrument

    def _plan(self, signal_id: str, entry: float, side: Side) -> Plan | None:
        found = self._plans.get(signal_id)
        if found is None or entry <= 0.0:
            return None
        sign = 1.0 if side is Side.BUY else -1.0
        target = sign * (found[0] - entry) / entry * _BP
        stop = sign * (entry - found[1]) / entry * _BP
        return Plan(target, stop) if target > 0.0 and stop > 0.0 else None

    def _slippage(self, legs: list[_Leg], scale: float) -> tuple[float, float] | tuple[None, None]:
        """Return what all fills cost to the touch and beyond; None where one turned the position.

        A fill that rested earns its half-spread.
        """
        if not all(_is_whole(leg) for leg in legs):
            return None, None
        spreads: list[float] = []
        impacts: list[float] = []
        for fill in (fill for leg in legs for fill in leg.fills):
            mark = self._marks.get(fill.fill_id)
            if mark is None or mark.mid is None:
                return None, None
            paid = mark.half if fill.liquidity is Liquidity.TAKER else -mark.half
            worse = (float(fill.price) - mark.mid) * fill.side.sign
            spreads.append(paid * float(fill.quantity) * scale)
            impacts.append((worse - paid) * float(fill.quantity) * scale)
        return (fsum(spreads), fsum(impacts)) if spreads else (None, None)

    def _markouts(self, makers: list[OrderFilled]) -> tuple[tuple[float, ...], ...]:
        found: dict[int, list[float]] = {}
        for fill in makers:
            mark = self._marks.get(fill.fill_id)
            for place, mid in enumerate(mark.later if mark else ()):
                values = found.setdefault(place, [])
                if mid is not None:
                    values.append(markout_bp(fill.side.sign, float(fill.price), mid))
        return tuple(tuple(values) for values in found.values())

    def _cell(self, strategy: str, instrument: str, regime: Regime | None) -> str:
        group = symbol_group(self._bases.get(instrument, instrument))
        return cell_name(cell_key(strategy, group, regime))


def _shares(legs: list[_Leg], notional: float) -> tuple[FeeShare, ...]:
    """Return what was dealt as maker and as taker; nothing where a fill turned a position round."""
    if not all(leg.fills and _is_whole(leg) for leg in legs):
        return ()
    dealt: dict[str, list[float]] = {}
    for fill in (fill for leg in legs for fill in leg.fills):
        parts = dealt.setdefault(fill.instrument, [0.0, 0.0])
        value = float((fill.quantity + fill.base_fee) * fill.price)
        parts[fill.liquidity is Liquidity.TAKER] += value / notional
    return tuple(
        FeeShare(instrument=name, maker=maker, taker=taker)
        for name, (maker, taker) in dealt.items()
    )


def _regime(regime: Regime | None) -> str:
    return UNKNOWN if regime is None else regime.value
