"""The committed ratios to the plain loop, and the comparison of a row with them.

A row's `ratio_to_reference` is its CPU time over that of the plain-Python loop in the same run, so
that a slower machine fails nobody. `--check` refuses what is slower than the tolerance allows.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, Final

from bench.workloads import reference

BASELINE: Final = Path(__file__).with_name("baseline.json")
TOLERANCE: Final = 1.6
"""How many times the committed ratio a run may take: shared machines are noisy."""
_ROUNDS: Final = 5
_STEPS: Final = 100_000
_PRICES: Final = [500_000 + (step * 7919) % 1000 for step in range(_STEPS)]


def reference_ns() -> float:
    """Return the ns of CPU of one step of the plain loop here and now: the best of some rounds."""
    return min(_timed(_PRICES) for _ in range(_ROUNDS)) / _STEPS


def _timed(prices: list[int]) -> int:
    began = time.process_time_ns()
    reference(prices)
    return time.process_time_ns() - began


def emit(row: dict[str, Any], *, check: bool) -> None:
    """Print a row as one line of JSON; with `check`, end with status 1 where it got slower."""
    print(json.dumps(row))
    if not check:
        return
    known = json.loads(BASELINE.read_text()).get(row["work"])
    ratio = row["ratio_to_reference"]
    if known is None:
        sys.exit(f"{row['work']} has no line in {BASELINE.name}")
    if ratio > known * TOLERANCE:
        sys.exit(f"{row['work']} takes {ratio} times the plain loop; {known} was committed")
    if row.get("agrees") is False:
        sys.exit(f"{row['work']} trades differently: {row}")
