"""The journal: the truth of a run. SQLite in WAL mode, hash-chained, snapshots beside the tail.

A record's hash is BLAKE2b over the previous hash and its own bytes; neither wall time, path nor
host is among them, so equal runs have equal heads. Snapshots carry the record count they stand at.
After a kill the newest snapshot is restored and its tail is run again: each re-made record is held
against the one written before, until they run out.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final, Protocol

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.errors import JournalError
from hean.core.events import (
    DURABLE,
    DeadLettered,
    EdgeGuardChanged,
    EquityUpdated,
    Event,
    JournalFailed,
    OperatorCommand,
    RefusedBy,
    RunEnded,
    RunStarted,
    ShadowClosed,
    SignalRejected,
    SignalWithdrawn,
    StrategyRegistered,
    VenueStateChanged,
    decode,
    encode,
)
from hean.core.kernel import Kernel
from hean.core.snapshot import pack, unpack

GENESIS: Final = b"\x00" * 32
_GROUP: Final = 4096
_EQUITY_SAMPLE_NS: Final = 60_000_000_000
_KEEP_SNAPSHOTS: Final = 2
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS records (seq INTEGER PRIMARY KEY, input INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL, type TEXT NOT NULL, payload BLOB NOT NULL, hash BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS snapshots (id INTEGER PRIMARY KEY, input INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL, records INTEGER NOT NULL, head BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS states (snapshot INTEGER NOT NULL, component TEXT NOT NULL,
    state BLOB NOT NULL, PRIMARY KEY (snapshot, component)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (id INTEGER PRIMARY KEY, snapshot INTEGER,
    first_input INTEGER NOT NULL, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS spilled (id INTEGER PRIMARY KEY, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS dead_letters (id INTEGER PRIMARY KEY, handler TEXT NOT NULL,
    error TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class Record(msgspec.Struct, frozen=True):
    """One journaled event: its place, the input that caused it, and its bytes."""

    seq: int
    input_sequence: int
    ts_ns: int
    type: str
    payload: bytes
    hash: bytes

    def event(self) -> Event:
        return decode(self.payload)


class Snapshot(msgspec.Struct, frozen=True):
    """The state of every component after an input, and where the journal stood."""

    id: int
    input_sequence: int
    ts_ns: int
    records: int
    head: bytes
    states: dict[str, bytes]


class Segment(msgspec.Struct, frozen=True):
    """One start or restart: from which snapshot (None: the beginning), under which facts."""

    id: int
    snapshot: int | None
    first_input: int
    facts: dict[str, str]


class DeadLetter(msgspec.Struct, frozen=True):
    """What a handler never took, kept for a person."""

    number: int
    handler: str
    error: str
    payload: bytes


class Journal(Protocol):
    """Where records go, in order. `head` is the hash of the newest."""

    @property
    def head(self) -> bytes: ...

    @property
    def count(self) -> int: ...

    def append(self, input_sequence: int, ts_ns: int, type_name: str, payload: bytes) -> None: ...

    @property
    def failure(self) -> str:
        """Why records wait in memory that should be on disk; empty when all is well."""
        ...

    def commit(self) -> None: ...

    def spill(self, number: int, data: bytes) -> None: ...

    def read_spilled(self, number: int) -> bytes: ...

    def bury(self, number: int, handler: str, error: str, data: bytes) -> None: ...


class MemoryJournal:
    """Keeps the chain's head and, if asked, the records themselves."""

    def __init__(self, *, keep: bool = True) -> None:
        self.records: list[Record] = []
        self._keep = keep
        self._head = GENESIS
        self._count = 0
        self._spilled: dict[int, bytes] = {}
        self.failure = ""
        self.dead_letters: dict[int, DeadLetter] = {}

    @property
    def head(self) -> bytes:
        return self._head

    @property
    def count(self) -> int:
        return self._count

    def append(self, input_sequence: int, ts_ns: int, type_name: str, payload: bytes) -> None:
        self._count += 1
        self._head = blake2b(self._head + payload, digest_size=32).digest()
        if self._keep:
            self.records.append(
                Record(self._count, input_sequence, ts_ns, type_name, payload, self._head)
            )

    def commit(self) -> None:
        """Nothing waits: memory is written at once."""

    def spill(self, number: int, data: bytes) -> None:
        self._spilled[number] = data

    def read_spilled(self, number: int) -> bytes:
        return self._spilled[number]

    def bury(self, number: int, handler: str, error: str, data: bytes) -> None:
        self.dead_letters[number] = DeadLetter(number, handler, error, data)


