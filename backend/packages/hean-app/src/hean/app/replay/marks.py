"""Mark prices from bars, marked coarse: of mark bars, and of a perpetual beside its spot.

Of a mark bar its open is told at its opening time, and its close at its closing time only where no
next bar opens then: never a price before it was known. Where spot bars stand beside the
perpetual's, each shared close gives the spot's close as index, with the perpetual's close as mark
unless a mark bar opens at that time.
"""

from __future__ import annotations

from collections.abc import Iterator

from hean.app.replay.bars import MS_NS, Span, bar_layout
from hean.app.replay.catalog import Dataset, Series, SeriesKind
from hean.app.replay.merging import SHIFT, Block, Rank, key_low
from hean.app.replay.parquet import BATCH_ROWS, Layout, read_columns
from hean.core.events import Event, MarkPrice
from hean.core.instruments import Instrument

_FAR = 1 << 62


def mark_layout(series: Series) -> Layout:
    """Return what a mark bar file of this series must look like."""
    return Layout(
        floats=("open", "high", "low", "close"),
        prices=4,
        ohlc=True,
        step_ms=series.interval_ns // MS_NS,
    )


def spot_of(dataset: Dataset, perpetual: Instrument) -> Series | None:
    """Return the bars of the spot instrument of the same venue and coins, or None."""
    for series in dataset.series:
        if series.kind is not SeriesKind.BARS:
            continue
        spot = series.instrument
        same = (spot.venue, spot.base, spot.quote)
        if spot.is_spot and same == (perpetual.venue, perpetual.base, perpetual.quote):
            return series
    return None


def mark_events(
    instrument: Instrument,
    span: Span,
    *,
    order: int,
    marks: Series | None,
    perpetual: Series | None,
    spot: Series | None,
) -> Iterator[Block]:
    """Yield the mark prices of one perpetual; `order` is its place among equals."""
    low = key_low(Rank.MARK, order)
    pairs = _shared_closes(perpetual, spot, span) if perpetual and spot else iter(())
    points = _mark_points(marks, span) if marks else iter(())
    keys: list[int] = []
    events: list[Event] = []
    for time, mark, index in _join(points, pairs):
        keys.append((time << SHIFT) | low)
        events.append(
            MarkPrice(
                ts_event=time,
                ts_init=time,
                instrument=instrument.id,
                mark=mark,
                index=index,
                coarse=True,
            )
        )
        if len(keys) >= BATCH_ROWS:
            yield keys, events
            keys, events = [], []
    if keys:
        yield keys, events


def _mark_points(series: Series, span: Span) -> Iterator[tuple[int, float]]:
    """(time, mark): opens at their time, a close only where no bar follows at once."""
    interval = series.interval_ns
    first_ms = -(-(span.start - interval) // MS_NS)
    batches = read_columns(
        series.paths, mark_layout(series), first_ms=first_ms, last_ms=span.end // MS_NS
    )
    due, last_close = 0, 0.0
    for columns in batches:
        for time_ms, opened, closed in zip(columns[0], columns[1], columns[4], strict=True):
            time = int(time_ms) * MS_NS
            if due and time > due and span.contains(due):
                yield due, last_close
            if time >= span.start:
                yield time, opened
            due, last_close = time + interval, closed
    if due and span.contains(due):
        yield due, last_close


def _closes(series: Series, span: Span) -> Iterator[tuple[int, float]]:
    interval = series.interval_ns
    batches = read_columns(
        series.paths,
        bar_layout(series),
        first_ms=-(-span.start // MS_NS),
        last_ms=(span.end - interval) // MS_NS,
    )
    for columns in batches:
        for time_ms, closed in zip(columns[0], columns[4], strict=True):
            yield int(time_ms) * MS_NS + interval, closed


def _shared_closes(
    perpetual: Series, spot: Series, span: Span
) -> Iterator[tuple[int, float, float]]:
    """(time, perpetual's close, spot's close) where both have a bar that closes then."""
    others = _closes(spot, span)
    other_time, other_close = next(others, (_FAR, 0.0))
    for time, close in _closes(perpetual, span):
        while other_time < time:
            other_time, other_close = next(others, (_FAR, 0.0))
        if other_time == time:
            yield time, close, other_close


def _join(
    points: Iterator[tuple[int, float]], pairs: Iterator[tuple[int, float, float]]
) -> Iterator[tuple[int, float, float | None]]:
    """Merge both in time, one row a time: a mark bar's price if any, the index if any."""
    point = next(points, (_FAR, 0.0))
    for time, close, index in pairs:
        while point[0] < time:
            yield point[0], point[1], None
            point = next(points, (_FAR, 0.0))
        if point[0] == time:
            yield time, point[1], index
            point = next(points, (_FAR, 0.0))
        else:
            yield time, close, index
    while point[0] != _FAR:
        yield point[0], point[1], None
        point = next(points, (_FAR, 0.0))
