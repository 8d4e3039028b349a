"""What moves a dataset's digest, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hean.app.feeds.replay import DatasetFeed

from .dataset_files import (
    BEGIN,
    MINUTE,
    PERPETUAL,
    bar_columns,
    series,
    specification,
    write_dataset,
    write_parquet,
)


def _digest(
    folder: Path,
    *,
    file: str = "bars",
    close: float = 100.0,
    head: str = "",
    tick: str = "0.1",
    unused: bool = False,
) -> str:
    folder.mkdir(exist_ok=True)
    write_parquet(folder / file, bar_columns([close] * 10))
    rows = [specification(PERPETUAL, tick_size=tick)]
    rows += [specification("ETHUSDT-PERP.BYBIT")] * unused
    table = series("bars", file, instrument=PERPETUAL, interval="1m")
    return DatasetFeed(write_dataset(folder, table, head=head, instruments=rows)).description.digest


def test_place_and_names_do_not_matter(tmp_path: Path) -> None:
    """The same data under other folders, file names and unused instruments has one digest."""
    digest = _digest(tmp_path / "a")
    assert len(digest) == 64
    assert _digest(tmp_path / "b", file="other.parquet", unused=True) == digest


CHANGES: list[Callable[[Path], str]] = [
    lambda folder: _digest(folder, close=101.0),
    lambda folder: _digest(folder, tick="0.5"),
    lambda folder: _digest(folder, head='start = "2025-01-01T00:03:00Z"'),
]


@pytest.mark.parametrize("changed", CHANGES)
def test_data_rules_and_range_matter(tmp_path: Path, changed: Callable[[Path], str]) -> None:
    """A file's bytes, an instrument's rules and the range each change the digest."""
    assert changed(tmp_path / "b") != _digest(tmp_path / "a")


def test_a_range_asked_for_is_part_of_the_digest(tmp_path: Path) -> None:
    """A run on a part of the data is not a run on all of it."""
    whole = _digest(tmp_path)
    part = DatasetFeed(tmp_path / "dataset.toml", start_ns=BEGIN + 2 * MINUTE)
    assert part.description.digest != whole
