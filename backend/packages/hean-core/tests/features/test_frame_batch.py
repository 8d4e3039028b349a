from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.events import BookUpdate, Quote, Side, Trade
from hean.core.features import FrameBuilder, FrameRow
from hean.core.features.bars import AverageTrueRange, MinuteBars
from hean.core.features.columns import Integers
from hean.core.features.frame_batch import (
    QuoteColumns,
    TradeColumns,
    average_true_range_batch,
    frames_batch,
    level_flow_batch,
    minute_bars_batch,
)
from hean.core.features.touches import PAIRS

SECOND = 1_000_000_000
FIRST = 1_750_032_000
TICK, LOT = 0.1, 0.001

# (milliseconds since the input before, is a quote, ticks or bid, lots, other lots or taker buys)
Input = tuple[int, bool, int, int, int]
INPUTS = st.lists(
    st.tuples(
        st.integers(0, 2600),
        st.booleans(),
        st.integers(-3, 3),
        st.integers(1, 900),
        st.integers(1, 900),
    ),
    min_size=1,
    max_size=60,
)


def columns_of(inputs: list[Input]) -> tuple[QuoteColumns, TradeColumns]:
    """Return inputs as columns, behind a first quote in the first second."""
    quotes: list[tuple[int, ...]] = [(FIRST * SECOND + 7, 60_000, 60_002, 5, 9)]
    trades: list[tuple[int, ...]] = []
    at, bid = quotes[0][0], 60_000
    for gap, is_quote, move, lots, other in inputs:
        at += gap * 1_000_000
        if is_quote:
            bid += move
            quotes.append((at, bid, bid + 1 + lots % 3, lots, other))
        else:
            trades.append((at, bid + move, lots, other % 2))
    empty = [np.zeros(0, dtype=np.int64)] * 4
    found = [np.array(one) for one in zip(*trades, strict=True)] or empty
    return (
        QuoteColumns(*(np.array(one) for one in zip(*quotes, strict=True))),
        TradeColumns(*found),
    )


def events_of(quotes: QuoteColumns, trades: TradeColumns) -> list[Quote | Trade]:
    """Return the same inputs as events by time; at one instant quotes come first."""
    found: list[Quote | Trade] = [
        Quote(
            ts_event=0,
            ts_init=at,
            instrument="X",
            bid=bid * TICK,
            ask=ask * TICK,
            bid_size=bids * LOT,
            ask_size=asks * LOT,
        )
        for at, bid, ask, bids, asks in zip(
            quotes.ts_init.tolist(),
            quotes.bid.tolist(),
            quotes.ask.tolist(),
            quotes.bid_lots.tolist(),
            quotes.ask_lots.tolist(),
            strict=True,
        )
    ]
    found += [
        Trade(
            ts_event=0,
            ts_init=at,
            instrument="X",
            price=ticks * TICK,
            quantity=lots * LOT,
            taker_side=Side.BUY if buys else Side.SELL,
        )
        for at, ticks, lots, buys in zip(
            trades.ts_init.tolist(),
            trades.ticks.tolist(),
            trades.lots.tolist(),
            trades.is_buy.tolist(),
            strict=True,
        )
    ]
    return sorted(found, key=lambda one: one.ts_init)


def rows_of(events: list[Quote | Trade]) -> list[FrameRow]:
    """Return the rows that the live builder closes from events."""
    builder, rows = FrameBuilder(1.0 / TICK, 1.0 / LOT), list[FrameRow]()
    builder.second = events[0].ts_init // SECOND
    for event in events:
        while builder.second < event.ts_init // SECOND:
            rows.append(builder.close())
        if isinstance(event, Quote):
            builder.add_quote(event)
        else:
            builder.add_trade(event)
    return rows


@settings(max_examples=150, deadline=None)
@given(INPUTS)
def test_frames_of_any_inputs_equal_the_live_rows(inputs: list[Input]) -> None:
    """Whatever comes when, empty seconds included, each column has the live rows' integers."""
    quotes, trades = columns_of(inputs)
    rows = rows_of(events_of(quotes, trades))
    if not rows:
        return
    for name, column in frames_batch(quotes, trades).items():
        assert np.array_equal(column, [getattr(row, name) for row in rows]), name


def test_the_last_second_stays_open() -> None:
    """Only seconds that a later input ends are closed, also when that input is a trade."""
    quotes, trades = columns_of([(300, True, 1, 5, 5), (2500, False, 0, 7, 1)])
    found = frames_batch(quotes, trades)
    assert found["second"].tolist() == [FIRST, FIRST + 1]
    assert found["buy_lots"].tolist() == [0, 0]


def test_an_empty_second_carries_the_mid_without_volume_or_flow() -> None:
    """Between two quotes three seconds apart the mid stands still with zero return and flow."""
    quotes, trades = columns_of([(3000, True, 5, 5, 5), (1000, True, 0, 5, 5)])
    found = frames_batch(quotes, trades)
    assert found["mid"].tolist()[:3] == [120_002] * 3
    assert found["return_e9"].tolist()[1:3] == [0, 0]
    assert found["ofi"].tolist()[1:3] == [0, 0]
    assert found["high"].tolist()[1:3] == found["low"].tolist()[1:3] == [120_002] * 2
    assert found["low"].tolist()[3] == 120_002 < found["mid"].tolist()[3]


