from __future__ import annotations

import math

import numpy as np
import pytest

from hean.core.features.columns import Integers
from hean.core.features.exact import RollingSum
from hean.core.features.flow import BUCKETS, DAY, Slope, Slopes, Toxicity, disorder_of, pattern


def vpin_of(buys: Integers, sells: Integers, size: int) -> float:
    """Return the toxicity of the newest 50 buckets by plain loops."""
    buckets: list[tuple[int, int]] = []
    bought = sold = 0
    for buy, sell in zip(buys.tolist(), sells.tolist(), strict=True):
        bought, sold = bought + buy, sold + sell
        if bought + sold >= size:
            buckets.append((abs(bought - sold), bought + sold))
            bought = sold = 0
    kept = buckets[-BUCKETS:]
    return sum(one for one, _ in kept) / sum(volume for _, volume in kept)


def test_vpin_waits_for_a_whole_day_and_fifty_buckets() -> None:
    """Toxicity is unknown on the first day, then the mean imbalance of the newest 50 buckets."""
    generator = np.random.default_rng(1)
    buys, sells = generator.integers(0, 9, (2, 2880))
    buys[1440:] *= 3
    machine = Toxicity.of()
    for minute in range(1440):
        machine.update(100 * DAY + minute * 60, int(buys[minute]), int(sells[minute]))
        assert math.isnan(machine.value)
    size = int((buys[:1440] + sells[:1440]).sum()) // BUCKETS
    for minute in range(1440, 2880):
        machine.update(100 * DAY + minute * 60, int(buys[minute]), int(sells[minute]))
    assert machine.bucket_size == size
    assert machine.value == pytest.approx(vpin_of(buys[1440:2880], sells[1440:2880], size))


def test_a_day_seen_in_part_sizes_no_bucket() -> None:
    """A day that began before the first second does not count as yesterday."""
    machine = Toxicity.of()
    machine.update(100 * DAY + 1, 5, 5)
    machine.update(101 * DAY, 5, 5)
    assert machine.bucket_size == 0
    machine.update(102 * DAY, 500, 0)
    assert machine.bucket_size == 0
    machine.update(103 * DAY, 5, 5)
    assert machine.bucket_size == 10


def test_forecasting_slopes_find_planted_bp_per_unit() -> None:
    """Returns that follow the imbalance one second later give h seconds' worth of the slope."""
    generator = np.random.default_rng(2)
    slopes, returns = Slopes.of(), RollingSum.of(64)
    before = 0.0
    for x in generator.normal(0.0, 1.0, 3000).tolist():
        returns.push(round(before * 0.7e5))
        slopes.update(x, returns)
        before = x
    for slope in slopes.slopes:
        assert slope.value == pytest.approx(0.7, abs=0.25)


def test_a_contemporaneous_response_gives_no_forecasting_slope() -> None:
    """Returns that move with the imbalance of their own second leave the slopes near zero."""
    generator = np.random.default_rng(3)
    slopes, returns = Slopes.of(), RollingSum.of(64)
    for x in generator.normal(0.0, 1.0, 3000).tolist():
        returns.push(round(x * 1e5))
        slopes.update(x, returns)
    assert abs(slopes.slopes[0].value) < 0.25


def test_order_patterns_are_six() -> None:
    """The six orders of three values have six codes, and equal values count as rising."""
    orders = [(1, 2, 3), (1, 3, 2), (2, 3, 1), (2, 1, 3), (3, 1, 2), (3, 2, 1)]
    assert [pattern(*one) for one in orders] == [0, 1, 2, 3, 4, 5]
    assert pattern(7, 7, 7) == 0


def test_thin_volume_is_judged_by_the_order_of_returns() -> None:
    """Below twenty traded cells the entropy is that of return patterns, else that of volume."""
    assert disorder_of([1] + [0] * 59, [4] * 6) == 1.0
    assert disorder_of([1] * 20 + [0] * 40, [4] * 6) == pytest.approx(math.log(20) / math.log(60))


def test_the_contemporaneous_slope_is_another_feature() -> None:
    """Returns that move with their own second's imbalance give it, and no forecasting slope."""
    generator = np.random.default_rng(4)
    slopes, returns, same = Slopes.of(), RollingSum.of(64), Slope.of(0)
    for x in generator.normal(0.0, 1.0, 3000).tolist():
        change = round(0.65e5 * x + generator.normal(0.0, 1e4))
        returns.push(change)
        slopes.update(x, returns)
        same.update(x, change)
    assert same.value == pytest.approx(0.65, abs=0.02)
    assert all(abs(slope.value) < 0.3 for slope in slopes.slopes)
