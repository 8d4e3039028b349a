"""What the sentinel keeps: its inputs, its snapshot, and what it published last.

An envelope is published where a reader would learn something: at once for what is material, at the
interval for what has moved.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from hean.core.events.reasons import ReasonCode
from hean.core.events.risk import BudgetSource, RiskState
from hean.core.events.strategy import StrategyProfile
from hean.core.instruments import MONEY, ZERO
from hean.risk.tails import TailState

if TYPE_CHECKING:
    from hean.risk.risk_sentinel import RiskSentinel

SECOND_NS: Final = 1_000_000_000
MOVED: Final = Decimal("0.001")
"""A relative move of equity that makes an envelope worth repeating at the interval."""

Counts = tuple[int, int, Decimal]
"""Positions, working entries and equity."""


class SentinelState(msgspec.Struct):
    """The inputs of the envelope as they came last."""

    version: int = 0
    equity: Decimal = ZERO
    nav: float = 0.0
    drawdown: float = 0.0
    high_water_mark: float = 1.0
    day_start: float = 0.0
    paused_day: int = -1
    available: Decimal = ZERO
    margins: dict[str, Decimal] = {}
    has_equity: bool = False
    reconciled_at: int = -1
    recomputed_at: int = -1
    published_at: int = -1
    interval_ns: int = SECOND_NS
    is_connected: bool = True
    gaps: dict[str, int] = {}
    factors: dict[str, list[float]] = {}


class Material(msgspec.Struct, frozen=True):
    """What readers must hear of at once."""

    bar: ReasonCode | None
    state: RiskState
    failed: bool
    source: BudgetSource
    active_version: int
    allocation_version: int
    paused_day: int
    anomalies: int


class SentinelSnapshot(msgspec.Struct, frozen=True):
    """Inputs, budgets in force, and what was computed and published last."""

    state: SentinelState
    budgets: bytes
    profiles: dict[str, StrategyProfile]
    tails: TailState
    is_dirty: bool
    failed: bool
    seen_held: int
    oldest_mark: int
    published: Material | None
    published_counts: Counts
    multiplier: Decimal
    open_risk_limit: Decimal
    gross_limit: Decimal


class Published:
    """The newest published envelope, as far as the next one is measured against it."""

    __slots__ = ("_sentinel", "counts", "material")

    def __init__(self, sentinel: RiskSentinel) -> None:
        self._sentinel = sentinel
        self.material: Material | None = None
        self.counts: Counts = (0, 0, ZERO)

    def note(self) -> None:
        """Remember the present as published."""
        self.material, self.counts = self._material(), self._counts()

    def is_material(self) -> bool:
        """Return whether readers must hear of the present at once."""
        told, sentinel = self.material, self._sentinel
        if told is None or told.anomalies != sentinel.anomaly.version:
            return True
        bar, budgets = sentinel.account_bar(), sentinel.budgets
        return (
            told.bar is not (None if bar is None else bar[0])
            or told.state is not sentinel.governor.state
            or told.failed is not sentinel.failed
            or told.paused_day != sentinel.state.paused_day
            or told.active_version != budgets.active_version
            or told.allocation_version != budgets.allocation_version
            or told.source is not budgets.weights(sentinel.now).source
        )

    def has_moved(self) -> bool:
        """Return whether readers would learn something at the interval."""
        if self.is_material():
            return True
        holdings, entries, equity = self._counts()
        if (holdings, entries) != self.counts[:2]:
            return True
        before = self.counts[2]
        return abs(equity - before) > MONEY.multiply(MOVED, abs(before))

    def _counts(self) -> Counts:
        exposure = self._sentinel.exposure
        return len(exposure.holdings), exposure.entries, self._sentinel.state.equity

    def _material(self) -> Material:
        sentinel = self._sentinel
        bar = sentinel.account_bar()
        budgets = sentinel.budgets
        return Material(
            None if bar is None else bar[0],
            sentinel.governor.state,
            sentinel.failed,
            budgets.weights(sentinel.now).source,
            budgets.active_version,
            budgets.allocation_version,
            sentinel.state.paused_day,
            sentinel.anomaly.version,
        )
