"""What the venue reports. Every report of an order carries the strategy it is attributed to."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

import msgspec

from hean.core.events.base import Event
from hean.core.events.market import Side
from hean.core.events.strategy import OrderStyle
from hean.core.instruments import ZERO


class Liquidity(StrEnum):
    """Whether a fill made or took liquidity."""

    MAKER = "MAKER"
    TAKER = "TAKER"


class FillKind(StrEnum):
    """Why the venue executed: an order, a liquidation, deleveraging, or a cross at one mark."""

    ORDER = "ORDER"
    LIQUIDATION = "LIQUIDATION"
    DELEVERAGE = "DELEVERAGE"
    CROSS = "CROSS"


class OrderSubmitted(Event, frozen=True, kw_only=True):
    """The order left for the venue."""

    key_field: ClassVar[str] = "strategy"

    client_order_id: str
    strategy: str
    instrument: str
    quantity: Decimal = ZERO


class OrderAccepted(Event, frozen=True, kw_only=True):
    """The venue works the order. `protective` marks a resting stop."""

    key_field: ClassVar[str] = "strategy"

    client_order_id: str
    venue_order_id: str
    strategy: str
    instrument: str
    side: Side
    quantity: Decimal
    price: Decimal | None
    protective: bool = False


class OrderRejected(Event, frozen=True, kw_only=True):
    """The venue refused the order; nothing of it exists. `code` is the venue's."""

    key_field: ClassVar[str] = "strategy"

    client_order_id: str
    strategy: str
    instrument: str
    code: str
    reason: str


class OrderCancelled(Event, frozen=True, kw_only=True):
    """The order is gone on request; `filled` is what it had filled."""

    key_field: ClassVar[str] = "strategy"

    client_order_id: str
    strategy: str
    instrument: str
    filled: Decimal
    reason: str = ""
    protective: bool = False


class OrderExpired(Event, frozen=True, kw_only=True):
    """The order ended by itself (IOC remainder, TTL); `filled` is what it had filled."""

    key_field: ClassVar[str] = "strategy"

    client_order_id: str
    strategy: str
    instrument: str
    filled: Decimal
    reason: str = ""


class OrderFilled(Event, frozen=True, kw_only=True):
    """An execution.

    `fee` is in USDT, positive when paid; a spot fee taken in base coin is also in `base_fee`, and
    `quantity` is then what moved the position (net of it). `filled` and `remaining` are the
    order's after this fill.
    """

    key_field: ClassVar[str] = "strategy"

    fill_id: str
    client_order_id: str
    strategy: str
    instrument: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    base_fee: Decimal = Decimal(0)
    liquidity: Liquidity
    filled: Decimal
    remaining: Decimal
    kind: FillKind = FillKind.ORDER
    protective: bool = False


class OrderUnknown(Event, frozen=True, kw_only=True):
    """A command's outcome is not known; the order keeps exposure and slot until the venue says."""

    key_field: ClassVar[str] = "strategy"

    client_order_id: str
    strategy: str
    instrument: str
    reason: str


class FundingPaid(Event, frozen=True, kw_only=True):
    """The account's funding at a stamp (`ts_event`), received positive, on the net position."""

    key_field: ClassVar[str] = "instrument"

    instrument: str
    stamp: int
    rate: float
    mark: Decimal
    quantity: Decimal
    amount: Decimal


class WalletUpdated(Event, frozen=True, kw_only=True):
    """The account's USDT: wallet balance, what is free for new margin, and margin in use."""

    wallet: Decimal
    available: Decimal
    initial_margin: Decimal = Decimal(0)
    maintenance_margin: Decimal = Decimal(0)
    transfer: Decimal = Decimal(0)
    """A deposit (positive) or withdrawal that this update reports, else 0."""


class VenuePosition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The venue's net position on one instrument: signed quantity, average entry price."""

    instrument: str
    quantity: Decimal
    entry_price: Decimal


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order the venue has at work."""

    client_order_id: str
    strategy: str
    instrument: str
    side: Side
    price: Decimal | None
    quantity: Decimal
    filled: Decimal
    style: OrderStyle
    protective: bool = False


class VenueSnapshot(Event, frozen=True, kw_only=True):
    """What the venue holds for the account. `complete` is False when any part failed to be read."""

    positions: tuple[VenuePosition, ...]
    orders: tuple[VenueOrder, ...]
    wallet: Decimal
    complete: bool = True


class VenueStateChanged(Event, frozen=True, kw_only=True):
    """The connection to the venue, or the venue itself, came up or went down."""

    connected: bool
    reason: str = ""
