"""The stress and CVaR limits applied to the book with a candidate, as cheaply as they allow.

Most orders are so small that no scenario could break a limit whatever the signs are; that is one
comparison. Else the book's sums, kept until the book changes, and a little arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from hean.core.events.strategy import Intent
from hean.core.instruments import Instrument
from hean.core.market_view import MarketView
from hean.risk.exposure import Exposure, Holding, WorkingOrder
from hean.risk.margin import tier_of
from hean.risk.sizing import Entry
from hean.risk.stress import NO_STOP, Line, Outlook, Sums, fits_surely, largest_scale
from hean.risk.tail import TailHistory

DEFAULT_HALF_SPREAD = 0.0001


class TailState(msgspec.Struct, frozen=True):
    """What `BookTails` carries over a restart."""

    hour: int
    spreads: dict[str, float]
    widest: float
    equity: float
    stress_limit: float
    tail_limit: float


class BookTails:
    """Measures the book; `stress_limit`, `tail_limit` and `equity` in USDT are the sentinel's."""

    def __init__(self, *, exposure: Exposure, history: TailHistory, view: MarketView) -> None:
        self._exposure = exposure
        self._history = history
        self._view = view
        self._outlook = Outlook()
        self._counted = -1
        self._hour = -1
        self._spreads: dict[str, float] = {}
        self._widest = DEFAULT_HALF_SPREAD
        self.equity = 0.0
        self.stress_limit = 0.0
        self.tail_limit = 0.0

    def state(self) -> TailState:
        """Return limits and the half-spreads of this hour, for a snapshot."""
        return TailState(
            self._hour,
            dict(self._spreads),
            self._widest,
            self.equity,
            self.stress_limit,
            self.tail_limit,
        )

    def resume(self, state: TailState) -> None:
        """Take over what `state` returned; the book's sums are added up when asked for."""
        self._hour, self._spreads, self._widest = state.hour, dict(state.spreads), state.widest
        self.equity = state.equity
        self.stress_limit, self.tail_limit = state.stress_limit, state.tail_limit
        self._counted = -1

    def share(
        self, entries: Sequence[Entry], notionals: Sequence[Decimal], *, is_hedge: bool = False
    ) -> tuple[float, str]:
        """Return the share of the candidates that both limits let through, and which one bound."""
        gross = float(self._exposure.gross)
        for one in notionals:
            gross += float(one)
        if self._hour != self._history.hour:
            self._refresh()
        surely = fits_surely(gross, self._widest, self.stress_limit)
        if surely and gross * self._history.largest_unit() <= self.tail_limit:
            return 1.0, ""
        lines = [
            self._candidate(entry, float(value), is_loose=not is_hedge)
            for entry, value in zip(entries, notionals, strict=True)
        ]
        book = self._book()
        scale = largest_scale(book, lines, self.equity, self.stress_limit)
        tail = self._tail_scale(book, lines)
        if scale >= 1.0 and tail >= 1.0:
            return 1.0, ""
        return (scale, "stress") if scale <= tail else (tail, "cvar")

    def worst(self) -> float:
        """Return the worst scenario loss of the book in USDT."""
        return self._book().worst(self.equity)

    def tail(self) -> float:
        """Return the CVaR of the book in USDT."""
        return self._tail(self._book())

    def _refresh(self) -> None:
        self._hour = self._history.hour
        self._counted = -1
        self._spreads.clear()
        widest = DEFAULT_HALF_SPREAD
        for instrument in self._view.quotes:
            widest = max(widest, self._half_spread(instrument))
        self._widest = widest

    def _half_spread(self, instrument: str) -> float:
        found = self._spreads.get(instrument)
        if found is None:
            quote = self._view.quotes.get(instrument)
            found = DEFAULT_HALF_SPREAD
            if quote is not None and quote.bid > 0.0:
                found = max(0.0, (quote.ask - quote.bid) / (quote.ask + quote.bid))
            self._spreads[instrument] = found
            self._widest = max(self._widest, found)
        return found

    def _book(self) -> Outlook:
        exposure = self._exposure
        if self._counted == exposure.version:
            return self._outlook
        outlook = Outlook()
        for holding in exposure.holdings.values():
            outlook.add(self._held(holding))
        for order in exposure.orders.values():
            if order.is_entry:
                outlook.add(self._working(order))
        self._outlook, self._counted = outlook, exposure.version
        return outlook

    def _candidate(self, entry: Entry, notional: float, *, is_loose: bool) -> Line:
        stop = NO_STOP
        if entry.stop is not None:
            price = float(entry.price)
            stop = abs(price - float(entry.stop)) / price
        return self._line(entry.instrument.id, notional * entry.side.sign, stop, is_loose=is_loose)

    def _held(self, holding: Holding) -> Line:
        notional = float(holding.notional)
        stop = NO_STOP
        if holding.stop is not None and notional:
            mark = notional / float(holding.quantity)
            distance = mark - float(holding.stop)
            stop = max(0.0, (distance if notional > 0.0 else -distance) / mark)
        return self._line(holding.instrument, notional, stop)

    def _working(self, order: WorkingOrder) -> Line:
        stop = NO_STOP
        price = float(order.price)
        if order.stop is not None and price > 0.0:
            stop = abs(price - float(order.stop)) / price
        value = float(order.notional) * order.side.sign
        return self._line(order.instrument, value, stop, is_loose=order.intent is not Intent.LEG)

    def _line(
        self, instrument: str, notional: float, stop: float, *, is_loose: bool = False
    ) -> Line:
        rules = self._view.instruments.get(instrument)
        return Line(
            instrument,
            instrument if rules is None else rules.base,
            notional,
            stop,
            self._half_spread(instrument),
            _maintenance_rate(rules, notional),
            rules is None or not rules.is_spot,
            is_loose,
        )

    def _tail_scale(self, book: Outlook, lines: Sequence[Line]) -> float:
        """Return the share that the CVaR limit lets through; CVaR is convex, so a chord is safe."""
        limit, after = self.tail_limit, book.with_lines(lines)
        whole = self._tail(after)
        if whole <= limit:
            return 1.0
        before = self._tail(book)
        if before >= limit:
            mends = whole <= before and self._history.book(_nets(after.every)) <= limit
            return 1.0 if mends else 0.0
        return (limit - before) / (whole - before)

    def _tail(self, book: Outlook) -> float:
        """Return the CVaR of what a book may become, each instrument on its larger side included.

        One instrument's bids may fill with another's asks.
        """
        bids, asks = _nets(book.bids), _nets(book.asks)
        if bids == asks:
            return self._history.book(bids)
        larger = dict(bids)
        for name, net in asks.items():
            if abs(net) > abs(larger.get(name, 0.0)):
                larger[name] = net
        return max(self._history.book(one) for one in (larger, bids, asks))


def _nets(sums: Sums) -> Mapping[str, float]:
    return {name: net for name, (_, net) in sums.nets.items()}


def _maintenance_rate(rules: Instrument | None, notional: float) -> float:
    if rules is None or rules.is_spot:
        return 0.0
    return float(tier_of(rules, Decimal(round(abs(notional)))).maintenance_rate)
