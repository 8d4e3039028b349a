from __future__ import annotations

import signal as process_signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hean.core.errors import JournalError, StateError
from hean.core.journal import GENESIS, MemoryJournal, SqliteJournal
from hean.core.testing import (
    START,
    order_request,
    position_opened,
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    """Open an empty journal in a fresh directory."""
    opened = SqliteJournal(tmp_path / "journal.db")
    yield opened
    opened.close()


def _add(journal: SqliteJournal | MemoryJournal, count: int, *, first: int = 1) -> None:
    for number in range(first, first + count):
        journal.append(number, position_opened(at=START + number))


def test_memory_and_file_have_the_same_chain(journal: SqliteJournal) -> None:
    """The same records give the same head in memory, in the file, and when recomputed."""
    memory = MemoryJournal()
    for one in (memory, journal):
        _add(one, 10)
    journal.commit()
    assert memory.head == journal.head == journal.verify_chain() != GENESIS
    assert [record.payload for record in journal.records()] == [
        record.payload for record in memory.records
    ]


def test_records_come_back_as_events_by_type(journal: SqliteJournal) -> None:
    """Records are found by type, in order, and decode to the events that were written."""
    _add(journal, 3)
    order = order_request()
    journal.append(4, order)
    journal.commit()
    (found,) = journal.records(["OrderRequest"])
    assert found.event() == order
    assert (found.seq, found.input_sequence, journal.count) == (4, 4, 4)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE pages SET records = CAST(replace(CAST(records AS TEXT), '0005,', '0006,') AS BLOB)",
        "DELETE FROM pages WHERE last = 6",
        "UPDATE pages SET hashes = zeroblob(64) WHERE last = 6",
    ],
)
def test_a_changed_record_breaks_the_chain(tmp_path: Path, change: str) -> None:
    """Changing a record, its hash or removing its page makes verification name its place."""
    path = tmp_path / "journal.db"
    opened = SqliteJournal(path)
    for first in (1, 5, 7):
        _add(opened, 4 if first == 1 else 2, first=first)
        opened.commit()
    opened.close()
    with sqlite3.connect(path) as database:
        database.execute(change)
    database.close()
    again = SqliteJournal(path)
    with pytest.raises(JournalError, match="record 5"):
        again.verify_chain()
    again.close()


def test_a_damaged_page_is_named(tmp_path: Path) -> None:
    """A page that cannot be read is refused by the number of its last record."""
    path = tmp_path / "journal.db"
    opened = SqliteJournal(path)
    _add(opened, 9)
    opened.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE pages SET inputs = X'C1' WHERE last = 9")
    database.close()
    again = SqliteJournal(path)
    with pytest.raises(JournalError, match="page that ends with record 9"):
        again.verify_chain()
    again.close()


def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    """A file with tables of an older layout is left alone, and the error says what to do."""
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE records (seq INTEGER PRIMARY KEY)")
    database.close()
    with pytest.raises(StateError, match="another version of HEAN"):
        SqliteJournal(path)


def test_a_snapshot_within_an_old_page_goes_on_from_there(tmp_path: Path) -> None:
    """A restart from a snapshot taken amid a page expects only the records behind it."""
    path = tmp_path / "journal.db"
    opened = SqliteJournal(path)
    _add(opened, 7)
    opened.close()
    again = SqliteJournal(path)
    again.begin_segment(None, {})
    _add(again, 4)
    again.save_snapshot(4, START, {})
    again.close()
    last = SqliteJournal(path)
    last.begin_segment(last.snapshot(), {})
    assert last.tail_left == 3
    _add(last, 5, first=5)
    last.commit()
    memory = MemoryJournal()
    _add(memory, 9)
    assert last.verify_chain() == memory.head
    last.close()


def test_a_restart_runs_its_tail_again_and_goes_on(tmp_path: Path) -> None:
    """After a restart the tail must come out equal; then new records follow on the same chain."""
    opened = SqliteJournal(tmp_path / "journal.db")
    _add(opened, 4)
    opened.save_snapshot(4, START, {"books": b"state"})
    _add(opened, 3, first=5)
    opened.close()
    again = SqliteJournal(tmp_path / "journal.db")
    found = again.snapshot()
    assert found is not None
    assert (found.states, found.records) == ({"books": b"state"}, 4)
    again.begin_segment(found, {"seed": "0"})
    assert again.tail_left == 3
    _add(again, 6, first=5)
    again.commit()
    assert again.tail_left == 0
    memory = MemoryJournal()
    _add(memory, 10)
    assert again.verify_chain() == memory.head
    assert again.segments()[0].facts == {"seed": "0"}
    again.close()


