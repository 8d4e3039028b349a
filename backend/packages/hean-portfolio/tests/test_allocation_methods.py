from __future__ import annotations

import math

import pytest

from hean.portfolio.allocation_methods import (
    equal_shares,
    hierarchical_shares,
    performance_shares,
    risk_parity_shares,
)
from hean.portfolio.correlation import prior_correlation

NAMES = ["funding_harvester", "basis_arbitrage", "enhanced_grid", "liquidity_sweep"]


def test_performance_is_clipped_between_nothing_and_three_times_the_neutral() -> None:
    """Shares follow clip(1 + t, 0, 3); where everybody is proven bad nobody gets anything."""
    assert performance_shares([2.0, 0.0, -1.0], 1.0) == [0.75, 0.25, 0.0]
    assert performance_shares([9.0, 0.0], 1.0) == [0.75, 0.25]
    assert performance_shares([-1.0, -5.0], 1.0) == [0.0, 0.0]
    assert equal_shares(4) == [0.25] * 4


def test_risk_parity_equalises_contributions() -> None:
    """Every strategy contributes the same share of the portfolio's variance."""
    matrix = prior_correlation(NAMES, {})
    found = risk_parity_shares(matrix)
    parts = [
        one * math.fsum(matrix[i][j] * found[j] for j in range(4)) for i, one in enumerate(found)
    ]
    assert max(parts) - min(parts) < 1e-9
    assert found[0] < found[2]


def test_hierarchical_shares_split_twins() -> None:
    """Weights add up to 1 and each twin gets less than a strategy on its own."""
    found = hierarchical_shares(prior_correlation(NAMES, {}))
    assert math.fsum(found) == pytest.approx(1.0)
    assert max(found[0], found[1]) < min(found[2], found[3])
