"""What features cost: ns of CPU per event and us per frame of one instrument; one line of JSON.

usage: features.py [SECONDS]      (of market time; default 4,000)
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time

from msgspec.structs import replace

from hean.core.bus import Bus, Stage
from hean.core.events import Event, Frame, Side
from hean.core.events.system import Heartbeat
from hean.core.features import FeaturePipeline
from hean.core.market_view import MarketView
from hean.core.testing import START, book, btc_perpetual, instrument_updated, quote, trade
from hean.core.timers import Agenda

SECOND = 1_000_000_000
Timed = dict[str, list[int]]


def market(seconds: int) -> list[Event]:
    """Return a seeded walk: each second four quotes, three trades, two books and a beat."""
    chance = random.Random(7)
    mid, events, sizes = 600_000, list[Event](), [1.0] * 10
    for second in range(seconds):
        now = START + second * SECOND
        events.append(Heartbeat(ts_event=now, ts_init=now, interval_ns=SECOND))
        for part in range(4):
            at = now + 1 + part * 200_000_000
            mid += chance.choice((-1, 0, 0, 0, 0, 1))
            bid, ask = mid * 0.1, (mid + 1) * 0.1
            sizes[chance.randrange(10)] = chance.randrange(1, 5000) * 0.001
            bids = tuple(((mid - one) * 0.1, sizes[one]) for one in range(5))
            asks = tuple(((mid + 1 + one) * 0.1, sizes[5 + one]) for one in range(5))
            side = chance.choice((Side.BUY, Side.SELL))
            events.append(replace(quote(bid, ask, at=at), bid_size=sizes[0], ask_size=sizes[5]))
            if part % 2 == 0:
                events.append(replace(book(at=at), bids=bids, asks=asks))
            if part:
                price = ask if side is Side.BUY else bid
                events.append(trade(price, sizes[1], side, at=at))
    return events


def measure(events: list[Event]) -> tuple[Timed, int]:
    """Run the events through the pipeline and return the ns of each kind, and the frames."""
    bus, agenda, view, frames = Bus(), Agenda(), MarketView(), list[int]()
    pipeline = FeaturePipeline(bus=bus, agenda=agenda, view=view)
    view.attach(bus)
    pipeline.attach(bus)
    specification = btc_perpetual()
    name = specification.id
    bus.subscribe(
        Frame,
        lambda frame: frames.append(frame.second),
        stage=Stage.STRATEGIES,
        owner="b",
        key=name,
    )
    bus.dispatch(instrument_updated(specification))
    spent: Timed = {}
    clock, dispatch = time.perf_counter_ns, bus.dispatch
    for event in events:
        agenda.now = event.ts_init
        start = clock()
        dispatch(event)
        taken = clock() - start
        spent.setdefault(event.__class__.__name__, []).append(taken)
    return spent, len(frames)


def empty_dispatch(events: list[Event]) -> float:
    """Return the median ns of dispatching the same events with the market view alone."""
    bus, view = Bus(), MarketView()
    view.attach(bus)
    clock, spent = time.perf_counter_ns, list[int]()
    for event in events:
        start = clock()
        bus.dispatch(event)
        spent.append(clock() - start)
    return float(sorted(spent)[len(spent) // 2])


class Reference:
    """The plain-Python reference: two means in floats inside a method."""

    def __init__(self) -> None:
        self.fast = self.slow = 0.0

    def update(self, x: float) -> bool:
        """Take a value and return whether the fast mean is above the slow one."""
        self.fast = 0.1 * x + 0.9 * self.fast
        self.slow = 0.02 * x + 0.98 * self.slow
        return self.fast > self.slow


def reference(count: int = 500_000) -> float:
    """Return the ns of CPU of one reference call now, on this machine."""
    update = Reference().update
    start = time.process_time()
    for place in range(count):
        update(place * 0.5)
    return (time.process_time() - start) / count * 1e9


def main() -> None:
    """Print the figures; those per event are medians less an empty dispatch."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    events = market(seconds)
    start = time.process_time()
    spent, frames = measure(events)
    cpu = time.process_time() - start
    empty = empty_dispatch(events)
    per_event = {
        f"ns_per_{kind.lower()}": round(sorted(spent[kind])[len(spent[kind]) // 2] - empty)
        for kind in ("Quote", "Trade", "BookUpdate")
    }
    beats = sorted(spent["Heartbeat"][seconds // 2 :])
    plain = reference()
    print(
        json.dumps(
            {
                "bench": "features",
                "events": len(events),
                "frames": frames,
                "cpu_seconds": round(cpu, 3),
                "rate": round(len(events) / cpu),
                **per_event,
                "us_per_frame": round(beats[len(beats) // 2] / 1000, 2),
                "us_per_frame_p99": round(beats[len(beats) * 99 // 100] / 1000, 2),
                "reference_ns": round(plain),
                "frame_ratio_to_reference": round(beats[len(beats) // 2] / plain),
                "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            }
        )
    )


if __name__ == "__main__":
    main()
