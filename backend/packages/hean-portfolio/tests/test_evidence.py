from __future__ import annotations

import math
import random

import pytest
from msgspec.structs import replace

from hean.portfolio.evidence import (
    luck_of,
    minimum_track_record,
    moments,
    normal_quantile,
    probabilistic_sharpe,
    shrink,
)


def series(mean: float, count: int, seed: int) -> list[float]:
    """Return bins of unit deviation."""
    draw = random.Random(seed)
    return [draw.gauss(mean, 1.0) for _ in range(count)]


def test_nothing_is_known_of_no_bins() -> None:
    """Without bins there are no moments, t is 0 and the probability is a half."""
    assert moments([], []) is None
    assert probabilistic_sharpe(None, 0.0) == 0.5
    assert {one.evidence for one in shrink({"a": None, "b": None}, 0.03).values()} == {0.0}


def test_a_lucky_group_lifts_nobody() -> None:
    """Who has no bins gets at most 0 from a good group, and less from a bad one."""
    good = {str(n): moments(series(0.5, 90, n), [1.0] * 90) for n in range(5)}
    assert shrink({**good, "new": None}, 0.03)["new"].mean == 0.0
    bad = {str(n): moments(series(-0.5, 90, n), [1.0] * 90) for n in range(5)}
    assert shrink({**bad, "new": None}, 0.03)["new"].mean < -0.03
    young = {str(n): moments([-1.0], [1.0]) for n in range(11)}
    assert all(one.evidence > -1.0 for one in shrink(young, 0.03).values())


def test_shrinkage_pulls_to_the_middle_and_keeps_order() -> None:
    """Estimates move towards the target, the noisier the more, and t grows with evidence."""
    found = {
        "short": moments(series(0.4, 12, 1), [1.0] * 12),
        "long": moments(series(0.4, 400, 2), [1.0] * 400),
        "zero": moments(series(0.0, 400, 3), [1.0] * 400),
    }
    beliefs = shrink(found, 0.03)
    for name, one in found.items():
        assert one is not None
        assert abs(beliefs[name].mean) <= abs(one.sharpe) + 1e-12
    assert beliefs["long"].evidence > beliefs["zero"].evidence
    short, long = found["short"], found["long"]
    assert short is not None
    assert long is not None
    kept_short = beliefs["short"].mean / short.sharpe
    assert kept_short < beliefs["long"].mean / long.sharpe


def test_deflation_grows_with_trials() -> None:
    """The Sharpe ratio that luck explains grows with trials and falls with bins."""
    assert luck_of(1, [], 100) == 0.0
    few, many = luck_of(11, [], 100), luck_of(100, [], 100)
    assert 0.0 < few < many
    assert luck_of(11, [], 1000) < few
    expected = 0.4227843351 * normal_quantile(1 - 1 / 11) + 0.5772156649 * normal_quantile(
        1 - 1 / (11 * math.e)
    )
    assert few == pytest.approx(expected / math.sqrt(99), rel=1e-9)


def test_the_track_record_needed_is_where_the_probability_is_reached() -> None:
    """A series as long as the minimum track record has a probability of 95 %."""
    values = series(0.3, 200, 5)
    one = moments(values, [1.0] * 200)
    assert one is not None
    needed = minimum_track_record(one, 0.0)
    scaled = replace(one, effective=needed)
    assert probabilistic_sharpe(scaled, 0.0) == pytest.approx(0.95, abs=1e-6)
    assert minimum_track_record(one, 1.0) == math.inf


def test_clustered_bins_count_less() -> None:
    """Runs of equal bins lower the effective count; it never exceeds the bins."""
    calm = moments(series(0.0, 100, 9), [1.0] * 100)
    runs = moments(([1.0] * 5 + [-1.0] * 5) * 10, [1.0] * 100)
    assert calm is not None
    assert runs is not None
    assert runs.effective < calm.effective
    assert calm.effective <= 100.0
