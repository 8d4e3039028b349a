from __future__ import annotations

import numpy as np
import pytest

from hean.core.errors import DataError
from hean.core.features import (
    AverageTrueRange,
    Donchian,
    MinuteBars,
    QuarterBars,
    TradeBars,
    WholeBar,
)
from hean.core.features.bars import QUARTER_NS
from hean.core.features.frame import FrameRow
from hean.core.features.frame_batch import average_true_range_batch, donchian_batch

MINUTE_NS = 60_000_000_000


def row(second: int, mid: int) -> FrameRow:
    """Return a quiet second with this closing mid."""
    return FrameRow(
        second,
        mid // 2,
        mid - mid // 2,
        mid,
        mid,
        mid,
        0,
        2,
        1,
        3,
        2,
        0,
        0,
        0,
        2,
        -1,
        1,
        0,
        0,
        False,
    )


def test_a_minute_seen_in_part_gives_no_bar() -> None:
    """The first bar is that of the first minute seen from its first second."""
    bars = MinuteBars()
    found = [bars.update(row(second, 1000 + second)) for second in range(30, 180)]
    closed = [one for one in found if one is not None]
    assert [one.start for one in closed] == [1, 2]
    assert (closed[0].open, closed[0].close) == (1059, 1119)
    assert (closed[0].lots, closed[0].delta) == (180, 60)


def test_wilders_range_equals_its_batch_form() -> None:
    """The ATR of 50,000 bars has every bit of the column form."""
    generator = np.random.default_rng(1)
    close = 1_000_000 + np.cumsum(generator.integers(-90, 91, 50_000))
    high, low = close + generator.integers(0, 90, 50_000), close - generator.integers(0, 90, 50_000)
    live = AverageTrueRange()
    expected = [
        live.update(*one) for one in zip(high.tolist(), low.tolist(), close.tolist(), strict=True)
    ]
    assert np.array_equal(average_true_range_batch(high, low, close), expected, equal_nan=True)
    assert np.isnan(expected[12])
    assert not np.isnan(expected[13])


def test_donchian_holds_the_extremes_of_its_bars() -> None:
    """The channel is that of the newest three bars, and a close is located inside it."""
    channel = Donchian.of(3)
    for high, low in ((110, 90), (105, 100), (108, 101), (106, 102)):
        channel.update(high, low)
    assert channel.ready
    assert (channel.high, channel.low) == (108, 100)
    assert channel.location(106) == 0.75


@pytest.mark.parametrize("bars", [20, 96])
def test_the_channel_and_the_place_in_it_equal_their_batch_forms(bars: int) -> None:
    """Over 60,000 bars high, low and location have every bit of their columns."""
    generator = np.random.default_rng(14)
    close = 120_000 + np.cumsum(generator.integers(-9, 10, 60_000))
    high, low = close + generator.integers(0, 9, 60_000), close - generator.integers(0, 9, 60_000)
    high[1000:1200], low[1000:1200], close[1000:1200] = 5000, 5000, 5000
    channel, live = Donchian.of(bars), list[tuple[float, float, float]]()
    for one in zip(high.tolist(), low.tolist(), close.tolist(), strict=True):
        channel.update(*one[:2])
        live.append((channel.high, channel.low, channel.location(one[2])))
    found = np.stack(donchian_batch(high, low, close, bars), axis=1)
    assert np.array_equal(found, live)


def test_bars_join_to_whole_quarters() -> None:
    """Three five-minute bars make a quarter; one with a hole or a missed beginning makes none."""
    quarters = QuarterBars()
    step = QUARTER_NS // 3

    def add(place: int, close: int) -> WholeBar | None:
        bar = WholeBar(place, close - 1, close + 5, close - 5, close, 2, 1)
        return quarters.update(place * step, step, bar)

    assert [add(place, 100 + place) for place in (1, 2)] == [None, None]
    assert [add(place, 100 + place) for place in (3, 4)] == [None, None]
    assert add(5, 105) == WholeBar(1, 102, 110, 98, 105, 6, 3)
    assert [add(place, 100) for place in (6, 8, 9, 10)] == [None] * 4
    assert quarters.update(0, 4 * QUARTER_NS, WholeBar(0, 1, 1, 1, 1, 1, 0)) is None


def test_trade_bars_close_with_the_first_later_trade() -> None:
    """A trade of the next minute closes the bar; a minute without trades gives none."""
    bars = TradeBars(MINUTE_NS)
    for second, ticks in ((1, 100), (20, 103), (59, 99)):
        assert bars.add(second * 1_000_000_000, ticks, 10, is_buy=ticks > 99) is None
    assert bars.add(181 * 1_000_000_000, 101, 5, is_buy=False) == WholeBar(
        0, 100, 103, 99, 99, 30, 10
    )
    assert bars.flush() == WholeBar(3, 101, 101, 101, 101, 5, -5)
    assert bars.flush() is None


def test_a_trade_of_a_closed_bar_is_an_error() -> None:
    """A trade older than the open bar is refused with its time."""
    bars = TradeBars(MINUTE_NS)
    bars.add(5 * MINUTE_NS, 100, 1, is_buy=True)
    with pytest.raises(DataError, match="older than the open bar"):
        bars.add(4 * MINUTE_NS, 100, 1, is_buy=True)
