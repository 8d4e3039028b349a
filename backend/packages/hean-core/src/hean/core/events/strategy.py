"""What strategies say: who they are, and what they want."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import msgspec

from hean.core.events.base import Event
from hean.core.events.evidence import Evidence, PlanFault
from hean.core.events.market import Regime, Side


class FrequencyClass(StrEnum):
    """How often a strategy acts; the slot policy protects the slow from the fast."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class Need(StrEnum):
    """What a strategy reads and a feed carries."""

    QUOTES = "Q"
    TRADES = "T"
    DEPTH = "D"
    FUNDING = "F"
    INDEX = "I"
    SPOT = "S"
    LIQUIDATIONS = "X"
    SENTIMENT = "N"
    BARS = "B"


class Intent(StrEnum):
    """What a signal asks for. CLOSE means be flat; QUOTE replaces the strategy's quotes there."""

    OPEN = "OPEN"
    REDUCE = "REDUCE"
    CLOSE = "CLOSE"
    QUOTE = "QUOTE"
    LEG = "LEG"


class OrderStyle(StrEnum):
    """How an order meets the book. MARKET is for protective exits and unwinding only."""

    POST_ONLY = "POST_ONLY"
    LIMIT_IOC = "LIMIT_IOC"
    MARKET = "MARKET"


class Affinity(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Regimes, phases and cycles, by value, a strategy favours or avoids; unlisted is neutral."""

    favoured: tuple[str, ...] = ()
    avoided: tuple[str, ...] = ()


class StrategyProfile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The machine-checkable row of a strategy.

    `needs` must be carried by the feed, `optional_needs` may be. `typical_stop_bp` feeds the
    planner. `directional` strategies are checked for stop >= 2c and first target >= 3c; where
    `claims_edge` each signal's expected edge is a forecast, and must exceed its cost.
    `cooldown_seconds` is also the starvation bound of its slots. `cluster` names strategies that
    count as one in caps. `walk_forward_days` of bars must have been walked before it may probe.
    """

    strategy: str
    version: str
    frequency: FrequencyClass
    needs: tuple[Need, ...]
    optional_needs: tuple[Need, ...] = ()
    regimes: tuple[Regime, ...]
    instruments: tuple[str, ...] = ()
    runs_on_bars: bool = False
    cooldown_seconds: float
    daily_cap: int
    time_stop_seconds: float
    styles: tuple[OrderStyle, ...]
    legs: int = 1
    typical_stop_bp: float
    cluster: str = ""
    directional: bool = False
    carry: bool = False
    needs_rebate: bool = False
    market_neutral: bool = False
    affinity: Affinity = Affinity()
    parameters_sha256: str = ""
    claims_edge: bool = False
    walk_forward_days: float = 0.0


class StrategyRegistered(Event, frozen=True, kw_only=True):
    """A strategy is known; `cannot_run_because` is empty when it was started.

    `evidence` is what it earned in the earlier run that the operator named; None without one.
    """

    key_field: ClassVar[str] = "strategy"

    strategy: str
    profile: StrategyProfile
    enabled: bool = True
    cannot_run_because: str = ""
    evidence: Evidence | None = None


class Signal(Event, frozen=True, kw_only=True):
    """A strategy's wish. Prices are floats: the gate rounds them to the instrument, once.

    `limit` is None for MARKET. `scale` 0..1.2 is the relative size, for LEG the notional ratio, for
    REDUCE the fraction of the position. `ttl_ns` bounds the order's life, `time_stop_ns` the
    position's. `strength` and `confidence` are 0..1, edge and cost in bp. `group` with `leg`
    (0-based) and `legs` binds signals that are decided as one; a QUOTE with `legs` 0 pulls the
    quotes. `release_leg` is the leg whose fills release this one (-1: sent at once).
    """

    key_field: ClassVar[str] = "strategy"

    signal_id: str
    strategy: str
    instrument: str
    side: Side
    intent: Intent
    style: OrderStyle
    limit: float | None = None
    scale: float = 1.0
    ttl_ns: int = 0
    stop: float | None = None
    targets: tuple[float, ...] = ()
    time_stop_ns: int = 0
    strength: float = 0.0
    confidence: float = 0.0
    expected_edge_bp: float = 0.0
    cost_bp: float = 0.0
    group: str = ""
    leg: int = 0
    legs: int = 1
    release_leg: int = -1
    group_stop_bp: float = 0.0
    """Loss of the whole group at its stop, in bp of the first leg's notional; 0 without one."""
    plan_fault: PlanFault | None = None
    """Why, by the strategy's own measurements, the plan does not pay; the guard judges by it."""
    reason: str = ""
