"""Instruments and their arithmetic: the one place where floats become exchange decimals.

Prices count in ticks, quantities in lots. Every Decimal operation that may round uses `MONEY`
(28 digits, half-even); quantities round down to the lot step, once.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

MONEY: Final = Context(prec=28, rounding=ROUND_HALF_EVEN)
"""The only Decimal context of HEAN."""

ZERO: Final = Decimal(0)


class InstrumentKind(StrEnum):
    """What is traded: a linear perpetual (margined in USDT) or spot (paid in full)."""

    LINEAR_PERPETUAL = "linear_perpetual"
    SPOT = "spot"


class MarginTier(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One step of the venue's risk limit: rates that hold up to a position value in USDT."""

    limit: Decimal
    initial_rate: Decimal
    maintenance_rate: Decimal
    deduction: Decimal = ZERO


class Instrument(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Trading rules of one instrument, as read from its venue.

    Fees are fractions of notional (0.0002 = 2 bp, negative = rebate). Empty `tiers` mean the stated
    default: one tier, initial rate 1/`max_leverage`, maintenance half of it. `borrowable` says
    whether spot may be sold short.
    """

    id: str
    symbol: str
    kind: InstrumentKind
    base: str
    quote: str
    tick_size: Decimal
    lot_step: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    max_market_quantity: Decimal
    min_notional: Decimal
    max_leverage: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    funding_interval_ns: int = 0
    funding_lower: float | None = None
    funding_upper: float | None = None
    tiers: tuple[MarginTier, ...] = ()
    borrowable: bool = False

    @property
    def is_spot(self) -> bool:
        return self.kind is InstrumentKind.SPOT

    @property
    def venue(self) -> str:
        return self.id.rpartition(".")[2]

    @property
    def tick(self) -> float:
        """The tick size as a float, for analytics only."""
        return self.__dict__.get("_tick") or self._keep("_tick", float(self.tick_size))

    @property
    def lot(self) -> float:
        """The lot step as a float, for analytics only."""
        return self.__dict__.get("_lot") or self._keep("_lot", float(self.lot_step))

    def _keep(self, name: str, value: float) -> float:
        vars(self)[name] = value
        return value

    def margin_tiers(self) -> tuple[MarginTier, ...]:
        """Return the venue's tiers, or the stated default of one."""
        if self.tiers:
            return self.tiers
        initial = MONEY.divide(Decimal(1), self.max_leverage)
        half = MONEY.divide(initial, Decimal(2))
        return (MarginTier(limit=Decimal("1e18"), initial_rate=initial, maintenance_rate=half),)

    def ticks_of(self, price: float) -> int:
        """Return the nearest whole number of ticks."""
        return round(price / self.tick)

    def price_of(self, ticks: int) -> Decimal:
        """Return the exact price of a tick count."""
        return MONEY.multiply(self.tick_size, Decimal(ticks))

    def price(self, value: float) -> Decimal:
        """Return the Decimal price on the grid nearest to a float price."""
        return MONEY.multiply(self.tick_size, Decimal(round(value / self.tick)))

    def price_floor(self, value: Decimal) -> Decimal:
        """Return the highest grid price not above `value`."""
        count = MONEY.divide(value, self.tick_size).to_integral_value(ROUND_FLOOR)
        return MONEY.multiply(count, self.tick_size)

    def price_ceiling(self, value: Decimal) -> Decimal:
        """Return the lowest grid price not below `value`."""
        count = MONEY.divide(value, self.tick_size).to_integral_value(ROUND_CEILING)
        return MONEY.multiply(count, self.tick_size)

    def quantity(self, value: float) -> Decimal:
        """Return a market-data quantity as Decimal lots (nearest lot)."""
        return MONEY.multiply(self.lot_step, Decimal(round(value / self.lot)))

    def quantity_floor(self, value: Decimal) -> Decimal:
        """Round a quantity down to the lot step; below one lot it is zero."""
        count = MONEY.divide(value, self.lot_step).to_integral_value(ROUND_DOWN)
        return MONEY.multiply(count, self.lot_step)

    def smallest_quantity(self, price: Decimal) -> Decimal:
        """Return the smallest quantity tradable at a price: both minimums met, in whole lots."""
        by_notional = MONEY.divide(self.min_notional, price)
        needed = max(self.min_quantity, by_notional)
        count = MONEY.divide(needed, self.lot_step).to_integral_value(ROUND_CEILING)
        return MONEY.multiply(count, self.lot_step)

    def fee_rate(self, *, maker: bool) -> Decimal:
        """Return the fee as a fraction of notional; negative is a rebate."""
        return self.maker_fee if maker else self.taker_fee


def decimal_of(value: float) -> Decimal:
    """Turn a mark, index or rate, which keep no grid, into Decimal through its shortest text."""
    return _shortest(value) if value else Decimal(repr(value))


@lru_cache(maxsize=256, typed=True)
def _shortest(value: float) -> Decimal:
    # a mark is asked for by equity, exposure and venue in turn; zero has two texts
    return Decimal(repr(value))


def significant(value: float) -> float:
    """Return a number as decisions carry it: 9 significant digits."""
    return float(f"{value:.9g}") if value else float(value)


def minimum_viable_budget(
    instrument: Instrument,
    price: Decimal,
    *,
    stop_fraction: Decimal,
    cost_fraction: Decimal,
    risk_of_budget: Decimal,
    budget_leverage: Decimal,
    size_factor: Decimal = Decimal(1),
) -> Decimal:
    """Return B_min, the smallest budget in USDT with which one minimal order fits.

    `stop_fraction` and `cost_fraction` are fractions of price; `size_factor` is k·m.
    B_min = max(loss/(risk_of_budget·k·m), N_min/budget_leverage), loss = N_min(d + c).
    """
    smallest = MONEY.multiply(instrument.smallest_quantity(price), price)
    loss = MONEY.multiply(smallest, stop_fraction + cost_fraction)
    by_risk = MONEY.divide(loss, MONEY.multiply(risk_of_budget, size_factor))
    return max(by_risk, MONEY.divide(smallest, budget_leverage))
