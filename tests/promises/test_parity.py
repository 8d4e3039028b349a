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
    assert "0 differences" not in out.replace("10 differences", "")
    run, replay = (line for line in out.splitlines() if line.startswith(("  run:", "  replay:")))
    assert run.removeprefix("  run:").strip() != replay.removeprefix("  replay:").strip()


def test_a_tampered_journal_is_named_by_its_record(command: Command, copied: Path) -> None:
    """One changed byte breaks the hash chain at that record: one sentence, exit 4."""
    database = sqlite3.connect(copied / "journal.db")
    with database:
        database.execute("UPDATE records SET payload = CAST(payload || ' ' AS BLOB) WHERE seq = 40")
    database.close()
    code, _, err = command("replay", copied, "--verify")
    assert code == 4
    assert err.splitlines()[-1].startswith("error: ")
    assert "record 40" in err


def test_a_forged_decision_is_a_difference(command: Command, copied: Path) -> None:
    """A decision forged together with its chain still differs from what the inputs give: exit 4."""
    from hashlib import blake2b

    database = sqlite3.connect(copied / "journal.db")
    rows = database.execute("SELECT seq, type, payload FROM records ORDER BY seq").fetchall()
    forged, head = 0, bytes(32)
    with database:
        for seq, kind, payload in rows:
            if kind == "OrderRequest" and not forged:
                forged = seq
                change = json.loads(payload)
                change["quantity"] = "9"
                payload = json.dumps(change).encode()
            head = blake2b(head + payload, digest_size=32).digest()
            database.execute(
                "UPDATE records SET payload = ?, hash = ? WHERE seq = ?", (payload, head, seq)
            )
    database.close()
    assert forged
    code, out, _ = command("replay", copied, "--verify")
    assert code == 4
    assert ", 1 differences" in out
    assert "qty 9 " in out
