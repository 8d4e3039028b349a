"""Covariance and correlation of two prices below a minute, whenever each of them ticks.

Returns of two instruments sampled on a common clock look the less correlated the shorter the clock
(Epps 1979): a move of one waits for the next tick of the other. The sum of products over all pairs
of intervals that overlap has no such bias. Source: Hayashi, Yoshida 2005, On covariance estimation
of non-synchronously observed diffusion processes.

It mends asynchrony, not delay: where one price answers the other after some 100 ms, quotes that
tick faster than that share no overlap with their cause. Prices are therefore taken at least
`apart_ns` from each other, each instrument by its own clock.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from hean.core.features.exact import NAN, RollingSum, quantised_log

STEP_NS: Final = 1_000_000_000
LONGEST: Final = 3600
"""Steps of the longest window."""


class Leg(msgspec.Struct):
    """One of two prices: its log path on the 1e-9 grid, and where the other stood at its tick.

    `waiting` is the newest price of the instant in hand, 0 where it has none; `at` is when the
    newest was taken.
    """

    price: int = 0
    waiting: int = 0
    path: int = 0
    other: int = 0
    at: int = -(1 << 62)

    def settle(self) -> int:
        """Take over the waiting price and return the move to it; the first moves nothing."""
        if self.waiting == 0:
            return 0
        before, self.price, self.waiting = self.price, self.waiting, 0
        move = quantised_log(self.price, before) if before and before != self.price else 0
        self.path += move
        return move


class Covariation(msgspec.Struct):
    """Sums of products of overlapping moves, and of squares, over windows of one-second steps.

    Of several prices in one instant the last counts; one that comes less than `apart_ns` after the
    one taken before is left out. A product belongs to the step in which the later of its two
    intervals ends. A step closes with the first price taken in a later one.
    """

    cross: RollingSum
    first_square: RollingSum
    second_square: RollingSum
    apart_ns: int = 0
    first: Leg = msgspec.field(default_factory=Leg)
    second: Leg = msgspec.field(default_factory=Leg)
    now: int = -1
    open_cross: int = 0
    open_first: int = 0
    open_second: int = 0

    @classmethod
    def of(cls, apart_ns: int = 0) -> Covariation:
        sums = (RollingSum.of(LONGEST), RollingSum.of(LONGEST), RollingSum.of(LONGEST))
        return cls(*sums, apart_ns)

    def take_first(self, at: int, price: int) -> None:
        """Take a price of the first (ticks or half-ticks, above 0) at `at` ns, never going back."""
        self._take(self.first, at, price)

    def take_second(self, at: int, price: int) -> None:
        """Take a price of the second; see `take_first`."""
        self._take(self.second, at, price)

    @property
    def steps(self) -> int:
        """How many steps have been closed."""
        return self.cross.count

    def covariance(self, n: int) -> float:
        """Return the covariance of log returns over the newest n steps; NaN before n closed."""
        return self.cross.over(n) * 1e-18 if self.cross.count >= n else NAN

    def correlation(self, n: int) -> float:
        """Return the correlation over the newest n steps; NaN before n closed, 0 without moves.

        A few moves alone can give more than 1: the estimator is unbiased, not bounded.
        """
        if self.cross.count < n:
            return NAN
        below = float(self.first_square.over(n)) * float(self.second_square.over(n))
        return float(self.cross.over(n)) / math.sqrt(below) if below > 0.0 else 0.0

    def _take(self, leg: Leg, at: int, price: int) -> None:
        if at != leg.at:
            if at - leg.at < self.apart_ns:
                return
            self._reach(at)
            leg.at = at
        leg.waiting = price

    def _reach(self, at: int) -> None:
        now = self.now
        if at == now:
            return
        if now >= 0:
            self._settle()
            for _ in range(at // STEP_NS - now // STEP_NS):
                self._close()
        self.now = at

    def _settle(self) -> None:
        """Count the instant in hand: each move by what the other did since the move began."""
        first, second = self.first, self.second
        one_ticks, other_ticks = first.waiting > 0, second.waiting > 0
        path, other_path = first.path, second.path
        one, other = first.settle(), second.settle()
        self.open_cross += (
            one * (other_path - first.other) + other * (path - second.other) + one * other
        )
        self.open_first += one * one
        self.open_second += other * other
        if one_ticks:
            first.other = second.path
        if other_ticks:
            second.other = first.path

    def _close(self) -> None:
        self.cross.push(self.open_cross)
        self.first_square.push(self.open_first)
        self.second_square.push(self.open_second)
        self.open_cross = self.open_first = self.open_second = 0
