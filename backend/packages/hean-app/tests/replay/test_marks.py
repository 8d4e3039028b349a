"""Marks of mark bars, and of a perpetual beside its spot."""

from __future__ import annotations

from pathlib import Path

from hean.app.feeds.replay import DatasetFeed
from hean.core.events import MarkPrice, Need

from .dataset_files import (
    BEGIN,
    BEGIN_MS,
    MINUTE,
    MINUTE_MS,
    PERPETUAL,
    SPOT,
    bar_columns,
    series,
    write_dataset,
    write_parquet,
)

Mark = tuple[int, float, float | None]
PERP_BARS = series("bars", "perp", instrument=PERPETUAL, interval="1m")
SPOT_BARS = series("bars", "spot", instrument=SPOT, interval="1m")
MARKS = series("mark_bars", "marks", instrument=PERPETUAL, interval="2m")


def _marks(feed: DatasetFeed) -> list[Mark]:
    found = [event for event in feed.events() if isinstance(event, MarkPrice)]
    assert all(one.coarse and one.instrument == PERPETUAL for one in found)
    return [((one.ts_init - BEGIN) // MINUTE, one.mark, one.index) for one in found]


def _mark_bars(folder: Path, opens: list[float], closes: list[float], skip: int) -> None:
    columns = bar_columns(closes, step_ms=2 * MINUTE_MS)
    del columns["volume"]
    columns["open"] = opens
    columns["high"] = [max(pair) for pair in zip(opens, closes, strict=True)]
    columns["low"] = [min(pair) for pair in zip(opens, closes, strict=True)]
    columns["ts_ms"][-1] += skip * 2 * MINUTE_MS
    write_parquet(folder / "marks", columns)


def test_a_mark_bar_is_told_without_looking_ahead(tmp_path: Path) -> None:
    """Opens come at their time; a close only at its own, and only where no bar opens then."""
    write_parquet(tmp_path / "perp", bar_columns([100.0] * 12))
    _mark_bars(tmp_path, [101.0, 103.0, 105.0], [102.0, 104.0, 106.0], skip=1)
    feed = DatasetFeed(write_dataset(tmp_path, PERP_BARS, MARKS))
    expected: list[Mark] = [
        (0, 101.0, None),
        (2, 103.0, None),
        (4, 104.0, None),
        (6, 105.0, None),
        (8, 106.0, None),
    ]
    assert _marks(feed) == expected
    assert Need.INDEX not in feed.description.carries[PERPETUAL]


def test_a_range_keeps_the_marks_known_in_it(tmp_path: Path) -> None:
    """Within a range only what was told in it comes, the close of an earlier bar included."""
    write_parquet(tmp_path / "perp", bar_columns([100.0] * 12))
    _mark_bars(tmp_path, [101.0, 103.0, 105.0], [102.0, 104.0, 106.0], skip=1)
    path = write_dataset(tmp_path, PERP_BARS, MARKS)
    feed = DatasetFeed(path, start_ns=BEGIN + 3 * MINUTE, end_ns=BEGIN + 7 * MINUTE)
    assert _marks(feed) == [(4, 104.0, None), (6, 105.0, None)]


def test_spot_beside_a_perpetual_is_a_coarse_index(tmp_path: Path) -> None:
    """At each shared close the perpetual's close is the mark and the spot's the index."""
    write_parquet(tmp_path / "perp", bar_columns([100.0, 101.0, 102.0, 103.0]))
    spot = bar_columns([99.0, 98.0, 97.0], begin_ms=BEGIN_MS)
    spot["ts_ms"][2] += MINUTE_MS
    write_parquet(tmp_path / "spot", spot)
    feed = DatasetFeed(write_dataset(tmp_path, PERP_BARS, SPOT_BARS))
    expected: list[Mark] = [(1, 100.0, 99.0), (2, 101.0, 98.0), (4, 103.0, 97.0)]
    assert _marks(feed) == expected
    assert set(feed.description.carries[PERPETUAL]) == {
        Need.QUOTES,
        Need.BARS,
        Need.SPOT,
        Need.INDEX,
    }
    assert set(feed.description.carries[SPOT]) == {Need.QUOTES, Need.BARS}
    assert any("coarse index" in note for note in feed.description.notes)


def test_a_mark_bar_and_an_index_at_one_time_are_one_mark(tmp_path: Path) -> None:
    """Where a mark bar opens at a shared close its price is the mark, with the spot's as index."""
    write_parquet(tmp_path / "perp", bar_columns([100.0, 101.0, 102.0]))
    write_parquet(tmp_path / "spot", bar_columns([99.0, 98.0, 97.0]))
    _mark_bars(tmp_path, [110.0, 112.0], [112.0, 113.0], skip=0)
    feed = DatasetFeed(write_dataset(tmp_path, PERP_BARS, SPOT_BARS, MARKS))
    expected: list[Mark] = [
        (0, 110.0, None),
        (1, 100.0, 99.0),
        (2, 112.0, 98.0),
        (3, 102.0, 97.0),
    ]
    assert _marks(feed) == expected
