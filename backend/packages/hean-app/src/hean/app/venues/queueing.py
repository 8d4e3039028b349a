"""The place of a resting order in the queue at its price.

Pessimistic: we join behind all that is displayed, every cancellation happens behind us unless what
is displayed became less than what we thought ahead, and only trades at the price move us forward
(the risk-averse model of the hftbacktest documentation).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Place(NamedTuple):
    """Base coin still ahead of us (None: the level was never displayed), and what reached us."""

    ahead: float | None
    reached: float


class QueueModel(Protocol):
    """Moves a resting order's place by one observation of its price level."""

    def advance(self, ahead: float | None, *, displayed: float | None, traded: float) -> Place: ...


class BehindDisplayedSize:
    """Joins behind the displayed size; trades at the price consume it first."""

    def advance(self, ahead: float | None, *, displayed: float | None, traded: float) -> Place:
        """Return the new place; `displayed` None says nothing, 0 that the level is empty."""
        if displayed is not None and (ahead is None or displayed < ahead):
            ahead = displayed
        if ahead is None or traded <= 0.0:
            return Place(ahead, 0.0)
        if traded <= ahead:
            return Place(ahead - traded, 0.0)
        return Place(0.0, traded - ahead)
