"""What shocks, bursts and stop-outs cost: the whole of M7, I5 and G-2, one JSON object.

usage: stress.py [--table] [--paths N] [--seed N]

M7: each strategy holds a position of its kind on the paper venue and does nothing while each shock
passes; its worst loss by the books as a fraction of its budget, of both sides the worse. I5: 10k
reports, 25k signals and 50k quotes of one instant; seconds, and whether books and outcomes held.
G-2: paths of losses up to the whole open-risk limit, and the least equity over its floor.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from hean.core.events import Side

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
shocks: Any = import_module("tests.faults.shocks")
bursts: Any = import_module("tests.faults.bursts")
outage: Any = import_module("tests.faults.outage")
composed: Any = import_module("tests.faults.composed")

BURSTS = (("critical", 10_000), ("signal", 25_000), ("market", 50_000))
STEPS = 400
DRAWDOWN_FLOOR, MOST_OPEN_RISK = 0.20, 0.05


def shock_table() -> dict[str, dict[str, float]]:
    """Return by strategy and shock the worse side's loss as a fraction of the budget."""
    found: dict[str, dict[str, float]] = {}
    for strategy in sorted(shocks.ROWS):
        row = found[strategy] = {}
        for shock in shocks.SHOCKS:
            outcomes = [shocks.run(strategy, shock, side) for side in Side]
            assert all(one.held for one in outcomes), (strategy, shock.name)
            for one in outcomes:
                one.composed.check()
                outage.check_outcomes(one.composed)
            row[shock.name] = round(max(one.share for one in outcomes), 4)
    return found


def burst_seconds() -> dict[str, float]:
    """Return by kind how long a burst of one instant took; the books and outcomes held."""
    found: dict[str, float] = {}
    for kind, count in BURSTS:
        system = composed.Composed()
        system.take(system.signal())
        system.beat(2)
        burst: Callable[[Any, int], None] = getattr(bursts, f"{kind}_burst")
        begun = time.perf_counter()
        burst(system, count)
        found[f"{kind} x {count}"] = round(time.perf_counter() - begun, 2)
        system.beat(2)
        outage.check_protected(system)
        outage.wind_up(system)
    return found


def least_over_floor(paths: int, seed: int) -> float:
    """Return the least equity over its floor, in floors, of random losses within the open risk.

    Two steps of three lose up to 5 % times m of equity, and the worst path all of it each time.
    """
    draw = np.random.Generator(np.random.PCG64(seed))
    equity, high = np.ones(paths), np.ones(paths)
    least = np.inf
    for _ in range(STEPS):
        multiplier = np.clip(1.0 - (1.0 - equity / high) / DRAWDOWN_FLOOR, 0.0, 1.0)
        share = draw.random(paths)
        share[0] = 1.0
        loses = draw.random(paths) < 2.0 / 3.0
        loses[0] = True
        change = np.where(loses, -MOST_OPEN_RISK, 0.02) * multiplier * share
        equity = equity * (1.0 + change)
        high = np.maximum(high, equity)
        least = min(least, float(np.min(equity / ((1.0 - DRAWDOWN_FLOOR) * high))))
    return least


def print_table(table: dict[str, dict[str, float]]) -> None:
    """Print losses in percent of the budget, a strategy a line."""
    names = [one.name for one in shocks.SHOCKS]
    print(" " * 22 + " ".join(f"{name:>15}" for name in names))
    for strategy, row in table.items():
        print(f"{strategy:22}" + " ".join(f"{100 * row[name]:>14.1f}%" for name in names))


def main() -> None:
    """Run everything; print JSON, or with --table the losses as a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--paths", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    table = shock_table()
    if asked.table:
        print_table(table)
        return
    limits = {one.name: one.limit for one in shocks.SHOCKS}
    worst = max(row[name] / limits[name] for row in table.values() for name in limits)
    least = least_over_floor(asked.paths, asked.seed)
    report = {
        "losses": table,
        "limits": limits,
        "worst_of_limit": round(worst, 4),
        "burst_seconds": burst_seconds(),
        "paths": asked.paths,
        "least_equity_over_floor": least,
    }
    print(json.dumps(report, indent=1))
    sys.exit(0 if worst < 1.0 and least > 1.0 else 1)


if __name__ == "__main__":
    main()
