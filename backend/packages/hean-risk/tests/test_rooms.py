from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.events.market import Side
from hean.core.events.portfolio import Tier
from hean.core.events.strategy import Intent
from hean.core.testing import (
    BTC_SPOT,
    ETH,
    SOL,
    accepted,
    btc_spot,
    eth_perpetual,
    order_request,
    position_opened,
    profile,
    registered,
)
from hean.risk.rooms import MOST_FACTORS, Rooms
from hean.risk.sizing import Room
from hean.risk.testing import RiskSystem


def rooms(system: RiskSystem) -> Rooms:
    """Return the rooms of a refreshed sentinel."""
    system.risk.sentinel.refresh()
    return system.risk.sentinel.rooms


def room(system: RiskSystem, strategy: str = "alpha") -> Room:
    """Return what is left for a strategy."""
    return rooms(system).room(strategy, smallest_only=False)


def quotes(system: RiskSystem, strategy: str = "alpha") -> None:
    """Have a bid and an ask of 35 USDT each at work on ETH, with a R of 0.5 each."""
    for number, side in enumerate((Side.BUY, Side.SELL)):
        system.take(
            order_request(
                strategy,
                side,
                number=number,
                intent=Intent.QUOTE,
                quantity="0.01",
                price="3500",
                risk="0.5",
                instrument=ETH,
                at=system.now,
            )
        )


def test_a_fresh_account_leaves_what_the_settings_say() -> None:
    """Of 1,000: 5 % open risk, twice gross, 0.5 % a trade in TRIAL, all of it available."""
    found = room(RiskSystem("alpha", "beta", capital="1000"))
    assert (found.equity, found.budget, found.multiplier) == (1000, 400, 1)
    assert (found.trade_risk, found.open_risk_left, found.cluster_risk_left) == (5, 50, 50)
    assert (found.gross_left, found.available, found.balance) == (2000, 1000, 1000)
    assert (found.notional_used, found.bound_used, found.risk_used) == (0, 0, 0)


def test_proof_doubles_the_stake_of_a_trade() -> None:
    """In FULL a trade may risk 1 % of equity, in TRIAL 0.5 %."""
    system = RiskSystem("alpha", capital="1000")
    system.allocate({"alpha": 0.4}, tier=Tier.FULL)
    assert room(system).trade_risk == 10


def test_drawdown_scales_the_open_risk_by_m() -> None:
    """At a drawdown of 10 % m is 0.5, so half of 5 % of 270 may be at risk."""
    system = RiskSystem("alpha")
    system.day_start = 0.9
    system.equity(nav=0.9)
    found = room(system)
    assert (found.multiplier, found.open_risk_left) == (Decimal("0.5"), Decimal("6.75"))


def test_what_is_replaced_frees_the_strategys_budget_alone() -> None:
    """Own quotes on the key give back budget; the account counts them until the venue says."""
    system = RiskSystem("alpha", capital="1000")
    quotes(system)
    before = room(system)
    assert (before.notional_used, before.risk_used, before.open_risk_left) == (70, 1, 49)
    after = rooms(system).room("alpha", smallest_only=True, replaced=("alpha", ETH))
    assert (after.notional_used, after.risk_used, after.bound_used) == (0, 0, 0)
    assert (after.open_risk_left, after.gross_left) == (49, 1930)
    assert after.smallest_only
    other = rooms(system).room("alpha", smallest_only=False, replaced=("alpha", SOL))
    assert (other.notional_used, other.risk_used, other.gross_left) == (70, 1, 1930)
    exposure = system.risk.exposure
    exposure.leave(tuple(exposure.orders))
    leaving = rooms(system).room("alpha", smallest_only=True, replaced=("alpha", ETH))
    assert leaving.notional_used == 70


def test_quotes_free_nothing_but_quotes() -> None:
    """P8: an opening at work on the same instrument still counts when quotes are declared anew."""
    system = RiskSystem("alpha", capital="1000")
    quotes(system)
    order = order_request(number=7, quantity="0.01", price="3500", instrument=ETH, at=system.now)
    system.take(order)
    after = rooms(system).room("alpha", smallest_only=False, replaced=("alpha", ETH))
    assert (after.notional_used, after.risk_used, after.bound_used) == (35, 1, 35)


def test_spot_binds_the_levered_budget_threefold() -> None:
    """What is paid in full binds its value times the leverage, what is levered its value."""
    system = RiskSystem("alpha", capital="1000", instruments=(eth_perpetual(), btc_spot()))
    system.take(
        order_request(quantity="0.001", price="60000", instrument=BTC_SPOT, at=system.now),
        order_request(number=2, quantity="0.01", price="3500", instrument=ETH, at=system.now),
    )
    found = room(system)
    assert (found.notional_used, found.bound_used) == (95, 215)


