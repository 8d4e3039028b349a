"""How long each regime ruled: shares of a bin per instrument, and of the last day per strategy."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hean.core.events import Regime
from hean.portfolio.bandit import REGIMES, mean_shares

BINS_A_DAY = 3


class RegimeClock(msgspec.Struct, kw_only=True):
    """Counts nanoseconds per instrument and regime in a bin; keeps the last day's bins."""

    ruling: dict[str, tuple[Regime, int]] = {}
    spent: dict[str, dict[Regime, int]] = {}
    days: dict[str, list[dict[Regime, float]]] = {}

    def rule(self, instrument: str, regime: Regime, now: int) -> None:
        """Note that a regime rules an instrument from now on."""
        self._count(instrument, now)
        self.ruling[instrument] = (regime, now)

    def _count(self, instrument: str, now: int) -> None:
        before = self.ruling.get(instrument)
        if before is not None:
            spent = self.spent.setdefault(instrument, {})
            spent[before[0]] = spent.get(before[0], 0) + now - before[1]

    def close_bin(self, now: int) -> None:
        """End the bin: its shares become the newest of the day."""
        for instrument, (regime, _) in list(self.ruling.items()):
            self._count(instrument, now)
            self.ruling[instrument] = (regime, now)
            spent = self.spent.pop(instrument, {})
            total = 0
            for one in spent.values():
                total += one
            shares = {one: spent.get(one, 0) / total for one in REGIMES} if total else {regime: 1.0}
            day = self.days.setdefault(instrument, [])
            day.append(shares)
            del day[:-BINS_A_DAY]

    def last_bin(self, instruments: Sequence[str]) -> dict[Regime, float]:
        """Return the shares of the last bin over a strategy's instruments."""
        return mean_shares([self.days[one][-1] for one in instruments if one in self.days])

    def last_day(self, instruments: Sequence[str]) -> dict[Regime, float]:
        """Return the shares of the last day over a strategy's instruments."""
        return mean_shares([mean_shares(self.days[one]) for one in instruments if one in self.days])
