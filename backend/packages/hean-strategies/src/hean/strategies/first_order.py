"""How the first order of an attempt goes in: resting on ticks, taking on bars.

On bars a resting order fills only if it lives through a whole bar that trades through it, and what
follows its fill would meet a price one bar older than its own. A short rest cannot be seen there.
"""

from __future__ import annotations

from typing import NamedTuple

from hean.core.events import OrderStyle, Quote
from hean.strategies.decisions import TAKING_ALLOWANCE_BP, capped
from hean.strategies.desk import touch
from hean.strategies.pace import SECOND_NS

TAKING_TTL_NS = 5 * SECOND_NS


class FirstOrder(NamedTuple):
    """Style, limit and time to live of an order."""

    style: OrderStyle
    limit: float
    ttl_ns: int


def first_order(
    quote: Quote,
    sign: int,
    *,
    rests: bool,
    wait_ns: int,
    allowance_bp: float = TAKING_ALLOWANCE_BP,
) -> FirstOrder:
    """Return a POST_ONLY at the touch for `wait_ns`, or an IOC capped beyond the price it meets."""
    price = touch(quote, sign, passive=rests)
    if rests:
        return FirstOrder(OrderStyle.POST_ONLY, price, wait_ns)
    return FirstOrder(OrderStyle.LIMIT_IOC, capped(price, sign, allowance_bp), TAKING_TTL_NS)
