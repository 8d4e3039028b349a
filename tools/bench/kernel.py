"""W1, W1x11 and W2 through the whole chain, beside the plain loop and, where present, the peers.

    python tools/bench/kernel.py [W1|W1x11|W2] [--profile] [--limit N] [--check]

Prints one JSON line: events, CPU seconds, rate, fills, PnL, memory, CPU per order, and the ratio to
the plain-Python reference loop of the same run. Fills and PnL must be the reference's.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.baseline import emit, reference_ns
from bench.crossing import (
    SYMBOL,
    BarFeed,
    CrossingSet,
    FixedSizer,
    TickFeed,
    bench_settings,
    periods,
)
from bench.workloads import bars, reference, ticks
from hean.core.events import Bar, Event, Trade
from hean.core.journal import SqliteJournal
from hean.main import TradingSystem


def compose(work: str, limit: int | None, directory: Path) -> tuple[TradingSystem, Any, list[int]]:
    """Return the system, its feed and the prices of a workload."""
    count = 11 if work == "W1x11" else 1
    if work == "W2":
        made = bars()
        feed: BarFeed | TickFeed = BarFeed(made)
        prices, kind = made.closes, Bar
    else:
        made_ticks = ticks(limit or 1_000_000)
        feed, prices, kind = TickFeed(made_ticks), made_ticks.prices, Trade

    def strategies(system: TradingSystem) -> Any:  # noqa: ANN401  (stands in for a StrategySet)
        return CrossingSet(system.bus, kind, periods(count))

    system = TradingSystem(
        settings=bench_settings(),
        description=feed.description,
        journal=SqliteJournal(directory / "journal.db", durable=False),
        sizer=FixedSizer(Decimal(1)),
        strategies=strategies,
    )
    return system, feed, prices


def pump(system: TradingSystem, events: Iterator[Event]) -> int:
    """Take every event; return how many there were."""
    take, count = system.kernel.take, 0
    for event in events:
        take(event)
        count += 1
    return count


def measure(work: str, limit: int | None, *, profile: bool) -> dict[str, Any]:
    """Run one workload and return its figures."""
    with tempfile.TemporaryDirectory() as folder:
        system, feed, prices = compose(work, limit, Path(folder))
        system.start()
        gc.collect()
        gc.freeze()
        profiler = cProfile.Profile() if profile else None
        began = time.process_time()
        if profiler:
            profiler.enable()
        events = pump(system, feed.events())
        if profiler:
            profiler.disable()
        system.journal.commit()
        seconds = time.process_time() - began
        expected = [reference(prices, *one) for one in periods(11 if work == "W1x11" else 1)]
        plain = reference_ns() * len(prices) / 1e9
        if profiler:
            pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(45)
        return figures(work, system, events, seconds, plain, expected)


def figures(
    work: str,
    system: TradingSystem,
    events: int,
    seconds: float,
    plain: float,
    expected: list[tuple[int, float]],
) -> dict[str, Any]:
    """Return one row: rates, and whether fills and PnL are the reference's."""
    ledger = system.portfolio.ledger
    held = Decimal(0)
    mark = system.view.mark(SYMBOL)
    for position in ledger.positions():
        held += position.quantity * Decimal(str(mark.price if mark else 0.0)) - position.cost
    pnl = round(float(ledger.wallet - system.settings.initial_capital + held), 2)
    fills = 0
    for counts in system.funnel.strategies.values():
        fills += counts.fills
    wanted = (sum(one[0] for one in expected), round(sum(one[1] for one in expected), 2))
    return {
        "work": work,
        "events": events,
        "cpu_seconds": round(seconds, 3),
        "events_per_cpu_second": round(events / seconds),
        "fills": fills,
        "pnl": pnl,
        "agrees": fills == wanted[0] and abs(pnl - wanted[1]) < 0.5,
        "expected": wanted,
        "us_per_order_all_in": round(seconds / max(1, fills) * 1e6, 1),
        "reference_loop_seconds": round(plain, 3),
        "ratio_to_reference": round(seconds / plain, 2),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "python": sys.version.split()[0],
    }


def main() -> None:
    """Run the named workload and print its row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", nargs="?", default="W1", choices=("W1", "W1x11", "W2"))
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--limit", type=int, help="first ticks only")
    parser.add_argument("--check", action="store_true", help="compare with the committed ratio")
    chosen = parser.parse_args()
    emit(measure(chosen.work, chosen.limit, profile=chosen.profile), check=chosen.check)


if __name__ == "__main__":
    main()
