"""Rolling statistics over bars or samples: O(1) updates, whole numbers where they are summed.

Returns are quantised to 1e-9, so the sums are exact and do not depend on where a log began.
"""

from __future__ import annotations

from math import inf, log, nan, sqrt

import msgspec

UNITS = 1e9
"""Return quanta in 1."""


class ReturnWindow(msgspec.Struct, kw_only=True):
    """Σr and Σr² over several window lengths (in samples, rising) of one price series."""

    lengths: tuple[int, ...]
    ring: list[int] = []
    count: int = 0
    last: float = 0.0
    sums: list[int] = []
    squares: list[int] = []

    @classmethod
    def of(cls, *lengths: int) -> ReturnWindow:
        """Return an empty window for the given lengths, in rising order."""
        return cls(
            lengths=lengths,
            ring=[0] * lengths[-1],
            sums=[0] * len(lengths),
            squares=[0] * len(lengths),
        )

    def push(self, price: float) -> None:
        """Take the next price; the first only sets the base."""
        if self.last <= 0.0:
            self.last = price
            return
        value = round(UNITS * log(price / self.last))
        self.last = price
        ring, size, count = self.ring, self.lengths[-1], self.count
        for index, length in enumerate(self.lengths):
            old = ring[(count - length) % size] if count >= length else 0
            self.sums[index] += value - old
            self.squares[index] += value * value - old * old
        ring[count % size] = value
        self.count = count + 1

    def ready(self, index: int) -> bool:
        """Return whether the window number `index` is full."""
        return self.count >= self.lengths[index]

    def zeta(self, index: int) -> float:
        """Return the trend Σr/√Σr², about N(0,1) on a walk; NaN until the window is full."""
        if self.count < self.lengths[index]:
            return nan
        square = self.squares[index]
        return self.sums[index] / sqrt(square) if square else 0.0

    def deviation(self, index: int) -> float:
        """Return √Σr² as a fraction: the volatility of the whole window; NaN until it is full."""
        if self.count < self.lengths[index]:
            return nan
        return sqrt(self.squares[index]) / UNITS

    def total(self, index: int) -> float:
        """Return Σr as a fraction; NaN until the window is full."""
        return self.sums[index] / UNITS if self.count >= self.lengths[index] else nan


class Range(msgspec.Struct, kw_only=True):
    """High, low and Wilder's average true range of coarser bars made from finer ones.

    `span_ns` is the coarse bar's length, `depth` how many of them `highest` and `lowest` look back.
    """

    span_ns: int
    depth: int
    highs: list[float] = []
    lows: list[float] = []
    atr: float = nan
    bars: int = 0
    slot: int = -1
    high: float = -inf
    low: float = inf
    close: float = 0.0
    highest: float = -inf
    lowest: float = inf
    previous: float = 0.0

    def push(self, high: float, low: float, close: float, close_time: int) -> bool:
        """Take a fine bar; return whether it completed a coarse one (or came after a hole)."""
        slot = (close_time - 1) // self.span_ns
        completed = False
        if self.slot >= 0 and slot != self.slot and self.high >= self.low:
            self._complete()
            completed = True
        self.slot = slot
        self.high = max(self.high, high)
        self.low = min(self.low, low)
        self.close = close
        if close_time % self.span_ns == 0:
            self._complete()
            completed = True
        return completed

    def _complete(self) -> None:
        span = self.high - self.low
        if self.bars:
            span = max(span, abs(self.high - self.previous), abs(self.low - self.previous))
        self.atr = span if not self.bars else (span + 13.0 * self.atr) / 14.0
        self._keep(self.high, self.low)
        self.bars += 1
        self.previous = self.close
        self.high, self.low = -inf, inf

    def _keep(self, high: float, low: float) -> None:
        highs, lows = self.highs, self.lows
        highs.append(high)
        lows.append(low)
        gone_high, gone_low = -inf, inf
        if len(highs) > self.depth:
            gone_high, gone_low = highs.pop(0), lows.pop(0)
        self.highest = max(high, self.highest) if gone_high < self.highest else max(highs)
        self.lowest = min(low, self.lowest) if gone_low > self.lowest else min(lows)

    @property
    def ready(self) -> bool:
        return self.bars >= max(14, self.depth)


def decay(half_life: float) -> float:
    """Return the weight a of a new sample in `a·x + (1 - a)·s` for a half-life in samples."""
    return float(1.0 - 2.0 ** (-1.0 / half_life))


class Average(msgspec.Struct, kw_only=True):
    """Exponentially weighted mean and mean square, seeded with the first sample."""

    half_life: float
    mean: float = nan
    square: float = nan
    count: int = 0

    def push(self, value: float) -> None:
        """Take a sample."""
        self.count += 1
        if self.count == 1:
            self.mean, self.square = value, value * value
            return
        weight = decay(self.half_life)
        kept = 1.0 - weight
        self.mean = weight * value + kept * self.mean
        self.square = weight * (value * value) + kept * self.square

    @property
    def deviation(self) -> float:
        """The weighted standard deviation; NaN before the first sample."""
        return sqrt(max(0.0, self.square - self.mean * self.mean))
