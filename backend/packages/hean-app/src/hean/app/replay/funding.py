"""Funding files as events: the settled rate at each stamp, then the prediction for the next one.

Stamps are whole minutes: a time within a second of one is taken as it (Binance's carry a few ms of
jitter). The interval is read from the times: the distance to the stamp before, unless that is
longer than 8 h (or the instrument's interval), which is a hole: the interval before it holds. The
prediction is the last settled rate, the only one known.
"""

from __future__ import annotations

from collections.abc import Iterator

from hean.app.replay.bars import MS_NS, Span
from hean.app.replay.catalog import Series
from hean.app.replay.merging import SHIFT, Block, Rank, key_low
from hean.app.replay.parquet import BATCH_ROWS, Layout, read_columns
from hean.core.events import Event, FundingRate

FUNDING_LAYOUT = Layout(floats=("funding_rate",))
_MINUTE_NS = 60_000_000_000
_JITTER_NS = 1_000_000_000
_LONGEST_NS = 480 * _MINUTE_NS
_FAR = 1 << 53


def stamp_of(time: int) -> int:
    """Return the whole minute within a second of `time`, or `time` itself."""
    minute = (time + _MINUTE_NS // 2) // _MINUTE_NS * _MINUTE_NS
    return minute if abs(minute - time) <= _JITTER_NS else time


def stamps(series: Series) -> Iterator[tuple[int, float, int]]:
    """Yield (stamp, rate, interval in ns) of the whole series, each interval as known by then.

    Before the second stamp it is the instrument's, or 8 h where that has none.
    """
    interval = series.instrument.funding_interval_ns or _LONGEST_NS
    longest = max(_LONGEST_NS, interval)
    previous = 0
    batches = read_columns(series.paths, FUNDING_LAYOUT, first_ms=-_FAR, last_ms=_FAR)
    for columns in batches:
        for time_ms, rate in zip(columns[0], columns[1], strict=True):
            stamp = stamp_of(int(time_ms) * MS_NS)
            step = stamp - previous
            if previous and 0 < step <= longest:
                interval = step
            previous = stamp
            yield stamp, rate, interval


def funding_events(series: Series, span: Span) -> Iterator[Block]:
    """Yield settled and predicted rates in the span; at its start the prediction then known."""
    name = series.instrument.id
    low = key_low(Rank.FUNDING, series.order)
    keys: list[int] = []
    events: list[Event] = []
    known: FundingRate | None = None
    for stamp, rate, interval in stamps(series):
        if stamp > span.end:
            break
        predicted = FundingRate(
            ts_event=stamp,
            ts_init=max(stamp, span.start),
            instrument=name,
            rate=rate,
            next_funding_time=stamp + interval,
            interval_ns=interval,
        )
        if stamp < span.start:
            known = predicted
            continue
        if known is not None:
            keys.append((span.start << SHIFT) | low)
            events.append(known)
            known = None
        settled = FundingRate(
            ts_event=stamp,
            ts_init=stamp,
            instrument=name,
            rate=rate,
            next_funding_time=stamp + interval,
            interval_ns=interval,
            settled=True,
        )
        keys += ((stamp << SHIFT) | low, (stamp << SHIFT) | low)
        events += (settled, predicted)
        if len(keys) >= BATCH_ROWS:
            yield keys, events
            keys, events = [], []
    if known is not None:
        keys.append((span.start << SHIFT) | low)
        events.append(known)
    if keys:
        yield keys, events
