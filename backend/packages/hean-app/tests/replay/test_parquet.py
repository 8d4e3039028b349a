"""Parquet columns, checked."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from hean.app.replay.parquet import BATCH_ROWS, Layout, extent, read_columns
from hean.core.errors import DataError

from .dataset_files import BEGIN, BEGIN_MS, MINUTE, MINUTE_MS, bar_columns, write_parquet

LAYOUT = Layout(
    floats=("open", "high", "low", "close", "volume"), prices=4, ohlc=True, step_ms=MINUTE_MS
)
FAR = 1 << 53
MANY = 2 * BATCH_ROWS + 10


def _rows(*paths: Path, first: int = -FAR, last: int = FAR) -> list[tuple[Any, ...]]:
    batches = read_columns(paths, LAYOUT, first_ms=first, last_ms=last)
    return [row for columns in batches for row in zip(*columns, strict=True)]


def test_rows_come_in_batches_and_in_range(tmp_path: Path) -> None:
    """All rows come once; a range keeps the rows whose time lies in it, both ends included."""
    closes = [100.0 + place for place in range(MANY)]
    path = write_parquet(tmp_path / "bars", bar_columns(closes))
    assert [row[4] for row in _rows(path)] == closes
    first, last = BEGIN_MS + 5 * MINUTE_MS, BEGIN_MS + (MANY - 3) * MINUTE_MS
    assert [row[4] for row in _rows(path, first=first, last=last)] == closes[5 : MANY - 2]
    assert _rows(path, first=last + FAR, last=FAR * 2) == []


def test_extent_is_rows_first_and_last(tmp_path: Path) -> None:
    """The extent of joined files is that of all their rows."""
    one = write_parquet(tmp_path / "one", bar_columns([1.0] * 3))
    begin = BEGIN_MS + 10 * MINUTE_MS
    two = write_parquet(tmp_path / "two", bar_columns([1.0] * 2, begin_ms=begin))
    found = extent([one], Layout(floats=("close",)))
    assert (found.rows, found.first, found.last) == (3, BEGIN, BEGIN + 2 * MINUTE)
    both = extent([one, two], Layout(floats=("close",)))
    assert (both.rows, both.first, both.last) == (5, BEGIN, BEGIN + 11 * MINUTE)
    with pytest.raises(DataError, match="put the files in time order"):
        extent([two, one], Layout(floats=("close",)))


def test_whole_numbers_are_read_as_floats(tmp_path: Path) -> None:
    """An integer column stands for floats."""
    path = write_parquet(tmp_path / "bars", bar_columns([100.0]) | {"volume": [3]})
    assert _rows(path)[0][5] == 3.0
    assert type(_rows(path)[0][5]) is float


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"close": None}, "column 'close' is missing"),
        ({"close": ["a", "b", "c"]}, "column 'close' is string; convert it to float64"),
        ({"ts_ms": [1.0, 2.0, 3.0]}, "column 'ts_ms' is double; convert it to int64"),
    ],
)
def test_wrong_columns_are_refused_before_any_row(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    """A missing or mistyped column is named when the file is measured."""
    columns = bar_columns([100.0, 101.0, 102.0]) | change
    kept = {name: values for name, values in columns.items() if values is not None}
    path = write_parquet(tmp_path / "bars", kept)
    with pytest.raises(DataError, match=said):
        extent([path], LAYOUT)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("close", float("nan"), "row 2 .2025-01-01T00:02:00Z.: close is NaN"),
        ("close", float("inf"), "row 2 .*: close is inf"),
        ("volume", None, "row 2 .*: volume is null"),
        ("low", 0.0, "row 2 .*: low is 0.0; a price must be above 0"),
        ("open", -5.0, "row 2 .*: open is -5.0"),
        ("high", 50.0, "row 2 .*: high 50.0 is below low"),
        ("close", 200.0, "row 2 .*: open 100.0 and close 200.0 do not lie between"),
        ("volume", -1.0, "volume -1.0 after row 0 is below 0"),
        ("ts_ms", BEGIN_MS, "row 2: ts_ms goes backwards or stands still"),
        ("ts_ms", BEGIN_MS + MINUTE_MS + 1, "row 2: ts_ms comes too soon"),
    ],
)
def test_wrong_rows_are_refused(tmp_path: Path, column: str, value: object, said: str) -> None:
    """A row that cannot be trusted is named with its place, time, column and value."""
    columns = bar_columns([100.0] * 4)
    columns[column][2] = value
    with pytest.raises(DataError, match=said):
        _rows(write_parquet(tmp_path / "bars", columns))


def test_time_must_not_go_back_across_batches_and_files(tmp_path: Path) -> None:
    """The check of times does not start anew with a batch or a file."""
    columns = bar_columns([100.0] * MANY)
    columns["ts_ms"][BATCH_ROWS] = columns["ts_ms"][BATCH_ROWS - 1]
    with pytest.raises(DataError, match=f"row {BATCH_ROWS}: ts_ms goes backwards"):
        _rows(write_parquet(tmp_path / "bars", columns))
    path = write_parquet(tmp_path / "one", bar_columns([100.0]))
    with pytest.raises(DataError, match="row 0: ts_ms goes backwards"):
        _rows(path, path)


def test_empty_broken_and_missing_files_are_refused(tmp_path: Path) -> None:
    """No rows, no parquet and no file are each a `DataError`."""
    arrow: Any = import_module("pyarrow")
    empty: dict[str, Any] = {name: arrow.array([], arrow.float64()) for name in LAYOUT.floats}
    path = write_parquet(tmp_path / "empty", {"ts_ms": arrow.array([], arrow.int64())} | empty)
    with pytest.raises(DataError, match="has no rows"):
        extent([path], LAYOUT)
    (tmp_path / "broken").write_text("no parquet")
    with pytest.raises(DataError, match="is no parquet file"):
        extent([tmp_path / "broken"], LAYOUT)
    with pytest.raises(DataError, match="cannot be read"):
        extent([tmp_path / "none"], LAYOUT)
