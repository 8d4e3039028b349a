from __future__ import annotations

import math
from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.features.batch_series import reversion_batch, trend_batch
from hean.core.features.columns import Floats, Integers
from hean.core.features.trend import (
    RANGE_WINDOW,
    REVERSION_STEP,
    STEP,
    ZETA_WINDOWS,
    Reversion,
    Trend,
    half_life_of,
    ratio,
)

ROWS = 60_000
FIRST = 1_750_032_000 - 137
BP = 100_000


@cache
def returns() -> Integers:
    """Return seeded returns in 1e-9 with idle stretches and bursts."""
    generator = np.random.default_rng(9)
    found = np.rint(generator.standard_t(4, ROWS) * 0.9 * BP).astype(np.int64)
    found[generator.random(ROWS) < 0.3] = 0
    found[9_000:9_600] *= 6
    found[30_000:34_000] = 0
    return found


def fed(changes: list[int]) -> Trend:
    """Return the live state after these returns."""
    trend = Trend.of()
    for change in changes:
        trend.update(change)
    return trend


def walk(seed: int, rows: int) -> list[int]:
    """Return a Gaussian walk's returns of one basis point."""
    return np.rint(np.random.default_rng(seed).normal(0.0, BP, rows)).astype(int).tolist()


def test_trend_equals_its_batch_form() -> None:
    """Over 60,000 seconds zetas, range, variance ratio and impulse have the bits of columns."""
    slow: Floats = np.full(ROWS, 0.9e-4)
    slow[:3599] = np.nan
    slow[50_000:50_100] = 0.0
    trend, names = Trend.of(), [f"zeta_{n}" for n in ZETA_WINDOWS]
    names += ["range_ratio", "variance_ratio", "z_30"]
    rows: list[list[float]] = []
    for change, sigma in zip(returns().tolist(), slow.tolist(), strict=True):
        trend.update(change)
        zetas = [trend.zeta(n) for n in ZETA_WINDOWS]
        last = [trend.range_ratio(), trend.variance_ratio(), trend.impulse(sigma)]
        rows.append(zetas + last)
    batch = trend_batch(returns(), slow)
    assert set(batch) == set(names)
    for name, expected in zip(names, np.array(rows).T, strict=True):
        assert np.array_equal(batch[name], expected, equal_nan=True), name


def test_reversion_equals_its_batch_form() -> None:
    """Half-lives sampled at each tenth second have every bit of their column."""
    reversion, path, expected = Reversion.of(), 0, list[float]()
    for second, change in enumerate(returns().tolist(), start=FIRST):
        path += change
        if second % REVERSION_STEP == REVERSION_STEP - 1:
            reversion.update(path)
        expected.append(reversion.half_life)
    batch = reversion_batch(FIRST + np.arange(ROWS), returns())
    assert np.array_equal(batch, expected, equal_nan=True)
    assert math.isnan(expected[3000])
    assert not math.isnan(expected[3700])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-20 * BP, 20 * BP), min_size=60, max_size=180))
def test_zeta_is_the_plain_formula(changes: list[int]) -> None:
    """Zeta over n is the sum of the newest n returns over the root of their squares' sum."""
    newest = changes[-60:]
    squares = sum(change * change for change in newest)
    expected = sum(newest) / math.sqrt(squares) if squares else 0.0
    assert fed(changes).zeta(60) == expected
    assert abs(expected) <= math.sqrt(60) * (1 + 1e-12)
    assert math.isnan(fed(changes[:59]).zeta(60))


def test_nothing_moved_is_no_trend() -> None:
    """An hour and a minute without any move: zeta and range 0, variance ratio 1."""
    still = fed([0] * (RANGE_WINDOW + STEP))
    assert (still.zeta(3600), still.range_ratio(), still.variance_ratio()) == (0.0, 0.0, 1.0)
    assert still.impulse(0.0) == 0.0


def test_a_straight_line_is_the_extreme_of_all() -> None:
    """Equal returns give zeta and range √n and a variance ratio of q."""
    line = fed([BP] * (RANGE_WINDOW + STEP))
    assert line.zeta(3600) == line.range_ratio() == 60.0
    assert line.variance_ratio() == 60.0
    assert line.impulse(1e-4) == pytest.approx(math.sqrt(30))


