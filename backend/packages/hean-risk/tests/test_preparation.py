from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.core.events.market import Regime, RegimeChanged, Side
from hean.core.events.strategy import Intent, OrderStyle, Signal
from hean.core.instruments import MarginTier
from hean.core.testing import (
    BTC,
    BTC_SPOT,
    ETH,
    book,
    btc_perpetual,
    btc_spot,
    eth_perpetual,
    instrument_updated,
    order_request,
    position_opened,
    signal,
)
from hean.risk.preparation import Preparation
from hean.risk.testing import RiskSystem

EQUITY = Decimal(1000)


def prepared() -> tuple[RiskSystem, Preparation]:
    """Return a system with perpetuals and spot, and a preparation on it."""
    system = RiskSystem("alpha", instruments=(btc_perpetual(), eth_perpetual(), btc_spot()))
    preparation = Preparation(
        settings=system.settings,
        section=system.section,
        view=system.view,
        exposure=system.risk.exposure,
    )
    return system, preparation


def want(
    side: Side = Side.BUY,
    *,
    limit: float | None = 3_500.0,
    stop: float | None = 3_430.0,
    instrument: str = ETH,
    style: OrderStyle = OrderStyle.LIMIT_IOC,
) -> Signal:
    """Return a signal on ETH with a 2 % stop."""
    return signal(side=side, limit=limit, stop=stop, targets=(), instrument=instrument, style=style)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"instrument": "XRPUSDT-PERP.BYBIT"}, "unknown instrument"),
        ({"style": OrderStyle.MARKET}, "entries never take MARKET"),
        ({"limit": None}, "no usable limit"),
        ({"limit": 0.0}, "no usable limit"),
        ({"limit": math.inf}, "no usable limit"),
        ({"limit": math.nan}, "no usable limit"),
        ({"scale": 1.21}, "scale out of 0..1.2"),
        ({"scale": math.nan}, "scale out of 0..1.2"),
        ({"confidence": 1.01}, "strength or confidence out of 0..1"),
        ({"strength": math.nan}, "strength or confidence out of 0..1"),
        ({"targets": (3_600.0, -1.0)}, "no usable target"),
        ({"legs": 2}, "legs without a group"),
        ({"legs": 2, "intent": Intent.LEG}, ""),
        ({"legs": 2, "group": "g"}, ""),
        ({"scale": 1.2, "confidence": 0.0, "strength": 0.0}, ""),
        ({"style": OrderStyle.POST_ONLY, "stop": None}, ""),
    ],
)
def test_a_malformed_entry_is_named(changes: dict[str, object], fault: str) -> None:
    """What can be no order is told in words; a missing stop is the sizer's to refuse."""
    _, preparation = prepared()
    assert preparation.fault(replace(want(), **changes)) == fault


@settings(max_examples=100, deadline=None)
@given(st.floats(1.0, 50_000.0), st.floats(1.0, 50_000.0))
def test_prices_lie_on_the_grid(limit: float, stop: float) -> None:
    """Limit and stop become the nearest multiples of the tick, exactly."""
    _, preparation = prepared()
    found = preparation.entry(want(limit=limit, stop=stop))
    tick = Decimal("0.01")
    assert found.stop is not None
    for price, wanted in ((found.price, limit), (found.stop, stop)):
        assert price % tick == 0
        assert abs(price - Decimal(wanted)) <= tick / 2 + Decimal("1e-9")


@pytest.mark.parametrize("stop", [None, 0.0, -1.0, math.nan, math.inf])
def test_a_stop_that_is_no_price_is_none(stop: float | None) -> None:
    """NaN, infinite and non-positive stops are no stop, for the sizer to refuse."""
    _, preparation = prepared()
    assert preparation.entry(want(stop=stop)).stop is None


def test_costs_are_entry_fee_by_style_plus_the_stop_s_fee_and_slippage() -> None:
    """At the entry tier an IOC costs 5.5 + 5.5 + 2 bp, a resting order 2 + 5.5 + 2 bp."""
    _, preparation = prepared()
    assert preparation.entry(want()).cost == Decimal("0.0013")
    assert preparation.entry(want(style=OrderStyle.POST_ONLY)).cost == Decimal("0.00095")


def test_spot_is_weighed_by_the_budget_s_leverage() -> None:
    """Spot is paid in full, so a USDT of it binds three of a budget levered threefold."""
    _, preparation = prepared()
    assert preparation.entry(want()).weight == 1
    assert preparation.entry(want(instrument=BTC_SPOT)).weight == 3


def test_new_rules_of_an_instrument_count_at_once() -> None:
    """After an update the grid and the costs are the new ones."""
    system, preparation = prepared()
    before = preparation.entry(want(limit=3_500.123))
    rules = replace(eth_perpetual(), tick_size=Decimal("0.1"), taker_fee=Decimal("0.001"))
    system.take(instrument_updated(rules, at=system.now))
    after = preparation.entry(want(limit=3_500.123))
    assert (before.price, after.price) == (Decimal("3500.12"), Decimal("3500.1"))
    assert after.cost == Decimal("0.0022")


