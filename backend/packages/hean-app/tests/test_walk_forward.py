from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.app.cli import main
from hean.app.walk_forward import (
    DAY_NS,
    WEEK_NS,
    Result,
    clustered_t,
    folds_of,
    summary_of,
    walk,
)

GOOD, BAD = 20.0, -20.0


def _trades(net: float, first: int, last: int, *, jitter: float = 4.0) -> list[Result]:
    """Two trades a day around `net`, from one day to another."""
    return [
        (day * DAY_NS + half * DAY_NS // 2, net + (jitter if (day + half) % 2 else -jitter))
        for day in range(first, last)
        for half in (0, 1)
    ]


def test_test_windows_follow_one_another() -> None:
    """Each trains on what lies right before it; the last may be short."""
    folds = folds_of(0, 100 * DAY_NS, 30 * DAY_NS, 30 * DAY_NS)
    days = [(one.begin // DAY_NS, one.split // DAY_NS, one.end // DAY_NS) for one in folds]
    assert days == [(0, 30, 60), (30, 60, 90), (60, 90, 100)]
    assert folds_of(0, 30 * DAY_NS, 30 * DAY_NS, 30 * DAY_NS) == []


def test_a_window_is_judged_with_what_the_one_before_it_chose() -> None:
    """The candidate that was best in training is tested, though it has turned bad since."""
    first = _trades(GOOD, 0, 30) + _trades(BAD, 30, 60)
    second = _trades(BAD, 0, 30) + _trades(GOOD, 30, 60)
    (fold,) = walk([second, first], folds_of(0, 60 * DAY_NS, 30 * DAY_NS, 30 * DAY_NS))
    assert fold.chosen == 1
    assert summary_of([fold], 2).mean_bp == pytest.approx(BAD)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-500.0, 500.0), min_size=60, max_size=60))
def test_what_comes_later_changes_no_earlier_choice(later: list[float]) -> None:
    """Whatever a test window holds, it was chosen for by its training window alone."""
    folds = folds_of(0, 60 * DAY_NS, 30 * DAY_NS, 30 * DAY_NS)
    changed = _trades(GOOD, 0, 30) + [(30 * DAY_NS + one, net) for one, net in enumerate(later)]
    assert walk([_trades(BAD, 0, 60), changed], folds)[0].chosen == 1


def test_too_few_training_trades_choose_nothing() -> None:
    """Below ten trades in training the first candidate stays, however good the other looks."""
    lucky = _trades(90.0, 0, 4)
    (fold,) = walk([_trades(BAD, 0, 60), lucky], folds_of(0, 60 * DAY_NS, 30 * DAY_NS, 30 * DAY_NS))
    assert fold.chosen == 0


def test_trades_of_one_week_count_as_one() -> None:
    """Repeating each trade a hundredfold within its week leaves t as it was."""
    alone = [(week * WEEK_NS, 10.0 + 30.0 * (-1) ** week) for week in range(20)]
    crowded = [one for one in alone for _ in range(100)]
    assert clustered_t(crowded) == pytest.approx(clustered_t(alone))
    values = [net for _, net in alone]
    mean = sum(values) / 20
    deviation = (sum((one - mean) ** 2 for one in values) / 19) ** 0.5
    assert clustered_t(alone) == pytest.approx(mean / (deviation / 20**0.5))


def test_nothing_is_known_of_less_than_two_weeks() -> None:
    """No trades, or one week of them, give a t of 0."""
    assert clustered_t([]) == 0.0
    assert clustered_t([(DAY_NS, 50.0), (2 * DAY_NS, 60.0)]) == 0.0


def _run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    monkeypatch.setattr("sys.argv", ["hean-app", "strategies", "evaluate", *arguments])
    with pytest.raises(SystemExit) as ending:
        main()
    return ending.value.code


def test_the_command_leaves_evidence_and_says_what_is_lacking(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two sets are tried; the run kept carries the figure, and another run takes it from there."""
    out = tmp_path / "walked"
    given = ["--walk-forward", "momentum_trader", "--train-days", "6", "--test-days", "3"]
    tried = ["--try", "STRATEGIES__MOMENTUM_TRADER__ENTER=0.45", "--out", str(out), "--json"]
    assert _run([str(bars), *given, *tried], monkeypatch) in (0, None)
    found = json.loads(capsys.readouterr().out)
    assert found["walk_forward"]["trials"] == len(found["candidates"]) == 2
    assert found["lacks"]["subject"] == "days of walk-forward"
    assert found["lacks"]["limit"] == 730.0
    assert found["walk_forward"]["trades"] == sum(one["trades"] for one in found["folds"])
    chosen = found["chosen"].partition("=")
    sets = ["--set", f"EDGE_EVIDENCE={out}"]
    sets += ["--set", f"{chosen[0]}={chosen[2]}"] if chosen[2] else []
    assert _run([str(bars), *sets], monkeypatch) in (0, None)
    printed = capsys.readouterr()
    days = f"a walk-forward of {found['walk_forward']['days']:.0f} days"
    assert days in printed.out + printed.err


def test_a_strategy_that_cannot_run_is_not_walked(
    bars: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What needs ticks is refused on bars with its reason, exit code 3."""
    assert _run([str(bars), "--walk-forward", "hf_scalping"], monkeypatch) == 3
    assert "needs trades" in capsys.readouterr().err


def test_a_walk_is_refused_by_no_guard_and_keeps_to_its_span(
    bars: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who enforces the guard can walk a strategy that is not proven yet, over the days named."""
    given = ["--walk-forward", "momentum_trader", "--train-days", "3", "--test-days", "2", "--json"]
    found: list[dict[str, Any]] = []
    for sets in ([], ["--set", "EDGE_GUARD=enforce"]):
        assert _run([str(bars), *given, "--end", "2024-01-11", *sets], monkeypatch) in (0, None)
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["walk_forward"] == found[1]["walk_forward"]
    assert found[0]["candidates"][0]["trades"] > 0
    assert found[0]["walk_forward"]["days"] == 10.0
