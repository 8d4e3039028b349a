"""The batch forms of the exact building blocks: columns in, the live values out, bit for bit.

scipy is imported where it is used, because importing it costs more than a short run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hean.core.features.exact import HOURS_OF_WEEK, NAN, decay

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def filter_batch(
    x: npt.ArrayLike, a: float, b: float, carry: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return s = a·x + b·s over a column; without `carry` s starts at the first value."""
    from scipy.signal import lfilter  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

    column = np.asarray(x, dtype=np.float64)
    start = np.array([b * column[0]]) if carry is None else carry
    result: Any = lfilter([a], [1.0, -b], column, zi=start)
    return result[0], result[1]


def ewma_batch(
    x: npt.ArrayLike, half_life: float, carry: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return the means of `Ewma` over a column, and the carry for the next chunk."""
    a, b = decay(half_life)
    return filter_batch(x, a, b, carry)


def weighted_mean_batch(
    x: npt.ArrayLike, half_life: float, carry: tuple[Floats, Floats] | None = None
) -> tuple[Floats, tuple[Floats, Floats]]:
    """Return the means of `WeightedMean` over a column, and the carry for the next chunk."""
    a, b = decay(half_life)
    column = np.asarray(x, dtype=np.float64)
    empty = np.zeros(1)
    totals, weights = (empty, empty) if carry is None else carry
    total, totals = filter_batch(column, a, b, totals)
    weight, weights = filter_batch(np.ones(len(column)), a, b, weights)
    return total / weight, (totals, weights)


def after(values: Floats, warm_up: int, first: int = 0) -> Floats:
    """Return a copy with NaN before the `warm_up`-th value; `first` rows came earlier."""
    result = np.array(values, dtype=np.float64)
    result[: max(0, warm_up - 1 - first)] = NAN
    return result


def quantised_log_batch(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Integers:
    """Return `quantised_log` of two columns."""
    ratio = np.asarray(numerator, dtype=np.float64) / np.asarray(denominator, dtype=np.float64)
    return np.rint(1e9 * np.log(ratio)).astype(np.int64)


def rolling_sum_batch(x: Integers, n: int) -> Integers:
    """Return the sum of the newest n values for each row, of fewer where fewer came."""
    totals = np.concatenate(([0], np.cumsum(x, dtype=np.int64)))
    rows = np.arange(1, len(x) + 1)
    return totals[rows] - totals[np.maximum(rows - n, 0)]


def rolling_maximum_batch(x: Integers, size: int) -> Integers:
    """Return the largest of the newest `size` values for each row, of fewer where fewer came."""
    low = np.full(size - 1, np.iinfo(np.int64).min)
    padded = np.concatenate((low, x))
    return np.lib.stride_tricks.sliding_window_view(padded, size).max(axis=1)


def _rank_batch(
    base: Integers, places: Integers, edges: Floats, x: Floats
) -> tuple[Floats, Floats]:
    """Return percentiles and totals of rows that are counted one by one onto `base`."""
    hot = np.zeros((len(x), len(base)), dtype=np.int64)
    hot[np.arange(len(x)), places] = 1
    counts = base + np.cumsum(hot, axis=0)
    sums = np.cumsum(counts, axis=1)
    rows = np.arange(len(x))
    inside = counts[rows, places]
    below = sums[rows, places] - inside
    inner = (places > 0) & (places < len(edges))
    low = edges[np.maximum(places - 1, 0)]
    high = edges[np.minimum(places, len(edges) - 1)]
    part = np.full(len(x), 0.5)
    np.divide(x - low, high - low, out=part, where=inner)
    return (below + part * inside) / sums[:, -1], sums[:, -1].astype(np.float64)


def hourly_histogram_batch(
    hours: Integers, x: Floats, edges: tuple[float, ...], ready_after: int
) -> Floats:
    """Return what `HourlyHistogram` answers for each row of two columns, hours ascending."""
    result = np.full(len(x), NAN)
    bounds = np.array(edges)
    places = np.searchsorted(bounds, x, side="right")
    found, starts = np.unique(hours, return_index=True)
    ends = np.append(starts, len(x))[1:]
    per_hour = [
        np.bincount(places[low:high], minlength=len(edges) + 1)
        for low, high in zip(starts, ends, strict=True)
    ]
    for at, hour in enumerate(found):
        base = np.zeros(len(edges) + 1, dtype=np.int64)
        for before in range(at):
            if found[before] > hour - HOURS_OF_WEEK:
                base += per_hour[before]
        rows = slice(starts[at], ends[at])
        ranks, totals = _rank_batch(base, places[rows], bounds, x[rows])
        result[rows] = np.where(totals >= ready_after, ranks, NAN)
    return result


def hour_of_week_histogram_batch(
    hours: Integers, x: Floats, edges: tuple[float, ...], ready_after: int
) -> Floats:
    """Return what `HourOfWeekHistogram` answers for each row of two columns, hours ascending."""
    result = np.full(len(x), NAN)
    bounds = np.array(edges)
    places = np.searchsorted(bounds, x, side="right")
    slots = np.zeros((HOURS_OF_WEEK, len(edges) + 1), dtype=np.int64)
    found, starts = np.unique(hours, return_index=True)
    ends = np.append(starts, len(x))[1:]
    for at, hour in enumerate(found):
        slot = slots[hour % HOURS_OF_WEEK]
        slot >>= 1
        rows = slice(starts[at], ends[at])
        if at >= ready_after:
            result[rows] = _rank_batch(slot, places[rows], bounds, x[rows])[0]
        slot += np.bincount(places[rows], minlength=len(edges) + 1)
    return result
