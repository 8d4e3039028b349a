"""What the account could lose now: positions, working entries and orders nobody is sure about.

The risk package's own book of events. An order counts in full from the moment it is minted until
the venue says that it is gone; an unknown outcome changes nothing. Totals are exact Decimals kept
by difference, so their order of arrival leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from hean.config import HEANSettings
from hean.core.bus import Bus, Stage
from hean.core.events.decision import OrderRequest
from hean.core.events.market import Side
from hean.core.events.portfolio import PositionChanged, PositionClosed, PositionOpened
from hean.core.events.strategy import Intent, OrderStyle
from hean.core.events.venue import (
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
)
from hean.core.ids import sliced_request
from hean.core.instruments import MONEY, ZERO, decimal_of
from hean.core.market_view import MarketView
from hean.core.snapshot import pack, unpack
from hean.risk.settings import RiskSettings
from hean.risk.tallies import InstrumentTally, Tally

EXTERNAL = "EXTERNAL"
"""The strategy that positions nobody here opened belong to."""

Key = tuple[str, str]
"""(strategy, instrument): whose position or order it is."""

_ONE = Decimal(1)
_ENTRIES = (Intent.OPEN, Intent.LEG, Intent.QUOTE)


class Holding(msgspec.Struct):
    """One strategy's position; `at_risk` is the loss from mark to stop with exit cost."""

    strategy: str
    instrument: str
    quantity: Decimal
    entry_price: Decimal
    risk: Decimal
    stop: Decimal | None
    group: str
    notional: Decimal = ZERO
    at_risk: Decimal = ZERO
    unrealised: Decimal = ZERO
    weight: Decimal = _ONE
    mark: float = 0.0


class WorkingOrder(msgspec.Struct):
    """An order that may still fill; `at_risk` is its share of R that has not filled yet.

    `slices` has, by id, what each order that a request was sent in has filled.
    """

    client_order_id: str
    strategy: str
    instrument: str
    side: Side
    intent: Intent
    style: OrderStyle
    quantity: Decimal
    remaining: Decimal
    price: Decimal
    risk: Decimal
    stop: Decimal | None
    group: str
    is_entry: bool
    release_order: str = ""
    is_leaving: bool = False
    is_unknown: bool = False
    notional: Decimal = ZERO
    at_risk: Decimal = ZERO
    weight: Decimal = _ONE
    slices: dict[str, Decimal] = {}


class _State(msgspec.Struct, frozen=True):
    holdings: list[Holding]
    orders: list[WorkingOrder]
    filled: list[tuple[str, str, Decimal | None, str]]
    by_strategy: dict[str, Tally]
    by_instrument: dict[str, InstrumentTally]
    open_risk: Decimal
    gross: Decimal
    entries: int
    version: int
    held_version: int


