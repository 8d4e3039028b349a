"""The account on real data: who got the capital, and what came of it; one JSON line a run.

    HEAN_DATA=folder python tools/bench/capital_real.py ROWS.jsonl [--jobs N]
        [--capital N ...] [--dataset NAME ...] [--table]

Each dataset is run with the hybrid allocation and AutoPilot, with an equal split among all
strategies that can run, and with each strategy alone, at every capital. A row is written as soon as
its run ends; what the file holds already of the same code is not run again, so an interrupted bench
goes on where it was. `--table` only prints the table of the rows there are. `net_low` and
`net_high` bound the net result: a circular block bootstrap of the daily changes of equity, five
days a block; the difference between hybrid and equal is bounded on the same days.
`HEAN_DATA` holds `datasets/NAME.toml`; a dataset that is not there is skipped with its reason.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from real import data_folder

pq: Any = import_module("pyarrow.parquet")  # it ships no types
Row = dict[str, Any]
DATASETS: Final = ("bybit-perps-5m-2025q4", "bybit-spot-perp-5m-2025")
CAPITALS: Final = ("300", "1000", "10000")
DAY_NS: Final = 86_400_000_000_000
BLOCK, DRAWS = 5, 2000
HYBRID, EQUAL = "hybrid + AutoPilot", "equal split of all"
SPLIT: Final = (
    "--set", "CAPITAL_ALLOCATION_METHOD=equal", "--set", "PORTFOLIO__AUTOPILOT_ENABLED=false",
)  # fmt: skip
_PACKAGES: Final = Path(__file__).resolve().parents[2] / "backend" / "packages"


def code_digest() -> str:
    """Return a digest of everything the packages ship."""
    found = sha256()
    for path in sorted(_PACKAGES.glob("*/src/**/*.py")):
        found.update(str(path.relative_to(_PACKAGES)).encode() + path.read_bytes())
    return found.hexdigest()[:16]


def runs_of(dataset: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield every run's name and options: hybrid, equal, and each strategy that can run alone."""
    from hean.app.feeds.replay import DatasetFeed
    from hean.app.inspection import strategies_on
    from hean.app.settings import AppSettings

    yield HYBRID, ()
    yield EQUAL, SPLIT
    description = DatasetFeed(_path(dataset)).description
    for one in strategies_on(AppSettings(), description).strategies:
        if not one.cannot_run_because:
            yield f"{one.name} alone", ("--strategies", one.name)


def _path(dataset: str) -> Path:
    return data_folder() / "datasets" / f"{dataset}.toml"


