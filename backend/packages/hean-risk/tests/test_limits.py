from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.core.events.market import Side
from hean.core.events.reasons import ReasonCode
from hean.core.events.strategy import Intent, OrderStyle
from hean.core.instruments import Instrument
from hean.core.testing import (
    BTC,
    BTC_SPOT,
    ETH,
    SECOND,
    btc_perpetual,
    btc_spot,
    order_request,
    position_opened,
)
from hean.risk.limits import (
    CONFLICT_NS,
    LastEntry,
    check_borrow,
    check_conflict,
    check_orders,
    check_position,
    check_reward,
)
from hean.risk.settings import RiskSettings
from hean.risk.sizing import Entry
from hean.risk.testing import RiskSystem


def entry(instrument: Instrument, side: Side = Side.BUY, *, stop: str | None = "99") -> Entry:
    """Return a wanted order at 100."""
    return Entry(
        instrument=instrument,
        side=side,
        style=OrderStyle.LIMIT_IOC,
        price=Decimal(100),
        stop=None if stop is None else Decimal(stop),
        scale=1.0,
        cost=Decimal("0.0013"),
        weight=Decimal(1),
    )


@pytest.mark.parametrize("intent", [Intent.OPEN, Intent.LEG])
def test_one_position_for_a_strategy_and_instrument(intent: Intent) -> None:
    """An opening where the strategy holds, or works an entry, is POSITION_EXISTS."""
    system = RiskSystem("alpha", "beta")
    exposure = system.risk.exposure
    assert check_position(exposure, "alpha", BTC, intent) is None
    system.take(order_request("alpha", at=system.now))
    found = check_position(exposure, "alpha", BTC, intent)
    assert found == (ReasonCode.POSITION_EXISTS, 1.0, 0.0)
    system.take(position_opened("beta", instrument=ETH, at=system.now))
    assert check_position(exposure, "beta", ETH, intent) is not None
    assert check_position(exposure, "beta", BTC, intent) is None
    assert check_position(exposure, "alpha", ETH, intent) is None


def test_quotes_may_add_to_a_position() -> None:
    """Only quotes and rungs pass where the strategy holds a position already."""
    system = RiskSystem("alpha")
    system.take(position_opened("alpha", at=system.now))
    assert check_position(system.risk.exposure, "alpha", BTC, Intent.QUOTE) is None


def test_an_exit_at_work_is_no_second_entry() -> None:
    """A closing order that works does not make a new opening a second position."""
    system = RiskSystem("alpha")
    system.take(order_request("alpha", Side.SELL, intent=Intent.CLOSE, at=system.now))
    assert check_position(system.risk.exposure, "alpha", BTC, Intent.OPEN) is None


@given(
    st.sampled_from(["alpha", "beta"]),
    st.sampled_from(list(Side)),
    st.integers(0, 2 * CONFLICT_NS),
)
def test_a_conflict_is_another_strategys_opposite_side_within_five_seconds(
    strategy: str, side: Side, elapsed: int
) -> None:
    """Same strategy, same side, or five seconds later: no conflict; else one, with its age."""
    start = 1_000 * SECOND
    found = check_conflict(LastEntry("alpha", Side.BUY, start), strategy, side, start + elapsed)
    clash = strategy == "beta" and side is Side.SELL and elapsed < 5 * SECOND
    assert found == ((ReasonCode.CONFLICT, elapsed / 1e9, 5.0) if clash else None)


def test_without_an_earlier_entry_there_is_no_conflict() -> None:
    """The first opening on an instrument conflicts with nobody."""
    assert check_conflict(None, "alpha", Side.SELL, 0) is None


def test_spot_that_is_not_held_cannot_be_sold_without_borrowing() -> None:
    """Selling more spot than held is NO_BORROW, unless it may be borrowed, and no perpetual's."""
    system = RiskSystem("alpha", instruments=(btc_perpetual(), btc_spot()))
    exposure = system.risk.exposure
    sell = entry(btc_spot(), Side.SELL)
    system.take(position_opened("alpha", quantity="0.5", instrument=BTC_SPOT, at=system.now))
    assert check_borrow(exposure, "alpha", sell, Decimal("0.5")) is None
    found = check_borrow(exposure, "alpha", sell, Decimal("0.500001"))
    assert found == (ReasonCode.NO_BORROW, 0.500001, 0.5)
    assert check_borrow(exposure, "beta", sell, Decimal("0.000001")) is not None
    assert check_borrow(exposure, "alpha", entry(btc_spot()), Decimal(9)) is None
    lent = entry(btc_spot(borrowable=True), Side.SELL)
    assert check_borrow(exposure, "alpha", lent, Decimal(9)) is None
    short = entry(btc_perpetual(), Side.SELL)
    assert check_borrow(exposure, "alpha", short, Decimal(9)) is None


def test_entries_at_work_are_limited_and_what_is_replaced_makes_room() -> None:
    """With the limit reached one more is MAX_ORDERS; a replacement of two by two is not."""
    system = RiskSystem("alpha")
    section = RiskSettings(max_orders=3)
    for number in range(3):
        system.take(order_request("alpha", number=number, at=system.now))
    exposure = system.risk.exposure
    assert check_orders(exposure, section, 1, 0) == (ReasonCode.MAX_ORDERS, 4.0, 3.0)
    assert check_orders(exposure, section, 2, 2) is None
    assert check_orders(exposure, section, 3, 2) == (ReasonCode.MAX_ORDERS, 4.0, 3.0)


def test_reward_is_measured_only_where_the_limit_is_on() -> None:
    """At 1.5 a target 1.4 stops away is refused and one 1.5 away passes; 0 is off."""
    on, off = RiskSettings(min_reward_risk=1.5), RiskSettings()
    wanted = entry(btc_perpetual())
    found = check_reward(on, wanted, (101.4,))
    assert found is not None
    assert found[0] is ReasonCode.REWARD_RISK
    assert found[1:] == (pytest.approx(1.4), 1.5)
    assert check_reward(on, wanted, (101.5, 100.1)) is None
    assert check_reward(off, wanted, (100.1,)) is None
    assert check_reward(on, wanted, ()) is None
    assert check_reward(on, entry(btc_perpetual(), stop=None), (100.1,)) is None
