"""The fitted tables a run takes: the file that FEATURE_TABLES names, by its content.

A run notes path and digest with its settings; a verification refuses a file that has changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hean.core.errors import DataError, SettingsError
from hean.core.features import NO_TABLES, LoadedTables, decode_tables

if TYPE_CHECKING:
    from hean.main import TradingSystem

PATH_FACT: Final = "feature_tables"
DIGEST_FACT: Final = "feature_tables_sha256"
_READERS: Final = ("hf_scalping", "inventory_neutral_mm")


def load_tables(path: Path | None) -> LoadedTables | None:
    """Return the tables of a file, None without a path.

    Raises `SettingsError` for a file that cannot be read, `DataError` for one that holds no tables.
    """
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"FEATURE_TABLES={path} cannot be read ({error.strerror}); "
            "make one with hean-app data fit, or leave it empty"
        ) from None
    try:
        return decode_tables(content)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def table_facts(path: Path | None, loaded: LoadedTables | None) -> dict[str, str]:
    """Return what a segment notes of its tables; nothing without any."""
    if path is None or loaded is None:
        return {}
    return {PATH_FACT: str(path.resolve()), DIGEST_FACT: loaded.sha256}


def recorded_tables(facts: Mapping[str, str]) -> LoadedTables | None:
    """Return the tables a segment ran with; raises `DataError` where the file is another by now."""
    digest = facts.get(DIGEST_FACT, "")
    if not digest:
        return None
    path = Path(facts[PATH_FACT])
    loaded = load_tables(path)
    if loaded is None or loaded.sha256 != digest:
        now = "" if loaded is None else loaded.sha256
        raise DataError(
            f"{path} is not the file this run took its feature tables from: its digest is "
            f"{now[:16]}, the run's {digest[:16]}"
        )
    return loaded


def table_lines(system: TradingSystem) -> list[str]:
    """Return, where somebody reads the micro-price, which table serves it or what stands in."""
    names = [
        market.instrument
        for one in system.strategies.strategies
        if one.name in _READERS and one.runs
        for market in one.markets
    ]
    if not names:
        return []
    loaded = system.tables
    if loaded is None:
        return [
            "no fitted tables (FEATURE_TABLES): a share of the weighted mid's distance stands in "
            "for the micro-price, and the five book levels weigh the same"
        ]
    tables = loaded.tables
    lines = [f"feature tables {tables.version}, fitted to {tables.source}"]
    for instrument in system.description.instruments:
        own = tables.of(instrument.id, instrument.tick, instrument.lot)
        if instrument.id in names and own is NO_TABLES:
            lines.append(
                f"{instrument.id} has no fitted table at tick {instrument.tick:g} and lot "
                f"{instrument.lot:g}; the weighted mid stands in"
            )
    return lines
