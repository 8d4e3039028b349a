"""From a signal to what the sizer needs: prices on the grid, costs, room on the instrument."""

from __future__ import annotations

import math
from decimal import Decimal
from math import ceil, floor
from typing import Final

from hean.config import HEANSettings
from hean.core.events.market import Regime, Side
from hean.core.events.strategy import Intent, OrderStyle, Signal
from hean.core.instruments import MONEY, ZERO, Instrument, decimal_of
from hean.core.market_view import MarketView
from hean.risk.exposure import Exposure
from hean.risk.margin import initial_rate, tier_of
from hean.risk.settings import RiskSettings
from hean.risk.sizing import Entry, Place

MOST_SCALE: Final = 1.2
LEVELS: Final = 5
_times = MONEY.multiply
_INFINITE: Final = math.inf
_ON_GRID: Final = 1e-6
"""Ticks within which a limit counts as on the grid."""
_ENTRY_STYLES: Final = (OrderStyle.POST_ONLY, OrderStyle.LIMIT_IOC)


class _Terms:
    """What an instrument's rules say once and for all."""

    __slots__ = (
        "initial", "instrument", "maintenance", "maker", "step", "taker", "tick", "weight",
    )  # fmt: skip

    def __init__(
        self, instrument: Instrument, slippage: Decimal, leverage: Decimal, cap: Decimal
    ) -> None:
        self.instrument = instrument
        self.tick = instrument.tick
        self.step = instrument.tick_size
        stop_cost = instrument.taker_fee + slippage
        self.maker = instrument.maker_fee + stop_cost
        self.taker = instrument.taker_fee + stop_cost
        self.weight = leverage if instrument.is_spot else Decimal(1)
        fees = instrument.taker_fee + instrument.taker_fee
        self.initial = initial_rate(instrument, ZERO, cap) + fees
        self.maintenance = ZERO
        if not instrument.is_spot:
            self.maintenance = tier_of(instrument, ZERO).maintenance_rate


class Preparation:
    """Builds entries and places; the costs of an instrument are worked out once."""

    def __init__(
        self,
        *,
        settings: HEANSettings,
        section: RiskSettings,
        view: MarketView,
        exposure: Exposure,
    ) -> None:
        self._view = view
        self._exposure = exposure
        self._slippage = MONEY.divide(decimal_of(section.stop_slippage_bp), Decimal(10_000))
        self._leverage = decimal_of(settings.budget_leverage)
        self._venue_leverage = decimal_of(settings.max_leverage)
        self._max_instrument = decimal_of(section.max_instrument)
        self._regime_size = {
            Regime.RANGE: section.regime_size_range,
            Regime.NORMAL: section.regime_size_normal,
            Regime.IMPULSE: section.regime_size_impulse,
        }
        self._terms: dict[str, _Terms] = {}

    def fault(self, signal: Signal) -> str:
        """Return what makes an entry malformed, or nothing."""
        if signal.instrument not in self._view.instruments:
            return "unknown instrument"
        if signal.style not in _ENTRY_STYLES:
            return "entries never take MARKET"
        limit = signal.limit
        if limit is None or not 0.0 < limit < _INFINITE:
            return "no usable limit"
        if not 0.0 <= signal.scale <= MOST_SCALE:
            return "scale out of 0..1.2"
        if not (0.0 <= signal.confidence <= 1.0 and 0.0 <= signal.strength <= 1.0):
            return "strength or confidence out of 0..1"
        for target in signal.targets:
            if not 0.0 < target < _INFINITE:
                return "no usable target"
        if signal.intent is Intent.OPEN and signal.legs > 1 and not signal.group:
            return "legs without a group"
        return ""

    def entry(self, signal: Signal) -> Entry:
        """Return the wanted order with prices on the grid; a stop that is no price becomes None."""
        terms = self._of(signal.instrument)
        instrument = terms.instrument
        limit, stop = signal.limit, signal.stop
        if stop is not None and not 0.0 < stop < _INFINITE:
            stop = None
        return Entry(
            instrument=instrument,
            side=signal.side,
            style=signal.style,
            price=_times(terms.step, Decimal(_ticks(signal, (limit or 0.0) / terms.tick))),
            stop=None if stop is None else _times(terms.step, Decimal(round(stop / terms.tick))),
            scale=signal.scale,
            cost=terms.maker if signal.style is OrderStyle.POST_ONLY else terms.taker,
            weight=terms.weight,
        )

    def place(self, signal: Signal, equity: Decimal) -> Place:
        """Return what is left on the instrument and side, whatever still works there included."""
        terms = self._of(signal.instrument)
        instrument = terms.instrument
        used = self._exposure.instrument(signal.instrument).on_side(signal.side)
        whole = MONEY.multiply(self._max_instrument, equity)
        initial, maintenance = terms.initial, terms.maintenance
        if instrument.tiers and not instrument.is_spot:
            tier = tier_of(instrument, whole)
            fees = instrument.taker_fee + instrument.taker_fee
            initial = initial_rate(instrument, whole, self._venue_leverage) + fees
            maintenance = tier.maintenance_rate
        depth = self._depth(signal) if signal.style is OrderStyle.LIMIT_IOC else None
        return Place(
            left=whole - used,
            margin_rate=initial,
            maintenance_rate=maintenance,
            depth=depth,
            venue_max=instrument.max_quantity,
        )

    def regime_factor(self, instrument: str) -> float:
        """Return the size factor of the instrument's regime; NORMAL while it is not known."""
        regime = self._view.regimes.get(instrument)
        found = Regime.NORMAL if regime is None else regime.regime
        return self._regime_size[found]

    def _depth(self, signal: Signal) -> Decimal | None:
        book = self._view.books.get(signal.instrument)
        if book is None:
            return None
        levels = book.asks if signal.side is Side.BUY else book.bids
        total = 0.0
        for _, size in levels[:LEVELS]:
            total += size
        return decimal_of(round(total, 9))

    def _of(self, instrument: str) -> _Terms:
        rules = self._view.instruments[instrument]
        found = self._terms.get(instrument)
        if found is None or found.instrument is not rules:
            found = _Terms(rules, self._slippage, self._leverage, self._venue_leverage)
            self._terms[instrument] = found
        return found


def _ticks(signal: Signal, count: float) -> int:
    """Return a limit's whole ticks: the nearest, but for a passive order never nearer the touch."""
    if signal.style is not OrderStyle.POST_ONLY:
        return round(count)
    return floor(count + _ON_GRID) if signal.side is Side.BUY else ceil(count - _ON_GRID)
