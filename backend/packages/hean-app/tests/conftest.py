"""One small dataset and one run on it, for the tests of sessions, reports and verification."""

from pathlib import Path

import pytest

from hean.app.testing import (
    FinishedRun,
    finish_run,
    make_bar_dataset,
    open_dataset,
    settings_with,
)


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve days of two simulated perpetuals as 5-minute bars: a dataset's TOML."""
    return make_bar_dataset(tmp_path_factory.mktemp("bars"), days=12)


@pytest.fixture(scope="session")
def backtested(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A backtest of `bars` with default settings."""
    return finish_run(open_dataset(bars, tmp_path_factory.mktemp("run"), settings_with()))
