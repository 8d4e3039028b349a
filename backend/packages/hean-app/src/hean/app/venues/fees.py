"""What a fill costs, and in which coin it is taken.

Perpetuals pay in USDT. Spot, as on Bybit: a fee of a purchase is taken in base coin, of a sale in
USDT; a maker's rebate the other way round. Fees are the exact product, not rounded: the venue's
records show more digits than any step of the instrument.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import msgspec

from hean.core.events import Side
from hean.core.instruments import ZERO, Instrument


class Charge(msgspec.Struct, frozen=True, gc=False):
    """A fill's fee in USDT, the part of it taken in base coin, and what moves the position."""

    fee: Decimal
    base_fee: Decimal
    quantity: Decimal


class FeeModel(Protocol):
    """Charges one fill; `quantity` is what was executed."""

    def charge(
        self, instrument: Instrument, side: Side, price: Decimal, quantity: Decimal, *, maker: bool
    ) -> Charge: ...


class LiquidityFees:
    """The instrument's maker or taker rate on the notional."""

    def charge(
        self, instrument: Instrument, side: Side, price: Decimal, quantity: Decimal, *, maker: bool
    ) -> Charge:
        """Return the fee of a fill; a purchase paid in base coin receives less than it executed."""
        rate = instrument.fee_rate(maker=maker)
        if not instrument.is_spot or (side is Side.BUY) == (rate < 0):
            return Charge(price * quantity * rate, ZERO, quantity)
        base_fee = quantity * rate
        moved = quantity - base_fee if side is Side.BUY else quantity + base_fee
        return Charge(base_fee * price, base_fee, moved)
