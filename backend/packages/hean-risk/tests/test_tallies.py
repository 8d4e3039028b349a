from __future__ import annotations

from decimal import Decimal

import pytest

from hean.core.events.market import Side
from hean.risk.tallies import InstrumentTally, Tally


@pytest.mark.parametrize(
    ("net", "bought", "sold"), [("0", 30, 20), ("50", 80, -30), ("-50", -20, 70)]
)
def test_an_opposite_net_gives_room(net: str, bought: int, sold: int) -> None:
    """With bids of 30 and asks of 20 each side carries what works there and the net towards it."""
    tally = InstrumentTally(net=Decimal(net), buys=Decimal(30), sells=Decimal(20))
    assert (tally.on_side(Side.BUY), tally.on_side(Side.SELL)) == (bought, sold)


def test_a_new_tally_holds_nothing() -> None:
    """Risk, notional and bound value start at zero, and two tallies share none of it."""
    first, second = Tally(), Tally()
    first.risk += Decimal(1)
    assert (second.risk, second.notional, second.bound) == (0, 0, 0)
