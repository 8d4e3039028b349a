"""What adds up for a strategy and for an instrument, in USDT and in quantity."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hean.core.events.market import Side
from hean.core.instruments import ZERO


class Tally(msgspec.Struct):
    """Open risk and notional of one strategy; `bound` weighs spot, paid in full, by leverage."""

    risk: Decimal = ZERO
    notional: Decimal = ZERO
    bound: Decimal = ZERO


class InstrumentTally(msgspec.Struct):
    """Net position of one instrument, and what works on each side, in quantity and in USDT."""

    quantity: Decimal = ZERO
    net: Decimal = ZERO
    buys: Decimal = ZERO
    sells: Decimal = ZERO

    def on_side(self, side: Side) -> Decimal:
        """Return the value already carried or worked on one side; an opposite net gives room."""
        return self.net + self.buys if side is Side.BUY else self.sells - self.net
