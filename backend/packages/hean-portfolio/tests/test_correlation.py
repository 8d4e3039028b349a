from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.portfolio.correlation import (
    HIGH_PAIRS,
    clusters_of,
    ledoit_wolf,
    prior_correlation,
    shrunk_correlation,
)

NAMES = sorted(
    [
        "hf_scalping",
        "inventory_neutral_mm",
        "rebate_farmer",
        "impulse_engine",
        "liquidity_sweep",
        "momentum_trader",
        "enhanced_grid",
        "funding_harvester",
        "basis_arbitrage",
        "correlation_arb",
        "sentiment_strategy",
    ]
)


def test_the_prior_is_positive_definite_with_the_documented_clusters() -> None:
    """The prior's smallest eigenvalue is about 0.25, and its clusters are the three pairs."""
    prior = prior_correlation(NAMES, {})
    assert min(np.linalg.eigvalsh(np.array(prior))) == pytest.approx(0.25, abs=0.03)
    found = clusters_of(NAMES, prior)
    pairs = {"+".join(sorted(pair)) for pair in HIGH_PAIRS}
    assert {one for one in found.values() if one} == pairs


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 0.0, 1.0, -1.0, 0.5, 3.0]), min_size=11, max_size=11),
        min_size=0,
        max_size=40,
    )
)
@settings(max_examples=60, deadline=None)
def test_correlation_is_always_one(rows: list[list[float]]) -> None:
    """B4: for any series it is symmetric, of unit diagonal and positive definite."""
    series = {
        name: {number: row[place] for number, row in enumerate(rows)}
        for place, name in enumerate(NAMES)
    }
    found = np.array(shrunk_correlation(series, prior_correlation(NAMES, {}), 60))
    assert (found == found.T).all()
    assert (np.diag(found) == 1.0).all()
    assert min(np.linalg.eigvalsh(found)) > 0.0


def test_ledoit_wolf_shrinks_to_the_common_correlation() -> None:
    """With little data estimates move to the mean correlation, with much they follow the sample."""
    rng = np.random.default_rng(3)
    base = rng.standard_normal(4000)
    series = [list(base * 0.7 + rng.standard_normal(4000) * 0.7) for _ in range(3)]
    long = ledoit_wolf(series)
    assert long[0][1] == pytest.approx(0.5, abs=0.05)
    short = ledoit_wolf([one[:12] for one in series])
    spread = max(short[0][1], short[0][2], short[1][2]) - min(short[0][1], short[0][2], short[1][2])
    sample = np.corrcoef(np.array([one[:12] for one in series]))
    raw = max(sample[0, 1], sample[0, 2], sample[1, 2]) - min(
        sample[0, 1], sample[0, 2], sample[1, 2]
    )
    assert spread < raw
