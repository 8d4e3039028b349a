"""The only wall clock, and the one that tests turn by hand.

Domain code never sees either: kernel time comes with the event. The app stamps inputs with a clock.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Something that knows the time in ns UTC."""

    def now_ns(self) -> int: ...


class WallClock:
    """The machine's clock; it may step when the machine's time is set."""

    def now_ns(self) -> int:
        """Return ns since 1970-01-01 UTC."""
        return time.time_ns()

    def elapsed_ns(self) -> int:
        """Return ns since some fixed instant; never steps, for measuring durations."""
        return time.perf_counter_ns()


class ManualClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now = now_ns

    def now_ns(self) -> int:
        """Return the time it was set to."""
        return self._now

    def elapsed_ns(self) -> int:
        """Return the time it was set to."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += round(seconds * 1_000_000_000)

    def set(self, now_ns: int) -> None:
        """Set the time, also backwards."""
        self._now = now_ns
