from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from hean.app.reports.capital_view import print_capital, show_capital
from hean.core.errors import StateError


def test_the_terminal_names_everything_asked_for(capital_directory: Path) -> None:
    """Weights, beliefs, active sets, refusals, correlation and slots each have their table."""
    stream = io.StringIO()
    show_capital(capital_directory, Console(file=stream, width=160))
    text = stream.getvalue()
    for wanted in (
        "Weights at the end", "What AutoPilot believes", "Active sets", "saved", "not followed",
        "12 bins", "+0.60", "momentum_trader 3", "Capital over time", "all, R", "Pairs",
        "at most 10 of 10 in use",
    ):  # fmt: skip
        assert wanted in text


def test_json_is_the_report_alone(
    capital_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json the output is one JSON document."""
    print_capital(capital_directory, as_json=True)
    assert json.loads(capsys.readouterr().out)["slots"]["contended"] == 3


def test_a_directory_without_a_run_is_refused(tmp_path: Path) -> None:
    """Where no run was finished the command says how to make one."""
    with pytest.raises(StateError, match="holds no finished run"):
        print_capital(tmp_path, as_json=False)
