"""How honestly capital follows evidence, with planted results: JSON lines.

    HEAN_ORACLES=/venv/bin/python python tools/bench/capital_honesty.py [--seeds N] [--days N]

Eleven strategies make one trade per 8 h bin; a trade earns N(edge, 1) in R, correlated as the prior
says. Weights are solved once a day by the hybrid rule with the phase share neutral, on the set that
AutoPilot keeps active; a bin earns the account sum(w * 2.5 % * x) of equity. Equal is 0.8/11 each.
Regret is that of policies that play one strategy a day; mabwiser's are given the results of the
first day of all, its Thompson sampling knows only won and lost. `HEAN_ORACLES` is a Python that has
mabwiser and skfolio; without it the oracles are skipped.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from portfolio_honesty import COUNT, DWELL, NAMES, NORMAL, RULES

from hean.portfolio.allocation import Candidate, Limits, solve
from hean.portfolio.allocation_methods import (
    hierarchical_shares,
    performance_shares,
    risk_parity_shares,
)
from hean.portfolio.bandit import Arm, forgetting, scores
from hean.portfolio.correlation import ledoit_wolf, prior_correlation
from hean.portfolio.evidence import Moments, moments, shrink
from hean.portfolio.selection import Arms, choose

Table = NDArray[np.float64]
BINS, SPEND, RISK = 3, 0.8, 0.025
EDGE, GOOD, OTHER = 0.1, 2, 8
LIMITS: Final = Limits(spend=SPEND, floor=0.05, cap=0.40, shift=0.10)
TWINS: Final = {
    "funding_harvester": "carry", "basis_arbitrage": "carry", "hf_scalping": "spread_capture",
    "inventory_neutral_mm": "spread_capture", "impulse_engine": "trend", "momentum_trader": "trend",
}  # fmt: skip
PRIOR: Final = prior_correlation(NAMES, {})
SUSTAINED, WINDOW = 10, 270


def outcomes(seed: int, means: Table) -> Table:
    """Return x by bin and strategy; `means` has a row for each bin."""
    root = np.linalg.cholesky(np.array(PRIOR))
    noise = np.random.default_rng(seed).standard_normal(means.shape)
    return means + noise @ root.T


def edges(days: int, *plans: tuple[int, int, float]) -> Table:
    """Return means of zero but for (first day, strategy, edge), each to the next plan's day."""
    means = np.zeros((days * BINS, COUNT))
    starts = [*(one[0] for one in plans), days]
    for (first, strategy, edge), end in zip(plans, starts[1:], strict=True):
        means[first * BINS : end * BINS, strategy] = edge
    return means


def cap_of(_: str) -> float:
    """Return every cluster's cap."""
    return 0.40


def account(x: Table, seed: int) -> tuple[Table, Table]:
    """Return the weights of each day, and who is active, as the shipped rules decide."""
    arms = {name: Arm() for name in NAMES}
    shares, fade = dict.fromkeys(NAMES, NORMAL), forgetting(30.0)
    active, moved = [index < RULES.most for index in range(COUNT)], [-DWELL] * COUNT
    weights = [SPEND / RULES.most if one else 0.0 for one in active]
    series: list[list[float]] = [[] for _ in NAMES]
    weighing: list[list[float]] = [[] for _ in NAMES]
    days = len(x) // BINS
    history, sets = np.zeros((days, COUNT)), np.zeros((days, COUNT))
    for day in range(days):
        history[day], sets[day] = weights, active
        for row in x[day * BINS : (day + 1) * BINS].tolist():
            for index, name in enumerate(NAMES):
                weight = 1.0 if active[index] else 0.5
                arms[name].forget(fade)
                arms[name].learn(row[index], weight, NORMAL)
                series[index].append(row[index])
                weighing[index].append(weight)
        drawn = scores(arms, shares, seed=seed, epoch=day, count=1)
        state = Arms(
            names=NAMES,
            active=tuple(active),
            movable=tuple(day - one >= DWELL for one in moved),
            forced=(False,) * COUNT,
            means=tuple(arms[name].posterior().mean for name in NAMES),
            correlation=PRIOR,
        )
        chosen = choose([drawn[name][0] for name in NAMES], state, RULES).active
        moved = [day if a != b else at for a, b, at in zip(active, chosen, moved, strict=True)]
        active = list(chosen)
        weights = solved(series, weighing, active, weights)
    return history, sets


