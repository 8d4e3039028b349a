"""What a newly declared group of quotes changes at the venue: what stands, goes, is replaced.

A quote that rests already as it is wanted keeps its order, and with it its place in the queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from hean.risk.entry_layers import Wish
from hean.risk.exposure import WorkingOrder
from hean.risk.sizing import Sizing

RISK_STEP: Final = Decimal("0.00000001")
"""To what the R of an order is rounded."""


class QuoteChanges(msgspec.Struct, frozen=True, gc=False):
    """Of each quote the order that stands for it, if any, else the one it replaces; and the rest.

    `cancels` are the orders that nothing declared now takes the place of.
    """

    stands: tuple[str, ...]
    replaces: tuple[str, ...]
    cancels: tuple[str, ...]


def quote_changes(
    wishes: Sequence[Wish], sizings: Sequence[Sizing], old: Sequence[WorkingOrder]
) -> QuoteChanges:
    """Pair what is declared with what works: first by what is unchanged, then by side."""
    left = list(old)
    stands: list[str] = []
    for wish, sizing in zip(wishes, sizings, strict=True):
        found = next((one for one in left if _stands_for(one, wish, sizing)), None)
        stands.append(_take(left, found))
    replaces: list[str] = []
    for wish, standing in zip(wishes, stands, strict=True):
        same = (one for one in left if one.side is wish.signal.side)
        replaces.append("" if standing else _take(left, next(same, None)))
    return QuoteChanges(
        tuple(stands), tuple(replaces), tuple([one.client_order_id for one in left])
    )


def _take(left: list[WorkingOrder], order: WorkingOrder | None) -> str:
    if order is None:
        return ""
    left.remove(order)
    return order.client_order_id


def _stands_for(order: WorkingOrder, wish: Wish, sizing: Sizing) -> bool:
    """Whether an order is as good as a new one: at the price, neither larger nor riskier."""
    signal = wish.signal
    return (
        order.side is signal.side
        and order.style is signal.style
        and order.price == wish.entry.price
        and not order.is_unknown
        and order.remaining <= sizing.quantity
        and order.at_risk <= sizing.risk.quantize(RISK_STEP)
    )
