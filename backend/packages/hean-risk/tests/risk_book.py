"""A second book of positions and orders, kept from events alone, and every limit checked on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from hean.core.events.base import Event
from hean.core.events.decision import OrderRequest, SignalWithdrawn
from hean.core.events.market import Side
from hean.core.events.portfolio import PositionChanged, PositionClosed, PositionOpened, Tier
from hean.core.events.strategy import Intent
from hean.core.events.venue import (
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
    WalletUpdated,
)
from hean.core.instruments import decimal_of
from hean.risk.stress import Line, Sums, worst_loss
from hean.risk.testing import RiskSystem

Key = tuple[str, str]
ZERO = Decimal(0)
SLACK = Decimal("0.000001")
ENTRIES = (Intent.OPEN, Intent.LEG, Intent.QUOTE)
TAIL = 2.82 * 0.03
"""CVaR of one USDT before there is history."""


@dataclass
class Position:
    """What a strategy holds on an instrument; `quantity` is signed."""

    quantity: Decimal
    entry: Decimal
    risk: Decimal
    stop: Decimal | None


@dataclass
class Working:
    """An order that may still fill."""

    request: OrderRequest
    remaining: Decimal
    is_leaving: bool = False
    is_unknown: bool = False
    margin: Decimal = ZERO

    @property
    def is_entry(self) -> bool:
        """Whether it opens or adds."""
        return self.request.intent in ENTRIES and not self.request.cause

    @property
    def value(self) -> Decimal:
        """What has not filled, in USDT."""
        return self.remaining * (self.request.price or ZERO)

    @property
    def risk(self) -> Decimal:
        """The share of R that has not filled."""
        return self.request.risk * self.remaining / self.request.quantity


class Book:
    """Positions by key and working orders by id, as the events told."""

    def __init__(self, system: RiskSystem) -> None:
        self.system = system
        self.positions: dict[Key, Position] = {}
        self.orders: dict[str, Working] = {}
        self.available = system.risk.sentinel.state.available
        self._stops: dict[Key, Decimal | None] = {}

    def take(self, event: Event) -> None:
        """Follow one event."""
        match event:
            case OrderRequest():
                self._add(event)
            case SignalWithdrawn():
                self._leave(event.cancels)
            case OrderRejected() | OrderCancelled() | OrderExpired():
                self.orders.pop(event.client_order_id, None)
            case OrderUnknown() if event.client_order_id in self.orders:
                self.orders[event.client_order_id].is_unknown = True
            case OrderFilled() if event.client_order_id in self.orders:
                self._fill(event)
            case PositionOpened():
                key = (event.strategy, event.instrument)
                stop = self._stops.get(key)
                self.positions[key] = Position(event.quantity, event.entry_price, event.risk, stop)
            case PositionChanged():
                key = (event.strategy, event.instrument)
                before = self.positions[key]
                grew = abs(event.quantity) > abs(before.quantity)
                stop = self._stops.get(key) if grew else before.stop
                self.positions[key] = Position(event.quantity, event.entry_price, event.risk, stop)
            case PositionClosed():
                self.positions.pop((event.strategy, event.instrument), None)
            case WalletUpdated():
                self.available = event.available
                for one in self.orders.values():
                    one.margin = ZERO
            case _:
                pass

    def _add(self, event: OrderRequest) -> None:
        order = self.orders[event.client_order_id] = Working(event, event.quantity)
        if order.is_entry:
            order.margin = self._margin(event)
        self._leave(event.cancels)
        self._leave((event.replaces,))

    def _leave(self, orders: Sequence[str]) -> None:
        for one in orders:
            if one in self.orders:
                self.orders[one].is_leaving = True

    def _fill(self, event: OrderFilled) -> None:
        order = self.orders[event.client_order_id]
        order.remaining = event.remaining
        if order.is_entry:
            key = (event.strategy, event.instrument)
            self._stops[key] = order.request.protective_stop
        if order.remaining <= 0:
            del self.orders[event.client_order_id]

    def _margin(self, event: OrderRequest) -> Decimal:
        rules = self.system.view.instruments[event.instrument]
        rate = 1 / Decimal(3) + 2 * rules.taker_fee
        return event.quantity * (event.price or ZERO) * rate

    def entries(self) -> list[Working]:
        """Return the entries that may still fill."""
        return [one for one in self.orders.values() if one.is_entry]

    def closable(self, key: Key) -> Decimal:
        """Return what of a position no exit at work covers."""
        held = self.positions.get(key)
        left = ZERO if held is None else abs(held.quantity)
        for one in self.orders.values():
            mine = (one.request.strategy, one.request.instrument) == key
            if mine and not one.is_entry and not one.is_leaving:
                left -= one.remaining
        return left

    def mark(self, instrument: str) -> Decimal:
        """Return the present mark."""
        found = self.system.view.mark(instrument)
        assert found is not None
        return decimal_of(found.price)

    def at_risk(self, key: Key) -> Decimal:
        """Return a position's loss from its mark to its stop, with the cost there."""
        held = self.positions[key]
        if held.stop is None:
            return max(ZERO, held.risk)
        rate = Decimal("0.00055") + Decimal("0.0002")
        loss = held.quantity * (self.mark(key[1]) - held.stop)
        return max(ZERO, loss + abs(held.quantity) * held.stop * rate)

    def open_risk(self, names: Sequence[str] | None = None) -> Decimal:
        """Return what these strategies, or all, could lose to their stops."""
        total = ZERO
        for key in self.positions:
            if names is None or key[0] in names:
                total += self.at_risk(key)
        for one in self.entries():
            if names is None or one.request.strategy in names:
                total += one.risk
        return total

    def sides(self, instrument: str) -> tuple[Decimal, Decimal]:
        """Return the value on an instrument when only its bids fill, and when only its asks do."""
        up = down = ZERO
        for key, held in self.positions.items():
            if key[1] == instrument:
                up += held.quantity * self.mark(instrument)
        down = up
        for one in self.entries():
            if one.request.instrument == instrument:
                if one.request.side is Side.BUY:
                    up += one.value
                else:
                    down -= one.value
        return up, down

    def tail(self, without: Sequence[str] = ()) -> float:
        """Return the CVaR without history: each instrument on its larger side, all together."""
        bids, asks = (
            self._sums(without, bids=is_bid, asks=not is_bid).nets for is_bid in (True, False)
        )
        total = 0.0
        for instrument in self.system.view.instruments:
            sides = [abs(nets.get(instrument, ("", 0.0))[1]) for nets in (bids, asks)]
            total += TAIL * max(sides)
        return total

    def worst_stress(self, without: Sequence[str] = ()) -> float:
        """Return the worst scenario of whichever loose orders fill: all, the bids or the asks."""
        equity = float(self.system.risk.sentinel.state.equity)
        return max(
            worst_loss(self._sums(without, bids=bids, asks=asks), equity)
            for bids, asks in ((True, True), (True, False), (False, True))
        )

    def _sums(self, without: Sequence[str], *, bids: bool, asks: bool) -> Sums:
        sums = Sums()
        for (_, instrument), held in self.positions.items():
            mark = self.mark(instrument)
            value = held.quantity * mark
            stop = float("inf")
            if held.stop is not None:
                sign = 1 if value > 0 else -1
                stop = max(0.0, float((mark - held.stop) * sign / mark))
            sums.add(self._line(instrument, float(value), stop))
        for one in self.entries():
            ask = one.request
            counted = bids if ask.side is Side.BUY else asks
            if ask.client_order_id in without:
                continue
            if ask.intent is Intent.LEG or counted:
                price, stop = ask.price or ZERO, float("inf")
                if ask.protective_stop is not None:
                    stop = float(abs(price - ask.protective_stop) / price)
                sums.add(self._line(ask.instrument, float(one.value) * ask.side.sign, stop))
        return sums

    def _line(self, instrument: str, value: float, stop: float) -> Line:
        base = self.system.view.instruments[instrument].base
        return Line(instrument, base, value, stop, 0.0, 0.005, True)

    def check(self, minted: Sequence[OrderRequest]) -> None:
        """Assert every limit of F and G3 on the book as it stands with `minted` in it."""
        sentinel, section = self.system.risk.sentinel, self.system.section
        equity = sentinel.state.equity
        multiplier = Decimal(str(round(max(0.0, 1.0 - sentinel.state.drawdown / 0.2), 9)))
        self._check_counts(minted)
        whole = equity * Decimal("0.05") * multiplier
        assert self.open_risk() <= whole + SLACK
        self._check_cluster(minted[0].strategy, whole)
        gross = ZERO
        for key in self.positions:
            gross += abs(self.positions[key].quantity) * self.mark(key[1])
        for one in self.entries():
            gross += one.value
        assert gross <= 2 * equity + SLACK
        for one in minted:
            up, down = self.sides(one.instrument)
            carried = up if one.side is Side.BUY else -down
            assert carried <= Decimal("0.75") * equity + SLACK
        self._check_strategy(minted, equity, multiplier)
        self._check_margin(minted)
        nav, mark = sentinel.state.nav, sentinel.state.high_water_mark
        cushion = float(equity) * (1.0 - 0.8 * mark / nav)
        fresh = [one.client_order_id for one in minted]
        limit = section.stress_cushion * cushion * 1.001
        assert self.worst_stress() <= max(limit, self.worst_stress(fresh))
        limit = section.cvar_cushion * cushion * 1.001
        assert self.tail() <= max(limit, self.tail(fresh))

    def _check_counts(self, minted: Sequence[OrderRequest]) -> None:
        keys = set(self.positions)
        replaced = {one.replaces for one in minted}.union(*(one.cancels for one in minted))
        count = 0
        for name, one in self.orders.items():
            if one.is_entry:
                keys.add((one.request.strategy, one.request.instrument))
                count += name not in replaced
        assert len(keys) <= self.system.section.max_positions
        assert self.system.tracker.occupied <= self.system.section.max_positions
        assert count <= self.system.section.max_orders
        for one in minted:
            if one.intent is not Intent.QUOTE:
                mine = [
                    other
                    for other in self.entries()
                    if other.request.strategy == one.strategy
                    and other.request.instrument == one.instrument
                ]
                assert len(mine) == 1
                assert (one.strategy, one.instrument) not in self.positions

    def _check_cluster(self, strategy: str, whole: Decimal) -> None:
        """Assert the limit of the strategy's own cluster; others may exceed one that shrank."""
        sentinel = self.system.risk.sentinel
        names = tuple(sentinel.profiles)
        if sentinel.profiles[strategy].carry:
            carry = [one for one in names if sentinel.profiles[one].carry]
            assert self.open_risk(carry) <= whole / 4 + SLACK
        elif cluster := sentinel.rooms.cluster(strategy):
            members = [one for one in names if sentinel.rooms.cluster(one) == cluster]
            assert self.open_risk(members) <= whole / 2 + SLACK

    def _check_strategy(
        self, minted: Sequence[OrderRequest], equity: Decimal, multiplier: Decimal
    ) -> None:
        sentinel, strategy = self.system.risk.sentinel, minted[0].strategy
        budget = sentinel.budget(strategy)
        replaced = {one.replaces for one in minted}.union(*(one.cancels for one in minted))
        risk, value = self.open_risk([strategy]), ZERO
        for key in self.positions:
            if key[0] == strategy:
                value += abs(self.positions[key].quantity) * self.mark(key[1])
        for name, one in self.orders.items():
            if one.is_entry and one.request.strategy == strategy:
                freed = name in replaced and not one.is_unknown
                value += ZERO if freed else one.value
                risk -= one.risk if freed else ZERO
        trade = Decimal("0.025") * budget
        assert risk <= 3 * trade * multiplier + SLACK
        assert value <= 3 * budget + SLACK
        share = "0.005" if sentinel.budgets.tier(strategy) is Tier.TRIAL else "0.01"
        allowed = min(trade * Decimal("1.2"), Decimal(share) * equity) * multiplier
        asked = {Side.BUY: ZERO, Side.SELL: ZERO}
        for one in minted:
            asked[one.side] += one.risk
        is_quotes = minted[0].intent is Intent.QUOTE
        total = max(asked.values()) if is_quotes else asked[Side.BUY] + asked[Side.SELL]
        assert total <= allowed + SLACK

    def _check_margin(self, minted: Sequence[OrderRequest]) -> None:
        fresh = {one.client_order_id for one in minted}
        needed, bound = ZERO, ZERO
        for name, one in self.orders.items():
            if name in fresh:
                needed += one.margin
            else:
                bound += one.margin
        assert needed <= (self.available - bound) / 2 + SLACK
