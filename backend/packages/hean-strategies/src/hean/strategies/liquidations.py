"""How fast others are being liquidated, against what is usual here."""

from __future__ import annotations

import msgspec

from hean.strategies.pace import SECOND_NS
from hean.strategies.windows import Average

BUCKET_NS = 10 * SECOND_NS
_BASELINE_HALF_LIFE = 360.0
_MOST_EMPTY = 360


class LiquidationFlow(msgspec.Struct, kw_only=True):
    """Value liquidated in the running ten seconds, and its mean over the hours before."""

    value: float = 0.0
    bucket: int = 0
    usual: Average = msgspec.field(default_factory=lambda: Average(half_life=_BASELINE_HALF_LIFE))

    def turn(self, now: int) -> None:
        """Close the ten seconds that have passed; empty ones count as such, an hour at most."""
        bucket = now // BUCKET_NS
        if self.bucket == 0:
            self.bucket = bucket
        for _ in range(min(_MOST_EMPTY, bucket - self.bucket)):
            self.usual.push(self.value)
            self.value = 0.0
        self.bucket = bucket

    def push(self, now: int, value: float) -> None:
        """Take a liquidation by its value in USDT."""
        self.turn(now)
        self.value += value

    def is_burst(self, times: float) -> bool:
        """Return whether the running ten seconds exceed the usual by a factor; 0 never does."""
        usual = self.usual.mean if self.usual.count else 0.0
        return self.value > times * usual and self.value > 0.0
