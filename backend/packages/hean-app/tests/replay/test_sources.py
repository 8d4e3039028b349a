"""A dataset opened: its range and what lies in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hean.app.replay.catalog import read_dataset
from hean.app.replay.sources import open_dataset
from hean.core.errors import DataError

from .dataset_files import (
    BEGIN,
    BEGIN_MS,
    MINUTE,
    PERPETUAL,
    bar_columns,
    series,
    write_dataset,
    write_parquet,
)

MARKS = series("mark_bars", "marks", instrument=PERPETUAL, interval="1m")
MOOD = series("sentiment", "mood", source="x")


def test_without_prices_the_range_is_that_of_what_there_is(tmp_path: Path) -> None:
    """A dataset of marks alone runs from its first to its last mark, moods do not widen it."""
    write_parquet(tmp_path / "marks", bar_columns([100.0] * 5))
    write_parquet(tmp_path / "mood", {"ts_ms": [BEGIN_MS - 86_400_000], "value": [50]})
    opened = open_dataset(read_dataset(write_dataset(tmp_path, MARKS, MOOD)), start=None, end=None)
    assert (opened.span.start, opened.span.end) == (BEGIN, BEGIN + 5 * MINUTE)
    assert opened.last == BEGIN + 5 * MINUTE
    assert [opened.in_range(one) for one in opened.dataset.series] == [True, False]
    assert opened.span.contains(BEGIN)
    assert not opened.span.contains(BEGIN - 1)


def test_columns_are_checked_when_a_dataset_is_opened(tmp_path: Path) -> None:
    """A wrong column is refused before the first event."""
    write_parquet(tmp_path / "marks", {"ts_ms": [BEGIN_MS], "open": [1.0]})
    dataset = read_dataset(write_dataset(tmp_path, MARKS))
    with pytest.raises(DataError, match="column 'high' is missing"):
        open_dataset(dataset, start=None, end=None)
