"""Pair statistics: one-minute synchronous log prices, least squares, and the residual's AR(1).

Source: Engle, Granger 1987, Co-integration and error correction.
"""

from __future__ import annotations

import math
from operator import mul, sub
from typing import Final

import msgspec

LOG_UNIT: Final = 1e-6
"""One step of the log grid: 0.01 bp, so that window sums of squares stay inside 64 bits."""
MINUTES: Final = 1440
CORRELATION_STEP: Final = 5


def log_steps(price: float) -> int:
    """Return rint(1e6·ln(price)), a log price on the grid."""
    return round(math.log(price) / LOG_UNIT)


class PairSums(msgspec.Struct, frozen=True, gc=False):
    """Σp1, Σp2, Σp2², Σp1·p2 over `count` minutes on the log grid."""

    count: int
    first: int
    second: int
    second_square: int
    product: int


class PairMoves(msgspec.Struct, frozen=True, gc=False):
    """Σp1² over a window, and Σ(Δp1)², Σ(Δp1·Δp2), Σ(Δp2)² from minute to minute."""

    first_square: int
    first: int
    both: int
    second: int


class PairFit(msgspec.Struct, frozen=True, gc=False):
    """p1 = alpha + beta·p2 + e and the AR(1) of e; alpha and deviation are log prices.

    `half_life` is in minutes, infinite when e does not revert; `t` is the Dickey-Fuller statistic;
    `correlation` is that of five-minute returns. Rounded to 1e-9.
    """

    alpha: float
    beta: float
    phi: float
    deviation: float
    half_life: float
    t: float
    correlation: float

    def score(self, first: float, second: float) -> float:
        """Return how many equilibrium deviations two prices are apart; 0 without deviation."""
        gap = math.log(first) - self.alpha - self.beta * math.log(second)
        return gap / self.deviation if self.deviation > 0.0 else 0.0


class PairTotals(msgspec.Struct):
    """The newest minutes of two log prices, with their integer sums kept as they come."""

    size: int = MINUTES
    first: list[int] = []
    second: list[int] = []
    place: int = 0
    sum_first: int = 0
    sum_second: int = 0
    sum_square: int = 0
    sum_product: int = 0

    @property
    def ready(self) -> bool:
        return len(self.first) == self.size

    def update(self, first: int, second: int) -> None:
        """Take both log prices of a minute."""
        place, ones, others = self.place, self.first, self.second
        if len(ones) < self.size:
            ones.append(first)
            others.append(second)
        else:
            old_first, old_second = ones[place], others[place]
            ones[place], others[place] = first, second
            self.place = place + 1 if place + 1 < self.size else 0
            self.sum_first -= old_first
            self.sum_second -= old_second
            self.sum_square -= old_second * old_second
            self.sum_product -= old_first * old_second
        self.sum_first += first
        self.sum_second += second
        self.sum_square += second * second
        self.sum_product += first * second

    def sums(self) -> PairSums:
        """Return the sums over the window."""
        return PairSums(
            len(self.first), self.sum_first, self.sum_second, self.sum_square, self.sum_product
        )


class PairWindow(PairTotals):
    """Totals that also know the moves from minute to minute, and so the fit."""

    first_square: int = 0
    moves_first: int = 0
    moves_both: int = 0
    moves_second: int = 0

    def update(self, first: int, second: int) -> None:
        """Take both log prices of a minute."""
        place, ones, others = self.place, self.first, self.second
        if len(ones) == self.size:
            old, following = ones[place], place + 1 if place + 1 < self.size else 0
            one, other = ones[following] - old, others[following] - others[place]
            self.first_square -= old * old
            self.moves_first -= one * one
            self.moves_both -= one * other
            self.moves_second -= other * other
        if ones:
            one, other = first - ones[place - 1], second - others[place - 1]
            self.moves_first += one * one
            self.moves_both += one * other
            self.moves_second += other * other
        self.first_square += first * first
        PairTotals.update(self, first, second)

    def fit(self) -> PairFit | None:
        """Return the fit over the window in time order, None where p2 never moved."""
        place = self.place
        moves = PairMoves(self.first_square, self.moves_first, self.moves_both, self.moves_second)
        return fit_pair(
            self.sums(),
            moves,
            self.first[place:] + self.first[:place],
            self.second[place:] + self.second[:place],
        )


