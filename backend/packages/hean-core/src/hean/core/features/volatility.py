"""Volatility from quantised one-second returns: fast, slow, jumps, and its own percentile.

Source for bipower variation: Barndorff-Nielsen, Shephard 2004.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from hean.core.features.exact import (
    NAN,
    Ewma,
    HourlyHistogram,
    WeightedMean,
    log_edges,
)

UNIT: Final = 1e-9
SIGMA_EDGES: Final = log_edges(1e-6, 4e-3)
PERCENTILE_READY: Final = 24 * 3600
FAST_HALF_LIFE: Final = 60.0
MEDIUM_HALF_LIFE: Final = 300.0
SLOW_HALF_LIFE: Final = 3600.0
HALF_PI: Final = math.pi / 2.0


class Volatility(msgspec.Struct):
    """Volatility per second (half-lives 60 s, 1 h), jump share (60 s), percentile (7 days)."""

    fast_square: Ewma
    medium_square: Ewma
    slow_square: WeightedMean
    bipower: Ewma
    histogram: HourlyHistogram
    previous: int = -1
    fast: float = NAN
    slow: float = NAN
    percentile: float = NAN
    jump_share: float = NAN

    @classmethod
    def of(cls) -> Volatility:
        return cls(
            Ewma.of(FAST_HALF_LIFE),
            Ewma.of(MEDIUM_HALF_LIFE),
            WeightedMean.of(SLOW_HALF_LIFE),
            Ewma.of(FAST_HALF_LIFE),
            HourlyHistogram.of(SIGMA_EDGES, PERCENTILE_READY),
        )

    def update(self, second: int, return_e9: int) -> None:
        """Take the return of a second in 1e-9."""
        square = return_e9 * return_e9
        realised = self.fast_square.update(square)
        self.slow_square.update(square)
        medium = self.medium_square
        medium.update(square)
        size = abs(return_e9)
        product = self.bipower.update(size * self.previous) if self.previous >= 0 else 0.0
        self.previous = size
        if self.bipower.ready:
            self.jump_share = 0.0
            if realised > 0.0:
                self.jump_share = max(0.0, 1.0 - HALF_PI * product / realised)
        self.fast = UNIT * math.sqrt(self.fast_square.read())
        self.slow = UNIT * math.sqrt(self.slow_square.read())
        if medium.ready:
            self.percentile = self.histogram.update(second // 3600, UNIT * math.sqrt(medium.value))
