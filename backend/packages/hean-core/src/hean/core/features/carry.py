"""Carry: the funding now-cast from minute premiums, and the basis of mark against index.

Source: the venue's funding formula; He, Manela, Ross, von Wachter 2022, Fundamentals of perpetual
futures.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from hean.core.events.market import FundingRate, MarkPrice
from hean.core.features.exact import NAN, Ewma, WeightedMean, quantised_log

MINUTE_NS: Final = 60_000_000_000
EIGHT_HOURS_NS: Final = 480 * MINUTE_NS
INTEREST: Final = 1e-4
"""The interest part of a rate for 8 h, as a fraction; in proportion for other intervals."""
CLAMP: Final = 5e-4
IMPACT_MARGIN: Final = 200.0
"""The impact order's margin in USDT; its notional is this times the maximum leverage."""
MARK_MAX_AGE_NS: Final = 60 * 1_000_000_000
_PREMIUM_HALF_LIFE: Final = 15.0
_BASIS_HALF_LIFE: Final = 14_400.0


def impact_price(levels: tuple[tuple[float, float], ...], notional: float) -> float:
    """Return the mean price of a taker order of `notional` USDT; the deepest where depth ends."""
    left, base = notional, 0.0
    for price, size in levels:
        value = price * size
        if value >= left:
            return notional / (base + left / price)
        left -= value
        base += size
    return (notional - left) / base


def premium(bid: float, ask: float, index: float) -> float:
    """Return (max(0, impact bid - index) - max(0, index - impact ask))/index, a fraction."""
    return (max(0.0, bid - index) - max(0.0, index - ask)) / index


class FundingNowCast(msgspec.Struct):
    """What the running interval's funding would be, from the premiums of its minutes so far.

    Minute i of n weighs i. What is to come, and what was missed before the start, counts as the
    mean premium (half-life 15 min). `rate` is a fraction of position value for the interval.
    """

    average: Ewma
    stamp: int = 0
    interval_ns: int = 0
    lower: float = -math.inf
    upper: float = math.inf
    weighted: float = 0.0
    weights: int = 0
    rate: float = NAN

    @classmethod
    def of(cls) -> FundingNowCast:
        average = Ewma.of(_PREMIUM_HALF_LIFE)
        average.ready_after = 1
        return cls(average)

    def follow(self, event: FundingRate) -> None:
        """Take the venue's own word on the next stamp, the interval and the bounds."""
        if event.settled:
            return
        if (event.next_funding_time, event.interval_ns) != (self.stamp, self.interval_ns):
            self.stamp, self.interval_ns = event.next_funding_time, event.interval_ns
            self.weighted, self.weights, self.rate = 0.0, 0, NAN
        self.lower = -math.inf if event.lower is None else event.lower
        self.upper = math.inf if event.upper is None else event.upper

    def update(self, minute_end: int, value: float) -> None:
        """Take the premium of the minute that ended at `minute_end` (ns)."""
        mean = self.average.update(value)
        if self.stamp <= 0 or self.interval_ns <= 0:
            self.rate = NAN
            return
        if minute_end > self.stamp:
            self.stamp += -(-(minute_end - self.stamp) // self.interval_ns) * self.interval_ns
            self.weighted, self.weights = 0.0, 0
        length = self.interval_ns // MINUTE_NS
        minute = length - (self.stamp - minute_end) // MINUTE_NS
        if minute >= 1:
            self.weighted += minute * value
            self.weights += minute
        self.rate = self._cast(mean, length * (length + 1) // 2)

    def _cast(self, mean: float, total: int) -> float:
        average = (self.weighted + mean * (total - self.weights)) / total
        interest = INTEREST * (self.interval_ns / EIGHT_HOURS_NS)
        rate = average + min(CLAMP, max(-CLAMP, interest - average))
        return min(self.upper, max(self.lower, rate))


class Basis(msgspec.Struct):
    """b = 1e4·ln(mark/index) in bp on the one-second grid; mean and deviation, half-life 4 h."""

    mean: WeightedMean
    square: WeightedMean
    mark: float = NAN
    index: float = NAN
    ts_ns: int = 0
    now: float = NAN

    @classmethod
    def of(cls) -> Basis:
        return cls(WeightedMean.of(_BASIS_HALF_LIFE), WeightedMean.of(_BASIS_HALF_LIFE))

    def follow(self, event: MarkPrice) -> None:
        """Take the newest mark and index; one without an index keeps the index before."""
        self.mark = event.mark
        if event.index is not None and event.index > 0.0:
            self.index = event.index
            self.ts_ns = event.ts_init

    def is_fresh(self, now: int) -> bool:
        """Return whether an index came within the last minute."""
        return self.index == self.index and now - self.ts_ns <= MARK_MAX_AGE_NS

    def update(self, now: int) -> None:
        """Close a second at `now` (ns); a stale index makes the value unknown."""
        if not self.is_fresh(now):
            self.now = NAN
            return
        self.now = value = quantised_log(self.mark, self.index) * 1e-5
        self.mean.update(value)
        self.square.update(value * value)

    def deviation(self) -> float:
        """Return the standard deviation in bp; NaN while warming up."""
        mean = self.mean.read()
        return math.sqrt(max(0.0, self.square.read() - mean * mean)) if mean == mean else NAN
