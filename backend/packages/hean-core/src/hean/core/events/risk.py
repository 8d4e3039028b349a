"""What may be opened now, and what stops it."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from hean.core.events.base import Event
from hean.core.events.portfolio import Tier


class RiskState(StrEnum):
    """The governor's names for drawdown."""

    NORMAL = "NORMAL"
    SOFT_BRAKE = "SOFT_BRAKE"
    QUARANTINE = "QUARANTINE"
    HARD_STOP = "HARD_STOP"


class BudgetSource(StrEnum):
    """Where budgets come from: an allocation, an older one for a while, or the equal split."""

    ALLOCATION = "ALLOCATION"
    PENDING = "PENDING"
    EQUAL_SPLIT = "EQUAL_SPLIT"


class KillAction(StrEnum):
    """FLATTEN closes everything; HALT only stops entries because closing could be wrong."""

    FLATTEN = "FLATTEN"
    HALT = "HALT"


class StrategyLimit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one strategy may still do."""

    strategy: str
    active: bool
    tier: Tier
    weight: float
    budget: Decimal
    risk_used: Decimal = Decimal(0)
    notional_used: Decimal = Decimal(0)
    size_factor: float = 1.0
    blocked_until: int = 0
    reason: str = ""


class InstrumentLimit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one instrument may still carry."""

    instrument: str
    notional: Decimal
    limit: Decimal
    blocked_until: int = 0
    reason: str = ""


class RiskEnvelope(Event, frozen=True, kw_only=True):
    """One versioned answer to: may anything be opened now, and how much."""

    version: int
    input_age_ns: int
    allocation_version: int
    active_version: int
    source: BudgetSource
    equity: Decimal
    nav: float
    drawdown: float
    state: RiskState
    multiplier: float
    entries_allowed: bool
    reason: str
    deployable: Decimal
    budgets_sum: Decimal
    positions: int
    reserved: int
    working: int
    maximum: int
    free_slots: int
    open_orders: int
    open_risk: Decimal
    open_risk_limit: Decimal
    gross: Decimal
    gross_limit: Decimal
    worst_stress: Decimal
    stress_limit: Decimal
    tail: Decimal
    tail_limit: Decimal
    day_loss: float
    day_loss_limit: float
    strategies: tuple[StrategyLimit, ...]
    instruments: tuple[InstrumentLimit, ...]


class RiskStateChanged(Event, frozen=True, kw_only=True):
    """The governor moved between states."""

    previous: RiskState
    state: RiskState
    drawdown: float
    multiplier: float


class KillSwitchTripped(Event, frozen=True, kw_only=True):
    """The latching halt tripped: `trip` names it, `number` crossed `limit`."""

    trip: str
    action: KillAction
    cause: str
    number: float
    limit: float


class KillSwitchReset(Event, frozen=True, kw_only=True):
    """The operator re-armed the kill switch; references before and after."""

    trip: str
    operator: str
    reason: str
    high_water_mark_before: float
    high_water_mark: float
    reference_before: float
    reference: float