def solved(
    series: list[list[float]],
    weighing: list[list[float]],
    active: list[bool],
    before: list[float],
) -> list[float]:
    """Return the weights of one reallocation."""
    found: dict[str, Moments | None] = {
        name: moments(series[index][-WINDOW:], weighing[index][-WINDOW:])
        for index, name in enumerate(NAMES)
    }
    beliefs = shrink(found, 0.03)
    names = [name for index, name in enumerate(NAMES) if active[index]]
    evidence = [beliefs[name].evidence for name in names]
    share = performance_shares(evidence, 1.0)
    candidates = [
        Candidate(
            strategy=name,
            target=SPEND * (0.7 * share[place] + 0.3 / len(names)),
            previous=before[NAMES.index(name)],
            evidence=evidence[place],
            cluster=TWINS.get(name, ""),
        )
        for place, name in enumerate(names)
    ]
    solution = solve(candidates, LIMITS, cap_of)
    return [solution[name].weight if name in solution else 0.0 for name in NAMES]


def earned(weights: Table, x: Table) -> float:
    """Return the per cent of equity that the weights earned."""
    by_bin = np.repeat(weights, BINS, axis=0)[: len(x)]
    return float((by_bin * x).sum() * RISK * 100.0)


def spread(values: list[float]) -> dict[str, float]:
    """Return a mean with its 95 % interval over seeds."""
    mean = math.fsum(values) / len(values)
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return {
        "mean": round(mean, 4), "low": round(mean - 1.96 * error, 4),
        "high": round(mean + 1.96 * error, 4),
    }  # fmt: skip


def finite(value: float) -> float | None:
    """Return a number, or None where it never happened."""
    return value if math.isfinite(value) else None


def sustained(holds: NDArray[np.bool_]) -> int | None:
    """Return the first day from which something holds for ten days on end."""
    run = 0
    for day, one in enumerate(holds.tolist()):
        run = run + 1 if one else 0
        if run == SUSTAINED:
            return day - SUSTAINED + 1
    return None


def no_edge(seeds: int, days: int) -> dict[str, Any]:
    """Return how far worthless strategies' capital strays from equal, and what that cost."""
    distances: list[float] = []
    largest: list[float] = []
    costs: list[float] = []
    pilots: list[float] = []
    for seed in range(seeds):
        x = outcomes(seed, edges(days))
        weights, sets = account(x, seed)
        totals = weights.sum(axis=1, keepdims=True)
        equal = sets / np.maximum(1.0, sets.sum(axis=1, keepdims=True))
        shares = weights / np.maximum(totals, 1e-12)
        distances.append(float(np.abs(shares - equal).sum(axis=1).mean() / 2.0))
        largest.append(float(np.abs(shares - equal).max()))
        even = np.full((days, COUNT), SPEND / COUNT)
        costs.append(earned(weights, x) - earned(even, x))
        pilots.append(earned(sets * SPEND / np.maximum(1.0, sets.sum(axis=1, keepdims=True)), x)
                      - earned(even, x))  # fmt: skip
    return {
        "work": "no edge", "days": days, "seeds": seeds,
        "distance_from_equal": spread(distances), "largest_deviation": spread(largest),
        "account_minus_equal_percent": spread(costs),
        "autopilot_minus_equal_percent": spread(pilots),
    }  # fmt: skip


