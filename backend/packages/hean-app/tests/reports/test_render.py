from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hean.app.reports.render import amount, counts_text, print_summary, show_summary


@pytest.fixture(name="summary")
def _summary(made: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return made()


def _shown(found: dict[str, Any], directory: Path | None = None) -> str:
    stream = io.StringIO()
    show_summary(found, directory, Console(file=stream, width=140))
    return stream.getvalue()


def test_json_is_the_summary_alone(
    summary: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json nothing but the summary is printed, so that it can be piped."""
    print_summary(summary, Path("out"), as_json=True)
    assert json.loads(capsys.readouterr().out) == summary


def test_piped_text_has_no_colour(
    summary: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal no escape sequence is written."""
    print_summary(summary, None, as_json=False)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "equity" in out


def test_the_funnel_is_a_sum_that_can_be_checked(summary: dict[str, Any]) -> None:
    """The line of the funnel shows signals as requests, withdrawals and rejections."""
    text = _shown(summary)
    assert "120 signals = 90 order requests + 5 withdrawals + 25 rejections" in text
    assert "POSITION_SIZER_ZERO 20, EDGE 5" in text


def test_money_comes_first_and_fees_are_negative(summary: dict[str, Any]) -> None:
    """The account stands above the funnel, with fees as what they took."""
    text = _shown(summary)
    assert text.index("wallet at the start") < text.index("120 signals")
    assert "-4.88" in text
    assert "-1.04 % of the start" in text


def test_books_that_do_not_balance_are_loud(summary: dict[str, Any]) -> None:
    """A broken balance cannot be overlooked."""
    assert "THE BOOKS DO NOT BALANCE" in _shown({**summary, "books_balance": False})


def test_a_strategy_that_could_not_run_is_named_with_its_reason(summary: dict[str, Any]) -> None:
    """It has no row of zeros but a sentence."""
    text = _shown(summary)
    assert "not run: hf_scalping: it needs trades (T)" in text


def test_the_next_step_names_a_command_that_fits_the_run(summary: dict[str, Any]) -> None:
    """With a run directory the reader is told how to ask why; without one how to keep it."""
    assert "hean-app why momentum_trader runs/a" in _shown(summary, Path("runs/a"))
    assert "add --out DIR" in _shown(summary)


def test_small_amounts_keep_their_digits() -> None:
    """Amounts far below one show what two digits would hide, others are rounded to cents."""
    assert amount("0.00012").plain == "0.00012"
    assert amount("0.041256").plain == "0.0413"
    assert amount("-0.41042504", sign=True).plain == "-0.41"
    assert amount("1234.567", sign=True).plain == "+1,234.57"
    assert amount("0.5").plain == "0.50"
    assert amount("-0").plain.lstrip("-") == "0.00"


def test_counts_are_listed_largest_first() -> None:
    """Equal counts go by name."""
    assert counts_text({"B": 1, "A": 1, "C": 7}) == "C 7, A 1, B 1"
