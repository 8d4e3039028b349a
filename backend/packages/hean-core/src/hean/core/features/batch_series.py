"""The batch forms of volatility, trend, spread and pair sums over columns of rows."""

from __future__ import annotations

import numpy as np

from hean.core.features.book import (
    DEVIATION_HALF_LIFE,
    IMBALANCE_BUCKETS,
    LEARNT_HOURS,
    SPREAD_EDGES,
    SPREAD_HALF_LIFE,
    MicroPriceTable,
)
from hean.core.features.columns import (
    Floats,
    Integers,
    after,
    ewma_batch,
    hour_of_week_histogram_batch,
    hourly_histogram_batch,
    rolling_maximum_batch,
    rolling_sum_batch,
    weighted_mean_batch,
)
from hean.core.features.exact import NAN
from hean.core.features.pairs import LOG_UNIT
from hean.core.features.trend import (
    IMPULSE_WINDOW,
    MOST_STEP,
    RANGE_WINDOW,
    REVERSION_HALF_LIFE,
    REVERSION_STEP,
    STEP,
    ZETA_WINDOWS,
    half_life_of,
)
from hean.core.features.volatility import (
    FAST_HALF_LIFE,
    HALF_PI,
    MEDIUM_HALF_LIFE,
    PERCENTILE_READY,
    SIGMA_EDGES,
    SLOW_HALF_LIFE,
    UNIT,
)


def volatility_batch(second: Integers, return_e9: Integers) -> dict[str, Floats]:
    """Return the columns of `Volatility`."""
    square = return_e9 * return_e9
    fast = ewma_batch(square, FAST_HALF_LIFE)[0]
    slow = weighted_mean_batch(square, SLOW_HALF_LIFE)[0]
    medium = UNIT * np.sqrt(ewma_batch(square, MEDIUM_HALF_LIFE)[0])
    size = np.abs(return_e9)
    product = np.concatenate(([0.0], ewma_batch(size[1:] * size[:-1], FAST_HALF_LIFE)[0]))
    share = np.zeros(len(size))
    np.divide(HALF_PI * product, fast, out=share, where=fast > 0.0)
    share = np.where(fast > 0.0, np.maximum(0.0, 1.0 - share), 0.0)
    ready = int(MEDIUM_HALF_LIFE) - 1
    percentile = np.full(len(size), NAN)
    percentile[ready:] = hourly_histogram_batch(
        second[ready:] // 3600, medium[ready:], SIGMA_EDGES, PERCENTILE_READY
    )
    return {
        "sigma_fast": after(UNIT * np.sqrt(fast), int(FAST_HALF_LIFE)),
        "sigma_slow": after(UNIT * np.sqrt(slow), int(SLOW_HALF_LIFE)),
        "sigma_percentile": percentile,
        "jump_share": after(share, int(FAST_HALF_LIFE) + 1),
    }


def _times_step(total: Integers) -> Floats:
    """Return STEP*total; in integers of any length where a crash would leave 64 bits."""
    if total.max(initial=0) <= (1 << 63) // STEP - 1:
        return (STEP * total).astype(np.float64)
    return np.array([float(STEP * one) for one in total.tolist()])


def trend_batch(return_e9: Integers, sigma_slow: Floats) -> dict[str, Floats]:
    """Return the columns of `Trend`."""

    def divide(numerator: Floats, denominator: Floats, empty: float) -> Floats:
        result = np.full(len(numerator), empty)
        np.divide(numerator, denominator, out=result, where=denominator > 0.0)
        return result

    square = return_e9 * return_e9
    columns: dict[str, Floats] = {}
    for n in ZETA_WINDOWS:
        sums = rolling_sum_batch(return_e9, n).astype(np.float64)
        roots = np.sqrt(rolling_sum_batch(square, n))
        columns[f"zeta_{n}"] = after(divide(sums, roots, 0.0), n)
    path = np.concatenate(([0], np.cumsum(return_e9)))
    width = rolling_maximum_batch(path, RANGE_WINDOW + 1) + rolling_maximum_batch(
        -path, RANGE_WINDOW + 1
    )
    total = rolling_sum_batch(square, RANGE_WINDOW)
    columns["range_ratio"] = after(
        divide(width[1:].astype(np.float64), np.sqrt(total), 0.0), RANGE_WINDOW
    )
    step = np.clip(rolling_sum_batch(return_e9, STEP), -MOST_STEP, MOST_STEP)
    step[: STEP - 1] = 0
    steps = rolling_sum_batch(step * step, RANGE_WINDOW).astype(np.float64)
    columns["variance_ratio"] = after(
        divide(steps, _times_step(total), 1.0), RANGE_WINDOW + STEP - 1
    )
    size = np.abs(rolling_sum_batch(return_e9, IMPULSE_WINDOW)) * 1e-9
    z = np.array(sigma_slow)
    np.divide(size, sigma_slow * IMPULSE_WINDOW**0.5, out=z, where=sigma_slow > 0.0)
    columns["z_30"] = z
    return columns


