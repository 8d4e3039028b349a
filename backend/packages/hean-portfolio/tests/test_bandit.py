from __future__ import annotations

import math

import numpy as np
import pytest

from hean.core.events import Regime
from hean.portfolio.bandit import (
    Arm,
    forgetting,
    mean_shares,
    scores,
)
from hean.portfolio.correlation import prior_correlation
from hean.portfolio.selection import Arms, Rules, choose

NORMAL = {Regime.NORMAL: 1.0}
NAMES = tuple(
    sorted(
        [
            "hf_scalping",
            "inventory_neutral_mm",
            "rebate_farmer",
            "impulse_engine",
            "liquidity_sweep",
            "momentum_trader",
            "enhanced_grid",
            "funding_harvester",
            "basis_arbitrage",
            "correlation_arb",
            "sentiment_strategy",
        ]
    )
)


def learnt(values: list[float]) -> Arm:
    """Return an arm that has seen these bins in NORMAL."""
    arm = Arm()
    for one in values:
        arm.learn(one, 1.0, NORMAL)
    return arm


def test_the_posterior_is_the_textbook_one() -> None:
    """Mean, weight, shape and scale follow the normal-inverse-gamma update of the prior."""
    prior = Arm().posterior()
    assert (prior.mean, prior.bins, prior.shape, prior.scale) == (0.0, 10.0, 3.0, 2.0)
    found = learnt([1.0, 2.0, 3.0]).posterior()
    assert found.mean == pytest.approx(6 / 13)
    assert (found.bins, found.shape) == (13.0, 4.5)
    assert found.scale == pytest.approx(2 + 0.5 * 2 + 10 * 36 / (2 * 3 * 13))


def test_forgetting_widens_idle_arms() -> None:
    """After a half-life of bins half of the evidence is left, and the error has grown."""
    arm = learnt([0.5] * 100)
    before = arm.posterior()
    for _ in range(90):
        arm.forget(forgetting(30.0))
    assert arm.whole.n == pytest.approx(50.0)
    assert arm.posterior().error > before.error


def test_regimes_pool_partially() -> None:
    """A regime without data takes the strategy's belief, one with data moves towards its own."""
    arm = learnt([1.0] * 40)
    assert arm.in_regime(Regime.IMPULSE).mean == arm.posterior().mean
    for _ in range(40):
        arm.learn(-1.0, 1.0, {Regime.IMPULSE: 1.0})
    assert arm.in_regime(Regime.IMPULSE).mean < -0.5 < 0.5 < arm.in_regime(Regime.NORMAL).mean


def test_draws_are_keyed() -> None:
    """A new strategy changes nobody's draw; another epoch or seed changes all."""
    one, two = {"a": learnt([0.1])}, {"a": learnt([0.1]), "b": Arm()}
    shares = {"a": NORMAL, "b": NORMAL}
    first = scores(one, shares, seed=1, epoch=5, count=3)["a"]
    assert scores(two, shares, seed=1, epoch=5, count=3)["a"] == first
    assert scores(one, shares, seed=1, epoch=6, count=3)["a"] != first
    assert scores(one, shares, seed=2, epoch=5, count=3)["a"] != first
    assert first == [0.099342011, -0.168899289, -0.023332078]


def test_draws_follow_the_belief() -> None:
    """The mean of many draws is the posterior's Sharpe ratio, the spread its uncertainty."""
    found = scores({"a": learnt([0.5, -0.3] * 50)}, {"a": NORMAL}, seed=0, epoch=1, count=4000)
    belief = learnt([0.5, -0.3] * 50).in_regime(Regime.NORMAL)
    mean = math.fsum(found["a"]) / 4000
    assert mean == pytest.approx(belief.mean * math.sqrt(belief.shape / belief.scale), abs=0.01)
    assert np.std(found["a"]) == pytest.approx(1 / math.sqrt(belief.bins), rel=0.1)


def test_shares_of_nothing_are_normal() -> None:
    """Without any regime known the time counts as NORMAL."""
    assert mean_shares([]) == NORMAL
    assert mean_shares([{Regime.RANGE: 1.0}, NORMAL])[Regime.RANGE] == 0.5


def simulate(
    seed: int, means: list[float], days: int, swap: list[float] | None = None
) -> list[tuple[bool, ...]]:
    """Return the active sets of each day with planted bins, correlated as the prior says."""
    prior = prior_correlation(NAMES, {})
    root, rng = np.linalg.cholesky(np.array(prior)), np.random.default_rng(seed)
    arms = {name: Arm() for name in NAMES}
    shares = dict.fromkeys(NAMES, NORMAL)
    fade = forgetting(30.0)
    rules = Rules(least=2, most=8, changes=2, diversity=0.05, hysteresis=0.03)
    active, moved = [n < 8 for n in range(11)], [-2] * 11
    history: list[tuple[bool, ...]] = []
    for day in range(days):
        now = means if swap is None or day < 90 else swap
        for _ in range(3):
            bins = root @ rng.standard_normal(11) + np.array(now)
            for index, name in enumerate(NAMES):
                arms[name].forget(fade)
                arms[name].learn(float(bins[index]), 1.0 if active[index] else 0.5, NORMAL)
        drawn = scores(arms, shares, seed=seed, epoch=day, count=1)
        state = Arms(
            names=NAMES,
            active=tuple(active),
            movable=tuple(day - one >= 2 for one in moved),
            forced=(False,) * 11,
            means=tuple(arms[name].posterior().mean for name in NAMES),
            correlation=prior,
        )
        chosen = choose([drawn[name][0] for name in NAMES], state, rules).active
        moved = [day if a != b else at for a, b, at in zip(active, chosen, moved, strict=True)]
        active = list(chosen)
        history.append(chosen)
    return history


def share(runs: list[list[tuple[bool, ...]]], index: int, after: int) -> float:
    """Return in which share of the epochs an arm was active."""
    flags = [one[index] for run in runs for one in run[after:]]
    return sum(1 for one in flags if one) / len(flags)


def test_a_good_arm_is_found_and_a_bad_one_dropped() -> None:
    """D1 in small: after day 60 an arm of +0.15 is mostly active, one of -0.15 rarely."""
    means = [0.0] * 11
    means[2], means[7] = 0.15, -0.15
    runs = [simulate(seed, means, 120) for seed in range(6)]
    assert share(runs, 2, 60) >= 0.75
    assert share(runs, 7, 60) <= 0.20


def test_all_bad_goes_to_cash_and_all_good_spreads() -> None:
    """D2 in small: all arms bad leave at most 3 active on average, all good at least 5.5."""
    bad = [sum(1 for one in day if one) for day in simulate(1, [-0.15] * 11, 120)[60:]]
    good = [sum(1 for one in day if one) for day in simulate(1, [0.15] * 11, 120)[60:]]
    assert math.fsum(bad) / len(bad) <= 3.0
    assert math.fsum(good) / len(good) >= 5.5


def test_arms_that_swap_are_followed() -> None:
    """D3, D5 in small: arms of +0.2 and -0.2 that swap at day 90 have changed places by day 150."""
    means, swap = [0.0] * 11, [0.0] * 11
    means[2], means[7], swap[2], swap[7] = 0.2, -0.2, -0.2, 0.2
    runs = [simulate(seed, means, 210, swap) for seed in range(4)]
    assert share(runs, 7, 150) >= 0.75
    assert share(runs, 2, 150) <= 0.20
