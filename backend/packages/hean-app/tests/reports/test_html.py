from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hean.app.reports.html import write_report

Made = Callable[..., dict[str, Any]]


def _written(directory: Path, summary: dict[str, Any]) -> str:
    write_report(directory, summary)
    return (directory / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def report(run_directory: Path, made: Made) -> str:
    """Return the page of the made run."""
    return _written(run_directory, made())


def test_the_page_needs_nothing_from_elsewhere(report: str) -> None:
    """No address, script, import or link to another file is on the page."""
    assert not re.search(r"https?://|<script|<link|@import|url\(|\bsrc=", report)


def test_money_on_the_page_is_the_summary_s(report: str) -> None:
    """Equity, fees and the result stand there as the summary has them."""
    for text in ("296.87", "4.88", "-3.13", "(-1.04 %)", "4.12 %"):
        assert text in report


def test_every_strategy_has_a_place(report: str) -> None:
    """Those that ran have a row, the one that could not has its reason."""
    assert "hf_scalping did not run: it needs trades (T)" in report
    assert "NO_SETUP 8,800, REGIME 900" in report
    assert "funding_harvester" in report


def test_charts_are_on_the_page(report: str) -> None:
    """Equity, drawdown, net result and capital are drawn."""
    assert report.count("<svg") == 4


def test_nothing_is_annualised(report: str) -> None:
    """The page says so and shows no yearly figure."""
    assert "Nothing here is annualised" in report
    assert "Sharpe" not in report


def test_text_from_outside_is_escaped(run_directory: Path, made: Made) -> None:
    """A dataset cannot write markup into the page."""
    summary = made(dataset={"name": "<b>x</b>", "sha256": ""}, notes=["<i>note</i>"])
    page = _written(run_directory, summary)
    assert "<b>x</b>" not in page
    assert "&lt;i&gt;note&lt;/i&gt;" in page


def test_a_run_without_a_single_fill_still_has_a_page(
    tmp_path: Path, made: Made, empty_tables: Callable[[Path], None]
) -> None:
    """Empty tables give sentences in place of charts."""
    empty_tables(tmp_path)
    page = _written(tmp_path, made())
    assert "No strategy had a fill." in page
    assert "too short to draw" in page
    assert page.count("<svg") == 0


def test_the_same_run_gives_the_same_page(run_directory: Path, made: Made) -> None:
    """The page holds no time of its writing."""
    assert _written(run_directory, made()) == _written(run_directory, made())
