from decimal import Decimal

import msgspec
import pytest

from hean.app.venues.paper import PaperVenue
from hean.app.venues.settings import VenueSettings
from hean.core.events import OrderFilled, OrderRejected, OrderRequest, OrderStyle, Side
from hean.core.testing import (
    BTC,
    BTC_SPOT,
    MiniSystem,
    btc_perpetual,
    btc_spot,
    order_request,
    quote,
)

D = Decimal


def answer(request: OrderRequest, *, wallet: str = "10000", borrow: bool = False) -> str:
    """Return the venue's code for a request, or "" when it takes it."""
    system = MiniSystem(instruments=[btc_perpetual(), btc_spot(borrowable=borrow)])
    venue = PaperVenue(
        bus=system.bus,
        agenda=system.agenda,
        view=system.view,
        section=VenueSettings(order_latency_ms=0, report_latency_ms=0),
        initial_wallet=D(wallet),
        leverage=D(5),
    )
    system.add(venue)
    for instrument in (BTC, BTC_SPOT):
        system.take(quote(60_000.0, 60_000.1, instrument=instrument))
    venue.submit(request)
    system.advance(0)
    refused = system.of(OrderRejected)
    return refused[0].code if refused else ""


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (order_request(quantity="0.0015"), "10001"),
        (order_request(quantity="0"), "10001"),
        (order_request(price="60000.05"), "10001"),
        (order_request(price=None), "10001"),
        (order_request(quantity="1191"), "10001"),
        (order_request(quantity="0.001", price="4999.9"), "110094"),
        (order_request(quantity="0.001", price="5000.0"), ""),
        (order_request(reduce_only=True), "110017"),
        (order_request(instrument="XUSDT-PERP.BYBIT"), "10001"),
        (order_request(instrument=BTC_SPOT, quantity="0.00001", price="60000"), "170140"),
        (order_request(instrument=BTC_SPOT, side=Side.SELL, quantity="0.01"), "170131"),
    ],
)
def test_rules_are_answered_with_the_venues_codes(request_: OrderRequest, code: str) -> None:
    """Each broken rule of an instrument has Bybit's code."""
    assert answer(request_) == code


def test_margin_must_cover_initial_margin_and_both_fees() -> None:
    """At leverage 5 and 60,000 one BTC needs 12,000 + 66: one cent less is refused."""
    request = order_request(quantity="1", price="60000")
    assert answer(request, wallet="12066") == ""
    assert answer(request, wallet="12065.99") == "110007"


def test_spot_needs_the_whole_price_in_usdt() -> None:
    """A purchase costs its full value, and its haircut must be free as margin."""
    request = order_request(instrument=BTC_SPOT, quantity="0.1", price="60000")
    assert answer(request, wallet="6000") == ""
    assert answer(request, wallet="5999.99") == "170131"


def test_borrowable_coins_may_be_sold_short() -> None:
    """Where the coin can be borrowed a sale without coins passes, against margin."""
    request = order_request(instrument=BTC_SPOT, side=Side.SELL, quantity="0.01")
    assert answer(request, borrow=True) == ""
    assert answer(request, borrow=True, wallet="500") == "170131"


def test_without_a_price_a_market_order_is_refused() -> None:
    """Before any market event nothing can be executed."""
    system = MiniSystem(instruments=[btc_perpetual()])
    venue = PaperVenue(
        bus=system.bus,
        agenda=system.agenda,
        view=system.view,
        section=VenueSettings(order_latency_ms=0, report_latency_ms=0),
        initial_wallet=D(1000),
    )
    venue.submit(order_request(style=OrderStyle.MARKET, price=None))
    system.advance(0)
    assert system.recorder.last(OrderRejected).code == "110003"


def test_resting_orders_hold_their_margin_back() -> None:
    """What a resting order would need is not free for the next one."""
    system = MiniSystem(instruments=[btc_perpetual()])
    venue = PaperVenue(
        bus=system.bus,
        agenda=system.agenda,
        view=system.view,
        section=VenueSettings(order_latency_ms=0, report_latency_ms=0),
        initial_wallet=D(13_000),
        leverage=D(5),
    )
    system.add(venue)
    system.take(quote(60_000.0, 60_000.1))
    resting = order_request(style=OrderStyle.POST_ONLY, quantity="0.5", price="60000.0")
    venue.submit(resting)
    second = order_request(quantity="0.6", price="60000.1", number=2)
    venue.submit(second)
    system.advance(0)
    assert system.recorder.last(OrderRejected).code == "110007"
    assert venue.wallet().available == D(7000)
    venue.cancel(resting.client_order_id)
    venue.submit(msgspec.structs.replace(second, client_order_id="again"))
    system.advance(0)
    assert system.recorder.last(OrderFilled).client_order_id == "again"
