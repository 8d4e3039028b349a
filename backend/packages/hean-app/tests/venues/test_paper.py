from collections.abc import Iterable
from decimal import Decimal

import msgspec

from hean.app.venues.paper import PaperVenue
from hean.app.venues.settings import VenueSettings
from hean.core.events import (
    FundingPaid,
    Intent,
    Liquidity,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderRequest,
    OrderStyle,
    Side,
    VenueSnapshot,
    WalletUpdated,
)
from hean.core.events.base import Event
from hean.core.ids import protective_order_id
from hean.core.instruments import Instrument
from hean.core.testing import (
    BTC,
    BTC_SPOT,
    SECOND,
    START,
    MiniSystem,
    book,
    btc_perpetual,
    btc_spot,
    funding,
    mark,
    order_request,
    quote,
    trade,
)

D = Decimal
INSTANT = VenueSettings(order_latency_ms=0, report_latency_ms=0, slippage_bp=0)
SLOW = VenueSettings(order_latency_ms=50, report_latency_ms=10, slippage_bp=0)


def build(
    section: VenueSettings = INSTANT,
    *,
    wallet: str = "10000",
    instruments: Iterable[Instrument] | None = None,
) -> tuple[MiniSystem, PaperVenue]:
    """Build a small system with a paper venue that has met no market event yet."""
    system = MiniSystem(instruments=instruments or (btc_perpetual(), btc_spot()))
    venue = PaperVenue(
        bus=system.bus,
        agenda=system.agenda,
        view=system.view,
        section=section,
        initial_wallet=D(wallet),
    )
    system.add(venue)
    return system, venue


def place(system: MiniSystem, venue: PaperVenue, request: OrderRequest) -> None:
    """Submit as execution does, and let what is due at once be taken."""
    venue.submit(request)
    system.advance(0)


def closing(number: int, quantity: str, side: Side = Side.SELL) -> OrderRequest:
    """Build a market order that closes."""
    return order_request(
        number=number,
        side=side,
        intent=Intent.CLOSE,
        style=OrderStyle.MARKET,
        price=None,
        stop=None,
        quantity=quantity,
    )


def test_zero_latency_fills_in_the_same_instant() -> None:
    """On trades only, an order is filled at the last price before time moves."""
    system, venue = build()
    system.take(trade(60_000.0))
    place(system, venue, order_request(quantity="0.1", price="60000"))
    fill = system.recorder.last(OrderFilled)
    assert (fill.price, fill.quantity, fill.ts_init) == (D("60000.0"), D("0.1"), START)
    assert (fill.fee, fill.liquidity, fill.remaining) == (D("3.30"), Liquidity.TAKER, 0)
    assert system.recorder.last(WalletUpdated).wallet == D("9996.7")
    assert system.of(OrderExpired) == []


