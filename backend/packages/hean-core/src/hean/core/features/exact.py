"""The exact building blocks of features: one value for live and batch, bit for bit.

Live forms are mutable structs, so that a snapshot is the struct itself. Their batch forms are in
`columns`, apart, because importing numpy and scipy costs more than a short run.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Final

import msgspec

NAN: Final = float("nan")
HOURS_OF_WEEK: Final = 168
_REBASE_AT: Final = 1 << 61


def decay(half_life: float) -> tuple[float, float]:
    """Return a = 1 - 2^(-1/half-life) and b = 1 - a, the weights of s = a·x + b·s."""
    a = round(1.0 - 2.0 ** (-1.0 / half_life), 15)
    return a, 1.0 - a


class Ewma(msgspec.Struct):
    """An exponentially weighted mean s = a·x + b·s that starts at its first value.

    `ready_after` is the number of values (one half-life) after which it may be used.
    """

    a: float
    b: float
    ready_after: int
    value: float = NAN
    count: int = 0

    @classmethod
    def of(cls, half_life: float) -> Ewma:
        a, b = decay(half_life)
        return cls(a, b, math.ceil(half_life))

    @property
    def ready(self) -> bool:
        return self.count >= self.ready_after

    def update(self, x: float) -> float:
        """Take one value and return the mean, ready or not."""
        if self.count == 0:
            self.value = float(x)
        self.count += 1
        self.value = value = self.a * x + self.b * self.value
        return value

    def read(self) -> float:
        """Return the mean, NaN while it is warming up."""
        return self.value if self.count >= self.ready_after else NAN


class WeightedMean(msgspec.Struct):
    """An exponentially weighted mean that starts empty: two sums, values and weights.

    For slow half-lives, where a mean that starts at its first value would owe half of itself to
    that one value when it is declared ready.
    """

    a: float
    b: float
    ready_after: int
    total: float = 0.0
    weight: float = 0.0
    count: int = 0

    @classmethod
    def of(cls, half_life: float) -> WeightedMean:
        a, b = decay(half_life)
        return cls(a, b, math.ceil(half_life))

    def update(self, x: float) -> float:
        """Take one value and return the mean, ready or not."""
        self.count += 1
        self.total = total = self.a * x + self.b * self.total
        self.weight = weight = self.a + self.b * self.weight
        return total / weight

    def read(self) -> float:
        """Return the mean, NaN while it is warming up."""
        return self.total / self.weight if self.count >= self.ready_after else NAN


def quantised_log(numerator: float, denominator: float) -> int:
    """Return rint(1e9·ln(numerator/denominator)), the same integer from every library."""
    return round(1e9 * math.log(numerator / denominator))


class RollingSum(msgspec.Struct):
    """Sums of integers over any window up to a capacity: one ring of running totals.

    `over(n)` is the sum of the newest n values; it raises nothing and is meaningless before n came.
    """

    mask: int
    totals: list[int]
    total: int = 0
    count: int = 0

    @classmethod
    def of(cls, longest: int) -> RollingSum:
        size = 1 << longest.bit_length()
        return cls(size - 1, [0] * size)

    def push(self, x: int) -> None:
        """Take one value."""
        self.count = count = self.count + 1
        self.total = total = self.total + x
        self.totals[count & self.mask] = total
        if total > _REBASE_AT:
            self._rebase()

    def over(self, n: int) -> int:
        """Return the sum of the newest n values."""
        return self.total - self.totals[(self.count - n) & self.mask]

    def _rebase(self) -> None:
        base = self.total
        self.totals = [one - base for one in self.totals]
        self.total = 0


class RollingMaximum(msgspec.Struct):
    """The largest of the newest `size` integers, by a monotone queue."""

    size: int
    stamps: list[int] = []
    values: list[int] = []
    head: int = 0
    count: int = 0

    def push(self, x: int) -> int:
        """Take one value and return the largest in the window."""
        stamps, values, head = self.stamps, self.values, self.head
        while len(values) > head and values[-1] <= x:
            values.pop()
            stamps.pop()
        self.count = count = self.count + 1
        stamps.append(count)
        values.append(x)
        if stamps[head] <= count - self.size:
            head += 1
            if head >= 256:
                del stamps[:head], values[:head]
                head = 0
            self.head = head
        return values[head]


def log_edges(low: float, high: float, bins: int = 64) -> tuple[float, ...]:
    """Return the bins - 1 inner edges of log-spaced bins; the outer two bins are open."""
    step = (high / low) ** (1.0 / (bins - 2))
    return tuple(float(f"{low * step**power:.12g}") for power in range(bins - 1))


def rank(counts: list[int], total: int, edges: tuple[float, ...], x: float) -> float:
    """Return the percentile 0..1 of x among counted values, linear inside its bin."""
    place = bisect_right(edges, x)
    below = sum(counts[:place])  # det-ok: ints
    if 0 < place < len(edges):
        low = edges[place - 1]
        part = (x - low) / (edges[place] - low)
    else:
        part = 0.5
    return (below + part * counts[place]) / total


class HourlyHistogram(msgspec.Struct):
    """The percentile of a value among the newest seven days: log bins in a ring of hourly slots."""

    edges: tuple[float, ...]
    ready_after: int
    slots: list[list[int]]
    counts: list[int]
    total: int = 0
    hour: int = -1

    @classmethod
    def of(cls, edges: tuple[float, ...], ready_after: int) -> HourlyHistogram:
        bins = len(edges) + 1
        return cls(edges, ready_after, [[0] * bins for _ in range(HOURS_OF_WEEK)], [0] * bins)

    def update(self, hour: int, x: float) -> float:
        """Count a value of that epoch hour; return its percentile, NaN while warming up."""
        if hour != self.hour:
            self._enter(hour)
        place = bisect_right(self.edges, x)
        self.slots[hour % HOURS_OF_WEEK][place] += 1
        self.counts[place] += 1
        self.total += 1
        if self.total < self.ready_after:
            return NAN
        return rank(self.counts, self.total, self.edges, x)

    def _enter(self, hour: int) -> None:
        first = hour - HOURS_OF_WEEK + 1 if self.hour < 0 else self.hour + 1
        for passed in range(max(first, hour - HOURS_OF_WEEK + 1), hour + 1):
            slot = self.slots[passed % HOURS_OF_WEEK]
            self.counts = [all_ - old for all_, old in zip(self.counts, slot, strict=True)]
            for old in slot:
                self.total -= old
            self.slots[passed % HOURS_OF_WEEK] = [0] * len(slot)
        self.hour = hour


class HourOfWeekHistogram(msgspec.Struct):
    """The percentile of a value among those of the same hour of the week, older weeks halved."""

    edges: tuple[float, ...]
    ready_after: int
    slots: list[list[int]]
    hour: int = -1
    hours: int = 0

    @classmethod
    def of(cls, edges: tuple[float, ...], ready_after: int) -> HourOfWeekHistogram:
        return cls(edges, ready_after, [[0] * (len(edges) + 1) for _ in range(HOURS_OF_WEEK)])

    def update(self, hour: int, x: float) -> float:
        """Count a value of that epoch hour; return its percentile, NaN in the first hours."""
        if hour != self.hour:
            at = hour % HOURS_OF_WEEK
            self.slots[at] = [count >> 1 for count in self.slots[at]]
            self.hour = hour
            self.hours += 1
        slot = self.slots[hour % HOURS_OF_WEEK]
        slot[bisect_right(self.edges, x)] += 1
        if self.hours <= self.ready_after:
            return NAN
        return rank(slot, sum(slot), self.edges, x)  # det-ok: ints


def shannon_entropy(counts: list[int]) -> float:
    """Return the entropy of shares over cells, 0..1, rounded to 1e-9; 0 without any count.

    Source: Shannon 1948; divided by ln(number of cells).
    """
    total = sum(counts)  # det-ok: ints
    if total <= 0:
        return 0.0
    weighted = math.fsum(count * math.log(count) for count in counts if count)
    entropy = (math.log(total) - weighted / total) / math.log(len(counts))
    return round(min(1.0, max(0.0, entropy)), 9)
