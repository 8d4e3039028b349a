from __future__ import annotations

import math

from hean.core.events import Regime
from hean.portfolio.bandit import Arm, scores
from hean.portfolio.correlation import prior_correlation
from hean.portfolio.propensity import frequencies
from hean.portfolio.selection import Arms, Rules, choose

RULES = Rules(least=1, most=2, changes=2, diversity=0.0, hysteresis=0.0)


def test_propensities_count_the_rows_that_pick_an_arm() -> None:
    """An arm wanted in three of four replays has a propensity of three quarters."""
    names = ("a", "b")
    start = Arms(
        names=names,
        active=(True, False),
        movable=(True, True),
        forced=(False, False),
        means=(0.0, 0.0),
        correlation=prior_correlation(names, {}),
    )
    rows = [(1.0, 1.0), (1.0, -1.0), (1.0, 0.5), (-1.0, 0.5)]
    assert frequencies(rows, start, RULES) == [0.75, 0.75]
    assert frequencies([], start, RULES) == [0.0, 0.0]


def test_propensities_match_observed_frequencies() -> None:
    """D8: they add up to the expected size of the set, and to how often other seeds pick each."""
    names = ("basis_arbitrage", "enhanced_grid", "funding_harvester", "momentum_trader", "other")
    arms = {name: Arm() for name in names}
    for turn in range(60):
        for place, name in enumerate(names):
            x = 0.08 * (place - 2) + (1.0 if (turn * (place + 3)) % 7 < 3 else -0.75)
            arms[name].learn(x, 1.0, {Regime.NORMAL: 1.0})
    shares = {name: {Regime.NORMAL: 1.0} for name in names}
    state = Arms(
        names=names,
        active=(True, True, True, False, False),
        movable=(True, True, True, True, False),
        forced=(False,) * 5,
        means=tuple(arms[name].posterior().mean for name in names),
        correlation=prior_correlation(names, {}),
    )
    rules = Rules(least=2, most=4, changes=2, diversity=0.05, hysteresis=0.03)
    replays = scores(arms, shares, seed=0, epoch=9, count=1001)
    propensities = frequencies(
        [[replays[name][row] for name in names] for row in range(1, 1001)], state, rules
    )
    picked, epochs = [0] * len(names), 1500
    for epoch in range(epochs):
        drawn = scores(arms, shares, seed=1, epoch=epoch, count=1)
        chosen = choose([drawn[name][0] for name in names], state, rules).active
        picked = [count + one for count, one in zip(picked, chosen, strict=True)]
    size = math.fsum(count / epochs for count in picked)
    assert abs(math.fsum(propensities) - size) < 0.15
    for propensity, count in zip(propensities, picked, strict=True):
        spread = math.sqrt(propensity * (1 - propensity) * (1 / 1000 + 1 / epochs))
        assert abs(propensity - count / epochs) <= 4 * spread
    assert propensities[-1] == 0.0
    assert len({round(one, 2) for one in propensities}) > 2
