"""Raw Binance captures (`LOCAL_TIME JSON` lines, gzip) as events.

`ts_init` is the local receive time (ns, µs or ms, told by its size), `ts_event` the exchange's
transaction time; spot's bookTicker has none and takes the local one. Depth follows the exchange's
rule: diffs wait for a REST snapshot, those it covers are dropped, the first one applied must span
it, each later one must follow on (`pu` on futures, `U` on spot). A break is a `FeedGap` and the
wait for the next snapshot. Without any snapshot in the capture its depth is not told at all: a book
begun from diffs alone would lack every level that did not change.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from hean.app.replay.bars import Span
from hean.app.replay.book_keeping import BookTeller
from hean.app.replay.capture_lines import gzip_lines
from hean.app.replay.catalog import Series
from hean.app.replay.instants import instant_text
from hean.app.replay.merging import SHIFT, Block, Rank, key_low
from hean.core.errors import DataError
from hean.core.events import Event, Quote, Side, Trade

_BLOCK = 2048
_MS = 1_000_000
_WAITING_LIMIT = 100_000
_INFINITY = float("inf")
_Price = Annotated[float, msgspec.Meta(gt=0.0)]
_Size = Annotated[float, msgspec.Meta(ge=0.0)]


class BinanceContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a capture carries, found by reading it once."""

    lines: int
    first: int
    last: int
    book_ticker: bool
    trade: bool
    aggregate: bool
    depth: bool
    snapshots: int

    @property
    def has_book(self) -> bool:
        return self.depth and self.snapshots > 0


class _Diff(msgspec.Struct, frozen=True, gc=False):
    U: int
    u: int
    b: list[tuple[_Price, _Size]]
    a: list[tuple[_Price, _Size]]
    pu: int = -1
    E: int = 0
    T: int = 0


class _Ticker(msgspec.Struct, frozen=True, gc=False):
    b: float
    B: float
    a: float
    A: float
    E: int = 0
    T: int = 0


class _Print(msgspec.Struct, frozen=True, gc=False):
    p: float
    q: float
    T: int
    m: bool
    X: str = "MARKET"
    f: int = 0
    l: int = 0  # noqa: E741 - the exchange's own name of the last trade's id


class _DiffLine(msgspec.Struct, frozen=True, gc=False):
    data: _Diff


class _TickerLine(msgspec.Struct, frozen=True, gc=False):
    data: _Ticker


class _PrintLine(msgspec.Struct, frozen=True, gc=False):
    data: _Print


