from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from hean.config import HEANSettings
from hean.core.events import OrderStyle
from hean.core.testing import BTC, ETH, MiniSystem, btc_perpetual, eth_perpetual, mark, profile
from hean.portfolio.minimum_budget import MinimumBudgets

TAKER = (OrderStyle.LIMIT_IOC,)


def budgets() -> MinimumBudgets:
    """Return budgets with BTC at 100,000 and ETH at 3,500."""
    system = MiniSystem(instruments=(btc_perpetual(), eth_perpetual()))
    system.take(mark(100_000.0), mark(3_500.0, instrument=ETH))
    return MinimumBudgets(HEANSettings(), system.view)


@pytest.mark.parametrize(("instrument", "expected"), [(BTC, 85.20), (ETH, 29.82)])
def test_the_documented_budgets(instrument: str, expected: float) -> None:
    """A 2 % stop needs 85.20 on BTC at 100,000 and 29.8 on ETH at 3,500, to half a per cent."""
    one = replace(profile(stop_bp=200.0), instruments=(instrument,), styles=TAKER)
    assert budgets().of(one, 1.0) == pytest.approx(expected, rel=0.005)


def test_the_cheapest_instrument_counts_and_size_factors_raise_it() -> None:
    """Of several instruments the cheapest decides; at half the size factor risk needs double."""
    one = replace(profile(stop_bp=200.0), instruments=(BTC, ETH), styles=TAKER)
    found = budgets()
    assert found.of(one, 1.0) == pytest.approx(29.82, rel=0.005)
    assert found.of(one, 0.5) == pytest.approx(2 * found.of(one, 1.0))
    assert found.of(one, 0.0) == math.inf
    assert found.of(replace(one, instruments=("NONE",)), 1.0) == 0.0


def test_legs_that_must_match_need_what_the_planner_says() -> None:
    """A pair of BTC and ETH at a 0.6 % stop needs its matching lots: 70, as the sizer reckons."""
    pair = replace(profile(stop_bp=60.0, legs=2), instruments=(BTC, ETH), styles=TAKER)
    found = budgets()
    assert found.of(pair, 1.0) == pytest.approx(70.0, rel=0.005)
    assert found.of(pair, 0.5) == pytest.approx(72.24, rel=0.005)
    assert found.of(replace(pair, instruments=("NONE",)), 1.0) == 0.0
    found.forget()
    assert found.of(pair, 1.0) == pytest.approx(70.0, rel=0.005)
