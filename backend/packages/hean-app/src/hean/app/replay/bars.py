"""Bar files as events: an opening quote, and at the close a closing quote and the bar.

The quotes are synthetic: the open or close plus and minus the larger of half a tick and 1 bp, their
sizes 0, which means unknown. Nothing of a bar but its open is told before its close.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from hean.app.replay.catalog import Series
from hean.app.replay.merging import SHIFT, Block, Rank, key_low
from hean.app.replay.parquet import Layout, read_columns
from hean.core.events import Bar, Event, Quote

MS_NS = 1_000_000
HALF_SPREAD = 1e-4
"""Half the spread of a synthetic quote as a fraction of price, unless half a tick is more."""


class Span(msgspec.Struct, frozen=True):
    """Kernel times from `start` to `end`, both included, in ns."""

    start: int
    end: int

    def contains(self, instant: int) -> bool:
        return self.start <= instant <= self.end


def bar_layout(series: Series) -> Layout:
    """Return what a bar file of this series must look like."""
    return Layout(
        floats=("open", "high", "low", "close", "volume"),
        prices=4,
        ohlc=True,
        step_ms=series.interval_ns // MS_NS,
    )


def bar_events(series: Series, span: Span) -> Iterator[Block]:
    """Yield the quotes and bars of the bars that lie wholly in the span."""
    interval = series.interval_ns
    first_ms = -(-span.start // MS_NS)
    last_ms = (span.end - interval) // MS_NS
    batches = read_columns(series.paths, bar_layout(series), first_ms=first_ms, last_ms=last_ms)
    for columns in batches:
        if columns[0]:
            yield _block(series, columns)


def _block(series: Series, columns: list[list[float]]) -> Block:
    name = series.instrument.id
    half_tick = series.instrument.tick / 2.0
    interval = series.interval_ns
    opening = key_low(Rank.OPENING_QUOTE, series.order)
    closing = key_low(Rank.CLOSING_QUOTE, series.order)
    low_of_bar = key_low(Rank.BAR, series.order)
    keys: list[int] = []
    events: list[Event] = []
    add_keys, add_events = keys.extend, events.extend
    for time_ms, opened, high, low, closed, volume in zip(*columns, strict=True):
        time = int(time_ms) * MS_NS
        close_time = time + interval
        base = close_time << SHIFT
        half = opened * HALF_SPREAD
        if half < half_tick:
            half = half_tick
        first = Quote(
            ts_event=time,
            ts_init=time,
            instrument=name,
            bid=opened - half,
            ask=opened + half,
            bid_size=0.0,
            ask_size=0.0,
            synthetic=True,
        )
        half = closed * HALF_SPREAD
        if half < half_tick:
            half = half_tick
        last = Quote(
            ts_event=close_time,
            ts_init=close_time,
            instrument=name,
            bid=closed - half,
            ask=closed + half,
            bid_size=0.0,
            ask_size=0.0,
            synthetic=True,
        )
        bar = Bar(
            ts_event=close_time,
            ts_init=close_time,
            instrument=name,
            open_time=time,
            interval_ns=interval,
            open=opened,
            high=high,
            low=low,
            close=closed,
            volume=volume,
        )
        add_keys(((time << SHIFT) | opening, base | closing, base | low_of_bar))
        add_events((first, last, bar))
    return keys, events
