"""What a taker gets: depth where there is depth, the touch, the last trade, or a bar's quote.

Sizes taken are remembered until the source refreshes, so none is taken twice. Where depth is not
known, slippage goes against the taker; it never takes it beyond its limit.
"""

from __future__ import annotations

from decimal import Decimal
from math import ceil, floor
from typing import NamedTuple, Protocol

import msgspec

from hean.app.venues.settings import VenueSettings
from hean.core.events import Bar, BookUpdate, Quote, Side, Trade
from hean.core.instruments import ZERO, Instrument

_BP = 10_000.0
_ON_GRID = 1e-6
"""Ticks within which a computed price counts as on the grid."""


class Execution(NamedTuple):
    """One price and the quantity executed at it."""

    price: Decimal
    quantity: Decimal


class Consumed(msgspec.Struct):
    """What we took from one image of an instrument's book: quantity by tick count."""

    stamp: tuple[int | float, ...] = ()
    bids: dict[str, Decimal] = msgspec.field(default_factory=dict[str, Decimal])
    asks: dict[str, Decimal] = msgspec.field(default_factory=dict[str, Decimal])

    def of(self, side: Side, stamp: tuple[int | float, ...]) -> dict[str, Decimal]:
        """Return what a taker on `side` took from the image `stamp`; another image forgets it."""
        if stamp != self.stamp:
            self.stamp, self.bids, self.asks = stamp, {}, {}
        return self.asks if side is Side.BUY else self.bids


class Market(msgspec.Struct, frozen=True):
    """What is known of an instrument when an order meets it."""

    quote: Quote | None
    book: BookUpdate | None
    trade: Trade | None
    bar: Bar | None
    consumed: Consumed

    def touch(self, side: Side) -> float | None:
        """Return the price a taker on `side` would meet first, or None when nothing is known."""
        if self.book is not None:
            levels = self.book.asks if side is Side.BUY else self.book.bids
            return levels[0][0] if levels else None
        if self.quote is not None:
            return self.quote.ask if side is Side.BUY else self.quote.bid
        if self.trade is not None:
            return self.trade.price
        return self.bar.close if self.bar is not None else None


class FillModel(Protocol):
    """Executes a taker: at most `quantity`, no worse than `limit` (None: at any price)."""

    def take(
        self,
        instrument: Instrument,
        market: Market,
        side: Side,
        quantity: Decimal,
        limit: Decimal | None,
    ) -> tuple[Execution, ...]: ...


def worsened(instrument: Instrument, price: float, side: Side, slippage_bp: float) -> Decimal:
    """Return a price moved against a taker, on the grid; it never falls below one tick."""
    if slippage_bp == 0.0:
        return instrument.price(price)
    share = slippage_bp / _BP
    if side is Side.BUY:
        return instrument.price_of(ceil(price * (1.0 + share) / instrument.tick - _ON_GRID))
    return instrument.price_of(max(1, floor(price * (1.0 - share) / instrument.tick + _ON_GRID)))


def is_within(side: Side, price: Decimal, limit: Decimal | None) -> bool:
    """Return whether a taker on `side` accepts the price."""
    return limit is None or (price <= limit if side is Side.BUY else price >= limit)


def _one_price(
    instrument: Instrument,
    price: float,
    side: Side,
    quantity: Decimal,
    limit: Decimal | None,
    slippage_bp: float,
) -> tuple[Execution, ...]:
    paid = worsened(instrument, price, side, slippage_bp)
    if not is_within(side, paid, limit):
        assert limit is not None
        if not is_within(side, instrument.price(price), limit):
            return ()
        paid = limit
    return (Execution(paid, quantity),)


class LastTradeFills:
    """Where only trades come: the whole order at the last price, plus slippage."""

    def __init__(self, slippage_bp: float) -> None:
        self._slippage_bp = slippage_bp

    def take(
        self,
        instrument: Instrument,
        market: Market,
        side: Side,
        quantity: Decimal,
        limit: Decimal | None,
    ) -> tuple[Execution, ...]:
        """Return one execution, or none when the last trade is beyond the limit."""
        if market.trade is None:
            return ()
        return _one_price(instrument, market.trade.price, side, quantity, limit, self._slippage_bp)


