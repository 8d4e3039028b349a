"""Progress of long work: a bar with events per second and time left; plain lines otherwise."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from hean.core.clock import WallClock

_LINE_EVERY_NS = 10_000_000_000
_DRAW_EVERY_NS = 200_000_000


class Progress(AbstractContextManager["Progress"]):
    """Shows how far kernel time has come between `first` and `last` (None: only the rate)."""

    def __init__(self, clock: WallClock, first: int, last: int | None, title: str = "") -> None:
        self._clock = clock
        self._first, self._last = first, last
        self._began = self._shown = clock.now_ns()
        self._title = title or "replaying"
        self._bar: Bar | None = None
        if sys.stderr.isatty():
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %  {task.fields[rate]} events/s"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(self._title, total=1.0, rate="0")

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, events: int, now_ns: int) -> None:
        """Show the present state, at most a few times a second."""
        wall = self._clock.now_ns()
        pause = _DRAW_EVERY_NS if self._bar is not None else _LINE_EVERY_NS
        if wall - self._shown < pause:
            return
        self._shown = wall
        rate = events / max(1e-9, (wall - self._began) / 1e9)
        share = self._share(now_ns)
        if self._bar is not None:
            self._bar.update(self._task, completed=share, rate=f"{rate:,.0f}")
            return
        left = ""
        if share > 0.0:
            seconds = (wall - self._began) / 1e9 * (1.0 - share) / share
            left = f", {seconds:.0f} s left"
        sys.stderr.write(f"{self._title}: {100 * share:.0f} %, {rate:,.0f} events/s{left}\n")

    def _share(self, now_ns: int) -> float:
        if self._last is None or self._last <= self._first:
            return 0.0
        return min(1.0, max(0.0, (now_ns - self._first) / (self._last - self._first)))
