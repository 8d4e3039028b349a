"""What the books say, and who gets capital."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

import msgspec

from hean.core.events.base import Event
from hean.core.events.evidence import FeeShare
from hean.core.events.market import Cycle, Phase, Regime, Side


class PositionChange(StrEnum):
    """Why a position changed: a fill, or funding at a stamp."""

    FILL = "FILL"
    FUNDING = "FUNDING"


class PositionOpened(Event, frozen=True, kw_only=True):
    """A strategy's virtual position on an instrument exists; `quantity` is signed."""

    key_field: ClassVar[str] = "strategy"

    strategy: str
    instrument: str
    quantity: Decimal
    entry_price: Decimal
    risk: Decimal
    stop: Decimal | None = None
    client_order_id: str
    fill_id: str
    group: str = ""


class PositionChanged(Event, frozen=True, kw_only=True):
    """A virtual position grew, shrank, or paid funding.

    `realised` and `fee` are of this change. For FUNDING `amount` is signed, received positive, and
    `rate` and `mark` say from what.
    """

    key_field: ClassVar[str] = "strategy"

    strategy: str
    instrument: str
    change: PositionChange
    quantity: Decimal
    entry_price: Decimal
    risk: Decimal
    realised: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)
    rate: float = 0.0
    mark: Decimal = Decimal(0)
    client_order_id: str = ""
    fill_id: str = ""


class PositionClosed(Event, frozen=True, kw_only=True):
    """A virtual position is flat: the outcome everything learns from.

    Money in USDT, `r_multiple` = net/R.
    """

    key_field: ClassVar[str] = "strategy"

    strategy: str
    instrument: str
    side: Side
    group: str = ""
    opened_at: int
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    gross: Decimal
    fees: Decimal
    funding: Decimal
    net: Decimal
    risk: Decimal
    r_multiple: float
    mae_r: float
    mfe_r: float
    regime: Regime | None
    phase: Phase | None
    cycle: Cycle | None
    exit_reason: str
    signal_id: str
    client_order_id: str
    fill_id: str = ""


class ShadowClosed(Event, frozen=True, kw_only=True):
    """The outcome of a refused signal followed in the shadow book; per unit of one lot's notional.

    `net_bp` is of entry notional; `refusal` is the code that refused it, `promotes` whether the
    guard may count it. `fees_bp` is the venue's fees on `shares`, and `slippage_bp` at stops.
    """

    key_field: ClassVar[str] = "strategy"

    strategy: str
    instrument: str
    side: Side
    group: str = ""
    opened_at: int
    entry_price: float
    exit_price: float
    gross_bp: float
    fees_bp: float
    funding_bp: float
    net_bp: float
    stop_bp: float
    r_multiple: float
    mae_r: float
    mfe_r: float
    regime: Regime | None
    phase: Phase | None
    cycle: Cycle | None
    exit_reason: str
    signal_id: str
    refusal: str
    promotes: bool = True
    slippage_bp: float = 0.0
    shares: tuple[FeeShare, ...] = ()


class EquityUpdated(Event, frozen=True, kw_only=True):
    """Equity, wallet, unrealised, NAV per unit and its high-water mark. Drawdown is a fraction."""

    equity: Decimal
    wallet: Decimal
    unrealised: Decimal
    nav: float
    high_water_mark: float
    drawdown: float
    day_start: float
    day_high: float
    mark_age_ns: int
    realised: Decimal
    fees: Decimal
    funding: Decimal


class Tier(StrEnum):
    """How much of the account one trade may risk: proof doubles the stake."""

    TRIAL = "TRIAL"
    FULL = "FULL"


class AllocationLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One strategy's share of equity and how it came about."""

    strategy: str
    weight: float
    tier: Tier = Tier.TRIAL
    cluster: str = ""
    performance: float = 0.0
    phase: float = 0.0
    evidence: float = 0.0
    evidence_error: float = 0.0
    target: float = 0.0
    floor: float = 0.0
    cap: float = 0.0
    previous: float = 0.0
    minimum_budget: float = 0.0
    bound: str = ""


class CapitalAllocated(Event, frozen=True, kw_only=True):
    """Weights as fractions of equity, solved for the active set `active_version`: always whole."""

    version: int
    active_version: int
    method: str
    reason: str
    reserve: float
    lines: tuple[AllocationLine, ...]


class ActivationLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why a strategy is active or not: its posterior, draw, penalty and propensity."""

    strategy: str
    active: bool
    eligible: bool
    reason: str
    posterior_mean: float = 0.0
    posterior_error: float = 0.0
    bins: float = 0.0
    draw: float = 0.0
    penalty: float = 0.0
    propensity: float = 1.0


class ActiveStrategiesChanged(Event, frozen=True, kw_only=True):
    """Who may open positions from now on."""

    version: int
    mode: str
    epoch: int
    active: tuple[str, ...]
    lines: tuple[ActivationLine, ...]
