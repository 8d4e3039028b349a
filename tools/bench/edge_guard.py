"""Whether the guard finds a planted edge and refuses none: I11 and I12, one JSON object.

usage: edge_guard.py [--seeds N] [--trades N]

For each strategy, trades shaped like its card (target, stop, time) on a Gaussian walk: without edge
their mean gross must lie within 3 SE of 0 and at most 5 % of the seeds may ever reach ACTIVE; with
three costs planted in each entry, every seed must be promoted and net must be above 0. The guard is
asked after each trade, with the fees of an entry tier. This is the guard's arithmetic alone;
`evidence.py` shows it the strategies' own trades.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hean.core import edge
from hean.core.events import GuardMode

FEES = edge.Fees(maker_bp=2.0, taker_bp=5.5)
SIGMA_BP = 0.9
"""Volatility of a second."""
STEPS = 200
"""Steps a trade is followed for, whatever its time stop."""
PLANTED_COSTS = 3.0
MOST_ACTIVE = 0.05
ERRORS = 3.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """A trade as a card plans it: distances in bp, the time stop in s, and how its fees fall."""

    strategy: str
    target_bp: float
    stop_bp: float
    seconds: float
    fees: edge.ExitMix

    @property
    def cost_bp(self) -> float:
        return edge.round_trip_bp(FEES, self.fees)


SHAPES = (
    Shape("hf_scalping", 12.0, 14.4, 90, edge.MAKER_MAKER),
    Shape("inventory_neutral_mm", 10.0, 50.0, 600, edge.MAKER_MAKER),
    Shape("rebate_farmer", 37.5, 50.0, 900, edge.MAKER_MAKER),
    Shape("impulse_engine", 45.0, 30.0, 300, edge.TAKER_TAKER),
    Shape("liquidity_sweep", 33.0, 22.0, 900, edge.TAKER_TAKER),
    Shape("momentum_trader", 300.0, 150.0, 432_000, edge.TAKER_TAKER),
    Shape("enhanced_grid", 12.0, 72.0, 14_400, edge.MAKER_MAKER),
    Shape("funding_harvester", 55.0, 55.0, 2_400, edge.MAKER_TAKER),
    Shape("basis_arbitrage", 25.0, 25.0, 900, edge.MAKER_TAKER),
    Shape("correlation_arb", 60.0, 60.0, 43_200, edge.MAKER_TAKER),
    Shape("sentiment_strategy", 200.0, 100.0, 1_209_600, edge.MAKER_TAKER),
)


def gross_outcomes(shape: Shape, trades: int, seed: int) -> Floats:
    """Return what each trade of a seed gains on a walk, left where it first met a barrier."""
    draw = np.random.default_rng([seed, len(shape.strategy), round(shape.stop_bp * 10)])
    nearest = min(shape.target_bp, shape.stop_bp)
    step = min(SIGMA_BP * math.sqrt(shape.seconds / STEPS), nearest / 4.0)
    path = np.cumsum(step * draw.standard_normal((trades, STEPS)), axis=1)
    met = (path >= shape.target_bp) | (path <= -shape.stop_bp)
    last = np.where(met.any(axis=1), met.argmax(axis=1), STEPS - 1)
    return path[np.arange(trades), last]


def modes_of(nets_bp: list[float], cost_bp: float) -> tuple[bool, int]:
    """Return whether a cell ever became ACTIVE, and after how many trades it left SHADOW first."""
    mode, cell, active, left = GuardMode.SHADOW, edge.Cell(), False, 0
    for number, net in enumerate(nets_bp, start=1):
        cell = cell.with_outcome(net)
        mode = edge.next_mode(mode, cell, cost_bp)
        if mode is not GuardMode.SHADOW and not left:
            left = number
        active = active or mode is GuardMode.ACTIVE
    return active, left


def study(shape: Shape, seeds: int, trades: int, planted_bp: float) -> dict[str, Any]:
    """Return what the guard made of all seeds of a shape."""
    cost, gross = shape.cost_bp, list[Floats]()
    active = promoted = 0
    waits: list[int] = []
    for seed in range(seeds):
        found = gross_outcomes(shape, trades, seed) + planted_bp
        was_active, left = modes_of((found - cost).tolist(), cost)
        active += was_active
        promoted += left > 0
        if left:
            waits.append(left)
        gross.append(found)
    every = np.concatenate(gross)
    mean, error = float(every.mean()), float(every.std(ddof=1) / math.sqrt(len(every)))
    return {
        "trades": len(every),
        "cost_bp": cost,
        "gross_bp": round(mean, 4),
        "gross_error_bp": round(error, 4),
        "net_bp": round(mean - cost, 4),
        "ever_promoted": promoted / seeds,
        "ever_active": active / seeds,
        "median_trades_to_probe": float(np.median(waits)) if waits else None,
    }


def is_luck(found: dict[str, Any]) -> bool:
    """Return whether I11 holds: no gross edge to speak of, and hardly ever trusted in full."""
    near = abs(found["gross_bp"]) <= ERRORS * found["gross_error_bp"]
    return bool(near and found["ever_active"] <= MOST_ACTIVE)


def is_found(found: dict[str, Any]) -> bool:
    """Return whether I12 holds: every seed promoted, net above 0."""
    return bool(found["ever_promoted"] == 1.0 and found["net_bp"] > 0.0)


def measure(seeds: int, trades: int) -> dict[str, Any]:
    """Return both invariants for every shape."""
    result: dict[str, Any] = {}
    for shape in SHAPES:
        walked = study(shape, seeds, trades, 0.0)
        planted = study(shape, seeds, trades, PLANTED_COSTS * shape.cost_bp)
        result[shape.strategy] = {
            "walk": walked,
            "planted": planted,
            "I11": is_luck(walked),
            "I12": is_found(planted),
        }
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--trades", type=int, default=1000)
    given = parser.parse_args()
    shapes = measure(given.seeds, given.trades)
    report: dict[str, Any] = {"seeds": given.seeds, "trades_a_seed": given.trades, "shapes": shapes}
    report["holds"] = all(one["I11"] and one["I12"] for one in shapes.values())
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