def test_a_tail_that_comes_out_differently_is_refused(tmp_path: Path) -> None:
    """A re-made record that differs raises `JournalError` with its number and both types."""
    opened = SqliteJournal(tmp_path / "journal.db")
    _add(opened, 2)
    opened.close()
    again = SqliteJournal(tmp_path / "journal.db")
    again.begin_segment(None, {})
    _add(again, 1)
    with pytest.raises(JournalError, match="record 2 was PositionOpened"):
        again.append(2, order_request())
    again.close()


def test_marks_are_written_with_the_records(tmp_path: Path) -> None:
    """A note such as the feed's cursor survives with the commit it belongs to."""
    opened = SqliteJournal(tmp_path / "journal.db")
    opened.mark("cursor", "7")
    assert opened.marked("cursor") == "7"
    opened.close()
    again = SqliteJournal(tmp_path / "journal.db")
    assert again.marked("cursor") == "7"
    assert again.marked("nothing") is None
    again.close()


def test_old_snapshots_go_and_the_two_newest_stay(journal: SqliteJournal) -> None:
    """Only the two newest snapshots keep their states, beside those a segment began with."""
    numbers: list[int] = []
    for count in range(5):
        numbers.append(journal.save_snapshot(count, START, {"a": bytes([count])}))
        if count == 0:
            journal.begin_segment(journal.snapshot(), {})
    kept = [number for number in numbers if journal.snapshot(number) is not None]
    assert kept == [numbers[0], *numbers[-2:]]


def test_letters_are_spilled_read_again_and_buried(journal: SqliteJournal) -> None:
    """A spilled letter can be read any number of times; a buried one is listed with its error."""
    journal.spill(3, b"first")
    journal.spill(3, b"second")
    assert [journal.read_spilled(3), journal.read_spilled(3)] == [b"second", b"second"]
    journal.bury(4, "books:OrderFilled", "ValueError", b"{}")
    (letter,) = journal.dead_letters()
    assert (letter.number, letter.handler, letter.payload) == (4, "books:OrderFilled", b"{}")
    with pytest.raises(JournalError, match="letter 9"):
        journal.read_spilled(9)


_WRITER = """
import sys
from pathlib import Path
from hean.core.journal import SqliteJournal
from hean.core.testing import START, position_opened

journal = SqliteJournal(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    journal.append(number, position_opened(at=START + number))
    if number % 50 == 0:
        journal.commit()
        print(number, flush=True)
"""


def test_a_killed_writer_leaves_a_whole_prefix(tmp_path: Path) -> None:
    """After kill -9 the file holds all that was committed, in an unbroken chain."""
    path = tmp_path / "journal.db"
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        told = 0
        while told < 500:
            told = int(writer.stdout.readline())
        writer.send_signal(process_signal.SIGKILL)
    again = SqliteJournal(path)
    again.verify_chain()
    assert again.count >= told
    memory = MemoryJournal()
    _add(memory, again.count)
    assert memory.head == again.head
    again.close()


def test_a_disk_that_refuses_loses_no_record(tmp_path: Path) -> None:
    """Records that could not be written wait and follow when the disk takes them again."""
    path = tmp_path / "journal.db"
    opened = SqliteJournal(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    opened.wait_at_most(0.01)
    _add(opened, 5000)
    assert "locked" in opened.failure
    with pytest.raises(JournalError, match="cannot be written"):
        opened.commit()
    blocker.execute("ROLLBACK")
    blocker.close()
    opened.commit()
    assert opened.failure == ""
    assert opened.verify_chain() == opened.head
    assert len(list(opened.records())) == 5000
    opened.close()


def test_a_snapshot_that_is_written_ends_the_failure(tmp_path: Path) -> None:
    """A checkpoint writes what waited, so nothing is said to be missing from the disk after it."""
    path = tmp_path / "journal.db"
    opened = SqliteJournal(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    opened.wait_at_most(0.01)
    _add(opened, 1024)
    blocker.execute("ROLLBACK")
    blocker.close()
    assert "locked" in opened.failure
    opened.save_snapshot(1024, START, {})
    assert opened.failure == ""
    assert len(list(opened.records())) == 1024
    opened.close()