class SqliteJournal:
    """A journal in one file. Records are written in groups, at the latest by `commit`."""

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={'NORMAL' if durable else 'OFF'}")
            self._db.executescript(_SCHEMA)
            row = self._db.execute(
                "SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1"
            ).fetchone()
        except sqlite3.Error as error:
            raise JournalError(f"{path.name} cannot be opened as a journal: {error}") from error
        self._count, self._head = (row[0], row[1]) if row else (0, GENESIS)
        self.failure = ""
        self._waiting: list[tuple[int, int, int, str, bytes, bytes]] = []
        self._expected: deque[tuple[int, str, bytes]] = deque()
        self._marks: dict[str, str] = {}

    @property
    def head(self) -> bytes:
        return self._head

    @property
    def count(self) -> int:
        return self._count

    @property
    def tail_left(self) -> int:
        """How many records of the old tail have not been made again yet."""
        return len(self._expected)

    def append(self, input_sequence: int, ts_ns: int, type_name: str, payload: bytes) -> None:
        """Add a record; inside an expected tail, hold it against the one written before."""
        head = blake2b(self._head + payload, digest_size=32).digest()
        self._count += 1
        self._head = head
        if self._expected:
            self._hold_against(type_name, head)
            return
        self._waiting.append((self._count, input_sequence, ts_ns, type_name, payload, head))
        if len(self._waiting) % _GROUP == 0:
            self._try_commit()

    def _try_commit(self) -> None:
        """Write what waits; a disk that refuses is told in `failure`, and nothing is dropped."""
        try:
            self.commit()
        except JournalError as error:
            self.failure = str(error)

    def _hold_against(self, type_name: str, head: bytes) -> None:
        seq, expected_type, expected = self._expected.popleft()
        if head != expected:
            raise JournalError(
                f"record {seq} was {expected_type} and came out differently as {type_name} when "
                "the tail was run again; the state directory was made by other code or settings"
            )

    def wait_at_most(self, seconds: float) -> None:
        """Give up on a locked file after so long (5 s at first)."""
        self._db.execute(f"PRAGMA busy_timeout={round(seconds * 1000)}")

    def mark(self, name: str, value: str) -> None:
        """Set a note that is written with the next commit (the feed's cursor, the run's end)."""
        self._marks[name] = value

    def marked(self, name: str) -> str | None:
        """Return a note, or None."""
        if name in self._marks:
            return self._marks[name]
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def commit(self) -> None:
        """Write what waits, in one transaction; raises `JournalError` when the disk refuses."""
        if not self._waiting and not self._marks:
            return
        try:
            self._db.execute("BEGIN")
            self._write_waiting()
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise JournalError(f"{self.path.name} cannot be written: {error}") from error
        self._waiting.clear()
        self._marks.clear()
        self.failure = ""

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _write_waiting(self) -> None:
        self._db.executemany("INSERT INTO records VALUES (?,?,?,?,?,?)", self._waiting)
        self._db.executemany(
            "INSERT INTO meta VALUES (?,?) ON CONFLICT(name) DO UPDATE SET value=excluded.value",
            list(self._marks.items()),
        )

    def save_snapshot(self, input_sequence: int, ts_ns: int, states: Mapping[str, bytes]) -> int:
        """Write a snapshot at the present record, in one transaction with what waits."""
        try:
            self._db.execute("BEGIN")
            self._write_waiting()
            found = self._db.execute(
                "INSERT INTO snapshots (input, ts_ns, records, head) VALUES (?,?,?,?)",
                (input_sequence, ts_ns, self._count, self._head),
            ).lastrowid
            assert found is not None
            self._db.executemany(
                "INSERT INTO states VALUES (?,?,?)",
                [(found, name, state) for name, state in states.items()],
            )
            self._prune()
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise JournalError(f"{self.path.name} cannot be written: {error}") from error
        self._waiting.clear()
        self._marks.clear()
        return found

    def _prune(self) -> None:
        kept = (
            f"SELECT id FROM (SELECT id FROM snapshots ORDER BY id DESC LIMIT {_KEEP_SNAPSHOTS}) "
            "UNION SELECT snapshot FROM segments WHERE snapshot IS NOT NULL"
        )
        self._db.execute(f"DELETE FROM states WHERE snapshot NOT IN ({kept})")
        self._db.execute(f"DELETE FROM snapshots WHERE id NOT IN ({kept})")

    def snapshot(self, wanted: int | None = None) -> Snapshot | None:
        """Return a snapshot by id, or the newest; None when there is none."""
        where, values = ("WHERE id = ?", (wanted,)) if wanted is not None else ("", ())
        row = self._db.execute(
            f"SELECT id, input, ts_ns, records, head FROM snapshots {where} "
            "ORDER BY id DESC LIMIT 1",
            values,
        ).fetchone()
        if row is None:
            return None
        states = dict(
            self._db.execute("SELECT component, state FROM states WHERE snapshot = ?", (row[0],))
        )
        return Snapshot(row[0], row[1], row[2], row[3], row[4], states)

    def begin_segment(self, snapshot: Snapshot | None, facts: Mapping[str, str]) -> None:
        """Note a start or restart, and expect the tail behind its snapshot to come out again."""
        records, head = (snapshot.records, snapshot.head) if snapshot else (0, GENESIS)
        self._db.execute(
            "INSERT INTO segments (snapshot, first_input, facts) VALUES (?,?,?)",
            (
                snapshot.id if snapshot else None,
                snapshot.input_sequence if snapshot else 0,
                json.dumps(dict(facts), sort_keys=True),
            ),
        )
        self._expected = deque(
            self._db.execute(
                "SELECT seq, type, hash FROM records WHERE seq > ? ORDER BY seq", (records,)
            )
        )
        self._count, self._head = records, head

    def segments(self) -> list[Segment]:
        """Return every start and restart in order."""
        rows = self._db.execute("SELECT id, snapshot, first_input, facts FROM segments ORDER BY id")
        return [Segment(row[0], row[1], row[2], json.loads(row[3])) for row in rows]

    def records(self, types: Iterable[str] = ()) -> Iterator[Record]:
        """Yield committed records in order, of the named event types or all."""
        names = tuple(types)
        where = f"WHERE type IN ({','.join('?' * len(names))})" if names else ""
        for row in self._db.execute(
            f"SELECT seq, input, ts_ns, type, payload, hash FROM records {where} ORDER BY seq",
            names,
        ):
            yield Record(*row)

    def verify_chain(self) -> bytes:
        """Return the head after recomputing every hash; a gap raises `JournalError` naming it."""
        head = GENESIS
        for position, record in enumerate(self.records(), start=1):
            is_whole = type(record.payload) is bytes and record.seq == position
            head = blake2b(head + record.payload, digest_size=32).digest() if is_whole else b""
            if record.hash != head:
                raise JournalError(
                    f"the hash chain of {self.path.name} breaks at record {position}"
                )
        return head

    def spill(self, number: int, data: bytes) -> None:
        """Keep a dead letter that no longer fits in memory; writing it again replaces it."""
        self._write("INSERT OR REPLACE INTO spilled VALUES (?,?)", (number, data))

    def read_spilled(self, number: int) -> bytes:
        """Return a spilled letter; it stays, for a restart may ask for it again."""
        row = self._db.execute("SELECT payload FROM spilled WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise JournalError(f"spilled letter {number} is not in {self.path.name}")
        return row[0]

    def bury(self, number: int, handler: str, error: str, data: bytes) -> None:
        """Keep for a person what no retry cured."""
        row = (number, handler, error, data)
        self._write("INSERT OR REPLACE INTO dead_letters VALUES (?,?,?,?)", row)

    def dead_letters(self) -> list[DeadLetter]:
        """Return what was buried, in order."""
        rows = self._db.execute("SELECT id, handler, error, payload FROM dead_letters ORDER BY id")
        return [DeadLetter(*row) for row in rows]

    def _write(self, statement: str, row: tuple[object, ...]) -> None:
        try:
            self._db.execute(statement, row)
        except sqlite3.Error as error:
            raise JournalError(f"{self.path.name} cannot be written: {error}") from error

    def close(self) -> None:
        """Write what waits and release the file."""
        self.commit()
        self._db.close()


class _RecorderState(msgspec.Struct, frozen=True):
    last_equity_ns: int
    last_wallet: str


class JournalRecorder:
    """Journals, before anything else sees it, every event that money, risk or learning rests on.

    `EquityUpdated` is sampled: when the wallet moved, and else once a minute of kernel time.
    """

    name = "journal_recorder"
    recorded: Final[tuple[type[Event], ...]] = tuple(
        sorted(
            DURABLE
            | {
                SignalWithdrawn,
                EdgeGuardChanged,
                ShadowClosed,
                OperatorCommand,
                DeadLettered,
                JournalFailed,
                VenueStateChanged,
                RunStarted,
                RunEnded,
                StrategyRegistered,
            },
            key=lambda kind: kind.__name__,
        )
    )

    def __init__(self, *, journal: Journal, kernel: Kernel) -> None:
        self._journal = journal
        self._kernel = kernel
        self._last_equity_ns = 0
        self._last_wallet = ""
        self._told = ""
        self._bus: Bus | None = None

    def attach(self, bus: Bus) -> None:
        """Subscribe first of all to what is journaled."""
        self._bus = bus
        for kind in self.recorded:
            bus.subscribe(kind, self._record, stage=Stage.JOURNAL, owner=self.name)
        bus.subscribe(SignalRejected, self._on_rejected, stage=Stage.JOURNAL, owner=self.name)
        bus.subscribe(EquityUpdated, self._on_equity, stage=Stage.JOURNAL, owner=self.name)

    def _record(self, event: Event) -> None:
        journal = self._journal
        name = event.__class__.__name__
        journal.append(self._kernel.sequence, event.ts_init, name, encode(event))
        if journal.failure != self._told:
            self._tell()

    def _tell(self) -> None:
        """Publish `JournalFailed` once for each failure; its own record waits with the others."""
        self._told = self._journal.failure
        if self._told and self._bus is not None:
            now = self._kernel.now
            self._bus.publish(JournalFailed(ts_event=now, ts_init=now, error=self._told))

    def _on_rejected(self, event: SignalRejected) -> None:
        if event.refused_by is RefusedBy.GATE:
            self._record(event)

    def _on_equity(self, event: EquityUpdated) -> None:
        wallet = str(event.wallet)
        if wallet == self._last_wallet and event.ts_init - self._last_equity_ns < _EQUITY_SAMPLE_NS:
            return
        self._record(event)
        self._last_wallet, self._last_equity_ns = wallet, event.ts_init

    def snapshot(self) -> bytes:
        """Return where the sampling of equity stands."""
        return pack(self.name, 1, _RecorderState(self._last_equity_ns, self._last_wallet))

    def restore(self, state: bytes) -> None:
        """Go on sampling where a snapshot was taken."""
        found = unpack(state, self.name, 1, _RecorderState)
        self._last_equity_ns, self._last_wallet = found.last_equity_ns, found.last_wallet
