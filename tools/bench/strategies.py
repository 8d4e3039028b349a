"""What each strategy costs the kernel: events a second with it and without, and us per handle call.

usage: strategies.py [--seconds N] [--strategy NAME] [--profile]

Seconds of the simulated market (BTC and ETH, perpetual and spot, with all they carry), and the bars
of each bar strategy's planted world, go through the whole system: with no strategy (frames computed
all the same), with each alone, with all. One JSON line each, then a table. The last line holds the
frame and all handle calls of a symbol-second against the budget, and an event of maker and scalper
against theirs; `reference_ns`, a step of a plain loop, says how fast the machine was.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import pstats
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import features as features_bench
from bench.evidence_worlds import CASES
from hean.app.feeds import FeedDescription
from hean.app.feeds.settings import SimSettings
from hean.app.feeds.sim import COINS, START_NS, SimFeed
from hean.app.strategy_selection import enabling
from hean.app.testing import settings_with
from hean.core.bus import Stage
from hean.core.events import Event, Frame, Heartbeat
from hean.core.journal import MemoryJournal
from hean.core.synthetic.market import SECOND_NS, SimulatedMarket
from hean.main import TradingSystem
from hean.strategies import TABLE, build_strategies

WARM_UP = 4000
"""Seconds before the measured ones: regime and slow averages need an hour."""
SYMBOL_SECOND_US = 200.0
EVENT_US = 50.0
MARKET_EVENTS = ("Quote", "Trade", "BookUpdate", "Frame")
EVENT_DRIVEN = ("hf_scalping", "inventory_neutral_mm")
SLOWEST = 0.001
"""Share of calls left out of the means: on a busy machine they measure its other work."""
ROUNDS = 3
"""Runs of which the least disturbed counts."""
SYMBOLS = 2
"""Coins in the tick stream; their spot legs are counted with them."""
Calls = dict[str, dict[str, list[int]]]


def tick_stream(seconds: int) -> tuple[FeedDescription, list[Event]]:
    """Return the seconds of two coins of the simulated market: perpetuals, spot, all they carry."""
    market = SimulatedMarket(COINS[:2], 7)
    events: list[Event] = []
    for second in range(seconds):
        events += market.second(START_NS + second * SECOND_NS)
    feed = SimFeed(seed=7, section=SimSettings())
    traded = [one for coin in COINS[:2] for one in (coin.perpetual, coin.spot) if one is not None]
    carries = feed.description.carries
    return (
        FeedDescription(
            name="ticks",
            instruments=tuple(traded),
            carries={key: carries[key] for key in [*(one.id for one in traded), ""]},
            first=START_NS,
            last=None,
            ticks_from=START_NS,
        ),
        events,
    )


def cut_of(events: Sequence[Event]) -> int:
    """Return where the warm-up ends."""
    end = START_NS + WARM_UP * SECOND_NS
    return next(place for place, event in enumerate(events) if event.ts_init >= end)


class Timed:
    """Counts the ns of each handle call by strategy and kind of event."""

    def __init__(self) -> None:
        self.calls: Calls = {}

    def wrap(self, strategy: str, handle: Callable[[Event], None]) -> Callable[[Event], None]:
        """Return the handler with a clock around it."""
        own = self.calls.setdefault(strategy, {})
        clock = time.thread_time_ns

        def timed(event: Event) -> None:
            start = clock()
            handle(event)
            taken = clock() - start
            kind = event.__class__.__name__
            found = own.get(kind)
            if found is None:
                found = own[kind] = []
            found.append(taken)

        return timed


def overhead_ns() -> float:
    """Return what the clock itself adds to a call."""
    timed = Timed()
    call = timed.wrap("none", lambda _: None)
    beat = Heartbeat(ts_event=0, ts_init=0, interval_ns=1)
    for _ in range(20_000):
        call(beat)
    found = sorted(timed.calls["none"]["Heartbeat"])
    return float(found[len(found) // 2])


def compose(
    names: Sequence[str], description: FeedDescription, timed: Timed | None = None
) -> TradingSystem:
    """Return a started system with these strategies, a clock around their handlers if given.

    Without any, frames are computed all the same, as if somebody had asked.
    """
    chosen = enabling(tuple(names) or ("momentum_trader",))
    if not names:
        chosen["STRATEGIES__MOMENTUM_TRADER__ENABLED"] = "false"
    settings = settings_with(
        **chosen, EDGE_GUARD="observe", INITIAL_CAPITAL="100000", RISK__LOSS_STREAK_ENABLED="false"
    )

    def build(system: TradingSystem) -> Any:  # noqa: ANN401  (a StrategySet)
        found = build_strategies(
            settings=settings,
            section=settings.strategies,
            bus=system.bus,
            agenda=system.agenda,
            view=system.view,
            carries=description.carries,
            instruments=description.instruments,
            bar_intervals=description.bar_intervals,
        )
        if timed is not None:
            for one in found.strategies:
                one.handle = timed.wrap(one.name, one.handle)  # type: ignore[method-assign]
        return found

    system = TradingSystem(
        settings=settings,
        description=description,
        journal=MemoryJournal(keep=False),
        strategies=build,
    )
    if not names and description.ticks_from is not None:
        for one in description.instruments:
            system.bus.subscribe(
                Frame, lambda _: None, stage=Stage.REPORTS, owner="bench", key=one.id
            )
    system.start()
    return system


def pump(system: TradingSystem, events: Iterable[Event]) -> float:
    """Take all events; return the CPU seconds."""
    gc.collect()
    gc.freeze()
    take, began = system.kernel.take, time.process_time()
    for event in events:
        take(event)
    spent = time.process_time() - began
    gc.unfreeze()
    return spent


def rate(
    names: Sequence[str], description: FeedDescription, warm: Sequence[Event], rest: Sequence[Event]
) -> float:
    """Return events per CPU second after the warm-up, in the best of some rounds."""
    best = 0.0
    for _ in range(ROUNDS):
        system = compose(names, description)
        pump(system, warm)
        best = max(best, len(rest) / pump(system, rest))
    return best


def handled(
    names: Sequence[str], description: FeedDescription, warm: Sequence[Event], rest: Sequence[Event]
) -> dict[str, list[int]]:
    """Return the ns of every handle call after the warm-up, by kind of event."""
    timed = Timed()
    system = compose(names, description, timed)
    pump(system, warm)
    for kinds in timed.calls.values():
        kinds.clear()
    pump(system, rest)
    merged: dict[str, list[int]] = {}
    for kinds in timed.calls.values():
        for kind, spent in kinds.items():
            merged.setdefault(kind, []).extend(spent)
    return merged


def best_of(rounds: Sequence[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Return for each kind the round with the lowest mean: the one least disturbed."""
    kinds = {kind: [one[kind] for one in rounds if kind in one] for kind in rounds[0]}
    return {kind: min(found, key=lambda one: one["us"]) for kind, found in kinds.items()}


