"""What the sentinel published last, and whether readers would learn something from the present.

An envelope is published where a reader would learn something: at once for what is material, at the
interval for what has moved.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from hean.core.events.reasons import ReasonCode
from hean.core.events.risk import BudgetSource, RiskState
from hean.core.instruments import MONEY, ZERO
from hean.risk.sentinel_state import Standing

MOVED: Final = Decimal("0.001")
"""A relative move of equity that makes an envelope worth repeating at the interval."""

Counts = tuple[int, int, Decimal]
"""Positions, working entries and equity."""


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


class Published:
    """The newest published envelope, as far as the next one is measured against it."""

    __slots__ = ("_standing", "counts", "material")

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self.material: Material | None = None
        self.counts: Counts = (0, 0, ZERO)

    def note(self) -> None:
        """Remember the present as published."""
        self.material, self.counts = self._material(), self._counts()

    def is_material(self) -> bool:
        """Return whether readers must hear of the present at once."""
        told, standing = self.material, self._standing
        if told is None or told.anomalies != standing.anomaly.version:
            return True
        bar, budgets = standing.account_bar(), standing.budgets
        return (
            told.bar is not (None if bar is None else bar[0])
            or told.state is not standing.governor.state
            or told.failed is not standing.failed
            or told.paused_day != standing.state.paused_day
            or told.active_version != budgets.active_version
            or told.allocation_version != budgets.allocation_version
            or told.source is not budgets.weights(standing.now).source
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
        exposure = self._standing.exposure
        return len(exposure.holdings), exposure.entries, self._standing.state.equity

    def _material(self) -> Material:
        standing = self._standing
        bar = standing.account_bar()
        budgets = standing.budgets
        return Material(
            None if bar is None else bar[0],
            standing.governor.state,
            standing.failed,
            budgets.weights(standing.now).source,
            budgets.active_version,
            budgets.allocation_version,
            standing.state.paused_day,
            standing.anomaly.version,
        )
