"""AutoPilot's model: what each strategy earns per bin in each regime, forgetting as it learns.

Discounted Thompson sampling (Raj and Kalyani 2017) with normal-inverse-gamma beliefs. Every draw
comes from a counter-based generator keyed by (seed, epoch, strategy, regime): a new strategy
changes nobody's draw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from hean.core.events import Regime
from hean.core.ids import digest_of
from hean.portfolio.evidence import rounded

PRIOR_BINS: Final = 10.0
"""kappa0: bins that the prior mean of 0 is worth."""
PRIOR_SHAPE: Final = 3.0
PRIOR_SCALE: Final = 2.0
POOLED_BINS: Final = 20.0
"""Bins that a strategy's own belief is worth in each of its regimes."""

REGIMES: Final = tuple(Regime)


class Counts(msgspec.Struct, kw_only=True, gc=False):
    """Discounted weight of bins, of x and of x squared."""

    n: float = 0.0
    s1: float = 0.0
    s2: float = 0.0

    def forget(self, by: float) -> None:
        """Let everything known count less."""
        self.n *= by
        self.s1 *= by
        self.s2 *= by

    def learn(self, x: float, weight: float) -> None:
        """Count one bin."""
        self.n += weight
        self.s1 += weight * x
        self.s2 += weight * x * x


class Posterior(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Normal-inverse-gamma: mean, the bins it is worth, shape and scale of the variance."""

    mean: float
    bins: float
    shape: float
    scale: float

    @property
    def error(self) -> float:
        """The standard deviation of the mean."""
        return math.sqrt(self.scale / (self.shape - 1.0) / self.bins)


class Arm(msgspec.Struct, kw_only=True):
    """A strategy's counts, over all regimes and in each."""

    whole: Counts = msgspec.field(default_factory=Counts)
    cells: dict[Regime, Counts] = msgspec.field(
        default_factory=lambda: {one: Counts() for one in REGIMES}
    )

    def forget(self, by: float) -> None:
        """Let all counts fade."""
        self.whole.forget(by)
        for one in self.cells.values():
            one.forget(by)

    def learn(self, x: float, weight: float, shares: Mapping[Regime, float]) -> None:
        """Count one bin, split over the regimes that ruled in it."""
        self.whole.learn(x, weight)
        for regime, share in shares.items():
            if share > 0.0:
                self.cells[regime].learn(x, weight * share)

    def posterior(self) -> Posterior:
        """Return the belief over all regimes."""
        counts = self.whole
        bins = PRIOR_BINS + counts.n
        scale = PRIOR_SCALE
        if counts.n > 0.0:
            scale += 0.5 * max(0.0, counts.s2 - counts.s1 * counts.s1 / counts.n)
            scale += PRIOR_BINS * counts.s1 * counts.s1 / (2.0 * counts.n * bins)
        return Posterior(
            mean=counts.s1 / bins, bins=bins, shape=PRIOR_SHAPE + counts.n / 2.0, scale=scale
        )

    def in_regime(self, regime: Regime) -> Posterior:
        """Return the belief in one regime: the strategy's own as a prior worth 20 bins.

        Data of the regime that the prior holds already is not counted twice while the prior is
        worth less than what it rests on.
        """
        whole, cell = self.posterior(), self.cells[regime]
        prior = min(POOLED_BINS, whole.bins)
        bins = prior + cell.n
        mean = (prior * whole.mean + cell.s1) / bins
        return Posterior(mean=mean, bins=bins, shape=whole.shape, scale=whole.scale)


def forgetting(half_life_days: float, bins_per_day: float = 3.0) -> float:
    """Return the factor by which one bin fades."""
    return 0.5 ** (1.0 / (bins_per_day * half_life_days))


def scores(
    arms: Mapping[str, Arm],
    shares: Mapping[str, Mapping[Regime, float]],
    *,
    seed: int,
    epoch: int,
    count: int,
) -> dict[str, list[float]]:
    """Return `count` sampled Sharpe ratios per bin of each arm, mixed by its regime shares.

    The first is the epoch's draw, the others replay the rule. Rounded to 1e-9.
    """
    import numpy as np

    found: dict[str, list[float]] = {}
    for name, arm in arms.items():
        total = np.zeros(count)
        for regime in REGIMES:
            share = shares[name].get(regime, 0.0)
            if share <= 0.0:
                continue
            key = int(digest_of(seed, epoch, name, regime.value), 16)
            draw = np.random.Generator(np.random.Philox(key=key))
            belief = arm.in_regime(regime)
            precision = draw.standard_gamma(belief.shape, count) / belief.scale
            noise = draw.standard_normal(count) / math.sqrt(belief.bins)
            total += share * (belief.mean * np.sqrt(precision) + noise)
        found[name] = [rounded(one) for one in total.tolist()]
    return found


def mean_shares(found: Sequence[Mapping[Regime, float]]) -> dict[Regime, float]:
    """Return the mean of regime shares; all NORMAL where none are known."""
    if not found:
        return {Regime.NORMAL: 1.0}
    return {
        regime: math.fsum(one.get(regime, 0.0) for one in found) / len(found) for regime in REGIMES
    }
