"""`hean-app run`: the kernel loop in an anyio task group, paced by the wall clock.

The loop pulls the feed, takes what is due, and hands the rest of its time to the view. A signal
(SIGINT, SIGTERM) ends it after the event in hand; state is checkpointed every few seconds and at
the end, so a kill loses nothing that the journal does not bring back.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio

from hean.app.backtest import announce_idle, peak_rss_mb, refuse_if_nothing_runs
from hean.app.evidence import bring_evidence
from hean.app.feature_tables import load_tables
from hean.app.feeds.sim import SimFeed
from hean.app.lock import StateLock
from hean.app.reports.summary import summarise, write_run
from hean.app.session import Session
from hean.app.settings import AppSettings
from hean.app.view import View, open_view
from hean.app.view_state import build_state
from hean.config import Loaded
from hean.core.clock import WallClock
from hean.core.errors import HEANError, SettingsError, StateError
from hean.core.journal import SqliteJournal
from hean.main import TradingSystem

_SLICE_NS = 40_000_000
_RUN = 64
"""Events taken between two looks at the clock."""
_CHECKPOINT_SECONDS = 2.0
_COMMIT_NS = 250_000_000
_VIEW_SECONDS = 0.25
_IDLE_SECONDS = 0.02
_NEVER = 1 << 62


class PaperRun:
    """A paper run on an endless feed. `until_ns` is the kernel time at which it ends."""

    def __init__(
        self,
        session: Session,
        clock: WallClock,
        *,
        speed: float | None,
        until_ns: int,
        checkpoint_seconds: float = _CHECKPOINT_SECONDS,
    ) -> None:
        self.session = session
        self.until_ns = until_ns
        self.stopping = ""
        self.is_warm = False
        self.speed = speed
        self._clock = clock
        self._checkpoint_ns = round(checkpoint_seconds * 1e9)
        self._base_wall = self._base_kernel = 0
        self._checkpointed = self._committed = clock.now_ns()

    @property
    def history_until(self) -> int:
        return self.session.feed.description.history_until

    @property
    def catch_up_until(self) -> int:
        """Kernel time up to which the run goes at full speed: its history, and what it had done."""
        done = self.session.journal.marked("cursor_ns")
        return max(self.history_until, int(done) if done else 0)

    def stop(self, reason: str) -> None:
        """End after the event in hand."""
        self.stopping = reason

    def warm_up(self) -> Iterator[tuple[float, float]]:
        """Take the past at full speed, yielding its share done and the events per second."""
        until = min(self.catch_up_until, self.until_ns)
        first = max(self.session.now, self.session.feed.description.first)
        began = self._clock.now_ns()
        while not self.stopping and self._take_slice(until):
            wall = max(1, self._clock.now_ns() - began)
            share = (self.session.now - first) / max(1, until - first)
            yield min(1.0, share), self.session.feed_events / (wall / 1e9)
        self._base_wall = self._clock.now_ns()
        self._base_kernel = max(until, self.session.now)
        self.session.checkpoint()
        self.is_warm = True

    def take_due(self) -> bool:
        """Take what is due by now for one slice of time; False when there is nothing left to do."""
        if self.speed is None:
            due = self.until_ns
        else:
            elapsed = self._clock.now_ns() - self._base_wall
            due = min(self.until_ns, self._base_kernel + int(elapsed * self.speed))
        return self._take_slice(due)

    def _take_slice(self, until: int) -> bool:
        """Take events up to `until` for at most one slice; return whether more are due."""
        if self.stopping:
            return False
        session, clock = self.session, self._clock
        end = clock.now_ns() + _SLICE_NS
        while session.pull(_RUN, until) == _RUN:
            if clock.now_ns() >= end:
                self.save_if_due()
                return True
        if session.peek() is None:
            self.stop("end of data")
        else:
            if until >= self.until_ns:
                self.stop("duration reached")
            self.save_if_due()
        return False

    def save_if_due(self) -> None:
        """Commit several times a second; checkpoint every few."""
        wall = self._clock.now_ns()
        if wall - self._checkpointed >= self._checkpoint_ns:
            self.session.checkpoint()
            self._checkpointed = self._committed = wall
        elif wall - self._committed >= _COMMIT_NS:
            self.session.note_cursor()
            self.session.journal.commit()
            self._committed = wall


def run_paper(
    loaded: Loaded[AppSettings],
    *,
    feed_name: str,
    duration_ns: int | None,
    speed: float | None,
    plain: bool,
) -> None:
    """Run on paper until a signal, the duration or the feed's end; leave a run directory."""
    settings = loaded.settings
    if settings.trading_mode == "live":
        raise SettingsError(
            "TRADING_MODE=live cannot run: this version has no live venue; set TRADING_MODE=paper"
        )
    if feed_name != "sim":
        raise SettingsError(f"--feed {feed_name!r} is unknown; the feed of this version is sim")
    directory = settings.state_dir or Path(".hean") / f"paper-{feed_name}"
    _make_state_directory(directory)
    with StateLock(directory):
        journal = SqliteJournal(directory / "journal.db")
        try:
            run = _open(loaded, journal, duration_ns, speed)
            view = open_view(plain=plain)
            view.note(_opening(run, directory))
            for name, value, source in loaded.changed():
                view.note(f"setting {name} = {value} ({source})")
            _run_to_its_end(run, view, directory)
        finally:
            journal.close()


