from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from hean.app.cli import main
from hean.app.strategies_cli import package_of, print_strategies
from hean.app.testing import FinishedRun, settings_with
from hean.core.errors import DataError
from hean.strategies import load_strategies


def _listed(capsys: pytest.CaptureFixture[str], **given: Path) -> dict[str, dict[str, Any]]:
    print_strategies(settings_with(), as_json=True, **given)
    found = json.loads(capsys.readouterr().out)
    return {row["id"]: row for row in found["strategies"]}


def test_every_installed_strategy_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each has its needs, regimes and an honest word; all run on the built-in market."""
    rows = _listed(capsys)
    assert list(rows) == list(load_strategies())
    for row in rows.values():
        assert row["needs"]
        assert row["regimes"]
        assert row["edge"] not in ("", "Not stated.")
        assert row["state"].startswith("runs on ")


def test_a_dataset_decides_who_can_run(bars: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On bars alone the tick strategies say which need is missing."""
    rows = _listed(capsys, dataset=bars)
    assert rows["momentum_trader"]["state"].startswith("runs on ")
    assert rows["hf_scalping"]["state"].startswith("does not run: it ")
    assert rows["hf_scalping"]["runs_on_bars"] is False


def test_a_run_tells_what_each_waits_for(
    backtested: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a run's directory comes what each strategy did or waited for at its end."""
    rows = _listed(capsys, run_dir=backtested.directory)
    assert "waiting because" in rows["momentum_trader"]["state"]
    assert rows["hf_scalping"]["state"].startswith("not running because")


def test_what_the_backtest_command_leaves_can_be_listed(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A finished backtest keeps its strategies' last state and its guard, like a paper run."""
    run, end = tmp_path / "run", ["--end", "2024-01-03"]
    for arguments in (["backtest", str(bars), "--out", str(run), *end], ["strategies", "--run"]):
        given = [*arguments, str(run)] if arguments[-1] == "--run" else arguments
        monkeypatch.setattr("sys.argv", ["hean-app", *given])
        with pytest.raises(SystemExit) as ending:
            main()
        assert not ending.value.code
    printed = capsys.readouterr().out
    assert "waiting because" in printed
    assert "edge guard" in printed.lower()


def test_a_switched_off_strategy_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A strategy that a setting switches off is listed as such."""
    settings = settings_with(STRATEGIES__MOMENTUM_TRADER__ENABLED="false")
    print_strategies(settings)
    line = next(
        one for one in capsys.readouterr().out.splitlines() if one.startswith("momentum_trader")
    )
    assert " no " in line
    assert "switched off by setting" in line


def test_no_run_no_state(tmp_path: Path) -> None:
    """A folder without a journal is refused in one sentence."""
    with pytest.raises(DataError, match=r"holds no journal\.db"):
        print_strategies(settings_with(), run_dir=tmp_path)


def test_the_package_is_named() -> None:
    """Ours come from hean-strategies; what is not installed comes from nowhere."""
    assert package_of("momentum_trader") == "hean-strategies"
    assert package_of("night_drift") == ""


def test_the_command_line_writes_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`strategies new NAME --directory DIR` lists the files it wrote."""
    monkeypatch.chdir(tmp_path)
    arguments = ["hean-app", "strategies", "new", "night_drift", "--directory", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code in (0, None)
    assert "night_drift/src/night_drift/strategy.py" in capsys.readouterr().out
    assert (tmp_path / "night_drift" / "tests" / "test_strategy.py").is_file()
