"""What goes wrong with a feed, done to a log: a gap, a series that dies, events that come late."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from hean.core.events import Event, FeedGap


def with_gap(events: Sequence[Event], instrument: str, *, at: int, lasts: int) -> list[Event]:
    """Return the log without an instrument's events for `lasts` ns; a `FeedGap` ends the silence.

    The feed notices a gap when it is back: the gap is told at its end.
    """
    end = at + lasts
    kept = [
        event
        for event in events
        if not (at <= event.ts_init < end and getattr(event, "instrument", "") == instrument)
    ]
    gap = FeedGap(ts_event=at, ts_init=end, instrument=instrument, reason="planted")
    return sorted([gap, *kept], key=lambda event: event.ts_init)


def stale_from(events: Sequence[Event], kinds: Sequence[type[Event]], *, at: int) -> list[Event]:
    """Return the log in which nothing of these kinds comes any more from `at` on."""
    dead = tuple(kinds)
    return [event for event in events if event.ts_init < at or not isinstance(event, dead)]


def delayed(events: Sequence[Event], *, seed: int, share: float, most_ns: int) -> list[Event]:
    """Return the log with a share of its events received up to `most_ns` late: out of order.

    Their source time stays, so that `ts_event` no longer rises; receipt does.
    """
    draws = np.random.default_rng([seed, 11]).random((len(events), 2)).tolist()
    late = [
        msgspec.structs.replace(event, ts_init=event.ts_init + int(much * most_ns))
        if luck < share
        else event
        for event, (luck, much) in zip(events, draws, strict=True)
    ]
    return sorted(late, key=lambda event: event.ts_init)
