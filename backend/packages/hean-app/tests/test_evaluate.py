from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from hean.app.cli import main
from hean.app.evaluate import evaluate_dataset
from hean.app.settings import AppSettings
from hean.app.strategies_cli import print_evaluation
from hean.app.testing import FinishedRun
from hean.config import load
from hean.core.errors import DataError
from hean.core.events import PositionClosed

Evaluated = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def evaluated(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """Return the kept directory of an evaluation and what it found."""
    out = tmp_path_factory.mktemp("evaluated") / "run"
    return out, evaluate_dataset(load(AppSettings, environ={}), bars, out=out)


def _rows(found: dict[str, Any], *kinds: str) -> list[dict[str, Any]]:
    return [row for one in found["strategies"] for row in one["rows"] if row["kind"] in kinds]


def test_listening_changes_nothing(evaluated: Evaluated, backtested: FinishedRun) -> None:
    """The run of an evaluation makes the decisions of a plain backtest."""
    summary = json.loads((evaluated[0] / "summary.json").read_text())
    assert summary["decisions_sha256"] == backtested.summary["decisions_sha256"]
    assert summary["journal_sha256"] == backtested.summary["journal_sha256"]


def test_every_closed_trade_is_counted(evaluated: Evaluated, backtested: FinishedRun) -> None:
    """Totals equal the journal's records, and the cells of a strategy add up to its total."""
    groups = {
        (one.strategy, one.group or one.signal_id)
        for one in backtested.events("PositionClosed")
        if isinstance(one, PositionClosed)
    }
    shadows = backtested.events("ShadowClosed")
    totals = [row for row in _rows(evaluated[1], "real") if row["instrument"] == "all"]
    assert sum(row["trades"] for row in totals) == len(groups) > 0
    refused = _rows(evaluated[1], "shadow", "failed plan")
    assert sum(row["trades"] for row in refused if row["instrument"] == "all") == len(shadows)
    for total in totals:
        cells = [
            row["trades"] for row in _rows(evaluated[1], "real")
            if row["strategy"] == total["strategy"] and row["instrument"] != "all"
        ]  # fmt: skip
        assert sum(cells) == total["trades"]


def test_nobody_is_silently_idle(evaluated: Evaluated) -> None:
    """Each strategy has trades, a reason not to run, or counted refusals or signals."""
    strategies = evaluated[1]["strategies"]
    assert len(strategies) == 11
    for one in strategies:
        assert (
            one["rows"] or one["cannot_run_because"] or one["evaluations_refused"]
            or one["signals"]
        )  # fmt: skip


def test_the_directory_has_its_report(evaluated: Evaluated) -> None:
    """`evaluation.json` is what was returned, and the page has its cards with drawings."""
    out, found = evaluated
    assert json.loads((out / "evaluation.json").read_text()) == found
    assert not list(out.glob("journal.db-*"))
    page = (out / "report.html").read_text()
    assert "Edge, cell by cell" in page
    assert "Cumulative net bp, real" in page
    assert page.count("<circle") >= len(found["trades"]) > 0


def test_the_terminal_shows_cells_and_reasons(
    evaluated: Evaluated, bars: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Piped, the command prints a table, who could not run and what bars cannot tell."""
    arguments = ["hean-app", "strategies", "evaluate", str(bars)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code in (0, None)
    text = capsys.readouterr().out
    assert "not run: hf_scalping, " in text
    assert ": it needs trades (T), depth (D)" in text
    assert "Markouts: not available" in text
    assert "nothing is annualised" in text
    assert "\x1b" not in text
    for one in _rows(evaluated[1], "real"):
        assert one["strategy"] in text


def test_json_is_the_evaluation(
    evaluated: Evaluated, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--json` prints the same figures on a second run, and nothing else."""
    print_evaluation(load(AppSettings, environ={}), bars, out=None, as_json=True)
    assert json.loads(capsys.readouterr().out) == evaluated[1]


def test_a_failed_evaluation_leaves_nothing(tmp_path: Path) -> None:
    """A dataset that is none gives a sentence, and the new directory goes away again."""
    with pytest.raises(DataError):
        evaluate_dataset(
            load(AppSettings, environ={}), tmp_path / "nowhere.toml", out=tmp_path / "run"
        )
    assert list(tmp_path.iterdir()) == []
