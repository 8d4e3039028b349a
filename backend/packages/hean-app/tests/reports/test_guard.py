from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from hean.app.reports.guard import guard_card, guard_of, guard_of_run, guard_row
from hean.app.testing import open_dataset, settings_with
from hean.core.events import Regime, ShadowClosed, Side
from hean.core.journal import SqliteJournal
from hean.core.testing import BTC

RANGE, NORMAL, FAILED = "majors/RANGE", "majors/NORMAL", "majors/failed plan"


def _outcome(at: int, net_bp: float, regime: Regime = Regime.RANGE) -> ShadowClosed:
    return ShadowClosed(
        ts_event=at, ts_init=at, strategy="<a>", instrument=BTC, side=Side.BUY,
        opened_at=at, entry_price=60_000.0, exit_price=60_060.0, gross_bp=net_bp, fees_bp=0.0,
        funding_bp=0.0, net_bp=net_bp, stop_bp=50.0, r_multiple=0.0, mae_r=0.0, mfe_r=0.0,
        regime=regime, phase=None, cycle=None, exit_reason="target", signal_id="s",
        refusal="MAX_ORDERS",
    )  # fmt: skip


def _told(bars: Path, directory: Path) -> dict[str, Any]:
    """Return the guard of a run after 24 outcomes in RANGE, one in NORMAL and a failed plan."""
    session = open_dataset(bars, directory, settings_with())
    at = session.now
    for number in range(24):
        session.take(_outcome(at, 5.0 + number % 2))
    session.take(_outcome(at, -4.0, Regime.NORMAL))
    session.take(replace(_outcome(at, 90.0), promotes=False))
    session.checkpoint()
    found = guard_of(session.system)
    session.journal.close()
    return found


def test_each_cell_is_told_with_its_numbers(bars: Path, tmp_path: Path) -> None:
    """A thin cell is believed by the wider ones; a failed plan has a row and no belief."""
    found = _told(bars, tmp_path)
    cells = {one["cell"]: one for one in found["cells"]}
    assert list(cells) == [NORMAL, RANGE, FAILED]
    assert [cells[name]["shadow"] for name in cells] == [1, 24, 1]
    assert cells[RANGE]["mean_bp"] == 5.5
    assert cells[RANGE]["belief_bp"] > cells[NORMAL]["belief_bp"] > 0.0
    assert cells[FAILED]["belief_bp"] is None
    assert guard_row(cells[FAILED])[-3:] == ["+90.0", "-", "0.0"]
    assert found["enforces"] is False


def test_a_run_s_directory_tells_the_same(bars: Path, tmp_path: Path) -> None:
    """What the newest snapshot holds is what the running guard said."""
    found = _told(bars, tmp_path)
    journal = SqliteJournal(tmp_path / "journal.db")
    snapshot = journal.snapshot()
    assert snapshot is not None
    again = guard_of_run(journal, snapshot)
    journal.close()
    assert again == {name: found[name] for name in again}


def test_the_card_shows_cells_and_sentences(bars: Path, tmp_path: Path) -> None:
    """Every cell is a row, names are escaped, and the evidence's sentences follow."""
    found = {**_told(bars, tmp_path), "evidence_lines": ["evidence for <a> from run r: 3 outcomes"]}
    page = guard_card(found)
    assert page.count("<tr>") == 1 + 3
    assert "<a>" not in page
    assert "evidence for &lt;a&gt; from run r: 3 outcomes" in page
    empty = {**found, "cells": [], "enforces": True}
    assert "No outcome yet." in guard_card(empty)
    assert "Refuses what has not proven itself." in guard_card(empty)
