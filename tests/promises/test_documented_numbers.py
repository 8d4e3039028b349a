"""The numbers that the documents state of 300 USDT, as the shipped parts make them."""

from decimal import Decimal

import pytest

from hean.app.plan_view import as_data
from hean.app.planning import make_plan, simulated_market
from hean.app.testing import settings_with
from hean.core.events import BudgetSource, RiskEnvelope
from hean.portfolio.allocation import Candidate, Limits, quantised, solve
from hean.risk.testing import RiskSystem

ELEVEN = tuple("abcdefghijk")


def test_of_300_usdt_240_are_deployable_cap_120_floor_15() -> None:
    """All three are shares of equity: 80 % of 300, 40 % of 300 and 5 % of 300, not of the 240."""
    settings = settings_with(INITIAL_CAPITAL="300")
    data = as_data(make_plan(settings, simulated_market(settings, [])))
    assert (data["deployable"], data["cap"], data["floor"]) == ("240.00", "120.00", "15.00")
    assert data["reserve"] == "60.00"
    system = RiskSystem("a")
    envelope = system.risk.sentinel.envelope()
    assert envelope.deployable == Decimal(240)
    assert envelope.budgets_sum == Decimal(120)


@pytest.mark.parametrize(("count", "share"), [(1, "120"), (2, "120"), (8, "30"), (11, "21.81")])
def test_equal_shares_split_the_240(count: int, share: str) -> None:
    """Without an allocation eleven get 240/11 = 21.81 (down to the cent), eight 30, two 120."""
    system = RiskSystem(*ELEVEN)
    system.activate(*ELEVEN[:count])
    envelope = system.risk.sentinel.envelope()
    assert envelope.source is BudgetSource.EQUAL_SPLIT
    assert {one.budget for one in envelope.strategies if one.active} == {Decimal(share)}
    assert envelope.budgets_sum <= 240


@pytest.mark.parametrize(
    ("count", "weight", "budget"), [(3, 0.2666, "79.98"), (8, 0.1, "30"), (11, 0.0727, "21.81")]
)
def test_an_equal_allocation_of_eleven_is_727_of_ten_thousand(
    count: int, weight: float, budget: str
) -> None:
    """The allocator gives eleven equals 7.27 % of equity each, which the sentinel makes 21.81."""
    limits = Limits(spend=0.8, floor=0.05, cap=0.4, shift=0.1)
    names = ELEVEN[:count]
    found = solve(
        [
            Candidate(strategy=one, target=0.8 / count, previous=quantised(0.8 / count))
            for one in names
        ],
        limits,
        lambda _: 0.4,
    )
    assert {one.weight for one in found.values()} == {weight}
    system = RiskSystem(*names)
    system.allocate({one: share.weight for one, share in found.items()})
    envelope = system.of(RiskEnvelope)[-1]
    assert {one.budget for one in envelope.strategies} == {Decimal(budget)}