def reversion_batch(second: Integers, return_e9: Integers) -> Floats:
    """Return the column of `Reversion.half_life`, sampled at each tenth second."""
    path = np.cumsum(return_e9)
    at = np.flatnonzero(second % REVERSION_STEP == REVERSION_STEP - 1)
    now = path[at].astype(np.float64)
    before = np.concatenate(([0.0], now[:-1]))
    moments = [
        weighted_mean_batch(one, REVERSION_HALF_LIFE)[0].tolist()
        for one in (before, now, before * before, before * now)
    ]
    sampled = np.array([half_life_of(*row) for row in zip(*moments, strict=True)])
    sampled[: int(REVERSION_HALF_LIFE) - 1] = NAN
    place = np.searchsorted(at, np.arange(len(path)), side="right") - 1
    return np.where(place >= 0, sampled[np.maximum(place, 0)], NAN)


def spread_batch(second: Integers, bid: Integers, ask: Integers) -> dict[str, Floats]:
    """Return the columns of `Spread`."""
    now = 20_000 * (ask - bid) / (ask + bid)
    slow = after(weighted_mean_batch(now, DEVIATION_HALF_LIFE)[0], int(DEVIATION_HALF_LIFE))
    square = after(weighted_mean_batch(now * now, DEVIATION_HALF_LIFE)[0], int(DEVIATION_HALF_LIFE))
    variance = square - slow * slow
    score = 0.0 * slow
    np.divide(now - slow, np.sqrt(np.abs(variance)), out=score, where=variance > 0.0)
    return {
        "spread_bp": now,
        "spread_mean_bp": after(ewma_batch(now, SPREAD_HALF_LIFE)[0], int(SPREAD_HALF_LIFE)),
        "spread_percentile": hour_of_week_histogram_batch(
            second // 3600, now, SPREAD_EDGES, LEARNT_HOURS
        ),
        "spread_score": score,
    }


def micro_price_batch(
    bid: Integers, ask: Integers, bid_lots: Integers, ask_lots: Integers, table: MicroPriceTable
) -> Floats:
    """Return the column of `micro_lean_bp`: fancy indexing of the same table."""
    place = imbalance_rows(bid_lots, ask_lots), np.clip(ask - bid, 1, 3) - 1
    corrections = np.where(bid_lots == ask_lots, 0.0, np.array(table.corrections)[place])
    return 2e4 * corrections / (bid + ask)


def imbalance_rows(bid_lots: Integers, ask_lots: Integers) -> Integers:
    """Return the rows of `micro_state` for columns of sizes."""
    size, thinner = bid_lots + ask_lots, np.minimum(bid_lots, ask_lots)
    tenth = np.zeros_like(size)
    np.floor_divide(IMBALANCE_BUCKETS * thinner, size, out=tenth, where=size > 0)
    row = np.where(bid_lots < ask_lots, tenth, IMBALANCE_BUCKETS - 1 - tenth)
    return np.where(bid_lots == ask_lots, IMBALANCE_BUCKETS // 2, row)


def log_steps_batch(price: Integers) -> Integers:
    """Return `log_steps` of a column."""
    return np.rint(np.log(price) / LOG_UNIT).astype(np.int64)


def pair_sums_batch(first: Integers, second: Integers, size: int) -> tuple[Integers, ...]:
    """Return the four columns of sums over the newest `size` minutes, from the first full one on.

    Totals may wrap around 64 bits; differences of a window do not.
    """
    result: list[Integers] = []
    for column in (first, second, second * second, first * second):
        totals = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(column, dtype=np.int64)))
        result.append(totals[size:] - totals[:-size])
    return tuple(result)
