"""Promise 1: the same decisions and features on every supported Python this machine has."""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from hean.app.testing import FinishedRun

ROOT = Path(__file__).resolve().parents[2]
DIGESTS = Path(__file__).with_name("feature_digest.py")
VERSIONS = ["3.11", "3.12", "3.13"]


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


@cache
def _inside(version: str) -> list[str]:
    """Return the command that runs something on that Python with HEAN installed, or skip."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        pytest.skip(f"{version} is the Python that runs this")
    python = _find(version)
    uv = shutil.which("uv") or "uv"
    options = ["--frozen", "--isolated", "--offline", "--quiet", "--no-dev"]
    inside = [uv, "run", *options, "-p", python, "--package", "hean-app"]
    ready = _run([*inside, "python", "-c", ""])
    if ready.returncode != 0:
        reason = (ready.stderr.strip().splitlines() or ["nothing told"])[-1]
        pytest.skip(f"no environment for Python {version} without a network: {reason}")
    return inside


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("version", VERSIONS)
def test_another_python_decides_the_same(
    bars: Path, bar_run: FinishedRun, tmp_path: Path, version: str
) -> None:
    """The backtest of this process has the same decisions and journal on another Python."""
    out = ["--out", str(tmp_path / "run"), "--json"]
    done = _run([*_inside(version), "hean-app", "backtest", str(bars), *out])
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["decisions_sha256"] == bar_run.summary["decisions_sha256"]
    assert found["journal_sha256"] == bar_run.summary["journal_sha256"]


@pytest.fixture(scope="module")
def digests() -> dict[str, dict[str, str]]:
    """The digest of each feature's column, live and batch, on the Python that runs this."""
    done = _run([sys.executable, str(DIGESTS)])
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def test_live_and_batch_features_have_the_same_bits(digests: dict[str, dict[str, str]]) -> None:
    """Every column of the live set has the digest of its batch form."""
    live, batch = digests["live"], digests["batch"]
    assert len(live) > 35
    assert live == {name: batch[name] for name in live}


@pytest.mark.parametrize("version", VERSIONS)
def test_another_python_has_the_same_features(
    digests: dict[str, dict[str, str]], version: str
) -> None:
    """Every bit of every feature, live and batch, is the same on another Python."""
    done = _run([*_inside(version), "python", str(DIGESTS)])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == digests
