import json
import os
from pathlib import Path

import pytest

from hean.app.feature_counts import COUNTS_FILE, read_counts
from hean.app.fitting import count, fit_tables, print_fit
from hean.app.replay.session import replay_run
from hean.app.testing import FinishedRun, finish_run, open_simulation, settings_with
from hean.core.bus import Stage
from hean.core.errors import DataError, SettingsError
from hean.core.events import Frame
from hean.core.features import NO_TABLES, decode_tables, encode_tables
from hean.main import TradingSystem

MINUTE = 60_000_000_000
SIM = {"SIM__HISTORY_DAYS": "0.1", "SIM__HISTORY_TICK_HOURS": "0.25"}


def simulated(directory: Path, **settings: str) -> FinishedRun:
    """Return a finished quarter of an hour of the built-in market, after a quarter of history."""
    session = open_simulation(directory, settings_with(**SIM, **settings))
    return finish_run(session, session.feed.description.history_until + 15 * MINUTE)


@pytest.fixture(scope="session")
def counted(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A run on the built-in market without tables."""
    return simulated(tmp_path_factory.mktemp("counted"))


@pytest.fixture(scope="session")
def fitted(counted: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of tables fitted to that run's counts."""
    path = tmp_path_factory.mktemp("fitted") / "tables.json"
    path.write_bytes(encode_tables(fit_tables(read_counts(counted.directory))))
    return path


def nexo() -> Path:
    """Return the dataset of one whole day of a slow instrument; skips where there is none."""
    beside = Path(__file__).resolve().parents[4].parent / "shared" / "data"
    path = Path(os.environ.get("HEAN_DATA", beside)) / "datasets" / "binance-nexo-ticks-24h.toml"
    if not path.is_file():
        pytest.skip(f"no market data at {path}")
    return path


def test_a_run_leaves_counts_from_which_tables_are_fitted(
    counted: FinishedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of each instrument that ticks there is a table and a set of weights, told and written."""
    out = tmp_path / "tables.json"
    print_fit(counted.directory, out, start=None, end=None, as_json=False)
    told = capsys.readouterr().out
    assert f"FEATURE_TABLES={out}" in told
    loaded = decode_tables(out.read_bytes())
    for name, one in loaded.tables.instruments.items():
        assert name in told
        assert one.mid_moves > 0
        assert one.micro_price is not None
        assert one.micro_price.version == loaded.tables.version
        rows = one.micro_price.corrections
        assert rows == tuple(tuple(0.0 - x for x in row) for row in reversed(rows))
    print_fit(counted.directory, out, start=None, end=None, as_json=True)
    assert json.loads(capsys.readouterr().out)["sha256"] == loaded.sha256


def test_what_was_not_counted_is_told(bars: Path, backtested: FinishedRun, tmp_path: Path) -> None:
    """No run, a run on bars, bars themselves and an unwritable file are refused by name."""
    for source, word in (
        (tmp_path, COUNTS_FILE),
        (backtested.directory, "no quotes or books"),
        (bars, "no quotes or books"),
    ):
        with pytest.raises(DataError, match=word):
            print_fit(source, tmp_path / "t.json", start=None, end=None, as_json=True)
    (tmp_path / COUNTS_FILE).write_text("{}")
    with pytest.raises(DataError, match="holds no counts"):
        read_counts(tmp_path)


def test_a_file_that_cannot_be_written_is_told(counted: FinishedRun, tmp_path: Path) -> None:
    """A directory as the file to write is a setting to be put right."""
    with pytest.raises(SettingsError, match="cannot be written"):
        print_fit(counted.directory, tmp_path, start=None, end=None, as_json=True)


def test_a_run_with_tables_reads_them_and_is_made_again(
    counted: FinishedRun, fitted: Path, tmp_path: Path
) -> None:
    """Frames carry the micro-price, another run id is given, and a verification finds no fault."""
    tables = decode_tables(fitted.read_bytes()).tables
    seen: dict[str, int] = {}

    def hear(frame: Frame) -> None:
        known = frame.features.micro_bp == frame.features.micro_bp
        seen[frame.instrument] = seen.get(frame.instrument, 0) + known

    settings = settings_with(**SIM, FEATURE_TABLES=str(fitted))

    def watch(system: TradingSystem) -> None:
        system.bus.subscribe(Frame, hear, stage=Stage.REPORTS, owner="test")

    session = open_simulation(tmp_path, settings, watch=watch)
    for one in session.system.description.instruments:
        known = tables.of(one.id, one.tick, one.lot)
        desk = session.system.strategies["hf_scalping"].state.desks.get(one.id)
        assert desk is None or desk.micro_price == known.micro_price
    run = finish_run(session, session.feed.description.history_until + 5 * MINUTE)
    assert sum(seen.values()) > 100
    assert all(tables.instruments.get(name, NO_TABLES) is not NO_TABLES for name in seen)
    assert run.summary["run_id"] != counted.summary["run_id"]
    assert replay_run(tmp_path) == 0


def test_a_verification_refuses_a_file_that_has_changed(fitted: Path, tmp_path: Path) -> None:
    """The digest noted with the run's settings names the file that is another by now."""
    own = tmp_path / "tables.json"
    own.write_bytes(fitted.read_bytes())
    session = open_simulation(tmp_path, settings_with(**SIM, FEATURE_TABLES=str(own)))
    finish_run(session, session.feed.description.first + MINUTE)
    assert replay_run(tmp_path) == 0
    own.write_bytes(own.read_bytes() + b" ")
    with pytest.raises(DataError, match="is not the file this run took"):
        replay_run(tmp_path)


def test_a_dataset_and_a_run_on_it_count_the_same(tmp_path: Path) -> None:
    """Half an hour of real depth gives the tables of the run on it, whatever strategies did."""
    from hean.app.backtest import replay_dataset
    from hean.app.settings import AppSettings
    from hean.config import load

    end = "2024-07-23T16:10:00"
    loaded = load(AppSettings, environ={})
    replay_dataset(loaded, nexo(), tmp_path, None, end, html=False)
    run, data = read_counts(tmp_path), count(nexo(), None, end)
    assert run.source_sha256 == data.source_sha256
    for name, one in data.instruments.items():
        assert run.instruments[name].touches == one.touches
        assert 0 <= run.instruments[name].levels.count - one.levels.count <= 1


def test_a_real_day_leans_towards_the_thin_side() -> None:
    """On six hours of NEXO the correction rises with the bid's share and stays in the spread."""
    tables = fit_tables(count(nexo(), None, "2024-07-23T22:00:00"))
    (one,) = tables.instruments.values()
    assert one.micro_price is not None
    column = [row[0] for row in one.micro_price.corrections]
    assert column == sorted(column)
    assert -0.5 < column[0] < -0.1
    assert all(weight > 0 for weight in one.level_weights)
