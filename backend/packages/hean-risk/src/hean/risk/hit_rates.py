"""How often a strategy wins and what a win pays against a loss: what the Kelly cap is fed.

The account's own outcomes alone: shadow outcomes reach an order through the guard, never by size.
They count for thirty days, so a cap ends by time even where it let nothing trade.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events.portfolio import PositionClosed
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.risk.outcomes import OutcomeCollector

LEAST_TRADES: Final = 10
"""Trades that were won or lost before anything is said of a strategy."""
MOST_TRADES: Final = 200
WINDOW_NS: Final = 30 * 86_400_000_000_000


class HitRate(msgspec.Struct, frozen=True, gc=False):
    """The posterior of a strategy: hit rate, its standard deviation, mean win over mean loss."""

    probability: float
    error: float
    payoff: float


UNKNOWN: Final = HitRate(0.0, 0.0, 0.0)
"""Too few outcomes: a payoff of 0 tells the sizer that nothing is known."""


class _Result(msgspec.Struct, frozen=True, gc=False):
    closed_at: int
    multiple: float


class _State(msgspec.Struct, frozen=True):
    results: dict[str, list[_Result]]
    outcomes: bytes


class HitRates:
    """Keeps the newest R-multiples of each strategy; a group of legs is one outcome."""

    name = "risk_hit_rates"

    def __init__(self, *, agenda: Agenda) -> None:
        self._agenda = agenda
        self._results: dict[str, list[_Result]] = {}
        self._outcomes = OutcomeCollector()

    def attach(self, bus: Bus) -> None:
        """Subscribe to the account's outcomes."""
        self._outcomes.attach(bus, owner=self.name)
        bus.subscribe(PositionClosed, self._on_closed, stage=Stage.RISK, owner=self.name)

    def of(self, strategy: str) -> HitRate:
        """Return what the last thirty days say; `UNKNOWN` with fewer than ten wins and losses.

        The prior is half a win and half a loss (Jeffreys), and one R each for the payoff.
        """
        since = self._agenda.now - WINDOW_NS
        wins = losses = 0
        won = lost = 1.0
        for one in self._results.get(strategy, ()):
            if one.closed_at <= since:
                continue
            if one.multiple > 0.0:
                wins, won = wins + 1, won + one.multiple
            else:
                losses, lost = losses + 1, lost - one.multiple
        trades = wins + losses
        if trades < LEAST_TRADES:
            return UNKNOWN
        probability = (wins + 0.5) / (trades + 1.0)
        error = math.sqrt(probability * (1.0 - probability) / (trades + 2.0))
        payoff = (won / (wins + 1)) / (lost / (losses + 1))
        return HitRate(probability, error, payoff)

    def _on_closed(self, event: PositionClosed) -> None:
        outcome = self._outcomes.collect(event)
        if outcome is None or outcome.risk <= 0.0 or outcome.net == 0.0:
            return
        kept = self._results.setdefault(outcome.strategy, [])
        kept.append(_Result(self._agenda.now, outcome.net / outcome.risk))
        if len(kept) > MOST_TRADES:
            kept.pop(0)

    def snapshot(self) -> bytes:
        """Return the outcomes kept and the groups under way."""
        return pack(self.name, 1, _State(self._results, self._outcomes.snapshot()))

    def restore(self, state: bytes) -> None:
        """Take over the outcomes of a snapshot."""
        found = unpack(state, self.name, 1, _State)
        self._results = found.results
        self._outcomes.restore(found.outcomes)
