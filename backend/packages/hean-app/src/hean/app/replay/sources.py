"""A dataset opened: its files checked and measured, its range settled, its sources at hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from hean.app.replay.bars import Span, bar_events, bar_layout
from hean.app.replay.binance_capture import BinanceContent, binance_events, scan_binance
from hean.app.replay.bybit_capture import BybitContent, bybit_events, scan_bybit
from hean.app.replay.catalog import Dataset, Series, SeriesKind
from hean.app.replay.funding import FUNDING_LAYOUT, funding_events
from hean.app.replay.instants import instant_text
from hean.app.replay.marks import mark_events, mark_layout, spot_of
from hean.app.replay.merging import Block
from hean.app.replay.parquet import Extent, Layout, extent
from hean.app.replay.sentiment import RECEIVED_AFTER_NS, SENTIMENT_LAYOUT, sentiment_events
from hean.core.errors import DataError
from hean.core.instruments import Instrument

Content: TypeAlias = Extent | BinanceContent | BybitContent


class OpenDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset whose files are there and have the right shape; `content` is by series order.

    `instruments` have the rules a capture itself carries laid over the dataset's. `span` is the
    range asked for within what the dataset has.
    """

    dataset: Dataset
    content: tuple[Content, ...]
    instruments: tuple[Instrument, ...]
    span: Span

    @property
    def last(self) -> int:
        """A kernel time that no event of the span comes after."""
        pairs = zip(self.dataset.series, self.content, strict=True)
        return min(self.span.end, max(_range_of(series, one)[1] for series, one in pairs))

    def in_range(self, series: Series) -> bool:
        """Return whether the series has anything within the span."""
        first, last = _range_of(series, self.content[series.order])
        return first <= self.span.end and last >= self.span.start

    def binance(self, series: Series) -> BinanceContent:
        """Return the content of a raw Binance series."""
        content = self.content[series.order]
        assert isinstance(content, BinanceContent)
        return content

    def bybit(self, series: Series) -> BybitContent:
        """Return the content of a raw Bybit series."""
        content = self.content[series.order]
        assert isinstance(content, BybitContent)
        return content

    def sources(self, levels: int) -> list[Iterator[Block]]:
        """Return fresh iterators over everything in the span, in no particular order."""
        found: list[Iterator[Block]] = [
            self._marks(instrument, place) for place, instrument in enumerate(self.instruments)
        ]
        for series in self.dataset.series:
            match series.kind:
                case SeriesKind.BARS:
                    found.append(bar_events(series, self.span))
                case SeriesKind.FUNDING:
                    found.append(funding_events(series, self.span))
                case SeriesKind.SENTIMENT:
                    found.append(sentiment_events(series, self.span))
                case SeriesKind.RAW_BINANCE:
                    content = self.binance(series)
                    found.append(binance_events(series, self.span, content, levels=levels))
                case SeriesKind.RAW_BYBIT_V5:
                    session = self.bybit(series)
                    found.append(bybit_events(series, self.span, session, levels=levels))
                case SeriesKind.MARK_BARS:
                    pass
        return found

    def _marks(self, instrument: Instrument, place: int) -> Iterator[Block]:
        dataset = self.dataset
        return mark_events(
            instrument,
            self.span,
            order=place,
            marks=dataset.series_of(SeriesKind.MARK_BARS, instrument.id),
            perpetual=dataset.series_of(SeriesKind.BARS, instrument.id),
            spot=None if instrument.is_spot else spot_of(dataset, instrument),
        )


def open_dataset(dataset: Dataset, *, start: int | None, end: int | None) -> OpenDataset:
    """Check and measure a dataset's files and settle its range; raises `DataError`.

    The range is the dataset's own and the one asked for, whichever is narrower; what both leave
    open is taken from the series that move prices.
    """
    content = tuple(_measure(series) for series in dataset.series)
    wanted = [series for series in dataset.series if series.kind.is_market]
    wanted = wanted or [one for one in dataset.series if one.kind is not SeriesKind.SENTIMENT]
    ranges = [_range_of(one, content[one.order]) for one in wanted or dataset.series]
    first, last = min(one[0] for one in ranges), max(one[1] for one in ranges)
    starts = [one for one in (dataset.start, start) if one is not None]
    ends = [one for one in (dataset.end, end) if one is not None]
    span = Span(max(starts, default=first), min(ends, default=last))
    reached = [one for one in ranges if one[0] <= span.end and one[1] >= span.start]
    instant = span.end == span.start and starts and ends
    if span.end < span.start or instant or not reached:
        raise DataError(
            f"dataset {dataset.path} has nothing from {instant_text(span.start)} to "
            f"{instant_text(span.end)}: its prices run from {instant_text(first)} to "
            f"{instant_text(last)}; choose a start and an end within them"
        )
    rules = {one.id: one for one in dataset.instruments}
    for one in content:
        if isinstance(one, BybitContent):
            rules.update({each.id: each for each in one.specifications})
    return OpenDataset(
        dataset=dataset, content=content, instruments=tuple(rules.values()), span=span
    )


def layout_of(series: Series) -> Layout:
    """Return what the parquet files of a series must look like."""
    match series.kind:
        case SeriesKind.BARS:
            return bar_layout(series)
        case SeriesKind.MARK_BARS:
            return mark_layout(series)
        case SeriesKind.FUNDING:
            return FUNDING_LAYOUT
        case _:
            return SENTIMENT_LAYOUT


def _measure(series: Series) -> Content:
    if series.kind is SeriesKind.RAW_BINANCE:
        return scan_binance(series)
    if series.kind is SeriesKind.RAW_BYBIT_V5:
        return scan_bybit(series)
    return extent(series.paths, layout_of(series))


def _range_of(series: Series, content: Content) -> tuple[int, int]:
    """First and last kernel time of a series' events."""
    if series.kind is SeriesKind.SENTIMENT:
        return content.first + RECEIVED_AFTER_NS, content.last + RECEIVED_AFTER_NS
    return content.first, content.last + series.interval_ns
