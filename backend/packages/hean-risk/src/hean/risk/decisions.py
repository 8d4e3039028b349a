"""The layers by name, and how many signals each let through and refused."""

from __future__ import annotations

from typing import Final

import msgspec

LAYERS: Final = ("SIGNAL", "ACTIVE", "ENVELOPE", "EDGE", "SIZER", "LIMITS", "SLOT")
SIGNAL, ACTIVE, ENVELOPE, EDGE, SIZER, LIMITS, SLOT = range(7)


class GateStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen view: passes and refusals by layer, and decisions by kind.

    `minted` are orders that no signal asked for; they are in none of the other counts.
    """

    passed: dict[str, int]
    refused: dict[str, int]
    signals: int
    orders: int
    withdrawn: int
    rejected: int
    minted: int


class DecisionCounts(msgspec.Struct):
    """The counts of the gate; `approved` entries passed every layer."""

    passed: list[int] = msgspec.field(default_factory=lambda: [0] * len(LAYERS))
    refused: list[int] = msgspec.field(default_factory=lambda: [0] * len(LAYERS))
    approved: int = 0
    signals: int = 0
    orders: int = 0
    withdrawn: int = 0
    rejected: int = 0
    minted: int = 0

    def note_order(self) -> None:
        """Count an entry that every layer let through."""
        self.orders += 1
        self.approved += 1

    def note_withdrawal(self, *, stands: bool) -> None:
        """Count an answer without an order; a quote that stands was let through by every layer."""
        self.withdrawn += 1
        self.approved += stands

    def note_refusal(self, layer: int) -> None:
        """Count a refusal, and a pass for each layer before it."""
        self.rejected += 1
        self.refused[layer] += 1
        for before in range(layer):
            self.passed[before] += 1

    def statistics(self) -> GateStatistics:
        """Return a frozen snapshot."""
        passed = [count + self.approved for count in self.passed]
        return GateStatistics(
            passed=dict(zip(LAYERS, passed, strict=True)),
            refused=dict(zip(LAYERS, self.refused, strict=True)),
            signals=self.signals,
            orders=self.orders,
            withdrawn=self.withdrawn,
            rejected=self.rejected,
            minted=self.minted,
        )
