"""What a series of bins proves: Sharpe ratio with its error, shrinkage, deflation.

Pure functions of plain floats. A bin is 8 hours; its x is a sum of R-multiples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

PRIOR_BINS: Final = 10.0
"""Bins of unit deviation that the pooled deviation starts from."""

_LAGS: Final = 3
_EULER: Final = 0.5772156649015329
_TRIALS_BINS: Final = 30
_TRIALS_NEEDED: Final = 5


class Moments(msgspec.Struct, frozen=True, gc=False):
    """A series' Sharpe ratio per bin with its standard error; `effective` counts bins."""

    bins: float
    effective: float
    mean: float
    deviation: float
    sharpe: float
    error: float
    skew: float
    kurtosis: float


class Belief(msgspec.Struct, frozen=True, gc=False):
    """A Sharpe ratio after shrinkage, its deviation, and the evidence t = mean/error."""

    mean: float
    error: float

    @property
    def evidence(self) -> float:
        return rounded(self.mean / self.error) if self.error > 0.0 else 0.0


def rounded(value: float) -> float:
    """Return a number on the 1e-9 grid on which decisions compare."""
    return round(value, 9)


def normal_cdf(value: float) -> float:
    """Return the standard normal distribution function."""
    return 0.5 * math.erfc(-value / math.sqrt(2.0))


def normal_quantile(probability: float) -> float:
    """Return the inverse of `normal_cdf` for a probability inside (0, 1)."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)


def moments(values: Sequence[float], weights: Sequence[float]) -> Moments | None:
    """Return the moments of a weighted series, oldest first; None without any weight.

    The deviation is pooled with `PRIOR_BINS` bins of 1; the effective count discounts positive
    autocorrelation up to lag 3; the error is Lo's (2002).
    """
    count = math.fsum(weights)
    if count <= 0.0:
        return None
    pairs = list(zip(values, weights, strict=True))
    mean = math.fsum(x * w for x, w in pairs) / count
    second = math.fsum(w * (x - mean) ** 2 for x, w in pairs)
    deviation = math.sqrt((PRIOR_BINS + second) / (PRIOR_BINS + count))
    sharpe = mean / deviation
    effective = count / (1.0 + 2.0 * _autocorrelation(values, mean))
    skew, kurtosis = 0.0, 3.0
    if second > 0.0:
        spread = math.sqrt(second / count)
        skew = math.fsum(w * ((x - mean) / spread) ** 3 for x, w in pairs) / count
        kurtosis = math.fsum(w * ((x - mean) / spread) ** 4 for x, w in pairs) / count
    error = math.sqrt((1.0 + sharpe * sharpe / 2.0) / effective)
    return Moments(count, effective, mean, deviation, sharpe, error, skew, kurtosis)


def _autocorrelation(values: Sequence[float], mean: float) -> float:
    away = [x - mean for x in values]
    total = math.fsum(x * x for x in away)
    if total <= 0.0:
        return 0.0
    found = 0.0
    for lag in range(1, min(_LAGS, len(away) - 1) + 1):
        product = math.fsum(away[i] * away[i - lag] for i in range(lag, len(away)))
        found += max(0.0, product / total)
    return found


def shrink(found: Mapping[str, Moments | None], prior_sd: float) -> dict[str, Belief]:
    """Return each strategy's Sharpe ratio, shrunk towards the group (James-Stein).

    The target is min(0, precision-weighted mean): a lucky group lifts nobody. The mean itself is
    drawn to 0 by a prior of `prior_sd` and its error counts, or one bad bin of a young group would
    prove all of them bad. The spread between strategies is DerSimonian-Laird (1986), at least
    `prior_sd`. Who has no bins takes the group's.
    """
    known = [(one.sharpe, 1.0 / one.error**2) for one in found.values() if one is not None]
    if not known:
        return {name: Belief(0.0, prior_sd) for name in found}
    total = math.fsum(w for _, w in known)
    centre = math.fsum(z * w for z, w in known) / total
    scatter = math.fsum(w * (z - centre) ** 2 for z, w in known)
    spare = total - math.fsum(w * w for _, w in known) / total
    between = (scatter - (len(known) - 1)) / spare if spare > 0.0 else 0.0
    variance = max(prior_sd**2, between)
    doubt = 1.0 / math.fsum(1.0 / (1.0 / w + variance) for _, w in known)
    trust = prior_sd**2 / (prior_sd**2 + doubt)
    target, vague = min(0.0, trust * centre), trust * doubt
    beliefs: dict[str, Belief] = {}
    for name, one in found.items():
        if one is None:
            beliefs[name] = Belief(target, math.sqrt(variance + vague))
            continue
        noise = one.error**2
        mean = (variance * one.sharpe + noise * target) / (variance + noise)
        pull = noise / (variance + noise)
        beliefs[name] = Belief(mean, math.sqrt(variance * pull + pull * pull * vague))
    return beliefs


def _spread_factor(one: Moments) -> float:
    found = 1.0 - one.skew * one.sharpe + (one.kurtosis - 1.0) * one.sharpe**2 / 4.0
    return max(found, 1e-12)


def probabilistic_sharpe(one: Moments | None, benchmark: float) -> float:
    """Return the probability that the true Sharpe ratio exceeds `benchmark`; 0.5 without bins."""
    if one is None or one.effective <= 1.0:
        return 0.5
    score = (one.sharpe - benchmark) * math.sqrt(one.effective - 1.0)
    return rounded(normal_cdf(score / math.sqrt(_spread_factor(one))))


def luck_of(trials: int, found: Sequence[Moments], bins: float) -> float:
    """Return z0, the Sharpe ratio that the best of `trials` worthless strategies shows.

    The variance over trials is measured once five of them have 30 bins, before it is 1/(bins - 1)
    (Bailey and Lopez de Prado 2014).
    """
    if trials < 2 or bins <= 1.0:
        return 0.0
    long = [one.sharpe for one in found if one.bins >= _TRIALS_BINS]
    variance = 1.0 / (bins - 1.0)
    if len(long) >= _TRIALS_NEEDED:
        mean = math.fsum(long) / len(long)
        variance = math.fsum((z - mean) ** 2 for z in long) / (len(long) - 1)
    expected = (1.0 - _EULER) * normal_quantile(1.0 - 1.0 / trials)
    expected += _EULER * normal_quantile(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * expected


def minimum_track_record(one: Moments | None, benchmark: float) -> float:
    """Return the bins needed for 95 % against `benchmark`; infinite when z does not exceed it."""
    if one is None or one.sharpe <= benchmark:
        return math.inf
    needed = normal_quantile(0.95) / (one.sharpe - benchmark)
    return rounded(1.0 + _spread_factor(one) * needed**2)
