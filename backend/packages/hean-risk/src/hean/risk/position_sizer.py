"""The position sizer: R from the budget, quantity from R, every cap with a name.

A pure function of its arguments. It rounds down to the lot step once; below the venue's smallest
order the answer is zero, and nothing later raises a zero. Kelly only ever lowers R (Baker and
McHale 2013 shrink it by the uncertainty of the hit rate).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from hean.config import HEANSettings
from hean.core.instruments import MONEY, ZERO, Instrument, decimal_of, minimum_viable_budget
from hean.risk.group_sizing import (
    GroupTerms,
    larger_side,
    leg_losses,
    lesser,
    round_legs,
    smallest_value,
    total_of,
    value_caps,
)
from hean.risk.settings import RiskSettings
from hean.risk.sizing import (
    Entry,
    Factors,
    GroupRules,
    Place,
    Room,
    Sizing,
    stop_is_usable,
)

ONE: Final = Decimal(1)
MOST_FACTOR: Final = 1.2
STRATEGY_RISK_TRADES: Final = Decimal(3)
"""A strategy's open risk is at most that of so many of its trades."""
LIQUIDATION_DISTANCES: Final = Decimal("2.5")
"""Liquidation must be this many stop distances from entry: beyond the stop by 1.5."""
_BILLION: Final = Decimal(10**9)

_times = MONEY.multiply
_over = MONEY.divide


def factor_of(value: float) -> Decimal:
    """Return a factor as Decimal, to 9 decimals."""
    if value == 1.0:
        return ONE
    return _over(Decimal(round(value * 1e9)), _BILLION)


def confidence_factor(confidence: float, floor: float) -> float:
    """Return f: 0 at confidence 0, else from the floor up to 1."""
    return floor + (1.0 - floor) * confidence if confidence > 0.0 else 0.0


def kelly_share(factors: Factors, fraction: float) -> float:
    """Return the share of equity that a shrunk Kelly fraction would risk, 0 without an edge."""
    odds = factors.payoff
    edge = (odds + 1.0) * factors.probability - 1.0
    if edge <= 0.0 or odds <= 0.0:
        return 0.0
    doubt = ((odds + 1.0) * factors.error) ** 2
    return fraction * (edge * edge / (edge * edge + doubt)) * edge / odds


