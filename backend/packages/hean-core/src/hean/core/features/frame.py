"""Events of one second gathered into one row of integer ticks and lots.

The grid is kernel time: a second closes at the first input of the next one, at the latest its
`Heartbeat`. An empty second carries the mid forward with zero volume.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hean.core.events.market import BookUpdate, Quote, Side, Trade
from hean.core.features.book import LEVEL_WEIGHTS, LEVELS, add_level_flow, depth_within
from hean.core.features.exact import quantised_log
from hean.core.features.touches import LevelMoments, TouchChain

FROM_TRADES: Final = 0
FROM_BOOK: Final = 1
FROM_QUOTES: Final = 2


class FrameRow(msgspec.Struct, frozen=True, gc=False):
    """One closed second as integers; prices `mid`, `high`, `low` count half-ticks.

    `top_lots` is the size of best bid plus best ask (`bid_lots` the bid's part), `depth_lots` that
    of five levels of both sides (-1 while no book is known), `ofi_levels` the multi-level imbalance
    in thousandths of lots.
    """

    second: int
    bid: int
    ask: int
    mid: int
    high: int
    low: int
    return_e9: int
    buy_lots: int
    sell_lots: int
    trades: int
    largest_lots: int
    traded_ticks: int
    ofi: int
    ofi_levels: int
    top_lots: int
    depth_lots: int
    quotes: int
    books: int
    conflated: int
    book_ready: bool
    bid_lots: int = 0


class FrameBuilder(msgspec.Struct):
    """Gathers the events of one instrument into rows.

    The touch comes from quotes where they come, else from books, else from the last trade. A price
    becomes ticks by int(price·per_tick + ½), a size lots likewise. `level_weights` are those of
    this start's tables; `chain` and `moments` count on for the next ones.
    """

    per_tick: float
    per_lot: float
    second: int = 0
    bid: int = 0
    ask: int = 0
    bid_lots: int = 0
    ask_lots: int = 0
    mid: int = 0
    high: int = 0
    low: int = 0
    closed_mid: int = 0
    buy_lots: int = 0
    sell_lots: int = 0
    trades: int = 0
    largest_lots: int = 0
    traded_ticks: int = 0
    ofi: int = 0
    quotes: int = 0
    books: int = 0
    conflated: int = 0
    source: int = FROM_TRADES
    is_touch_known: bool = False
    book_ready: bool = False
    ever_traded: bool = False
    bids: tuple[tuple[float, float], ...] = ()
    asks: tuple[tuple[float, float], ...] = ()
    flows: list[float] = msgspec.field(default_factory=lambda: [0.0] * LEVELS)
    level_weights: tuple[int, ...] = LEVEL_WEIGHTS
    chain: TouchChain = msgspec.field(default_factory=TouchChain.of)
    moments: LevelMoments = msgspec.field(default_factory=LevelMoments.of)

    def add_quote(self, event: Quote) -> None:
        """Take the best bid and ask; one without both sides is ignored."""
        self.quotes += 1
        if event.conflated:
            self.conflated += event.conflated
        if event.bid > 0.0 and event.ask > 0.0:
            if self.source != FROM_QUOTES:
                self.source = FROM_QUOTES
                self.is_touch_known = False
            self._touch(event.bid, event.ask, event.bid_size, event.ask_size)

    def add_book(self, event: BookUpdate) -> None:
        """Take a complete book image; it is the touch where no quotes come."""
        self.books += 1
        if event.conflated:
            self.conflated += event.conflated
        bids, asks = event.bids, event.asks
        if not bids or not asks:
            return
        if self.book_ready:
            add_level_flow(self.flows, self.bids, self.asks, bids, asks)
        self.bids = bids
        self.asks = asks
        self.book_ready = True
        if self.source != FROM_QUOTES:
            self.source = FROM_BOOK
            self._touch(bids[0][0], asks[0][0], bids[0][1], asks[0][1])

    def add_trade(self, event: Trade) -> None:
        """Take a print, or an aggregate with its own volumes."""
        ticks = int(event.price * self.per_tick + 0.5)
        lots = int(event.quantity * self.per_lot + 0.5)
        if event.buy_volume or event.sell_volume:
            self.buy_lots += int(event.buy_volume * self.per_lot + 0.5)
            self.sell_lots += int(event.sell_volume * self.per_lot + 0.5)
            largest = int(event.largest * self.per_lot + 0.5)
        else:
            largest = lots
            if event.taker_side is Side.BUY:
                self.buy_lots += lots
            else:
                self.sell_lots += lots
        self.traded_ticks += ticks * lots
        self.trades += event.count
        self.ever_traded = True
        if largest > self.largest_lots:
            self.largest_lots = largest
        if self.source == FROM_TRADES:
            self.bid = self.ask = ticks
            self._move(ticks + ticks)

    def forget_book(self) -> None:
        """Events were lost: the next touch and book start anew, without an imbalance between."""
        self.book_ready = False
        self.is_touch_known = False
        self.bids = ()
        self.asks = ()
        self.chain.forget()

    def close(self) -> FrameRow:
        """Close the second in hand, start the next one, and return its row."""
        mid = self.mid
        previous = self.closed_mid or mid
        row = FrameRow(
            self.second,
            self.bid,
            self.ask,
            mid,
            self.high,
            self.low,
            0 if mid == previous else quantised_log(mid, previous),
            self.buy_lots,
            self.sell_lots,
            self.trades,
            self.largest_lots,
            self.traded_ticks,
            self.ofi,
            self._level_flow() if self.books else 0,
            self.bid_lots + self.ask_lots,
            depth_within(self.bids, self.asks, self.per_lot) if self.book_ready else -1,
            self.quotes,
            self.books,
            self.conflated,
            self.book_ready,
            self.bid_lots,
        )
        self.second += 1
        self.closed_mid = self.high = self.low = mid
        self.buy_lots = self.sell_lots = self.trades = self.largest_lots = 0
        self.traded_ticks = self.ofi = 0
        self.quotes = self.books = self.conflated = 0
        return row

    def _level_flow(self) -> int:
        """Return the second's weighted flow of the levels, which enters the moments."""
        per_lot, total = self.per_lot, 0
        lots = [round(flow * per_lot) for flow in self.flows]
        for weight, flow in zip(self.level_weights, lots, strict=True):
            total += weight * flow
        self.moments.update(lots)
        self.flows = [0.0] * LEVELS
        return total

    def _touch(self, bid_price: float, ask_price: float, bid_size: float, ask_size: float) -> None:
        bid = int(bid_price * self.per_tick + 0.5)
        ask = int(ask_price * self.per_tick + 0.5)
        bid_lots = int(bid_size * self.per_lot + 0.5)
        ask_lots = int(ask_size * self.per_lot + 0.5)
        if self.is_touch_known:
            before_bid, before_ask = self.bid, self.ask
            flow = 0
            if bid >= before_bid:
                flow += bid_lots
            if bid <= before_bid:
                flow -= self.bid_lots
            if ask <= before_ask:
                flow -= ask_lots
            if ask >= before_ask:
                flow += self.ask_lots
            self.ofi += flow
        else:
            self.is_touch_known = True
            self.chain.forget()
        self.chain.take(bid, ask, bid_lots, ask_lots)
        self.bid = bid
        self.ask = ask
        self.bid_lots = bid_lots
        self.ask_lots = ask_lots
        if bid + ask != self.mid:
            self._move(bid + ask)

    def _move(self, mid: int) -> None:
        if self.mid == 0:
            self.high = self.low = mid
        elif mid > self.high:
            self.high = mid
        elif mid < self.low:
            self.low = mid
        self.mid = mid
