"""Orders at the paper venue, and how cheaply a tick finds out that none is near."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hean.app.venues.matching import Market
from hean.core.events import Intent, OrderRequest, OrderStyle, Side, VenueOrder
from hean.core.ids import protective_order_id
from hean.core.instruments import ZERO

_NEVER_LOW = float("-inf")
_NEVER_HIGH = float("inf")


class PaperOrder(msgspec.Struct, kw_only=True):
    """An order the venue has. `level` is its price, or a protective stop's trigger, as a float.

    A `closing` order never executes more than its strategy holds; `reduce_only` never more than
    the net position. `covered` is what a protective stop stands for before rounding to lots.
    """

    client_order_id: str
    signal_id: str
    strategy: str
    instrument: str
    side: Side
    quantity: Decimal
    price: Decimal | None
    style: OrderStyle
    number: int
    accepted_at: int
    level: float = 0.0
    filled: Decimal = ZERO
    reduce_only: bool = False
    closing: bool = False
    protective: bool = False
    covered: Decimal = ZERO
    protective_stop: Decimal | None = None
    ahead: float | None = None

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled


def order_of(request: OrderRequest, number: int, now: int) -> PaperOrder:
    """Return the venue's record of a request that has just arrived."""
    return PaperOrder(
        client_order_id=request.client_order_id,
        signal_id=request.signal_id,
        strategy=request.strategy,
        instrument=request.instrument,
        side=request.side,
        quantity=request.quantity,
        price=request.price,
        style=request.style,
        number=number,
        accepted_at=now,
        level=0.0 if request.price is None else float(request.price),
        reduce_only=request.reduce_only,
        closing=request.intent is Intent.CLOSE or request.intent is Intent.REDUCE,
        protective_stop=request.protective_stop,
    )


def stop_of(parent: PaperOrder, trigger: Decimal, number: int, now: int) -> PaperOrder:
    """Return the protective stop that rests for what `parent` fills; it still has no quantity."""
    return PaperOrder(
        client_order_id=protective_order_id(parent.client_order_id),
        signal_id=parent.signal_id,
        strategy=parent.strategy,
        instrument=parent.instrument,
        side=parent.side.opposite,
        quantity=ZERO,
        price=trigger,
        style=OrderStyle.MARKET,
        number=number,
        accepted_at=now,
        level=float(trigger),
        closing=True,
        protective=True,
    )


def venue_order(order: PaperOrder) -> VenueOrder:
    """Return the order as `VenueSnapshot` shows it."""
    return VenueOrder(
        client_order_id=order.client_order_id,
        strategy=order.strategy,
        instrument=order.instrument,
        side=order.side,
        price=order.price,
        quantity=order.quantity,
        filled=order.filled,
        style=order.style,
        protective=order.protective,
    )


class Watch(msgspec.Struct):
    """One instrument's orders and the prices between which nothing can happen to them.

    While `low` < price < `high` no limit is touched, no stop triggers, and the position cannot
    bring the account to liquidation (`safe_low`, `safe_high`).
    """

    limits: dict[str, PaperOrder] = msgspec.field(default_factory=dict[str, PaperOrder])
    stops: dict[str, PaperOrder] = msgspec.field(default_factory=dict[str, PaperOrder])
    safe_low: float = _NEVER_LOW
    safe_high: float = _NEVER_HIGH
    low: float = _NEVER_LOW
    high: float = _NEVER_HIGH

    def add(self, order: PaperOrder) -> None:
        """Rest an order."""
        (self.stops if order.protective else self.limits)[order.client_order_id] = order
        self.find_bounds()

    def remove(self, order: PaperOrder) -> None:
        """Forget an order; one that is not there is no error."""
        kept = self.stops if order.protective else self.limits
        if kept.pop(order.client_order_id, None) is not None:
            self.find_bounds()

    def find(self, client_order_id: str) -> PaperOrder | None:
        """Return a resting order or stop."""
        return self.limits.get(client_order_id) or self.stops.get(client_order_id)

    def guard(self, low: float, high: float) -> None:
        """Set the prices between which the position is safe."""
        self.safe_low, self.safe_high = low, high
        self.find_bounds()

    def find_bounds(self) -> None:
        """Recompute the nearest prices at which something may happen."""
        low, high = self.safe_low, self.safe_high
        for order in self.limits.values():
            if order.side is Side.BUY:
                low = max(low, order.level)
            else:
                high = min(high, order.level)
        for stop in self.stops.values():
            if stop.side is Side.SELL:
                low = max(low, stop.level)
            else:
                high = min(high, stop.level)
        self.low, self.high = low, high

    def in_order(self) -> None:
        """Put orders into the order they came in, as a snapshot does not keep it."""
        self.limits = _by_number(self.limits)
        self.stops = _by_number(self.stops)

    @property
    def is_idle(self) -> bool:
        """Whether nothing rests and no position is guarded."""
        return (
            not self.limits
            and not self.stops
            and self.safe_low == _NEVER_LOW
            and self.safe_high == _NEVER_HIGH
        )


def displayed_at(order: PaperOrder, market: Market, half_tick: float) -> float | None:
    """Return the size shown at an order's price: 0 where it is the best, None out of sight."""
    if market.book is not None:
        levels = market.book.bids if order.side is Side.BUY else market.book.asks
        for price, size in levels:
            nearer = (order.level - price) * order.side.sign
            if nearer > half_tick:
                return 0.0
            if nearer > -half_tick:
                return size
        return None
    if market.quote is None or market.quote.synthetic:
        return None
    quote = market.quote
    price, size = (
        (quote.bid, quote.bid_size) if order.side is Side.BUY else (quote.ask, quote.ask_size)
    )
    nearer = (order.level - price) * order.side.sign
    if nearer > half_tick:
        return 0.0
    return size if nearer > -half_tick else None


def _by_number(orders: dict[str, PaperOrder]) -> dict[str, PaperOrder]:
    return dict(sorted(orders.items(), key=lambda one: one[1].number))
