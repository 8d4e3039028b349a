"""What the edge guard last said of each strategy's cells."""

from __future__ import annotations

import msgspec

from hean.core.events import EdgeGuardChanged, GuardMode


class GuardCells(msgspec.Struct, kw_only=True):
    """Modes by strategy and cell; a strategy never heard of has only SHADOW cells."""

    modes: dict[str, dict[str, GuardMode]] = {}

    def learn(self, event: EdgeGuardChanged) -> bool:
        """Take a change; return whether it made the strategy live, or no longer live."""
        before = self.is_live(event.strategy)
        self.modes.setdefault(event.strategy, {})[event.cell] = event.mode
        return self.is_live(event.strategy) is not before

    def is_live(self, strategy: str) -> bool:
        """Return whether any cell may trade (PROBE or ACTIVE)."""
        cells = self.modes.get(strategy, {})
        return any(mode is not GuardMode.SHADOW for mode in cells.values())
