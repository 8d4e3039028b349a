from pathlib import Path

import pytest

from hean.app.replay.session import open_run, replay_run
from hean.app.testing import FinishedRun
from hean.core.errors import StateError
from hean.core.journal import SqliteJournal


def test_a_run_is_made_again(backtested: FinishedRun, capsys: pytest.CaptureFixture[str]) -> None:
    """A finished run taken again has no difference, and the same head of its journal."""
    assert replay_run(backtested.directory) == 0
    out = capsys.readouterr().out
    assert f"{backtested.summary['signals']} decisions compared, 0 differences" in out
    assert f"journal head equal: {backtested.summary['journal_sha256']}" in out


def test_a_directory_without_a_journal(tmp_path: Path) -> None:
    """A directory that holds no journal is named, and none is made there."""
    with pytest.raises(StateError, match="holds no journal"):
        open_run(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_run(tmp_path: Path) -> None:
    """A journal that was opened and never begun has nothing to replay."""
    SqliteJournal(tmp_path / "journal.db").close()
    with pytest.raises(StateError, match="empty run"):
        replay_run(tmp_path)
