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
NEVER_NS = START_NS + 365 * 86_400 * 10**9
SETTLING_NS = 60 * 10**9


def _start(directory: Path, until_ns: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, str(CHILD), str(directory), str(until_ns)])


def _kill_at_random(directory: Path, random: Random) -> None:
    opened = directory / "opened"
    opened.unlink(missing_ok=True)
    child = _start(directory, NEVER_NS)
    while not opened.exists() and child.poll() is None:
        time.sleep(0.005)
    deadline = time.monotonic() + random.uniform(0.0, 1.2)
    while time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.005)
    assert child.poll() is None, "the run ended before it could be killed"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()


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
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Kill one run fifty times and let it end; let another run to the same time undisturbed."""
    victim, survivor = (tmp_path_factory.mktemp(name) for name in ("victim", "survivor"))
    random = Random(20)
    for _ in range(KILLS):
        _kill_at_random(victim, random)
    until = max(_newest(victim).ts_ns, START_NS) + SETTLING_NS
    assert _start(victim, until).wait() == 0
    assert _start(survivor, until).wait() == 0
    return victim, survivor


def test_every_component_ends_in_the_same_state(pair: tuple[Path, Path]) -> None:
    """At the same kernel time every part, books to learning, equals that of a run never killed."""
    left, right = _newest(pair[0]), _newest(pair[1])
    assert (left.ts_ns, left.input_sequence) == (right.ts_ns, right.input_sequence)
    assert list(left.states) == list(right.states)
    different = [name for name in left.states if left.states[name] != right.states[name]]
    assert different == []


def test_both_journals_have_the_same_head(pair: tuple[Path, Path]) -> None:
    """What was journaled is the same, record for record: nothing lost, nothing twice."""
    left, right = _newest(pair[0]), _newest(pair[1])
    assert left.records == right.records
    assert left.head == right.head


def test_the_run_was_restarted_and_traded(pair: tuple[Path, Path]) -> None:
    """The comparison means something: there were fifty restarts, and orders were filled."""
    journal = SqliteJournal(pair[0] / "journal.db")
    try:
        assert len(journal.segments()) == KILLS + 1
        assert sum(1 for _ in journal.records(("OrderFilled",))) > 0
    finally:
        journal.close()