class PositionSizer:
    """The shipped sizer. `size` and `size_group` are pure."""

    def __init__(self, *, settings: HEANSettings, section: RiskSettings) -> None:
        self._section = section
        self._risk_of_budget = decimal_of(settings.risk_of_budget)
        self._strategy_risk = _times(STRATEGY_RISK_TRADES, self._risk_of_budget)
        self._leverage = decimal_of(settings.budget_leverage)
        self._margin_share = decimal_of(section.margin_share)
        self._depth_share = decimal_of(section.depth_share)

    def size(self, entry: Entry, room: Room, place: Place, factors: Factors) -> Sizing:
        """Size one order."""
        instrument, price, stop = entry.instrument, entry.price, entry.stop
        if not stop_is_usable(entry) or stop is None:
            return Sizing(quantity=ZERO, cap="no_stop")
        scale = entry.scale
        missing = self._missing(room, factors, scale)
        if missing:
            smallest = instrument.smallest_quantity(price)
            return Sizing(quantity=ZERO, cap=missing, smallest=smallest)
        distance = abs(price - stop)
        unit = distance + _times(price, entry.cost)
        factor = self._factor(factors, scale)
        size_factor = factor_of(factor)
        allowed, source = self._risk(room, factors, size_factor)
        money, cap = self._least_money(room, allowed, source)
        bound, name = self._least_value(entry, room, place)
        quantity = _over(money, unit)
        by_value = _over(bound, price)
        if by_value < quantity:
            quantity, cap = by_value, name
        quantity, cap = self._quantity_caps(place, quantity, cap)
        if room.smallest_only:
            smallest = instrument.smallest_quantity(price)
            if quantity > smallest:
                quantity, cap = smallest, "probe"
        if quantity > ZERO:
            share, tail = room.tails.share((entry,), (_times(quantity, price),))
            if share < 1.0:
                quantity, cap = _times(quantity, decimal_of(share)), tail
        rounded = instrument.quantity_floor(quantity) if quantity > ZERO else ZERO
        notional = _times(rounded, price)
        if rounded < instrument.min_quantity or notional < instrument.min_notional or not rounded:
            smallest = instrument.smallest_quantity(price)
            return self._zero(entry, room, factor, quantity, smallest, cap)
        if self._is_near_liquidation(instrument, rounded, distance, price, room, place):
            smallest = instrument.smallest_quantity(price)
            return Sizing(
                quantity=ZERO,
                cap="liquidation",
                affordable=quantity,
                smallest=smallest,
                factor=factor,
            )
        return Sizing(
            quantity=rounded,
            risk=_times(rounded, unit),
            cap=cap,
            affordable=quantity,
            factors=_record(factors, scale, room),
            factor=factor,
        )

    def size_group(
        self,
        entries: Sequence[Entry],
        room: Room,
        places: Sequence[Place],
        factors: Factors,
        rules: GroupRules,
    ) -> tuple[Sizing, ...]:
        """Size the legs by one common value, each rounded down on its own.

        Scales are ratios between legs; for quotes they also count as such, so that a strategy may
        keep room for the quotes that follow when these have filled.
        """
        ratios = [factor_of(entry.scale) for entry in entries]
        losses = leg_losses(entries, ratios, rules)
        if losses is None:
            return (Sizing(quantity=ZERO, cap="no_stop"),)
        missing = self._missing(room, factors, 1.0 if all(ratios) else 0.0)
        if missing:
            return (Sizing(quantity=ZERO, cap=missing),)
        factor = self._factor(factors, 1.0)
        size_factor = factor_of(factor)
        allowed, source = self._risk(room, factors, size_factor)
        parts = [_times(ratio, loss) for ratio, loss in zip(ratios, losses, strict=True)]
        whole = total_of(parts)
        alone = larger_side(entries, parts) if rules.is_quotes else whole
        value, cap = _over(allowed, alone), source
        for money, name in self._money_caps(room):
            value, cap = lesser(value, cap, _over(money, whole), name)
        terms = GroupTerms(
            entries, ratios, places, rules, self._leverage, self._margin_share, self._depth_share
        )
        value, cap = value_caps(terms, room, value, cap)
        if value > ZERO:
            wanted = [_times(value, ratio) for ratio in ratios]
            share, tail = room.tails.share(entries, wanted, is_hedge=not rules.is_quotes)
            if share < 1.0:
                value, cap = _times(value, decimal_of(share)), tail
        if rules.is_quotes:
            value = _times(value, min(ONE, max(ratios)))
        value, cap = smallest_value(terms, room, value, cap)
        quantities = round_legs(terms, value)
        if quantities is None:
            name = cap if cap not in ("", "probe") and not _affords(terms, value) else "group"
            zero = _group_zero(terms, value, name)
            return (msgspec.structs.replace(zero, factor=factor),)
        if tail := _broken_by_rounding(terms, room, quantities):
            zero = _group_zero(terms, value, tail)
            return (msgspec.structs.replace(zero, factor=factor),)
        return tuple(
            Sizing(
                quantity=quantity,
                risk=_times(_times(quantity, entry.price), loss),
                cap=cap,
                affordable=quantity,
                factors=_record(factors, entry.scale, room),
                factor=factor,
            )
            for entry, quantity, loss in zip(entries, quantities, losses, strict=True)
        )

    def _missing(self, room: Room, factors: Factors, scale: float) -> str:
        """Return the name of the factor that is zero, or nothing."""
        if room.equity <= ZERO:
            return "equity"
        if room.budget <= ZERO:
            return "budget"
        if not scale > 0.0:
            return "scale"
        if not factors.regime > 0.0:
            return "regime"
        if not factors.confidence > 0.0:
            return "confidence"
        if room.multiplier <= ZERO:
            return "drawdown"
        return ""

    def _factor(self, factors: Factors, scale: float) -> float:
        """Return k, everything but drawdown that shrinks R."""
        floor = self._section.confidence_size_floor
        size = min(MOST_FACTOR, scale * factors.regime)
        return size * confidence_factor(factors.confidence, floor)

    def _risk(self, room: Room, factors: Factors, size_factor: Decimal) -> tuple[Decimal, str]:
        """Return R and the name of what set it: "" where the budget did."""
        by_budget = _times(self._risk_of_budget, room.budget)
        if size_factor != ONE:
            by_budget = _times(by_budget, size_factor)
        cap = ""
        if room.trade_risk < by_budget:
            by_budget, cap = room.trade_risk, "trade_risk"
        allowed = by_budget
        if room.multiplier != ONE:
            allowed = _times(by_budget, room.multiplier)
        if self._section.kelly_enabled and factors.payoff > 0.0:
            share = kelly_share(factors, self._section.kelly_fraction)
            kelly = _times(room.equity, factor_of(share))
            if kelly < allowed:
                return kelly, "kelly"
        return allowed, cap

    def _money_caps(self, room: Room) -> tuple[tuple[Decimal, str], ...]:
        trade = _times(_times(self._risk_of_budget, room.budget), room.multiplier)
        return (
            (_times(STRATEGY_RISK_TRADES, trade) - room.risk_used, "strategy_risk"),
            (room.open_risk_left, "open_risk"),
            (room.cluster_risk_left, "cluster_risk"),
        )

    def _least_money(self, room: Room, allowed: Decimal, source: str) -> tuple[Decimal, str]:
        least, cap = allowed, source
        if room.open_risk_left < least:
            least, cap = room.open_risk_left, "open_risk"
        if room.cluster_risk_left < least:
            least, cap = room.cluster_risk_left, "cluster_risk"
        left = _times(self._strategy_risk, room.budget)
        if room.multiplier != ONE:
            left = _times(left, room.multiplier)
        left -= room.risk_used
        return (left, "strategy_risk") if left < least else (least, cap)

    def _least_value(self, entry: Entry, room: Room, place: Place) -> tuple[Decimal, str]:
        least, cap = _times(self._leverage, room.budget) - room.bound_used, "budget"
        if entry.weight != ONE:
            least = _over(least, entry.weight)
        if room.gross_left < least:
            least, cap = room.gross_left, "gross"
        if place.left < least:
            least, cap = place.left, "instrument"
        margin = _over(_times(self._margin_share, room.available), place.margin_rate)
        if margin < least:
            least, cap = margin, "margin"
        return least, cap

    def _quantity_caps(self, place: Place, quantity: Decimal, cap: str) -> tuple[Decimal, str]:
        if place.depth is not None:
            depth = _times(self._depth_share, place.depth)
            if depth < quantity:
                quantity, cap = depth, "depth"
        if place.venue_max < quantity:
            quantity, cap = place.venue_max, "venue_max"
        return quantity, cap

    def _zero(
        self,
        entry: Entry,
        room: Room,
        factor: float,
        quantity: Decimal,
        smallest: Decimal,
        cap: str,
    ) -> Sizing:
        instrument, price, stop = entry.instrument, entry.price, entry.stop
        name = cap
        if cap in ("", "probe"):
            name = "min_quantity" if smallest <= instrument.min_quantity else "min_notional"
        sentence = f"affords {max(quantity, ZERO):.9g}, smallest is {smallest.normalize():f}"
        scaled = _times(factor_of(factor), room.multiplier)
        if cap in ("", "budget") and scaled > ZERO and stop is not None:
            needed = minimum_viable_budget(
                instrument,
                price,
                stop_fraction=_over(abs(price - stop), price),
                cost_fraction=entry.cost,
                risk_of_budget=self._risk_of_budget,
                budget_leverage=_over(self._leverage, entry.weight),
                size_factor=scaled,
            )
            sentence = f"needs {needed:.2f}"
        return Sizing(
            quantity=ZERO,
            cap=name,
            affordable=quantity,
            smallest=smallest,
            sentence=sentence,
            factor=factor,
        )

    def _is_near_liquidation(
        self,
        instrument: Instrument,
        quantity: Decimal,
        distance: Decimal,
        price: Decimal,
        room: Room,
        place: Place,
    ) -> bool:
        if instrument.is_spot:
            return False
        kept = _times(_times(quantity, price), place.maintenance_rate)
        return room.balance - kept < _times(_times(LIQUIDATION_DISTANCES, distance), quantity)


