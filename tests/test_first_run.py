"""The first minutes of a new user: help, a run, stopping it, starting it again."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]
SHORT = ("--set", "SIM__HISTORY_DAYS=0.1", "--set", "SIM__HISTORY_TICK_HOURS=0.1")
COMMANDS = ("run", "backtest", "replay", "why", "data", "config")
SIM = ("--plain", "--state-dir", "state", *SHORT)


def _start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "hean.app", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def _read_until(child: "subprocess.Popen[str]", words: str) -> str:
    assert child.stdout is not None
    told = ""
    while words not in told:
        line = child.stdout.readline()
        assert line, told
        told += line
    return told


def test_help_is_useful(command: Command) -> None:
    """`--help` names every command, each with a whole sentence."""
    code, out, _ = command("--help")
    assert code == 0
    for name in COMMANDS:
        found = re.search(rf"^  {name}\s+(.+)$", out, re.MULTILINE)
        assert found is not None
        assert found[1].endswith(".")
        assert not found[1].endswith("...")


def test_help_loads_nothing_slow() -> None:
    """The command line is there without the numeric stack, so that help comes at once."""
    code = (
        "import sys; import hean.app.cli; "
        "print([name for name in ('numpy', 'pyarrow', 'pydantic', 'rich.live') "
        "if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_and_a_start_resumes(tmp_path: Path, number: signal.Signals) -> None:
    """SIGINT and SIGTERM end a run with 0 and a summary; the next start goes on from there."""
    child = _start(tmp_path, *SIM)
    first = _read_until(child, "warming up")
    assert first.startswith("HEAN on paper")
    child.send_signal(number)
    rest, err = child.communicate(timeout=60)
    assert child.returncode == 0
    assert f"stopped: {number.name} received" in rest
    assert "Traceback" not in err
    ended = json.loads((tmp_path / "state/summary.json").read_text())["ended"]
    again = _start(tmp_path, "run", *SIM, "--duration", "1s", "--speed", "max")
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    assert "goes on" in out
    assert "stopped: duration reached" in out
    summary = json.loads((tmp_path / "state/summary.json").read_text())
    assert summary["ended"] > ended
    assert summary["books_balance"] is True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_backtest_leaves_nothing(
    bars: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C or SIGTERM in a backtest: one sentence, exit 130, no traceback, no half run."""
    child = _start(tmp_path, "backtest", str(bars), "--out", "run")
    deadline = time.monotonic() + 60
    while not (tmp_path / "run/journal.db").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert out == ""
    told = [line for line in err.splitlines() if not line.startswith(("note:", "not running"))]
    assert told == ["error: interrupted before the end; run the same command again"]
    assert not (tmp_path / "run").exists()


def test_options_alone_are_those_of_run(command: Command) -> None:
    """`hean-app --duration x` is `hean-app run --duration x`."""
    code, _, err = command("--plain", "--duration", "x")
    assert code == 2
    assert err.startswith("error: --duration 'x'")
