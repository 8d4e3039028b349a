"""What publishing one event costs: dispatch to 1, 5 and 11 handlers; one line of JSON each.

python tools/bench/bus.py [--check]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.baseline import emit, reference_ns
from hean.core.bus import Bus, Stage
from hean.core.events import Side, Trade

_EVENTS = 300_000
_ROUNDS = 5


class _Handler:
    def __init__(self) -> None:
        self.last = 0.0

    def take(self, event: Trade) -> None:
        self.last = event.price


def publish_ns(handlers: int) -> float:
    """Return the ns of CPU of one dispatch to so many handlers of one instrument."""
    bus = Bus()
    for number in range(handlers):
        bus.subscribe(
            Trade, _Handler().take, stage=Stage.STRATEGIES, owner=f"handler{number}", key="X"
        )
    event = Trade(
        ts_event=1, ts_init=1, instrument="X", price=1.0, quantity=1.0, taker_side=Side.BUY
    )
    return min(_round(bus, event) for _ in range(_ROUNDS))


def _round(bus: Bus, event: Trade) -> float:
    dispatch = bus.dispatch
    began = time.process_time_ns()
    for _ in range(_EVENTS):
        dispatch(event)
    return (time.process_time_ns() - began) / _EVENTS


def main() -> None:
    """Print one row for each number of handlers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the committed ratios")
    check = parser.parse_args().check
    for handlers in (1, 5, 11):
        spent, plain = publish_ns(handlers), reference_ns()
        row = {
            "work": f"bus_{handlers}",
            "events": _EVENTS,
            "ns_per_event": round(spent),
            "reference_ns": round(plain),
            "ratio_to_reference": round(spent / plain, 2),
            "python": sys.version.split()[0],
        }
        emit(row, check=check)


if __name__ == "__main__":
    main()
