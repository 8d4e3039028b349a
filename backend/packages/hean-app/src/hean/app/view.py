"""What a person sees of a run: the first line at once, then a live view or plain lines.

Nothing heavy is imported here: the first line must stand before the rest is even loaded.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from hean.app.view_state import DecisionLine, ViewState
    from hean.core.clock import Clock

_STATUS_EVERY_NS = 10_000_000_000
_SECOND_NS = 1_000_000_000
_FIRST_DECISIONS = 5
_PACE_NS = 5_000_000_000
_PACE_POINTS = 64
_SOURCES = {
    "sim": "the built-in simulated market: no account, no network, no real money",
    "bybit": "live public data of Bybit: orders stay on the paper venue",
}


def announce(*, feed: str, plain: bool) -> None:
    """Print the very first line of a run, before anything slow is imported."""
    source = _SOURCES.get(feed, f"the feed {feed}")
    strong, faint, off = ("", "", "") if plain or not _is_terminal() else _STYLES
    sys.stdout.write(f"{strong}HEAN{off} on paper, {source} {faint}(Ctrl-C stops){off}\n")
    sys.stdout.flush()


_STYLES = ("\x1b[1m", "\x1b[2m", "\x1b[0m")


def _is_terminal() -> bool:
    import os

    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


class View(Protocol):
    """Shows a run; drawing as often as it likes, told as often as there is something new."""

    def warming(self, share: float, events_per_second: float) -> None:
        """Show how much (0..1) of the past has been played to warm the features."""
        ...

    def update(self, state: ViewState) -> None:
        """Show the present picture."""
        ...

    def note(self, text: str) -> None:
        """Show one sentence that stays."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was; the last picture stays."""
        ...


def open_view(*, plain: bool) -> View:
    """Return the live view where there is a terminal to draw on, else plain lines."""
    from hean.core.clock import WallClock

    clock = WallClock()
    if plain or not sys.stdout.isatty():
        return PlainView(clock)
    from hean.app.live_view import LiveView

    return LiveView(clock)


class Pace:
    """How many events a second come, over the last few seconds of wall time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: deque[tuple[int, int]] = deque()

    def of(self, events: int) -> float:
        """Return the rate now that `events` have come in all."""
        now = self._clock.now_ns()
        self._seen.append((now, events))
        while len(self._seen) > _PACE_POINTS or now - self._seen[0][0] > _PACE_NS:
            if len(self._seen) <= 2:
                break
            self._seen.popleft()
        then, before = self._seen[0]
        return 1e9 * (events - before) / (now - then) if now > then else 0.0


class PlainView:
    """One line a decision, one status line every 10 s of wall time; no colour, no cursor games."""

    def __init__(self, clock: Clock, stream: TextIO | None = None) -> None:
        self._clock = clock
        self._pace = Pace(clock)
        self._stream = sys.stdout if stream is None else stream
        self._status_at: int | None = None
        self._warming_at: int | None = None
        self._shown: int | None = None

    def warming(self, share: float, events_per_second: float) -> None:
        now = self._clock.now_ns()
        if self._warming_at is not None and now < self._warming_at and share < 1.0:
            return
        self._warming_at = now + 2 * _SECOND_NS
        rate = f"{events_per_second:,.0f} events/s"
        self._line(f"warming up: {100 * share:.0f} % of the past, {rate}")

    def update(self, state: ViewState) -> None:
        for line in self._fresh(state):
            self._line(decision_text(line))
        self._shown = state.decisions_made
        rate = self._pace.of(state.events)
        now = self._clock.now_ns()
        if self._status_at is None or now >= self._status_at:
            self._status_at = now + _STATUS_EVERY_NS
            self._line(status_text(state, rate))

    def _fresh(self, state: ViewState) -> tuple[DecisionLine, ...]:
        if self._shown is None:
            return state.decisions[-_FIRST_DECISIONS:]
        fresh = state.decisions_made - self._shown
        if fresh <= 0:
            return ()
        missed = fresh - len(state.decisions)
        if missed > 0:
            self._line(f"... {missed} more decisions")
        return state.decisions[-fresh:]

    def note(self, text: str) -> None:
        self._line(text)

    def close(self) -> None:
        self._stream.flush()

    def _line(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


def decision_text(line: DecisionLine) -> str:
    """Return one decision as one line."""
    side = f" {line.side}" if line.side else ""
    return (
        f"{clock_text(line.ts_ns)} {line.outcome:<9} {line.strategy} {line.instrument}"
        f"{side}: {line.text}"
    )


def status_text(state: ViewState, events_per_second: float) -> str:
    """Return the present picture as one line."""
    open_now = len(state.positions)
    allowed = "entries open" if state.entries_allowed else f"no entries: {state.entries_reason}"
    return (
        f"{clock_text(state.now_ns)} status    equity {state.equity:.2f} USDT, "
        f"today {state.day_pnl:+.2f}, drawdown {100 * state.drawdown:.2f} %, "
        f"{open_now} position{'' if open_now == 1 else 's'}, "
        f"slots {state.slots_used}/{state.slots_max}, {state.risk_state}, {allowed}, "
        f"{events_per_second:,.0f} events/s"
    )


def clock_text(ts_ns: int) -> str:
    """Return kernel time as 2024-01-01 12:00:00."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ts_ns // _SECOND_NS, UTC).strftime("%Y-%m-%d %H:%M:%S")
