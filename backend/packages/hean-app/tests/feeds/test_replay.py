"""The dataset feed as a whole: order, range, cursor, real data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hean.app.feeds.replay import DatasetFeed
from hean.app.replay.parquet import Layout, read_columns
from hean.core.errors import DataError, StateError
from hean.core.events import (
    Bar,
    BookUpdate,
    Event,
    FeedGap,
    FundingRate,
    MarkPrice,
    Quote,
    SentimentReading,
    Trade,
)

from ..replay.dataset_files import (  # noqa: TID252 - tests folders are no packages
    BEGIN,
    BEGIN_MS,
    MINUTE,
    PERPETUAL,
    SPOT,
    bar_columns,
    real_data,
    series,
    write_dataset,
    write_parquet,
)

HOUR_MS = 3_600_000
HOUR = 60 * MINUTE
DATASETS = (
    "binance-nexo-ticks-24h",
    "binance-perps-1m-2025-05",
    "binance-spot-perp-1h-2019-2021",
    "binance-ticks-2024-07",
    "binance-ticks-2024-08",
    "bybit-btc-eth-5m-2025",
    "bybit-perps-1m-2025-06",
    "bybit-perps-5m-2025q4",
    "bybit-spot-perp-5m-2025",
    "bybit-v5-session",
)


def _mixed(folder: Path) -> Path:
    """Spot and perpetual hours with marks, funding and mood, sentiment named first."""
    hours = bar_columns([100.0 + place for place in range(24)], step_ms=HOUR_MS)
    write_parquet(folder / "perp", hours)
    write_parquet(folder / "spot", hours)
    write_parquet(folder / "marks", hours)
    stamps = [BEGIN_MS + hour * HOUR_MS for hour in (8, 16)]
    write_parquet(folder / "funding", {"ts_ms": stamps, "funding_rate": [0.0001, 0.0002]})
    mood = [BEGIN_MS + 7 * HOUR_MS]
    write_parquet(folder / "mood", {"ts_ms": mood, "value": [50]})
    return write_dataset(
        folder,
        series("sentiment", "mood", source="fear_greed"),
        series("funding", "funding", instrument=PERPETUAL),
        series("bars", "spot", instrument=SPOT, interval="1h"),
        series("bars", "perp", instrument=PERPETUAL, interval="1h"),
        series("mark_bars", "marks", instrument=PERPETUAL, interval="1h"),
    )


def test_ties_at_one_time_fall_as_declared(tmp_path: Path) -> None:
    """Marks, closing quotes, bars, funding, sentiment, opening quotes; then the dataset's order."""
    events = DatasetFeed(_mixed(tmp_path)).events()
    told = [
        (type(event), getattr(event, "instrument", ""))
        for event in events
        if event.ts_init == BEGIN + 8 * HOUR
    ]
    assert told == [
        (MarkPrice, PERPETUAL),
        (Quote, SPOT),
        (Quote, PERPETUAL),
        (Bar, SPOT),
        (Bar, PERPETUAL),
        (FundingRate, PERPETUAL),
        (FundingRate, PERPETUAL),
        (SentimentReading, ""),
        (Quote, SPOT),
        (Quote, PERPETUAL),
    ]


def test_the_cursor_goes_on_where_it_was(tmp_path: Path) -> None:
    """A feed restored from a snapshot hands out exactly what the first had left."""
    path = _mixed(tmp_path)
    whole = list(DatasetFeed(path).events())
    for count in (0, 1, 37, len(whole)):
        feed = DatasetFeed(path)
        events = feed.events()
        begun = [next(events) for _ in range(count)]
        other = DatasetFeed(path)
        other.restore(feed.snapshot())
        assert begun + list(other.events()) == whole
        assert other.handed_out == len(whole)


def test_a_cursor_of_other_data_is_refused(tmp_path: Path) -> None:
    """A snapshot made on another range or other files does not restore."""
    path = _mixed(tmp_path)
    part = DatasetFeed(path, start_ns=BEGIN + HOUR)
    with pytest.raises(StateError, match="replay the same files and range"):
        part.restore(DatasetFeed(path).snapshot())


def test_a_range_narrows_what_the_dataset_says(tmp_path: Path) -> None:
    """Start and end clip every kind, and cannot widen the dataset's own."""
    path = _mixed(tmp_path)
    feed = DatasetFeed(path, start_ns=BEGIN + 4 * HOUR, end_ns=BEGIN + 8 * HOUR)
    times = [event.ts_init for event in feed.events()]
    assert (times[0], times[-1]) == (BEGIN + 4 * HOUR, BEGIN + 8 * HOUR)
    assert (feed.description.first, feed.description.last) == (times[0], times[-1])
    head = 'start = "2025-01-01T02:00:00Z"\nend = "2025-01-01T05:00:00Z"\n'
    path.write_text(head + path.read_text())
    wide = DatasetFeed(path, start_ns=BEGIN, end_ns=BEGIN + 9 * HOUR).description
    assert (wide.first, wide.last) == (BEGIN + 2 * HOUR, BEGIN + 5 * HOUR)


