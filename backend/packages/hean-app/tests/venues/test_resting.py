from decimal import Decimal

import msgspec

from hean.app.venues.matching import Consumed, Market
from hean.app.venues.resting import PaperOrder, Watch, displayed_at, order_of, stop_of
from hean.core.events import OrderStyle, Side
from hean.core.testing import book, order_request, quote

D = Decimal


def limit(side: Side, price: str, number: int) -> PaperOrder:
    """Build a resting order."""
    request = order_request("alpha", side, number=number, style=OrderStyle.POST_ONLY, price=price)
    return order_of(request, number, 0)


def test_the_bounds_are_the_nearest_prices_at_which_something_happens() -> None:
    """Limits, stops and the safe band all narrow the range; removing them widens it again."""
    watch = Watch()
    bid, ask = limit(Side.BUY, "59990", 1), limit(Side.SELL, "60010", 2)
    stop = stop_of(bid, D(59_995), 3, 0)
    for order in (bid, ask, stop):
        watch.add(order)
    assert (watch.low, watch.high) == (59_995.0, 60_010.0)
    watch.guard(59_999.0, float("inf"))
    assert watch.low == 59_999.0
    for order in (bid, ask, stop):
        watch.remove(order)
    assert (watch.low, watch.high, watch.is_idle) == (59_999.0, float("inf"), False)


def test_orders_keep_their_order_through_a_snapshot() -> None:
    """Bytes do not keep a dict's order; the numbers bring it back."""
    watch = Watch()
    for number in range(1, 9):
        watch.add(limit(Side.BUY, "59990", number))
    data = msgspec.msgpack.Encoder(order="deterministic", decimal_format="string").encode(watch)
    again = msgspec.msgpack.decode(data, type=Watch)
    assert list(again.limits) != list(watch.limits)
    again.in_order()
    assert list(again.limits) == list(watch.limits)


def test_displayed_size_is_what_the_source_shows_at_the_price() -> None:
    """Improving the best price meets 0, a shown level its size, one out of sight None."""
    depth = Market(None, book(60_000.0, 60_000.1, size=2.0, levels=3), None, None, Consumed())
    touch = Market(quote(60_000.0, 60_000.3, size=2.0), None, None, None, Consumed())
    prices = ("60000.1", "60000", "59999.9", "59999")
    found = [displayed_at(limit(Side.BUY, price, 1), depth, 0.05) for price in prices]
    assert found == [0.0, 2.0, 2.0, None]
    found = [displayed_at(limit(Side.BUY, price, 1), touch, 0.05) for price in prices]
    assert found == [0.0, 2.0, None, None]
