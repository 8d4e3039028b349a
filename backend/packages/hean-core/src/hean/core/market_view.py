"""The newest market event of each kind and instrument: one copy, read by everybody.

It stands first among the features, so every later handler of the same event sees it updated.
The mark is `MarkPrice` unless it is older than 5 s (on bars: than the last bar), then the quote's
mid, else the last trade where only trades come, else the bar's close. A quote that a newer book
image shows unchanged is as new as that image.
"""

from __future__ import annotations

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events.base import Event
from hean.core.events.market import (
    Bar,
    BookUpdate,
    FundingRate,
    InstrumentUpdated,
    MarkPrice,
    Quote,
    RegimeChanged,
    Side,
    Trade,
)
from hean.core.events.union import decode, encode
from hean.core.instruments import Instrument
from hean.core.snapshot import pack, unpack

MARK_MAX_AGE_NS = 5_000_000_000


class Mark(msgspec.Struct, frozen=True, gc=False):
    """A price to value positions at, when the kernel got it, and where it came from."""

    price: float
    ts_ns: int
    source: str


class _State(msgspec.Struct, frozen=True):
    events: list[bytes]
    settled: list[bytes]


class MarketView:
    """The newest events by instrument id. Read its dicts; only its own handlers write them."""

    name = "market_view"

    def __init__(self) -> None:
        self.instruments: dict[str, Instrument] = {}
        self.quotes: dict[str, Quote] = {}
        self.trades: dict[str, Trade] = {}
        self.books: dict[str, BookUpdate] = {}
        self.bars: dict[str, Bar] = {}
        self.marks: dict[str, MarkPrice] = {}
        self.predicted_funding: dict[str, FundingRate] = {}
        self.settled_funding: dict[str, FundingRate] = {}
        self.regimes: dict[str, RegimeChanged] = {}

    def attach(self, bus: Bus) -> None:
        """Subscribe to everything it keeps."""
        stage, owner = Stage.FEATURES, self.name
        bus.subscribe(InstrumentUpdated, self._on_instrument, stage=stage, owner=owner)
        bus.subscribe(Quote, self._on_quote, stage=stage, owner=owner)
        bus.subscribe(Trade, self._on_trade, stage=stage, owner=owner)
        bus.subscribe(BookUpdate, self._on_book, stage=stage, owner=owner)
        bus.subscribe(Bar, self._on_bar, stage=stage, owner=owner)
        bus.subscribe(MarkPrice, self._on_mark, stage=stage, owner=owner)
        bus.subscribe(FundingRate, self._on_funding, stage=stage, owner=owner)
        bus.subscribe(RegimeChanged, self._on_regime, stage=stage, owner=owner)

    def mark(self, instrument: str) -> Mark | None:
        """Return the price to value a position at, or None before any price came."""
        mark = self.marks.get(instrument)
        quote = self.quotes.get(instrument)
        bar = self.bars.get(instrument)
        if mark is not None and not self._is_old(mark, quote, bar):
            return Mark(mark.mark, mark.ts_init, "mark")
        if quote is not None:
            return Mark((quote.bid + quote.ask) / 2.0, self._confirmed(quote), "quote")
        trade = self.trades.get(instrument)
        if trade is not None:
            return Mark(trade.price, trade.ts_init, "trade")
        if bar is not None:
            return Mark(bar.close, bar.ts_init, "bar")
        return Mark(mark.mark, mark.ts_init, "mark") if mark is not None else None

    def touch(self, instrument: str, side: Side) -> float | None:
        """Return the price a taker on `side` would meet: ask for BUY, bid for SELL."""
        quote = self.quotes.get(instrument)
        if quote is not None:
            return quote.ask if side is Side.BUY else quote.bid
        trade = self.trades.get(instrument)
        if trade is not None:
            return trade.price
        bar = self.bars.get(instrument)
        return bar.close if bar is not None else None

    def _confirmed(self, quote: Quote) -> int:
        """Return when the touch was last seen: some feeds tell a quote only where it changes."""
        book = self.books.get(quote.instrument)
        if book is None or book.ts_init <= quote.ts_init or not book.bids or not book.asks:
            return quote.ts_init
        same = book.bids[0][0] == quote.bid and book.asks[0][0] == quote.ask
        return book.ts_init if same else quote.ts_init

    @staticmethod
    def _is_old(mark: MarkPrice, quote: Quote | None, bar: Bar | None) -> bool:
        if quote is not None and not quote.synthetic:
            return quote.ts_init - mark.ts_init > MARK_MAX_AGE_NS
        return bar is not None and bar.ts_init > mark.ts_init

    def _on_instrument(self, event: InstrumentUpdated) -> None:
        self.instruments[event.instrument] = event.specification

    def _on_quote(self, event: Quote) -> None:
        self.quotes[event.instrument] = event

    def _on_trade(self, event: Trade) -> None:
        self.trades[event.instrument] = event

    def _on_book(self, event: BookUpdate) -> None:
        self.books[event.instrument] = event

    def _on_bar(self, event: Bar) -> None:
        self.bars[event.instrument] = event

    def _on_mark(self, event: MarkPrice) -> None:
        self.marks[event.instrument] = event

    def _on_funding(self, event: FundingRate) -> None:
        kept = self.settled_funding if event.settled else self.predicted_funding
        kept[event.instrument] = event

    def _on_regime(self, event: RegimeChanged) -> None:
        self.regimes[event.instrument] = event

    def snapshot(self) -> bytes:
        """Return the newest events."""
        kept: list[Event] = []
        for one in (
            self.quotes,
            self.trades,
            self.books,
            self.bars,
            self.marks,
            self.predicted_funding,
            self.regimes,
        ):
            kept.extend(one.values())
        rules = [
            InstrumentUpdated(ts_event=0, ts_init=0, instrument=key, specification=value)
            for key, value in self.instruments.items()
        ]
        events = [encode(event) for event in (*rules, *kept)]
        settled = [encode(event) for event in self.settled_funding.values()]
        return pack(self.name, 1, _State(events, settled))

    def restore(self, state: bytes) -> None:
        """Take over the newest events of a snapshot."""
        keep = {
            InstrumentUpdated: self._on_instrument,
            Quote: self._on_quote,
            Trade: self._on_trade,
            BookUpdate: self._on_book,
            Bar: self._on_bar,
            MarkPrice: self._on_mark,
            FundingRate: self._on_funding,
            RegimeChanged: self._on_regime,
        }
        found = unpack(state, self.name, 1, _State)
        for data in (*found.events, *found.settled):
            event = decode(data)
            keep[type(event)](event)  # type: ignore[arg-type]
