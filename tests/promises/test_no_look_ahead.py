"""Nothing knows the future: a run on data that stops earlier is the beginning of the whole run."""

from datetime import datetime
from pathlib import Path

import pytest

from hean.app.feeds.replay import DatasetFeed
from hean.app.session import Session
from hean.app.testing import FinishedRun, finish_run, settings_with
from hean.core.journal import SqliteJournal
from hean.main import TradingSystem

TABLES = ("decisions", "fills", "funding", "equity", "allocations")


def _run_until(dataset: Path, directory: Path, end_ns: int) -> FinishedRun:
    """Return a backtest of the dataset up to an instant."""
    feed = DatasetFeed(dataset, end_ns=end_ns)
    journal = SqliteJournal(directory / "journal.db", durable=False)
    system = TradingSystem(settings=settings_with(), description=feed.description, journal=journal)
    session = Session(system, feed, journal)
    session.open(session.facts(dataset=str(dataset), start="", end=""))
    return finish_run(session)


@pytest.mark.parametrize("share", [0.55, 0.83])
def test_the_future_changes_nothing_before_it(
    bars: Path, bar_run: FinishedRun, tmp_path: Path, share: float
) -> None:
    """Every decision, fill, payment, equity and allocation before the cut is that of the whole."""
    first, last = (_instant(bar_run.summary[name]) for name in ("started", "ended"))
    cut = first + int((last - first) * share)
    shorter = _run_until(bars, tmp_path, cut)
    whole_bars = cut - cut % (300 * 10**9)
    seen = 0
    for table in TABLES:
        early = [row for row in bar_run.rows(table) if row["ts_ns"] < whole_bars]
        assert [row for row in shorter.rows(table) if row["ts_ns"] < whole_bars] == early, table
        seen += len(early)
    assert seen > 50


def _instant(text: str) -> int:
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()) * 10**9
