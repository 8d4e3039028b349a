from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.features.columns import (
    Floats,
    Integers,
    after,
    ewma_batch,
    filter_batch,
    hour_of_week_histogram_batch,
    hourly_histogram_batch,
    quantised_log_batch,
    rolling_maximum_batch,
    rolling_sum_batch,
    weighted_mean_batch,
)
from hean.core.features.exact import (
    Ewma,
    HourlyHistogram,
    HourOfWeekHistogram,
    RollingMaximum,
    RollingSum,
    WeightedMean,
    log_edges,
    quantised_log,
)

EDGES = log_edges(1.0, 100.0, 16)
VALUES = st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=120)
HALF_LIVES = st.sampled_from([1.0, 2.5, 60.0, 3600.0])


def column(values: list[int]) -> Integers:
    """Return integers as a column."""
    return np.array(values, dtype=np.int64)


@settings(max_examples=50, deadline=None)
@given(VALUES, HALF_LIVES, st.integers(0, 120))
def test_chunks_with_a_carry_are_the_live_means(
    values: list[int], half_life: float, cut: int
) -> None:
    """Both kinds of mean have the live bits however the column is cut in two."""
    ewma, weighted = Ewma.of(half_life), WeightedMean.of(half_life)
    first = [ewma.update(x) for x in values]
    second = [weighted.update(x) for x in values]
    assert np.array_equal(ewma_batch(column(values), half_life)[0], first)
    assert np.array_equal(weighted_mean_batch(column(values), half_life)[0], second)
    cut = cut % len(values)
    if cut:
        head, tail = column(values[:cut]), column(values[cut:])
        left, carry = ewma_batch(head, half_life)
        right, _ = ewma_batch(tail, half_life, carry)
        assert np.array_equal(np.concatenate((left, right)), first)
        left, pair = weighted_mean_batch(head, half_life)
        right, _ = weighted_mean_batch(tail, half_life, pair)
        assert np.array_equal(np.concatenate((left, right)), second)


def test_a_filter_starts_at_its_first_value() -> None:
    """Without a carry s is x from the first row on when x is constant; with one it decays to x."""
    found, carry = filter_batch([8.0, 8.0, 8.0], 0.25, 0.75)
    assert found.tolist() == [8.0, 8.0, 8.0]
    assert filter_batch([0.0], 0.25, 0.75, carry)[0].tolist() == [6.0]


@given(st.integers(1, 12), st.integers(0, 12), st.integers(1, 12))
def test_after_hides_what_is_warming_up(warm_up: int, first: int, rows: int) -> None:
    """NaN stands before the warm-up-th value, counting rows that came earlier, in a copy."""
    values = np.arange(rows, dtype=np.float64)
    found = after(values, warm_up, first)
    for at, one in enumerate(found.tolist()):
        assert math.isnan(one) is (first + at + 1 < warm_up)
    assert values.tolist() == list(range(rows))


@settings(max_examples=80, deadline=None)
@given(VALUES, st.integers(1, 40))
def test_rolling_columns_are_the_plain_windows(values: list[int], n: int) -> None:
    """Each row is the sum and the maximum of its newest n values, or of fewer at the start."""
    windows = [values[max(0, at + 1 - n) : at + 1] for at in range(len(values))]
    assert rolling_sum_batch(column(values), n).tolist() == [sum(one) for one in windows]
    assert rolling_maximum_batch(column(values), n).tolist() == [max(one) for one in windows]
    sums, highest = RollingSum.of(40), RollingMaximum(n)
    for one, window in zip(values, windows, strict=True):
        sums.push(one)
        assert highest.push(one) == max(window)
        if len(window) == n:
            assert sums.over(n) == sum(window)


@given(st.lists(st.integers(1, 2**40), min_size=2, max_size=60))
def test_quantised_logs_are_those_of_the_live_form(mids: list[int]) -> None:
    """Numpy's logs, quantised, are the integers of math's, whatever the ratio."""
    live = [quantised_log(b, a) for a, b in pairwise(mids)]
    assert np.array_equal(quantised_log_batch(mids[1:], mids[:-1]), live)


