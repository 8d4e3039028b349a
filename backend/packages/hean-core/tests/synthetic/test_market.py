from decimal import Decimal

import msgspec

from hean.core.events import BookUpdate, Event, FundingRate, MarkPrice, Quote, Side, Trade
from hean.core.synthetic.market import (
    DAY_NS,
    MINUTE_NS,
    SECOND_NS,
    Coin,
    MarketState,
    SimulatedMarket,
)
from hean.core.testing import btc_perpetual, btc_spot

START = 1_704_110_400_000_000_000


def _coin() -> Coin:
    return Coin(
        perpetual=btc_perpetual(),
        spot=btc_spot(),
        price=43_000.0,
        sigma=0.4e-4,
        beta=1.0,
        depth=2500,
        spread_ticks=1,
        trades=2.0,
    )


def _seconds(market: SimulatedMarket, count: int) -> list[Event]:
    return [event for second in range(count) for event in market.second(START + second * SECOND_NS)]


def test_the_same_seed_gives_the_same_events_and_another_seed_others() -> None:
    """The market is a function of seed and kernel time."""
    runs = [_seconds(SimulatedMarket((_coin(),), seed), 30) for seed in (5, 5, 6)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_events_come_in_time_order_inside_their_second() -> None:
    """No event of a second lies before it or after it."""
    market = SimulatedMarket((_coin(),), 1)
    for second in range(120):
        start = START + second * SECOND_NS
        times = [event.ts_init for event in market.second(start)]
        assert times == sorted(times)
        assert all(start <= time < start + SECOND_NS for time in times)


def test_quotes_are_the_top_of_the_book_and_trades_print_at_the_touch() -> None:
    """A quote repeats its book's best levels; a taker buys at the ask and sells at the bid."""
    best: tuple[float, float] = (0.0, 0.0)
    symbol = btc_perpetual().id
    for event in _seconds(SimulatedMarket((_coin(),), 2), 120):
        match event:
            case BookUpdate(instrument=name) if name == symbol:
                best = (event.bids[0][0], event.asks[0][0])
            case Quote(instrument=name) if name == symbol:
                assert (event.bid, event.ask) == best
            case Trade(instrument=name) if name == symbol:
                assert event.price == best[1 if event.taker_side is Side.BUY else 0]
            case _:
                pass


def test_prices_and_sizes_lie_on_the_instrument_grid() -> None:
    """Every traded price is a whole number of ticks and every size of lots."""
    for event in _seconds(SimulatedMarket((_coin(),), 3), 60):
        if isinstance(event, Trade) and event.instrument == btc_perpetual().id:
            assert Decimal(repr(event.price)) % btc_perpetual().tick_size == 0
            assert Decimal(repr(event.quantity)) % btc_perpetual().lot_step == 0


def test_a_remembered_state_goes_on_with_the_same_events() -> None:
    """State encoded between two seconds and restored elsewhere continues bit for bit."""
    market = SimulatedMarket((_coin(),), 4)
    _seconds(market, 20)
    remembered = msgspec.msgpack.decode(msgspec.msgpack.encode(market.state), type=MarketState)
    twin = SimulatedMarket((_coin(),), 4)
    twin.restore(remembered)
    following = START + 20 * SECOND_NS
    assert twin.second(following) == market.second(following)


def test_funding_is_settled_at_the_stamp() -> None:
    """The first event at 16:00 UTC is the settled rate, and the next stamp is eight hours on."""
    market = SimulatedMarket((_coin(),), 1)
    stamp = START + 4 * 3600 * SECOND_NS
    first = market.second(stamp)[0]
    assert isinstance(first, FundingRate)
    assert first.settled
    assert first.ts_event == stamp
    assert first.next_funding_time == stamp + 8 * 3600 * SECOND_NS


def test_a_minute_of_history_has_one_bar_an_instrument() -> None:
    """History comes as minute bars whose close is the mark's neighbour, with marks and funding."""
    market = SimulatedMarket((_coin(),), 1)
    events = market.minute(START - DAY_NS)
    bars = [event for event in events if type(event).__name__ == "Bar"]
    marks = [event for event in events if isinstance(event, MarkPrice)]
    assert {bar.ts_init for bar in bars} == {START - DAY_NS + MINUTE_NS}
    assert len(bars) == 2
    assert len(marks) == 1