def _make_state_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(
            f"STATE_DIR {directory} cannot be made ({error.strerror}); "
            "give a directory you can write to"
        ) from None


def _run_to_its_end(run: PaperRun, view: View, directory: Path) -> None:
    """Run the tasks; of a group of errors the first that HEAN raised on purpose comes out."""
    try:
        anyio.run(_main, run, view, directory)
    except BaseExceptionGroup as group:
        expected = group.subgroup(HEANError)
        while isinstance(expected, BaseExceptionGroup):
            expected = expected.exceptions[0]
        if expected is None:
            raise
        raise expected from group


def _open(
    loaded: Loaded[AppSettings],
    journal: SqliteJournal,
    duration_ns: int | None,
    speed: float | None,
) -> PaperRun:
    settings = loaded.settings
    feed = SimFeed(seed=settings.random_seed, section=settings.sim)
    system = TradingSystem(
        settings=settings,
        description=feed.description,
        journal=journal,
        mode="paper",
        tables=load_tables(settings.feature_tables),
    )
    refuse_if_nothing_runs(system, "sim")
    bring_evidence(system, journal)
    session = Session(system, feed, journal)
    session.open(session.facts())
    announce_idle(system)
    clock = WallClock()
    run = PaperRun(session, clock, speed=speed, until_ns=_NEVER)
    if duration_ns is not None:
        run.until_ns = run.catch_up_until + duration_ns
    return run


def _opening(run: PaperRun, directory: Path) -> str:
    session = run.session
    verb = "goes on" if session.resumed else "begins"
    return (
        f"paper on {session.feed.description.name} {verb}: seed "
        f"{session.system.settings.random_seed}, {session.system.wallet} USDT, state in {directory}"
    )


async def _main(run: PaperRun, view: View, directory: Path) -> None:
    clock = WallClock()
    began = clock.now_ns()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_watch_signals, run)
            group.start_soon(_show, run, view, directory)
            await _pump(run, view)
            view.close()
            _leave_run_directory(run, directory, clock.now_ns() - began)
            group.cancel_scope.cancel()
    finally:
        view.close()


def _leave_run_directory(run: PaperRun, directory: Path, wall_ns: int) -> None:
    """Save the state and write the reports; a second signal meanwhile changes nothing."""
    session = run.session
    session.checkpoint()
    summary = summarise(session, wall_seconds=wall_ns / 1e9, peak_rss_mb=peak_rss_mb())
    write_run(session, directory, summary, html=True)
    sys.stdout.write(
        f"stopped: {run.stopping}; equity {summary['equity_end']} USDT, "
        f"{summary['fills']} fills; {directory} holds the state and report.html\n"
    )


async def _watch_signals(run: PaperRun) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for number in signals:
            run.stop(f"{signal.Signals(number).name} received")


async def _pump(run: PaperRun, view: View) -> None:
    await anyio.lowlevel.checkpoint()
    for share, rate in run.warm_up():
        view.warming(share, rate)
        await anyio.lowlevel.checkpoint()
    while not run.stopping:
        more = run.take_due()
        await anyio.sleep(0.0 if more else _IDLE_SECONDS)


async def _show(run: PaperRun, view: View, directory: Path) -> None:
    while True:
        await anyio.sleep(_VIEW_SECONDS)
        if run.is_warm:
            view.update(build_state(run.session, directory=directory, speed=run.speed))
