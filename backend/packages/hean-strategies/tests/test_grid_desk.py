from __future__ import annotations

from math import log

import pytest

from hean.core.testing import BTC, MINUTE, START, bar, btc_perpetual
from hean.strategies.grid_desk import GridDesk, GridState, take_bar
from hean.strategies.pace import DAY_NS
from hean.strategies.spec import ENHANCED_GRID


def test_bars_teach_the_volatility_of_a_second() -> None:
    """Alternating moves of 12 bp a minute are a variance of 12 bp squared over 60 seconds."""
    desk = GridDesk(instrument=BTC, specification=btc_perpetual())
    for number in range(40):
        price = 60_000.0 * (1.0012 if number % 2 else 1.0)
        take_bar(desk, bar(price, at=START + number * MINUTE))
    assert desk.variance.count == 39
    assert desk.variance.mean == pytest.approx(log(1.0012) ** 2 / 60.0, rel=1e-5)


def test_orders_are_capped_by_the_day() -> None:
    """The cap's order is the last of a UTC day; the next day starts anew."""
    state = GridState(strategy="enhanced_grid", desks={})
    found = [state.count_order(START) for _ in range(ENHANCED_GRID.daily_cap + 1)]
    assert found == [True] * ENHANCED_GRID.daily_cap + [False]
    assert state.count_order(START + DAY_NS)
