"""A refused group followed as one: its legs fill, its stop, time or missing leg ends it."""

from __future__ import annotations

import msgspec

from hean.core.events import FeeShare
from hean.core.market_view import MarketView
from hean.portfolio.shadow_position import Followed, Prices


class ShadowGroup(msgspec.Struct, kw_only=True):
    """The legs, first leg first; `stop_bp` is the group's stop in bp of the first leg's notional.

    It is looked at on each beat. All results count in bp of the first leg's notional.
    """

    legs: list[Followed]
    stop_bp: float
    mae_bp: float = 0.0
    mfe_bp: float = 0.0

    def stop_of(self) -> float:
        """Return the stop's distance: the group's, or the sum of the legs' own."""
        if self.stop_bp:
            return self.stop_bp
        total = 0.0
        for leg in self.legs:
            total += self._ratio(leg) * leg.stop_bp
        return total

    def step(self, view: MarketView, now: int) -> str | None:
        """Look once; return why the group ended, or None while it goes on."""
        filled = True
        for leg in self.legs:
            prices = _prices(view, leg.instrument)
            if prices is None:
                return None
            if not leg.opened_at:
                filled = leg.try_fill(prices, now) and filled
        if not filled:
            expiries = [leg.expires_at for leg in self.legs if not leg.opened_at]
            if any(one and now >= one for one in expiries):
                self._leave(view)
                return "unwound"
            return None
        moved = 0.0
        for leg in self.legs:
            prices = _prices(view, leg.instrument)
            if prices is not None:
                price = prices.bid if leg.sign > 0 else prices.ask
                moved += self._ratio(leg) * leg.move_bp(price)
        self.mae_bp, self.mfe_bp = min(self.mae_bp, moved), max(self.mfe_bp, moved)
        reason = None
        first = self.legs[0]
        if moved <= -self.stop_of():
            reason = "stop"
        elif first.time_stop_ns and now >= first.opened_at + first.time_stop_ns:
            reason = "time"
        elif self._is_at_target(view):
            reason = "target"
        if reason is not None:
            self._leave(view)
        return reason

    def _is_at_target(self, view: MarketView) -> bool:
        first = self.legs[0]
        prices = _prices(view, first.instrument)
        if not first.targets or prices is None:
            return False
        return first.crossed(first.targets[-1], -first.sign, prices)

    def _ratio(self, leg: Followed) -> float:
        base = self.legs[0].scale
        return leg.scale / base if base else 1.0

    def _leave(self, view: MarketView) -> None:
        for leg in self.legs:
            prices = _prices(view, leg.instrument)
            if leg.opened_at and prices is not None:
                price = prices.bid if leg.sign > 0 else prices.ask
                leg.leave(price, leg.left, slips=True)

    def outcome(self) -> Followed | None:
        """Return the first filled leg carrying the whole group's result; None if none filled."""
        filled = [leg for leg in self.legs if leg.opened_at]
        if not filled:
            return None
        whole = filled[0]
        gross, fees, slippage, funding = 0.0, 0.0, 0.0, 0.0
        shares: list[FeeShare] = []
        for leg in filled:
            ratio = self._ratio(leg)
            gross += ratio * leg.gross_bp
            fees += ratio * leg.fees_bp
            slippage += ratio * leg.slippage_bp
            shares += [
                FeeShare(
                    instrument=one.instrument, maker=ratio * one.maker, taker=ratio * one.taker
                )
                for one in leg.shares
            ]
            funding += ratio * leg.funding_bp
        whole.gross_bp, whole.fees_bp, whole.funding_bp = gross, fees, funding
        whole.slippage_bp, whole.shares = slippage, tuple(shares)
        whole.mae_bp, whole.mfe_bp = self.mae_bp, self.mfe_bp
        return whole


def _prices(view: MarketView, instrument: str) -> Prices | None:
    quote = view.quotes.get(instrument)
    if quote is not None:
        return Prices(quote.bid, quote.ask, quote.ask, quote.bid, quote.bid)
    mark = view.mark(instrument)
    if mark is None:
        return None
    return Prices(mark.price, mark.price, mark.price, mark.price, mark.price)
