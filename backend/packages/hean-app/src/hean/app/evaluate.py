"""A dataset run once through the whole system, and each strategy's trades judged by the numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from hean.app.backtest import replay_dataset, run_directory
from hean.app.reports.evaluation import evaluate_records
from hean.app.reports.fill_marks import FillMarks
from hean.app.reports.trade_records import RECORDS, TradeRecords
from hean.app.settings import AppSettings
from hean.config import Loaded
from hean.core.journal import SqliteJournal
from hean.main import TradingSystem

EVALUATION: Final = "evaluation.json"


def evaluate_dataset(
    loaded: Loaded[AppSettings],
    dataset: Path,
    *,
    out: Path | None,
    start: str | None = None,
    end: str | None = None,
) -> dict[str, Any]:
    """Return the evaluation of one run; with `out` its directory stays, with report and JSON.

    Raises `SettingsError` for a directory that holds something, `DataError` where nothing runs.
    """
    marks, bases = FillMarks(), dict[str, str]()

    def watch(system: TradingSystem) -> None:
        marks.attach(system.bus)
        bases.update({one.id: one.base for one in system.description.instruments})

    with run_directory(out) as directory:
        summary = replay_dataset(loaded, dataset, directory, start, end, html=False, watch=watch)
        journal = SqliteJournal(directory / "journal.db", durable=False)
        try:
            records = read_trades(journal, marks, bases)
            enforces = loaded.settings.enforces_edge(live=False)
            found = evaluate_records(
                records,
                summary,
                has_ticks=marks.has_ticks,
                edge_guard="enforce" if enforces else "observe",
            )
            if out is not None:
                _keep(out, found, summary)
        finally:
            journal.close()
    return found


def _keep(directory: Path, found: dict[str, Any], summary: dict[str, Any]) -> None:
    from hean.app.reports.html import write_report

    (directory / EVALUATION).write_text(json.dumps(found, indent=1) + "\n")
    write_report(directory, summary)


def read_trades(journal: SqliteJournal, marks: FillMarks, bases: dict[str, str]) -> TradeRecords:
    """Return the closed trades of a run's journal."""
    events = (record.event() for record in journal.records(RECORDS))
    return TradeRecords(marks=marks.marks, bases=bases).take_all(events)
