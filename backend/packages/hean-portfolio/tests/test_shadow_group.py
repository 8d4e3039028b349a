from __future__ import annotations

import pytest
from msgspec.structs import replace

from hean.core.events import OrderStyle, Side
from hean.core.testing import (
    ETH,
    SECOND,
    START,
    MiniSystem,
    btc_perpetual,
    eth_perpetual,
    quote,
    signal,
)
from hean.portfolio.shadow_group import ShadowGroup
from hean.portfolio.shadow_position import follow


def test_a_leg_that_never_fills_unwinds_the_group() -> None:
    """When one leg's order ends unfilled the other is left at the touch, and that is the result."""
    system = MiniSystem(instruments=(btc_perpetual(), eth_perpetual()))
    system.take(quote(60_000.0, 60_000.0), quote(3_000.0, 3_000.1, instrument=ETH))
    taker = signal(stop=None, targets=(), ttl=SECOND)
    maker = replace(
        taker, instrument=ETH, side=Side.SELL, style=OrderStyle.POST_ONLY, limit=3_010.0
    )
    legs = [
        follow(
            one,
            system.view.instruments[one.instrument],
            refusal="X",
            promotes=True,
            time_stop_ns=0,
            now=START,
        )
        for one in (taker, maker)
    ]
    group = ShadowGroup(legs=legs, stop_bp=50.0)
    assert group.step(system.view, START + SECOND) is None
    system.take(quote(59_940.0, 59_940.0, at=START + 2 * SECOND))
    assert group.step(system.view, START + 2 * SECOND) == "unwound"
    whole = group.outcome()
    assert whole is not None
    assert whole.gross_bp == pytest.approx(-10.0)
    assert whole.fees_bp == pytest.approx(5.5 + 7.5)
    (share,) = whole.shares
    assert (share.maker, share.taker, whole.slippage_bp) == (0.0, 2.0, 2.0)


def test_nothing_filled_is_no_outcome() -> None:
    """A group of which no leg filled leaves nothing to learn from."""
    system = MiniSystem(instruments=(btc_perpetual(),))
    one = signal(style=OrderStyle.POST_ONLY, limit=50_000.0, ttl=SECOND)
    leg = follow(one, btc_perpetual(), refusal="X", promotes=True, time_stop_ns=0, now=START)
    group = ShadowGroup(legs=[leg], stop_bp=50.0)
    assert group.step(system.view, START) is None
    system.take(quote(60_000.0, 60_000.0))
    assert group.step(system.view, START + 2 * SECOND) == "unwound"
    assert group.outcome() is None
