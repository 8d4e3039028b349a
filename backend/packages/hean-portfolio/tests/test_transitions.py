from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from hean.core.events import FillKind, Side
from hean.core.testing import filled, order_request
from hean.portfolio.transitions import adopted, exit_reason_of, risk_of_fill


def test_a_base_coin_fee_takes_no_share_of_r() -> None:
    """A fill that is the whole order but for its fee in base coin carries all of R."""
    order = order_request(quantity="0.002", risk="3")
    whole = filled(order)
    assert risk_of_fill(order, whole) == 3
    net = replace(whole, quantity=Decimal("0.001998"), base_fee=Decimal("0.000002"))
    assert risk_of_fill(order, net) == 3
    assert risk_of_fill(None, whole) == 0


def test_exits_have_one_reason() -> None:
    """Force comes before stop, stop before cause, cause before the signal's words."""
    order = order_request(side=Side.SELL)
    fill = filled(order)
    assert exit_reason_of(replace(fill, kind=FillKind.LIQUIDATION), order, {}) == "liquidation"
    assert exit_reason_of(replace(fill, protective=True), None, {}) == "stop"
    assert exit_reason_of(fill, replace(order, cause="kill_switch"), {}) == "kill_switch"
    assert exit_reason_of(fill, order, {order.signal_id: "target"}) == "target"
    assert exit_reason_of(fill, order, {}) == "open"
    assert exit_reason_of(fill, None, {}) == "unknown"


def test_an_adopted_position_has_no_r() -> None:
    """What nobody here opened begins at its entry price without risk or costs."""
    found = adopted("EXTERNAL", "X", Decimal(-2), Decimal(50), 7)
    assert (found.cost, found.entry_value, found.total_risk, found.net) == (-100, 100, 0, 0)
