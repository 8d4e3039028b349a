"""The sequential loss test: a one-sided CUSUM over standardised net R-multiples (Page 1954).

Three losses in a row are noise; this tells a lost edge from bad luck. Every block expires.
"""

from __future__ import annotations

import math

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events.portfolio import PositionClosed
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.risk.outcomes import Outcome, OutcomeCollector
from hean.risk.settings import RiskSettings

HOUR_NS = 3_600_000_000_000
PRIOR_TRADES = 10
"""The spread of outcomes starts from this many trades of standard deviation 1."""
RELEASE = 1.0
"""Below this the smallest size after a block ends."""


class Streak(msgspec.Struct):
    """The test of one strategy: its sum S, the spread seen, and the block."""

    total: float = 0.0
    trades: int = 0
    squares: float = 0.0
    blocked_until: int = 0
    is_cautious: bool = False


class _State(msgspec.Struct, frozen=True):
    streaks: dict[str, Streak]
    outcomes: bytes


class LossStreaks:
    """Blocks a strategy for a while when its losses cannot be luck, then lets it back small."""

    name = "risk_loss_streak"

    def __init__(self, *, section: RiskSettings, agenda: Agenda) -> None:
        self._section = section
        self._agenda = agenda
        self._streaks: dict[str, Streak] = {}
        self._outcomes = OutcomeCollector()

    def attach(self, bus: Bus) -> None:
        """Subscribe to real outcomes; shadow ones never block."""
        self._outcomes.attach(bus, owner=self.name)
        bus.subscribe(PositionClosed, self._on_closed, stage=Stage.RISK, owner=self.name)

    def blocked_until(self, strategy: str) -> int:
        """Return the kernel time until which entries are barred, 0 if they are not."""
        found = self._streaks.get(strategy)
        if found is None or found.blocked_until <= self._agenda.now:
            return 0
        return found.blocked_until

    def is_cautious(self, strategy: str) -> bool:
        """Return whether the strategy may trade its smallest size only."""
        found = self._streaks.get(strategy)
        return found is not None and found.is_cautious

    def _on_closed(self, event: PositionClosed) -> None:
        outcome = self._outcomes.collect(event)
        if outcome is not None and self._section.loss_streak_enabled:
            self._test(outcome)

    def _test(self, outcome: Outcome) -> None:
        if outcome.risk <= 0.0:
            return
        value = outcome.net / outcome.risk
        found = self._streaks.setdefault(outcome.strategy, Streak())
        spread = math.sqrt((PRIOR_TRADES + found.squares) / (PRIOR_TRADES + found.trades))
        total = max(0.0, found.total - value / spread - self._section.cusum_k)
        found.trades += 1
        found.squares += value * value
        if total >= self._section.cusum_h:
            total = self._section.cusum_h / 2.0
            found.blocked_until = self._agenda.now + self._section.cusum_block_hours * HOUR_NS
            found.is_cautious = True
        elif total < RELEASE:
            found.is_cautious = False
        found.total = total

    def snapshot(self) -> bytes:
        """Return the tests."""
        return pack(self.name, 1, _State(self._streaks, self._outcomes.snapshot()))

    def restore(self, state: bytes) -> None:
        """Go on with the tests of a snapshot."""
        found = unpack(state, self.name, 1, _State)
        self._streaks = found.streaks
        self._outcomes.restore(found.outcomes)
