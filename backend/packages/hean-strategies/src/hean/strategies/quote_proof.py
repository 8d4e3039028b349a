"""Whether quoting a symbol pays: what its quotes earn when filled, less what mid then takes back.

Each quote that is published is followed, whether the gate lets it rest or not, and counts once:
when its own order fills, or when price trades through it by a tick. Effective half-spread less
adverse move is the realised half-spread (Huang, Stoll 1996, Dealer versus auction markets).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from hean.core.edge import SHADOW_LATENCY_NS
from hean.core.events import PlanFault, Quote
from hean.core.instruments import significant
from hean.strategies.desk import mid
from hean.strategies.pace import SECOND_NS
from hean.strategies.quoting import Quoted
from hean.strategies.windows import Average

LEAST_FILLS: Final = 200
"""Fills before a symbol may be quoted at all under the guard."""
HORIZONS_NS: Final = (10 * SECOND_NS, 60 * SECOND_NS)
_HALF_LIFE: Final = 100.0
_THROUGH: Final = 0.999
"""Of a tick: how far beyond a quote price must be; a whole one but for the float's rounding."""


class FollowedQuote(msgspec.Struct, gc=False):
    """A quote that rests in thought from `active_at` to `expires_at`.

    It is known by its signal: the order behind it may be one that stood from before.
    """

    signal_id: str
    sign: int
    price: float
    active_at: int
    expires_at: int


class ProofFill(msgspec.Struct, gc=False):
    """A fill: the mid it met, what it captured, and what mid took back at the horizons so far."""

    at: int
    sign: int
    mid: float
    captured_bp: float
    taken_bp: float = 0.0
    marked: int = 0


class QuoteProof(msgspec.Struct, kw_only=True):
    """Captured half-spread and adverse move of one symbol, weighted to the newest fills, in bp."""

    quotes: list[FollowedQuote] = []
    fills: list[ProofFill] = []
    captured: Average = msgspec.field(default_factory=lambda: Average(half_life=_HALF_LIFE))
    adverse: Average = msgspec.field(default_factory=lambda: Average(half_life=_HALF_LIFE))

    @property
    def count(self) -> int:
        """How many fills have been followed to the last horizon."""
        return self.adverse.count

    def net_bp(self, fee_bp: float) -> float:
        """Return half-spread less fee less adverse move of a fill; NaN before the first."""
        return self.captured.mean - fee_bp - self.adverse.mean

    def fault(self, fee_bp: float) -> PlanFault | None:
        """Return why quoting here does not pay: too few fills to know, or nothing left of them."""
        if self.count < LEAST_FILLS:
            return PlanFault("fills", float(self.count), float(LEAST_FILLS))
        net = self.net_bp(fee_bp)
        return None if net > 0.0 else PlanFault("net of a fill", significant(net), 0.0)

    def follow(self, quoted: Iterable[Quoted], now: int, ttl_ns: int) -> None:
        """Follow these quotes in place of those before; one at the same price keeps its place."""
        before = {(one.sign, one.price): one.active_at for one in self.quotes}
        arrival = now + SHADOW_LATENCY_NS
        self.quotes = [
            FollowedQuote(
                one.signal_id,
                one.sign,
                one.price,
                before.get((one.sign, one.price), arrival),
                arrival + ttl_ns,
            )
            for one in quoted
        ]

    def withdraw(self) -> None:
        """Follow no quote any more; fills are still followed."""
        self.quotes = []

    def look(self, bid: float, ask: float, tick: float, market: Quote, now: int) -> None:
        """Fill what a trade (`bid` = `ask`) or a quote went through."""
        for one in self.quotes:
            beyond = (one.price - ask) if one.sign > 0 else (bid - one.price)
            if beyond >= tick * _THROUGH and now >= one.active_at:
                self._fill(one, mid(market), now)
                self.quotes = [other for other in self.quotes if other is not one]

    def on_own_fill(self, signal_id: str, market: Quote | None, now: int) -> None:
        """Take the fill of an own quote, unless price had gone through it before."""
        for one in self.quotes:
            if one.signal_id == signal_id and market is not None:
                self._fill(one, mid(market), now)
                self.quotes = [other for other in self.quotes if other is not one]

    def _fill(self, quote: FollowedQuote, price: float, now: int) -> None:
        captured = quote.sign * (price / quote.price - 1.0) * 1e4
        self.fills.append(ProofFill(now, quote.sign, price, captured))

    def on_second(self, now: int, price: float) -> None:
        """Forget quotes past their time, and mark the fills that are old enough at mid `price`."""
        if self.quotes and now >= self.quotes[0].expires_at:
            self.quotes = []
        if not self.fills:
            return
        for one in self.fills:
            while one.marked < len(HORIZONS_NS) and now - one.at >= HORIZONS_NS[one.marked]:
                one.taken_bp -= one.sign * (price / one.mid - 1.0) * 1e4
                one.marked += 1
            if one.marked == len(HORIZONS_NS):
                self.captured.push(one.captured_bp)
                self.adverse.push(one.taken_bp / len(HORIZONS_NS))
        self.fills = [one for one in self.fills if one.marked < len(HORIZONS_NS)]
