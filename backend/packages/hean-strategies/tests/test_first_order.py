from __future__ import annotations

import pytest

from hean.core.events import OrderStyle
from hean.core.testing import MINUTE, SECOND, quote
from hean.strategies.first_order import first_order


@pytest.mark.parametrize(("sign", "touch"), [(1, 59_999.0), (-1, 60_001.0)])
def test_a_first_order_rests_at_its_own_side(sign: int, touch: float) -> None:
    """Resting means POST_ONLY at the own touch for as long as asked."""
    found = first_order(quote(59_999.0, 60_001.0), sign, rests=True, wait_ns=MINUTE)
    assert found == (OrderStyle.POST_ONLY, touch, MINUTE)


@pytest.mark.parametrize(("sign", "met"), [(1, 60_001.0), (-1, 59_999.0)])
def test_a_taking_order_is_capped_beyond_what_it_meets(sign: int, met: float) -> None:
    """Taking means an IOC of 5 s whose cap lies the allowance beyond the other side's touch."""
    found = first_order(
        quote(59_999.0, 60_001.0), sign, rests=False, wait_ns=MINUTE, allowance_bp=10.0
    )
    assert (found.style, found.ttl_ns) == (OrderStyle.LIMIT_IOC, 5 * SECOND)
    assert found.limit == pytest.approx(met * (1.0 + sign * 1e-3))
