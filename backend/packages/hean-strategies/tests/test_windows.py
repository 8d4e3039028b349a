from __future__ import annotations

from itertools import pairwise
from math import log, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.strategies.windows import Average, Range, ReturnWindow, decay


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(10.0, 1000.0), min_size=8, max_size=60))
def test_rolling_sums_equal_the_sums_of_their_windows(prices: list[float]) -> None:
    """Sums kept by difference equal those computed from scratch, exactly."""
    window = ReturnWindow.of(3, 5)
    for price in prices:
        window.push(price)
    returns = [round(1e9 * log(b / a)) for a, b in pairwise(prices)]
    for index, length in enumerate((3, 5)):
        last = returns[-length:]
        total, square = 0, 0
        for one in last:
            total, square = total + one, square + one * one
        assert window.sums[index] == total
        assert window.squares[index] == square
        assert window.zeta(index) == (total / sqrt(square) if square else 0.0)


def test_a_window_is_unknown_until_it_is_full() -> None:
    """Trend and deviation are NaN one sample early."""
    window = ReturnWindow.of(2)
    for price in (1.0, 2.0):
        window.push(price)
    assert window.zeta(0) != window.zeta(0)
    assert not window.ready(0)
    window.push(4.0)
    assert window.zeta(0) == pytest.approx(sqrt(2.0))
    assert window.total(0) == pytest.approx(2.0 * log(2.0), abs=1e-8)


def test_coarse_bars_come_from_fine_ones() -> None:
    """Three fine bars make one coarse bar with their high and low; the next starts afresh."""
    span = Range(span_ns=3, depth=2)
    assert not span.push(5.0, 3.0, 4.0, 1)
    assert not span.push(9.0, 4.0, 8.0, 2)
    assert span.push(8.0, 2.0, 3.0, 3)
    assert (span.highest, span.lowest, span.atr) == (9.0, 2.0, 7.0)
    assert span.push(4.0, 3.0, 4.0, 6)
    assert (span.bars, span.highest) == (2, 9.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3)), min_size=1, max_size=40))
def test_the_look_back_is_that_of_the_newest_coarse_bars(bars: list[tuple[int, int]]) -> None:
    """Highest and lowest are those of the last five coarse bars, ties and leavers included."""
    span = Range(span_ns=1, depth=5)
    for number, (low, height) in enumerate(bars, start=1):
        span.push(float(low + height), float(low), float(low), number)
        newest = bars[max(0, number - 5) : number]
        assert span.highest == max(low + height for low, height in newest)
        assert span.lowest == min(low for low, _ in newest)


def test_the_true_range_sees_the_jump_between_bars() -> None:
    """A bar far from the close before counts its distance, smoothed with 1/14."""
    span = Range(span_ns=1, depth=1)
    span.push(2.0, 1.0, 1.0, 1)
    span.push(12.0, 11.0, 11.0, 2)
    assert span.atr == pytest.approx((11.0 + 13.0 * 1.0) / 14.0)


def test_a_half_life_halves() -> None:
    """After a half-life of zeros an average of one has become one half."""
    average = Average(half_life=4.0)
    average.push(1.0)
    for _ in range(4):
        average.push(0.0)
    assert average.mean == pytest.approx(0.5)
    assert average.deviation == pytest.approx(0.5)
    assert decay(1.0) == 0.5
