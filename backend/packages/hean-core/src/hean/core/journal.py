"""The journal: the truth of a run. SQLite in WAL mode, hash-chained, snapshots beside the tail.

A record's hash is BLAKE2b over the previous hash and its own bytes; neither wall time, path nor
host is among them, so equal runs have equal heads. What one commit writes is one page: records as
lines of JSON, their inputs, their hashes. Snapshots carry the record count they stand at.
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

from hean.core.errors import JournalError, StateError
from hean.core.events import EVENT_TYPES, Event, decode, encode

GENESIS: Final = b"\x00" * 32
_HASH: Final = len(GENESIS)
_GROUP: Final = 1024
_FORMAT: Final = 2
_TAG_AT: Final = len(b'{"type":"')
_NAMES: Final = {str(kind.__struct_config__.tag).encode(): kind.__name__ for kind in EVENT_TYPES}
_KEEP_SNAPSHOTS: Final = 2
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS pages (last INTEGER PRIMARY KEY, inputs BLOB NOT NULL,
    records BLOB NOT NULL, hashes BLOB NOT NULL);
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
    payload: bytes
    hash: bytes

    @property
    def type(self) -> str:
        """The name of its event's type, told by its first bytes; empty where they were changed."""
        return _NAMES.get(self.payload[_TAG_AT : self.payload.find(b'"', _TAG_AT)], "")

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

    def append(self, input_sequence: int, event: Event) -> None: ...

    @property
    def failure(self) -> str:
        """Why records wait in memory that should be on disk; empty when all is well."""
        ...

    def commit(self) -> None: ...

    def spill(self, number: int, data: bytes) -> None: ...

    def read_spilled(self, number: int) -> bytes: ...

    def bury(self, number: int, handler: str, error: str, data: bytes) -> None: ...


class _Chain:
    """Events on their way into a journal: encoded and hashed in one go, when that is asked for."""

    __slots__ = ("_events", "_head", "count", "hashes", "inputs", "lines")

    def __init__(self, count: int, head: bytes) -> None:
        self.count = count
        self.inputs: list[int] = []
        self.lines: list[bytes] = []
        self.hashes: list[bytes] = []
        self._events: list[Event] = []
        self._head = head

    def append(self, input_sequence: int, event: Event) -> None:
        self.count += 1
        self.inputs.append(input_sequence)
        self._events.append(event)

    def settle(self) -> bytes:
        """Give every event its bytes and its hash; return the newest hash."""
        head = self._head
        for event in self._events:
            line = encode(event)
            head = blake2b(head + line, digest_size=_HASH).digest()
            self.lines.append(line)
            self.hashes.append(head)
        self._events.clear()
        self._head = head
        return head

    def forget(self) -> None:
        """Let go of what was written."""
        self.inputs.clear()
        self.lines.clear()
        self.hashes.clear()

    def records(self) -> list[Record]:
        """Return what was settled and not forgotten."""
        first = self.count - len(self.inputs) + 1
        settled = zip(self.inputs, self.lines, self.hashes, strict=True)
        return [Record(first + place, *one) for place, one in enumerate(settled)]


