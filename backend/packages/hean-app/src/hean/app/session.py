"""One run of one system: fresh or resumed, journaled, with checkpoints, and its finish.

A session is the same for a backtest, a paper run and a verification; only who pulls it differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from itertools import chain, islice

import msgspec

from hean.app.feature_tables import table_facts
from hean.app.feeds import Feed
from hean.app.settings import AppSettings
from hean.config import effective
from hean.core.errors import StateError
from hean.core.events import Event, RunEnded, decode, encode
from hean.core.journal import Segment, Snapshot, SqliteJournal
from hean.core.snapshot import pack, unpack
from hean.main import TradingSystem

PACKAGES = ("hean-core", "hean-risk", "hean-portfolio", "hean-strategies", "hean-app")
_FEED = "feed"
_CURSOR = "cursor"
_NEVER = 1 << 62
_IDENTITY = ("mode", "feed", "seed", "dataset_sha256", "evidence")


def package_versions() -> dict[str, str]:
    """Return the installed version of each package of HEAN."""
    return {name: version(name) for name in PACKAGES}


class _Cursor(msgspec.Struct, frozen=True):
    feed_events: int
    peeked: bytes | None


class Session:
    """Binds a system to its feed and its journal; `feed_events` counts what the feed gave."""

    def __init__(self, system: TradingSystem, feed: Feed, journal: SqliteJournal) -> None:
        self.system = system
        self.feed = feed
        self.journal = journal
        self.feed_events = 0
        self.resumed = False
        self._events: Iterator[Event] | None = None
        self._peeked: Event | None = None

    def facts(self, dataset: str = "", **more: str) -> dict[str, str]:
        """Return what a segment notes of its start: enough to make the same decisions again."""
        settings = self.system.settings
        return {
            "mode": self.system.mode,
            "feed": self.feed.description.name,
            "seed": str(settings.random_seed),
            "dataset": dataset,
            "dataset_sha256": self.feed.description.digest,
            "settings_sha256": self.system.settings_sha256,
            "run_id": self.system.run_id,
            "evidence": ""
            if settings.edge_evidence is None
            else str(settings.edge_evidence.resolve()),
            **{f"setting:{name}": value for name, value in effective(settings).items()},
            **{f"version:{name}": text for name, text in package_versions().items()},
            **table_facts(settings.feature_tables, self.system.tables),
            **more,
        }

    def open(self, facts: Mapping[str, str]) -> None:
        """Start fresh, or go on from the newest snapshot with the tail run again.

        Raises `StateError` when the journal belongs to another mode, feed, dataset, seed or
        evidence.
        """
        segments = self.journal.segments()
        if segments:
            self._check_identity(segments[0], facts)
        snapshot = self.journal.snapshot()
        self.resumed = bool(segments)
        self.journal.begin_segment(snapshot, facts)
        self._begin(snapshot)

    def open_at(self, snapshot: Snapshot | None) -> None:
        """Begin at a snapshot of another journal, or at the beginning (verification)."""
        self._begin(snapshot)

    def _begin(self, snapshot: Snapshot | None) -> None:
        if snapshot is None:
            self.system.start()
        else:
            try:
                self._restore(snapshot)
            except StateError as error:
                raise StateError(
                    f"{error}: {self.journal.path.parent} was left by another version of HEAN; "
                    "give another directory or remove that one"
                ) from error
        self._events = self.feed.events()

    def _restore(self, snapshot: Snapshot) -> None:
        self.system.restore(snapshot.states)
        self.feed.restore(snapshot.states[_FEED])
        cursor = unpack(snapshot.states[_CURSOR], _CURSOR, 1, _Cursor)
        self.feed_events = cursor.feed_events
        self._peeked = None if cursor.peeked is None else decode(cursor.peeked)

    def _check_identity(self, first: Segment, facts: Mapping[str, str]) -> None:
        for name in _IDENTITY:
            before, now = first.facts.get(name, ""), facts.get(name, "")
            if before != now:
                raise StateError(
                    f"{self.journal.path.parent} was made with {name} {before!r}, this run has "
                    f"{now!r}; give another directory or remove that one"
                )

    @property
    def now(self) -> int:
        return self.system.agenda.now

    def next_event(self) -> Event | None:
        """Hand out the feed's next event, or None at its end."""
        assert self._events is not None, "open the session first"
        event, self._peeked = self._peeked, None
        return event or next(self._events, None)

    def peek(self) -> Event | None:
        """Look at the feed's next event; the next call of `next_event` hands it out."""
        if self._peeked is None:
            self._peeked = self.next_event()
        return self._peeked

    def take(self, event: Event) -> None:
        """Take one event of the feed to completion."""
        self.feed_events += 1
        self.system.kernel.take(event)

    def pull(self, count: int, until: int = _NEVER) -> int:
        """Take up to so many of the feed's next events, none later than `until`; return how many.

        A later one stays in hand as if it had been peeked at.
        """
        assert self._events is not None, "open the session first"
        taken, take = self.feed_events, self.system.kernel.take
        peeked, self._peeked = self._peeked, None
        events = self._events if peeked is None else chain((peeked,), self._events)
        for event in islice(events, count):
            if event.ts_init > until:
                self._peeked = event
                break
            self.feed_events += 1
            take(event)
        return self.feed_events - taken

    def checkpoint(self) -> None:
        """Write a snapshot of everything and what the journal still holds."""
        peeked = None if self._peeked is None else encode(self._peeked)
        states = {
            **self.system.snapshot(),
            _FEED: self.feed.snapshot(),
            _CURSOR: pack(_CURSOR, 1, _Cursor(self.feed_events, peeked)),
        }
        self.note_cursor()
        self.journal.save_snapshot(self.system.kernel.sequence, self.now, states)

    def note_cursor(self) -> None:
        """Note how far the run has come, with the next commit."""
        self.journal.mark("cursor_input", str(self.system.kernel.sequence))
        self.journal.mark("cursor_ns", str(self.now))
        self.journal.mark("feed_events", str(self.feed_events))

    def finish(self, reason: str) -> None:
        """End a finite run: what the venue has yet to report is taken, then `RunEnded`."""
        self.system.kernel.advance(max(self.now + 1, self.system.venue.settled_at))
        self.system.kernel.take(
            RunEnded(ts_event=self.now, ts_init=self.now, run_id=self.system.run_id, reason=reason)
        )
        self.journal.mark("ended", reason)
        self.note_cursor()
        self.journal.commit()


def settings_of_facts(facts: Mapping[str, str]) -> AppSettings:
    """Return the settings a segment ran under, without secrets."""
    from hean.config import load

    arguments = {
        name.removeprefix("setting:"): value
        for name, value in facts.items()
        if name.startswith("setting:") and value != "***"
    }
    return load(AppSettings, arguments=arguments, environ={}).settings
