"""What an opened dataset carries for whom, and what a person should know about it."""

from __future__ import annotations

from hean.app.replay.bybit_capture import BybitContent
from hean.app.replay.catalog import Series, SeriesKind
from hean.app.replay.marks import spot_of
from hean.app.replay.sources import OpenDataset
from hean.core.events import Need
from hean.core.instruments import Instrument

_ORDER = tuple(Need)


def carries_of(opened: OpenDataset) -> dict[str, tuple[Need, ...]]:
    """Return the needs met within the span by instrument id; sentiment stands under ""."""
    found: dict[str, set[Need]] = {one.id: set() for one in opened.instruments}
    for series in opened.dataset.series:
        if not opened.in_range(series):
            continue
        match series.kind:
            case SeriesKind.BARS:
                found[series.instrument.id] |= {Need.QUOTES, Need.BARS}
            case SeriesKind.FUNDING:
                found[series.instrument.id].add(Need.FUNDING)
            case SeriesKind.SENTIMENT:
                found.setdefault("", set()).add(Need.SENTIMENT)
            case SeriesKind.RAW_BINANCE:
                found[series.instrument.id] |= _binance_needs(opened, series)
            case SeriesKind.RAW_BYBIT_V5:
                for instrument in series.instruments:
                    found[instrument.id] |= _bybit_needs(opened.bybit(series), instrument)
            case SeriesKind.MARK_BARS:
                pass
    for instrument in opened.instruments:
        if instrument.is_spot:
            continue
        if any(Need.QUOTES in found[one.id] for one in _spots(opened, instrument)):
            found[instrument.id].add(Need.SPOT)
        if Need.BARS in found[instrument.id] and _has_coarse_index(opened, instrument):
            found[instrument.id].add(Need.INDEX)
    return {name: tuple(need for need in _ORDER if need in met) for name, met in found.items()}


def notes_of(opened: OpenDataset) -> tuple[str, ...]:
    """Return sentences about what is made, missing or left out."""
    notes: list[str] = []
    carried = carries_of(opened)
    kinds = {series.kind for series in opened.dataset.series}
    if SeriesKind.BARS in kinds:
        notes.append(
            "quotes are synthetic: each bar's open and close ± the larger of half a tick and 1 bp, "
            "sizes unknown"
        )
    coarse = [one.id for one in opened.instruments if _has_coarse_index(opened, one)]
    if coarse:
        notes.append(
            f"coarse index: of {', '.join(coarse)} the spot's close is the index and the "
            "perpetual's close the mark"
        )
    if SeriesKind.MARK_BARS in kinds:
        notes.append(
            "coarse marks: of a mark bar the open is told when it opens, "
            "the close only where no bar follows"
        )
    unpaid = [
        one.id
        for one in opened.instruments
        if not one.is_spot and Need.FUNDING not in carried[one.id]
    ]
    if unpaid:
        notes.append(f"no funding series: no funding is known or paid on {', '.join(unpaid)}")
    if SeriesKind.FUNDING in kinds:
        notes.append("predicted funding is the last settled rate; each stamp pays the settled one")
    if SeriesKind.SENTIMENT in kinds:
        notes.append("sentiment of a day is taken as received one hour after 00:00 UTC of that day")
    notes += _capture_notes(opened)
    notes += [
        f"{series.label} has nothing in the range"
        for series in opened.dataset.series
        if not opened.in_range(series)
    ]
    return tuple(notes)


def _capture_notes(opened: OpenDataset) -> list[str]:
    notes: list[str] = []
    for series in opened.dataset.series:
        if series.kind is SeriesKind.RAW_BYBIT_V5:
            notes.append("quotes on Bybit are the order book's touch")
        if series.kind is not SeriesKind.RAW_BINANCE:
            continue
        content = opened.binance(series)
        name = series.instrument.id
        if content.depth and not content.snapshots:
            notes.append(f"no depth on {name}: its capture has diffs but no snapshot to start from")
        if not content.book_ticker and content.has_book:
            notes.append(f"quotes on {name} are the order book's touch")
        if content.trade and content.aggregate:
            notes.append(f"trades on {name} are the single prints; its aggregates are left out")
    return notes


def _binance_needs(opened: OpenDataset, series: Series) -> set[Need]:
    content = opened.binance(series)
    met: set[Need] = set()
    if content.book_ticker or content.has_book:
        met.add(Need.QUOTES)
    if content.trade or content.aggregate:
        met.add(Need.TRADES)
    if content.has_book:
        met.add(Need.DEPTH)
    return met


def _bybit_needs(content: BybitContent, instrument: Instrument) -> set[Need]:
    topics = content.topics[instrument.id]
    met: set[Need] = set()
    if "orderbook" in topics:
        met |= {Need.QUOTES, Need.DEPTH}
    if "publicTrade" in topics:
        met.add(Need.TRADES)
    if "tickers" in topics and not instrument.is_spot:
        met |= {Need.FUNDING, Need.INDEX}
    return met


def _spots(opened: OpenDataset, perpetual: Instrument) -> list[Instrument]:
    wanted = (perpetual.venue, perpetual.base, perpetual.quote)
    return [
        one
        for one in opened.instruments
        if one.is_spot and (one.venue, one.base, one.quote) == wanted
    ]


def _has_coarse_index(opened: OpenDataset, perpetual: Instrument) -> bool:
    if perpetual.is_spot:
        return False
    spot = spot_of(opened.dataset, perpetual)
    bars = opened.dataset.series_of(SeriesKind.BARS, perpetual.id)
    return bool(spot and bars and opened.in_range(spot) and opened.in_range(bars))
