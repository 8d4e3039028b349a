from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hean.app.strategy_skeleton import files_of, write_skeleton
from hean.core.errors import SettingsError


def test_a_new_package_passes_its_own_test(tmp_path: Path) -> None:
    """What `new` writes is a package whose test passes without a change."""
    written = write_skeleton("night_drift", tmp_path)
    assert all(path.is_file() for path in written)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "night_drift",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_its_project_names_the_entry_point() -> None:
    """The package offers its class in the group under the strategy's id."""
    project = tomllib.loads(files_of("night_drift")["pyproject.toml"])["project"]
    assert project["name"] == "night-drift"
    assert project["entry-points"] == {"hean.strategies": {"night_drift": "night_drift:NightDrift"}}


@pytest.mark.parametrize("name", ["Night", "9lives", "night-drift", "class", "a__b", "", "x" * 41])
def test_a_bad_name_is_refused(name: str, tmp_path: Path) -> None:
    """A name that is no package is refused with a sentence, and nothing is written."""
    with pytest.raises(SettingsError, match="no name for a strategy"):
        write_skeleton(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_taken_name_is_refused(tmp_path: Path) -> None:
    """An installed strategy's name is refused."""
    with pytest.raises(SettingsError, match="exists already; take another name"):
        write_skeleton("momentum_trader", tmp_path)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A folder that exists is left as it is."""
    (tmp_path / "night_drift").mkdir()
    with pytest.raises(SettingsError, match="exists already; give another"):
        write_skeleton("night_drift", tmp_path)
    assert not list((tmp_path / "night_drift").iterdir())
