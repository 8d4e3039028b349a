"""`hean-app backtest`: a dataset replayed on the paper venue, as fast as it goes."""

from __future__ import annotations

import resource
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hean.app.evidence import bring_evidence, evidence_lines
from hean.app.feature_tables import load_tables, table_lines
from hean.app.feeds.replay import DatasetFeed
from hean.app.progress import Progress
from hean.app.reports.summary import summarise, write_run
from hean.app.session import Session
from hean.app.settings import AppSettings
from hean.app.timespan import parse_instant
from hean.config import Loaded
from hean.core.clock import WallClock
from hean.core.errors import DataError, SettingsError
from hean.core.journal import SqliteJournal
from hean.main import TradingSystem

_PROGRESS_EVENTS = 4096
_MEBIBYTE = 1024


def peak_rss_mb() -> float:
    """Return the most memory this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MEBIBYTE


def open_dataset(path: Path, start: str | None, end: str | None) -> DatasetFeed:
    """Return the feed of a dataset TOML, clipped to [start, end)."""
    return DatasetFeed(
        path,
        start_ns=None if start is None else parse_instant(start, "--start"),
        end_ns=None if end is None else parse_instant(end, "--end"),
    )


def run_backtest(
    loaded: Loaded[AppSettings],
    dataset: Path,
    *,
    out: Path | None,
    start: str | None = None,
    end: str | None = None,
    as_json: bool = False,
) -> dict[str, Any]:
    """Run a backtest, leave the run directory if asked, print and return the summary."""
    with run_directory(out) as directory:
        summary = replay_dataset(loaded, dataset, directory, start, end, html=out is not None)
        from hean.app.reports.render import print_summary

        print_summary(summary, out, as_json=as_json)
    return summary


@contextmanager
def run_directory(out: Path | None) -> Generator[Path]:
    """Lend the directory of a run: `out`, taken back if the run fails, or a temporary one."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="hean-") as folder:
            yield Path(folder)
        return
    is_new = prepare_directory(out)
    with ExitStack() as undo:
        undo.callback(_clear, out, itself=is_new)
        yield out
        undo.pop_all()


def prepare_directory(out: Path) -> bool:
    """Make the run directory and return whether it is new; one that holds something is refused.

    Raises `SettingsError` for that, and where no directory can be made.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingsError(f"--out {out} already holds something; give a new directory")
    is_new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"--out {out} cannot be made ({error.strerror}); give a directory you can write to"
        ) from None
    return is_new


def _clear(out: Path, *, itself: bool) -> None:
    """Take back what a backtest that did not end has written: half a run is none."""
    for path in out.iterdir():
        path.unlink()
    if itself:
        out.rmdir()


def replay_dataset(
    loaded: Loaded[AppSettings],
    dataset: Path,
    directory: Path,
    start: str | None,
    end: str | None,
    *,
    html: bool,
    watch: Callable[[TradingSystem], None] | None = None,
) -> dict[str, Any]:
    """Run a dataset through the system, write its run directory and return the summary.

    `watch` is called with the system before its first event: to listen, never to publish.
    """
    clock = WallClock()
    began = clock.now_ns()
    feed = open_dataset(dataset, start, end)
    journal = SqliteJournal(directory / "journal.db", durable=False)
    try:
        system = TradingSystem(
            settings=loaded.settings,
            description=feed.description,
            journal=journal,
            tables=load_tables(loaded.settings.feature_tables),
        )
        refuse_if_nothing_runs(system, str(dataset))
        bring_evidence(system, journal)
        if watch is not None:
            watch(system)
        session = Session(system, feed, journal)
        session.open(
            session.facts(dataset=str(dataset.resolve()), start=start or "", end=end or "")
        )
        journal.commit()
        announce_idle(system)
        _pull(session, clock)
        session.finish("end of data")
        session.checkpoint()
        wall = (clock.now_ns() - began) / 1e9
        summary = summarise(session, wall_seconds=wall, peak_rss_mb=peak_rss_mb())
        write_run(session, directory, summary, html=html)
    finally:
        journal.close()
    return summary


def _pull(session: Session, clock: WallClock) -> None:
    description = session.feed.description
    with Progress(clock, description.first, description.last) as progress:
        while session.pull(_PROGRESS_EVENTS):
            progress.update(session.feed_events, session.now)


def refuse_if_nothing_runs(system: TradingSystem, dataset: str) -> None:
    """Raise `DataError` when no enabled strategy can run on what the feed carries.

    Raises `SettingsError` when none is enabled at all.
    """
    enabled = [one for one in system.strategies.strategies if one.section.enabled]
    if not enabled:
        raise SettingsError("no strategy is enabled; set STRATEGIES__<NAME>__ENABLED=true for one")
    if any(one.runs for one in enabled):
        return
    reasons = "; ".join(f"{one.profile.strategy}: {one.cannot_run_because}" for one in enabled)
    raise DataError(f"no strategy can run on {dataset}: {reasons}")


def announce_idle(system: TradingSystem) -> None:
    """Name, before the first event, who cannot run, what is assumed and what was brought."""
    for one in system.strategies.strategies:
        if one.section.enabled and one.cannot_run_because:
            sys.stderr.write(f"not running {one.profile.strategy}: {one.cannot_run_because}\n")
    told = (
        *system.description.notes,
        *table_lines(system),
        *evidence_lines(system.evidence, system.description.first),
    )
    for note in told:
        sys.stderr.write(f"note: {note}\n")
