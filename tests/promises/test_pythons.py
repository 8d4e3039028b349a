"""Promise 1: the same decisions on every supported Python that this machine has."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hean.app.testing import FinishedRun

ROOT = Path(__file__).resolve().parents[2]


def _find(version: str) -> str:
    """Return the interpreter of that version, or skip."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not on the path")
    found = subprocess.run([uv, "python", "find", version], capture_output=True, text=True)
    if found.returncode == 0:
        return found.stdout.strip()
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for path in sorted(kept.glob(f"{version}.*/bin/python{version}")):
        return str(path)
    pytest.skip(f"Python {version} is not installed here")


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_another_python_decides_the_same(
    bars: Path, bar_run: FinishedRun, tmp_path: Path, version: str
) -> None:
    """The backtest of this process has the same decisions and journal on another Python."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        pytest.skip(f"{version} is the Python that runs this")
    python = _find(version)
    uv = shutil.which("uv") or "uv"
    inside = [
        uv,
        "run",
        "--frozen",
        "--isolated",
        "--offline",
        "--quiet",
        "-p",
        python,
        "--package",
        "hean-app",
        "--no-dev",
    ]
    command = [
        *inside,
        "hean-app",
        "backtest",
        str(bars),
        "--out",
        str(tmp_path / "run"),
        "--json",
    ]
    ready = subprocess.run(
        [*inside, "python", "-c", ""],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if ready.returncode != 0:
        reason = (ready.stderr.strip().splitlines() or ["nothing told"])[-1]
        pytest.skip(f"no environment for Python {version} without a network: {reason}")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["decisions_sha256"] == bar_run.summary["decisions_sha256"]
    assert found["journal_sha256"] == bar_run.summary["journal_sha256"]