def _record(factors: Factors, scale: float, room: Room) -> tuple[tuple[str, float], ...]:
    return (
        ("scale", scale),
        ("regime", factors.regime),
        ("confidence", factors.confidence),
        ("drawdown", float(room.multiplier)),
    )


def _affords(terms: GroupTerms, value: Decimal) -> bool:
    """Return whether every leg alone reaches its smallest order."""
    return all(
        _times(value, ratio) >= _times(one.instrument.smallest_quantity(one.price), one.price)
        for one, ratio in zip(terms.entries, terms.ratios, strict=True)
    )


def _broken_by_rounding(terms: GroupTerms, room: Room, quantities: Sequence[Decimal]) -> str:
    """Return the tail limit that rounded legs break: one that mends the book may lose more."""
    if terms.rules.is_quotes:
        return ""
    values = [_times(q, one.price) for q, one in zip(quantities, terms.entries, strict=True)]
    share, tail = room.tails.share(terms.entries, values, is_hedge=True)
    return tail if share < 1.0 else ""


def _group_zero(terms: GroupTerms, value: Decimal, cap: str) -> Sizing:
    """Return the refusal of a group, told by the leg that comes least far.

    Where every leg alone reaches its smallest order, their whole lots do not match; then the limit
    is that leg's next lot.
    """
    told: tuple[Decimal, Decimal, Entry] | None = None
    for entry, ratio in zip(terms.entries, terms.ratios, strict=True):
        instrument = entry.instrument
        wanted, limit = _over(_times(value, ratio), entry.price), _smallest(entry)
        if wanted >= limit:
            limit = instrument.quantity_floor(wanted) + instrument.lot_step
        if told is None or wanted * told[1] < told[0] * limit:
            told = (wanted, limit, entry)
    assert told is not None
    affordable, smallest, entry = told
    return Sizing(
        quantity=ZERO,
        cap=cap,
        affordable=affordable,
        smallest=smallest,
        sentence=f"{value:.2f} for each unit of its legs; {entry.instrument.id} needs {smallest}",
    )


def _smallest(entry: Entry) -> Decimal:
    return entry.instrument.smallest_quantity(entry.price)
