"""Groups under way: a leg whose partner does not fill is unwound after two seconds."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from hean.core.events.decision import OrderRequest
from hean.core.events.venue import OrderCancelled, OrderExpired, OrderFilled, OrderRejected
from hean.core.ids import sliced_request
from hean.core.instruments import MONEY, ZERO

UNHEDGED_NS: Final = 2_000_000_000
MOST_DIFFERENCE: Final = Decimal("0.1")
"""Shares of two legs that differ by more are a missing partner."""


class Leg(msgspec.Struct):
    """One order of a group and what of it filled, `slices` by the orders it was sent in."""

    client_order_id: str
    instrument: str
    quantity: Decimal
    filled: Decimal = ZERO
    is_done: bool = False
    slices: dict[str, Decimal] = {}

    def note(self, client_order_id: str, filled: Decimal) -> None:
        """Take what an order of this leg has filled so far."""
        if client_order_id != self.client_order_id:
            self.slices[client_order_id] = max(filled, self.slices.get(client_order_id, ZERO))
            filled = ZERO
            for one in self.slices.values():
                filled += one
        self.filled = max(self.filled, filled)
        self.is_done = self.is_done or self.filled >= self.quantity


class Group(msgspec.Struct):
    """The legs of a group, and how often it was unwound."""

    group: str
    strategy: str
    legs: list[Leg]
    is_unhedged: bool = False
    attempts: int = 0

    @property
    def is_matched(self) -> bool:
        """Whether all legs filled the same share, within a tenth."""
        shares = [MONEY.divide(leg.filled, leg.quantity) for leg in self.legs]
        return max(shares) - min(shares) <= MOST_DIFFERENCE

    @property
    def has_fills(self) -> bool:
        return any(leg.filled > ZERO for leg in self.legs)

    @property
    def is_over(self) -> bool:
        return all(leg.is_done for leg in self.legs)


class _State(msgspec.Struct, frozen=True):
    groups: dict[str, Group]


class GroupWatch:
    """Follows the legs of minted groups by their reports."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self._by_order: dict[str, str] = {}

    def follow(self, orders: Sequence[OrderRequest]) -> None:
        """Watch a group that was just minted."""
        first = orders[0]
        name = f"{first.strategy}/{first.group}"
        legs = [Leg(one.client_order_id, one.instrument, one.quantity) for one in orders]
        self.groups[name] = Group(name, first.strategy, legs)
        for leg in legs:
            self._by_order[leg.client_order_id] = name

    def on_filled(self, event: OrderFilled) -> Group | None:
        """Count a fill; return the group it belongs to."""
        group = self._of(event.client_order_id)
        if group is not None:
            _leg(group, event.client_order_id).note(event.client_order_id, event.filled)
        return group

    def on_ended(self, event: OrderRejected | OrderCancelled | OrderExpired) -> Group | None:
        """Count an end; return the group it belongs to."""
        group = self._of(event.client_order_id)
        if group is not None:
            leg = _leg(group, event.client_order_id)
            if not isinstance(event, OrderRejected):
                leg.note(event.client_order_id, event.filled)
            leg.is_done = leg.is_done or leg.client_order_id == event.client_order_id
        return group

    def forget(self, group: Group) -> None:
        """Stop watching a group."""
        self.groups.pop(group.group, None)
        for leg in group.legs:
            self._by_order.pop(leg.client_order_id, None)

    def _of(self, client_order_id: str) -> Group | None:
        orders = self._by_order
        name = orders.get(client_order_id) or orders.get(sliced_request(client_order_id))
        return None if name is None else self.groups.get(name)

    def snapshot(self) -> bytes:
        """Return the groups under way."""
        return msgspec.msgpack.encode(_State(self.groups))

    def restore(self, data: bytes) -> None:
        """Take over groups under way."""
        self.groups = msgspec.msgpack.decode(data, type=_State).groups
        self._by_order = {
            leg.client_order_id: name for name, group in self.groups.items() for leg in group.legs
        }


def _leg(group: Group, client_order_id: str) -> Leg:
    own = (client_order_id, sliced_request(client_order_id))
    return next(leg for leg in group.legs if leg.client_order_id in own)
