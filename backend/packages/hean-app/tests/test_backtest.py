import json
from pathlib import Path

import pytest

from hean.app.backtest import prepare_directory, run_backtest
from hean.app.settings import AppSettings
from hean.app.testing import FinishedRun
from hean.config import load
from hean.core.errors import DataError, SettingsError

KEYS = [
    "run_id",
    "versions",
    "settings_sha256",
    "dataset",
    "seed",
    "started",
    "ended",
    "events_in",
    "wall_seconds",
    "events_per_second",
    "peak_rss_mb",
    "signals",
    "order_requests",
    "withdrawals",
    "rejections",
    "evaluations_refused",
    "orders",
    "fills",
    "wallet_start",
    "wallet_end",
    "realised_pnl",
    "fees",
    "funding",
    "unrealised_pnl",
    "equity_end",
    "max_drawdown",
    "books_balance",
    "strategies",
    "slots",
    "budgets",
    "dlq",
    "forced_closes",
    "guard",
    "decisions_sha256",
    "journal_sha256",
]
FILES = [
    "summary.json",
    "orders.parquet",
    "fills.parquet",
    "funding.parquet",
    "decisions.parquet",
    "equity.parquet",
    "allocations.parquet",
    "journal.db",
    "report.html",
]


def test_a_run_directory_is_whole(
    bars: Path, backtested: FinishedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A backtest leaves every file and key it promises, and decides as a session does."""
    loaded = load(AppSettings, environ={})
    summary = run_backtest(loaded, bars, out=tmp_path / "run", as_json=True)
    assert set(FILES) <= {path.name for path in (tmp_path / "run").iterdir()}
    assert set(KEYS) <= set(summary)
    assert json.loads(capsys.readouterr().out) == summary
    assert summary == json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["decisions_sha256"] == backtested.summary["decisions_sha256"]
    assert summary["journal_sha256"] == backtested.summary["journal_sha256"]


def test_a_failed_backtest_takes_its_directory_back(tmp_path: Path) -> None:
    """A new directory goes away again; an empty one that was there stays, empty."""
    loaded = load(AppSettings, environ={})
    (tmp_path / "there").mkdir()
    for name in ("new", "there"):
        with pytest.raises(DataError):
            run_backtest(loaded, tmp_path / "nowhere.toml", out=tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert list((tmp_path / "there").iterdir()) == []


def test_a_directory_that_holds_something(tmp_path: Path) -> None:
    """A directory with a file in it, or a file, is no place for a run."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(SettingsError, match="already holds something"):
            prepare_directory(path)
    assert prepare_directory(tmp_path / "a/b")
    assert not prepare_directory(tmp_path / "a/b")
