"""The account on real data: who got the capital, and what came of it; one JSON line a run.

    HEAN_DATA=folder python tools/bench/capital_real.py [--capital N ...] [--dataset NAME ...]

Each dataset is run with the hybrid allocation and AutoPilot, with an equal split among all
strategies that can run, and with each strategy alone, at every capital. `net_low` and `net_high`
bound the net result: a circular block bootstrap of the daily changes of equity, five days a block.
`HEAN_DATA` holds `datasets/NAME.toml`; a dataset that is not there is skipped with its reason.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from real import data_folder

pq: Any = import_module("pyarrow.parquet")  # it ships no types
DATASETS: Final = ("bybit-perps-5m-2025q4", "bybit-spot-perp-5m-2025")
CAPITALS: Final = ("300", "1000", "10000")
DAY_NS: Final = 86_400_000_000_000
BLOCK, DRAWS = 5, 2000
EQUAL: Final = (
    "--set", "CAPITAL_ALLOCATION_METHOD=equal", "--set", "PORTFOLIO__AUTOPILOT_ENABLED=false",
)  # fmt: skip


def daily_changes(directory: Path) -> list[float]:
    """Return the change of equity on each UTC day of a run, in USDT."""
    table = pq.read_table(directory / "equity.parquet", columns=["ts_ns", "equity"]).to_pydict()
    last: dict[int, float] = {}
    for ts_ns, equity in zip(table["ts_ns"], table["equity"], strict=True):
        last[ts_ns // DAY_NS] = float(equity)
    values = [float(table["equity"][0]), *last.values()]
    return [after - before for before, after in itertools.pairwise(values)]


def interval(changes: list[float]) -> tuple[float, float]:
    """Return the 95 % interval of the sum of the changes, by a circular block bootstrap."""
    draw = np.random.default_rng(0)
    series = np.array(changes)
    count = len(series)
    starts = draw.integers(0, count, size=(DRAWS, -(-count // BLOCK)))
    places = (starts[:, :, None] + np.arange(BLOCK)) % count
    sums = series[places.reshape(DRAWS, -1)[:, :count]].sum(axis=1)
    low, high = np.quantile(sums, [0.025, 0.975])
    return round(float(low), 2), round(float(high), 2)


def turnover(directory: Path) -> float:
    """Return the value of all fills in USDT."""
    table = pq.read_table(directory / "fills.parquet", columns=["price", "qty"]).to_pydict()
    total = 0.0
    for price, quantity in zip(table["price"], table["qty"], strict=True):
        total += float(price) * float(quantity)
    return total


def run(dataset: str, capital: str, name: str, options: tuple[str, ...]) -> dict[str, Any]:
    """Return the row of one backtest, made in a process of its own."""
    path = data_folder() / "datasets" / f"{dataset}.toml"
    row: dict[str, Any] = {"dataset": dataset, "capital": capital, "run": name}
    if not path.exists():
        return row | {"skipped": f"{path} is not there"}
    with tempfile.TemporaryDirectory(prefix="hean-capital-") as folder:
        out = Path(folder) / "run"
        done = subprocess.run(
            [
                sys.executable, "-m", "hean.app", "backtest", str(path), "--out", str(out),
                "--capital", capital, *options,
            ],
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            return row | {"failed": done.stderr[-300:]}
        summary = json.loads((out / "summary.json").read_text())
        low, high = interval(daily_changes(out))
        traded = turnover(out)
    start, end = float(summary["wallet_start"]), float(summary["equity_end"])
    return row | {
        "net": round(end - start, 2),
        "net_low": low,
        "net_high": high,
        "net_percent": round(100 * (end - start) / start, 3),
        "max_drawdown_percent": round(100 * summary["max_drawdown"], 3),
        "turnover": round(traded / start, 2),
        "fees": round(float(summary["fees"]), 2),
        "funding": round(float(summary["funding"]), 2),
        "signals": summary["signals"],
        "fills": summary["fills"],
        "refused_for_size": summary["rejections"].get("POSITION_SIZER_ZERO", 0),
        "refused_inactive": summary["rejections"].get("STRATEGY_INACTIVE", 0),
        "books_balance": summary["books_balance"],
        "runnable": [
            one
            for one, found in summary["strategies"].items()
            if not found.get("cannot_run_because")
        ],
    }


def main() -> None:
    """Print one row a run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--capital", nargs="+", default=list(CAPITALS))
    parser.add_argument("--dataset", nargs="+", default=list(DATASETS))
    given = parser.parse_args()
    for dataset in given.dataset:
        for capital in given.capital:
            first = run(dataset, capital, "hybrid and AutoPilot", ())
            rows = [first, run(dataset, capital, "equal split of all", EQUAL)]
            for row in rows:
                print(json.dumps(row), flush=True)
            for strategy in first.get("runnable", ()):
                row = run(dataset, capital, f"{strategy} alone", ("--strategies", strategy))
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
