"""The real datasets with every strategy that can run, through the command line; one line each.

    HEAN_DATA=folder python tools/bench/real.py [DATASET ...]

`HEAN_DATA` holds `datasets/NAME.toml`. A dataset that is not there is skipped with its reason.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

DATASETS: Final = ("bybit-perps-5m-2025q4", "binance-nexo-ticks-24h")
_ROOT: Final = Path(__file__).resolve().parents[2]


def data_folder() -> Path:
    """Return where the datasets lie: HEAN_DATA, or the folder shared beside the checkout."""
    return Path(os.environ.get("HEAN_DATA", _ROOT.parent / "shared" / "data"))


def run(name: str) -> dict[str, Any]:
    """Return the row of one dataset; its CPU and memory are those of the whole process."""
    path = data_folder() / "datasets" / f"{name}.toml"
    if not path.exists():
        return {"work": name, "skipped": f"{path} is not there"}
    began = time.perf_counter()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "hean.app", "backtest", str(path), "--json"],
            stdout=output,
            stderr=complaints,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        complaints.seek(0)
        if process.returncode:
            return {"work": name, "failed": complaints.read().decode()[-400:]}
        summary = json.loads(output.read())
    spent = usage.ru_utime + usage.ru_stime
    events = summary["events_in"]
    return {
        "work": name,
        "events": events,
        "cpu_seconds": round(spent, 2),
        "wall_seconds": round(time.perf_counter() - began, 2),
        "events_per_cpu_second": round(events / spent),
        "rss_mb": round(usage.ru_maxrss / 1024),
        "fills": summary["fills"],
        "equity_end": summary["equity_end"],
        "decisions_sha256": summary["decisions_sha256"],
        "python": sys.version.split()[0],
    }


def main() -> None:
    """Print one row a dataset."""
    for name in sys.argv[1:] or DATASETS:
        print(json.dumps(run(name)), flush=True)


if __name__ == "__main__":
    main()
