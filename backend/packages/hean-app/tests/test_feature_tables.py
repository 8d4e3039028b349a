from pathlib import Path

import pytest

from hean.app.feature_tables import load_tables, recorded_tables, table_facts
from hean.core.errors import DataError, SettingsError
from hean.core.features import FeatureTables, InstrumentTables, encode_tables

TABLES = FeatureTables(
    version="v",
    source="made",
    source_sha256="",
    first=0,
    last=1,
    instruments={"X": InstrumentTables(tick=0.1, lot=0.001)},
)


def test_a_file_is_taken_by_its_content(tmp_path: Path) -> None:
    """The digest is that of the bytes, and facts bring the same tables back."""
    path = tmp_path / "tables.json"
    path.write_bytes(encode_tables(TABLES))
    loaded = load_tables(path)
    assert loaded is not None
    assert loaded.tables == TABLES
    assert recorded_tables(table_facts(path, loaded)) == loaded


def test_without_a_path_there_are_no_tables_and_no_facts() -> None:
    """A run without tables notes nothing of them."""
    assert load_tables(None) is None
    assert table_facts(None, None) == {}
    assert recorded_tables({}) is None


def test_a_missing_or_foreign_file_is_told(tmp_path: Path) -> None:
    """A file that is not there is a setting to put right, one of other content is bad data."""
    with pytest.raises(SettingsError, match=r"gone\.json cannot be read"):
        load_tables(tmp_path / "gone.json")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataError, match=r"other\.json: these are no feature tables"):
        load_tables(tmp_path / "other.json")