def pair_moves(first: list[int], second: list[int]) -> PairMoves:
    """Return the sums of a window's squares and moves, in whole steps of the log grid."""
    ones, others = list(map(sub, first[1:], first)), list(map(sub, second[1:], second))
    return PairMoves(
        sum(map(mul, first, first)),  # det-ok: ints
        sum(map(mul, ones, ones)),  # det-ok: ints
        sum(map(mul, ones, others)),  # det-ok: ints
        sum(map(mul, others, others)),  # det-ok: ints
    )


def fit_pair(
    sums: PairSums, moves: PairMoves, first: list[int], second: list[int]
) -> PairFit | None:
    """Return least squares, AR(1) and Dickey-Fuller t of a window; the same for live and batch."""
    slope = _slope(sums)
    if slope is None:
        return None
    alpha, beta = slope
    phi, deviation, t = _autoregression(sums, moves, (first[0], second[0]), (first[-1], second[-1]))
    half_life = -math.log(2.0) / math.log(phi) if 0.0 < phi < 1.0 else math.inf
    return PairFit(
        alpha=round(alpha * LOG_UNIT, 9),
        beta=round(beta, 9),
        phi=round(phi, 9),
        deviation=round(deviation * LOG_UNIT, 9),
        half_life=round(half_life, 9) if math.isfinite(half_life) else half_life,
        t=round(t, 9),
        correlation=round(_correlation(first, second), 9),
    )


def _slope(sums: PairSums) -> tuple[float, float] | None:
    n = sums.count
    below = n * sums.second_square - sums.second * sums.second
    if n < 3 or below <= 0:
        return None
    beta = (n * sums.product - sums.first * sums.second) / below
    return (sums.first - beta * sums.second) / n, beta


def _autoregression(
    sums: PairSums, moves: PairMoves, oldest: tuple[int, int], newest: tuple[int, int]
) -> tuple[float, float, float]:
    """Return φ, the equilibrium deviation and the t of φ - 1 from Δe = (φ - 1)·e before + noise.

    With e in units of 1/(n·below) every sum over the window is a whole number, exact until the one
    division: Σe² expands into the window's sums, and 2·Σ e·Δe telescopes to e_n² - e_1² - Σ(Δe)².
    """
    n = sums.count
    below = n * sums.second_square - sums.second * sums.second
    above = n * sums.product - sums.first * sums.second
    unit, slope, level = n * below, n * above, sums.first * below - above * sums.second
    squares = (
        unit * unit * moves.first_square
        + slope * slope * sums.second_square
        + n * level * level
        - 2 * unit * (slope * sums.product + level * sums.first)
        + 2 * slope * level * sums.second
    )
    changes = unit * (unit * moves.first - 2 * slope * moves.both) + slope * slope * moves.second
    start = unit * oldest[0] - slope * oldest[1] - level
    end = unit * newest[0] - slope * newest[1] - level
    square = squares - end * end
    if square <= 0:
        return 0.0, 0.0, 0.0
    pulled = (end * end - start * start - changes) // 2
    errors = changes * square - pulled * pulled
    phi = 1.0 + pulled / square
    t = pulled / square / math.sqrt(errors / ((n - 2) * square * square)) if errors > 0 else 0.0
    if abs(phi) < 1.0:
        calm = errors / (square * (n - 2) * unit * unit) / (1.0 - phi * phi)
    else:
        calm = square / ((n - 1) * unit * unit)
    return phi, math.sqrt(calm), t


def _correlation(first: list[int], second: list[int]) -> float:
    step = CORRELATION_STEP
    ones = list(map(sub, first[step::step], first[::step]))
    others = list(map(sub, second[step::step], second[::step]))
    n = len(ones)
    one, other = sum(ones), sum(others)  # det-ok: ints
    both = n * sum(map(mul, ones, others)) - one * other  # det-ok: ints
    left = n * sum(map(mul, ones, ones)) - one * one  # det-ok: ints
    right = n * sum(map(mul, others, others)) - other * other  # det-ok: ints
    return both / math.sqrt(float(left) * float(right)) if left > 0 and right > 0 else 0.0