class MemoryJournal:
    """Keeps the chain's head and, if asked, the records themselves."""

    def __init__(self, *, keep: bool = True) -> None:
        self._keep = keep
        self._chain = _Chain(0, GENESIS)
        self._spilled: dict[int, bytes] = {}
        self.failure = ""
        self.dead_letters: dict[int, DeadLetter] = {}

    @property
    def head(self) -> bytes:
        return self._chain.settle()

    @property
    def count(self) -> int:
        return self._chain.count

    @property
    def records(self) -> list[Record]:
        self._chain.settle()
        return self._chain.records()

    def append(self, input_sequence: int, event: Event) -> None:
        self._chain.append(input_sequence, event)
        if not self._keep and self._chain.count % _GROUP == 0:
            self.commit()

    def commit(self) -> None:
        """Nothing is written; what need not be kept is let go."""
        if not self._keep:
            self._chain.settle()
            self._chain.forget()

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
            self._claim()
            row = self._db.execute(
                "SELECT last, hashes FROM pages ORDER BY last DESC LIMIT 1"
            ).fetchone()
        except sqlite3.Error as error:
            raise JournalError(f"{path.name} cannot be opened as a journal: {error}") from error
        self._chain = _Chain(row[0], row[1][-_HASH:]) if row else _Chain(0, GENESIS)
        self.failure = ""
        self._expected: deque[tuple[int, str, bytes]] = deque()
        self._marks: dict[str, str] = {}

    def _claim(self) -> None:
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found != _FORMAT:
            if self._db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                self._db.close()
                raise StateError(
                    f"{self.path.parent} was left by another version of HEAN; "
                    "give another directory or remove that one"
                )
            self._db.execute(f"PRAGMA user_version={_FORMAT}")
        self._db.executescript(_SCHEMA)

    @property
    def head(self) -> bytes:
        return self._chain.settle()

    @property
    def count(self) -> int:
        return self._chain.count

    @property
    def tail_left(self) -> int:
        """How many records of the old tail have not been made again yet."""
        return len(self._expected)

    def append(self, input_sequence: int, event: Event) -> None:
        """Add a record; inside an expected tail, hold it against the one written before."""
        chain = self._chain
        chain.append(input_sequence, event)
        if self._expected:
            self._hold_against(type(event).__name__)
        elif len(chain.inputs) % _GROUP == 0:
            self._try_commit()

    def _try_commit(self) -> None:
        """Write what waits; a disk that refuses is told in `failure`, and nothing is dropped."""
        try:
            self.commit()
        except JournalError as error:
            self.failure = str(error)

    def _hold_against(self, type_name: str) -> None:
        seq, expected_type, expected = self._expected.popleft()
        head = self._chain.settle()
        self._chain.forget()
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
        if not self._chain.inputs and not self._marks:
            return
        try:
            self._db.execute("BEGIN")
            self._write_waiting()
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise JournalError(f"{self.path.name} cannot be written: {error}") from error
        self._forget_written()

    def _forget_written(self) -> None:
        self._chain.forget()
        self._marks.clear()
        self.failure = ""

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _write_waiting(self) -> None:
        chain = self._chain
        if chain.inputs:
            chain.settle()
            self._db.execute(
                "INSERT INTO pages VALUES (?,?,?,?)",
                (
                    chain.count,
                    msgspec.msgpack.encode(chain.inputs),
                    b"\n".join(chain.lines),
                    b"".join(chain.hashes),
                ),
            )
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
                (input_sequence, ts_ns, self._chain.count, self._chain.settle()),
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
        self._forget_written()
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
        self._expected = deque((one.seq, one.type, one.hash) for one in self._read(records))
        self._chain = _Chain(records, head)

    def segments(self) -> list[Segment]:
        """Return every start and restart in order."""
        rows = self._db.execute("SELECT id, snapshot, first_input, facts FROM segments ORDER BY id")
        return [Segment(row[0], row[1], row[2], json.loads(row[3])) for row in rows]

    def records(self, types: Iterable[str] = ()) -> Iterator[Record]:
        """Yield committed records in order, of the named event types or all."""
        wanted = frozenset(types)
        for record in self._read(0):
            if not wanted or record.type in wanted:
                yield record

    def _read(self, after: int) -> Iterator[Record]:
        """Yield the committed records behind one; a page that is no page ends in JournalError."""
        for last, inputs, lines, hashes in self._db.execute(
            "SELECT last, inputs, records, hashes FROM pages WHERE last > ? ORDER BY last", (after,)
        ):
            try:
                causes = msgspec.msgpack.decode(inputs, type=list[int])
                payloads = bytes(lines).split(b"\n")
                first = last - len(causes) + 1
                for place, (cause, line) in enumerate(zip(causes, payloads, strict=True)):
                    if first + place > after:
                        one = hashes[place * _HASH : place * _HASH + _HASH]
                        yield Record(first + place, cause, line, one)
            except (msgspec.DecodeError, TypeError, ValueError) as error:
                raise JournalError(
                    f"{self.path.name} is damaged in the page that ends with record {last}"
                ) from error

    def verify_chain(self) -> bytes:
        """Return the head after recomputing every hash; a gap raises `JournalError` naming it."""
        head = GENESIS
        for position, record in enumerate(self._read(0), start=1):
            head = blake2b(head + record.payload, digest_size=_HASH).digest()
            if record.hash != head or record.seq != position:
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
