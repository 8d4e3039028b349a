"""How capital would be split before bounds: by evidence, by phase, equally, by risk.

Every function returns shares that add up to 1 over its strategies, or all zeros where nothing
deserves capital.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from hean.portfolio.correlation import Matrix

_TILT_LIMIT: Final = 3.0
_SWEEPS: Final = 200
_CLOSE: Final = 1e-12


def shares_of(scores: Sequence[float]) -> list[float]:
    """Return scores as shares of their sum; all zeros when none is positive."""
    total = math.fsum(scores)
    return [one / total for one in scores] if total > 0.0 else [0.0] * len(scores)


def equal_shares(count: int) -> list[float]:
    """Return the equal split."""
    return [1.0 / count] * count


def performance_shares(evidence: Sequence[float], tilt: float) -> list[float]:
    """Return p, proportional to clip(1 + tilt*t, 0, 3): equal at t = 0, nothing at t <= -1/tilt."""
    return shares_of([min(_TILT_LIMIT, max(0.0, 1.0 + tilt * one)) for one in evidence])


def risk_parity_shares(correlation: Matrix) -> list[float]:
    """Return weights of equal risk contribution for strategies of equal risk.

    Minimises w'Cw/2 - mean(ln w) by cyclical coordinate descent (Maillard, Roncalli and Teiletche
    2010; Spinu 2013); the correlation must be positive definite.
    """
    count = len(correlation)
    weights = [1.0 / math.sqrt(count)] * count
    for _ in range(_SWEEPS):
        moved = 0.0
        for i in range(count):
            pull = math.fsum(correlation[i][j] * weights[j] for j in range(count) if j != i)
            scale = correlation[i][i]
            new = (math.sqrt(pull * pull + 4.0 * scale / count) - pull) / (2.0 * scale)
            moved = max(moved, abs(new - weights[i]))
            weights[i] = new
        if moved < _CLOSE:
            break
    return shares_of(weights)


def hierarchical_shares(correlation: Matrix) -> list[float]:
    """Return hierarchical risk parity weights (Lopez de Prado 2016) for equal variances.

    Single linkage on sqrt((1 - rho)/2), then bisection of the ordered leaves by inverse variance.
    """
    count = len(correlation)
    order = _leaf_order(correlation)
    weights = [1.0] * count
    stack = [order]
    while stack:
        leaves = stack.pop()
        if len(leaves) < 2:
            continue
        middle = len(leaves) // 2
        left, right = leaves[:middle], leaves[middle:]
        left_variance = _cluster_variance(correlation, left)
        right_variance = _cluster_variance(correlation, right)
        share = right_variance / (left_variance + right_variance)
        for index in left:
            weights[index] *= share
        for index in right:
            weights[index] *= 1.0 - share
        stack += [left, right]
    return shares_of(weights)


def _leaf_order(correlation: Matrix) -> list[int]:
    groups = [[index] for index in range(len(correlation))]
    while len(groups) > 1:
        nearest, pair = -math.inf, (0, 1)
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                found = max(correlation[i][j] for i in groups[a] for j in groups[b])
                if found > nearest:
                    nearest, pair = found, (a, b)
        groups[pair[0]] += groups.pop(pair[1])
    return groups[0] if groups else []


def _cluster_variance(correlation: Matrix, members: Sequence[int]) -> float:
    share = 1.0 / len(members)
    total = math.fsum(correlation[i][j] for i in members for j in members)
    return max(total * share * share, _CLOSE)
