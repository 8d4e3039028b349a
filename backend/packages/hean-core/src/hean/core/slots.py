"""What a slot is: who asks, what is answered, what holds it, and the counts of it all."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hean.core.events.reasons import ReasonCode
from hean.core.events.venue import OrderUnknown
from hean.core.instruments import ZERO
from hean.core.slot_policy import PolicyState

NEVER = 1 << 62
"""The deadline of what need not be acknowledged."""

SlotKey = tuple[str, str]


class SlotRequest(msgspec.Struct, frozen=True, gc=False):
    """A wish for the slot of one strategy on one instrument."""

    strategy: str
    instrument: str


class Grant(msgspec.Struct, frozen=True, gc=False):
    """All slots asked for are held; `taken` are those that were not held before."""

    keys: tuple[SlotKey, ...]
    taken: tuple[SlotKey, ...]


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """No slot was taken: the reason, how many would be in use, and how many may be."""

    code: ReasonCode
    number: int
    limit: int


class SlotStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen view: what is in use now, and the contention so far.

    `lost_to` counts refusals by (loser, holder or beneficiary); `won` counts last slots taken.
    """

    maximum: int
    open: int
    working: int
    reserved: int
    unknown: int
    peak: int
    granted: int
    contended: int
    expired: int
    unreserved: int
    refused_by_strategy: dict[str, int]
    won: dict[str, int]
    lost_to: tuple[tuple[str, str, int], ...]


class Entry(msgspec.Struct):
    """An entry at the venue. It is done once it ended and the books took over all it filled.

    A `sliced` one fills through its slices, which are entries of their own.
    """

    deadline: int
    release_order: str = ""
    accepted: bool = False
    unknown: bool = False
    ended: bool = False
    filled: Decimal = ZERO
    total: Decimal = ZERO
    handed: Decimal = ZERO
    sliced: bool = False

    @property
    def is_done(self) -> bool:
        return self.ended and self.handed >= self.total and self.handed >= self.filled


class Slot(msgspec.Struct):
    """What holds the slot: a bare reservation until its deadline, entries, a position."""

    reserved_until: int = 0
    is_open: bool = False
    orders: dict[str, Entry] = {}


class TrackerState(msgspec.Struct, frozen=True):
    """What a snapshot of the tracker holds."""

    slots: list[tuple[str, str, Slot]]
    policy: PolicyState
    peak: int
    granted: int
    contended: int
    expired: int
    unreserved: int
    refused: dict[str, int]
    won: dict[str, int]
    lost_to: list[tuple[str, str, int]]


def question(key: SlotKey, client_order_id: str, now: int) -> OrderUnknown:
    """Return the doubt about an order that was not acknowledged in time."""
    return OrderUnknown(
        ts_event=now,
        ts_init=now,
        client_order_id=client_order_id,
        strategy=key[0],
        instrument=key[1],
        reason="no acknowledgement in time",
        causation_id=client_order_id,
    )
