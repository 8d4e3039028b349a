from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.core.events.decision import OrderRequest, SignalRejected
from hean.core.events.market import Side
from hean.core.events.strategy import Intent, OrderStyle
from hean.core.testing import BTC, ETH, SOL, position_closed, position_opened, signal
from hean.risk import RiskSettings
from hean.risk.hit_rates import LEAST_TRADES, MOST_TRADES, UNKNOWN
from hean.risk.testing import RiskSystem

DAY = 86_400


def account(*, kelly: bool = True, fraction: float = 0.25) -> RiskSystem:
    """Return an account of 3,000 whose losses block nobody."""
    section = RiskSettings(kelly_enabled=kelly, kelly_fraction=fraction, loss_streak_enabled=False)
    return RiskSystem("alpha", "beta", capital="3000", section=section)


def end(system: RiskSystem, *results: str) -> None:
    """Close positions of alpha with these R-multiples."""
    for one in results:
        system.flat("alpha", BTC, net=one)


def ask(system: RiskSystem, kind: str, number: int = 1) -> None:
    """Ask for an order, a pair of legs, or a pair of quotes."""
    system.tick()
    system.beat()
    sides = (Side.BUY,) if kind == "open" else (Side.BUY, Side.SELL)
    intent = {"open": Intent.OPEN, "pair": Intent.LEG, "quotes": Intent.QUOTE}[kind]
    for leg, side in enumerate(sides):
        instrument, price = (SOL, 200.0) if kind == "pair" and leg else (ETH, 3_500.0)
        found = signal(
            "alpha", side, number=number + leg, intent=intent, style=OrderStyle.POST_ONLY,
            limit=price, stop=price * (1 - 0.02 * side.sign), targets=(), instrument=instrument,
            group=kind, leg=leg, legs=len(sides), at=system.now,
        )  # fmt: skip
        system.bus.publish(replace(found, group_stop_bp=200.0) if kind != "open" else found)
    system.bus.settle()


def test_six_wins_of_two_and_four_losses_of_one() -> None:
    """Jeffreys: p = 6.5/11; with one R each as a prior the payoff is (13/7) over (5/5)."""
    system = account()
    end(system, *["2"] * 6, *["-1"] * 4)
    found = system.risk.hit_rates.of("alpha")
    assert found.probability == pytest.approx(6.5 / 11)
    assert found.payoff == pytest.approx(13 / 7)
    assert found.error == pytest.approx(math.sqrt((6.5 / 11) * (4.5 / 11) / 12))
    assert system.risk.hit_rates.of("beta") == UNKNOWN


def test_it_says_nothing_before_ten_wins_and_losses() -> None:
    """A net result of 0 is neither, so nine wins and a zero leave the hit rate unknown."""
    system = account()
    end(system, *["1"] * (LEAST_TRADES - 1), "0")
    assert system.risk.hit_rates.of("alpha") == UNKNOWN
    end(system, "1")
    assert system.risk.hit_rates.of("alpha") != UNKNOWN


def test_the_legs_of_a_group_are_one_outcome() -> None:
    """A leg that wins 3 and one that loses 1 are one win."""
    system = account()
    for _ in range(LEAST_TRADES):
        for instrument in (BTC, ETH):
            opened = position_opened("alpha", instrument=instrument, at=system.now)
            system.take(replace(opened, group="pair"))
        system.take(position_closed("alpha", net="3", instrument=BTC, at=system.now))
        assert system.risk.hit_rates.of("alpha").probability == 0.0
        system.take(position_closed("alpha", net="-1", instrument=ETH, at=system.now))
        if system.risk.hit_rates.of("alpha") != UNKNOWN:
            break
    assert system.risk.hit_rates.of("alpha").probability == pytest.approx(10.5 / 11)


def test_only_the_newest_two_hundred_count() -> None:
    """Losses that two hundred wins have followed are forgotten."""
    system = account()
    end(system, *["-1"] * 20, *["1"] * MOST_TRADES)
    assert system.risk.hit_rates.of("alpha").probability == pytest.approx(200.5 / 201)


@pytest.mark.parametrize("kind", ["open", "pair", "quotes"])
def test_no_edge_is_no_size_until_thirty_days_are_over(kind: str) -> None:
    """At an edge of 0 or less the size is zero under `sizer.kelly`; time alone ends it."""
    system = account()
    end(system, *["1", "-1.2"] * 6)
    ask(system, kind)
    assert system.orders() == []
    assert "sizer.kelly" in [one.layer for one in system.of(SignalRejected)]
    system.advance(30 * DAY)
    system.reconcile()
    ask(system, kind, number=9)
    assert system.orders()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["-2", "-1", "-0.5", "0", "0.7", "1.5", "4"]), max_size=30),
    st.sampled_from(["open", "pair", "quotes"]),
)
@example(["4"] * 30, "open")
@example(["4"] * 30, "pair")
@example(["4"] * 30, "quotes")
def test_kelly_only_lowers(results: list[str], kind: str) -> None:
    """Whatever the outcomes were, no order with Kelly is larger or riskier than without it."""
    plain, shrunk = account(kelly=False), account()
    sizes: list[list[tuple[Decimal, Decimal]]] = []
    for system in (plain, shrunk):
        end(system, *results)
        ask(system, kind)
        sizes.append([(one.quantity, one.risk) for one in system.of(OrderRequest)])
    assert sizes[0]
    for (most, risk), (quantity, less) in zip(sizes[0], sizes[1], strict=False):
        assert quantity <= most
        assert less <= risk
    found = shrunk.risk.hit_rates.of("alpha")
    edge = (found.payoff + 1.0) * found.probability - 1.0
    if found.payoff and edge <= 0.0:
        assert sizes[1] == []
    if not found.payoff:
        assert sizes[1] == sizes[0]


def test_kelly_is_a_share_of_equity() -> None:
    """With p, b and s of ten trades R is 5 % of the shrunk stake of 3,000, below the budget's."""
    system = account(fraction=0.05)
    end(system, *["1"] * 6, *["-1"] * 4)
    found = system.risk.hit_rates.of("alpha")
    edge = (found.payoff + 1.0) * found.probability - 1.0
    doubt = ((found.payoff + 1.0) * found.error) ** 2
    stake = 0.05 * edge**2 / (edge**2 + doubt) * edge / found.payoff * 3_000
    ask(system, "open")
    (order,) = system.orders()
    lot = 0.01 * 3_500.0 * (0.02 + 0.00095)
    assert stake - lot < float(order.risk) <= stake + 1e-6
    assert stake < 15.0


def test_a_snapshot_keeps_outcomes_and_open_groups() -> None:
    """P10: restored between two legs of a group, the second completes the same outcome."""
    system = account()
    end(system, *["2"] * 6, *["-1"] * 3)
    for instrument in (BTC, ETH):
        opened = position_opened("alpha", instrument=instrument, at=system.now)
        system.take(replace(opened, group="pair"))
    end(system, "-3")
    again = system.resumed()
    for one in (system, again):
        assert one.risk.hit_rates.of("alpha") == UNKNOWN
        one.flat("alpha", ETH, net="1")
    assert again.risk.hit_rates.of("alpha") == system.risk.hit_rates.of("alpha") != UNKNOWN
    assert again.risk.hit_rates.snapshot() == system.risk.hit_rates.snapshot()
