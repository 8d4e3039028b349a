"""Bybit v5 public messages of one instrument as events: order book, trades, tickers."""

from __future__ import annotations

from typing import Annotated

import msgspec

from hean.app.replay.book_keeping import BookTeller
from hean.core.events import Event, FundingRate, MarkPrice, Side, Trade
from hean.core.instruments import Instrument

_MS = 1_000_000
_HOUR_NS = 3_600_000_000_000
_Price = Annotated[float, msgspec.Meta(gt=0.0)]
_Size = Annotated[float, msgspec.Meta(ge=0.0)]
_SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}


class _Levels(msgspec.Struct, frozen=True, gc=False):
    b: list[tuple[_Price, _Size]]
    a: list[tuple[_Price, _Size]]
    u: int


class _Book(msgspec.Struct, frozen=True, gc=False):
    type: str
    ts: int
    data: _Levels
    cts: int = 0


class _Print(msgspec.Struct, frozen=True, gc=False):
    T: int
    S: str
    v: _Price
    p: _Price


class _Trades(msgspec.Struct, frozen=True, gc=False):
    data: list[_Print]


class _Ticker(msgspec.Struct, frozen=True, gc=False):
    markPrice: str = ""
    indexPrice: str = ""
    openInterest: str = ""
    singleOpenInterest: str = ""
    fundingRate: str = ""
    nextFundingTime: str = ""
    fundingIntervalHour: str = ""
    fundingCap: str = ""


class _Tickers(msgspec.Struct, frozen=True, gc=False):
    ts: int
    data: _Ticker


_BOOK = msgspec.json.Decoder(_Book, strict=False)
_TRADES = msgspec.json.Decoder(_Trades, strict=False)
_TICKERS = msgspec.json.Decoder(_Tickers)
_FIELDS = _Ticker.__struct_fields__
_MARK_FIELDS = frozenset(("markPrice", "indexPrice", "openInterest", "singleOpenInterest"))
_FUNDING_FIELDS = frozenset(_FIELDS) - _MARK_FIELDS


class BybitChannel:
    """Takes the public messages of one instrument in the order received.

    A second depth of the same book in one session is left out: the first one seen is kept.
    """

    def __init__(self, instrument: Instrument, *, levels: int) -> None:
        self._instrument = instrument
        self._teller = BookTeller(instrument.id, levels=levels, quotes=True)
        self._last_update = 0
        self._depth = ""
        self._known: dict[str, str] = {}

    def take(self, topic: str, data: str, now: int, events: list[Event]) -> None:
        """Add what one message of a topic, such as `orderbook.200.BTCUSDT`, makes known."""
        topic, _, rest = topic.partition(".")
        if topic == "orderbook":
            depth = rest.partition(".")[0]
            self._depth = self._depth or depth
            if depth == self._depth:
                self._book(_BOOK.decode(data), now, events)
        elif topic == "publicTrade":
            events.extend([self._trade(one, now) for one in _TRADES.decode(data).data])
        elif topic == "tickers" and not self._instrument.is_spot:
            self._ticker(_TICKERS.decode(data), now, events)

    def _book(self, message: _Book, now: int, events: list[Event]) -> None:
        teller = self._teller
        levels = message.data
        time = (message.cts or message.ts) * _MS
        if message.type == "snapshot":
            teller.start(levels.b, levels.a)
        elif not teller.ready:
            return
        elif levels.u != self._last_update + 1:
            reason = f"book update {levels.u} does not follow {self._last_update}"
            events.append(teller.gap(time, now, reason))
            return
        else:
            teller.book.apply(levels.b, levels.a)
        self._last_update = levels.u
        teller.tell(time, now, levels.u, events)

    def _trade(self, one: _Print, now: int) -> Trade:
        side = _SIDES.get(one.S)
        if side is None:
            raise ValueError(f"trade has side {one.S!r}")
        return Trade(
            ts_event=one.T * _MS,
            ts_init=now,
            instrument=self._instrument.id,
            price=one.p,
            quantity=one.v,
            taker_side=side,
        )

    def _ticker(self, message: _Tickers, now: int, events: list[Event]) -> None:
        known = self._known
        before_stamp, before_rate = known.get("nextFundingTime"), known.get("fundingRate")
        changed: set[str] = set()
        for field in _FIELDS:
            text: str = getattr(message.data, field)
            if text and known.get(field) != text:
                known[field] = text
                changed.add(field)
        time = message.ts * _MS
        if not changed.isdisjoint(_MARK_FIELDS) and "markPrice" in known:
            events.append(self._mark(time, now))
        if not changed.isdisjoint(_FUNDING_FIELDS) and "fundingRate" in known:
            if before_stamp and before_rate and "nextFundingTime" in changed:
                stamp = int(before_stamp) * _MS
                if stamp <= time:
                    events.append(self._funding(stamp, now, before_rate, settled=True))
            events.append(self._funding(time, now, known["fundingRate"], settled=False))

    def _mark(self, time: int, now: int) -> MarkPrice:
        known = self._known
        index = known.get("indexPrice")
        interest = known.get("singleOpenInterest") or known.get("openInterest")
        return MarkPrice(
            ts_event=time,
            ts_init=now,
            instrument=self._instrument.id,
            mark=float(known["markPrice"]),
            index=float(index) if index else None,
            open_interest=float(interest) if interest else None,
        )

    def _funding(self, time: int, now: int, rate: str, *, settled: bool) -> FundingRate:
        known = self._known
        cap = known.get("fundingCap")
        hours = known.get("fundingIntervalHour")
        return FundingRate(
            ts_event=time,
            ts_init=now,
            instrument=self._instrument.id,
            rate=float(rate),
            next_funding_time=int(known.get("nextFundingTime", "0")) * _MS,
            interval_ns=int(hours) * _HOUR_NS if hours else self._instrument.funding_interval_ns,
            lower=-float(cap) if cap else None,
            upper=float(cap) if cap else None,
            settled=settled,
        )