def one_edge(seeds: int, days: int) -> dict[str, Any]:
    """Return how many trades one edge of 0.1 R needs until it has more than its equal share."""
    above: list[float] = []
    gains: list[float] = []
    shares: list[float] = []
    for seed in range(seeds):
        x = outcomes(1000 + seed, edges(days, (0, GOOD, EDGE)))
        weights, sets = account(x, seed)
        fair = SPEND / np.maximum(1.0, sets.sum(axis=1))
        day = sustained((weights[:, GOOD] > fair) & (weights[:, GOOD] > LIMITS.floor))
        above.append(math.inf if day is None else float(day * BINS))
        gains.append(earned(weights, x) - earned(np.full((days, COUNT), SPEND / COUNT), x))
        shares.append(float(weights[days // 2 :, GOOD].mean()))
    return {
        "work": "one edge of 0.1 R", "days": days, "seeds": seeds,
        "trades_until_above_floor_and_fair_share_median": finite(median(above)),
        "reached": sum(math.isfinite(one) for one in above),
        "weight_in_second_half": spread(shares),
        "account_minus_equal_percent": spread(gains),
    }  # fmt: skip


def moved_edge(seeds: int, days: int) -> dict[str, Any]:
    """Return how long capital takes to follow an edge that moves to another strategy."""
    half, follow = days // 2, list[float]()
    for seed in range(seeds):
        x = outcomes(2000 + seed, edges(days, (0, GOOD, 2 * EDGE), (half, OTHER, 2 * EDGE)))
        weights, _ = account(x, seed)
        day = sustained(weights[half:, OTHER] > weights[half:, GOOD])
        follow.append(math.inf if day is None else float(day))
    return {
        "work": "an edge of 0.2 R moves", "at_day": half, "seeds": seeds,
        "days_to_follow_median": finite(median(follow)),
        "followed": sum(math.isfinite(one) for one in follow),
    }  # fmt: skip


def thompson(x: Table, seed: int, *, half_life: float | None, shadow: float) -> list[int]:
    """Return the arm played each day: the largest draw."""
    arms = {name: Arm() for name in NAMES}
    shares = dict.fromkeys(NAMES, NORMAL)
    fade = 1.0 if half_life is None else forgetting(half_life)
    played: list[int] = []
    for day in range(len(x) // BINS):
        drawn = scores(arms, shares, seed=seed, epoch=day, count=1)
        values = [drawn[name][0] for name in NAMES]
        best = values.index(max(values))
        played.append(best)
        for row in x[day * BINS : (day + 1) * BINS].tolist():
            for index, name in enumerate(NAMES):
                arms[name].forget(fade)
                weight = 1.0 if index == best else shadow
                if weight > 0.0:
                    arms[name].learn(row[index], weight, NORMAL)
    return played


def counted(x: Table, seed: int, rule: str) -> list[int]:
    """Return the arm played each day by uniform choice, epsilon-greedy (0.1) or UCB1."""
    draw, count, total = np.random.default_rng(seed), np.zeros(COUNT), np.zeros(COUNT)
    daily = x.reshape(-1, BINS, COUNT).sum(axis=1)
    played: list[int] = []
    for day, rewards in enumerate(daily):
        mean = total / np.maximum(count, 1.0)
        if rule == "uniform" or (rule == "epsilon-greedy" and draw.random() < 0.1):
            best = int(draw.integers(COUNT))
        elif rule == "ucb1":
            bonus = math.sqrt(BINS) * np.sqrt(2.0 * math.log(day + 1.0) / np.maximum(count, 1e-9))
            best = int(np.argmax(np.where(count > 0, mean + bonus, np.inf)))
        else:
            best = int(np.argmax(np.where(count > 0, mean, np.inf)))
        played.append(best)
        count[best] += 1.0
        total[best] += rewards[best]
    return played


ORACLE: Final = """
import json, sys
import numpy as np
given = json.loads(sys.stdin.read())
answer = {}
try:
    from mabwiser.mab import MAB, LearningPolicy
    daily = np.array(given["daily"])
    for name, policy in (("epsilon-greedy", LearningPolicy.EpsilonGreedy(0.1)),
                         ("ucb1", LearningPolicy.UCB1(1.25)),
                         ("Thompson (won or lost)",
                          LearningPolicy.ThompsonSampling(lambda arm, reward: int(reward > 0)))):
        mab = MAB(list(range(daily.shape[1])), policy, seed=given["seed"])
        mab.fit(list(range(daily.shape[1])), daily[0].tolist())
        played = []
        for row in daily:
            arm = int(mab.predict())
            played.append(arm)
            mab.partial_fit([arm], [float(row[arm])])
        answer["mabwiser " + name] = played
except ImportError as error:
    answer["mabwiser"] = str(error)
try:
    from skfolio import RiskMeasure
    from skfolio.cluster import HierarchicalClustering, LinkageMethod
    from skfolio.optimization import HierarchicalRiskParity, RiskBudgeting
    x, variance = np.array(given["returns"]), RiskMeasure.VARIANCE
    answer["risk_budgeting"] = RiskBudgeting(risk_measure=variance).fit(x).weights_.tolist()
    single = HierarchicalClustering(linkage_method=LinkageMethod.SINGLE)
    hrp = HierarchicalRiskParity(
        risk_measure=variance, hierarchical_clustering_estimator=single)
    answer["hrp"] = hrp.fit(x).weights_.tolist()
except ImportError as error:
    answer["skfolio"] = str(error)
print(json.dumps(answer))
"""


def oracle(daily: Table, returns: Table, seed: int) -> dict[str, Any]:
    """Return what mabwiser plays and how skfolio splits, or why not."""
    python = os.environ.get("HEAN_ORACLES", "")
    if not python:
        return {"skipped": "HEAN_ORACLES names no Python with mabwiser and skfolio"}
    given = {"daily": daily.tolist(), "returns": returns.tolist(), "seed": seed}
    done = subprocess.run(
        [python, "-c", ORACLE], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    if done.returncode:
        return {"skipped": done.stderr[-300:]}
    return json.loads(done.stdout)


def regret(seeds: int, days: int) -> dict[str, Any]:
    """Return the mean regret in R of policies that play one arm a day, one edge of 0.1 R."""
    means = edges(days, (0, GOOD, EDGE))
    by_day = means[::BINS] * BINS
    found: dict[str, list[float]] = {}
    skipped = ""
    for seed in range(seeds):
        x = outcomes(3000 + seed, means)
        plays = {
            "HEAN (half-life 30 days, shadow 0.5)": thompson(x, seed, half_life=30.0, shadow=0.5),
            "HEAN without the shadow book": thompson(x, seed, half_life=30.0, shadow=0.0),
            "Thompson undiscounted": thompson(x, seed, half_life=None, shadow=0.0),
            **{rule: counted(x, seed, rule) for rule in ("uniform", "epsilon-greedy", "ucb1")},
        }
        answer = oracle(x.reshape(-1, BINS, COUNT).sum(axis=1), x[:30], seed)
        skipped = answer.get("skipped", answer.get("mabwiser", skipped))
        plays |= {name: one for name, one in answer.items() if name.startswith("mabwiser ")}
        for name, played in plays.items():
            lost = float((by_day.max(axis=1) - by_day[np.arange(days), played]).sum())
            found.setdefault(name, []).append(lost)
    rows = {name: spread(values) for name, values in found.items()}
    return {"work": "regret in R", "days": days, "seeds": seeds, "regret": rows} | (
        {"oracle": skipped} if skipped else {}
    )


def splits(days: int) -> dict[str, Any]:
    """Return how far our risk parity and HRP lie from skfolio's on the same returns."""
    x = outcomes(4000, edges(days))
    x = x / x.std(axis=0)
    answer = oracle(x[:3], x, 0)
    if "risk_budgeting" not in answer:
        return {"work": "splits against skfolio", "skipped": answer.get("skipped") or answer}
    sample = np.corrcoef(x.T).tolist()
    shrunk = ledoit_wolf(x.T.tolist())
    pairs = {
        "risk parity, same correlation": (risk_parity_shares(sample), answer["risk_budgeting"]),
        "risk parity, shrunk": (risk_parity_shares(shrunk), answer["risk_budgeting"]),
        "hrp, same correlation": (hierarchical_shares(sample), answer["hrp"]),
        "hrp, shrunk": (hierarchical_shares(shrunk), answer["hrp"]),
    }
    return {
        "work": "splits against skfolio", "bins": len(x),
        "note": "HRP differs by the order of leaves: skfolio reorders them optimally",
        "largest_difference": {
            name: round(float(np.abs(np.array(one) - np.array(other)).max()), 6)
            for name, (one, other) in pairs.items()
        },
    }  # fmt: skip


def main() -> None:
    """Print one line a question."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--days", type=int, default=365)
    given = parser.parse_args()
    for row in (
        no_edge(given.seeds, given.days),
        one_edge(given.seeds, given.days),
        moved_edge(given.seeds, given.days),
        regret(given.seeds, given.days),
        splits(given.days),
    ):
        print(json.dumps(row | {"python": sys.version.split()[0]}), flush=True)


if __name__ == "__main__":
    main()