def test_the_range_includes_where_the_hour_began() -> None:
    """A path that only rises spans from its start, not from after the first step."""
    changes = [0] * RANGE_WINDOW + [7 * BP] + [0] * (RANGE_WINDOW - 1)
    assert fed(changes).range_ratio() == 1.0
    assert fed([*changes, 0]).range_ratio() == 0.0


def test_a_walk_has_the_documented_averages() -> None:
    """On walks the mean range ratio is 1.53 to 1.60, VR about 1, and zeta has unit variance."""
    ranges, variances, zetas = list[float](), list[float](), list[float]()
    for seed in range(60):
        trend = fed(walk(seed, RANGE_WINDOW + STEP))
        ranges.append(trend.range_ratio())
        variances.append(trend.variance_ratio())
        zetas.append(trend.zeta(3600))
    assert float(np.mean(ranges)) == pytest.approx(1.57, abs=0.12)
    assert float(np.mean(variances)) == pytest.approx(1.0, abs=0.08)
    assert float(np.std(zetas)) == pytest.approx(1.0, abs=0.3)


def test_a_returning_price_has_a_small_range_and_variance_ratio() -> None:
    """Around a fixed mean with a half-life of one minute RANGE's two bounds hold."""
    generator = np.random.default_rng(4)
    phi, level, trend = 2.0 ** (-1 / 60), 0.0, Trend.of()
    for shock in generator.normal(0.0, BP, RANGE_WINDOW + STEP + 3600).tolist():
        after = phi * level + shock
        trend.update(round(after - level))
        level = after
    assert trend.variance_ratio() < 0.9
    assert trend.range_ratio() < 1.15


def test_impulse_is_thirty_seconds_in_standard_deviations() -> None:
    """60 bp in 30 s over noise of 0.9 bp a second is z 12; it waits with its sigma."""
    trend = fed([0] * 60 + [2 * BP] * 30)
    assert trend.impulse(0.9e-4) == pytest.approx(60 / (0.9 * math.sqrt(30)))
    assert math.isnan(trend.impulse(math.nan))
    assert ratio(3, 0) == 0.0


@pytest.mark.parametrize("half_life", [30.0, 60.0, 120.0])
def test_the_half_life_of_a_planted_reversion_is_found(half_life: float) -> None:
    """An AR(1) sampled at 10 s shows its own half-life within a third, weighed over an hour."""
    generator = np.random.default_rng(round(half_life))
    phi, level, reversion = 2.0 ** (-REVERSION_STEP / half_life), 0.0, Reversion.of()
    for shock in generator.normal(0.0, 30 * BP, 3000).tolist():
        level = phi * level + shock
        reversion.update(round(level))
    assert reversion.half_life == pytest.approx(half_life, rel=0.34)


def test_half_lives_at_the_edges() -> None:
    """No variance or a slope of one never returns; a negative slope is gone within one sample."""
    assert half_life_of(1.0, 1.0, 1.0, 1.0) == math.inf
    assert half_life_of(0.0, 0.0, 1.0, 1.0) == math.inf
    assert half_life_of(0.0, 0.0, 1.0, 0.0) == 0.0
    assert half_life_of(0.0, 0.0, 1.0, -0.5) == 0.0
    assert half_life_of(0.0, 0.0, 1.0, 0.5) == 10.0


def test_a_snapshot_in_mid_stream_gives_the_same_remainder() -> None:
    """The struct itself is the snapshot: what follows a restore has the same bytes."""
    changes = returns().tolist()
    live = fed(changes[:20_000])
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(live), type=Trend)
    for change in changes[20_000:25_000]:
        live.update(change)
        again.update(change)
    assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(live)


def test_a_crash_stays_within_what_a_snapshot_holds() -> None:
    """A fall of 35 % in a second and back, twice, is the same in batch and fits into 64 bits."""
    found = returns()[: RANGE_WINDOW + 3000].copy()
    for at, size in ((3500, -430_000_000), (3900, 430_000_000), (4400, -500_000_000)):
        found[at] = size
    trend = Trend.of()
    live = [math.nan] * len(found)
    for at, one in enumerate(found.tolist()):
        trend.update(one)
        live[at] = trend.variance_ratio()
    batch = trend_batch(found, np.full(len(found), 1e-4))["variance_ratio"]
    assert np.array_equal(np.array(live), batch, equal_nan=True)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(trend), type=Trend) == trend
