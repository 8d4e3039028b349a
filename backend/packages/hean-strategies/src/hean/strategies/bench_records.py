"""What the bench keeps of a position, and what it tells of a closed one."""

from __future__ import annotations

import msgspec

from hean.core.events import Signal


class Position(msgspec.Struct, kw_only=True):
    """A position of one unit (or a part) and how it was opened."""

    sign: int
    size: float
    entry: float
    opened_at: int
    stop: float | None
    fee_bp: float
    signal: Signal


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A closed position: net and gross in bp of entry, when, and why."""

    instrument: str
    sign: int
    opened_at: int
    closed_at: int
    gross_bp: float
    net_bp: float
    reason: str
