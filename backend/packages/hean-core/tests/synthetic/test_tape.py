from __future__ import annotations

import pytest

from hean.core.events import BookUpdate, Quote, Side, Trade
from hean.core.synthetic.paths import walk
from hean.core.synthetic.tape import Second, seconds_of, tick_log
from hean.core.testing import BTC, START, btc_perpetual, sol_perpetual

SECOND = 1_000_000_000


def test_each_second_brings_a_book_its_touch_and_trades() -> None:
    """A book comes first, its best level is the quote, trades follow; all in time order."""
    prices = walk(1, 60, start=60_000.0, sigma_bp=0.9)
    log = tick_log(btc_perpetual(), seconds_of(prices), begin=START, seed=1)
    assert [type(one) for one in log[:3]] == [BookUpdate, Quote, Trade]
    assert [one.ts_init for one in log] == sorted(one.ts_init for one in log)
    assert log[3].ts_init == START + SECOND
    for book, quote, price in zip(log[::3], log[1::3], prices, strict=True):
        assert isinstance(book, BookUpdate)
        assert isinstance(quote, Quote)
        assert (quote.bid, quote.bid_size) == book.bids[0]
        assert (quote.ask, quote.ask_size) == book.asks[0]
        assert abs((quote.bid + quote.ask) / 2.0 - price) <= 0.11
        assert quote.instrument == BTC


def test_prices_and_sizes_are_whole_ticks_and_lots() -> None:
    """At another coin's tick and scale everything still lies on its grid."""
    rules = sol_perpetual()
    log = tick_log(
        rules, seconds_of(walk(2, 50, start=100.0, sigma_bp=2.0)), begin=START, seed=2, spread_bp=6
    )
    for one in log:
        if isinstance(one, Quote):
            assert one.ask - one.bid == pytest.approx(0.06)
            ticks = one.bid / float(rules.tick_size)
            lots = one.bid_size / float(rules.lot_step)
            assert abs(ticks - round(ticks)) < 1e-6
            assert abs(lots - round(lots)) < 1e-6


def test_a_lean_fills_its_side_and_turns_takers() -> None:
    """Leaning to buy, the bid is several times the ask, and takers mostly buy; mirrored to sell."""
    for lean, side in ((1.0, Side.BUY), (-1.0, Side.SELL)):
        seconds = [Second(price=60_000.0, lean=lean)] * 30
        log = tick_log(btc_perpetual(), seconds, begin=START, seed=3)
        quotes = [one for one in log if isinstance(one, Quote)]
        bids, asks = [one.bid_size for one in quotes], [one.ask_size for one in quotes]
        larger, smaller = (bids, asks) if side is Side.BUY else (asks, bids)
        assert min(larger) > max(smaller)
        assert {one.taker_side for one in log if isinstance(one, Trade)} == {side}


def test_volume_is_a_multiple_of_the_usual() -> None:
    """Five times the volume is traded in a second that says so."""

    def traded(volume: float) -> float:
        seconds = [Second(price=60_000.0, volume=volume)]
        (one,) = [
            event
            for event in tick_log(btc_perpetual(), seconds, begin=START, seed=4)
            if isinstance(event, Trade)
        ]
        assert one.buy_volume + one.sell_volume == pytest.approx(one.quantity)
        return one.quantity

    assert traded(5.0) == pytest.approx(5.0 * traded(1.0), rel=0.01)