class _Snapshot(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    lastUpdateId: int
    bids: list[tuple[_Price, _Size]]
    asks: list[tuple[_Price, _Size]]
    E: int = 0
    T: int = 0


class _AnyLine(msgspec.Struct, frozen=True, gc=False):
    stream: str = ""
    lastUpdateId: int = 0


_DIFF = msgspec.json.Decoder(_DiffLine, strict=False)
_TICKER = msgspec.json.Decoder(_TickerLine, strict=False)
_PRINT = msgspec.json.Decoder(_PrintLine, strict=False)
_SNAPSHOT = msgspec.json.Decoder(_Snapshot, strict=False)
_ANY = msgspec.json.Decoder(_AnyLine)
_PREFIX = b'{"stream":"'


def scan_binance(series: Series) -> BinanceContent:
    """Read the capture's files once, without decoding more than needed; raises `DataError`."""
    lines, first, last, snapshots = 0, 0, 0, 0
    streams: set[str] = set()
    for path in series.paths:
        scale = 0
        before = lines
        final = b""
        for line in gzip_lines(path):
            lines += 1
            if not scale:
                scale = _scale(line, path)
                first = first or _local_time(line, scale, path, 1)
            try:
                stream = _stream(line[line.find(b" ") + 1 :])
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
                raise DataError(
                    f"{path}, line {lines - before}: message cannot be read ({error}); "
                    "repair that line"
                ) from error
            if stream:
                streams.add(stream)
            elif b'"lastUpdateId"' in line:
                snapshots += 1
            final = line
        if lines == before:
            raise DataError(f"{path} has no lines, so its range is empty; fetch the file again")
        last = _local_time(final, scale, path, lines - before)
    kinds = {stream.partition("@")[2].partition("@")[0] for stream in streams}
    for stream in sorted(streams):
        _check_symbol(stream, series)
    return BinanceContent(
        lines=lines,
        first=first,
        last=last,
        book_ticker="bookTicker" in kinds,
        trade="trade" in kinds,
        aggregate="aggTrade" in kinds,
        depth="depth" in kinds,
        snapshots=snapshots,
    )


def binance_events(
    series: Series, span: Span, content: BinanceContent, *, levels: int
) -> Iterator[Block]:
    """Yield the capture's events received in the span; the book is kept from the files' start."""
    capture = _Capture(series, content, levels)
    low = key_low(Rank.TICK, series.order)
    keys: list[int] = []
    events: list[Event] = []
    previous = 0
    for path in series.paths:
        scale = 0
        for number, line in enumerate(gzip_lines(path), start=1):
            if not scale:
                scale = _scale(line, path)
            time, _, payload = line.partition(b" ")
            size = len(events)
            try:
                now = int(time) * scale
                if now > span.end:
                    break
                capture.take(payload, now, events)
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
                raise DataError(
                    f"{path}, line {number}: message cannot be read ({error}); repair that line"
                ) from error
            if now < previous:
                raise DataError(
                    f"{path}, line {number}: local time goes backwards ({instant_text(now)} after "
                    f"{instant_text(previous)}); put the files and lines in time order"
                )
            previous = now
            added = len(events) - size
            if now < span.start:
                del events[size:]
            elif added == 1:
                keys.append((now << SHIFT) | low)
            elif added:
                keys += [(now << SHIFT) | low] * added
            if len(keys) >= _BLOCK:
                yield keys, events
                keys, events = [], []
    if keys:
        yield keys, events


class _Capture:
    """The messages of one instrument in turn."""

    def __init__(self, series: Series, content: BinanceContent, levels: int) -> None:
        self._series = series
        self._name = series.instrument.id
        self._kinds: dict[bytes, str] = {}
        self._teller = BookTeller(self._name, levels=levels, quotes=not content.book_ticker)
        self._sync = _Synchroniser(self._teller) if content.has_book else None
        self._trades = "trade" if content.trade else "aggTrade"

    def take(self, payload: bytes, now: int, events: list[Event]) -> None:
        """Add what one message makes known."""
        opening = payload[: payload.find(b'"', 11)]
        kind = self._kinds.get(opening)
        if kind is None:
            kind = self._kind(opening, payload)
        if kind == "bookTicker":
            self._quote(_TICKER.decode(payload).data, now, events)
        elif kind == "depth":
            if self._sync is not None:
                self._sync.diff(_DIFF.decode(payload).data, now, events)
        elif kind == self._trades:
            self._trade(_PRINT.decode(payload).data, now, events)
        elif kind == "snapshot" and self._sync is not None:
            self._sync.snapshot(_SNAPSHOT.decode(payload), now, events)

    def _kind(self, opening: bytes, payload: bytes) -> str:
        stream = _stream(payload)
        if not stream:
            return "snapshot" if _ANY.decode(payload).lastUpdateId else ""
        _check_symbol(stream, self._series)
        kind = stream.partition("@")[2].partition("@")[0]
        if opening.startswith(_PREFIX):
            self._kinds[opening] = kind
        return kind

    def _quote(self, ticker: _Ticker, now: int, events: list[Event]) -> None:
        if not (0.0 < ticker.b < _INFINITY and 0.0 < ticker.a < _INFINITY):
            raise ValueError(f"bookTicker has bid {ticker.b} and ask {ticker.a}")
        events.append(
            Quote(
                ts_event=(ticker.T or ticker.E) * _MS or now,
                ts_init=now,
                instrument=self._name,
                bid=ticker.b,
                ask=ticker.a,
                bid_size=ticker.B,
                ask_size=ticker.A,
            )
        )

    def _trade(self, one: _Print, now: int, events: list[Event]) -> None:
        if one.X != "MARKET":
            return
        if not (0.0 < one.p < _INFINITY and 0.0 < one.q < _INFINITY):
            raise ValueError(f"trade has price {one.p} and quantity {one.q}")
        count = one.l - one.f + 1 if one.l else 1
        several = count > 1
        events.append(
            Trade(
                ts_event=one.T * _MS,
                ts_init=now,
                instrument=self._name,
                price=one.p,
                quantity=one.q,
                taker_side=Side.SELL if one.m else Side.BUY,
                count=count,
                buy_volume=one.q if several and not one.m else 0.0,
                sell_volume=one.q if several and one.m else 0.0,
                largest=one.q if several else 0.0,
            )
        )


class _Synchroniser:
    """The exchange's rule of depth: snapshot and diffs to one unbroken book."""

    def __init__(self, teller: BookTeller) -> None:
        self._teller = teller
        self._waiting: deque[_Diff] = deque(maxlen=_WAITING_LIMIT)
        self._last = 0
        self._spanned = False

    def snapshot(self, found: _Snapshot, now: int, events: list[Event]) -> None:
        """Take a REST snapshot, unless the book is in order without it."""
        if self._teller.ready and self._spanned:
            return
        self._teller.start(found.bids, found.asks)
        self._last = found.lastUpdateId
        self._spanned = False
        waiting = list(self._waiting)
        self._waiting.clear()
        time = (found.T or found.E) * _MS or now
        for place, diff in enumerate(waiting):
            if not self._apply(diff, now, events):
                self._waiting.extend(waiting[place:])
                return
            time = (diff.T or diff.E) * _MS
        self._teller.tell(time, now, self._last, events)

    def diff(self, found: _Diff, now: int, events: list[Event]) -> None:
        """Take a diff: apply it, or let it wait for a snapshot."""
        if not self._teller.ready:
            self._waiting.append(found)
            return
        before = self._last
        if self._apply(found, now, events):
            if self._last != before:
                self._teller.tell((found.T or found.E) * _MS, now, found.u, events)
        else:
            self._waiting.append(found)

    def _apply(self, diff: _Diff, now: int, events: list[Event]) -> bool:
        """Apply a diff that follows on; False (and a `FeedGap`) where updates are missing."""
        last = self._last
        futures = diff.pu >= 0
        if not self._spanned:
            if diff.u < last or (diff.u == last and not futures):
                return True
            spans_from = last if futures else last + 1
            follows = spans_from >= diff.U or diff.pu == last
        else:
            begins, after = (diff.pu, last) if futures else (diff.U, last + 1)
            follows = begins == after
        if not follows:
            found = diff.pu if futures else diff.U
            reason = f"depth update {found} does not follow {last}"
            events.append(self._teller.gap((diff.T or diff.E) * _MS, now, reason))
            return False
        self._teller.book.apply(diff.b, diff.a)
        self._last = diff.u
        self._spanned = True
        return True


def _stream(payload: bytes) -> str:
    """Return the stream's name, or nothing for what is no stream message."""
    if payload.startswith(_PREFIX):
        return payload[11 : payload.index(b'"', 11)].decode()
    if b'"stream"' in payload[:200]:
        return _ANY.decode(payload).stream
    return ""


def _check_symbol(stream: str, series: Series) -> None:
    symbol = stream.partition("@")[0].upper()
    if symbol != series.instrument.symbol.upper():
        raise DataError(
            f"{series.paths[0]} holds {symbol} (stream {stream!r}), but its series says "
            f"{series.instrument.id}; correct `instrument` or `path`"
        )


def _scale(line: bytes, path: Path) -> int:
    digits = line.find(b" ")
    scale = {19: 1, 16: 1000, 13: _MS}.get(digits)
    if scale is None or not line[:digits].isdigit():
        raise DataError(
            f"{path}, line 1 begins with {line[:24]!r}; a local time in ns, µs or ms and a space "
            "are needed before each message"
        )
    return scale


def _local_time(line: bytes, scale: int, path: Path, number: int) -> int:
    try:
        return int(line[: line.index(b" ")]) * scale
    except ValueError:
        raise DataError(
            f"{path}, line {number} begins with {line[:24]!r}; a local time is needed, "
            "repair that line"
        ) from None