def daily_changes(directory: Path) -> list[float]:
    """Return the change of equity on each UTC day of a run, in USDT."""
    table = pq.read_table(directory / "equity.parquet", columns=["ts_ns", "equity"]).to_pydict()
    last: dict[int, float] = {}
    for ts_ns, equity in zip(table["ts_ns"], table["equity"], strict=True):
        last[ts_ns // DAY_NS] = float(equity)
    first, end = min(last), max(last)
    values = [float(table["equity"][0])]
    for day in range(first, end + 1):
        values.append(last.get(day, values[-1]))
    return [round(after - before, 8) for before, after in itertools.pairwise(values)]


def interval(changes: Sequence[float]) -> tuple[float, float]:
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


def run(dataset: str, capital: str, name: str, options: tuple[str, ...]) -> Row:
    """Return the row of one backtest, made in a process of its own."""
    row: Row = {"dataset": dataset, "capital": capital, "run": name}
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="hean-capital-") as folder:
        out = Path(folder) / "run"
        done = subprocess.run(
            [
                sys.executable, "-m", "hean.app", "backtest", str(_path(dataset)),
                "--out", str(out), "--capital", capital, *options,
            ],
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            return row | {"failed": done.stderr[-300:]}
        summary = json.loads((out / "summary.json").read_text())
        changes, traded = daily_changes(out), turnover(out)
    return row | _facts(summary, changes, traded) | {"seconds": round(time.perf_counter() - began)}


def _facts(summary: Row, changes: list[float], traded: float) -> Row:
    low, high = interval(changes)
    start, end = float(summary["wallet_start"]), float(summary["equity_end"])
    return {
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
        "daily": changes,
    }


def _key(row: Row) -> tuple[str, str, str]:
    return row["dataset"], row["capital"], row["run"]


def read_rows(path: Path, code: str = "") -> dict[tuple[str, str, str], Row]:
    """Return the finished rows of this code, by default of the newest row's.

    A line cut short by a kill counts as none.
    """
    rows: list[Row] = []
    for line in path.read_text().splitlines() if path.is_file() else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    code = code or (rows[-1]["code"] if rows else "")
    return {_key(row): row for row in rows if row["code"] == code and "failed" not in row}


def fill(
    path: Path, code: str, datasets: Sequence[str], capitals: Sequence[str], jobs: int
) -> None:
    """Run what is missing, at most `jobs` at once, and append each row when its run ends."""
    known = read_rows(path, code)
    missing: list[tuple[str, str, str, tuple[str, ...]]] = []
    for dataset in datasets:
        if not _path(dataset).exists():
            print(json.dumps({"dataset": dataset, "skipped": f"{_path(dataset)} is not there"}))
            continue
        missing += [
            (dataset, capital, name, options)
            for name, options in runs_of(dataset)
            for capital in capitals
            if (dataset, capital, name) not in known
        ]
    with ThreadPoolExecutor(jobs) as pool, path.open("a") as file:
        waiting = [pool.submit(run, *one) for one in missing]
        for place, done in enumerate(as_completed(waiting), start=1):
            row = done.result() | {"code": code}
            file.write(json.dumps(row) + "\n")
            file.flush()
            said = {name: value for name, value in row.items() if name != "daily"}
            print(f"{place}/{len(missing)} {json.dumps(said)}", file=sys.stderr, flush=True)


def show_table(rows: Sequence[Row]) -> None:
    """Print the rows as a table, and hybrid minus equal with its interval."""
    print("| dataset | USDT | run | net [95 %] | % | drawdown % | turnover | fees | fills | "
          "refused for size | inactive |")  # fmt: skip
    print("|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    ranked = {HYBRID: 0, EQUAL: 1}
    for row in sorted(
        rows,
        key=lambda one: (
            one["dataset"], float(one["capital"]), ranked.get(one["run"], 2), one["run"],
        ),
    ):  # fmt: skip
        print(
            f"| {row['dataset']} | {row['capital']} | {row['run']} | {row['net']:+.2f} "
            f"[{row['net_low']:+.2f}, {row['net_high']:+.2f}] | {row['net_percent']:+.2f} | "
            f"{row['max_drawdown_percent']:.2f} | {row['turnover']:.1f} | {row['fees']:.2f} | "
            f"{row['fills']:,} | {row['refused_for_size']:,} | {row['refused_inactive']:,} |"
        )
    known = {_key(row): row for row in rows}
    for dataset, capital, name in sorted(known):
        other = known.get((dataset, capital, EQUAL))
        if name != HYBRID or other is None:
            continue
        pairs = zip(known[dataset, capital, name]["daily"], other["daily"], strict=True)
        changes = [one - two for one, two in pairs]
        low, high = interval(changes)
        print(f"{dataset} at {capital}: {HYBRID} minus {EQUAL} "
              f"{sum(changes):+.2f} [{low:+.2f}, {high:+.2f}]")  # fmt: skip


def main() -> None:
    """Fill the file, then print its table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=Path)
    parser.add_argument("--capital", nargs="+", default=list(CAPITALS))
    parser.add_argument("--dataset", nargs="+", default=list(DATASETS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    code = "" if given.table else code_digest()
    if code:
        fill(given.rows, code, given.dataset, given.capital, given.jobs)
    show_table(list(read_rows(given.rows, code).values()))


if __name__ == "__main__":
    main()