def seconds(rows: int, first: int, seed: int) -> dict[str, Integers]:
    """Return consecutive seconds with a wandering mid."""
    generator = np.random.default_rng(seed)
    mid = 120_000 + np.cumsum(generator.integers(-9, 10, rows))
    before = np.concatenate((mid[:1], mid[:-1]))
    return {
        "second": first + np.arange(rows),
        "mid": mid,
        "high": np.maximum(mid, before) + generator.integers(0, 4, rows),
        "low": np.minimum(mid, before) - generator.integers(0, 4, rows),
        "buy_lots": generator.integers(0, 50, rows),
        "sell_lots": generator.integers(0, 50, rows),
    }


@settings(max_examples=40, deadline=None)
@given(st.integers(60, 700), st.integers(0, 59), st.integers(0, 999))
def test_minutes_of_any_cut_equal_the_live_bars(rows: int, offset: int, seed: int) -> None:
    """Whole minutes alone become bars, whichever second of a minute comes first."""
    columns = seconds(rows, FIRST + offset, seed)
    bars = MinuteBars()
    found = [
        bars.update(
            FrameRow(
                second, 0, 0, mid, high, low, 0, buys, sells,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, True,
            )
        )
        for second, mid, high, low, buys, sells in zip(
            *(columns[name].tolist() for name in columns), strict=True
        )
    ]  # fmt: skip
    live = [bar for bar in found if bar is not None]
    for name, column in minute_bars_batch(columns).items():
        assert column.tolist() == [getattr(bar, name) for bar in live], name


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(0, 999))
def test_true_ranges_equal_the_live_mean(count: int, seed: int) -> None:
    """ATR is Wilder's mean (1/14, seeded with the first range), NaN for thirteen bars."""
    generator = np.random.default_rng(seed)
    close = 120_000 + np.cumsum(generator.integers(-90, 91, count))
    high, low = close + generator.integers(0, 60, count), close - generator.integers(0, 60, count)
    live, expected = AverageTrueRange(), list[float]()
    for one in zip(high.tolist(), low.tolist(), close.tolist(), strict=True):
        live.update(*one)
        expected.append(live.read())
    batch = average_true_range_batch(high, low, close)
    assert np.array_equal(batch, expected, equal_nan=True)
    assert np.isnan(batch[:13]).all()
    assert not np.isnan(batch[13:]).any()


def test_level_flows_of_sixty_thousand_books_equal_the_live_moments() -> None:
    """Every level's flow over every second is the live integer, and so are sums and products."""
    generator = np.random.default_rng(12)
    images, per_second = 60_000, 20
    shift = np.cumsum(generator.integers(-1, 2, images) * (generator.random(images) < 0.2))
    gaps = np.cumsum(generator.integers(1, 3, (2, images, 5)), axis=2)
    bids, asks = 60_000 + shift[:, None] - gaps[0], 60_000 + shift[:, None] + gaps[1]
    lots = generator.integers(1, 5000, (2, images, 5))
    builder = FrameBuilder(1.0 / TICK, 1.0 / LOT)
    weights = (100, 150, 200, 250, 300)
    builder.level_weights = weights
    rows: list[int] = []
    for place, image in enumerate(
        zip(bids.tolist(), lots[0].tolist(), asks.tolist(), lots[1].tolist(), strict=True)
    ):
        sides = [
            tuple((price * TICK, size * LOT) for price, size in zip(*pair, strict=True))
            for pair in (image[:2], image[2:])
        ]
        builder.add_book(
            BookUpdate(ts_event=0, ts_init=0, instrument="X", bids=sides[0], asks=sides[1])
        )
        if place % per_second == per_second - 1:
            rows.append(builder.close().ofi_levels)
    flow = level_flow_batch(bids, lots[0], is_bid=True)
    flow += level_flow_batch(asks, lots[1], is_bid=False)
    seconds = np.add.reduceat(flow, np.arange(0, images, per_second))
    assert rows == (seconds * np.array(weights)).sum(axis=1).tolist()
    moments = builder.moments
    assert moments.count == images // per_second
    assert moments.sums == seconds.sum(axis=0).tolist()
    assert moments.products == [int((seconds[:, a] * seconds[:, b]).sum()) for a, b in PAIRS]


@pytest.mark.parametrize("cut", [60, 7 * 60, 900 * 60])
def test_minutes_in_chunks_need_one_second_of_overlap(cut: int) -> None:
    """Bars of 60,000 seconds, begun again a second before a minute, are the same bars."""
    columns = seconds(60_000, FIRST, 3)
    late = {name: column[cut - 1 :] for name, column in columns.items()}
    whole, tail = minute_bars_batch(columns), minute_bars_batch(late)
    for name, column in whole.items():
        assert np.array_equal(column[cut // 60 :], tail[name]), name
