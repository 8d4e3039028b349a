"""Sentiment files as events: a daily index of 0..100, told when a reader could have had it.

The index of a day is published shortly after 00:00 UTC of that day from the days before. A reading
is taken as received one hour later (`ts_init`; `ts_event` is the day's start): never early. Its
score is (value - 50) / 50: -1 is extreme fear, 1 extreme greed.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

from hean.app.replay.bars import MS_NS, Span
from hean.app.replay.catalog import Series
from hean.app.replay.instants import instant_text
from hean.app.replay.merging import SHIFT, Block, Rank, key_low
from hean.app.replay.parquet import Layout, read_columns
from hean.core.errors import DataError
from hean.core.events import Event, SentimentReading

SENTIMENT_LAYOUT = Layout(floats=("value",))
RECEIVED_AFTER_NS = 3_600_000_000_000
"""How long after its day began a reading is taken as received."""
_FAR = 1 << 53


def sentiment_events(series: Series, span: Span) -> Iterator[Block]:
    """Yield the readings received in the span, and at its start the newest one from before."""
    low = key_low(Rank.SENTIMENT, series.order)
    known: SentimentReading | None = None
    last_ms = (span.end - RECEIVED_AFTER_NS) // MS_NS
    for columns in read_columns(series.paths, SENTIMENT_LAYOUT, first_ms=-_FAR, last_ms=last_ms):
        keys: list[int] = []
        events: list[Event] = []
        for time_ms, value in zip(columns[0], columns[1], strict=True):
            published = int(time_ms) * MS_NS
            reading = _reading(series, published, value, span)
            if published + RECEIVED_AFTER_NS < span.start:
                known = reading
                continue
            if known is not None:
                keys.append((known.ts_init << SHIFT) | low)
                events.append(known)
                known = None
            keys.append((reading.ts_init << SHIFT) | low)
            events.append(reading)
        if keys:
            yield keys, events
    if known is not None:
        yield [(known.ts_init << SHIFT) | low], [known]


def _reading(series: Series, published: int, value: float, span: Span) -> SentimentReading:
    if not 0.0 <= value <= 100.0:
        raise DataError(
            f"{series.paths[0]}: value {value} at {instant_text(published)} is not within 0..100; "
            "remove or repair that row"
        )
    text = f"{series.source} {published} {value!r}"
    return SentimentReading(
        ts_event=published,
        ts_init=max(published + RECEIVED_AFTER_NS, span.start),
        source=series.source,
        score=(value - 50.0) / 50.0,
        confidence=1.0,
        readings=1,
        content_hash=blake2b(text.encode(), digest_size=16).hexdigest(),
        value=value,
    )
