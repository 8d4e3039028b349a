from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.events.decision import OrderRequest, SignalRejected
from hean.core.events.reasons import ReasonCode
from hean.core.events.risk import BudgetSource, RiskEnvelope
from hean.core.testing import ETH, SOL, signal
from hean.risk.testing import RiskSystem

NAMES = tuple("abcdefghijk")


def budgets(system: RiskSystem) -> dict[str, Decimal]:
    """Return every strategy's budget in the newest envelope."""
    found = system.risk.sentinel.envelope()
    return {one.strategy: one.budget for one in found.strategies}


def test_without_an_allocation_capital_is_split_equally_under_the_cap() -> None:
    """At 300 USDT two active strategies get 120 each, eight get 30, eleven 21.81."""
    system = RiskSystem(*NAMES)
    for count, amount in ((2, "120"), (8, "30"), (11, "21.81")):
        system.activate(*NAMES[:count])
        found = budgets(system)
        assert {found[name] for name in NAMES[:count]} == {Decimal(amount)}
        assert sum(found.values()) <= 240


def test_a_newcomer_waits_for_its_allocation() -> None:
    """E2: between a new active set and its allocation old weights hold and newcomers get 0."""
    system = RiskSystem("a", "b", "c")
    system.activate("a", "b")
    system.allocate({"a": 0.4, "b": 0.3})
    system.activate("b", "c")
    found = budgets(system)
    assert found == {"a": 0, "b": Decimal(90), "c": 0}
    assert system.of(RiskEnvelope)[-1].source is BudgetSource.PENDING


def test_a_newcomer_s_signal_before_its_allocation_is_refused() -> None:
    """E2: between the new active set and its allocation it has no budget; the sum is as before."""
    system = RiskSystem("a", "b", "c")
    system.activate("a", "b")
    system.allocate({"a": 0.4, "b": 0.3})
    before = sum(budgets(system).values())
    system.activate("a", "b", "c")
    asked = signal("c", limit=3_500.0, stop=3_430.0, targets=(), instrument=ETH, at=system.now)
    system.take(asked)
    refused = system.of(SignalRejected)[-1]
    assert (refused.code, refused.layer) == (ReasonCode.POSITION_SIZER_ZERO, "sizer.budget")
    assert sum(budgets(system).values()) == before == 210


def test_a_signal_of_the_dispatch_that_lost_equity_meets_the_new_budget() -> None:
    """E7: equity falls 4 %; before any beat the next signal's R is 2.5 % of a budget of 345.60."""
    system = RiskSystem("a", "b", capital="900")
    system.equity("864")
    asked = signal("a", limit=200.0, stop=190.0, targets=(), instrument=SOL, at=system.now)
    system.take(asked)
    (order,) = system.of(OrderRequest)
    assert order.risk <= Decimal("4.32") < Decimal("4.5")
    assert order.risk > Decimal("4.32") - Decimal("0.1") * 200 * Decimal("0.0513")


def test_the_grace_ends_in_the_equal_split() -> None:
    """After 60 s without a matching allocation the active strategies share equally."""
    system = RiskSystem("a", "b")
    system.allocate({"a": 0.4, "b": 0.3})
    system.activate("b")
    system.advance(60)
    assert budgets(system) == {"a": 0, "b": Decimal(120)}
    assert system.of(RiskEnvelope)[-1].source is BudgetSource.EQUAL_SPLIT


def test_older_versions_change_nothing() -> None:
    """Active sets and allocations that arrive twice or late leave the envelope as it was."""
    system = RiskSystem("a", "b")
    system.allocate({"a": 0.1, "b": 0.2}, version=5)
    before = budgets(system)
    system.activate("a", version=system.active_version)
    system.allocate({"a": 0.4, "b": 0.4}, version=4)
    assert budgets(system) == before


def test_budgets_fall_with_equity_in_the_same_dispatch() -> None:
    """A fall of 4 % in one event lowers every budget by 4 %, to the cent."""
    system = RiskSystem(*NAMES[:8])
    system.equity("288")
    assert set(budgets(system).values()) == {Decimal("28.80")}


def test_no_equity_means_no_budget() -> None:
    """At zero or negative equity every budget is 0."""
    system = RiskSystem("a")
    system.equity("-5")
    assert budgets(system) == {"a": 0}


SETS = st.lists(st.sampled_from(NAMES), unique=True, max_size=11)
STEPS = st.one_of(
    st.tuples(st.just("active"), SETS, st.integers(0, 6)),
    st.tuples(
        st.just("allocate"),
        st.dictionaries(st.sampled_from(NAMES), st.integers(0, 4000), max_size=11),
        st.integers(0, 6),
    ),
    st.tuples(st.just("equity"), st.integers(-10, 100_000), st.just(0)),
    st.tuples(st.just("wait"), st.integers(1, 90), st.just(0)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_budgets_never_exceed_the_capital(steps: list[tuple[str, object, int]]) -> None:
    """Whatever arrives, missing, late or reordered, the budgets fit and the inactive get 0."""
    system = RiskSystem(*NAMES)
    money = Decimal(300)
    for index, (kind, value, version) in enumerate(steps):
        match kind, value:
            case "active", list():
                system.activate(*map(str, value), version=version)  # pyright: ignore[reportUnknownArgumentType]
            case "allocate", dict():
                weights = {str(k): int(v) / 10_000 for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
                system.allocate(weights, version=index, active_version=version)
            case "equity", int():
                money = Decimal(value)
                system.equity(str(value))
            case _:
                system.advance(float(version) + 30.0)
        found = system.risk.sentinel.envelope()
        assert found.budgets_sum <= max(Decimal(0), money) * Decimal("0.8")
        assert all(one.active or one.budget == 0 for one in found.strategies)
