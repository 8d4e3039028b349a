from __future__ import annotations

import math

import pytest

from hean.core.edge import SHADOW_LATENCY_NS
from hean.core.events import OrderStyle, Side
from hean.core.testing import BTC, START, btc_perpetual, signal
from hean.portfolio.shadow_position import STOP_SLIPPAGE_BP, Followed, Prices, follow


def followed(side: Side, style: OrderStyle = OrderStyle.LIMIT_IOC) -> Followed:
    """Return a followed signal of either side at 60,000 with a stop of 300."""
    stop = 59_700.0 if side is Side.BUY else 60_300.0
    target = 60_600.0 if side is Side.BUY else 59_400.0
    one = signal(side=side, style=style, stop=stop, targets=(target,))
    return follow(one, btc_perpetual(), refusal="X", promotes=True, time_stop_ns=0, now=START)


def at(price: float) -> Prices:
    """Return the prices of one trade."""
    return Prices(price, price, price, price, price)


@pytest.mark.parametrize("side", list(Side))
def test_both_sides_mirror(side: Side) -> None:
    """Entry, stop and target of a sale mirror those of a purchase."""
    one, sign = followed(side), side.sign
    assert not one.try_fill(at(60_000.0), START)
    assert one.try_fill(at(60_000.0), START + SHADOW_LATENCY_NS)
    assert one.stop_bp == pytest.approx(50.0)
    assert one.stopped_at(at(60_000.0 - sign * 299.0)) is None
    assert one.stopped_at(at(60_000.0 - sign * 310.0)) == 60_000.0 - sign * 310.0
    one.take_targets(at(60_000.0 + sign * 600.0))
    assert one.left == 1.0
    one.take_targets(at(60_000.0 + sign * 600.1))
    assert one.left == 0.0
    assert one.gross_bp == pytest.approx(100.0)


def test_a_quote_made_from_a_bar_crosses_nothing() -> None:
    """Infinite ranges fill no resting order, though a stop still sees the quote."""
    one = followed(Side.BUY, OrderStyle.POST_ONLY)
    quoted = Prices(59_000.0, 59_000.1, math.inf, -math.inf, 59_000.0)
    assert not one.try_fill(quoted, START + SHADOW_LATENCY_NS)
    one.open_at(60_000.0, START)
    assert one.stopped_at(quoted) == 59_000.0


def test_the_shares_of_fees_add_up_to_the_fees() -> None:
    """Shares at their rates and the slippage are the fees: half at a target, half at the stop."""
    one = followed(Side.BUY, OrderStyle.POST_ONLY)
    one.targets = (60_300.0, 60_600.0)
    one.open_at(60_000.0, START)
    one.take_targets(at(60_310.0))
    one.leave(59_400.0, one.left, slips=True)
    (share,) = one.shares
    assert (share.instrument, share.maker, share.taker) == (BTC, 1.5, 0.5)
    assert one.slippage_bp == 0.5 * STOP_SLIPPAGE_BP
    assert one.fees_bp == pytest.approx(1.5 * 2.0 + 0.5 * 5.5 + one.slippage_bp)
