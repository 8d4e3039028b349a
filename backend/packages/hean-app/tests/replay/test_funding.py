"""Funding files as settled and predicted rates."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hean.app.feeds.replay import DatasetFeed
from hean.app.replay.funding import stamp_of
from hean.core.events import FundingRate, Need

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

HOUR = 60 * MINUTE
HOUR_MS = 3_600_000
BARS = series("bars", "bars", instrument=PERPETUAL, interval="1h")
FUNDING = series("funding", "funding", instrument=PERPETUAL)
Told = tuple[float, float, bool, float, float]


def _feed(
    folder: Path, hours: list[float], *, start: int | None = None, jitter_ms: int = 0
) -> DatasetFeed:
    write_parquet(folder / "bars", bar_columns([100.0] * 48, step_ms=HOUR_MS))
    times = [BEGIN_MS + round(hour * HOUR_MS) + jitter_ms for hour in hours]
    rates = [0.0001 * (place + 1) for place in range(len(hours))]
    write_parquet(folder / "funding", {"ts_ms": times, "funding_rate": rates})
    return DatasetFeed(write_dataset(folder, BARS, FUNDING), start_ns=start)


def _told(feed: DatasetFeed) -> list[Told]:
    """(hour told, rate in bp, settled, hour of next stamp, interval in hours)."""
    return [
        (
            (one.ts_init - BEGIN) / HOUR,
            round(one.rate * 1e4, 6),
            one.settled,
            (one.next_funding_time - BEGIN) / HOUR,
            one.interval_ns / HOUR,
        )
        for one in feed.events()
        if isinstance(one, FundingRate)
    ]


def test_each_stamp_settles_and_predicts_the_next(tmp_path: Path) -> None:
    """At a stamp the settled rate comes, then the same rate as prediction for the next stamp."""
    feed = _feed(tmp_path, [8, 16])
    assert _told(feed) == [
        (8, 1, True, 16, 8),
        (8, 1, False, 16, 8),
        (16, 2, True, 24, 8),
        (16, 2, False, 24, 8),
    ]
    assert Need.FUNDING in feed.description.carries[PERPETUAL]


def test_the_interval_is_read_from_the_times(tmp_path: Path) -> None:
    """The interval follows the distance of stamps; a longer hole keeps the interval before it."""
    settled = [one for one in _told(_feed(tmp_path, [0, 4, 8, 9, 10, 34])) if one[2]]
    assert [one[4] for one in settled] == [8, 4, 4, 1, 1, 1]


def test_jitter_of_milliseconds_is_taken_off(tmp_path: Path) -> None:
    """Stamps a few ms off the minute count as the minute, so that they tie with bars and marks."""
    assert [one[0] for one in _told(_feed(tmp_path, [8, 16], jitter_ms=7))] == [8, 8, 16, 16]


def test_the_prediction_known_at_the_start_is_told(tmp_path: Path) -> None:
    """A run that starts between stamps begins with the rate settled before it, as prediction."""
    told = _told(_feed(tmp_path, [0, 8, 16], start=BEGIN + 10 * HOUR))
    assert told[:2] == [(10, 2, False, 16, 8), (16, 3, True, 24, 8)]


def test_without_a_series_no_funding_is_carried_and_it_is_said(tmp_path: Path) -> None:
    """A perpetual without funding is named in the notes and gets no rate at all."""
    write_parquet(tmp_path / "bars", bar_columns([100.0] * 48, step_ms=HOUR_MS))
    feed = DatasetFeed(write_dataset(tmp_path, BARS))
    assert Need.FUNDING not in feed.description.carries[PERPETUAL]
    assert _told(feed) == []
    said = f"no funding series: no funding is known or paid on {PERPETUAL}"
    assert said in feed.description.notes


@given(st.integers(0, 10**8), st.integers(-59_999_999_999, 59_999_999_999))
def test_a_stamp_moves_by_a_second_at_most(minutes: int, offset: int) -> None:
    """A time within a second of a minute is that minute, any other is left as it is."""
    time = minutes * MINUTE + offset
    stamp = stamp_of(time)
    assert abs(stamp - time) <= 1_000_000_000
    assert stamp == time or stamp % MINUTE == 0
    distance = min(time % MINUTE, -time % MINUTE)
    assert (stamp % MINUTE == 0) == (distance <= 1_000_000_000)