@pytest.mark.parametrize(("start", "end"), [(100, None), (None, -3), (5, 5), (5, 3)])
def test_an_empty_range_is_refused(tmp_path: Path, start: int | None, end: int | None) -> None:
    """A range without prices is a `DataError` that says where the prices are."""
    with pytest.raises(DataError, match=r"has nothing from .* its prices run from 2025-01-01"):
        DatasetFeed(
            _mixed(tmp_path),
            start_ns=None if start is None else BEGIN + start * HOUR,
            end_ns=None if end is None else BEGIN + end * HOUR,
        )


def test_a_range_within_one_bar_is_refused(tmp_path: Path) -> None:
    """Where no bar lies wholly in the range there is nothing to replay."""
    write_parquet(tmp_path / "bars", bar_columns([100.0] * 3, step_ms=HOUR_MS))
    path = write_dataset(tmp_path, series("bars", "bars", instrument=PERPETUAL, interval="1h"))
    with pytest.raises(DataError, match="yields no event"):
        DatasetFeed(path, start_ns=BEGIN + MINUTE, end_ns=BEGIN + 2 * MINUTE)


def test_bars_alone_have_no_ticks(tmp_path: Path) -> None:
    """A dataset of bars says so: no time from which ticks come, and each bar's interval."""
    found = DatasetFeed(_mixed(tmp_path)).description
    assert found.ticks_from is None
    assert found.bar_intervals == {PERPETUAL: HOUR, SPOT: HOUR}
    assert any("quotes are synthetic" in note for note in found.notes)


@pytest.mark.parametrize("name", DATASETS)
def test_real_datasets_stream_in_time_order(name: str) -> None:
    """Each real dataset describes itself and its first 50,000 events never go back in time."""
    feed = DatasetFeed(real_data() / "datasets" / f"{name}.toml")
    description = feed.description
    known = {one.id for one in description.instruments}
    assert set(description.carries) - {""} == known
    assert len(description.digest) == 64
    before = description.first
    for count, event in enumerate(feed.events(), start=1):
        assert event.ts_init >= before
        before = event.ts_init
        if count == 50_000:
            break
    assert description.last is not None
    assert before <= description.last


def test_real_bybit_books_never_cross_and_follow_u() -> None:
    """The v5 session rebuilds books of ten levels and more without a gap, `u` rising by one."""
    feed = DatasetFeed(real_data() / "datasets" / "bybit-v5-session.toml", depth_levels=200)
    updates: dict[str, int] = {}
    images: dict[str, int] = {}
    for event in feed.events():
        assert not isinstance(event, FeedGap)
        if isinstance(event, BookUpdate):
            name = event.instrument
            assert event.bids[0][0] < event.asks[0][0]
            assert (len(event.bids), len(event.asks)) == (200, 200)
            assert event.sequence == updates.get(name, event.sequence - 1) + 1
            updates[name] = event.sequence
            images[name] = images.get(name, 0) + 1
    assert images == {
        "BTCUSDT-PERP.BYBIT": 414,
        "ETHUSDT-PERP.BYBIT": 421,
        "BTCUSDT-SPOT.BYBIT": 300,
    }


@pytest.mark.parametrize(
    "name", ["binance-nexo-ticks-24h", "binance-ticks-2024-07", "binance-ticks-2024-08"]
)
def test_real_binance_books_are_unbroken(name: str) -> None:
    """Depth of the real captures is one unbroken sequence, across files as well."""
    feed = DatasetFeed(real_data() / "datasets" / f"{name}.toml")
    assert not [event for event in feed.events() if isinstance(event, FeedGap)]


def _minutes(events: Sequence[Event]) -> dict[int, list[float]]:
    """Open, high, low, close and volume of each exchange minute, volume in whole satoshis."""
    found: dict[int, list[float]] = {}
    for event in events:
        if not isinstance(event, Trade):
            continue
        minute = event.ts_event // MINUTE * MINUTE
        size = round(event.quantity * 1e8)
        bar = found.get(minute)
        if bar is None:
            found[minute] = [event.price, event.price, event.price, event.price, size]
            continue
        bar[1] = max(bar[1], event.price)
        bar[2] = min(bar[2], event.price)
        bar[3] = event.price
        bar[4] += size
    return found


def test_real_trades_rebuild_the_exchanges_minutes(tmp_path: Path) -> None:
    """Five whole minutes of trades equal the bars of an independent download exactly."""
    data = real_data()
    capture = data / "nkaz001_hftbacktest" / "binance_spot_btcusdt_20240808.gz"
    rules = (data / "datasets" / "instruments.json").read_bytes()
    table = series("raw_binance", str(capture), instrument="BTCUSDT-SPOT.BINANCE")
    path = write_dataset(tmp_path, table)
    (tmp_path / "instruments.json").write_bytes(rules)
    rebuilt = _minutes(list(DatasetFeed(path).events()))
    first = 1_723_161_300_000
    layout = Layout(floats=("open", "high", "low", "close", "volume"), prices=4, ohlc=True)
    bars = data / "mintanam_ftrade" / "binance_spot_BTCUSDT_1m.parquet"
    batches = read_columns([bars], layout, first_ms=first, last_ms=first + 4 * 60_000)
    rows: list[tuple[Any, ...]] = [row for one in batches for row in zip(*one, strict=True)]
    assert [row[0] for row in rows] == [first + place * 60_000 for place in range(5)]
    for time, *bar, volume in rows:
        assert rebuilt[time * 1_000_000] == [*bar, round(volume * 1e8)]
