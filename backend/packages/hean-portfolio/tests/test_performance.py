from __future__ import annotations

import math
import random
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hean.core.events import (
    ActiveStrategiesChanged,
    CapitalAllocated,
    EquityUpdated,
    Side,
    Tier,
)
from hean.core.testing import (
    BTC,
    HOUR,
    START,
    MiniSystem,
    filled,
    mark,
    order_request,
    position_closed,
    profile,
    registered,
)
from hean.portfolio import Portfolio, Standing

from .scenes import booted, fill_of, shadow_closed


def with_strategies(*names: str) -> tuple[MiniSystem, Portfolio]:
    """Return a started system that knows these strategies, the first active."""
    system, portfolio = booted("10000")
    for name in names:
        system.take(registered(profile(name)))
    system.take(
        ActiveStrategiesChanged(
            ts_event=START,
            ts_init=START,
            version=100,
            mode="NORMAL",
            epoch=0,
            active=names[:1],
            lines=(),
        )
    )
    return system, portfolio


def test_the_bins_of_one_position_add_up_to_its_r_multiple() -> None:
    """A position over three bins gives each its part, together its R-multiple."""
    system, portfolio = with_strategies("alpha")
    order = order_request("alpha", quantity="0.01", price="100000", risk="20")
    system.take(order, filled(order, fee_rate="0"))
    system.take(mark(101_000.0, at=START + 7 * HOUR), mark(99_000.0, at=START + 15 * HOUR))
    system.take(
        fill_of("alpha", Side.SELL, "0.01", "104000", number=9, fee="2", at=START + 17 * HOUR)
    )
    system.advance(8 * 3600)
    bins = portfolio.performance.series["alpha"].bins
    assert [one.x for one in bins] == pytest.approx([0.5, -1.0, 2.4])
    assert [one.on_account for one in bins] == [True, True, True]


def test_flat_bins_of_the_active_are_zeros_and_of_others_shadows() -> None:
    """An active strategy's flat bin is an account bin of 0; an inactive one's weighs half."""
    system, portfolio = with_strategies("alpha", "beta")
    system.take(shadow_closed("beta", -1.5))
    system.advance(17 * 3600)
    alpha, beta = (portfolio.performance.series[one].bins for one in ("alpha", "beta"))
    assert [(one.x, one.weight) for one in alpha] == [(0.0, 1.0), (0.0, 1.0)]
    assert [(one.x, one.weight) for one in beta] == [(-1.5, 0.5), (0.0, 0.5)]


def test_what_cannot_run_has_no_bins() -> None:
    """A strategy the feed cannot carry is unknown, not flat: it has the group's belief, no bin."""
    system, portfolio = with_strategies("alpha", "beta")
    unfed = replace(registered(profile("gamma")), cannot_run_because="it needs trades")
    system.take(unfed)
    system.take(replace(registered(profile("delta")), enabled=False))
    system.advance(17 * 3600)
    series = portfolio.performance.series
    assert [len(series[one].bins) for one in ("alpha", "beta", "gamma", "delta")] == [2, 2, 0, 0]
    assert portfolio.performance.standings()["gamma"].belief.mean == 0.0
    assert portfolio.kinship.measured()[1] == ()


def test_a_group_is_one_outcome() -> None:
    """Two legs of a group count once, with their net over their common R."""
    system, portfolio = with_strategies("alpha")
    for number, side, at in ((1, Side.BUY, "100000"), (2, Side.SELL, "100100")):
        order = order_request("alpha", side, number=number, quantity="0.01", price=at, risk="10")
        instrument = BTC if number == 1 else "ETHUSDT-PERP.BYBIT"
        order = replace(order, group="pair", instrument=instrument)
        system.take(order, filled(order, fee_rate="0"))
    system.take(
        fill_of("alpha", Side.SELL, "0.01", "101000", number=8),
        fill_of("alpha", Side.BUY, "0.01", "100600", number=9, instrument="ETHUSDT-PERP.BYBIT"),
    )
    series = portfolio.performance.series["alpha"]
    assert series.trades == series.outcomes == 1
    assert series.account_x == pytest.approx(5 / 20)


