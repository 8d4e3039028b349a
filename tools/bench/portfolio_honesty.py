"""How honest AutoPilot and the tiers are with planted results: one JSON line.

usage: portfolio_honesty.py [--seeds N] [--days N] [--tier-seeds N]

Eleven strategies earn bins of unit deviation, correlated as the prior says. `D1`-`D3` are shares of
epochs, or mean sizes of the active set, after the learning days; `D8` compares propensities with
how often other seeds pick each; `B3` is the share of runs in which any of eleven worthless
strategies reaches the FULL tier within 90 bins. `design` holds what the design's own simulation
gave, `must` the bounds.
"""

from __future__ import annotations

import argparse
import json
import math

import numpy as np
from numpy.typing import NDArray

from hean.core.events import Regime
from hean.portfolio.bandit import Arm, forgetting, scores
from hean.portfolio.correlation import prior_correlation
from hean.portfolio.evidence import luck_of, moments, probabilistic_sharpe
from hean.portfolio.propensity import frequencies
from hean.portfolio.selection import Arms, Rules, choose

NAMES: tuple[str, ...] = (
    "basis_arbitrage",
    "correlation_arb",
    "enhanced_grid",
    "funding_harvester",
    "hf_scalping",
    "impulse_engine",
    "inventory_neutral_mm",
    "liquidity_sweep",
    "momentum_trader",
    "rebate_farmer",
    "sentiment_strategy",
)
COUNT = len(NAMES)
NORMAL = {Regime.NORMAL: 1.0}
RULES = Rules(least=2, most=8, changes=2, diversity=0.05, hysteresis=0.03)
DWELL = 2
GOOD, BAD = 2, 7
FULL = 0.95
DESIGN = {"D1": [0.84, 0.10], "D2": [2.4, 6.3], "D3": [0.84, 0.07]}
MUST = {"D1": [0.75, 0.20], "D2": [3.0, 5.5], "D3": [0.75, 0.15], "B3": 0.05}

Sets = NDArray[np.bool_]


def active_sets(seed: int, days: list[list[float]]) -> Sets:
    """Return who is active on each day, given each day's true mean per bin and strategy."""
    prior = prior_correlation(NAMES, {})
    root, draw = np.linalg.cholesky(np.array(prior)), np.random.default_rng(seed)
    arms = {name: Arm() for name in NAMES}
    shares = dict.fromkeys(NAMES, NORMAL)
    fade = forgetting(30.0)
    active, moved = [index < RULES.most for index in range(COUNT)], [-DWELL] * COUNT
    history: list[tuple[bool, ...]] = []
    for day, means in enumerate(days):
        for _ in range(3):
            bins = (root @ draw.standard_normal(COUNT) + np.array(means)).tolist()
            for index, name in enumerate(NAMES):
                arms[name].forget(fade)
                arms[name].learn(bins[index], 1.0 if active[index] else 0.5, NORMAL)
        drawn = scores(arms, shares, seed=seed, epoch=day, count=1)
        state = Arms(
            names=NAMES,
            active=tuple(active),
            movable=tuple(day - one >= DWELL for one in moved),
            forced=(False,) * COUNT,
            means=tuple(arms[name].posterior().mean for name in NAMES),
            correlation=prior,
        )
        chosen = choose([drawn[name][0] for name in NAMES], state, RULES).active
        moved = [day if a != b else at for a, b, at in zip(active, chosen, moved, strict=True)]
        active = list(chosen)
        history.append(chosen)
    return np.array(history)


def planted(good: float, bad: float, rest: float = 0.0) -> list[float]:
    """Return means with one good and one bad strategy."""
    means = [rest] * COUNT
    means[GOOD], means[BAD] = good, bad
    return means


def propensity_errors(seed: int, epochs: int) -> tuple[float, float]:
    """Return how far propensities lie from frequencies: of the set's size, and of one arm at most.

    One state of mixed beliefs, 1,000 replays, against the choices of `epochs` other draws.
    """
    draw = np.random.default_rng(seed)
    arms = {name: Arm() for name in NAMES}
    for arm in arms.values():
        mean = float(draw.normal(0.0, 0.1))
        for x in draw.normal(mean, 1.0, 90).tolist():
            arm.learn(x, 1.0, NORMAL)
    state = Arms(
        names=NAMES,
        active=tuple(bool(one) for one in draw.random(COUNT) < 0.4),
        movable=tuple(bool(one) for one in draw.random(COUNT) < 0.8),
        forced=(False,) * COUNT,
        means=tuple(arms[name].posterior().mean for name in NAMES),
        correlation=prior_correlation(NAMES, {}),
    )
    shares = dict.fromkeys(NAMES, NORMAL)
    replays = scores(arms, shares, seed=seed, epoch=0, count=1001)
    rows = [[replays[name][row] for name in NAMES] for row in range(1, 1001)]
    told = np.array(frequencies(rows, state, RULES))
    seen = np.zeros(COUNT)
    for epoch in range(1, epochs + 1):
        drawn = scores(arms, shares, seed=seed, epoch=epoch, count=1)
        seen += choose([drawn[name][0] for name in NAMES], state, RULES).active
    away = told - seen / epochs
    return float(away.sum()), float(np.abs(away).max())


def any_full(seed: int, bins: int) -> bool:
    """Return whether any worthless strategy with many trades would be FULL at any bin."""
    draw = np.random.default_rng(seed)
    values = draw.standard_normal((COUNT, bins)).tolist()
    for length in range(17, bins + 1):
        found = [moments(one[:length], [1.0] * length) for one in values]
        known = [one for one in found if one is not None]
        luck = luck_of(COUNT, known, float(length))
        if any(probabilistic_sharpe(one, luck) >= FULL for one in known):
            return True
    return False


def main() -> None:
    """Run every scenario and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--tier-seeds", type=int, default=200)
    options = parser.parse_args()
    days, seeds = options.days, range(options.seeds)
    one = [active_sets(seed, [planted(0.15, -0.15)] * days)[60:] for seed in seeds]
    bad = [active_sets(seed, [[-0.15] * COUNT] * days)[60:] for seed in seeds]
    good = [active_sets(seed, [[0.15] * COUNT] * days)[60:] for seed in seeds]
    path = [planted(0.2, -0.2)] * 90 + [planted(-0.2, 0.2)] * 120
    swap = [active_sets(seed, path)[150:] for seed in seeds]
    tiers = [any_full(seed, 90) for seed in range(options.tier_seeds)]
    errors = [propensity_errors(seed, 1000) for seed in seeds]
    print(
        json.dumps(
            {
                "seeds": options.seeds,
                "D1_good": _mean([float(run[:, GOOD].mean()) for run in one]),
                "D1_bad": _mean([float(run[:, BAD].mean()) for run in one]),
                "D2_all_bad": _mean([float(run.sum(axis=1).mean()) for run in bad]),
                "D2_all_good": _mean([float(run.sum(axis=1).mean()) for run in good]),
                "D3_now_good": _mean([float(run[:, BAD].mean()) for run in swap]),
                "D3_now_bad": _mean([float(run[:, GOOD].mean()) for run in swap]),
                "D8_size_error": _mean([abs(size) for size, _ in errors]),
                "D8_largest_error": max(one for _, one in errors),
                "B3_any_full": _mean([float(one) for one in tiers]),
                "design": DESIGN,
                "must": MUST,
            }
        )
    )


def _mean(values: list[float]) -> float:
    return round(math.fsum(values) / len(values), 4) if values else 0.0


if __name__ == "__main__":
    main()
