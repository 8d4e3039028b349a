"""How far from fair value to quote: arrival intensities, own markouts, and the optimal width.

Guéant, Lehalle, Fernandez-Tapia 2013, Dealing with the inventory risk (the stationary solution of
Avellaneda, Stoikov 2008, High-frequency trading in a limit order book). Distances in bp of mid,
time in seconds, inventory in clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, fsum, log, log1p, nan, sqrt

import msgspec

from hean.core.edge import markout_bp
from hean.strategies.pace import SECOND_NS
from hean.strategies.windows import Average

DEPTHS_BP = (0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0)
"""Distances at which it is counted how often trades come through."""
WINDOW_SECONDS = 1800
_KEPT = 0.5
_LEAST_DECLINE = 0.01
_FILLS_HALF_LIFE = 20.0


def fit_intensity(counts: Sequence[int], seconds: int) -> tuple[float, float] | None:
    """Return A (per second) and k (per bp) of A·exp(-k·depth); None where nothing declines.

    Least squares on the logarithms, each depth weighted by its count (the inverse variance of the
    logarithm of a Poisson rate).
    """
    known = [(depth, n) for depth, n in zip(DEPTHS_BP, counts, strict=True) if n > 0]
    if len(known) < 2 or seconds <= 0:
        return None
    weights = [float(n) for _, n in known]
    whole = fsum(weights)
    rates = [log(n / seconds) for _, n in known]
    x = fsum([w * d for w, (d, _) in zip(weights, known, strict=True)]) / whole
    y = fsum([w * r for w, r in zip(weights, rates, strict=True)]) / whole
    below = fsum([w * (d - x) ** 2 for w, (d, _) in zip(weights, known, strict=True)])
    above = fsum(
        [w * (d - x) * (r - y) for w, (d, _), r in zip(weights, known, rates, strict=True)]
    )
    slope = above / below
    return (exp(y - slope * x), -slope) if slope <= -_LEAST_DECLINE else None


class Intensity(msgspec.Struct, kw_only=True):
    """Counts of trades that came through each depth within a second, both sides alike.

    A fit is made of each half hour and blended with those before; NaN until the first.
    """

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * len(DEPTHS_BP))
    seconds: int = 0
    reference: float = 0.0
    up: float = 0.0
    down: float = 0.0
    arrival: float = nan
    decline: float = nan

    def on_trade(self, price: float) -> None:
        """Take a print: how far it is from the mid at which its second began."""
        if self.reference <= 0.0:
            return
        away = 1e4 * (price / self.reference - 1.0)
        if away > self.up:
            self.up = away
        elif -away > self.down:
            self.down = -away

    def on_second(self, mid: float) -> bool:
        """Close a second at `mid`; return whether a fit was made."""
        if self.reference > 0.0:
            for index, depth in enumerate(DEPTHS_BP):
                if self.up < depth and self.down < depth:
                    break
                self.counts[index] += (self.up >= depth) + (self.down >= depth)
            self.seconds += 1
        self.reference, self.up, self.down = mid, 0.0, 0.0
        return self.seconds >= WINDOW_SECONDS and self._fit()

    def _fit(self) -> bool:
        found = fit_intensity(self.counts, 2 * self.seconds)
        self.counts, self.seconds = [0] * len(DEPTHS_BP), 0
        if found is None:
            return False
        if self.arrival == self.arrival:
            arrival, decline = found
            found = (
                _KEPT * self.arrival + (1.0 - _KEPT) * arrival,
                _KEPT * self.decline + (1.0 - _KEPT) * decline,
            )
        self.arrival, self.decline = found
        return True


def width_terms(gamma: float, arrival: float, decline: float) -> tuple[float, float]:
    """Return c1 and c2: with volatility s the half-spread is c1 + s·c2/2, the skew s·c2 a clip."""
    ratio = gamma / decline
    first = log1p(ratio) / gamma
    power = exp((1.0 / ratio + 1.0) * log1p(ratio))
    return first, sqrt(gamma / (2.0 * arrival * decline) * power)


def finite_horizon(
    gamma: float, sigma_bp: float, horizon: float, decline: float, clips: float
) -> tuple[float, float]:
    """Return the shift of the centre and half the spread for a horizon in s, both in bp.

    Avellaneda, Stoikov 2008, with g the aversion, v the variance a second, h the horizon: a shift
    of -q·g·v·h and a full spread of g·v·h + (2/g)·ln(1 + g/k). The stationary form's cross-check.
    """
    risk = gamma * sigma_bp * sigma_bp * horizon
    return -clips * risk, risk / 2.0 + log1p(gamma / decline) / gamma


def half_spread_bp(
    *, maker_bp: float, adverse_bp: float, terms: tuple[float, float], sigma_bp: float
) -> float:
    """Return the optimal half-spread; a maker fee widens it by exactly itself."""
    return maker_bp + adverse_bp + terms[0] + 0.5 * sigma_bp * terms[1]


class Fill(msgspec.Struct):
    """An own maker fill and how many of its markouts are known."""

    at: int
    sign: int
    price: float
    marked: int = 0


class Markouts(msgspec.Struct, kw_only=True):
    """What own maker fills gained after each horizon, by side, weighted towards the newest."""

    horizons_ns: tuple[int, ...] = (10 * SECOND_NS, 60 * SECOND_NS)
    waiting: list[Fill] = msgspec.field(default_factory=lambda: list[Fill]())
    bought: Average = msgspec.field(default_factory=lambda: Average(half_life=_FILLS_HALF_LIFE))
    sold: Average = msgspec.field(default_factory=lambda: Average(half_life=_FILLS_HALF_LIFE))

    def on_fill(self, at: int, sign: int, price: float) -> None:
        """Take an own fill."""
        self.waiting.append(Fill(at, sign, price))

    def on_second(self, now: int, mid: float) -> None:
        """Mark the fills that are old enough."""
        if not self.waiting:
            return
        horizons = self.horizons_ns
        for one in self.waiting:
            while one.marked < len(horizons) and now - one.at >= horizons[one.marked]:
                side = self.bought if one.sign > 0 else self.sold
                side.push(markout_bp(one.sign, one.price, mid))
                one.marked += 1
        self.waiting = [one for one in self.waiting if one.marked < len(horizons)]

    def adverse_bp(self, sign: int, assumed: float) -> float:
        """Return the adverse selection of a side, never below 0; `assumed` until measured."""
        side = self.bought if sign > 0 else self.sold
        return max(0.0, -side.mean) if side.count else assumed
