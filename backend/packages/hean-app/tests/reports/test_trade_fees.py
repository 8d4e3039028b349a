"""What a closed trade says of fees, cost and its opening: what evidence is made of."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from hean.app.reports.trade_records import Trade, TradeRecords
from hean.core.events import Event, FeeShare, Liquidity, OrderFilled, Regime, Side
from hean.core.testing import (
    BTC,
    ETH,
    filled,
    order_request,
    position_closed,
    position_opened,
    signal,
)


def _fill(side: Side, price: str, name: str, *, maker: bool = False, on: str = BTC) -> OrderFilled:
    liquidity = Liquidity.MAKER if maker else Liquidity.TAKER
    order = order_request(side=side, quantity="0.5", instrument=on)
    return filled(order, price=price, fill=name, liquidity=liquidity)


def _closed(fees: str = "0.5", *, on: str = BTC, **changes: object) -> Event:
    """Half a coin bought at 1000: gross 2, less fees."""
    event = position_closed(quantity="0.5", entry="1000", net="2", instrument=on)
    money = {"fees": Decimal(fees), "net": Decimal(2) - Decimal(fees)}
    return msgspec.structs.replace(event, **{**money, **changes})


def _trades(*events: Event) -> list[Trade]:
    return TradeRecords().take_all(events).trades


def test_shares_are_what_was_dealt_of_the_entry() -> None:
    """Bought as maker for 500, sold as taker for 502: shares 1 and 1.004, and net before fees."""
    (found,) = _trades(
        _fill(Side.BUY, "1000", "a", maker=True), position_opened(),
        _fill(Side.SELL, "1004", "b"), _closed(),
    )  # fmt: skip
    assert found.shares == (FeeShare(instrument=BTC, maker=1.0, taker=1.004),)
    assert (found.before_fees_bp, found.net_bp) == (40.0, 30.0)


def test_a_fill_that_turns_a_position_leaves_no_shares() -> None:
    """What was bought and sold does not match: nobody can say what its fees fell on."""
    (found,) = _trades(_fill(Side.BUY, "1000", "a"), position_opened(), _closed())
    assert found.shares == ()


def test_the_claimed_cost_is_the_opening_signal_s() -> None:
    """It comes from the signal that opened; without one it is 0."""
    asked = signal(cost_bp=12.5)
    opened = position_opened()
    closed = _closed(signal_id=asked.signal_id)
    (found,) = _trades(asked, opened, closed)
    assert found.claimed_cost_bp == 12.5
    (without,) = _trades(opened, closed)
    assert without.claimed_cost_bp == 0.0


@pytest.mark.parametrize(
    ("told", "promotes"),
    [("would_refuse.EDGE", False), ("would_refuse.NO_REBATE", False),
     ("would_refuse.EDGE_UNPROVEN", True), ("regime", True)],
)  # fmt: skip
def test_a_failed_plan_that_traded_does_not_promote(told: str, promotes: bool) -> None:
    """An order marked with a failed check is no evidence; one merely unproven is."""
    order = msgspec.structs.replace(order_request(), size_factors=((told, 1.0),))
    (found,) = _trades(order, position_opened(), _closed(signal_id=order.signal_id))
    assert found.promotes is promotes


def test_a_group_belongs_to_its_opening_leg() -> None:
    """Instrument, regime and cell are those of the leg opened first, in either order of closing."""
    legs = [
        _closed(on=ETH, group="g", regime=Regime.RANGE),
        _closed(on=BTC, group="g", regime=Regime.IMPULSE),
    ]
    for closing in (legs, legs[::-1]):
        opened = [
            msgspec.structs.replace(position_opened(instrument=name), group="g")
            for name in (ETH, BTC)
        ]
        (found,) = _trades(*opened, *closing)
        assert (found.opened_on, found.regime) == (ETH, "RANGE")
        assert found.cell == "alpha/others/RANGE"