def test_margin_is_bound_from_the_mint_until_the_wallet_or_the_end() -> None:
    """A noted margin lowers what is available; the venue's next wallet, which shows it, ends it."""
    system = RiskSystem("alpha", capital="1000")
    order = order_request(at=system.now)
    system.take(order)
    rooms(system).bind_margin(order.client_order_id, Decimal(300))
    rooms(system).bind_margin("never minted", Decimal(50))
    assert room(system).available == 700
    system.take(accepted(order, at=system.now))
    assert room(system).available == 700
    system.wallet("690")
    assert room(system).available == 690


def test_available_is_never_negative() -> None:
    """More margin bound than is free leaves nothing, not less than nothing."""
    system = RiskSystem("alpha", capital="100")
    order = order_request(at=system.now)
    system.take(order)
    rooms(system).bind_margin(order.client_order_id, Decimal(101))
    assert room(system).available == 0


def test_the_balance_is_equity_less_maintenance_of_the_nets() -> None:
    """Half a percent of what is held is not the candidate's to lose; opposed nets need none."""
    system = RiskSystem("alpha", "beta", capital="1000")
    system.take(position_opened("alpha", quantity="0.1", instrument=ETH, at=system.now))
    net = system.risk.exposure.instrument(ETH).net
    assert room(system).balance == 1000 - net * Decimal("0.005")
    system.take(position_opened("beta", quantity="-0.1", instrument=ETH, at=system.now))
    assert room(system).balance == 1000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.01, 1.2), max_size=3 * MOST_FACTORS))
def test_the_size_factor_is_the_median_of_the_last_fifty(factors: list[float]) -> None:
    """It is 1 before fifty signals, and forgets what is older than these; 0 is no signal."""
    found = rooms(RiskSystem("alpha"))
    for one in factors:
        found.note_factor("alpha", one)
        found.note_factor("alpha", 0.0)
    newest = [round(one, 9) for one in factors[-MOST_FACTORS:]]
    expected = median(newest) if len(newest) == MOST_FACTORS else 1.0
    assert found.size_factor("alpha") == pytest.approx(expected, abs=1e-9)
    assert found.size_factor("beta") == 1.0


def test_carry_shares_a_quarter_and_a_cluster_half_of_the_open_risk() -> None:
    """What any member holds is gone for all; who is in neither has the whole."""
    system = RiskSystem(
        profile("alpha", cluster="trend"),
        profile("beta", cluster="trend"),
        profile("gamma", carry=True, cluster="trend"),
        profile("delta", carry=True),
        "omega",
        capital="1000",
    )
    quotes(system, "beta")
    system.take(position_opened("delta", quantity="0.1", risk="4", instrument=SOL, at=system.now))
    left = {one: room(system, one).cluster_risk_left for one in ("alpha", "beta", "gamma")}
    assert left == {"alpha": 24, "beta": 24, "gamma": Decimal("8.5")}
    assert room(system, "omega").cluster_risk_left == room(system, "omega").open_risk_left == 45


def test_the_allocation_s_cluster_goes_before_the_profile_s() -> None:
    """An allocation that names no cluster for a strategy takes it out of its profile's."""
    system = RiskSystem(profile("alpha", cluster="trend"), capital="1000")
    assert rooms(system).cluster("alpha") == "trend"
    assert room(system).cluster_risk_left == 25
    system.allocate({"alpha": 0.4})
    assert rooms(system).cluster("alpha") == ""
    assert room(system).cluster_risk_left == 50


def test_a_late_twin_is_found() -> None:
    """A profile that arrives later shares its cluster's room from then on."""
    system = RiskSystem(profile("alpha", cluster="trend"), capital="1000")
    assert room(system).cluster_risk_left == 25
    system.take(registered(profile("beta", cluster="trend"), at=system.now))
    quotes(system, "beta")
    assert room(system).cluster_risk_left == 24


def test_open_risk_left_falls_by_exactly_what_each_order_risks() -> None:
    """Each further order takes its whole R from what is left, before any fill."""
    system = RiskSystem("alpha", capital="1000")
    left = [room(system).open_risk_left]
    for number in range(5):
        system.take(order_request(number=number, risk=f"{number}.25", at=system.now))
        left.append(room(system).open_risk_left)
    assert [a - b for a, b in pairwise(left)] == [one + Decimal("0.25") for one in range(5)]