def cost(found: dict[str, list[int]], overhead: float) -> dict[str, dict[str, float]]:
    """Return calls, mean and 99th percentile in us of each kind."""
    result: dict[str, dict[str, float]] = {}
    for kind, spent in found.items():
        kept = sorted(spent)[: max(1, int(len(spent) * (1.0 - SLOWEST)))]
        mean = sum(kept) / len(kept) - overhead
        result[kind] = {
            "calls": len(spent),
            "us": round(max(0.0, mean) / 1000.0, 2),
            "p99_us": round(max(0.0, kept[-1] - overhead) / 1000.0, 2),
        }
    return result


def per_second(costs: dict[str, dict[str, float]], symbol_seconds: int) -> float:
    """Return the us of handle calls in a symbol-second."""
    total = 0.0
    for one in costs.values():
        total += one["calls"] * one["us"]
    return round(total / symbol_seconds, 2)


def ticks(names: Sequence[str], seconds: int) -> list[dict[str, Any]]:
    """Return a row per strategy on the tick stream, and one of all together."""
    description, events = tick_stream(WARM_UP + seconds)
    cut = cut_of(events)
    warm, rest = events[:cut], events[cut:]
    without = rate((), description, warm, rest)
    overhead = overhead_ns()
    rows: list[dict[str, Any]] = []
    for chosen in [*([one] for one in names), list(names)]:
        costs = best_of(
            [cost(handled(chosen, description, warm, rest), overhead) for _ in range(ROUNDS)]
        )
        rows.append(
            {
                "bench": "strategies",
                "stream": "ticks",
                "strategy": chosen[0] if len(chosen) == 1 else "all",
                "events": len(rest),
                "rate_without": round(without),
                "rate": round(rate(chosen, description, warm, rest)),
                "us_a_symbol_second": per_second(costs, SYMBOLS * seconds),
                "calls": costs,
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def bars(names: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row per strategy on the bars of its own planted world: with it and without."""
    rows: list[dict[str, Any]] = []
    for name in names:
        world = CASES[name]().planted()
        if world.warm:
            continue
        events = world.make(0)
        without = rate((), world.description, (), events)
        with_it = rate((name,), world.description, (), events)
        rows.append(
            {
                "bench": "strategies",
                "stream": "bars",
                "strategy": name,
                "events": len(events),
                "rate_without": round(without),
                "rate": round(with_it),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def verdict(rows: list[dict[str, Any]], seconds: int) -> dict[str, Any]:
    """Return the budgets and what they are held against."""
    frame_us = 1e9
    for _ in range(ROUNDS):
        spent, _ = features_bench.measure(features_bench.market(WARM_UP + seconds))
        beats = sorted(spent["Heartbeat"][WARM_UP:])
        frame_us = min(frame_us, round(beats[len(beats) // 2] / 1000.0, 2))
    handles = rows[-1]["us_a_symbol_second"]
    worst = {
        row["strategy"]: max(
            one["us"] for kind, one in row["calls"].items() if kind in MARKET_EVENTS
        )
        for row in rows
        if row["strategy"] in EVENT_DRIVEN
    }
    whole = round(frame_us + handles, 2)
    return {
        "bench": "strategies",
        "frame_us": frame_us,
        "handles_us_a_symbol_second": handles,
        "symbol_second_us": whole,
        "budget_us": SYMBOL_SECOND_US,
        "event_us": worst,
        "event_budget_us": EVENT_US,
        "reference_ns": round(features_bench.reference(100_000)),
        "holds": whole <= SYMBOL_SECOND_US and all(one <= EVENT_US for one in worst.values()),
    }


def profile(name: str, seconds: int) -> None:
    """Print where one strategy's time goes, on bars where its own planted world has them."""
    world = CASES[name]().planted()
    if world.warm:
        description, events = tick_stream(WARM_UP + seconds)
        cut = cut_of(events)
    else:
        description, events, cut = world.description, world.make(0), 0
    system = compose((name,), description)
    pump(system, events[:cut])
    profiler = cProfile.Profile()
    profiler.enable()
    pump(system, events[cut:])
    profiler.disable()
    pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(35)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=400, help="of market, after the warm-up")
    parser.add_argument("--strategy", choices=tuple(one.strategy for one in TABLE), action="append")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    names = given.strategy or [row.strategy for row in TABLE]
    if given.profile:
        for name in names:
            profile(name, given.seconds)
        return
    rows = ticks(names, given.seconds)
    print("| strategy | stream | without | with | us per symbol-second |\n|---|---|---|---|---|")
    for row in [*rows, *bars(names)]:
        cells = [row["strategy"], row["stream"], row["rate_without"], row["rate"]]
        cells.append(row.get("us_a_symbol_second", "-"))
        print("| " + " | ".join(str(cell) for cell in cells) + " |")
    print(json.dumps(verdict(rows, given.seconds)))


if __name__ == "__main__":
    main()
