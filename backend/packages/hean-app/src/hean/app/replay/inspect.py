"""What a dataset holds, as data: ranges, rows, gaps and idle bars of each series.

Everything is read once from end to end, so that what is reported is also what would stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from hean.app.feeds import FeedDescription
from hean.app.feeds.replay import DatasetFeed
from hean.app.replay.binance_capture import BinanceContent
from hean.app.replay.bybit_capture import BybitContent
from hean.app.replay.catalog import Series, SeriesKind
from hean.app.replay.funding import stamps
from hean.app.replay.parquet import read_columns
from hean.app.replay.sources import Content, OpenDataset, layout_of
from hean.core.events import Event, FeedGap

_MS = 1_000_000
_DAY_NS = 86_400_000_000_000
_FAR_MS = 1 << 53
_LISTED = 20


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A hole: the last time before it, the first after it (ns), and how many rows are missing."""

    after: int
    until: int
    missing: int


class SeriesReport(msgspec.Struct, frozen=True, kw_only=True):
    """One series. `rows` are lines for a capture; `gaps` lists the longest ones, at most twenty.

    `first` and `last` are the first and last row's own times in the files, whatever the range asked
    for. `idle_bars` counts bars without volume; `carries` says what a capture has.
    """

    kind: str
    instruments: tuple[str, ...]
    source: str
    files: tuple[str, ...]
    interval_ns: int
    rows: int
    first: int
    last: int
    in_range: bool
    gap_count: int = 0
    gaps: tuple[Gap, ...] = ()
    idle_bars: int = 0
    carries: tuple[str, ...] = ()


class DatasetReport(msgspec.Struct, frozen=True, kw_only=True):
    """A whole dataset: its description as a feed, its series, and the events it yields by type.

    `feed_gaps` are breaks of depth sequences in the range, as (instrument, kernel time, reason).
    """

    path: Path
    about: str
    description: FeedDescription
    series: tuple[SeriesReport, ...]
    events: dict[str, int]
    feed_gaps: tuple[tuple[str, int, str], ...]


def inspect_dataset(
    path: Path, *, start_ns: int | None = None, end_ns: int | None = None
) -> DatasetReport:
    """Read a dataset from end to end and report on it; raises `DataError` as the feed does."""
    feed = DatasetFeed(path, start_ns=start_ns, end_ns=end_ns)
    opened = feed.opened
    reports = tuple(
        _report(series, opened.content[series.order], opened) for series in opened.dataset.series
    )
    counts, gaps = _count(feed.events())
    return DatasetReport(
        path=path,
        about=opened.dataset.about,
        description=feed.description,
        series=reports,
        events=counts,
        feed_gaps=gaps,
    )


def _count(
    events: Iterator[Event],
) -> tuple[dict[str, int], tuple[tuple[str, int, str], ...]]:
    counts: dict[type[Event], int] = {}
    gaps: list[tuple[str, int, str]] = []
    for event in events:
        kind = type(event)
        counts[kind] = counts.get(kind, 0) + 1
        if isinstance(event, FeedGap):
            gaps.append((event.instrument, event.ts_init, event.reason))
    named = {kind.__name__: count for kind, count in counts.items()}
    return {name: named[name] for name in sorted(named)}, tuple(gaps)


def _report(series: Series, content: Content, opened: OpenDataset) -> SeriesReport:
    found: list[Gap] = []
    idle = 0
    carries: tuple[str, ...] = ()
    if isinstance(content, BinanceContent):
        rows = content.lines
        kinds = ("book_ticker", "trade", "aggregate", "depth")
        carries = tuple(kind for kind in kinds if getattr(content, kind))
        carries += (f"{content.snapshots} snapshots",)
    elif isinstance(content, BybitContent):
        rows = content.lines
        carries = tuple(f"{name}: {' '.join(has)}" for name, has in content.topics.items())
    else:
        rows = content.rows
        found, idle = _holes(series)
    return SeriesReport(
        kind=series.kind.value,
        instruments=tuple(one.id for one in series.instruments),
        source=series.source,
        files=tuple(path.name for path in series.paths),
        interval_ns=series.interval_ns,
        rows=rows,
        first=content.first,
        last=content.last,
        in_range=opened.in_range(series),
        gap_count=len(found),
        gaps=tuple(sorted(found, key=lambda gap: (gap.after - gap.until, gap.after))[:_LISTED]),
        idle_bars=idle,
        carries=carries,
    )


def _holes(series: Series) -> tuple[list[Gap], int]:
    """Holes between rows, and bars without volume."""
    found: list[Gap] = []
    idle = 0
    previous = 0
    for time, expected, empty in _steps(series):
        idle += empty
        if previous and time - previous > expected:
            missing = -(-(time - previous) // expected) - 1
            found.append(Gap(after=previous, until=time, missing=missing))
        previous = time
    return found, idle


def _steps(series: Series) -> Iterator[tuple[int, int, bool]]:
    """(time, the step expected before it, whether nothing traded in it)."""
    if series.kind is SeriesKind.FUNDING:
        for stamp, _, interval in stamps(series):
            yield stamp, interval, False
        return
    expected = series.interval_ns or _DAY_NS
    has_volume = series.kind is SeriesKind.BARS
    batches = read_columns(series.paths, layout_of(series), first_ms=-_FAR_MS, last_ms=_FAR_MS)
    for columns in batches:
        for place, time_ms in enumerate(columns[0]):
            yield int(time_ms) * _MS, expected, has_volume and columns[5][place] == 0.0
