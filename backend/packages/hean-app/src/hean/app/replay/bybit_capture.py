"""Raw Bybit v5 sessions (cryptofeed `.jsonl.zst`) as events.

`ts_init` is the local receive time, `ts_event` the matching engine's (books), the trade's or the
message's. The lines lie grouped by connection, so each connection is read as a stream of its own
and the streams are merged by time; memory stays bounded. Books follow `u`, which rises by one a
message: a jump or a crossed book is a `FeedGap` and the wait for the next snapshot. Quotes are the
book's touch. Tickers give mark, index, open interest and the predicted funding rate; where the next
funding time moves past a stamp, the rate predicted last was settled there. Klines are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from heapq import merge as merge_sorted
from pathlib import Path
from typing import Any

import msgspec

from hean.app.replay.bars import Span
from hean.app.replay.bybit_messages import BybitChannel
from hean.app.replay.capture_lines import zstd_lines
from hean.app.replay.catalog import Series
from hean.app.replay.instants import instant_text
from hean.app.replay.merging import SHIFT, Block, Rank, key_low
from hean.core.errors import DataError
from hean.core.events import Event
from hean.core.instruments import Instrument, InstrumentKind

_BLOCK = 2048
_MINUTE_NS = 60_000_000_000
_KINDS = {"linear": InstrumentKind.LINEAR_PERPETUAL, "spot": InstrumentKind.SPOT}


class BybitContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a session carries: topics by instrument id, its connections by file, its own rules."""

    lines: int
    first: int
    last: int
    topics: dict[str, tuple[str, ...]]
    connections: tuple[tuple[Path, str, str], ...]
    specifications: tuple[Instrument, ...]


class _Line(msgspec.Struct, frozen=True, gc=False):
    t: str
    conn: str = ""
    ts: float = 0.0
    url: str = ""
    addr: str = ""
    data: str = ""


class _Topic(msgspec.Struct, frozen=True, gc=False):
    topic: str = ""


_LINE = msgspec.json.Decoder(_Line)
_TOPIC = msgspec.json.Decoder(_Topic)


def scan_bybit(series: Series) -> BybitContent:
    """Read the session once; raises `DataError` where it is broken or lacks an instrument."""
    by_symbol = {(one.symbol, one.kind): one for one in series.instruments}
    topics: dict[str, set[str]] = {one.id: set() for one in series.instruments}
    rules = {one.id: one for one in series.instruments}
    connections: dict[tuple[Path, str], str] = {}
    lines, first, last = 0, 0, 0
    for path in series.paths:
        for number, raw in enumerate(zstd_lines(path), start=1):
            line = _decode(raw, path, number)
            lines += 1
            if line.t == "connect":
                connections[path, line.conn] = line.addr.rpartition("/")[2]
            elif line.t == "http":
                rules.update(_specifications(line, by_symbol))
            elif line.t == "recv":
                now = round(line.ts * 1e9)
                first = min(first or now, now)
                last = max(last, now)
                name = _TOPIC.decode(line.data).topic
                kind = _KINDS.get(connections.get((path, line.conn), ""))
                symbol = name.rpartition(".")[2]
                if kind is not None and (symbol, kind) in by_symbol:
                    topics[by_symbol[symbol, kind].id].add(name.partition(".")[0])
    for name, found in topics.items():
        if not found:
            raise DataError(
                f"{series.paths[0]} holds no message of {name}; take it out of `instrument` "
                "or correct `path`"
            )
    return BybitContent(
        lines=lines,
        first=first,
        last=last,
        topics={name: tuple(sorted(found)) for name, found in topics.items()},
        connections=tuple((path, conn, kind) for (path, conn), kind in connections.items()),
        specifications=tuple(rules.values()),
    )


