"""Simulated funding: minute premiums averaged with growing weights, as the venue does.

F = P + clamp(I - P, -5 bp, +5 bp) with I = 1 bp per eight hours, P the premium average with weights
1..n over the minutes of the interval (Bybit help centre).
"""

from __future__ import annotations

import msgspec

INTEREST = 1e-4
CLAMP = 5e-4
EIGHT_HOURS = 8 * 3600


class CarryState(msgspec.Struct):
    """Weighted sum of premiums and the weights so far in this interval."""

    weighted: float = 0.0
    weights: int = 0
    minutes: int = 0


class Carry:
    """Accumulates premiums; the interval is in seconds."""

    def __init__(self, interval: int = EIGHT_HOURS, state: CarryState | None = None) -> None:
        self.interval = interval
        self.state = state or CarryState()

    def add_minute(self, premium: float) -> None:
        """Take the premium index of one minute as a fraction of the index price."""
        state = self.state
        state.minutes += 1
        state.weighted += state.minutes * premium
        state.weights += state.minutes

    def rate(self) -> float:
        """Return the predicted rate for the interval under way."""
        state = self.state
        premium = state.weighted / state.weights if state.weights else 0.0
        interest = INTEREST * self.interval / EIGHT_HOURS
        gap = interest - premium
        return premium + max(-CLAMP, min(CLAMP, gap))

    def settle(self) -> float:
        """Return the settled rate and begin the next interval."""
        rate = self.rate()
        self.state.weighted, self.state.weights, self.state.minutes = 0.0, 0, 0
        return rate
