"""What all tests of the whole system share: one small dataset, one run on it, one run on `sim`."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hean.app.cli import main
from hean.app.feeds.sim import START_NS
from hean.app.testing import (
    FinishedRun,
    finish_run,
    make_bar_dataset,
    open_dataset,
    open_simulation,
    settings_with,
)
from hean.core.bus import Stage
from hean.core.events import Event, RiskEnvelope, SignalRejected
from hean.main import TradingSystem

MINUTE_NS = 60 * 10**9
SIM = {
    "SIM__HISTORY_DAYS": "0.3",
    "SIM__HISTORY_TICK_HOURS": "1.1",
    "INITIAL_CAPITAL": "1000",
}


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve days of two simulated perpetuals and their spot as 5-minute bars: a dataset's TOML."""
    return make_bar_dataset(tmp_path_factory.mktemp("bars"), days=12, spot=True)


@pytest.fixture(scope="session")
def witnessed() -> dict[type[Event], list[Event]]:
    """What `bar_run` published of each watched type, in order; filled by that fixture."""
    return {RiskEnvelope: [], SignalRejected: []}


@pytest.fixture(scope="session")
def bar_run(
    bars: Path,
    witnessed: dict[type[Event], list[Event]],
    tmp_path_factory: pytest.TempPathFactory,
) -> FinishedRun:
    """A backtest of `bars` with default settings."""

    def watch(system: TradingSystem) -> None:
        for kind, found in witnessed.items():
            system.bus.subscribe(kind, found.append, stage=Stage.REPORTS, owner="witness")

    directory = tmp_path_factory.mktemp("bar_run")
    return finish_run(open_dataset(bars, directory, settings_with(), watch=watch))


@pytest.fixture(scope="session")
def sim_run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Twenty-four minutes of `sim` in ticks, stopped and resumed after the first twelve."""
    directory = tmp_path_factory.mktemp("sim_run")
    settings = settings_with(**SIM)
    finish_run(open_simulation(directory, settings), START_NS + 12 * MINUTE_NS)
    return finish_run(open_simulation(directory, settings), START_NS + 24 * MINUTE_NS)


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run the real command line in this process: its exit code, standard output and error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hean-app", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as ending:
            code = 0 if ending.code is None else int(ending.code)
        out, err = capsys.readouterr()
        return code, out, err

    return run
