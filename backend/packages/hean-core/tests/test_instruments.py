from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.core.instruments import (
    Instrument,
    MarginTier,
    decimal_of,
    minimum_viable_budget,
    significant,
)
from hean.core.testing import btc_perpetual, btc_spot, eth_perpetual, eth_spot, sol_perpetual

ALL = [btc_perpetual(), eth_perpetual(), sol_perpetual(), btc_spot(), eth_spot()]
instruments = st.sampled_from(ALL)
amounts = st.decimals("0.000001", "200000", places=8)


@hypothesis_settings(max_examples=200, deadline=None)
@given(instrument=instruments, ticks=st.integers(1, 20_000_000))
def test_a_grid_price_survives_the_float(instrument: Instrument, ticks: int) -> None:
    """A price on the grid turned into a float and back is the same Decimal and tick count."""
    exact = instrument.price_of(ticks)
    assert instrument.ticks_of(float(exact)) == ticks
    assert instrument.price(float(exact)) == exact


@hypothesis_settings(max_examples=200, deadline=None)
@given(instrument=instruments, value=amounts)
def test_floor_and_ceiling_enclose_a_price(instrument: Instrument, value: Decimal) -> None:
    """Floor and ceiling lie on the grid, enclose the value and are at most one tick apart."""
    low, high = instrument.price_floor(value), instrument.price_ceiling(value)
    assert low <= value <= high
    assert high - low in (0, instrument.tick_size)
    assert low % instrument.tick_size == high % instrument.tick_size == 0


@hypothesis_settings(max_examples=200, deadline=None)
@given(instrument=instruments, value=amounts)
def test_quantities_round_down_once(instrument: Instrument, value: Decimal) -> None:
    """A rounded quantity is whole lots, never more than asked, less by under a lot; 0 stays 0."""
    found = instrument.quantity_floor(value)
    assert 0 <= value - found < instrument.lot_step
    assert found % instrument.lot_step == 0
    assert instrument.quantity_floor(found) == found
    assert instrument.quantity_floor(instrument.lot_step * Decimal("0.999")) == 0


@hypothesis_settings(max_examples=200, deadline=None)
@given(instrument=instruments, price=st.decimals("0.5", "200000", places=2))
def test_the_smallest_quantity_is_tradable_and_smallest(
    instrument: Instrument, price: Decimal
) -> None:
    """It meets both minimums in whole lots, and one lot less meets not both."""
    found = instrument.smallest_quantity(price)
    less = found - instrument.lot_step
    assert found >= instrument.min_quantity
    assert found * price >= instrument.min_notional * Decimal("0.9999999999")
    assert less < instrument.min_quantity or less * price < instrument.min_notional


@hypothesis_settings(max_examples=100, deadline=None)
@given(st.floats(-1e9, 1e9))
def test_numbers_in_decisions_carry_nine_digits(value: float) -> None:
    """Rounding to nine significant digits is stable and moves a value by under 1e-8 of it."""
    found = significant(value)
    assert significant(found) == found
    assert abs(found - value) <= abs(value) * 1e-8


def test_a_float_off_the_grid_becomes_its_shortest_text() -> None:
    """Marks and rates turn into Decimal by the digits a person would write."""
    assert decimal_of(0.1) == Decimal("0.1")
    assert decimal_of(60000.123) == Decimal("60000.123")


def test_missing_tiers_have_a_stated_default() -> None:
    """Without tiers there is one: initial rate 1/leverage, maintenance half of it."""
    (tier,) = btc_perpetual().margin_tiers()
    assert (tier.initial_rate, tier.maintenance_rate) == (Decimal("0.01"), Decimal("0.005"))
    own = MarginTier(
        limit=Decimal(1), initial_rate=Decimal("0.1"), maintenance_rate=Decimal("0.05")
    )
    assert replace(ALL[0], tiers=(own,)).margin_tiers() == (own,)


def test_entry_tier_fees_and_kinds() -> None:
    """Perpetuals cost 2 and 5.5 bp, spot 10 and 10; the id names the venue."""
    perpetual, coin = btc_perpetual(), btc_spot()
    assert perpetual.fee_rate(maker=True) == Decimal("0.0002")
    assert perpetual.fee_rate(maker=False) == Decimal("0.00055")
    assert coin.fee_rate(maker=True) == coin.fee_rate(maker=False) == Decimal("0.001")
    assert (perpetual.is_spot, coin.is_spot, coin.venue) == (False, True, "BYBIT")
    assert (perpetual.tick, perpetual.lot) == (0.1, 0.001)


@pytest.mark.parametrize(("stop", "expected"), [("0.005", "15.12"), ("0.0001", "20")])
def test_the_smallest_viable_budget(stop: str, expected: str) -> None:
    """One minimal BTC order of 60 USDT needs the budget its loss or its notional asks for."""
    found = minimum_viable_budget(
        btc_perpetual(),
        Decimal(60_000),
        stop_fraction=Decimal(stop),
        cost_fraction=Decimal("0.0013"),
        risk_of_budget=Decimal("0.025"),
        budget_leverage=Decimal(3),
    )
    assert found == max(Decimal(expected), Decimal(20))
