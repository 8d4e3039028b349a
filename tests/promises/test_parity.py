"""Promise 2: a recorded session, replayed, makes the same decisions; a difference is named."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from hean.app.testing import FinishedRun

Command = Callable[..., tuple[int, str, str]]


def test_a_paper_session_replays_without_a_difference(
    command: Command, sim_run: FinishedRun
) -> None:
    """A paper run on `sim`, stopped and resumed, is remade from each start: 0 differences."""
    code, out, _ = command("replay", sim_run.directory, "--verify")
    assert code == 0
    assert f"{sim_run.summary['signals']} decisions compared, 0 differences" in out
    assert "journal head equal" in out


def test_a_backtest_replays_without_a_difference(command: Command, bar_run: FinishedRun) -> None:
    """A backtest is remade from its dataset: 0 differences, and the same journal."""
    code, out, _ = command("replay", bar_run.directory, "--verify")
    assert code == 0
    assert f"{bar_run.summary['signals']} decisions compared, 0 differences" in out
    assert bar_run.summary["journal_sha256"] in out


@pytest.fixture
def copied(bar_run: FinishedRun, tmp_path: Path) -> Path:
    """A copy of the backtest's run directory that a test may change."""
    return Path(shutil.copytree(bar_run.directory, tmp_path / "run"))


def test_another_setting_is_named_as_the_first_difference(command: Command, copied: Path) -> None:
    """Under another risk per trade the sizes differ: counted, the first one told, exit 4."""
    database = sqlite3.connect(copied / "journal.db")
    facts = json.loads(database.execute("SELECT facts FROM segments").fetchone()[0])
    facts["setting:RISK_OF_BUDGET"] = "0.012"
    with database:
        database.execute("UPDATE segments SET facts = ?", (json.dumps(facts),))
    database.close()
    code, out, _ = command("replay", copied, "--verify")
    assert code == 4
    assert "first difference:" in out
    assert ", 0 differences" not in out
    run, replay = (line for line in out.splitlines() if line.startswith(("  run:", "  replay:")))
    assert run.removeprefix("  run:").strip() != replay.removeprefix("  replay:").strip()


def _pages(copied: Path, change: Callable[[int, bytes], bytes]) -> None:
    """Rewrite each record of a journal by its number; the hashes stay as they were."""
    database = sqlite3.connect(copied / "journal.db")
    pages = database.execute("SELECT last, records FROM pages ORDER BY last").fetchall()
    number = 0
    with database:
        for last, records in pages:
            lines: list[bytes] = []
            for line in records.split(b"\n"):
                number += 1
                lines.append(change(number, line))
            values = (b"\n".join(lines), last)
            database.execute("UPDATE pages SET records = ? WHERE last = ?", values)
    database.close()


def test_a_tampered_journal_is_named_by_its_record(command: Command, copied: Path) -> None:
    """One changed byte breaks the hash chain at that record: one sentence, exit 4."""
    _pages(copied, lambda number, line: line + b" " if number == 40 else line)
    code, _, err = command("replay", copied, "--verify")
    assert code == 4
    assert err.splitlines()[-1].startswith("error: ")
    assert "record 40" in err


def test_a_forged_decision_is_a_difference(command: Command, copied: Path) -> None:
    """A decision forged together with its chain still differs from what the inputs give: exit 4."""
    from hashlib import blake2b

    forged: list[int] = []
    hashes: list[bytes] = [bytes(32)]

    def forge(number: int, line: bytes) -> bytes:
        if line.startswith(b'{"type":"ORDER_REQUEST"') and not forged:
            forged.append(number)
            line = json.dumps({**json.loads(line), "quantity": "9"}, separators=(",", ":")).encode()
        hashes.append(blake2b(hashes[-1] + line, digest_size=32).digest())
        return line

    _pages(copied, forge)
    database = sqlite3.connect(copied / "journal.db")
    first = 1
    with database:
        for (last,) in database.execute("SELECT last FROM pages ORDER BY last").fetchall():
            values = (b"".join(hashes[first : last + 1]), last)
            database.execute("UPDATE pages SET hashes = ? WHERE last = ?", values)
            first = last + 1
    database.close()
    assert forged
    code, out, _ = command("replay", copied, "--verify")
    assert code == 4
    assert ", 1 differences" in out
    assert "qty 9 " in out
