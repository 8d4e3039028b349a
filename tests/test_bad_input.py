"""Bad input is one clear sentence on standard error, the right exit code, and nothing left over."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hean.app.lock import StateLock
from hean.app.settings import AppSettings
from hean.app.testing import FinishedRun, read_columns, write_columns
from hean.config import settings_lines

BRIEFLY = ("--plain", "--duration", "1s", "--speed", "max")
Command = Callable[..., tuple[int, str, str]]


def _sentence(err: str) -> str:
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("error: ")
    return lines[0].removeprefix("error: ")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, so that no `.env` or `.hean` of the checkout takes part."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture
def copy(bars: Path, tmp_path: Path) -> Path:
    """A copy of the small dataset that a test may spoil."""
    shutil.copytree(bars.parent, tmp_path / "copy")
    return tmp_path / "copy" / bars.name


def _refuses(command: Command, code: int, words: tuple[str, ...], *arguments: object) -> None:
    found, _, err = command(*arguments)
    sentence = _sentence(err)
    assert found == code, sentence
    for word in words:
        assert word in sentence


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (("RISK__MAX_POSITIONZ", "RISK__MAX_POSITIONS"), ("--set", "RISK__MAX_POSITIONZ=2")),
        (("'RISK__MAX_POSITIONS'", "KEY=VALUE"), ("--set", "RISK__MAX_POSITIONS")),
        (("RISK__MAX_POSITIONS=many", "integer"), ("--set", "RISK__MAX_POSITIONS=many")),
        (("INITIAL_CAPITAL=-5", "negative", "0 or more"), ("--capital", "-5")),
        (("INITIAL_CAPITAL=lots", "decimal"), ("--capital", "lots")),
        (("INITIAL_CAPITAL=NaN", "finite"), ("--capital", "NaN")),
        (("CASH_RESERVE_RATE=1", "at most 0.9"), ("--set", "CASH_RESERVE_RATE=1")),
        (("CASH_RESERVE_RATE=nan",), ("--set", "CASH_RESERVE_RATE=nan")),
        (("'momentum'", "momentum_trader"), ("--strategies", "momentum")),
        (("--strategies", "momentum_trader"), ("--strategies", ",")),
        (("--start", "'soon'", "2025-10-01"), ("--start", "soon")),
        (("--end", "'later'", "2025-10-01"), ("--end", "later")),
        (("RANDOM_SEED=-1", "at least 0"), ("--seed", "-1")),
        (("MIN_STRATEGY_WEIGHT", "MAX_STRATEGY_WEIGHT"), ("--set", "MIN_STRATEGY_WEIGHT=0.9")),
        (("AUTOPILOT_PROTECTIVE_SET", "JSON"), ("--set", 'AUTOPILOT_PROTECTIVE_SET=["a')),
    ],
)
def test_settings_that_do_not_fit(
    command: Command, bars: Path, words: tuple[str, ...], arguments: tuple[str, ...]
) -> None:
    """A setting that is unknown, mistyped or out of bounds is named with its value: exit 2."""
    _refuses(command, 2, words, "backtest", bars, "--out", "run", *arguments)
    assert not Path("run").exists()


def test_a_mistyped_name_in_the_process(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped setting in the process's own variables is refused with the nearest name."""
    monkeypatch.setenv("RISK__MAX_POSITIONZ", "3")
    _refuses(command, 2, ("RISK__MAX_POSITIONZ", "RISK__MAX_POSITIONS"), "config")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"RISK__MAX_POSITIONZ=3\n", ("RISK__MAX_POSITIONZ", "RISK__MAX_POSITIONS")),
        (b"INITIAL_CAPITALL=3\n", ("INITIAL_CAPITALL", "INITIAL_CAPITAL")),
        (b"INITIAL_CAPITAL=-1\n", ("INITIAL_CAPITAL=-1", "negative")),
        (b"# fine\nINITIAL_CAPITAL 100\n", (".env line 2", "INITIAL_CAPITAL 100", "NAME=VALUE")),
        (b"\xff\xfeINITIAL_CAPITAL=3\n", (".env", "UTF-8")),
    ],
)
def test_an_env_file_that_does_not_fit(
    command: Command, content: bytes, words: tuple[str, ...]
) -> None:
    """A `.env` with an unknown name, a bad value, a line that is none or other bytes: exit 2."""
    Path(".env").write_bytes(content)
    _refuses(command, 2, words, "config")


@pytest.mark.parametrize("verb", [("backtest",), ("data", "inspect")])
def test_a_missing_dataset(command: Command, verb: tuple[str, ...]) -> None:
    """A dataset that is not there is named: exit 3."""
    _refuses(command, 3, ("nowhere.toml",), *verb, "nowhere.toml")


def test_a_missing_dataset_leaves_no_directory(command: Command) -> None:
    """A backtest that cannot start takes back the run directory it made."""
    _refuses(command, 3, ("nowhere.toml",), "backtest", "nowhere.toml", "--out", "run")
    assert not Path("run").exists()


