"""Sentiment files as readings."""

from __future__ import annotations

from pathlib import Path

import pytest

from hean.app.feeds.replay import DatasetFeed
from hean.core.errors import DataError
from hean.core.events import Need, SentimentReading

from .dataset_files import (
    BEGIN,
    BEGIN_MS,
    PERPETUAL,
    bar_columns,
    series,
    write_dataset,
    write_parquet,
)

HOUR = 3_600_000_000_000
DAY_MS = 86_400_000
BARS = series("bars", "bars", instrument=PERPETUAL, interval="1h")
MOOD = series("sentiment", "mood", source="fear_greed")


def _feed(folder: Path, values: list[int], *, first_day: int) -> DatasetFeed:
    write_parquet(folder / "bars", bar_columns([100.0] * 48, step_ms=3_600_000))
    days = [BEGIN_MS + (first_day + place) * DAY_MS for place in range(len(values))]
    write_parquet(folder / "mood", {"ts_ms": days, "value": values, "label": ["x"] * len(values)})
    return DatasetFeed(write_dataset(folder, BARS, MOOD))


def test_a_reading_is_received_an_hour_into_its_day(tmp_path: Path) -> None:
    """It is published at the day's start, received an hour later, never before, score -1 to 1."""
    feed = _feed(tmp_path, [0, 75], first_day=0)
    found = [event for event in feed.events() if isinstance(event, SentimentReading)]
    assert [one.ts_event for one in found] == [BEGIN, BEGIN + 24 * HOUR]
    assert [one.ts_init for one in found] == [BEGIN + HOUR, BEGIN + 25 * HOUR]
    assert [(one.value, one.score) for one in found] == [(0.0, -1.0), (75.0, 0.5)]
    assert feed.description.carries[""] == (Need.SENTIMENT,)


def test_the_newest_reading_before_the_start_is_told_at_the_start(tmp_path: Path) -> None:
    """A run begins knowing the reading of the day before, and only that one of the past."""
    feed = _feed(tmp_path, [10, 20, 30, 30], first_day=-3)
    found = [event for event in feed.events() if isinstance(event, SentimentReading)]
    assert [(one.ts_init, one.value) for one in found] == [(BEGIN, 30.0), (BEGIN + HOUR, 30.0)]
    assert found[0].content_hash != found[1].content_hash


def test_the_prices_set_the_range_of_the_dataset(tmp_path: Path) -> None:
    """Readings from years before and after the bars do not stretch the run."""
    feed = _feed(tmp_path, [50] * 60, first_day=-30)
    times = [event.ts_init for event in feed.events()]
    assert (times[0], times[-1]) == (BEGIN, BEGIN + 48 * HOUR)
    assert (feed.description.first, feed.description.last) == (BEGIN, BEGIN + 48 * HOUR)


def test_a_value_out_of_bounds_is_refused(tmp_path: Path) -> None:
    """A value beyond 0..100 is named with its day."""
    with pytest.raises(DataError, match=r"value 101\.0 at 2025-01-01T00:00:00Z is not within"):
        list(_feed(tmp_path, [101], first_day=0).events())