class BarFills:
    """On bars: the whole order at the synthetic quote in force, plus slippage."""

    def __init__(self, slippage_bp: float) -> None:
        self._slippage_bp = slippage_bp

    def take(
        self,
        instrument: Instrument,
        market: Market,
        side: Side,
        quantity: Decimal,
        limit: Decimal | None,
    ) -> tuple[Execution, ...]:
        """Return one execution, or none when the quote is beyond the limit."""
        touch = market.touch(side)
        if touch is None:
            return ()
        return _one_price(instrument, touch, side, quantity, limit, self._slippage_bp)


class TouchFills:
    """On best bid and ask: the displayed size at the touch, the rest with slippage."""

    def __init__(self, slippage_bp: float) -> None:
        self._slippage_bp = slippage_bp

    def take(
        self,
        instrument: Instrument,
        market: Market,
        side: Side,
        quantity: Decimal,
        limit: Decimal | None,
    ) -> tuple[Execution, ...]:
        """Return up to two executions, and remember what was taken of the touch."""
        quote = market.quote
        if quote is None:
            return ()
        at_ask = side is Side.BUY
        price, size = (quote.ask, quote.ask_size) if at_ask else (quote.bid, quote.bid_size)
        best = instrument.price(price)
        if not is_within(side, best, limit):
            return ()
        sizes = (quote.bid_size, quote.ask_size)
        stamp = (quote.ts_init, quote.ts_event, quote.bid, quote.ask, *sizes)
        taken = market.consumed.of(side, stamp)
        ticks = str(instrument.ticks_of(price))
        before = taken.get(ticks, ZERO)
        here = min(quantity, max(ZERO, instrument.quantity(size) - before))
        found: list[Execution] = []
        if here > 0:
            taken[ticks] = before + here
            found.append(Execution(best, here))
        beyond = worsened(instrument, price, side, self._slippage_bp)
        if here < quantity and is_within(side, beyond, limit):
            found.append(Execution(beyond, quantity - here))
        return tuple(found)


class DepthFills:
    """On a book: walks the displayed levels; only a market order goes beyond the last."""

    def __init__(self, thin_book_bp: float) -> None:
        self._thin_book_bp = thin_book_bp

    def take(
        self,
        instrument: Instrument,
        market: Market,
        side: Side,
        quantity: Decimal,
        limit: Decimal | None,
    ) -> tuple[Execution, ...]:
        """Return an execution a level, and remember what was taken of each."""
        book = market.book
        if book is None:
            return ()
        levels = book.asks if side is Side.BUY else book.bids
        taken = market.consumed.of(side, (book.ts_init, book.ts_event, book.sequence))
        found: list[Execution] = []
        left = quantity
        for level, size in levels:
            price = instrument.price(level)
            if left <= 0 or not is_within(side, price, limit):
                break
            ticks = str(instrument.ticks_of(level))
            before = taken.get(ticks, ZERO)
            here = min(left, max(ZERO, instrument.quantity(size) - before))
            if here > 0:
                taken[ticks] = before + here
                found.append(Execution(price, here))
                left -= here
        if left > 0 and limit is None and levels:
            beyond = worsened(instrument, levels[-1][0], side, self._thin_book_bp)
            found.append(Execution(beyond, left))
        return tuple(found)


class MarketFills:
    """Chooses by what the instrument's feed carries: depth, real quotes, trades, else bars."""

    def __init__(
        self,
        *,
        depth: FillModel,
        touch: FillModel,
        trade: FillModel,
        bar: FillModel,
    ) -> None:
        self._depth = depth
        self._touch = touch
        self._trade = trade
        self._bar = bar

    @classmethod
    def of(cls, section: VenueSettings) -> MarketFills:
        """Return the models with the slippage of the settings."""
        slippage = section.slippage_bp
        return cls(
            depth=DepthFills(section.thin_book_bp),
            touch=TouchFills(slippage),
            trade=LastTradeFills(slippage),
            bar=BarFills(slippage),
        )

    def take(
        self,
        instrument: Instrument,
        market: Market,
        side: Side,
        quantity: Decimal,
        limit: Decimal | None,
    ) -> tuple[Execution, ...]:
        """Return what the chosen model executes."""
        if market.book is not None:
            model = self._depth
        elif market.quote is not None:
            model = self._bar if market.quote.synthetic else self._touch
        else:
            model = self._bar if market.trade is None else self._trade
        return model.take(instrument, market, side, quantity, limit)