class Exposure:
    """Positions and working orders by (strategy, instrument), with their totals.

    `version` moves with every change, `held_version` with every change of a position.
    """

    name = "risk_exposure"

    def __init__(self, *, settings: HEANSettings, section: RiskSettings, view: MarketView) -> None:
        self._view = view
        self._leverage = decimal_of(settings.budget_leverage)
        self._slippage = decimal_of(section.stop_slippage_bp) / 10_000
        self.version = 0
        self.held_version = 0
        self.holdings: dict[Key, Holding] = {}
        self.orders: dict[str, WorkingOrder] = {}
        self.by_key: dict[Key, dict[str, WorkingOrder]] = {}
        self.by_strategy: dict[str, Tally] = {}
        self.by_instrument: dict[str, InstrumentTally] = {}
        self.open_risk = ZERO
        self.gross = ZERO
        self.entries = 0
        self._filled: dict[Key, tuple[Decimal | None, str]] = {}

    def attach(self, bus: Bus) -> None:
        """Subscribe to orders, their reports and positions."""
        stage, owner = Stage.RISK, self.name
        bus.subscribe(OrderRequest, self.on_request, stage=stage, owner=owner)
        bus.subscribe(OrderRejected, self._on_ended, stage=stage, owner=owner)
        bus.subscribe(OrderCancelled, self._on_ended, stage=stage, owner=owner)
        bus.subscribe(OrderExpired, self._on_ended, stage=stage, owner=owner)
        bus.subscribe(OrderFilled, self._on_filled, stage=stage, owner=owner)
        bus.subscribe(OrderUnknown, self._on_unknown, stage=stage, owner=owner)
        bus.subscribe(PositionOpened, self._on_opened, stage=stage, owner=owner)
        bus.subscribe(PositionChanged, self._on_changed, stage=stage, owner=owner)
        bus.subscribe(PositionClosed, self._on_closed, stage=stage, owner=owner)

    def weight(self, instrument: str) -> Decimal:
        """Return what a USDT of value binds of a levered budget: spot is paid in full."""
        rules = self._view.instruments.get(instrument)
        return self._leverage if rules is not None and rules.is_spot else _ONE

    def strategy(self, strategy: str) -> Tally:
        """Return the tally of a strategy, a new one if it never traded."""
        found = self.by_strategy.get(strategy)
        if found is None:
            found = self.by_strategy[strategy] = Tally()
        return found

    def instrument(self, instrument: str) -> InstrumentTally:
        """Return the tally of an instrument, a new one if it was never traded."""
        found = self.by_instrument.get(instrument)
        if found is None:
            found = self.by_instrument[instrument] = InstrumentTally()
        return found

    def orders_of(self, key: Key) -> Iterable[WorkingOrder]:
        """Return what works for one strategy on one instrument, oldest first."""
        found = self.by_key.get(key)
        return found.values() if found else ()

    def closing(self, key: Key) -> Decimal:
        """Return the quantity that exits at work would still close."""
        total = ZERO
        for order in self.orders_of(key):
            if not order.is_entry and not order.is_leaving:
                total += order.remaining
        return total

    def revalue(self) -> None:
        """Value every position whose mark has moved at the present one."""
        for holding in self.holdings.values():
            found = self._view.mark(holding.instrument)
            if found is not None and found.price == holding.mark:
                continue
            notional, at_risk = holding.notional, holding.at_risk
            self._value(holding)
            if notional != holding.notional or at_risk != holding.at_risk:
                self._move_position(holding, notional, at_risk)

    def on_request(self, event: OrderRequest) -> None:
        """Count a minted order, and stop counting on what it replaces."""
        price = event.price if event.price is not None else ZERO
        is_entry = event.intent in _ENTRIES and not event.cause
        order = WorkingOrder(
            client_order_id=event.client_order_id,
            strategy=event.strategy,
            instrument=event.instrument,
            side=event.side,
            intent=event.intent,
            style=event.style,
            quantity=event.quantity,
            remaining=event.quantity,
            price=price,
            risk=event.risk,
            stop=event.protective_stop,
            group=event.group,
            is_entry=is_entry,
            release_order=event.release_order,
            notional=MONEY.multiply(event.quantity, price) if is_entry else ZERO,
            at_risk=event.risk if is_entry else ZERO,
            weight=self.weight(event.instrument),
        )
        self._withdraw(order.client_order_id)
        self.orders[order.client_order_id] = order
        key = (event.strategy, event.instrument)
        mine = self.by_key.get(key)
        if mine is None:
            mine = self.by_key[key] = {}
        mine[order.client_order_id] = order
        self._count_order(order, 1)
        if event.cancels:
            self.leave(event.cancels)
        if event.replaces:
            self.leave((event.replaces,))

    def leave(self, orders: Iterable[str]) -> None:
        """Mark orders whose cancel was sent: exposed until the venue says, counted on no more."""
        for one in orders:
            order = self.orders.get(one)
            if order is not None:
                order.is_leaving = True
                self.version += 1

    def _on_ended(self, event: OrderRejected | OrderCancelled | OrderExpired) -> None:
        self._withdraw(event.client_order_id)

    def _on_unknown(self, event: OrderUnknown) -> None:
        order = self.orders.get(event.client_order_id) or self._sliced(event)
        if order is not None:
            order.is_unknown = True
            self.version += 1

    def _on_filled(self, event: OrderFilled) -> None:
        order, remaining = self.orders.get(event.client_order_id), event.remaining
        if order is None:
            order = self._sliced(event)
            if order is None:
                return
            remaining = _left_of(order, event)
        if order.is_entry:
            self._filled[event.strategy, event.instrument] = (order.stop, order.group)
        if remaining <= 0:
            self._withdraw(order.client_order_id)
            return
        if remaining >= order.remaining:
            return
        self._count_order(order, -1)
        order.remaining = remaining
        if order.is_entry:
            share = MONEY.divide(order.remaining, order.quantity)
            order.at_risk = MONEY.multiply(order.risk, share)
            order.notional = MONEY.multiply(order.remaining, order.price)
        self._count_order(order, 1)

    def _sliced(self, event: OrderFilled | OrderUnknown) -> WorkingOrder | None:
        return self.orders.get(sliced_request(event.client_order_id))

    def _withdraw(self, client_order_id: str) -> None:
        order = self.orders.pop(client_order_id, None)
        if order is None:
            return
        key = (order.strategy, order.instrument)
        mine = self.by_key[key]
        del mine[client_order_id]
        if not mine:
            del self.by_key[key]
        self._count_order(order, -1)

    def _on_opened(self, event: PositionOpened) -> None:
        key = (event.strategy, event.instrument)
        stop, group = self._filled.get(key, (None, ""))
        self._hold(
            Holding(
                strategy=event.strategy,
                instrument=event.instrument,
                quantity=event.quantity,
                entry_price=event.entry_price,
                risk=event.risk,
                stop=event.stop if event.stop is not None else stop,
                group=event.group or group,
            )
        )

    def _on_changed(self, event: PositionChanged) -> None:
        key = (event.strategy, event.instrument)
        before = self.holdings.get(key)
        stop, group = self._filled.get(key, (None, ""))
        if before is not None:
            grew = abs(event.quantity) > abs(before.quantity)
            stop = stop if grew and stop is not None else before.stop
            group = before.group or group
        self._hold(
            Holding(
                strategy=event.strategy,
                instrument=event.instrument,
                quantity=event.quantity,
                entry_price=event.entry_price,
                risk=event.risk,
                stop=stop,
                group=group,
            )
        )

    def _on_closed(self, event: PositionClosed) -> None:
        key = (event.strategy, event.instrument)
        holding = self.holdings.pop(key, None)
        self._filled.pop(key, None)
        if holding is not None:
            self._count_position(holding, -1)

    def _hold(self, holding: Holding) -> None:
        holding.weight = self.weight(holding.instrument)
        self._value(holding)
        key = (holding.strategy, holding.instrument)
        before = self.holdings.pop(key, None)
        if before is not None:
            self._count_position(before, -1)
        if holding.quantity:
            self.holdings[key] = holding
            self._count_position(holding, 1)

    def _value(self, holding: Holding) -> None:
        found = self._view.mark(holding.instrument)
        mark = holding.entry_price if found is None else decimal_of(found.price)
        holding.mark = 0.0 if found is None else found.price
        quantity = holding.quantity
        size = abs(quantity)
        holding.notional = MONEY.multiply(quantity, mark)
        holding.unrealised = MONEY.multiply(quantity, mark - holding.entry_price)
        stop = holding.stop
        if stop is None:
            holding.at_risk = max(ZERO, holding.risk)
            return
        rules = self._view.instruments.get(holding.instrument)
        rate = self._slippage if rules is None else rules.taker_fee + self._slippage
        loss = MONEY.multiply(quantity, mark - stop)
        cost = MONEY.multiply(MONEY.multiply(size, stop), rate)
        holding.at_risk = max(ZERO, loss + cost)

    def _count_position(self, holding: Holding, sign: int) -> None:
        self.version += 1
        self.held_version += 1
        size = abs(holding.notional)
        tally = self.strategy(holding.strategy)
        place = self.instrument(holding.instrument)
        if sign > 0:
            self.open_risk += holding.at_risk
            self.gross += size
            tally.risk += holding.at_risk
            tally.notional += size
            tally.bound += MONEY.multiply(size, holding.weight)
            place.net += holding.notional
            place.quantity += holding.quantity
        else:
            self.open_risk -= holding.at_risk
            self.gross -= size
            tally.risk -= holding.at_risk
            tally.notional -= size
            tally.bound -= MONEY.multiply(size, holding.weight)
            place.net -= holding.notional
            place.quantity -= holding.quantity

    def _move_position(self, holding: Holding, notional: Decimal, at_risk: Decimal) -> None:
        """Count a held position anew that was worth `notional` with `at_risk` before."""
        self.version += 1
        self.held_version += 1
        size, before = abs(holding.notional), abs(notional)
        risk, value, weight = holding.at_risk - at_risk, size - before, holding.weight
        self.open_risk += risk
        self.gross += value
        tally = self.strategy(holding.strategy)
        tally.risk += risk
        tally.notional += value
        if weight != _ONE:
            value = MONEY.multiply(size, weight) - MONEY.multiply(before, weight)
        tally.bound += value
        self.instrument(holding.instrument).net += holding.notional - notional

    def _count_order(self, order: WorkingOrder, sign: int) -> None:
        self.version += 1
        if not order.is_entry:
            return
        self.entries += sign
        risk, value = order.at_risk, order.notional
        if sign < 0:
            risk, value = -risk, -value
        self.open_risk += risk
        self.gross += value
        tally = self.strategy(order.strategy)
        tally.risk += risk
        tally.notional += value
        weight = order.weight
        tally.bound += value if weight == _ONE else MONEY.multiply(value, weight)
        place = self.instrument(order.instrument)
        if order.side is Side.BUY:
            place.buys += value
        else:
            place.sells += value

    def snapshot(self) -> bytes:
        """Return positions, working orders and what they add up to."""
        filled = [(key[0], key[1], *value) for key, value in self._filled.items()]
        kept = _State(
            list(self.holdings.values()),
            list(self.orders.values()),
            filled,
            self.by_strategy,
            self.by_instrument,
            self.open_risk,
            self.gross,
            self.entries,
            self.version,
            self.held_version,
        )
        return pack(self.name, 1, kept)

    def restore(self, state: bytes) -> None:
        """Take over a snapshot; sums are kept to the digit, not added up anew."""
        found = unpack(state, self.name, 1, _State)
        self.holdings = {(one.strategy, one.instrument): one for one in found.holdings}
        self.orders = {one.client_order_id: one for one in found.orders}
        self._filled = {(one[0], one[1]): (one[2], one[3]) for one in found.filled}
        self.by_key = {}
        for order in found.orders:
            key = (order.strategy, order.instrument)
            self.by_key.setdefault(key, {})[order.client_order_id] = order
        self.by_strategy, self.by_instrument = found.by_strategy, found.by_instrument
        self.open_risk, self.gross, self.entries = found.open_risk, found.gross, found.entries
        self.version, self.held_version = found.version, found.held_version


def _left_of(order: WorkingOrder, event: OrderFilled) -> Decimal:
    """Note what a slice has filled; return what of its whole request has not."""
    before = order.slices.get(event.client_order_id, ZERO)
    order.slices[event.client_order_id] = max(before, event.filled)
    left = order.quantity
    for filled in order.slices.values():
        left -= filled
    return left
