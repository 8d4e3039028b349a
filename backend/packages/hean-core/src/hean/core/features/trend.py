"""Trend and range from quantised one-second returns: ζ, range ratio, variance ratio, impulse.

Source for the variance ratio: Lo, MacKinlay 1988, Stock prices do not follow random walks.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from hean.core.features.exact import (
    NAN,
    RollingMaximum,
    RollingSum,
    WeightedMean,
)

ZETA_WINDOWS: Final = (60, 300, 900, 3600, 14400)
RANGE_WINDOW: Final = 3600
STEP: Final = 60
"""Length q of the variance ratio's longer returns, in seconds."""
MOST_STEP: Final = 1 << 27
"""Longest 60-s return that counts, 13.4 %: a crash must not take the sums past 64 bits."""
IMPULSE_WINDOW: Final = 30
REVERSION_STEP: Final = 10
REVERSION_HALF_LIFE: Final = 360.0


def ratio(numerator: int, squares: int) -> float:
    """Return numerator/√squares, 0 where nothing moved."""
    return numerator / math.sqrt(squares) if squares > 0 else 0.0


class Trend(msgspec.Struct):
    """Windows over returns in 1e-9: running sums of r, r² and of the 60-s returns squared.

    The price path is the running sum of the returns itself, an integer, so its range is exact.
    """

    returns: RollingSum
    squares: RollingSum
    steps: RollingSum
    highest: RollingMaximum
    lowest: RollingMaximum
    path: int = 0

    @classmethod
    def of(cls) -> Trend:
        longest = ZETA_WINDOWS[-1]
        trend = cls(
            RollingSum.of(longest),
            RollingSum.of(longest),
            RollingSum.of(RANGE_WINDOW),
            RollingMaximum(RANGE_WINDOW + 1),
            RollingMaximum(RANGE_WINDOW + 1),
        )
        trend.highest.push(0)
        trend.lowest.push(0)
        return trend

    def update(self, return_e9: int) -> None:
        """Take the return of a second in 1e-9."""
        self.path = path = self.path + return_e9
        self.returns.push(return_e9)
        self.squares.push(return_e9 * return_e9)
        if self.returns.count >= STEP:
            step = abs(self.returns.over(STEP))
            self.steps.push(step * step if step < MOST_STEP else MOST_STEP * MOST_STEP)
        self.highest.push(path)
        self.lowest.push(-path)

    def zeta(self, n: int) -> float:
        """Return Σr/√Σr² over n seconds, about N(0, 1) on a walk; NaN before n came."""
        if self.returns.count < n:
            return NAN
        return ratio(self.returns.over(n), self.squares.over(n))

    def range_ratio(self) -> float:
        """Return (high - low)/√Σr² over an hour; on a walk about 1.6 on average."""
        if self.returns.count < RANGE_WINDOW:
            return NAN
        highest = self.highest.values[self.highest.head]
        lowest = -self.lowest.values[self.lowest.head]
        return ratio(highest - lowest, self.squares.over(RANGE_WINDOW))

    def variance_ratio(self) -> float:
        """Return Σ(60-s returns)²/(60·Σr²) over an hour of overlapping returns; 1 on a walk."""
        if self.steps.count < RANGE_WINDOW:
            return NAN
        squares = self.squares.over(RANGE_WINDOW)
        return float(self.steps.over(RANGE_WINDOW)) / float(STEP * squares) if squares > 0 else 1.0

    def impulse(self, sigma: float) -> float:
        """Return |Σr of 30 s|/(sigma·√30), sigma a fraction per second; NaN while it warms up."""
        if sigma > 0.0:
            return abs(self.returns.over(IMPULSE_WINDOW)) * 1e-9 / (sigma * IMPULSE_WINDOW**0.5)
        return sigma


class Reversion(msgspec.Struct):
    """The half-life of the mid's mean reversion: AR(1) on 10-s samples, weighed over 1 h."""

    before: WeightedMean
    now: WeightedMean
    square: WeightedMean
    product: WeightedMean
    sample: int = 0
    half_life: float = NAN

    @classmethod
    def of(cls) -> Reversion:
        means = [WeightedMean.of(REVERSION_HALF_LIFE) for _ in range(4)]
        return cls(means[0], means[1], means[2], means[3])

    def update(self, path: int) -> None:
        """Take a sample of the price path in 1e-9, every 10 s."""
        before, now = float(self.sample), float(path)
        self.sample = path
        means = (
            self.before.update(before),
            self.now.update(now),
            self.square.update(before * before),
            self.product.update(before * now),
        )
        if self.before.count >= self.before.ready_after:
            self.half_life = half_life_of(*means)


def half_life_of(before: float, now: float, square: float, product: float) -> float:
    """Return the half-life in seconds of an AR(1) with these moments; infinite when there is none.

    0 where the slope is not positive: what is gone within one sample. Rounded to 1e-9.
    """
    variance = square - before * before
    if variance <= 0.0:
        return math.inf
    slope = (product - before * now) / variance
    if slope >= 1.0:
        return math.inf
    return round(-math.log(2.0) * REVERSION_STEP / math.log(slope), 9) if slope > 0.0 else 0.0
