from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.events.market import Side
from hean.core.events.risk import BudgetSource, RiskEnvelope, RiskState
from hean.core.testing import (
    ETH,
    SECOND,
    SOL,
    order_request,
    position_closed,
    position_opened,
    quote,
    trade,
)
from hean.risk import RiskSettings
from hean.risk.testing import RiskSystem


def envelope(system: RiskSystem) -> RiskEnvelope:
    """Return the envelope of this instant."""
    return system.risk.sentinel.envelope()


def test_every_number_stands_beside_its_limit() -> None:
    """At the peak of 300: 15 open risk, 600 gross, 45 stress (15 %), 12 CVaR (4 %), 5 % a day."""
    found = envelope(RiskSystem("alpha", "beta"))
    assert (found.open_risk_limit, found.gross_limit) == (15, 600)
    assert (found.stress_limit, found.tail_limit) == (45, 12)
    assert (found.day_loss, found.day_loss_limit) == (0.0, 0.05)
    assert (found.deployable, found.budgets_sum) == (240, 240)
    assert (found.maximum, found.free_slots, found.state) == (10, 10, RiskState.NORMAL)
    assert (found.entries_allowed, found.reason, found.source) == (
        True,
        "",
        BudgetSource.EQUAL_SPLIT,
    )


def test_drawdown_shrinks_the_cushion_and_what_may_be_at_risk() -> None:
    """At a drawdown of 10 % the cushion above the floor is 30: 22.5 stress, 6 CVaR, 6.75 risk."""
    system = RiskSystem("alpha")
    system.equity(nav=0.9)
    found = envelope(system)
    assert (found.drawdown, found.multiplier) == (0.1, 0.5)
    assert (found.stress_limit, found.tail_limit) == (Decimal("22.5"), 6)
    assert found.open_risk_limit == Decimal("6.75")


@settings(max_examples=60, deadline=None)
@given(
    st.decimals("-10", "5000", places=2),
    st.integers(1, 11),
    st.lists(st.floats(0.0, 0.4), max_size=11),
)
def test_budgets_never_exceed_what_is_deployable(
    equity: Decimal, count: int, weights: list[float]
) -> None:
    """P9, E1: whatever is active and allocated, the budgets sum to 80 % of equity at most."""
    names = [f"s{index:02d}" for index in range(count)]
    system = RiskSystem(*names)
    system.equity(str(equity))
    first = envelope(system)
    system.allocate(dict(zip(names, weights, strict=False)))
    for found in (first, envelope(system)):
        assert found.budgets_sum == sum((one.budget for one in found.strategies), Decimal(0))
        assert found.budgets_sum <= found.deployable <= max(Decimal(0), equity) * Decimal("0.8")
        assert found.budgets_sum >= 0


def test_each_envelope_has_a_version_of_its_own() -> None:
    """Asked twice in one instant it answers the same under a higher version."""
    system = RiskSystem("alpha")
    first, second = envelope(system), envelope(system)
    assert second.version == first.version + 1
    assert [one.version for one in system.of(RiskEnvelope)] == sorted(
        {one.version for one in system.of(RiskEnvelope)}
    )


def test_strategies_come_by_name_with_what_they_use_and_why_not() -> None:
    """Registered and active ones are listed sorted; who is inactive has 0 and a reason."""
    system = RiskSystem("beta", "alpha")
    system.activate("beta")
    system.take(order_request("beta", quantity="0.01", price="3500", instrument=ETH, risk="0.8"))
    found = envelope(system)
    alpha, beta = found.strategies
    assert (alpha.strategy, alpha.active, alpha.budget) == ("alpha", False, 0)
    assert alpha.reason == "STRATEGY_INACTIVE"
    assert (beta.strategy, beta.active, beta.budget, beta.weight) == ("beta", True, 120, 0.4)
    assert (beta.risk_used, beta.notional_used, beta.reason) == (Decimal("0.8"), 35, "")


def test_a_strategy_that_was_switched_off_keeps_counting_its_risk() -> None:
    """Its budget is 0 in the same dispatch and its open position's risk is still there."""
    system = RiskSystem("alpha", "beta", capital="900")
    system.take(position_opened("alpha", quantity="0.01", risk="2", instrument=ETH))
    system.activate("beta")
    found = envelope(system).strategies[0]
    assert (found.budget, found.risk_used) == (0, 2)


def test_a_streak_of_losses_names_its_block_and_end() -> None:
    """Until the block ends the strategy's line says STRATEGY_BLOCKED and when it ends."""
    system = RiskSystem("alpha", section=RiskSettings(cusum_h=3.0))
    for _ in range(40):
        system.take(position_closed("alpha", net="-1", instrument=ETH, at=system.now))
    found = envelope(system).strategies[0]
    assert found.reason == "STRATEGY_BLOCKED"
    assert found.blocked_until == system.now + 86_400 * SECOND
    system.advance(86_401)
    assert envelope(system).strategies[0].reason == ""


def test_an_instrument_carries_the_larger_of_its_sides() -> None:
    """A long of 35 with a bid of 35 and an ask of 70 carries 70, of 0.75 E."""
    system = RiskSystem("alpha", "beta")
    system.take(quote(3_499.0, 3_501.0, instrument=ETH, at=system.now))
    system.take(position_opened("alpha", quantity="0.01", price="3500", instrument=ETH))
    for number, (side, quantity) in enumerate(((Side.BUY, "0.01"), (Side.SELL, "0.02"))):
        system.take(
            order_request(
                "beta", side, number=number, quantity=quantity, price="3500", instrument=ETH
            )
        )
    found = {one.instrument: one for one in envelope(system).instruments}
    assert (found[ETH].notional, found[ETH].limit) == (70, 225)
    assert (found[SOL].notional, found[SOL].reason) == (0, "")


def test_a_blocked_instrument_names_its_reason_and_end() -> None:
    """A print 10 % away blocks SOL, and the envelope says why and until when."""
    system = RiskSystem("alpha")
    for _ in range(3):
        system.advance(1)
        system.tick()
        system.beat()
    system.take(trade(180.0, 1.0, instrument=SOL, at=system.now))
    found = {one.instrument: one for one in envelope(system).instruments}[SOL]
    assert found.reason == "crash"
    assert found.blocked_until == system.now + 900 * SECOND


def test_the_first_reason_against_entries_is_the_account_s() -> None:
    """Stale inputs and a day's loss are named; a halt of the account goes before both."""
    system = RiskSystem("alpha")
    system.equity(nav=0.95)
    assert envelope(system).reason == "DAILY_LOSS"
    system.advance(10)
    assert envelope(system).reason == "ENVELOPE_STALE"
    system.risk.sentinel.state.is_connected = False
    found = envelope(system)
    assert (found.reason, found.entries_allowed) == ("ENTRIES_HALTED", False)


def test_worst_stress_and_tail_are_those_of_the_book() -> None:
    """A long of 100 in SOL costs 45 % in M1b; its tail is 2.82 x 3 % before history is known."""
    system = RiskSystem("alpha")
    system.take(quote(199.0, 201.0, instrument=SOL, at=system.now))
    system.take(position_opened("alpha", quantity="0.5", price="200", instrument=SOL))
    found = envelope(system)
    assert (found.gross, found.worst_stress) == (100, 45)
    assert found.tail == Decimal("8.46")
