from __future__ import annotations

import json
from collections.abc import Callable
from math import isclose
from pathlib import Path
from typing import Any

import pytest

from hean.app.reports.why import answer_for, explain, lines_of
from hean.core.errors import SettingsError, StateError
from hean.core.journal import SqliteJournal

HOUR = 3_600_000_000_000
START = 1_759_276_800_000_000_000


def _miss(code: str, layer: str, count: int, number: float, limit: float) -> dict[str, Any]:
    return {
        "strategy": "momentum_trader",
        "instrument": "BTCUSDT-PERP.BYBIT",
        "layer": layer,
        "code": code,
        "count": count,
        "number": number,
        "limit": limit,
        "distance": abs(number - limit) / (abs(limit) or 1.0),
        "ts_ns": START + 2 * HOUR,
    }


def _hour(hour: int, refused: int, signals: int) -> dict[str, Any]:
    return {
        "strategy": "momentum_trader",
        "instrument": "BTCUSDT-PERP.BYBIT",
        "hour_ns": START + hour * HOUR,
        "evaluations_refused": refused,
        "signals": signals,
        "order_requests": 0,
        "rejected": 0,
    }


@pytest.fixture
def run(tmp_path: Path, made: Callable[..., dict[str, Any]]) -> Path:
    """Return a finished run with misses of both kinds and its settings in the journal."""
    (tmp_path / "summary.json").write_text(json.dumps(made()))
    misses = [
        _miss("POSITION_SIZER_ZERO", "sizer.depth", 20, 0.00092, 0.001),
        _miss("NO_SETUP", "NO_SETUP", 8800, 0.48, 0.5),
        _miss("REGIME", "REGIME", 900, 0.0, 0.0),
        {**_miss("EDGE", "EDGE", 310, 4.0, 5.0), "strategy": "funding_harvester"},
    ]
    hours = [_hour(0, 12, 1), _hour(3, 12, 4), _hour(4, 900, 2)]
    (tmp_path / "funnel.json").write_text(json.dumps({"misses": misses, "hours": hours}))
    journal = SqliteJournal(tmp_path / "journal.db")
    journal.begin_segment(None, {"setting:RISK__DEPTH_SHARE": "0.05", "mode": "replay"})
    journal.close()
    return tmp_path


def test_the_nearest_miss_is_shown_with_number_limit_and_distance(run: Path) -> None:
    """The reader sees how close the closest refusal came, in words and as data."""
    reason = answer_for("momentum_trader", run).reasons[0]
    assert reason.code == "POSITION_SIZER_ZERO"
    assert (reason.by_gate, reason.by_itself) == (20, 0)
    assert isclose(reason.places[0].off or 0.0, 0.08, abs_tol=1e-9)
    text = "\n".join(lines_of(answer_for("momentum_trader", run)))
    assert "nearest 0.00092 against 0.001 (8 % off) at 2025-10-01T02:00:00Z" in text
    assert "sizer.depth" in text


def test_the_setting_that_would_change_it_has_the_runs_value(run: Path) -> None:
    """Settings are named as they are written, with what they were in this run."""
    text = "\n".join(lines_of(answer_for("momentum_trader", run)))
    assert "would change it: RISK__DEPTH_SHARE=0.05" in text
    assert "would change it: STRATEGIES__MOMENTUM_TRADER__ENTER" in text


def test_a_refusal_without_a_number_says_so(run: Path) -> None:
    """A regime has no distance, and none is invented."""
    regime = next(one for one in answer_for("momentum_trader", run).reasons if one.code == "REGIME")
    assert regime.places[0].off is None


def test_counts_follow_the_chain_and_money_adds_up(run: Path) -> None:
    """The answer begins with the strategy's own counts from the summary."""
    answer = answer_for("momentum_trader", run)
    assert answer.counts["signals"] == 118
    assert answer.counts["evaluations_refused"] == 9946
    assert answer.counts["rejections"] == 25
    assert answer.busiest_hour.startswith("2025-10-01T03:00:00Z: 4 signals")


def test_only_the_asked_strategys_misses_are_told(run: Path) -> None:
    """Another strategy's refusals do not leak in."""
    answer = answer_for("funding_harvester", run)
    assert [one.code for one in answer.reasons] == ["EDGE"]
    assert answer.reasons[0].by_itself == 310


def test_a_strategy_that_could_not_run_gets_its_reason(run: Path) -> None:
    """The answer is the one sentence, not a table of zeros."""
    lines = lines_of(answer_for("hf_scalping", run))
    assert lines[-1] == "It did not run: it needs trades (T), which are not carried."


def test_json_is_the_answer_alone(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json the answer can be piped into another program."""
    explain("momentum_trader", run, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["reasons"][0]["places"][0]["count"] == 20


def test_a_mistyped_strategy_is_told_the_nearest(run: Path) -> None:
    """The sentence names the strategy that was probably meant."""
    with pytest.raises(SettingsError, match=r"nearest is momentum_trader$"):
        explain("momentun", run, as_json=False)


def test_a_directory_without_a_run_is_one_sentence(tmp_path: Path) -> None:
    """The directory is named, and how to make a run."""
    with pytest.raises(StateError, match=r"holds no finished run \(summary.json is missing\)"):
        explain("momentum_trader", tmp_path, as_json=False)


def test_asking_why_writes_nothing(run: Path) -> None:
    """The journal of a finished run is only read."""
    before = (run / "journal.db").read_bytes()
    answer_for("momentum_trader", run)
    assert (run / "journal.db").read_bytes() == before
