"""What execution keeps of each order, and what it says of orders itself."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from hean.core.events import OrderCancelled, OrderRequest, OrderSubmitted, OrderUnknown
from hean.core.instruments import MONEY, ZERO, Instrument


class OrderState(StrEnum):
    """How far an order that was sent has come."""

    SENT = "SENT"
    WORKING = "WORKING"
    UNKNOWN = "UNKNOWN"


class WorkOrder(msgspec.Struct):
    """An order that was sent and has not ended."""

    request: OrderRequest
    state: OrderState
    since: int
    filled: Decimal = ZERO
    cancelling: bool = False
    absent: int = 0


class HeldLeg(msgspec.Struct):
    """A leg that follows the fills of another order; `released` is what was sent of it.

    Of its `slices` so many are still `working`; `filled` is what the ended ones filled. An `over`
    leg sends no more and ends with its last slice.
    """

    request: OrderRequest
    released: Decimal = ZERO
    slices: int = 0
    working: int = 0
    filled: Decimal = ZERO
    over: bool = False


class HeldClose(msgspec.Struct):
    """A closing order and, by id, the quantity each stop in its way must come down to."""

    request: OrderRequest
    waits: dict[str, Decimal]
    since: int
    stopped: Decimal = ZERO


def released_part(
    leg: HeldLeg, ordered: Decimal, filled: Decimal, instrument: Instrument
) -> Decimal:
    """Return what a leg may send now that `filled` of the `ordered` quantity it follows is done.

    In proportion, rounded down to lots; below the smallest order it waits for more, and the whole
    order's fill releases all of it.
    """
    whole = leg.request.quantity
    if filled >= ordered:
        return whole - leg.released
    share = MONEY.divide(MONEY.multiply(whole, filled), ordered)
    part = instrument.quantity_floor(share) - leg.released
    price = leg.request.price
    smallest = instrument.min_quantity if price is None else instrument.smallest_quantity(price)
    return part if part >= smallest else ZERO


def submitted(request: OrderRequest, now: int) -> OrderSubmitted:
    """Return the news that an order left for the venue."""
    return OrderSubmitted(
        ts_event=now,
        ts_init=now,
        correlation_id=request.signal_id,
        causation_id=request.client_order_id,
        client_order_id=request.client_order_id,
        strategy=request.strategy,
        instrument=request.instrument,
        quantity=request.quantity,
    )


def gone(request: OrderRequest, now: int, reason: str, filled: Decimal = ZERO) -> OrderCancelled:
    """Return the end of an order that the venue never had, or has no more."""
    return OrderCancelled(
        ts_event=now,
        ts_init=now,
        correlation_id=request.signal_id,
        causation_id=request.client_order_id,
        client_order_id=request.client_order_id,
        strategy=request.strategy,
        instrument=request.instrument,
        filled=filled,
        reason=reason,
    )


def unanswered(request: OrderRequest, now: int, reason: str) -> OrderUnknown:
    """Return the doubt about an order whose report did not come."""
    return OrderUnknown(
        ts_event=now,
        ts_init=now,
        correlation_id=request.signal_id,
        causation_id=request.client_order_id,
        client_order_id=request.client_order_id,
        strategy=request.strategy,
        instrument=request.instrument,
        reason=reason,
    )
