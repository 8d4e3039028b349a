import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hean.app.cli import load_settings, main
from hean.core.errors import SettingsError

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Run the command line in an empty folder: exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hean-app", *arguments])
        with pytest.raises(SystemExit) as ending:
            main()
        out, err = capsys.readouterr()
        return int(ending.value.code or 0), out, err

    return run


def test_arguments_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments win over the process, that over `.env`."""
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("RANDOM_SEED=1\nINITIAL_CAPITAL=100\nRISK__MAX_POSITIONS=2\n")
    monkeypatch.setenv("RANDOM_SEED", "2")
    monkeypatch.setenv("INITIAL_CAPITAL", "200")
    loaded = load_settings(["risk__max_positions=3"], seed=3)
    assert loaded.settings.random_seed == 3
    assert loaded.settings.initial_capital == 200
    assert loaded.settings.risk.max_positions == 3
    assert loaded.sources["INITIAL_CAPITAL"] == "process"


def test_a_set_without_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--set` needs a name and a value."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="KEY=VALUE"):
        load_settings(["=3"])


def test_config_prints_and_example_loads(command: Command, tmp_path: Path) -> None:
    """`config` ends with 0, and what `config example` writes is a `.env` that changes nothing."""
    code, out, _ = command("config", "example")
    assert code == 0
    before = command("config")[1]
    (tmp_path / ".env").write_text(out)
    code, after, _ = command("config")
    assert code == 0
    assert [line.split()[:2] for line in after.splitlines()] == [
        line.split()[:2] for line in before.splitlines()
    ]


def test_an_interrupt_is_one_sentence(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C anywhere ends with 130 and one sentence."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hean.app.cli.load_settings", interrupt)
    code, _, err = command("config")
    assert code == 130
    assert err == "error: interrupted before the end; run the same command again\n"