@pytest.mark.parametrize("text", ["= 3", "name = [", 'name = "x"', "\x00"])
def test_a_malformed_dataset(command: Command, copy: Path, text: str) -> None:
    """A dataset file that is no TOML, or lacks its tables, is named: exit 3."""
    copy.write_text(text)
    _refuses(command, 3, (str(copy),), "backtest", copy)


def test_a_missing_series(command: Command, copy: Path) -> None:
    """A file that the dataset refers to and that is not there is named: exit 3."""
    (name,) = [path.name for path in copy.parent.glob("bars-BTCUSDT-PERP*")]
    (copy.parent / name).unlink()
    _refuses(command, 3, (name,), "backtest", copy)


@pytest.mark.parametrize("content", ["[{", "{}", '[{"id": "X"}]'])
def test_malformed_instruments(command: Command, copy: Path, content: str) -> None:
    """An instruments file that is no JSON, or lacks fields, is named: exit 3."""
    (copy.parent / "instruments.json").write_text(content)
    _refuses(command, 3, ("instruments.json",), "backtest", copy)


def test_an_unknown_instrument(command: Command, copy: Path) -> None:
    """A series of an instrument that the instruments file does not have is named: exit 3."""
    text = copy.read_text().replace('"BTCUSDT-PERP.BYBIT"', '"NOPEUSDT-PERP.BYBIT"')
    copy.write_text(text)
    _refuses(command, 3, ("NOPEUSDT-PERP.BYBIT",), "backtest", copy)


def _spoil(copy: Path, change: Callable[[dict[str, list[float]]], None]) -> str:
    (path,) = copy.parent.glob("bars-BTCUSDT-PERP*")
    columns = read_columns(path)
    change(columns)
    write_columns(path, columns)
    return path.name


def _rename_close(columns: dict[str, list[float]]) -> None:
    columns["klose"] = columns.pop("close")


def _put_nan(columns: dict[str, list[float]]) -> None:
    columns["close"][700] = float("nan")


def _turn_back(columns: dict[str, list[float]]) -> None:
    times = columns["ts_ms"]
    times[700], times[701] = times[701], times[700]


def _go_below_zero(columns: dict[str, list[float]]) -> None:
    columns["low"][700] = -1.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_rename_close, ("close",)),
        (_put_nan, ("close", "NaN")),
        (_turn_back, ("ts_ms",)),
        (_go_below_zero, ("low", "-1")),
    ],
    ids=["wrong column", "NaN", "time going backwards", "negative price"],
)
def test_a_series_that_cannot_be_trusted(
    command: Command,
    copy: Path,
    change: Callable[[dict[str, list[float]]], None],
    words: tuple[str, ...],
) -> None:
    """Wrong column, NaN, time going backwards, a price below zero: the file is named, exit 3."""
    name = _spoil(copy, change)
    code, _, err = command("backtest", copy, "--out", "run")
    told = [line for line in err.splitlines() if not line.startswith(("note:", "not running"))]
    sentence = _sentence("\n".join(told))
    assert code == 3, sentence
    for word in (name, *words):
        assert word in sentence
    assert not Path("run").exists()


def test_a_series_that_is_no_parquet(command: Command, copy: Path) -> None:
    """A file of other bytes than its name says is named: exit 3."""
    (path,) = copy.parent.glob("bars-BTCUSDT-PERP*")
    path.write_bytes(b"garbage")
    _refuses(command, 3, (path.name,), "backtest", copy)


@pytest.mark.parametrize(
    "arguments", [("--start", "2030-01-01"), ("--start", "2024-01-03", "--end", "2024-01-02")]
)
def test_an_empty_range(command: Command, bars: Path, arguments: tuple[str, ...]) -> None:
    """A range without a price is refused with the range there is: exit 3."""
    words = ("2024-01-01", "2024-01-13")
    _refuses(command, 3, words, "backtest", bars, "--out", "run", *arguments)
    assert not Path("run").exists()


def test_data_on_which_no_strategy_can_run(command: Command, bars: Path) -> None:
    """Bars cannot feed a tick strategy: that is an error with its reason, not an idle run."""
    words = ("hf_scalping", "trades", str(bars))
    _refuses(command, 3, words, "backtest", bars, "--out", "run", "--strategies", "hf_scalping")
    assert not Path("run").exists()


def test_an_existing_run_directory_is_kept(command: Command, bars: Path) -> None:
    """A run directory that holds something is refused and stays as it was: exit 2."""
    Path("run").mkdir()
    Path("run/notes.txt").write_text("mine")
    _refuses(command, 2, ("--out run", "new directory"), "backtest", bars, "--out", "run")
    assert [path.name for path in Path("run").iterdir()] == ["notes.txt"]
    assert Path("run/notes.txt").read_text() == "mine"