def test_a_side_has_three_quarters_of_equity_less_what_it_carries() -> None:
    """The net and what works on the same side use it up; an opposite net gives room."""
    system, preparation = prepared()
    whole = Decimal(750)
    assert preparation.place(want(), EQUITY).left == whole
    system.take(order_request(quantity="0.1", price="3500", instrument=ETH, at=system.now))
    assert preparation.place(want(), EQUITY).left == whole - 350
    assert preparation.place(want(Side.SELL), EQUITY).left == whole
    system.take(
        position_opened("beta", quantity="-0.04", price="3500", instrument=ETH, at=system.now)
    )
    net = system.risk.exposure.instrument(ETH).net
    assert net < 0
    assert preparation.place(want(), EQUITY).left == whole - 350 - net
    assert preparation.place(want(Side.SELL), EQUITY).left == whole + net


def test_every_quote_takes_room_on_its_side() -> None:
    """Whoever's quotes work on the side count against the instrument until they are gone."""
    system, preparation = prepared()
    for number, (name, side) in enumerate(
        (("alpha", Side.BUY), ("alpha", Side.SELL), ("beta", Side.BUY))
    ):
        system.take(
            order_request(
                name,
                side,
                number=number,
                intent=Intent.QUOTE,
                quantity="0.01",
                price="3500",
                instrument=ETH,
                at=system.now,
            )
        )
    assert preparation.place(want(), EQUITY).left == Decimal(750) - 70


def test_depth_is_five_levels_of_the_side_that_is_taken() -> None:
    """An IOC sees five levels of the other side if a book is known, a resting order none."""
    system, preparation = prepared()
    assert preparation.place(want(), EQUITY).depth is None
    image = book(3_499.9, 3_500.0, levels=7, size=0.3, instrument=ETH, at=system.now)
    asks = ((3_500.0, 4.0), *image.asks[1:])
    system.take(replace(image, asks=asks))
    assert preparation.place(want(), EQUITY).depth == Decimal("5.2")
    assert preparation.place(want(Side.SELL), EQUITY).depth == Decimal("1.5")
    assert preparation.place(want(style=OrderStyle.POST_ONLY), EQUITY).depth is None


def test_margin_follows_the_tier_that_the_largest_position_would_reach() -> None:
    """Rates are those of the tier of 0.75 E plus both fees, never below one over the leverage."""
    system, preparation = prepared()
    fees, third = Decimal("0.0011"), Decimal(1) / Decimal(3)
    plain = preparation.place(want(), EQUITY)
    assert (plain.margin_rate, plain.maintenance_rate) == (third + fees, Decimal("0.005"))
    tiers = (
        MarginTier(
            limit=Decimal(700), initial_rate=Decimal("0.2"), maintenance_rate=Decimal("0.1")
        ),
        MarginTier(
            limit=Decimal(9000), initial_rate=Decimal("0.5"), maintenance_rate=Decimal("0.25")
        ),
    )
    system.take(instrument_updated(replace(eth_perpetual(), tiers=tiers), at=system.now))
    near, far = (preparation.place(want(), Decimal(one)) for one in ("900", "1000"))
    assert (near.margin_rate, near.maintenance_rate) == (third + fees, Decimal("0.1"))
    assert (far.margin_rate, far.maintenance_rate) == (Decimal("0.5") + fees, Decimal("0.25"))


def test_spot_binds_its_whole_value_and_needs_no_maintenance() -> None:
    """Spot's margin is its value plus both fees."""
    _, preparation = prepared()
    found = preparation.place(want(instrument=BTC_SPOT), EQUITY)
    assert (found.margin_rate, found.maintenance_rate) == (Decimal("1.002"), 0)


def test_the_regime_s_size_factor_is_normal_until_it_is_known() -> None:
    """Without a regime 1.0; RANGE 0.7 and IMPULSE 1.2 once they are announced."""
    system, preparation = prepared()
    assert preparation.regime_factor(BTC) == 1.0
    for regime, factor in ((Regime.RANGE, 0.7), (Regime.IMPULSE, 1.2), (Regime.NORMAL, 1.0)):
        system.take(
            RegimeChanged(
                ts_event=system.now,
                ts_init=system.now,
                instrument=BTC,
                ready=True,
                regime=regime,
                phase=None,
                cycle=None,
                regime_confidence=1.0,
                phase_confidence=0.0,
                cycle_confidence=0.0,
                moved=("regime",),
            )
        )
        assert preparation.regime_factor(BTC) == factor
    assert preparation.regime_factor(ETH) == 1.0


@given(limit=st.floats(0.01, 99_999.0), side=st.sampled_from([Side.BUY, Side.SELL]))
def test_a_passive_limit_never_comes_nearer_the_touch(limit: float, side: Side) -> None:
    """Off the grid a resting order is rounded away from the other side; on it, it stays."""
    _, preparation = prepared()
    resting = preparation.entry(want(side, limit=limit, style=OrderStyle.POST_ONLY)).price
    assert (float(resting) - limit) * side.sign <= 1e-7
    assert abs(float(resting) - limit) < 0.01 + 1e-7
    again = preparation.entry(want(side, limit=float(resting), style=OrderStyle.POST_ONLY))
    assert again.price == resting
