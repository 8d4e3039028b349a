from decimal import Decimal

import pytest

from hean.app.venues.paper import PaperVenue
from hean.app.venues.settings import VenueSettings
from hean.core.events import (
    Intent,
    Liquidity,
    OrderCancelled,
    OrderFilled,
    OrderRequest,
    OrderStyle,
    Side,
)
from hean.core.testing import (
    MINUTE,
    START,
    MiniSystem,
    bar,
    book,
    btc_perpetual,
    order_request,
    quote,
    trade,
)

D = Decimal
REST = OrderStyle.POST_ONLY


def build(slippage: float = 0.0) -> tuple[MiniSystem, PaperVenue]:
    """Build a system whose venue answers at once."""
    system = MiniSystem(instruments=[btc_perpetual()])
    section = VenueSettings(order_latency_ms=0, report_latency_ms=0, slippage_bp=slippage)
    venue = PaperVenue(
        bus=system.bus,
        agenda=system.agenda,
        view=system.view,
        section=section,
        initial_wallet=D(100_000),
    )
    return system, system.add(venue)


def place(system: MiniSystem, venue: PaperVenue, request: OrderRequest) -> None:
    """Submit and take what is due at once."""
    venue.submit(request)
    system.advance(0)


def on_bars(system: MiniSystem, price: float = 60_000.0) -> None:
    """Show one closed bar and the next one's opening quote, without spread."""
    system.take(bar(price), quote(price, price, synthetic=True))


def test_a_resting_order_waits_for_the_size_ahead() -> None:
    """At the bid it fills only after what was displayed there has traded."""
    system, venue = build()
    system.take(quote(60_000.0, 60_000.1, size=2.0))
    place(system, venue, order_request(style=REST, price="60000", quantity="0.5", stop=None))
    system.take(trade(60_000.0, 1.9, Side.SELL, at=START + 1))
    system.take(trade(60_000.0, 9.0, Side.BUY, at=START + 2))
    assert system.of(OrderFilled) == []
    system.take(trade(60_000.0, 0.3, Side.SELL, at=START + 3))
    fill = system.recorder.last(OrderFilled)
    assert (fill.quantity, fill.remaining, fill.liquidity) == (D("0.2"), D("0.3"), Liquidity.MAKER)
    system.take(trade(59_999.9, 0.1, Side.SELL, at=START + 4))
    assert system.recorder.last(OrderFilled).remaining == 0


def test_one_print_is_not_given_to_two_orders() -> None:
    """Two own orders at one price share the volume that reaches it."""
    system, venue = build()
    system.take(quote(60_000.0, 60_000.1, size=1.0))
    for number in (1, 2):
        request = order_request(style=REST, price="60000", quantity="0.5", stop=None, number=number)
        place(system, venue, request)
    system.take(trade(60_000.0, 1.7, Side.SELL, at=START + 1))
    assert [one.quantity for one in system.of(OrderFilled)] == [D("0.5"), D("0.2")]


def test_a_level_out_of_sight_is_joined_when_it_shows() -> None:
    """Behind the best bid the queue is unknown until the bid comes down to it."""
    system, venue = build()
    system.take(quote(60_000.0, 60_000.1))
    place(system, venue, order_request(style=REST, price="59999", quantity="0.5", stop=None))
    system.take(quote(59_999.0, 59_999.1, size=3.0, at=START + 1))
    system.take(trade(59_999.0, 3.0, Side.SELL, at=START + 2))
    assert system.of(OrderFilled) == []
    system.take(trade(59_999.0, 0.5, Side.SELL, at=START + 3))
    assert system.recorder.last(OrderFilled).quantity == D("0.5")


def test_a_level_in_the_book_is_joined_at_its_size() -> None:
    """On depth the size at a deeper level is known at once."""
    system, venue = build()
    system.take(book(60_000.0, 60_000.1, size=1.5))
    place(system, venue, order_request(style=REST, price="59999.8", quantity="0.5", stop=None))
    system.take(trade(59_999.8, 2.0, Side.SELL, at=START + 1))
    assert system.recorder.last(OrderFilled).quantity == D("0.5")