def bybit_events(
    series: Series, span: Span, content: BybitContent, *, levels: int
) -> Iterator[Block]:
    """Yield the session's events received in the span; books are kept from the file's start."""
    low = key_low(Rank.TICK, series.order)
    channels = {
        (one.symbol, one.kind): BybitChannel(one, levels=levels) for one in series.instruments
    }
    keys: list[int] = []
    events: list[Event] = []
    previous = 0
    for now, path, number, category, data in _received(series, content):
        if now < previous:
            raise DataError(
                f"{path}, line {number}: ts goes backwards ({instant_text(now)} after "
                f"{instant_text(previous)}); put the files in time order"
            )
        previous = now
        if now > span.end:
            break
        kind = _KINDS.get(category)
        if kind is None:
            continue
        size = len(events)
        try:
            name = _TOPIC.decode(data).topic
            channel = channels.get((name.rpartition(".")[2], kind))
            if channel is not None:
                channel.take(name, data, now, events)
        except (msgspec.MsgspecError, ValueError) as error:
            raise DataError(
                f"{path}, line {number}: message cannot be read ({error}); repair that line"
            ) from error
        if now < span.start:
            del events[size:]
            continue
        keys += [(now << SHIFT) | low] * (len(events) - size)
        if len(keys) >= _BLOCK:
            yield keys, events
            keys, events = [], []
    if keys:
        yield keys, events


def _received(series: Series, content: BybitContent) -> Iterator[tuple[int, Path, int, str, str]]:
    """All received messages in time order, file after file: (time, file, line, category, text)."""
    for path in series.paths:
        streams = [
            _connection(path, conn, category)
            for where, conn, category in content.connections
            if where == path
        ]
        yield from merge_sorted(*streams, key=lambda one: one[0])


def _connection(path: Path, conn: str, category: str) -> Iterator[tuple[int, Path, int, str, str]]:
    wanted = f'"conn":"{conn}"'.encode()
    previous = 0
    for number, raw in enumerate(zstd_lines(path), start=1):
        if wanted not in raw[:200] and b'"conn": ' not in raw[:200]:
            continue
        line = _decode(raw, path, number)
        if line.t != "recv" or line.conn != conn:
            continue
        now = round(line.ts * 1e9)
        if now < previous:
            raise DataError(
                f"{path}, line {number}: ts of connection {conn} goes backwards "
                f"({instant_text(now)} after {instant_text(previous)}); sort its lines by ts"
            )
        previous = now
        yield now, path, number, category, line.data


def _decode(raw: bytes, path: Path, number: int) -> _Line:
    try:
        return _LINE.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}, line {number} is no capture line ({error}); repair or remove it"
        ) from error


def _specifications(
    line: _Line, known: dict[tuple[str, InstrumentKind], Instrument]
) -> dict[str, Instrument]:
    """Read the session's own `instruments-info`, laid over the dataset's specifications."""
    found: dict[str, Instrument] = {}
    if "/instruments-info" not in line.url:
        return found
    with suppress(msgspec.DecodeError, KeyError, TypeError, InvalidOperation):
        result: dict[str, Any] = msgspec.json.decode(line.data)["result"]
        kind = _KINDS.get(result["category"])
        for row in result["list"]:
            instrument = known.get((row["symbol"], kind)) if kind else None
            if instrument is not None:
                found[instrument.id] = _updated(instrument, row)
    return found


def _updated(instrument: Instrument, row: dict[str, Any]) -> Instrument:
    lot = row["lotSizeFilter"]
    changes: dict[str, Any] = {
        "tick_size": Decimal(row["priceFilter"]["tickSize"]),
        "min_quantity": Decimal(lot["minOrderQty"]),
    }
    if instrument.is_spot:
        changes["lot_step"] = Decimal(lot["basePrecision"])
        changes["max_quantity"] = Decimal(lot["maxLimitOrderQty"])
        changes["max_market_quantity"] = Decimal(lot["maxMarketOrderQty"])
        changes["min_notional"] = Decimal(lot["minOrderAmt"])
    else:
        changes["lot_step"] = Decimal(lot["qtyStep"])
        changes["max_quantity"] = Decimal(lot["maxOrderQty"])
        changes["max_market_quantity"] = Decimal(lot["maxMktOrderQty"])
        changes["min_notional"] = Decimal(lot["minNotionalValue"])
        changes["max_leverage"] = Decimal(row["leverageFilter"]["maxLeverage"])
        changes["funding_interval_ns"] = int(row["fundingInterval"]) * _MINUTE_NS
        changes["funding_upper"] = float(row["upperFundingRate"])
        changes["funding_lower"] = float(row["lowerFundingRate"])
    return msgspec.structs.replace(instrument, **changes)
