from __future__ import annotations

import signal as process_signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from hean.core.errors import JournalError
from hean.core.events.base import Event
from hean.core.events.decision import RefusedBy, SignalRejected
from hean.core.events.portfolio import EquityUpdated
from hean.core.events.reasons import ReasonCode
from hean.core.events.system import JournalFailed
from hean.core.events.union import encode
from hean.core.journal import GENESIS, JournalRecorder, MemoryJournal, SqliteJournal
from hean.core.testing import (
    BTC,
    MINUTE,
    START,
    MiniSystem,
    accepted,
    filled,
    order_request,
    position_opened,
    quote,
    signal,
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    """Open an empty journal in a fresh directory."""
    opened = SqliteJournal(tmp_path / "journal.db")
    yield opened
    opened.close()


def _add(journal: SqliteJournal | MemoryJournal, count: int, *, first: int = 1) -> None:
    for number in range(first, first + count):
        event = position_opened(at=START + number)
        journal.append(number, event.ts_init, "PositionOpened", encode(event))


def _equity(wallet: str, at: int) -> EquityUpdated:
    return EquityUpdated(
        ts_event=at,
        ts_init=at,
        equity=Decimal(wallet),
        wallet=Decimal(wallet),
        unrealised=Decimal(0),
        nav=1.0,
        high_water_mark=1.0,
        drawdown=0.0,
        day_start=1.0,
        day_high=1.0,
        mark_age_ns=0,
        realised=Decimal(0),
        fees=Decimal(0),
        funding=Decimal(0),
    )


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
    journal.append(4, order.ts_init, "OrderRequest", encode(order))
    journal.commit()
    (found,) = journal.records(["OrderRequest"])
    assert found.event() == order
    assert (found.seq, found.input_sequence, journal.count) == (4, 4, 4)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE records SET payload = X'7b7d' WHERE seq = 5",
        "DELETE FROM records WHERE seq = 5",
        "UPDATE records SET hash = X'00' WHERE seq = 5",
    ],
)
def test_a_changed_record_breaks_the_chain(tmp_path: Path, change: str) -> None:
    """Changing or removing one record makes verification name its place."""
    path = tmp_path / "journal.db"
    opened = SqliteJournal(path)
    _add(opened, 9)
    opened.close()
    with sqlite3.connect(path) as database:
        database.execute(change)
    database.close()
    again = SqliteJournal(path)
    with pytest.raises(JournalError, match="record 5"):
        again.verify_chain()
    again.close()


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
        again.append(2, START, "OrderRequest", b"{}")
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
from hean.core.events.union import encode
from hean.core.journal import SqliteJournal
from hean.core.testing import START, position_opened

journal = SqliteJournal(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    event = position_opened(at=START + number)
    journal.append(number, event.ts_init, "PositionOpened", encode(event))
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


def _recorded() -> tuple[MiniSystem, MemoryJournal, JournalRecorder]:
    system = MiniSystem()
    journal = MemoryJournal()
    recorder = system.add(JournalRecorder(journal=journal, kernel=system.kernel))
    return system, journal, recorder


def test_the_recorder_keeps_what_decides_and_leaves_the_market_out() -> None:
    """Orders, fills and positions are journaled with the input that caused them; quotes are not."""
    system, journal, _ = _recorded()
    order = order_request()
    system.take(quote(), signal(), order, accepted(order), filled(order), position_opened())
    assert [record.type for record in journal.records] == [
        "Signal",
        "OrderRequest",
        "OrderAccepted",
        "OrderFilled",
        "PositionOpened",
    ]
    assert [record.input_sequence for record in journal.records] == [2, 3, 4, 5, 6]


def test_only_the_gates_refusals_are_journaled() -> None:
    """A strategy's own refusal is counted elsewhere; the gate's is a decision and is kept."""
    system, journal, _ = _recorded()
    for who in RefusedBy:
        system.take(
            SignalRejected(
                ts_event=START,
                ts_init=START,
                signal_id="s",
                strategy="alpha",
                instrument=BTC,
                layer="PACE",
                code=ReasonCode.COOLDOWN,
                refused_by=who,
            )
        )
    (record,) = journal.records
    kept = record.event()
    assert isinstance(kept, SignalRejected)
    assert kept.refused_by is RefusedBy.GATE


def test_equity_is_sampled_by_wallet_and_minute() -> None:
    """Equity is kept when the wallet moved, else once a minute, also across a restart."""
    system, journal, recorder = _recorded()
    times = [0, 1, 59, 60, 61]
    for second in times:
        system.take(_equity("300", START + second * MINUTE // 60))
    system.take(_equity("301", system.now))
    assert [(one.ts_ns - START) * 60 // MINUTE for one in journal.records] == [0, 60, 61]
    other = JournalRecorder(journal=journal, kernel=system.kernel)
    other.restore(recorder.snapshot())
    assert other.snapshot() == recorder.snapshot()
    later = MiniSystem()
    later.add(other)
    later.take(_equity("301", system.now + 1))
    assert len(journal.records) == 3


def test_a_journal_that_cannot_be_written_is_told_once() -> None:
    """A failing disk is announced as `JournalFailed` once, and again only for a new failure."""
    system, journal, _ = _recorded()
    journal.failure = "disk full"
    system.take(position_opened(), position_opened())
    assert [one.error for one in system.of(JournalFailed)] == ["disk full"]
    journal.failure = ""
    system.take(position_opened())
    journal.failure = "disk full"
    system.take(position_opened())
    assert len(system.of(JournalFailed)) == 2


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


def test_equal_runs_have_equal_heads() -> None:
    """Two systems fed the same inputs journal the same bytes."""
    heads: list[bytes] = []
    for _ in range(2):
        system, journal, _ = _recorded()
        order = order_request()
        events: tuple[Event, ...] = (order, accepted(order), filled(order))
        system.take(*events)
        heads.append(journal.head)
    assert heads[0] == heads[1] != GENESIS
