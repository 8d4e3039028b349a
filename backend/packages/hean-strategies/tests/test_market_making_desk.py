from __future__ import annotations

import pytest

from hean.core.testing import BTC, START, btc_perpetual, quote
from hean.strategies.desk import Holding
from hean.strategies.market_making_desk import (
    MarketMakingDesk,
    MarketMakingSettings,
    fits,
    plans_of,
)
from hean.strategies.quoting import Quoted


def _desk(*, held: float = 0.0, quotes: int = 0) -> MarketMakingDesk:
    desk = MarketMakingDesk(instrument=BTC, specification=btc_perpetual())
    desk.clip = 0.01
    if held:
        sign = 1 if held > 0.0 else -1
        desk.holding = Holding(
            sign=sign, quantity=abs(held) * 0.01, entry=60_000.0, opened_at=START
        )
    for number in range(quotes):
        name = str(number)
        desk.quotes.append(
            Quoted(signal_id=name, order_id=name, sign=1, price=59_990.0, published=START)
        )
    return desk


def test_inventory_counts_in_signed_clips() -> None:
    """Two clips short read as minus two; a flat desk as nothing."""
    assert _desk(held=-2.0).clips == pytest.approx(-2.0)
    assert _desk().clips == 0.0


def test_a_quote_that_may_still_fill_counts_against_the_bound() -> None:
    """With three clips held one more fits a bound of four; with one out it does not."""
    section = MarketMakingSettings(inventory_clips=4)
    assert fits(_desk(held=3.0), 1, section)
    assert not fits(_desk(held=3.0, quotes=1), 1, section)


def test_the_other_side_is_bounded_by_itself() -> None:
    """Quotes to buy do not take room from quotes to sell."""
    assert fits(_desk(held=3.0, quotes=4), -1, MarketMakingSettings(inventory_clips=4))


def test_nothing_is_quoted_before_the_first_frame() -> None:
    """Without a frame there is no volatility, so there is no price to quote."""
    assert plans_of(_desk(), quote(), MarketMakingSettings()) == []
