"""What one order costs: signal, gate, slot, order, fill, books, envelope; one line of JSON.

    python tools/bench/chain.py [--orders N] [--strategies N] [--profile] [--check]

Every trade makes each strategy open or close; the same trades without orders are taken off.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.baseline import emit, reference_ns
from bench.crossing import Crossing, CrossingSet, FixedSizer, TickFeed, bench_settings
from bench.workloads import TICKS_FROM_NS, Ticks
from hean.core.bus import Bus
from hean.core.events import Event, Intent, OrderStyle, Side, Trade
from hean.core.journal import SqliteJournal
from hean.main import TradingSystem

_STEP_NS = 20_000_000


class Alternating(Crossing):
    """Opens and closes in turn, on every trade."""

    is_quiet = False

    def _on_price(self, price: float, now: int) -> None:
        state = self.state
        if state.waiting or self.is_quiet:
            return
        if state.held:
            self._ask(Side.SELL, Intent.CLOSE, OrderStyle.MARKET, None, now)
        else:
            self._ask(Side.BUY, Intent.OPEN, OrderStyle.LIMIT_IOC, price, now)


class QuietAlternating(Alternating):
    """Sees the same trades and asks for nothing."""

    is_quiet = True


class AlternatingSet(CrossingSet):
    """So many alternating strategies."""

    def __init__(self, bus: Bus, kind: type[Alternating], count: int) -> None:
        self.strategies = tuple(
            kind(f"alternating_{number}", bus, 1, 1, Trade) for number in range(count)
        )


class Run(NamedTuple):
    """CPU seconds of a run, its fills, and the events delivered by type."""

    seconds: float
    fills: int
    delivered: dict[str, int]


def make_ticks(count: int) -> Ticks:
    """Return trades 20 ms apart around one price."""
    times = [TICKS_FROM_NS + step * _STEP_NS for step in range(count)]
    prices = [500_000 + (step * 7919) % 100 for step in range(count)]
    return Ticks(times, prices, [1000] * count, [1] * count)


def run(ticks: Ticks, kind: type[Alternating], count: int, folder: Path, *, profile: bool) -> Run:
    """Return what one run took and delivered."""

    def strategies(system: TradingSystem) -> Any:  # noqa: ANN401  (stands in for a StrategySet)
        return AlternatingSet(system.bus, kind, count)

    feed = TickFeed(ticks)
    system = TradingSystem(
        settings=bench_settings(),
        description=feed.description,
        journal=SqliteJournal(folder / "journal.db", durable=False),
        sizer=FixedSizer(Decimal(1)),
        strategies=strategies,
    )
    system.start()
    gc.collect()
    events: Iterator[Event] = iter(list(feed.events()))
    take = system.kernel.take
    profiler = cProfile.Profile()
    began = time.process_time()
    if profile:
        profiler.enable()
    for event in events:
        take(event)
    profiler.disable()
    system.journal.commit()
    seconds = time.process_time() - began
    if profile:
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(70)
    fills = sum(one.fills for one in system.funnel.strategies.values())
    return Run(seconds, fills, system.bus.statistics().delivered)


def main() -> None:
    """Print the row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--strategies", type=int, default=1)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--check", action="store_true", help="compare with the committed ratio")
    chosen = parser.parse_args()
    ticks = make_ticks(chosen.orders // chosen.strategies)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        idle, _, _ = run(ticks, QuietAlternating, chosen.strategies, Path(one), profile=False)
        busy, fills, delivered = run(
            ticks, Alternating, chosen.strategies, Path(other), profile=chosen.profile
        )
    spent, plain = (busy - idle) / max(1, fills), reference_ns()
    row = {
        "work": "chain" if chosen.strategies == 1 else f"chain_{chosen.strategies}",
        "orders": fills,
        "cpu_seconds": round(busy, 3),
        "us_per_order": round(spent * 1e6, 1),
        "envelopes_per_order": round(delivered.get("RiskEnvelope", 0) / max(1, fills), 2),
        "agrees": fills == len(ticks.times) * chosen.strategies,
        "reference_ns": round(plain),
        "ratio_to_reference": round(spent * 1e9 / plain),
        "python": sys.version.split()[0],
    }
    emit(row, check=chosen.check)


if __name__ == "__main__":
    main()
