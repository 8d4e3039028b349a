"""Promise 10: kill -9 at any point, start again: same positions, budgets, books and learning."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from hean.app.feeds.sim import START_NS
from hean.core.journal import Snapshot, SqliteJournal

CHILD = Path(__file__).with_name("crash_child.py")
KILLS = 50
MINUTES = 240
UNTIL_NS = START_NS + MINUTES * 60 * 10**9


def _start(directory: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, str(CHILD), str(directory), str(UNTIL_NS)])


def _newest(directory: Path) -> Snapshot:
    journal = SqliteJournal(directory / "journal.db")
    try:
        journal.verify_chain()
        found = journal.snapshot()
        assert found is not None
        return found
    finally:
        journal.close()


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that was never killed."""
    directory = tmp_path_factory.mktemp("survivor")
    assert _start(directory).wait() == 0
    return directory


@pytest.fixture(scope="module")
def victim(survivor: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that was killed at random moments, then left to end."""
    directory = tmp_path_factory.mktemp("victim")
    random, kills = Random(20), 0
    while kills < KILLS:
        child = _start(directory)
        deadline = time.monotonic() + random.uniform(0.2, 3.0)
        while time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.005)
        if child.poll() is not None:
            assert child.returncode == 0
            break
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        kills += 1
    (directory / "kills").write_text(str(kills))
    assert _start(directory).wait() == 0
    return directory


def test_the_victim_was_killed_often_enough(victim: Path) -> None:
    """The run was killed at least fifty times before it came to its end."""
    assert int((victim / "kills").read_text()) >= KILLS


def test_every_component_ends_in_the_same_state(survivor: Path, victim: Path) -> None:
    """At the same kernel time every part, from books to learning, equals that of a run never killed."""
    left, right = _newest(survivor), _newest(victim)
    assert (left.ts_ns, left.input_sequence) == (right.ts_ns, right.input_sequence)
    different = [name for name in left.states if left.states[name] != right.states.get(name)]
    assert different == []


def test_both_journals_have_the_same_head(survivor: Path, victim: Path) -> None:
    """What was journaled is the same, record for record: nothing lost, nothing twice."""
    left, right = _newest(survivor), _newest(victim)
    assert left.records == right.records
    assert left.head == right.head


def test_the_run_traded(survivor: Path) -> None:
    """The comparison means something: orders were sent and filled during the run."""
    journal = SqliteJournal(survivor / "journal.db")
    try:
        assert sum(1 for _ in journal.records(("OrderFilled",))) > 0
    finally:
        journal.close()
