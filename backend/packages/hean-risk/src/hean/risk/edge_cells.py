"""The cells of the edge guard: outcomes go in, modes come out.

A cell is strategy x symbol group x regime at entry. Outcomes also count in two wider cells, which
judge for a narrow one that has too few. Plans that failed a check have a cell of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from hean.core.edge import Belief, Cell, Fees, belief_of, fees_bp, first_sufficient, next_mode
from hean.core.events.decision import GuardMode
from hean.core.events.evidence import PastOutcome
from hean.core.events.market import Regime
from hean.risk.stress import MAJORS

FAILED_PLAN: Final = "failed plan"
"""The regime part of the cell whose outcomes never promote."""

CellKey = tuple[str, str, str]
"""(strategy, symbol group, regime); an empty part pools over all of it."""


class Origin(StrEnum):
    """Where an outcome was made."""

    REAL = "real"
    SHADOW = "shadow"
    IMPORTED = "imported"


class Track(msgspec.Struct):
    """One cell with its mode, the newest cost claimed in it, and how its outcomes came."""

    cell: Cell = Cell()
    mode: GuardMode = GuardMode.SHADOW
    cost_bp: float = 0.0
    real: int = 0
    shadow: int = 0
    imported: int = 0

    def count(self, net_bp: float, origin: Origin) -> None:
        """Take an outcome."""
        self.cell = self.cell.with_outcome(net_bp)
        self.real += origin is Origin.REAL
        self.shadow += origin is Origin.SHADOW
        self.imported += origin is Origin.IMPORTED


class ModeChange(msgspec.Struct, frozen=True):
    """A cell's mode moved, and what is believed of it."""

    key: CellKey
    previous: GuardMode
    mode: GuardMode
    belief: Belief
    last_mean_bp: float
    cost_bp: float


def symbol_group(base: str) -> str:
    """Return the group of a base coin."""
    return "majors" if base in MAJORS else "others"


def cell_key(strategy: str, group: str, regime: Regime | str | None) -> CellKey:
    """Return the key of a narrow cell; a regime nobody knew counts as NORMAL."""
    return (strategy, group, str(regime or Regime.NORMAL))


def cell_name(key: CellKey) -> str:
    """Return a cell as `EdgeGuardChanged` names it."""
    return "/".join(key)


class EdgeCells:
    """All cells by key, each in SHADOW until its outcomes speak."""

    def __init__(self) -> None:
        self.tracks: dict[CellKey, Track] = {}
        self.barred: dict[str, bool] = {}
        """Strategies that stay in SHADOW whatever their outcomes: their walk-forward is missing."""

    def track(self, key: CellKey) -> Track:
        """Return a cell, made when first asked for."""
        found = self.tracks.get(key)
        if found is None:
            found = self.tracks[key] = Track()
        return found

    def pooled(self, key: CellKey) -> Cell:
        """Return the outcomes that speak for a cell: its own, or a wider one's while few."""
        wider = [self.track(one).cell for one in _wider(key)]
        return first_sufficient((self.track(key).cell, *wider))

    def belief(self, key: CellKey) -> Belief:
        """Return what is believed of a cell."""
        return belief_of(self.pooled(key), self.track(key).cost_bp)

    def learn(self, key: CellKey, net_bp: float, origin: Origin) -> ModeChange | None:
        """Take an outcome; return the change of mode that follows from it."""
        before = self.track(key).mode
        self._count(key, net_bp, origin)
        return self._change(key, before)

    def note_failed(self, strategy: str, group: str, net_bp: float, origin: Origin) -> None:
        """Take the outcome of a plan that failed a check: it never promotes anything."""
        self.track((strategy, group, FAILED_PLAN)).count(net_bp, origin)

    def take_past(
        self,
        key_of: Mapping[str, tuple[str, str]],
        outcomes: tuple[PastOutcome, ...],
        fees: Mapping[str, Fees],
    ) -> list[ModeChange]:
        """Take outcomes of an earlier run at these `fees`; return the change of each cell's mode.

        `key_of` gives strategy and symbol group by instrument. An outcome on an instrument that
        it or `fees` does not know counts for nothing.
        """
        before: dict[CellKey, GuardMode] = {}
        for one in outcomes:
            place = key_of.get(one.instrument)
            if place is None or any(share.instrument not in fees for share in one.shares):
                continue
            key = cell_key(*place, one.regime)
            track = self.track(key)
            before.setdefault(key, track.mode)
            today = fees_bp(one.shares, fees)
            track.cost_bp = max(0.0, one.frictions_bp + today)
            self._count(key, one.before_fees_bp - today, Origin.IMPORTED)
        changes = [self._change(key, mode) for key, mode in before.items()]
        return [one for one in changes if one is not None]

    def _count(self, key: CellKey, net_bp: float, origin: Origin) -> None:
        for one in (key, *_wider(key)):
            self.track(one).count(net_bp, origin)
        if self.barred.get(key[0]):
            return
        track = self.track(key)
        track.mode = next_mode(track.mode, self.pooled(key), track.cost_bp)

    def _change(self, key: CellKey, before: GuardMode) -> ModeChange | None:
        track = self.track(key)
        if track.mode is before:
            return None
        return ModeChange(
            key, before, track.mode, self.belief(key), self.pooled(key).last_mean, track.cost_bp
        )


def _wider(key: CellKey) -> tuple[CellKey, CellKey]:
    strategy, group, _ = key
    return (strategy, group, ""), (strategy, "", "")
