"""Promise 5: a size of zero is a rejection, never lifted to a minimum."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from hean.app.testing import FinishedRun, finish_run, open_dataset, settings_with


@pytest.fixture(scope="module")
def poor(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A run on so little capital that many orders stay below the venue's minimum."""
    settings = settings_with(INITIAL_CAPITAL="60")
    return finish_run(open_dataset(bars, tmp_path_factory.mktemp("poor"), settings))


def test_too_little_capital_is_refused_not_lifted(poor: FinishedRun) -> None:
    """Where the size comes to zero the signal ends as POSITION_SIZER_ZERO, without a quantity."""
    rows = [row for row in poor.rows("decisions") if row["reason"] == "POSITION_SIZER_ZERO"]
    assert rows
    assert {row["outcome"] for row in rows} == {"rejected"}
    assert {row["qty"] for row in rows} == {"0"}
    assert len(rows) == poor.summary["rejections"]["POSITION_SIZER_ZERO"]


def test_no_order_of_zero_or_below_a_minimum(
    bars: Path, bar_run: FinishedRun, poor: FinishedRun
) -> None:
    """Whatever a signal orders has at least the instrument's smallest quantity."""
    listed = json.loads((bars.parent / "instruments.json").read_text())
    smallest = {row["id"]: Decimal(row["min_qty"]) for row in listed}
    ordered = [row for run in (bar_run, poor) for row in run.rows("orders") if row["signal_id"]]
    assert ordered
    for row in ordered:
        assert Decimal(row["qty"]) >= smallest[row["instrument"]] > 0
