"""M7: a shock costs a strategy less than a fifth of its budget, an outage less than a third."""

from __future__ import annotations

import pytest

from hean.core.events import PositionClosed, Side
from hean.core.testing import BTC

from .outage import check_outcomes
from .shocks import PAIRS, ROWS, SHOCKS, Shock, run

BY_NAME = {one.name: one for one in SHOCKS}


@pytest.mark.parametrize("strategy", sorted(ROWS))
@pytest.mark.parametrize("name", ["news", "outage"])
def test_each_strategy_survives_the_worst_of_them(strategy: str, name: str) -> None:
    """M7: holding what it would hold and doing nothing, it loses less than its limit."""
    shock = BY_NAME[name]
    found = run(strategy, shock)
    assert found.held
    assert found.budget > 0
    assert found.loss > 0 or strategy in PAIRS
    assert found.share < shock.limit
    found.composed.check()
    check_outcomes(found.composed)


@pytest.mark.parametrize("shock", SHOCKS, ids=lambda one: one.name)
@pytest.mark.parametrize("side", list(Side))
def test_each_shock_is_survived_on_both_sides(shock: Shock, side: Side) -> None:
    """M7: the tightest stop with the largest value meets every shock, long and short."""
    found = run("hf_scalping", shock, side)
    assert found.held
    assert found.share < shock.limit
    found.composed.check()
    check_outcomes(found.composed)
    against = (found.composed.prices[BTC] - 60_000.0) * side.sign < -600.0
    if against and shock.name != "chop":
        assert [one.exit_reason for one in found.composed.of(PositionClosed)] == ["stop"]
        assert found.composed.held(BTC, "hf_scalping") == 0
