from __future__ import annotations

import numpy as np
import pytest

from hean.core.features import LevelMoments
from hean.core.features.book import LEVEL_WEIGHTS
from hean.core.features.level_weights_fit import LEAST_SECONDS, fit_level_weights

PLANTED = np.array([0.1, 0.3, 0.5, 0.7, 0.4])


def moments_of(seed: int, seconds: int, noise: float = 50.0) -> LevelMoments:
    """Return moments of one flow that all levels share by planted parts, and noise of their own."""
    generator = np.random.default_rng(seed)
    common = generator.normal(0.0, 1000.0, (seconds, 1))
    flows = np.rint(common * PLANTED + generator.normal(0.0, noise, (seconds, 5))).astype(np.int64)
    moments = LevelMoments.of()
    for one in flows.tolist():
        moments.update(one)
    return moments


def test_the_first_component_is_found() -> None:
    """The weights are the planted parts in thousandths, and one component explains nearly all."""
    weights, share = fit_level_weights(moments_of(1, 20_000))
    assert weights == pytest.approx(1000 * PLANTED / PLANTED.sum(), abs=5)
    assert share is not None
    assert share > 0.98


@pytest.mark.parametrize("seed", range(12))
def test_sizes_make_a_thousand_and_most_weight_is_positive(seed: int) -> None:
    """Whatever was fitted, sizes add up to 1,000 thousandths and the sum is not negative."""
    weights, share = fit_level_weights(moments_of(seed, LEAST_SECONDS, noise=5000.0))
    assert sum(map(abs, weights)) == 1000
    assert sum(weights) >= 0
    assert share is not None
    assert 0.2 <= share <= 1.0


def test_too_little_fits_nothing() -> None:
    """Below ten minutes of books, or without any flow, the levels weigh the same."""
    assert fit_level_weights(moments_of(2, LEAST_SECONDS - 1)) == (LEVEL_WEIGHTS, None)
    still = LevelMoments.of()
    for _ in range(LEAST_SECONDS):
        still.update([0] * 5)
    assert fit_level_weights(still) == (LEVEL_WEIGHTS, None)
