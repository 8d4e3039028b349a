from decimal import Decimal

from hean.app.venues.liquidation import split
from hean.app.venues.paper import PaperVenue
from hean.app.venues.settings import VenueSettings
from hean.core.events import FillKind, OrderCancelled, OrderFilled, OrderRequest, Side
from hean.core.testing import (
    BTC,
    BTC_SPOT,
    MINUTE,
    START,
    MiniSystem,
    bar,
    btc_perpetual,
    btc_spot,
    mark,
    order_request,
    quote,
    trade,
)

D = Decimal


def build(wallet: str, leverage: str = "10") -> tuple[MiniSystem, PaperVenue]:
    """Build a system whose venue answers at once."""
    system = MiniSystem(instruments=[btc_perpetual(), btc_spot()])
    venue = PaperVenue(
        bus=system.bus,
        agenda=system.agenda,
        view=system.view,
        section=VenueSettings(order_latency_ms=0, report_latency_ms=0, slippage_bp=0),
        initial_wallet=D(wallet),
        leverage=D(leverage),
    )
    return system, system.add(venue)


def place(system: MiniSystem, venue: PaperVenue, request: OrderRequest) -> None:
    """Submit and take what is due at once."""
    venue.submit(request)
    system.advance(0)


def test_liquidation_comes_at_maintenance_and_costs_the_margin_balance() -> None:
    """By hand: 0.01 BTC at 50,000 on 100.275 USDT is due under 40,201, closed near 40,000.

    Entry fee 0.275, wallet 100; 100 + 0.01(p - 50,000) = 0.005·0.01·p at p = 40,201.005. The
    bankruptcy price after the taker fee is 400/(0.01·0.99945) = 40,022.01, rounded up 40,022.1.
    """
    system, venue = build("100.275")
    system.take(trade(50_000.0))
    place(system, venue, order_request(price="50000", quantity="0.01", stop="30000"))
    system.take(trade(40_202.0, at=START + 1))
    assert len(system.of(OrderFilled)) == 1
    system.take(trade(40_201.0, at=START + 2))
    fill = system.recorder.last(OrderFilled)
    assert (fill.kind, fill.price, fill.side) == (FillKind.LIQUIDATION, D("40022.1"), Side.SELL)
    assert fill.strategy == "alpha"
    assert D(0) <= venue.account().wallet < D("0.001")
    assert venue.account().positions == ()
    assert system.recorder.last(OrderCancelled).reason == "CancelAllBeforeLiq"


def test_a_gap_beyond_bankruptcy_costs_no_more_than_the_balance() -> None:
    """The insurance fund bears what a gap takes beyond the account's margin."""
    system, venue = build("100.275")
    system.take(trade(50_000.0))
    place(system, venue, order_request(price="50000", quantity="0.01", stop=None))
    system.take(trade(30_000.0, at=START + 1))
    assert D(0) <= venue.account().wallet < D("0.001")


def test_a_short_is_liquidated_on_the_way_up_by_the_mark() -> None:
    """A fresh mark decides: prints above it do nothing until it follows."""
    system, venue = build("100.275")
    system.take(mark(50_000.0), trade(50_000.0))
    short = order_request(side=Side.SELL, price="50000", quantity="0.01", stop=None)
    place(system, venue, short)
    system.take(trade(59_900.0, at=START + 1))
    assert len(system.of(OrderFilled)) == 1
    system.take(mark(59_900.0, at=START + 2))
    assert system.recorder.last(OrderFilled).kind is FillKind.LIQUIDATION
    assert venue.account().wallet >= 0


def test_on_bars_the_extreme_counts() -> None:
    """A bar whose low reaches the maintenance margin liquidates, wherever it closes."""
    system, venue = build("100.275")
    system.take(bar(50_000.0), quote(50_000.0, 50_000.0, synthetic=True))
    place(system, venue, order_request(price="50000", quantity="0.01", stop=None))
    system.take(bar(50_000.0, low=40_201.0, at=START + MINUTE))
    assert system.recorder.last(OrderFilled).kind is FillKind.LIQUIDATION


def test_each_strategy_on_that_side_bears_its_share() -> None:
    """The net position is taken from the longs pro rata; the short keeps its own."""
    system, venue = build("500", "20")
    system.take(trade(50_000.0))
    for strategy, side, quantity in (
        ("one", Side.BUY, "0.04"),
        ("two", Side.BUY, "0.02"),
        ("three", Side.SELL, "0.03"),
    ):
        request = order_request(strategy, side, price="50000", quantity=quantity, stop=None)
        place(system, venue, request)
    system.recorder.clear()
    system.take(trade(30_000.0, at=START + 1))
    fills = [(one.strategy, one.quantity) for one in system.of(OrderFilled)]
    assert fills == [("one", D("0.020")), ("two", D("0.010"))]
    assert len({one.fill_id for one in system.of(OrderFilled)}) == 2
    assert venue.account().positions == ()


def test_split_gives_rounding_to_the_largest_share() -> None:
    """Parts are whole lots and add up to the net position."""
    shares = {"a": D("0.003"), "b": D("0.003"), "c": D("0.003"), "d": D("-0.002")}
    parts = split(shares, D("0.007"), btc_perpetual())
    assert [(one.strategy, one.quantity) for one in parts] == [
        ("a", D("0.003")),
        ("b", D("0.002")),
        ("c", D("0.002")),
    ]


def test_coins_keep_a_hedged_short_alive() -> None:
    """A short hedged by coins outlives a rise that would end a bare one."""
    system, venue = build("1100")
    for instrument in (BTC, BTC_SPOT):
        system.take(quote(50_000.0, 50_000.0, instrument=instrument, size=10.0))
    long_spot = order_request(instrument=BTC_SPOT, price="50000", quantity="0.02", stop=None)
    place(system, venue, long_spot)
    short = order_request(side=Side.SELL, price="50000", quantity="0.019", stop=None)
    place(system, venue, short)
    assert len(system.of(OrderFilled)) == 2
    system.take(quote(100_000.0, 100_000.0, instrument=BTC_SPOT, size=10.0, at=START + 1))
    system.take(quote(100_000.0, 100_000.0, size=10.0, at=START + 2))
    assert len(system.of(OrderFilled)) == 2
    system.take(quote(1_000_000.0, 1_000_000.0, size=10.0, at=START + 3))
    assert system.of(OrderFilled)[2].kind is FillKind.LIQUIDATION
    assert venue.account().wallet >= D("-0.01")