HOURS = st.lists(st.tuples(st.integers(0, 90), st.integers(1, 20)), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(HOURS, st.integers(0, 30), st.integers(0, 99))
def test_histograms_are_the_live_ones_over_any_holes(
    gaps: list[tuple[int, int]], ready_after: int, seed: int
) -> None:
    """Percentiles by the last week and by hour of week equal the live bits, holes included."""
    hours: list[int] = []
    hour = 1000
    for gap, rows in gaps:
        hour += gap + 1
        hours += [hour] * rows
    generator = np.random.default_rng(seed)
    values = np.exp(generator.normal(2.0, 1.5, len(hours)))
    week = HourlyHistogram.of(EDGES, ready_after)
    slots = HourOfWeekHistogram.of(EDGES, 2)
    live = [week.update(at, x) for at, x in zip(hours, values.tolist(), strict=True)]
    usual = [slots.update(at, x) for at, x in zip(hours, values.tolist(), strict=True)]
    batch = hourly_histogram_batch(column(hours), values, EDGES, ready_after)
    assert np.array_equal(batch, live, equal_nan=True)
    batch = hour_of_week_histogram_batch(column(hours), values, EDGES, 2)
    assert np.array_equal(batch, usual, equal_nan=True)


def test_values_outside_the_edges_take_the_middle_of_the_open_bins() -> None:
    """A lone value below or above all edges is its own median, as is one just on the lowest."""
    for value in (0.5, 1_000.0):
        hours, values = column([7]), np.array([value])
        assert hourly_histogram_batch(hours, values, EDGES, 1).tolist() == [0.5]
    low = hourly_histogram_batch(column([7]), np.array([EDGES[0]]), EDGES, 1)
    assert low.tolist() == [0.0]


@pytest.mark.parametrize("rows", [1, 59, 60])
def test_a_short_column_is_no_special_case(rows: int) -> None:
    """Fewer rows than the window give sums of what there is."""
    ones = np.ones(rows, dtype=np.int64)
    assert rolling_sum_batch(ones, 60).tolist() == list(range(1, rows + 1))
    assert rolling_maximum_batch(ones, 60).tolist() == [1] * rows


def test_nothing_in_is_nothing_out() -> None:
    """Columns without a row have percentiles without a row."""
    hours, none = column([]), np.zeros(0)
    assert len(hourly_histogram_batch(hours, none, EDGES, 1)) == 0
    assert len(hour_of_week_histogram_batch(hours, none, EDGES, 1)) == 0


LONG = 60_000


@pytest.mark.parametrize("cut", [3601, 7_000, LONG - 1])
def test_windows_in_chunks_need_one_window_of_overlap(cut: int) -> None:
    """Sums and maxima of 60,000 rows, begun a window before a cut, are the same integers."""
    x = np.random.default_rng(cut).integers(-(10**9), 10**9, LONG)
    for n in (30, 60, 3600):
        late = slice(cut - n, None)
        for whole in (rolling_sum_batch, rolling_maximum_batch):
            assert np.array_equal(whole(x, n)[cut:], whole(x[late], n)[n:])


def test_percentiles_in_chunks_need_a_week_of_overlap() -> None:
    """Over 60,000 rows of 500 hours a tail with the week before it has the same percentiles."""
    generator = np.random.default_rng(8)
    hours = 1000 + np.arange(LONG) // 120
    values = np.exp(generator.normal(2.0, 1.5, LONG))
    whole = hourly_histogram_batch(hours, values, EDGES, 100)
    cut = 30_000
    begin = int(np.count_nonzero(hours < int(hours[cut]) - 168))
    tail = hourly_histogram_batch(hours[begin:], values[begin:], EDGES, 100)[cut - begin :]
    assert np.array_equal(whole[cut:], tail)
    assert not np.isnan(tail).any()


def test_means_in_many_chunks_are_those_of_the_whole() -> None:
    """A million rows in chunks of 65,536 with the carry give every bit of the unbroken column."""
    x = np.random.default_rng(9).integers(0, 10**12, 1_000_000)
    for half_life in (60.0, 3600.0):
        carry, pair = None, None
        parts: list[Floats] = []
        weighted: list[Floats] = []
        for start in range(0, len(x), 65_536):
            part, carry = ewma_batch(x[start : start + 65_536], half_life, carry)
            parts.append(part)
            part, pair = weighted_mean_batch(x[start : start + 65_536], half_life, pair)
            weighted.append(part)
        assert np.array_equal(np.concatenate(parts), ewma_batch(x, half_life)[0])
        assert np.array_equal(np.concatenate(weighted), weighted_mean_batch(x, half_life)[0])
