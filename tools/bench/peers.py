"""The peers on the same work in the same run, in turn with ours; one line of JSON each.

    VENVS=folder PEERS=folder python tools/bench/peers.py [--rounds N]

`PEERS` holds their scripts (`p_nautilus.py`, ...), `VENVS/main` the environment they run in. What
is not there is skipped with its reason.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

_HERE: Final = Path(__file__).resolve().parent
CASES: Final = (
    ("nautilus", "p_nautilus.py", ("W1", "builtin")),
    ("backtesting.py", "p_backtesting.py", ("W1", "builtin")),
    ("hftbacktest compiled", "p_hftbacktest.py", ("W1", "njit")),
    ("hftbacktest in Python", "p_hftbacktest.py", ("W1", "py")),
    ("nautilus", "p_nautilus.py", ("W2", "builtin")),
    ("backtesting.py", "p_backtesting.py", ("W2", "builtin")),
)


def ours(work: str) -> dict[str, Any]:
    """Return our own row of a workload."""
    command = [sys.executable, str(_HERE / "kernel.py"), work]
    row = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return {"engine": "hean", "work": work, "rate": row["events_per_cpu_second"], **_result(row)}


def peer(name: str, python: Path, script: Path, arguments: tuple[str, ...]) -> dict[str, Any]:
    """Return a peer's row, or why there is none."""
    row: dict[str, Any] = {"engine": name, "work": arguments[0]}
    command = [str(python), str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            found = json.loads(line.removeprefix("RESULT "))
            return {**row, "rate": round(found["events"] / found["run_cpu"]), **_result(found)}
    return {**row, "skipped": done.stderr.strip()[-200:] or "it reported nothing"}


def _result(row: dict[str, Any]) -> dict[str, Any]:
    return {"fills": row["fills"], "pnl": row["pnl"], "rss_mb": row["rss_mb"]}


def cases() -> tuple[list[tuple[str, Path, Path, tuple[str, ...]]], str]:
    """Return the peers that can run, or why none can."""
    venvs, scripts = os.environ.get("VENVS"), os.environ.get("PEERS")
    if not venvs or not scripts:
        return [], "set VENVS and PEERS to run the peers"
    python = Path(venvs) / "main" / "bin" / "python"
    if not python.exists():
        return [], f"{python} is not there"
    return [(name, python, Path(scripts) / file, given) for name, file, given in CASES], ""


def main() -> None:
    """Run every case in turn, so often, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    rounds = parser.parse_args().rounds
    runnable, reason = cases()
    if reason:
        print(json.dumps({"work": "peers", "skipped": reason}))
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for _ in range(rounds):
        rows = [ours("W1"), *(peer(*one) for one in runnable), ours("W2")]
        for row in rows:
            found.setdefault((row["engine"], row["work"]), []).append(row)
    for rows in found.values():
        rates = [row["rate"] for row in rows if "rate" in row]
        print(
            json.dumps({**rows[-1], **({"rate": round(statistics.median(rates))} if rates else {})})
        )


if __name__ == "__main__":
    main()
