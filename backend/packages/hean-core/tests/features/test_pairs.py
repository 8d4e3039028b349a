from __future__ import annotations

import math

import numpy as np
import pytest

from hean.core.features import PairWindow, log_steps
from hean.core.features.batch_series import log_steps_batch, pair_sums_batch
from hean.core.features.columns import Integers
from hean.core.features.pairs import LOG_UNIT, PairSums, fit_pair, pair_moves


def pair(seed: int, minutes: int, pull: float) -> tuple[Integers, Integers]:
    """Return two log-price columns on the grid whose spread reverts by `pull` a minute (0: not)."""
    generator = np.random.default_rng(seed)
    second = 8.0 + np.cumsum(generator.normal(0.0, 5e-4, minutes))
    gap, gaps = 0.0, list[float]()
    for shock in generator.normal(0.0, 3e-4, minutes).tolist():
        gap = gap * (1.0 - pull) + shock
        gaps.append(gap)
    first = 3.0 + 0.8 * second + np.array(gaps)
    return np.rint(first * 1e6).astype(np.int64), np.rint(second * 1e6).astype(np.int64)


def window_of(first: Integers, second: Integers, size: int = 1440) -> PairWindow:
    """Return a window that took both columns."""
    window = PairWindow(size)
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        window.update(one, other)
    return window


def test_window_sums_and_fits_equal_their_batch_forms() -> None:
    """Over 60,000 minutes the four sums are the integers of the columns, and so is the last fit."""
    first, second = pair(1, 60_000, 0.02)
    window, size = PairWindow(1440), 1440
    live: list[tuple[int, int, int, int]] = []
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        window.update(one, other)
        if window.ready:
            found = window.sums()
            live.append((found.first, found.second, found.second_square, found.product))
    columns = pair_sums_batch(first, second, size)
    assert np.array_equal(np.stack(columns, axis=1), live)
    last = PairSums(size, *(int(column[-1]) for column in columns))
    ones, others = first[-size:].tolist(), second[-size:].tolist()
    assert fit_pair(last, pair_moves(ones, others), ones, others) == window.fit()


@pytest.mark.parametrize(("seed", "pull"), [(3, 0.05), (11, 0.0), (12, 0.3)])
def test_the_autoregression_is_that_of_the_residuals(seed: int, pull: float) -> None:
    """φ, deviation and t agree with least squares on the residuals themselves."""
    first, second = pair(seed, 1500, pull)
    fit = window_of(first, second).fit()
    assert fit is not None
    design = np.stack([np.ones(1440), second[-1440:].astype(np.float64)], axis=1)
    level, slope = np.linalg.lstsq(design, first[-1440:].astype(np.float64), rcond=None)[0]
    residuals = (first[-1440:] - level - slope * second[-1440:]) * 1e-6
    before, changes = residuals[:-1], np.diff(residuals)
    drawn = float(before @ changes / (before @ before))
    rests = changes - drawn * before
    variance = float(rests @ rests) / (len(before) - 1)
    assert fit.beta == pytest.approx(float(slope), abs=1e-8)
    assert fit.phi == pytest.approx(1.0 + drawn, abs=1e-7)
    assert fit.t == pytest.approx(drawn / math.sqrt(variance / float(before @ before)), abs=1e-5)
    assert fit.deviation == pytest.approx(
        math.sqrt(variance / (1.0 - (1.0 + drawn) ** 2)), abs=2e-9
    )


def test_log_prices_are_equal_in_math_and_numpy() -> None:
    """100,000 log prices are the same steps from both libraries."""
    prices = np.exp(np.random.default_rng(2).uniform(-3.0, 12.0, 100_000))
    assert np.array_equal(log_steps_batch(prices), [log_steps(one) for one in prices.tolist()])


def test_a_planted_relation_is_found() -> None:
    """Slope, speed and significance of a cointegrated pair are near what was planted."""
    fit = window_of(*pair(3, 2000, 0.05)).fit()
    assert fit is not None
    assert fit.beta == pytest.approx(0.8, abs=0.03)
    assert fit.half_life == pytest.approx(math.log(2) / -math.log(0.95), rel=0.5)
    assert fit.t < -3.34
    assert fit.correlation > 0.7


def test_a_unit_root_spread_is_seldom_significant() -> None:
    """Without reversion at most two of ten pairs pass the Dickey-Fuller bound of -3.34."""
    fits = [window_of(*pair(seed, 1440, 0.0)).fit() for seed in range(10, 20)]
    assert [fit is not None and fit.t <= -3.34 for fit in fits].count(True) <= 2


def test_the_score_counts_deviations_of_the_residual() -> None:
    """Prices on the fitted line score 0, and one deviation above it 1."""
    fit = window_of(*pair(3, 1500, 0.05)).fit()
    assert fit is not None
    other = 3000.0
    level = math.exp(fit.alpha + fit.beta * math.log(other))
    assert fit.score(level, other) == pytest.approx(0.0, abs=1e-6)
    assert fit.score(level * math.exp(fit.deviation), other) == pytest.approx(1.0, abs=1e-6)


def test_a_price_that_never_moved_has_no_fit() -> None:
    """Nothing is fitted to a constant."""
    assert window_of(np.arange(10), np.full(10, 5), 10).fit() is None


@pytest.mark.parametrize(("seed", "pull"), [(5, 0.02), (6, 0.1), (7, 0.0)])
def test_a_fit_is_that_of_least_squares_by_decomposition(seed: int, pull: float) -> None:
    """Alpha, beta, phi and the Dickey-Fuller t are those of numpy's own least squares."""
    first, second = pair(seed, 1440, pull)
    fit = window_of(first, second).fit()
    assert fit is not None
    y, x = first * LOG_UNIT, second * LOG_UNIT
    design = np.column_stack((np.ones(1440), x))
    alpha, beta = map(float, np.linalg.lstsq(design, y, rcond=None)[0])
    residual = y - alpha - beta * x
    before, change = residual[:-1], np.diff(residual)
    slope = float(np.linalg.lstsq(before[:, None], change, rcond=None)[0][0])
    errors, square = float(np.sum((change - slope * before) ** 2)), float(before @ before)
    t = slope / math.sqrt(errors / (len(change) - 1) / square)
    assert fit.beta == pytest.approx(beta, rel=1e-6)
    assert fit.alpha == pytest.approx(alpha, abs=1e-6)
    assert fit.phi == pytest.approx(1.0 + slope, abs=1e-6)
    assert fit.t == pytest.approx(t, rel=1e-4)
    returns = np.diff(y[::5]), np.diff(x[::5])
    assert fit.correlation == pytest.approx(float(np.corrcoef(*returns)[0, 1]), abs=1e-6)
