"""What the risk gate decides, and what the guard believes."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from hean.core.events.base import Event
from hean.core.events.market import Side
from hean.core.events.reasons import ReasonCode
from hean.core.events.strategy import Intent, OrderStyle


class GuardMode(StrEnum):
    """What the edge guard believes of a cell."""

    SHADOW = "SHADOW"
    PROBE = "PROBE"
    ACTIVE = "ACTIVE"


class RefusedBy(StrEnum):
    """Who refused: the gate a signal, or a strategy its own evaluation."""

    GATE = "GATE"
    STRATEGY = "STRATEGY"


class OrderRequest(Event, frozen=True, kw_only=True):
    """An approved order; only the risk gate mints one.

    `price` is None for MARKET. `cancels` are orders to cancel first, `replaces` the quote it takes
    the place of, `release_order` the client id of the leg whose fills release it (empty: send at
    once). `protective_stop` rests at the venue for what fills. `risk` is R in USDT. `cause` is
    empty when a signal asked for it, else says who did (unwinding, kill switch, operator).
    """

    key_field: ClassVar[str] = "strategy"

    client_order_id: str
    signal_id: str
    strategy: str
    instrument: str
    side: Side
    intent: Intent
    quantity: Decimal
    price: Decimal | None
    style: OrderStyle
    ttl_ns: int = 0
    reduce_only: bool = False
    protective_stop: Decimal | None = None
    targets: tuple[Decimal, ...] = ()
    time_stop_ns: int = 0
    risk: Decimal = Decimal(0)
    size_factors: tuple[tuple[str, float], ...] = ()
    cancels: tuple[str, ...] = ()
    replaces: str = ""
    release_order: str = ""
    group: str = ""
    leg: int = 0
    legs: int = 1
    cause: str = ""


class SignalWithdrawn(Event, frozen=True, kw_only=True):
    """A signal that closes or places nothing; `cancels` are the orders to pull, perhaps none.

    A quote that rests already is answered by the order that `stands` for it, with a new `ttl_ns`.
    """

    key_field: ClassVar[str] = "strategy"

    signal_id: str
    strategy: str
    instrument: str
    side: Side
    intent: Intent
    cancels: tuple[str, ...] = ()
    reason: str = ""
    stands: str = ""
    ttl_ns: int = 0


class SignalRejected(Event, frozen=True, kw_only=True):
    """A refusal with the number that decided and its limit.

    From the gate it answers a `Signal`; from a strategy it ends an evaluation that became none.
    `fails_plan` says that the signal's plan does not pay, whatever refused it.
    """

    key_field: ClassVar[str] = "strategy"

    signal_id: str
    strategy: str
    instrument: str
    layer: str
    code: ReasonCode
    number: float = 0.0
    limit: float = 0.0
    refused_by: RefusedBy = RefusedBy.GATE
    side: Side | None = None
    sentence: str = ""
    fails_plan: bool = False


class EdgeGuardChanged(Event, frozen=True, kw_only=True):
    """The guard's mode of a cell (strategy x symbol group x regime) moved; numbers in bp."""

    key_field: ClassVar[str] = "strategy"

    strategy: str
    cell: str
    mode: GuardMode
    previous: GuardMode
    outcomes: int
    posterior_mean_bp: float
    posterior_error_bp: float
    last_mean_bp: float
    cost_bp: float
