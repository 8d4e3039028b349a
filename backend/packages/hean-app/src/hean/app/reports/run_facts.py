"""What a run directory says of its run: the summary, the funnel, the settings it ran under."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from hean.core.errors import StateError

SETTING = "setting:"


def read_summary(directory: Path) -> dict[str, Any]:
    """Return `summary.json`; raises `StateError` where no run was finished."""
    return _read(directory, "summary.json")


def read_funnel(directory: Path) -> dict[str, Any]:
    """Return `funnel.json`; raises `StateError` where no run was finished."""
    return _read(directory, "funnel.json")


def read_capital(directory: Path) -> dict[str, Any]:
    """Return `capital.json`; raises `StateError` where no run was finished."""
    return _read(directory, "capital.json")


def read_size_factors(directory: Path) -> dict[str, float]:
    """Return each strategy's k, its median size factor in the run; `StateError` where none was."""
    found: dict[str, float] | None = read_capital(directory).get("size_factors")
    if found is None:
        raise StateError(
            f"{directory / 'capital.json'} names no size factors; run the backtest again"
        )
    return found


def _read(directory: Path, name: str) -> dict[str, Any]:
    path = directory / name
    if not path.is_file():
        raise StateError(
            f"{directory} holds no finished run ({name} is missing); "
            "make one with: hean-app backtest DATASET.toml --out DIR"
        )
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise StateError(f"{path} is not JSON ({error}); run the backtest again") from None


def run_settings(directory: Path) -> dict[str, str]:
    """Return every setting of the run's newest start by name, or nothing without a journal."""
    path = directory / "journal.db"
    if not path.is_file():
        return {}
    try:
        database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            row = database.execute("SELECT facts FROM segments ORDER BY id DESC LIMIT 1").fetchone()
        finally:
            database.close()
    except sqlite3.Error as error:
        raise StateError(f"{path} cannot be read as a journal: {error}") from None
    facts: dict[str, str] = json.loads(row[0]) if row else {}
    return {
        name.removeprefix(SETTING): value
        for name, value in facts.items()
        if name.startswith(SETTING)
    }


def changed_settings(settings: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return (name, value, default) of each setting that was not at its default."""
    from hean.app.settings import AppSettings
    from hean.config import effective

    standard = effective(AppSettings())
    return [
        (name, value, standard.get(name, ""))
        for name, value in sorted(settings.items())
        if value != standard.get(name, "")
    ]