def test_orders_arrive_and_report_after_their_latency() -> None:
    """An order meets the market 50 ms after it was sent and is heard of 10 ms later."""
    system, venue = build(SLOW)
    system.take(quote(60_000.0, 60_000.1))
    venue.submit(order_request(price="60010", quantity="0.1"))
    system.take(quote(60_004.0, 60_004.1, at=START + SECOND // 50))
    system.advance(1)
    fill = system.recorder.last(OrderFilled)
    assert fill.price == D("60004.1")
    assert (fill.ts_event, fill.ts_init) == (START + 50_000_000, START + 60_000_000)


def test_a_resent_id_is_ignored() -> None:
    """The same client order id never becomes a second order."""
    system, venue = build()
    system.take(trade(60_000.0))
    request = order_request(quantity="0.1")
    place(system, venue, request)
    place(system, venue, request)
    assert len(system.of(OrderFilled)) == 1
    assert system.of(OrderRejected) == []


def test_an_immediate_order_expires_with_its_rest() -> None:
    """LIMIT_IOC fills up to its limit and the rest expires, saying what had filled."""
    system, venue = build()
    system.take(book(60_000.0, 60_000.1, size=0.05))
    place(system, venue, order_request(price="60000.1", quantity="0.2"))
    assert system.recorder.last(OrderFilled).filled == D("0.05")
    assert system.recorder.last(OrderExpired).filled == D("0.05")
    place(system, venue, order_request(price="59000", quantity="0.2", number=2))
    assert system.recorder.last(OrderExpired).filled == 0


def test_post_only_never_takes() -> None:
    """A post-only order at the ask is refused, at the bid it rests."""
    system, venue = build()
    system.take(quote(60_000.0, 60_000.1))
    style = OrderStyle.POST_ONLY
    place(system, venue, order_request(style=style, price="60000.1"))
    assert system.recorder.last(OrderRejected).code == "EC_PostOnlyWillTakeLiquidity"
    place(system, venue, order_request(style=style, price="60000.0", number=2, quantity="0.002"))
    assert system.recorder.last(OrderAccepted).price == D("60000.0")
    assert [one.quantity for one in venue.account().orders] == [D("0.002")]


def test_the_stop_rests_for_what_fills_and_triggers() -> None:
    """A fill rests a protective stop of its size; a trade at the trigger closes with it."""
    system, venue = build()
    system.take(trade(60_000.0))
    request = order_request(quantity="0.1", stop="59700")
    place(system, venue, request)
    stop = system.recorder.last(OrderAccepted)
    assert stop.client_order_id == protective_order_id(request.client_order_id)
    assert (stop.protective, stop.quantity, stop.side) == (True, D("0.1"), Side.SELL)
    system.take(trade(59_700.1, at=START + 1), trade(59_690.0, at=START + 2))
    fill = system.recorder.last(OrderFilled)
    assert (fill.protective, fill.price, fill.remaining) == (True, D("59690.0"), 0)
    assert venue.account().positions == ()
    assert venue.account().orders == ()


def test_stops_follow_the_mark_while_it_is_fresh() -> None:
    """A print beyond the trigger does nothing while the mark is fresh; the mark does."""
    system, venue = build()
    system.take(mark(60_000.0), trade(60_000.0))
    place(system, venue, order_request(quantity="0.1", stop="59700"))
    system.take(trade(59_000.0, at=START + 1))
    assert len(system.of(OrderFilled)) == 1
    system.take(mark(59_700.0, at=START + 2))
    assert system.recorder.last(OrderFilled).protective
    assert system.recorder.last(OrderFilled).price == D("59000.0")


def test_amend_lowers_a_stop_and_confirms() -> None:
    """A lowered stop says its new quantity and closes no more than that."""
    system, venue = build()
    system.take(trade(60_000.0))
    request = order_request(quantity="0.1", stop="59700")
    place(system, venue, request)
    stop_id = protective_order_id(request.client_order_id)
    venue.amend(stop_id, D("0.04"))
    system.advance(0)
    assert system.recorder.last(OrderAccepted).quantity == D("0.04")
    system.take(trade(59_700.0, at=START + 1))
    assert system.recorder.last(OrderFilled).quantity == D("0.04")
    assert venue.account().positions[0].quantity == D("0.06")


def test_cancel_ends_an_order_once() -> None:
    """A cancel is confirmed with what had filled; a second one finds nothing and says nothing."""
    system, venue = build(SLOW)
    system.take(quote(60_000.0, 60_000.1))
    request = order_request(style=OrderStyle.POST_ONLY, price="59990")
    venue.submit(request)
    venue.cancel(request.client_order_id)
    venue.cancel(request.client_order_id)
    system.advance(1)
    assert [type(one) for one in system.of(OrderAccepted) + system.of(OrderCancelled)] == [
        OrderAccepted,
        OrderCancelled,
    ]
    assert system.recorder.last(OrderCancelled).filled == 0


def test_a_closing_order_closes_no_more_than_its_strategy_holds() -> None:
    """What exceeds the strategy's own fills expires, even where another holds the same side."""
    system, venue = build()
    system.take(trade(60_000.0))
    place(system, venue, order_request("one", quantity="0.1"))
    place(system, venue, order_request("two", quantity="0.1"))
    late = msgspec.structs.replace(closing(3, "0.15"), strategy="one")
    place(system, venue, late)
    assert system.recorder.last(OrderExpired).filled == D("0.1")
    assert venue.account().positions[0].quantity == D("0.1")
    place(system, venue, msgspec.structs.replace(closing(4, "0.1"), strategy="one"))
    assert system.recorder.last(OrderRejected).code == "110017"


def test_funding_pays_the_exact_product_on_the_net_position() -> None:
    """Strategies long 0.5 and short 0.2 at 80,000 and 4 bp pay 9.6 on the net 0.3."""
    system, venue = build(wallet="100000")
    system.take(trade(80_000.0), mark(80_000.0))
    place(system, venue, order_request("one", price="80000", quantity="0.5", stop=None))
    short = order_request("two", Side.SELL, price="80000", quantity="0.2", stop=None)
    place(system, venue, short)
    before = venue.wallet().wallet
    system.take(funding(0.0004, at=START + 1), funding(0.0004, settled=True, at=START + 2))
    (paid,) = system.of(FundingPaid)
    assert (paid.amount, paid.quantity, paid.stamp) == (D("-9.6"), D("0.3"), START + 2)
    assert venue.wallet().wallet == before + paid.amount


def test_funding_has_at_most_twelve_decimals() -> None:
    """A mark and a rate of many digits do not let the wallet grow without bound."""
    system, venue = build()
    system.take(trade(60_000.0), mark(60_000.123456789))
    place(system, venue, order_request(quantity="0.001", stop=None))
    system.take(funding(0.000123456789, settled=True, at=START + 1))
    assert system.recorder.last(FundingPaid).amount == D("-0.007407422582")


def test_without_a_net_position_no_funding_is_paid() -> None:
    """A flat account is not reported any funding."""
    system, _ = build()
    system.take(mark(80_000.0), funding(settled=True))
    assert system.of(FundingPaid) == []


def test_funding_is_paid_on_what_has_been_reported() -> None:
    """A fill that nobody has heard of at the stamp neither pays nor saves funding."""
    system, venue = build(SLOW)
    system.take(trade(60_000.0), mark(60_000.0))
    venue.submit(order_request(quantity="0.1", stop=None))
    system.kernel.advance(START + 55_000_000)
    assert venue.account().positions[0].quantity == D("0.1")
    system.take(funding(settled=True, at=START + 56_000_000))
    assert system.of(FundingPaid) == []
    system.take(funding(settled=True, at=START + 60_000_000))
    system.advance(0.1)
    assert [one.amount for one in system.of(FundingPaid)] == [D("-0.6")]


def test_spot_moves_coins_and_usdt() -> None:
    """A purchase brings coins net of its fee and costs the full price; a sale the reverse."""
    system, venue = build(wallet="1000")
    system.take(quote(60_000.0, 60_000.0, instrument=BTC_SPOT))
    buy = order_request(instrument=BTC_SPOT, price="60000", quantity="0.01", stop=None)
    place(system, venue, buy)
    fill = system.recorder.last(OrderFilled)
    assert (fill.quantity, fill.base_fee) == (D("0.00999"), D("0.00001"))
    assert venue.account().wallet == D(400)
    sell = msgspec.structs.replace(closing(9, "0.01"), instrument=BTC_SPOT)
    place(system, venue, sell)
    assert system.recorder.last(OrderFilled).quantity == D("0.00999")
    assert venue.account().positions == ()
    assert venue.account().wallet == D(400) + D("599.4") * D("0.999")


def test_an_account_report_stands_behind_what_it_contains() -> None:
    """Taken as an input, the venue's answer never overtakes the report of a fill in it."""
    system, venue = build(SLOW)
    system.take(trade(60_000.0))
    venue.submit(order_request(quantity="0.1"))
    system.kernel.advance(START + 55_000_000)
    found = venue.account()
    system.agenda.schedule(found.ts_init, found)
    system.advance(1)
    kinds = [type(one) for one in system.recorder.events]
    assert found.positions[0].quantity == D("0.1")
    assert kinds.index(OrderFilled) < kinds.index(VenueSnapshot)


def outputs(system: MiniSystem, venue: PaperVenue, events: list[Event]) -> bytes:
    """Run events and return everything heard and held afterwards."""
    system.recorder.clear()
    system.take(*events)
    system.advance(1)
    return msgspec.msgpack.encode([system.recorder.events, venue.account()]) + venue.snapshot()


def test_a_restored_venue_goes_on_bit_for_bit() -> None:
    """With orders resting, on their way and partly filled, a copy says and holds the same."""
    system, venue = build(SLOW)
    system.take(book(60_000.0, 60_000.1, size=0.05), trade(60_000.0))
    venue.submit(order_request(price="60000.2", quantity="0.08", stop="59700"))
    venue.submit(order_request("two", style=OrderStyle.POST_ONLY, price="60000", quantity="0.3"))
    system.advance(0.055)
    venue.submit(closing(5, "0.02"))
    other, copy = build(SLOW)
    for target, source in ((other.agenda, system.agenda), (other.kernel, system.kernel)):
        target.restore(source.snapshot())
    other.view.restore(system.view.snapshot())
    copy.restore(venue.snapshot())
    assert copy.snapshot() == venue.snapshot()
    at = system.now
    events: list[Event] = [
        trade(60_000.0, 5.2, Side.SELL, at=at + 60_000_000),
        trade(59_650.0, 1.0, Side.SELL, at=at + 70_000_000),
    ]
    assert outputs(other, copy, events) == outputs(system, venue, events)
    assert system.of(OrderFilled)


def test_nothing_is_watched_where_nothing_rests() -> None:
    """A flat instrument without orders costs a tick one look-up."""
    system, venue = build()
    system.take(trade(60_000.0))
    place(system, venue, order_request(quantity="0.1", stop="59000"))
    assert venue.watched == (BTC,)
    venue.cancel(protective_order_id(order_request(quantity="0.1").client_order_id))
    place(system, venue, closing(2, "0.1"))
    assert venue.watched == ()
