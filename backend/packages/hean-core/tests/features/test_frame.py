from __future__ import annotations

from msgspec.structs import replace

from hean.core.events import BookUpdate, Side
from hean.core.features import FrameBuilder
from hean.core.testing import BTC, START, book, quote, trade


def builder() -> FrameBuilder:
    """Return a builder for ticks of 0.1 and lots of 0.001."""
    return FrameBuilder(1.0 / 0.1, 1.0 / 0.001)


def test_a_second_counts_ticks_half_ticks_and_lots() -> None:
    """A closed row has the last touch, the extremes of the mid and the volume by taker side."""
    made = builder()
    made.add_quote(quote(100.0, 100.1, size=2.0))
    made.add_quote(quote(100.4, 100.5, size=3.0))
    made.add_quote(quote(100.2, 100.3, size=1.5))
    made.add_trade(trade(100.3, 0.012, Side.BUY))
    made.add_trade(trade(100.2, 0.005, Side.SELL))
    row = made.close()
    assert (row.bid, row.ask, row.mid, row.high, row.low) == (1002, 1003, 2005, 2009, 2001)
    assert (row.buy_lots, row.sell_lots, row.trades, row.largest_lots) == (12, 5, 2, 12)
    assert row.traded_ticks == 1003 * 12 + 1002 * 5
    assert row.top_lots == 3000


def test_an_empty_second_carries_the_mid_with_zero_volume() -> None:
    """The second after the last event repeats its mid, without return, volume or flow."""
    made = builder()
    made.add_quote(quote(100.0, 100.1))
    made.add_trade(trade(100.1, 0.1))
    made.close()
    row = made.close()
    assert (row.mid, row.high, row.low, row.return_e9) == (2001, 2001, 2001, 0)
    assert (row.buy_lots, row.trades, row.ofi, row.quotes, row.largest_lots) == (0, 0, 0, 0, 0)


def test_order_flow_imbalance_counts_arrivals_and_departures() -> None:
    """More bid size is positive, a fallen bid loses its queue, a fallen ask brings its own."""
    made = builder()
    made.add_quote(quote(100.0, 100.1, size=2.0))
    made.add_quote(quote(100.0, 100.1, size=3.0))
    assert made.ofi == 1000 - 1000
    made.add_quote(quote(99.9, 100.0, size=5.0))
    assert made.ofi == -3000 - 5000


def test_a_gap_starts_the_touch_anew() -> None:
    """After lost events the first quote adds no imbalance and the book is not ready."""
    made = builder()
    made.add_quote(quote(100.0, 100.1, size=2.0))
    made.add_book(book(100.0, 100.1))
    made.forget_book()
    made.add_quote(quote(105.0, 105.1, size=9.0))
    assert made.ofi == 0
    assert not made.close().book_ready
    made.add_book(book(105.0, 105.1))
    assert made.close().book_ready


def test_an_aggregated_trade_keeps_its_own_volumes() -> None:
    """Of an aggregate both sides' volumes, the count and the largest print are taken as given."""
    made = builder()
    event = trade(100.0, 0.03, Side.BUY)
    made.add_trade(
        type(event)(
            ts_event=START,
            ts_init=START,
            instrument=BTC,
            price=100.0,
            quantity=0.03,
            taker_side=Side.BUY,
            count=4,
            buy_volume=0.02,
            sell_volume=0.01,
            largest=0.015,
        )
    )
    row = made.close()
    assert (row.buy_lots, row.sell_lots, row.trades, row.largest_lots) == (20, 10, 4, 15)


def test_where_only_trades_come_the_mid_is_the_last_trade() -> None:
    """Without quotes and books a trade moves the mid; with quotes it does not."""
    made = builder()
    made.add_trade(trade(100.0, 0.01))
    made.add_trade(trade(100.2, 0.01))
    assert made.close().mid == 2004
    made.add_quote(quote(100.4, 100.5))
    made.add_trade(trade(90.0, 0.01))
    assert made.close().mid == 2009


def test_a_book_is_the_touch_until_quotes_come() -> None:
    """A book's best levels make the mid only where no quote came."""
    made = builder()
    made.add_book(book(100.0, 100.1))
    assert made.close().mid == 2001
    made.add_quote(quote(100.4, 100.5))
    made.add_book(book(90.0, 90.1))
    assert made.close().mid == 2009


def test_a_one_sided_book_is_counted_and_left_alone() -> None:
    """A book without asks changes neither touch nor readiness."""
    made = builder()
    made.add_quote(quote(100.0, 100.1))
    made.add_book(
        BookUpdate(ts_event=START, ts_init=START, instrument=BTC, bids=((100.0, 1.0),), asks=())
    )
    row = made.close()
    assert (row.books, row.book_ready, row.mid, row.depth_lots) == (1, False, 2001, -1)


def test_level_imbalance_weighs_each_level_with_this_start_s_weights() -> None:
    """A second's level flows enter the row by their weights, in thousandths of lots, and once."""
    made = builder()
    made.level_weights = (400, 300, 200, 100, 0)
    made.add_book(book(100.0, 100.1, size=1.0, levels=5))
    assert made.close().ofi_levels == 0
    made.add_book(book(100.0, 100.1, size=3.0, levels=5))
    first = book(100.0, 100.1, size=3.0, levels=5)
    made.add_book(replace(first, bids=((100.0, 3.5), *first.bids[1:])))
    row = made.close()
    assert row.ofi_levels == 400 * 500
    assert made.close().ofi_levels == 0
    assert made.moments.count == 2
    assert made.moments.sums == [500, 0, 0, 0, 0]


def test_touches_are_counted_until_events_are_lost() -> None:
    """A touch after a gap, or from another source, follows none."""
    made = builder()
    made.add_quote(quote(100.0, 100.1, size=2.0))
    made.add_quote(quote(100.1, 100.2, size=2.0))
    assert (sum(made.chain.leave), sum(made.chain.gain)) == (1, 2)
    made.forget_book()
    made.add_quote(quote(100.4, 100.5, size=2.0))
    assert (sum(made.chain.leave), sum(made.chain.gain)) == (1, 2)
