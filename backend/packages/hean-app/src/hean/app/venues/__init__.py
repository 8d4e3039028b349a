"""Venues: where approved orders go. Reports come back as kernel inputs, never as return values."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from hean.core.events import OrderRequest, VenueSnapshot

__all__ = ["Venue"]


class Venue(Protocol):
    """Takes approved orders and changes to them, nothing else.

    `submit` places the request; where it carries a protective stop the venue rests one for what
    fills, under `ids.protective_order_id`. `amend` lowers the quantity of a resting protective
    stop, confirmed by `OrderAccepted(protective=True)`. `account` returns what the venue holds.
    """

    def submit(self, request: OrderRequest) -> None: ...

    def cancel(self, client_order_id: str) -> None: ...

    def amend(self, client_order_id: str, quantity: Decimal) -> None: ...

    def account(self) -> VenueSnapshot: ...
