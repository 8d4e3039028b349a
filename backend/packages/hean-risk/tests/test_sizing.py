from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.core.events.market import Side
from hean.core.events.strategy import OrderStyle
from hean.core.testing import sol_perpetual
from hean.risk.sizing import Entry, Factors, GroupRules, Sizing, stop_is_usable


def entry(side: Side, price: Decimal, stop: Decimal | None) -> Entry:
    """Return a wanted order."""
    return Entry(
        instrument=sol_perpetual(),
        side=side,
        style=OrderStyle.LIMIT_IOC,
        price=price,
        stop=stop,
        scale=1.0,
        cost=Decimal("0.0013"),
        weight=Decimal(1),
    )


PRICES = st.decimals("-5", "300", places=2)


@given(st.sampled_from(list(Side)), PRICES, PRICES)
def test_a_usable_stop_lies_on_the_losing_side(side: Side, price: Decimal, stop: Decimal) -> None:
    """F4: both are prices, and hitting the stop loses; mirrored, the other side's does."""
    usable = stop_is_usable(entry(side, price, stop))
    loses = (price - stop) * side.sign > 0
    assert usable is (price > 0 and stop > 0 and loses)


def test_no_stop_is_not_usable() -> None:
    """Without a stop there is none to use."""
    assert not stop_is_usable(entry(Side.BUY, Decimal(200), None))


def test_an_answer_of_zero_carries_nothing_else() -> None:
    """A bare zero has no R, no factor but one, and names no cap that did not decide."""
    found = Sizing(quantity=Decimal(0))
    assert (found.risk, found.cap, found.factors, found.factor) == (0, "", (), 0.0)
    assert (found.affordable, found.smallest) == (0, 0)


def test_what_a_sizer_is_asked_cannot_be_changed_by_it() -> None:
    """Entries, factors and rules are frozen: a sizer is a pure function of them."""
    asked = (
        (entry(Side.BUY, Decimal(200), Decimal(190)), "stop"),
        (Factors(regime=1.0, confidence=1.0), "regime"),
        (GroupRules(), "stop"),
        (Sizing(quantity=Decimal(1)), "quantity"),
    )
    for one, name in asked:
        with pytest.raises(AttributeError):
            setattr(one, name, Decimal(9))
