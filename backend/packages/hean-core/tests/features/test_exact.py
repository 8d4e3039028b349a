from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.features import (
    Ewma,
    HourlyHistogram,
    HourOfWeekHistogram,
    RollingMaximum,
    RollingSum,
    WeightedMean,
    quantised_log,
)
from hean.core.features.columns import (
    ewma_batch,
    hour_of_week_histogram_batch,
    hourly_histogram_batch,
    quantised_log_batch,
    rolling_maximum_batch,
    rolling_sum_batch,
    weighted_mean_batch,
)
from hean.core.features.exact import decay, log_edges, shannon_entropy
from hean.core.features.volatility import SIGMA_EDGES

ROWS = 100_000


def walk(seed: int, rows: int = ROWS) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return seeded integers of mixed sign and size, with zeros."""
    generator = np.random.default_rng(seed)
    return np.rint(generator.standard_t(3, rows) * 1000 * generator.integers(0, 3, rows)).astype(
        np.int64
    )


@pytest.mark.parametrize("half_life", [1.0, 60.0, 900.0, 14_400.0])
def test_ewma_equals_its_batch_form(half_life: float) -> None:
    """The live mean has every bit of the column, in one piece and in chunks with a carry."""
    column = walk(1) ** 2
    live = Ewma.of(half_life)
    expected = np.array([live.update(x) for x in column.tolist()])
    whole, _ = ewma_batch(column, half_life)
    head, carry = ewma_batch(column[:777], half_life)
    tail, _ = ewma_batch(column[777:], half_life, carry)
    assert np.array_equal(whole, expected)
    assert np.array_equal(np.concatenate((head, tail)), expected)


@pytest.mark.parametrize("half_life", [10.0, 3600.0])
def test_weighted_mean_equals_its_batch_form(half_life: float) -> None:
    """The mean that starts empty has every bit of the column, whole and in chunks."""
    column = walk(2) ** 2
    live = WeightedMean.of(half_life)
    expected = np.array([live.update(x) for x in column.tolist()])
    whole, _ = weighted_mean_batch(column, half_life)
    head, carry = weighted_mean_batch(column[:50_001], half_life)
    tail, _ = weighted_mean_batch(column[50_001:], half_life, carry)
    assert np.array_equal(whole, expected)
    assert np.array_equal(np.concatenate((head, tail)), expected)


def test_a_weighted_mean_owes_nothing_to_its_first_value() -> None:
    """After one half-life of equal values behind an outlier the mean is near its plain average."""
    live = WeightedMean.of(100.0)
    value = 0.0
    for x in [100.0, *[1.0] * 99]:
        value = live.update(x)
    assert value < 1.0 + 100.0 / 100


def test_an_ewma_is_ready_after_one_half_life() -> None:
    """The mean reads NaN until as many values came as its half-life counts."""
    live = Ewma.of(3.0)
    seen: list[float] = []
    for x in (1.0, 1.0, 1.0):
        live.update(x)
        seen.append(live.read())
    assert [math.isnan(one) for one in seen] == [True, True, False]


def test_half_the_weight_is_gone_after_a_half_life() -> None:
    """The decay of one half-life is one half."""
    assert decay(37.0)[1] ** 37 == pytest.approx(0.5, abs=1e-12)


def test_quantised_logs_are_equal_in_math_and_numpy() -> None:
    """A million log returns are the same integers from both libraries."""
    generator = np.random.default_rng(3)
    mids = 1_200_000 + np.cumsum(generator.integers(-9, 10, 1_000_001))
    live = [quantised_log(b, a) for a, b in zip(mids[:-1].tolist(), mids[1:].tolist(), strict=True)]
    assert np.array_equal(quantised_log_batch(mids[1:], mids[:-1]), live)


@pytest.mark.parametrize("n", [1, 30, 3600])
def test_rolling_sums_and_maxima_equal_their_batch_forms(n: int) -> None:
    """Windowed sums and extremes are the integers of the column form."""
    column = walk(4, 60_000)
    sums, highest = RollingSum.of(3600), RollingMaximum(n)
    live_sums, live_highest = list[int](), list[int]()
    for x in column.tolist():
        sums.push(x)
        live_sums.append(sums.over(n))
        live_highest.append(highest.push(x))
    assert np.array_equal(rolling_sum_batch(column, n), live_sums)
    assert np.array_equal(rolling_maximum_batch(column, n), live_highest)


def test_a_rolling_sum_survives_its_rebase() -> None:
    """Totals beyond 2^61 are moved down without changing any window."""
    sums = RollingSum.of(8)
    for _ in range(20):
        sums.push(1 << 59)
    assert sums.over(8) == 8 << 59
    assert abs(sums.total) <= 1 << 61


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=80), st.integers(1, 20))
@settings(max_examples=80, deadline=None)
def test_the_monotone_queue_is_the_plain_maximum(values: list[int], size: int) -> None:
    """After each value the queue answers the maximum of the newest `size`."""
    queue = RollingMaximum(size)
    for place, x in enumerate(values):
        assert queue.push(x) == max(values[max(0, place + 1 - size) : place + 1])


def histogram_rows() -> tuple[list[int], list[float]]:
    """Return nine days of hours with a hole, 300 values each, and log-normal values."""
    generator = np.random.default_rng(5)
    hours = [hour for hour in range(500, 720) if not 560 < hour < 575 for _ in range(300)]
    return hours, (1e-4 * np.exp(generator.normal(0.0, 0.7, len(hours)))).tolist()


def test_hourly_histogram_equals_its_batch_form() -> None:
    """Percentiles of nine days with a hole in them are the bits of the column form."""
    hours, values = histogram_rows()
    live = HourlyHistogram.of(SIGMA_EDGES, 7200)
    expected = [live.update(hour, x) for hour, x in zip(hours, values, strict=True)]
    batch = hourly_histogram_batch(np.array(hours), np.array(values), SIGMA_EDGES, 7200)
    assert len(values) > 50_000
    assert np.array_equal(batch, expected, equal_nan=True)


def test_hour_of_week_histogram_equals_its_batch_form() -> None:
    """Percentiles by hour of week, with a week before, are the bits of the column form."""
    hours, values = histogram_rows()
    live = HourOfWeekHistogram.of(SIGMA_EDGES, 100)
    expected = [live.update(hour, x) for hour, x in zip(hours, values, strict=True)]
    batch = hour_of_week_histogram_batch(np.array(hours), np.array(values), SIGMA_EDGES, 100)
    assert np.array_equal(batch, expected, equal_nan=True)


def test_percentiles_are_near_the_true_ranks() -> None:
    """Of log-normal values the histogram's percentile is within two points of the exact rank."""
    generator = np.random.default_rng(6)
    values = 1e-4 * np.exp(generator.normal(0.0, 0.4, 20_000))
    live = HourlyHistogram.of(SIGMA_EDGES, 1)
    for x in values.tolist():
        live.update(1, x)
    for x in np.quantile(values, [0.1, 0.35, 0.5, 0.9]).tolist():
        exact = np.count_nonzero(values < x) / len(values)
        assert live.update(1, x) == pytest.approx(exact, abs=0.02)


def test_values_leave_the_histogram_after_seven_days() -> None:
    """What was counted 168 hours ago no longer counts, also when hours were skipped."""
    live = HourlyHistogram.of(SIGMA_EDGES, 1)
    for _ in range(10):
        live.update(100, 1e-4)
    live.update(267, 1e-3)
    assert live.total == 11
    live.update(268, 1e-3)
    assert live.total == 2


def test_log_edges_rise_over_the_whole_range() -> None:
    """63 edges rise strictly from the lower to the upper bound."""
    edges = log_edges(1e-6, 4e-3)
    assert len(edges) == 63
    assert all(a < b for a, b in pairwise(edges))
    assert (edges[0], edges[-1]) == (1e-6, pytest.approx(4e-3))


def test_entropy_is_one_for_equal_cells_and_zero_for_one() -> None:
    """Entropy spans 0 (all in one cell) to 1 (evenly spread)."""
    assert shannon_entropy([5] * 60) == 1.0
    assert shannon_entropy([0] * 59 + [9]) == 0.0
    assert shannon_entropy([0] * 60) == 0.0