def test_scaling_every_trade_changes_nothing() -> None:
    """B1: the same trades at ten times the size give the same z, t and deflated probability."""
    found: list[Standing] = []
    for size in ("1", "10"):
        system, portfolio = with_strategies("alpha", "beta")
        draw = random.Random(5)
        for number in range(60):
            net = Decimal(round(draw.gauss(0.2, 1.0), 3)) * Decimal(size)
            system.take(
                position_closed(
                    "alpha", net=str(net), risk=size, at=START + number * 8 * HOUR + HOUR
                )
            )
        found.append(portfolio.performance.standings()["alpha"])
    assert found[0] == found[1]
    assert found[0].belief.evidence > 0.0


def test_frequency_alone_is_no_evidence() -> None:
    """B2: fifty trades a day of small R and one of large R, equal daily Sharpe: equal z."""
    system, portfolio = with_strategies("fast", "slow")
    draw = random.Random(11)
    for day in range(200):
        at = START + day * 24 * HOUR + HOUR
        trades = [draw.gauss(0.2 / 50**0.5, 1.0) for _ in range(50)]
        for one in trades:
            system.take(position_closed("fast", net=f"{one:.6f}", risk="1", at=at))
        whole = 50 * math.fsum(trades) / 50**0.5
        system.take(position_closed("slow", net=f"{whole:.6f}", risk="50", at=at))
    system.advance(8 * 3600)
    beliefs = {name: one.belief for name, one in portfolio.performance.standings().items()}
    fast, slow = beliefs["fast"], beliefs["slow"]
    assert abs(fast.mean - slow.mean) < 0.5 * slow.error
    assert abs(fast.evidence - slow.evidence) < 0.5
    assert slow.evidence > 1.0


def test_shadow_outcomes_move_no_money() -> None:
    """B6, J16: shadow closes alone change nothing in equity, wallet or weights."""
    system, portfolio = with_strategies("alpha", "beta")
    before = portfolio.ledger.balances()
    equity = len(system.of(EquityUpdated))
    allocated = len(system.of(CapitalAllocated))
    for _ in range(10):
        system.take(shadow_closed("alpha", 1.0), shadow_closed("beta", -1.0))
    assert portfolio.ledger.balances() == before
    assert len(system.of(EquityUpdated)) == equity
    assert len(system.of(CapitalAllocated)) == allocated


def test_a_changed_version_starts_a_new_series_and_a_trial() -> None:
    """Other parameters are another strategy: its bins are gone, the trials are one more."""
    system, portfolio = with_strategies("alpha", "beta")
    system.advance(9 * 3600)
    assert portfolio.performance.trials == 2
    changed = replace(profile("alpha"), version="2")
    system.take(registered(changed, at=system.now))
    assert portfolio.performance.series["alpha"].bins == []
    assert portfolio.performance.trials == 3


def test_a_tier_changes_with_a_bin_and_not_with_a_restart() -> None:
    """P10: a proven strategy's fiftieth trade makes it FULL at the bin's end, restored or not."""
    for restarts in (False, True):
        system, portfolio = with_strategies("alpha", "beta")
        for number in range(49):
            at = START + number * 8 * HOUR + HOUR
            system.take(position_closed("alpha", net="1" if number % 3 else "0.4", at=at))
        system.advance(8 * 3600)
        system.take(position_closed("alpha", net="1", at=system.now))
        if restarts:
            portfolio.performance.restore(portfolio.performance.snapshot())
        assert portfolio.performance.standings()["alpha"].tier is Tier.TRIAL
        system.advance(8 * 3600)
        assert portfolio.performance.standings()["alpha"].tier is Tier.FULL


def test_worthless_strategies_stay_on_trial() -> None:
    """B3 in small: of eleven worthless strategies none becomes FULL, a proven one does."""
    system, portfolio = with_strategies(*(f"s{n:02d}" for n in range(11)), "proven")
    draw = random.Random(4)
    for number in range(90):
        at = START + number * 8 * HOUR + HOUR
        for name in portfolio.performance.series:
            net = draw.gauss(0.9 if name == "proven" else 0.0, 1.0)
            system.take(position_closed(name, net=f"{net:.6f}", at=at))
    system.advance(8 * 3600)
    tiers = {name: one.tier for name, one in portfolio.performance.standings().items()}
    assert tiers.pop("proven") is Tier.FULL
    assert set(tiers.values()) == {Tier.TRIAL}
