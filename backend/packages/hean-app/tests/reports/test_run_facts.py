import json
import sqlite3
from pathlib import Path

import pytest

from hean.app.reports.run_facts import (
    read_funnel,
    read_size_factors,
    read_summary,
    run_settings,
)
from hean.core.errors import StateError


def test_a_finished_run_is_read(tmp_path: Path) -> None:
    """Summary and funnel come back as they were written."""
    (tmp_path / "summary.json").write_text('{"fills": 3}')
    (tmp_path / "funnel.json").write_text('{"misses": []}')
    assert read_summary(tmp_path) == {"fills": 3}
    assert read_funnel(tmp_path) == {"misses": []}


def test_a_folder_without_a_run_says_how_to_make_one(tmp_path: Path) -> None:
    """A missing file is one sentence that names it and the command that writes it."""
    with pytest.raises(StateError, match=r"summary\.json is missing.*hean-app backtest"):
        read_summary(tmp_path)


def test_a_damaged_summary_is_refused(tmp_path: Path) -> None:
    """What is not JSON is named, not guessed at."""
    (tmp_path / "summary.json").write_text("{")
    with pytest.raises(StateError, match="is not JSON"):
        read_summary(tmp_path)


def test_size_factors_are_what_the_run_measured(tmp_path: Path) -> None:
    """They come back by strategy; a run that kept none is told to be made again."""
    (tmp_path / "capital.json").write_text('{"size_factors": {"momentum_trader": 0.5}}')
    assert read_size_factors(tmp_path) == {"momentum_trader": 0.5}
    (tmp_path / "capital.json").write_text("{}")
    with pytest.raises(StateError, match="names no size factors; run the backtest again"):
        read_size_factors(tmp_path)


def test_settings_are_those_of_the_newest_start(tmp_path: Path) -> None:
    """Of two starts the later one's settings count; facts that are no settings are left out."""
    database = sqlite3.connect(tmp_path / "journal.db")
    database.execute("CREATE TABLE segments (id INTEGER PRIMARY KEY, facts TEXT)")
    for capital in ("300", "500"):
        facts = {"setting:INITIAL_CAPITAL": capital, "mode": "replay"}
        database.execute("INSERT INTO segments (facts) VALUES (?)", (json.dumps(facts),))
    database.commit()
    database.close()
    assert run_settings(tmp_path) == {"INITIAL_CAPITAL": "500"}


def test_without_a_journal_there_are_no_settings(tmp_path: Path) -> None:
    """A directory that holds tables only still makes a report."""
    assert run_settings(tmp_path) == {}
