"""Fits the weights of the five levels offline: the first principal component of their order flow.

Source: Cont, Cucuringu, Zhang 2023, Cross-impact of order flow imbalance in equity markets.
"""

from __future__ import annotations

import numpy as np

from hean.core.features.book import LEVEL_WEIGHTS, LEVELS
from hean.core.features.tables import THOUSANDTHS
from hean.core.features.touches import PAIRS, LevelMoments

LEAST_SECONDS = 600
"""Fewer seconds with a book update than this fit nothing: the levels weigh the same."""


def fit_level_weights(moments: LevelMoments) -> tuple[tuple[int, ...], float | None]:
    """Return the weights in thousandths, their sizes adding up to 1,000, and the variance share.

    The share is what the component explains of the five levels' summed variance, rounded to 1e-9;
    None, and equal weights, where too few seconds came or nothing varied.
    """
    count = moments.count
    if count < LEAST_SECONDS:
        return LEVEL_WEIGHTS, None
    covariance = np.zeros((LEVELS, LEVELS))
    sums = moments.sums
    for (one, other), product in zip(PAIRS, moments.products, strict=True):
        found = (count * product - sums[one] * sums[other]) / (count * count)
        covariance[one, other] = covariance[other, one] = found
    values, vectors = np.linalg.eigh(covariance)
    whole = float(np.trace(covariance))
    if whole <= 0.0:
        return LEVEL_WEIGHTS, None
    first = np.round(vectors[:, -1], 9).tolist()
    return _thousandths(first), round(float(values[-1]) / whole, 9)


def _thousandths(component: list[float]) -> tuple[int, ...]:
    """Scale a component so that sizes make 1,000, turned to the side on which most weight lies.

    What rounding leaves over goes to the level of the largest weight.
    """
    size = total = 0.0
    for weight in component:
        size += abs(weight)
        total += weight
    scale = THOUSANDTHS / size if total >= 0.0 else -THOUSANDTHS / size
    found = [round(weight * scale) for weight in component]
    left = THOUSANDTHS
    for weight in found:
        left -= abs(weight)
    largest = max(range(LEVELS), key=lambda level: abs(found[level]))
    found[largest] += left if found[largest] > 0 else -left
    return tuple(found)
