"""A two-leg group whose maker leg fills in parts, through the whole system."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.events import (
    Intent,
    KillSwitchTripped,
    OperatorCommand,
    OrderCancelled,
    OrderFilled,
    OrderRequest,
    OrderStyle,
    OrderSubmitted,
    PositionClosed,
    PositionOpened,
    Side,
    SignalWithdrawn,
)
from hean.core.ids import sliced_request
from hean.core.testing import BTC, ETH

from .composed import Composed


def open_pair(composed: Composed) -> tuple[OrderRequest, OrderRequest]:
    """Have a resting BTC leg minted and the ETH leg that its fills release."""
    resting, leg = OrderStyle.POST_ONLY, Intent.LEG
    composed.take(
        composed.signal(BTC, Side.BUY, leg, style=resting, group="pair", leg=0, legs=2),
        composed.signal(ETH, Side.SELL, leg, group="pair", leg=1, legs=2, release_leg=0),
    )
    maker, hedge = composed.requests()[-2:]
    composed.beat()
    return maker, hedge


def fill(composed: Composed, maker: OrderRequest, quantity: Decimal) -> None:
    """Let the maker leg fill that much more; the first call also eats the queue before it."""
    order = composed.system.execution.orders[maker.client_order_id]
    ahead = 50.0 if not order.filled else 0.0
    composed.print_at(BTC, 60_000.0, ahead + float(quantity), Side.SELL)
    composed.beat()


def parts_of(maker: OrderRequest, shares: Sequence[float]) -> list[Decimal]:
    """Divide a quantity into parts of these shares, in lots, and the rest."""
    lot = Decimal("0.001")
    parts = [max(lot, (maker.quantity * Decimal(str(one)) // lot) * lot) for one in shares]
    return [*parts, maker.quantity - sum(parts)]


def test_three_parts_leave_one_whole_pair() -> None:
    """R, stop, group, exposure and slots of a leg sent in three orders are those of the leg."""
    composed = Composed()
    maker, hedge = open_pair(composed)
    exposure = composed.system.risk.exposure
    whole_risk = exposure.open_risk
    for part in parts_of(maker, (0.3, 0.4)):
        fill(composed, maker, part)
        composed.check()
        share = abs(composed.held(ETH)) / hedge.quantity
        assert abs(share - composed.held(BTC) / maker.quantity) < Decimal("0.05")
        assert composed.system.tracker.counts()[0] == 2
    slices = [
        one.client_order_id
        for one in composed.of(OrderSubmitted)
        if sliced_request(one.client_order_id) == hedge.client_order_id
    ]
    assert len(slices) == 3
    opened = {one.instrument: one for one in composed.of(PositionOpened)}
    assert opened[ETH].group == opened[BTC].group == "pair"
    assert opened[ETH].stop == hedge.protective_stop
    position = composed.system.portfolio.ledger.position("alpha", ETH)
    assert position is not None
    assert abs(position.risk - hedge.risk) < Decimal("1e-6")
    holding = exposure.holdings["alpha", ETH]
    assert (holding.group, holding.stop) == ("pair", hedge.protective_stop)
    assert not exposure.orders
    assert abs(exposure.open_risk - whole_risk) < whole_risk / 5
    ends = [
        one
        for one in composed.of(OrderCancelled)
        if one.client_order_id in (hedge.client_order_id, maker.client_order_id)
    ]
    assert [(one.client_order_id, one.filled) for one in ends] == [
        (hedge.client_order_id, hedge.quantity)
    ]
    composed.beat(5)
    assert not [one for one in composed.of(SignalWithdrawn) if one.reason == "unwinding"]
    composed.take(
        composed.signal(BTC, Side.SELL, Intent.CLOSE), composed.signal(ETH, Side.BUY, Intent.CLOSE)
    )
    composed.beat(3)
    composed.check_flat()
    assert {one.group for one in composed.of(PositionClosed)} == {"pair"}


def test_a_pair_whose_maker_is_cancelled_half_way_keeps_its_half() -> None:
    """What the maker leg filled is hedged; both requests end, and their slots stay with it."""
    composed = Composed()
    maker, hedge = open_pair(composed)
    fill(composed, maker, parts_of(maker, (0.5,))[0])
    composed.beat(15)
    assert not composed.system.risk.exposure.orders
    assert not composed.system.execution.legs
    assert composed.system.tracker.counts() == (2, 0, 0)
    assert 0 < abs(composed.held(ETH)) < hedge.quantity
    composed.check()


def test_each_slice_has_a_row_of_its_own() -> None:
    """In `orders.parquet` every fill finds its order, and fills are counted once."""
    composed = Composed()
    maker, _ = open_pair(composed)
    for part in parts_of(maker, (0.3, 0.4)):
        fill(composed, maker, part)
    rows = composed.order_rows()
    by_order: dict[str, Decimal] = {}
    for one in composed.of(OrderFilled):
        by_order[one.client_order_id] = by_order.get(one.client_order_id, Decimal(0)) + one.quantity
    assert {
        row["order_id"]: Decimal(row["filled"]) for row in rows if row["filled"] != "0"
    } == by_order
    sliced = [row for row in rows if row["status"] == "sliced"]
    assert [row["filled"] for row in sliced] == ["0"]


@settings(max_examples=12, deadline=None)
@given(
    shares=st.lists(st.floats(0.02, 0.4), min_size=1, max_size=4).filter(lambda one: sum(one) < 0.9)
)
def test_any_parts_leave_nothing_behind(shares: list[float]) -> None:
    """However the maker leg fills, a closed pair leaves no slot, order or exposure."""
    composed = Composed()
    maker, _ = open_pair(composed)
    for part in parts_of(maker, shares):
        if maker.client_order_id in composed.system.execution.orders:
            fill(composed, maker, part)
    composed.take(
        composed.signal(BTC, Side.SELL, Intent.CLOSE), composed.signal(ETH, Side.BUY, Intent.CLOSE)
    )
    composed.beat(35)
    composed.check_flat()


@pytest.mark.parametrize("after", [0, 30, 60, 100, 500])
def test_the_kill_switch_flattens_a_pair_half_way(after: int) -> None:
    """Tripped while slices fly, it ends both legs, their waiting rest and every slot."""
    composed = Composed()
    open_pair(composed)
    composed.print_at(BTC, 60_000.0, 50.02, Side.SELL)
    composed.system.kernel.advance(composed.system.agenda.now + after * 1_000_000)
    now = composed.system.agenda.now
    composed.system.take(
        OperatorCommand(ts_event=now, ts_init=now, command="flatten", operator="me", reason="test")
    )
    composed.beat(20)
    assert composed.of(KillSwitchTripped)
    composed.check_flat()


@pytest.mark.parametrize("after", [0, 30, 60, 80, 130])
def test_a_restart_between_slices_loses_none(after: int) -> None:
    """A system restored while a slice flies goes on with the rest of the leg."""
    composed = Composed()
    maker, hedge = open_pair(composed)
    composed.print_at(BTC, 60_000.0, 50.0 + float(maker.quantity) / 2, Side.SELL)
    composed.system.kernel.advance(composed.system.agenda.now + after * 1_000_000)
    composed.restart()
    composed.beat(2)
    composed.print_at(BTC, 59_999.0, 1.0, Side.SELL)
    composed.beat(3)
    assert composed.held(BTC) == maker.quantity
    assert composed.held(ETH) == -hedge.quantity
    composed.check()
    composed.take(
        composed.signal(BTC, Side.SELL, Intent.CLOSE), composed.signal(ETH, Side.BUY, Intent.CLOSE)
    )
    composed.beat(5)
    composed.check_flat()
