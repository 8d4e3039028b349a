from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.features.batch_series import (
    log_steps_batch,
    pair_sums_batch,
    reversion_batch,
    spread_batch,
    trend_batch,
    volatility_batch,
)
from hean.core.features.book import Spread
from hean.core.features.columns import Integers
from hean.core.features.pairs import LOG_UNIT, log_steps
from hean.core.features.trend import Trend
from hean.core.features.volatility import Volatility

ROWS = 90_000
FIRST = 1_750_032_000 - 137
BP = 100_000


@cache
def touches() -> tuple[Integers, Integers, Integers]:
    """Return seconds with bids and asks in ticks, spreads of 1 to 9 ticks and stretches of one."""
    generator = np.random.default_rng(3)
    bid = 600_000 + np.cumsum(generator.integers(-9, 10, ROWS))
    width = generator.integers(1, 10, ROWS)
    width[30_000:40_000] = 1
    return FIRST + np.arange(ROWS), bid, bid + width


def changes_of(rows: int, seed: int) -> Integers:
    """Return seeded returns in 1e-9, a third of them zero."""
    generator = np.random.default_rng(seed)
    found = np.rint(generator.standard_t(4, rows) * BP).astype(np.int64)
    found[generator.random(rows) < 0.33] = 0
    return found


def test_spreads_equal_their_live_form() -> None:
    """Over 90,000 seconds spread, mean, percentile and score have the bits of `Spread`."""
    seconds, bids, asks = touches()
    spread = Spread.of()
    rows: list[tuple[float, float, float, float]] = []
    for second, bid, ask in zip(seconds.tolist(), bids.tolist(), asks.tolist(), strict=True):
        spread.update(second, bid, ask)
        rows.append((spread.now, spread.mean.read(), spread.percentile, spread.score()))
    batch = spread_batch(seconds, bids, asks)
    names = ("spread_bp", "spread_mean_bp", "spread_percentile", "spread_score")
    for name, expected in zip(names, np.array(rows).T, strict=True):
        assert np.array_equal(batch[name], expected, equal_nan=True), name


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 400))
def test_any_short_series_equals_its_live_form(seed: int, rows: int) -> None:
    """From the second row on, ready or not, volatility and trend columns are the live values."""
    changes = changes_of(rows, seed)
    volatility, trend = Volatility.of(), Trend.of()
    found: list[tuple[float, ...]] = []
    for second, change in enumerate(changes.tolist(), start=FIRST):
        volatility.update(second, change)
        trend.update(change)
        found.append(
            (volatility.fast, volatility.jump_share, trend.zeta(60), trend.impulse(volatility.slow))
        )
    columns = volatility_batch(FIRST + np.arange(rows), changes)
    columns |= trend_batch(changes, columns["sigma_slow"])
    names = ("sigma_fast", "jump_share", "zeta_60", "z_30")
    for name, expected in zip(names, np.array(found).T, strict=True):
        assert np.array_equal(columns[name], expected, equal_nan=True), name


def test_reversion_is_carried_between_its_samples() -> None:
    """A half-life stands from its tenth second to the next, and before the first there is none."""
    rows = 7_000
    found = reversion_batch(FIRST + np.arange(rows), changes_of(rows, 8))
    samples = np.flatnonzero((FIRST + np.arange(rows)) % 10 == 9)
    assert np.isnan(found[: samples[0]]).all()
    for start in samples[-40:-1].tolist():
        assert len(set(found[start : start + 10].tolist())) == 1
    assert not math.isnan(float(found[-1]))


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=50))
def test_log_prices_are_the_steps_of_the_live_form(prices: list[int]) -> None:
    """A column of prices falls on the integers of `log_steps`, within half a step of the log."""
    found = log_steps_batch(np.array(prices)).tolist()
    assert found == [log_steps(price) for price in prices]
    for step, price in zip(found, prices, strict=True):
        assert abs(step * LOG_UNIT - math.log(price)) <= LOG_UNIT * 0.5000001


LOGS = st.integers(2**29, 2**30)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(LOGS, LOGS), min_size=8, max_size=60), st.integers(1, 7))
def test_pair_sums_are_exact_although_totals_wrap(pairs: list[tuple[int, int]], size: int) -> None:
    """Every window's four sums are the plain integer sums, though totals pass 64 bits."""
    first, second = (np.array(one, dtype=np.int64) for one in zip(*pairs, strict=True))
    found = [one.tolist() for one in pair_sums_batch(first, second, size)]
    windows = [pairs[at : at + size] for at in range(len(pairs) - size + 1)]
    assert found == [
        [sum(a for a, _ in window) for window in windows],
        [sum(b for _, b in window) for window in windows],
        [sum(b * b for _, b in window) for window in windows],
        [sum(a * b for a, b in window) for window in windows],
    ]


@pytest.mark.parametrize("rows", [1, 2, 30])
def test_the_first_seconds_know_nothing(rows: int) -> None:
    """Before a minute every column of trend is NaN."""
    columns = trend_batch(changes_of(rows, 2), np.full(rows, math.nan))
    assert all(np.isnan(column).all() for column in columns.values())


def test_a_learnt_spread_percentile_equals_its_live_form() -> None:
    """Sampled over eighteen days the hour-of-week percentile is known and has the live bits."""
    rows = 60_000
    _, bids, asks = (one[:rows] for one in touches())
    seconds = FIRST + 26 * np.arange(rows)
    spread, live = Spread.of(), list[float]()
    for second, bid, ask in zip(seconds.tolist(), bids.tolist(), asks.tolist(), strict=True):
        spread.update(second, bid, ask)
        live.append(spread.percentile)
    found = spread_batch(seconds, bids, asks)["spread_percentile"]
    assert np.array_equal(found, live, equal_nan=True)
    assert np.count_nonzero(~np.isnan(found)) > 10_000
