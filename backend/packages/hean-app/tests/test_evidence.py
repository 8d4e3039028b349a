from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from hean.app.evidence import evidence_lines, read_evidence, recorded_evidence
from hean.app.feeds.replay import DatasetFeed
from hean.app.strategy_selection import enabling
from hean.app.testing import FinishedRun, finish_run, open_dataset, settings_with
from hean.core.errors import JournalError, SettingsError
from hean.core.events import Evidence, PastOutcome
from hean.core.journal import MemoryJournal, SqliteJournal
from hean.main import TradingSystem

MOMENTUM = "momentum_trader"


def _system(bars: Path, **settings: str) -> TradingSystem:
    description = DatasetFeed(bars).description
    return TradingSystem(
        settings=settings_with(**settings), description=description, journal=MemoryJournal()
    )


def _change_facts(directory: Path, name: str, text: str) -> None:
    """Add a restart to a run whose settings differ in one name."""
    database = sqlite3.connect(directory / "journal.db")
    (found,) = database.execute("SELECT facts FROM segments").fetchone()
    facts = {**json.loads(found), name: text}
    with database:
        database.execute(
            "INSERT INTO segments (snapshot, first_input, facts) VALUES (NULL, 9, ?)",
            (json.dumps(facts),),
        )
    database.close()


@pytest.fixture
def begun(bars: Path, tmp_path: Path) -> FinishedRun:
    """The beginning of a run of Momentum alone, which a test may change."""
    directory = tmp_path / "run"
    directory.mkdir()
    settings = settings_with(**enabling((MOMENTUM,)))
    session = open_dataset(bars, directory, settings)
    return finish_run(session, session.feed.description.first)


def test_every_strategy_that_runs_has_its_answer(bars: Path, backtested: FinishedRun) -> None:
    """Each gets evidence or one reason; those that cannot run get nothing."""
    system = _system(bars)
    found = read_evidence(backtested.directory, system)
    assert list(found) == [one.name for one in system.strategies.strategies if one.runs]
    for one in found.values():
        assert one.source == backtested.summary["run_id"]
        assert bool(one.refusal) is not bool(one.outcomes)


def test_who_did_not_run_there_brings_nothing(bars: Path, begun: FinishedRun) -> None:
    """A strategy that was switched off in that run is told so."""
    found = read_evidence(begun.directory, _system(bars))
    assert found["funding_harvester"].refusal == "it did not run there"


def test_parameters_changed_on_the_way_bring_nothing(bars: Path, begun: FinishedRun) -> None:
    """A restart under another parameter spoils the outcomes, one under another limit does not."""
    given = enabling((MOMENTUM,))
    before = read_evidence(begun.directory, _system(bars, **given))[MOMENTUM].refusal
    _change_facts(begun.directory, "setting:RISK__MAX_POSITIONS", "7")
    assert read_evidence(begun.directory, _system(bars, **given))[MOMENTUM].refusal == before
    _change_facts(begun.directory, "setting:STRATEGIES__MOMENTUM_TRADER__ENTER", "0.7")
    found = read_evidence(begun.directory, _system(bars, **given))[MOMENTUM]
    assert found.refusal == "its parameters were changed in the course of that run"
    assert found.outcomes == ()


def test_a_directory_without_a_run_is_refused(bars: Path, tmp_path: Path) -> None:
    """No journal, an empty one, and one that is none are each one sentence."""
    system = _system(bars)
    with pytest.raises(SettingsError, match=r"holds no journal\.db; give the directory"):
        read_evidence(tmp_path, system)
    SqliteJournal(tmp_path / "journal.db").close()
    with pytest.raises(SettingsError, match="holds an empty run"):
        read_evidence(tmp_path, system)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "journal.db").write_text("no database at all " * 100)
    with pytest.raises(JournalError, match="cannot be opened as a journal"):
        read_evidence(tmp_path / "other", system)


def test_evidence_is_part_of_a_run_s_identity(bars: Path) -> None:
    """None leaves the run's id alone; any changes it, and other outcomes change it again."""
    ids: list[str] = []
    outcome = PastOutcome(
        closed_at=1, instrument="x", regime="", is_real=True, before_fees_bp=1.0,
        frictions_bp=0.0, shares=(),
    )  # fmt: skip
    for brought in (
        {},
        {"a": Evidence(source="r")},
        {"a": Evidence(source="r", outcomes=(outcome,))},
    ):
        system = _system(bars)
        plain = system.run_id
        system.take_evidence(brought)
        ids.append(system.run_id)
        assert (system.run_id == plain) is not bool(brought)
    assert len(set(ids)) == 3


def test_a_run_that_has_not_begun_has_no_answer(tmp_path: Path) -> None:
    """An empty journal knows nothing, which is not the same as a run without evidence."""
    journal = SqliteJournal(tmp_path / "journal.db")
    assert recorded_evidence(journal) is None
    journal.close()


def test_a_run_without_evidence_says_so(backtested: FinishedRun) -> None:
    """A run that began without any has none, whatever is named later."""
    journal = SqliteJournal(backtested.directory / "journal.db")
    assert recorded_evidence(journal) == {}
    journal.close()


def test_sentences_name_run_count_and_reason() -> None:
    """What was taken, what was left out, or why nothing was."""
    outcome = PastOutcome(
        closed_at=1, instrument="x", regime="", is_real=True, before_fees_bp=1.0,
        frictions_bp=0.0, shares=(),
    )  # fmt: skip
    found = evidence_lines(
        {
            "one": Evidence(source="0123456789abcdef", outcomes=(outcome, outcome), left_out=3),
            "two": Evidence(source="r", refusal="other parameters there"),
        },
        1,
    )
    assert list(found) == [
        "evidence for one from run 0123456789ab: 2 outcomes, 3 left out",
        "no evidence for two from run r: other parameters there",
    ]


def test_outcomes_from_the_future_are_told_apart() -> None:
    """What closed after a run's begin is counted in its sentence: a backtest may look ahead so."""
    early, late = (
        PastOutcome(
            closed_at=at, instrument="x", regime="", is_real=True, before_fees_bp=1.0,
            frictions_bp=0.0, shares=(),
        )
        for at in (10, 11)
    )  # fmt: skip
    (found,) = evidence_lines({"one": Evidence(source="r", outcomes=(early, late))}, 10)
    assert found.endswith("2 outcomes; 1 closed after this run begins, which is to look ahead")