def test_the_other_side_at_our_price_means_it_was_traded_through() -> None:
    """An ask at a resting bid's price can only stand where that bid is gone."""
    system, venue = build()
    system.take(quote(60_000.0, 60_000.1))
    place(system, venue, order_request(style=REST, price="60000", quantity="0.5", stop=None))
    system.take(quote(59_999.9, 60_000.0, at=START + 1))
    assert system.recorder.last(OrderFilled).price == D("60000.0")


@pytest.mark.parametrize(("low", "fills"), [(59_990.0, 0), (59_989.9, 1)])
def test_a_bar_must_trade_through_a_resting_order(low: float, fills: int) -> None:
    """Touching the limit is not enough, one tick beyond is."""
    system, venue = build()
    on_bars(system)
    place(system, venue, order_request(style=REST, price="59990", quantity="0.5", stop=None))
    system.take(bar(60_000.0, low=low, at=START + MINUTE))
    assert len(system.of(OrderFilled)) == fills


def test_a_resting_order_must_live_through_the_whole_bar() -> None:
    """One placed after the bar opened waits for the next bar."""
    system, venue = build()
    on_bars(system)
    system.advance(1)
    place(system, venue, order_request(style=REST, price="59990", quantity="0.5", stop=None))
    system.take(bar(60_000.0, low=59_000.0, at=START + MINUTE))
    assert system.of(OrderFilled) == []
    system.take(bar(60_000.0, low=59_000.0, at=START + 2 * MINUTE))
    assert system.recorder.last(OrderFilled).price == D("59990.0")


def test_stop_and_target_in_one_bar_is_the_stop() -> None:
    """The stop fills and the resting target, with nothing left to close, is cancelled."""
    system, venue = build()
    on_bars(system)
    place(system, venue, order_request(quantity="0.5", stop="59700"))
    target = order_request(
        number=2,
        side=Side.SELL,
        intent=Intent.CLOSE,
        style=REST,
        price="60300",
        quantity="0.5",
        stop=None,
    )
    place(system, venue, target)
    system.take(bar(60_000.0, low=59_600.0, high=60_400.0, at=START + MINUTE))
    fill = system.recorder.last(OrderFilled)
    assert (fill.protective, fill.price) == (True, D("59700.0"))
    assert system.recorder.last(OrderCancelled).client_order_id == target.client_order_id


def test_a_gap_fills_the_stop_at_the_open_with_slippage() -> None:
    """A bar that opens beyond the stop fills it there, slippage against it."""
    system, venue = build(slippage=10.0)
    on_bars(system)
    place(system, venue, order_request(price="60100", quantity="0.5", stop="59700"))
    system.take(bar(59_000.0, open=59_000.0, at=START + MINUTE))
    assert system.recorder.last(OrderFilled).price == D("58941.0")


def test_an_entry_and_its_stop_may_both_fall_in_one_bar() -> None:
    """The way down to the stop leads through the limit, so both fill."""
    system, venue = build()
    on_bars(system)
    request = order_request(style=REST, price="59990", quantity="0.5", stop="59700")
    place(system, venue, request)
    system.take(bar(59_600.0, open=60_000.0, low=59_600.0, at=START + MINUTE))
    assert [one.price for one in system.of(OrderFilled)] == [D("59990.0"), D("59700.0")]
    assert venue.account().positions == ()


def test_a_short_stop_mirrors_a_long_one() -> None:
    """A short's stop triggers on the high and a gap up fills it at the open."""
    system, venue = build()
    on_bars(system)
    place(system, venue, order_request(side=Side.SELL, quantity="0.5", stop="60300"))
    system.take(bar(60_350.0, open=60_350.0, high=60_400.0, at=START + MINUTE))
    assert system.recorder.last(OrderFilled).price == D("60350.0")


def test_bars_of_history_do_nothing_where_ticks_come() -> None:
    """Once real quotes come, a bar neither fills nor triggers."""
    system, venue = build()
    system.take(quote(60_000.0, 60_000.1))
    place(system, venue, order_request(price="60001", quantity="0.5", stop="59700"))
    system.take(bar(60_000.0, low=50_000.0, at=START + MINUTE))
    assert len(system.of(OrderFilled)) == 1
