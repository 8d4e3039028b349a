"""Correlation of strategies: documented priors, shrunk by what their bins show; clusters.

C = (n0*C0 + n*C^)/(n0 + n), with C^ of Ledoit and Wolf (2004) towards constant correlation. All
results are rounded to 1e-9, for BLAS differs between machines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hean.portfolio.evidence import rounded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Matrix = list[list[float]]

HIGH_PAIRS: Final = (
    ("funding_harvester", "basis_arbitrage"),
    ("hf_scalping", "inventory_neutral_mm"),
    ("impulse_engine", "momentum_trader"),
)
"""Documented twins; the first named leads."""

LOW_PAIRS: Final = (
    ("funding_harvester", "impulse_engine"),
    ("basis_arbitrage", "liquidity_sweep"),
    ("sentiment_strategy", "hf_scalping"),
    ("rebate_farmer", "impulse_engine"),
    ("correlation_arb", "momentum_trader"),
)
"""Documented opposites."""

TWIN: Final = 0.6
OPPOSITE: Final = -0.1
OTHER: Final = 0.1
CLUSTER_THRESHOLD: Final = 0.5
_PIVOT_FLOOR: Final = 1e-3

_HIGH = {pair for a, b in HIGH_PAIRS for pair in ((a, b), (b, a))}
_LOW = {pair for a, b in LOW_PAIRS for pair in ((a, b), (b, a))}


def prior_correlation(names: Sequence[str], clusters: Mapping[str, str]) -> Matrix:
    """Return C0: 0.6 for documented twins and members of one declared cluster, else 0.1 or -0.1."""

    def between(one: str, other: str) -> float:
        if one == other:
            return 1.0
        same = clusters.get(one, "") and clusters.get(one) == clusters.get(other)
        if (one, other) in _HIGH or same:
            return TWIN
        return OPPOSITE if (one, other) in _LOW else OTHER

    return [[between(one, other) for other in names] for one in names]


def shrunk_correlation(
    series: Mapping[str, Mapping[int, float]], prior: Matrix, prior_bins: int
) -> Matrix:
    """Return C for the strategies of `series` in their order; x by bin number, a missing one is 0.

    A strategy whose x never moves keeps its prior row. Symmetric, unit diagonal, positive definite.
    """
    numbers = sorted({number for one in series.values() for number in one})
    count = len(numbers)
    columns = [[one.get(number, 0.0) for number in numbers] for one in series.values()]
    moving = [index for index, one in enumerate(columns) if one and min(one) < max(one)]
    if count < 2 or len(moving) < 2:
        return [list(row) for row in prior]
    found = ledoit_wolf([columns[index] for index in moving])
    weight = count / (prior_bins + count)
    mixed = [list(row) for row in prior]
    for i, row in enumerate(moving):
        for j, column in enumerate(moving):
            if i != j:
                before = prior[row][column]
                mixed[row][column] = rounded(before + weight * (found[i][j] - before))
    if not is_positive_definite(mixed):
        still = [index for index in range(len(columns)) if index not in moving]
        for row in still:
            for column in range(len(columns)):
                if row != column:
                    value = rounded(prior[row][column] * (1.0 - weight))
                    mixed[row][column] = mixed[column][row] = value
    return mixed


def ledoit_wolf(columns: Sequence[Sequence[float]]) -> Matrix:
    """Return the shrunk correlation of two or more series that all move."""
    import numpy as np

    x = np.asarray(columns, dtype=np.float64).T
    count = x.shape[0]
    x = x - x.mean(axis=0)
    sample = x.T @ x / count
    spread = np.sqrt(np.diag(sample))
    target = _constant_target(sample, spread)
    squared = x * x
    variances = squared.T @ squared / count - sample * sample
    theta = (squared * x).T @ x / count - np.diag(sample)[:, None] * sample
    mean = target[0, 1] / (spread[0] * spread[1])
    ratio = spread[None, :] / spread[:, None]
    off = ratio * theta
    np.fill_diagonal(off, 0.0)
    agreement = float(np.trace(variances)) + float(mean) * float(off.sum())
    distance = float(((target - sample) ** 2).sum())
    shrinkage = 1.0
    if distance > 0.0:
        shrinkage = (float(variances.sum()) - agreement) / (distance * count)
        shrinkage = min(1.0, max(0.0, rounded(shrinkage)))
    mixed = shrinkage * target + (1.0 - shrinkage) * sample
    scaled = mixed / np.outer(spread, spread)
    size = len(scaled)
    return [
        [1.0 if i == j else rounded(float(scaled[min(i, j), max(i, j)])) for j in range(size)]
        for i in range(size)
    ]


def _constant_target(
    sample: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    import numpy as np

    size = len(spread)
    correlation = sample / np.outer(spread, spread)
    mean = (float(correlation.sum()) - size) / (size * (size - 1))
    target = mean * np.outer(spread, spread)
    np.fill_diagonal(target, spread * spread)
    return target


def is_positive_definite(matrix: Matrix) -> bool:
    """Return whether every pivot of the Cholesky factor is clearly above zero."""
    size = len(matrix)
    factor = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            total = matrix[i][j]
            for k in range(j):
                total -= factor[i][k] * factor[j][k]
            if i == j:
                if total <= _PIVOT_FLOOR:
                    return False
                factor[i][i] = total**0.5
            else:
                factor[i][j] = total / factor[j][j]
    return True


def clusters_of(names: Sequence[str], correlation: Matrix) -> dict[str, str]:
    """Return each strategy's cluster by average linkage at 0.5, its members joined by `+`.

    A strategy on its own has an empty one. Ties go to the first in order of name.
    """
    order = sorted(range(len(names)), key=lambda index: names[index])
    groups = [[index] for index in order]
    while True:
        best, pair = CLUSTER_THRESHOLD, (-1, -1)
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                linked = average_linkage(groups[a], groups[b], correlation)
                if linked > best or (linked == best and pair == (-1, -1)):
                    best, pair = linked, (a, b)
        if pair == (-1, -1):
            break
        groups[pair[0]] += groups.pop(pair[1])
    found: dict[str, str] = {}
    for members in groups:
        label = "+".join(sorted(names[index] for index in members)) if len(members) > 1 else ""
        for index in members:
            found[names[index]] = label
    return found


def average_linkage(one: Sequence[int], other: Sequence[int], correlation: Matrix) -> float:
    """Return the mean correlation between two groups of indices."""
    total = 0.0
    for i in one:
        for j in other:
            total += correlation[i][j]
    return rounded(total / (len(one) * len(other)))
