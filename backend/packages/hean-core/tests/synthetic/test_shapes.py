from __future__ import annotations

import itertools
from math import log
from statistics import fmean, pstdev

import pytest

from hean.core.synthetic.shapes import (
    bursts,
    fat_walk,
    flow_driven,
    moments,
    pokes,
    stochastic,
    wicks,
)

COUNT = 20_000


def _steps(prices: list[float]) -> list[float]:
    return [1e4 * log(after / before) for before, after in itertools.pairwise(prices)]


def _fourth(steps: list[float]) -> float:
    return fmean(one**4 for one in steps) / fmean(one**2 for one in steps) ** 2


def test_a_fat_walk_has_the_deviation_and_the_tails() -> None:
    """Its deviation is the one asked for, its fourth moment far above a Gaussian's 3."""
    steps = _steps(fat_walk(1, COUNT, start=100.0, sigma_bp=2.0))
    assert pstdev(steps) == pytest.approx(2.0, rel=0.1)
    assert _fourth(steps) > 5.0


def test_stochastic_volatility_wanders_and_sides_do_not() -> None:
    """Large steps follow large ones, their sides follow nothing, and volume goes with size."""
    seconds = stochastic(2, COUNT, start=100.0, sigma_bp=1.0)
    steps = _steps([one.price for one in seconds])
    assert pstdev(steps) == pytest.approx(1.0, rel=0.2)
    pairs = list(itertools.pairwise(steps))
    spread = fmean(one * one for one in steps)
    assert abs(fmean(a * b for a, b in pairs)) < 0.03 * spread
    sizes = fmean(abs(a) * abs(b) for a, b in pairs) / fmean(abs(one) for one in steps) ** 2
    assert sizes > 1.15
    loud = [abs(s) for s, one in zip(steps, seconds[1:], strict=True) if one.volume > 1.0]
    assert fmean(loud) > fmean(abs(one) for one in steps)


def test_moments_come_as_often_as_asked_and_not_too_near() -> None:
    """Moments are apart at least as asked and come as often on average."""
    found = moments(3, 200_000, every=100.0, apart=40.0)
    gaps = [after - before for before, after in itertools.pairwise(found)]
    assert min(gaps) >= 39
    assert fmean(gaps) == pytest.approx(100.0, rel=0.1)


def test_flow_forecasts_the_next_seconds() -> None:
    """Five seconds' move has the side of the next five more often than not."""
    prices = [one.price for one in flow_driven(4, COUNT, start=100.0, sigma_bp=1.0, drift_bp=1.0)]
    moves = [log(prices[at + 5] / prices[at]) for at in range(0, COUNT - 5, 5)]
    same = fmean(float(a * b > 0.0) for a, b in itertools.pairwise(moves))
    assert same > 0.58


def test_a_burst_goes_its_way_and_on() -> None:
    """In its seconds volume is high and price goes where book and takers lean, and then further."""
    seconds = bursts(
        5, COUNT, start=100.0, sigma_bp=0.1, size_bp=50.0, lasts=20, after_bp=30.0, every=600.0
    )
    starts = [
        at for at in range(1, COUNT - 90) if seconds[at].volume > 1.0 >= seconds[at - 1].volume
    ]
    assert len(starts) > 10
    for at in starts:
        sign = 1.0 if seconds[at].lean > 0.0 else -1.0
        burst = 1e4 * log(seconds[at + 19].price / seconds[at - 1].price) * sign
        after = 1e4 * log(seconds[at + 79].price / seconds[at + 19].price) * sign
        assert burst == pytest.approx(50.0, abs=5.0)
        assert after == pytest.approx(30.0, abs=5.0)


def test_a_wick_is_back_after_a_second() -> None:
    """One second is far away, the second before it and after it are as near as ever."""
    prices = [one.price for one in wicks(6, COUNT, start=100.0, sigma_bp=0.5, size_bp=80.0)]
    far = [at for at in range(1, COUNT - 1) if abs(1e4 * log(prices[at] / prices[at - 1])) > 60.0]
    out = [at for at in far if at + 1 in far]
    assert len(out) > 8
    for at in out:
        assert abs(1e4 * log(prices[at + 1] / prices[at - 1])) < 5.0


def test_a_poke_goes_beyond_an_old_extreme_and_turns() -> None:
    """Each poke passes the extreme before it, on volume that leans outward, and comes back far."""
    seconds, begun = pokes(7, COUNT, start=100.0, sigma_bp=0.9, beyond_bp=20.0, back_bp=60.0)
    prices = [one.price for one in seconds]
    turned = 0
    for at in begun:
        loud = [n for n in range(at, min(COUNT, at + 400)) if seconds[n].volume >= 6.0]
        if len(loud) < 20 or loud[-1] + 330 >= COUNT:
            continue
        sign = 1.0 if seconds[loud[0]].lean > 0.0 else -1.0
        top = prices[loud[-1]] * sign
        assert top > max(one * sign for one in prices[max(0, at - 900) : at])
        assert 1e4 * log(prices[loud[-1] + 315] / prices[loud[-1]]) * sign < -55.0
        turned += 1
    assert turned >= 5