def test_a_run_directory_that_cannot_be_made(command: Command, bars: Path) -> None:
    """A path below a file cannot hold a run directory: exit 2."""
    Path("file").touch()
    _refuses(command, 2, ("file/run",), "backtest", bars, "--out", "file/run")


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (("--duration", "'5x'", "15m"), ("--duration", "5x")),
        (("--duration", "'0s'"), ("--duration", "0s")),
        (("--speed", "'fast'", "max"), ("--speed", "fast")),
        (("--speed", "'-1'"), ("--speed", "-1")),
        (("--speed", "'nan'"), ("--speed", "nan")),
        (("--feed", "'kraken'", "sim"), ("--feed", "kraken")),
        (("TRADING_MODE=live", "TRADING_MODE=paper"), ("--set", "TRADING_MODE=live")),
        (("STATE_DIR", "file"), ("--state-dir", "file")),
    ],
)
def test_run_refuses(command: Command, words: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    """`run` refuses a bad duration, speed, feed, mode or state directory: exit 2."""
    Path("file").touch()
    _refuses(command, 2, words, "run", *BRIEFLY, *arguments)


def test_no_strategy_enabled(command: Command, bars: Path) -> None:
    """Settings under which no strategy is enabled are refused: exit 2."""
    off = [
        argument
        for name, _, _ in settings_lines(AppSettings)
        if name.startswith("STRATEGIES__") and name.endswith("__ENABLED")
        for argument in ("--set", f"{name}=false")
    ]
    _refuses(command, 2, ("no strategy", "ENABLED"), "backtest", bars, *off)


def test_a_state_directory_of_another_seed(
    command: Command, sim_run: FinishedRun, tmp_path: Path
) -> None:
    """A state directory of another seed is refused, with both seeds, and stays as it was."""
    state = tmp_path / "state"
    shutil.copytree(sim_run.directory, state)
    before = (state / "journal.db").read_bytes()
    words = ("seed '0'", "'9'", str(state))
    _refuses(command, 2, words, "run", *BRIEFLY, "--state-dir", state, "--seed", 9)
    assert (state / "journal.db").read_bytes() == before


def test_a_state_directory_in_use(command: Command, tmp_path: Path) -> None:
    """A second instance on one state directory is refused: exit 2."""
    with StateLock(tmp_path):
        _refuses(command, 2, (str(tmp_path), "in use"), "run", *BRIEFLY, "--state-dir", tmp_path)


@pytest.mark.parametrize("verb", [("replay",), ("why", "momentum_trader")])
@pytest.mark.parametrize("there", [False, True])
def test_a_run_directory_without_a_run(
    command: Command, tmp_path: Path, verb: tuple[str, ...], *, there: bool
) -> None:
    """`replay` and `why` name a directory that holds no run: exit 2."""
    directory = tmp_path if there else tmp_path / "nothing"
    _refuses(command, 2, (str(directory), "run"), *verb, directory)


def test_a_journal_that_is_none(command: Command, tmp_path: Path) -> None:
    """A journal of other bytes breaks a promise: exit 4, and the file stays as it was."""
    (tmp_path / "journal.db").write_bytes(b"garbage" * 100)
    _refuses(command, 4, ("journal.db",), "replay", tmp_path)
    assert (tmp_path / "journal.db").read_bytes() == b"garbage" * 100


def test_why_names_the_nearest_strategy(command: Command, bar_run: FinishedRun) -> None:
    """`why` of a strategy the run does not have names the nearest one: exit 2."""
    words = ("'momentum'", "momentum_trader")
    _refuses(command, 2, words, "why", "momentum", bar_run.directory)


def test_replaying_other_data(command: Command, bar_run: FinishedRun, copy: Path) -> None:
    """A dataset that is not the one the run was made from is refused by its digest: exit 3."""
    _spoil(copy, lambda columns: columns["volume"].__setitem__(5, 1.0))
    _refuses(command, 3, (str(copy), "digest"), "replay", bar_run.directory, "--dataset", copy)


@pytest.mark.parametrize(
    "arguments", [("backtest",), ("frobnicate",), ("run", "--seed", "abc"), ("why",), ("run", "x")]
)
def test_usage_errors(command: Command, arguments: tuple[str, ...]) -> None:
    """What the command line itself cannot read is told with its usage: exit 2."""
    code, _, err = command(*arguments)
    assert code == 2
    assert "Usage:" in err
    assert "Traceback" not in err


def test_a_funnel_that_is_no_json(command: Command, bar_run: FinishedRun, tmp_path: Path) -> None:
    """A spoilt `summary.json` is named: exit 2."""
    (tmp_path / "summary.json").write_text("{")
    (tmp_path / "funnel.json").write_text(json.dumps({}))
    _refuses(command, 2, ("summary.json", "JSON"), "why", "momentum_trader", tmp_path)
