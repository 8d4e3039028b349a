"""`hean-app replay RUN_DIR --verify`: a run's inputs taken again, every decision compared.

Each start or restart of the run is a segment: it is taken again from its own snapshot, under its
own settings, up to the input at which the next began. Operator commands come from the journal, at
the input they were taken at.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import zip_longest
from pathlib import Path

from hean.app.evidence import recorded_evidence
from hean.app.feature_tables import recorded_tables
from hean.app.feeds import Feed
from hean.app.feeds.replay import DatasetFeed
from hean.app.feeds.sim import SimFeed
from hean.app.progress import Progress
from hean.app.reports.projection import Row, decision_rows
from hean.app.session import Session, settings_of_facts
from hean.app.settings import AppSettings
from hean.app.timespan import format_instant, parse_instant
from hean.core.clock import WallClock
from hean.core.errors import DataError, StateError
from hean.core.events import Event, OperatorCommand
from hean.core.journal import Segment, SqliteJournal
from hean.main import TradingSystem

_DECISION_TYPES = ("Signal", "OrderRequest", "SignalWithdrawn", "SignalRejected")
_PROGRESS_EVENTS = 4096


def replay_run(run_dir: Path, *, dataset: Path | None = None) -> int:
    """Take a finished run again, print and return the number of differing decisions."""
    recorded = open_run(run_dir)
    try:
        recorded.verify_chain()
        with tempfile.TemporaryDirectory(prefix="hean-replay-") as folder:
            remade = SqliteJournal(Path(folder) / "journal.db", durable=False)
            try:
                _take_segments(recorded, remade, dataset)
                remade.commit()
                return _compare(recorded, remade)
            finally:
                remade.close()
    finally:
        recorded.close()


def open_run(run_dir: Path) -> SqliteJournal:
    """Return the journal of a run directory; raises `StateError` where there is none."""
    path = run_dir / "journal.db"
    if not path.is_file():
        raise StateError(f"{run_dir} holds no journal.db; give the directory of a finished run")
    return SqliteJournal(path)


def _take_segments(recorded: SqliteJournal, remade: SqliteJournal, dataset: Path | None) -> None:
    segments = recorded.segments()
    cursor = recorded.marked("cursor_input")
    if not segments or cursor is None:
        raise StateError(f"{recorded.path.parent} holds an empty run; there is nothing to replay")
    ends = [segment.first_input for segment in segments[1:]] + [int(cursor)]
    for segment, end in zip(segments, ends, strict=True):
        if end <= segment.first_input:
            continue
        is_last = segment is segments[-1]
        _take_segment(recorded, remade, segment, end, dataset, is_last=is_last)


def _take_segment(
    recorded: SqliteJournal,
    remade: SqliteJournal,
    segment: Segment,
    end: int,
    dataset: Path | None,
    *,
    is_last: bool,
) -> None:
    settings = settings_of_facts(segment.facts)
    feed = feed_of(segment, settings, dataset)
    system = TradingSystem(
        settings=settings,
        description=feed.description,
        journal=remade,
        mode=segment.facts["mode"],
        tables=recorded_tables(segment.facts),
    )
    system.take_evidence(recorded_evidence(recorded) or {})
    session = Session(system, feed, remade)
    session.open_at(None if segment.snapshot is None else recorded.snapshot(segment.snapshot))
    commands = {
        record.input_sequence: record.event() for record in recorded.records(("OperatorCommand",))
    }
    _pull(session, end, commands)
    if is_last and recorded.marked("ended"):
        session.finish(recorded.marked("ended") or "")


def _pull(session: Session, end: int, commands: dict[int, Event]) -> None:
    kernel = session.system.kernel
    description = session.feed.description
    with Progress(WallClock(), description.first, description.last, "verifying") as progress:
        step = 0
        while kernel.sequence < end:
            command = commands.get(kernel.sequence + 1)
            if isinstance(command, OperatorCommand):
                kernel.take(command)
                continue
            event = session.next_event()
            if event is None:
                return
            session.take(event)
            step += 1
            if step == _PROGRESS_EVENTS:
                step = 0
                progress.update(session.feed_events, session.now)


def feed_of(segment: Segment, settings: AppSettings, dataset: Path | None) -> Feed:
    """Return the feed a segment ran on: a dataset with the same digest, or `sim` by its seed."""
    facts = segment.facts
    if facts["feed"] == "sim":
        return SimFeed(seed=settings.random_seed, section=settings.sim)
    path = dataset or Path(facts["dataset"])
    feed = DatasetFeed(
        path,
        start_ns=parse_instant(facts["start"], "--start") if facts.get("start") else None,
        end_ns=parse_instant(facts["end"], "--end") if facts.get("end") else None,
    )
    if feed.description.digest != facts["dataset_sha256"]:
        raise DataError(
            f"{path} is not the data this run was made from: its digest is "
            f"{feed.description.digest[:16]}, the run's {facts['dataset_sha256'][:16]}"
        )
    return feed


def _compare(recorded: SqliteJournal, remade: SqliteJournal) -> int:
    before = _rows(recorded)
    after = _rows(remade)
    total = differences = 0
    first: tuple[Row | None, Row | None] | None = None
    for old, new in zip_longest(before, after):
        total += 1
        if old != new:
            differences += 1
            first = first or (old, new)
    sys.stdout.write(f"{total} decisions compared, {differences} differences\n")
    if recorded.head == remade.head:
        sys.stdout.write(f"journal head equal: {recorded.head.hex()}\n")
    if first is not None:
        sys.stdout.write(f"first difference:\n  run:    {_told(first[0])}\n")
        sys.stdout.write(f"  replay: {_told(first[1])}\n")
    return differences


def _rows(journal: SqliteJournal) -> list[Row]:
    return list(decision_rows(record.event() for record in journal.records(_DECISION_TYPES)))


def _told(row: Row | None) -> str:
    if row is None:
        return "no decision"
    when = format_instant(row["ts_ns"])
    return (
        f"{when} {row['strategy']} {row['instrument']} {row['side']} {row['outcome']} "
        f"{row['reason']} qty {row['qty']} price {row['price']}"
    )
