from __future__ import annotations

import numpy as np
import pytest

from hean.core.features import NO_CORRECTION, micro_price, weighted_mid
from hean.core.features.book import Spread, micro_state
from hean.core.features.micro_price_fit import fit_micro_price


def test_the_weighted_mid_leans_towards_the_thin_side() -> None:
    """With three times the size on the bid it lies at three quarters of the spread."""
    assert weighted_mid(100.0, 101.0, 3.0, 1.0) == 100.75
    assert weighted_mid(100.0, 101.0, 0.0, 0.0) == 100.5


@pytest.mark.parametrize(
    ("touch", "state"),
    [
        ((10, 11, 0, 5), (0, 0)),
        ((10, 12, 5, 5), (5, 1)),
        ((10, 17, 9, 0), (9, 2)),
        ((10, 10, 0, 0), (5, 0)),
    ],
)
def test_a_touch_has_its_place_in_the_table(
    touch: tuple[int, int, int, int], state: tuple[int, int]
) -> None:
    """Imbalance falls into ten buckets, spread into one, two, and three or more ticks."""
    assert micro_state(*touch) == state


def test_without_a_table_the_micro_price_is_the_mid() -> None:
    """The table of version "none" corrects nothing."""
    assert micro_price(100, 101, 9, 1, NO_CORRECTION) == 100.5


def test_a_fitted_table_leans_towards_the_thin_side_and_is_antisymmetric() -> None:
    """On touches whose next move follows the imbalance the correction has its sign."""
    generator = np.random.default_rng(1)
    rows = 40_000
    share = generator.random(rows)
    moves = np.where(
        generator.random(rows) < 0.3, np.where(generator.random(rows) < share, 1, -1), 0
    )
    bid = 1000 + np.concatenate(([0], np.cumsum(moves)[:-1]))
    lots = np.rint(share * 1000).astype(np.int64)
    table = fit_micro_price("test", bid, bid + 1, lots, 1000 - lots)
    column = [row[0] for row in table.corrections]
    assert column[9] == pytest.approx(0.3 * 0.9, abs=0.03)
    assert column[9] == pytest.approx(-column[0], abs=0.05)
    assert micro_price(1000, 1001, 950, 50, table) > 1000.7


def test_a_widened_spread_scores_high() -> None:
    """After a steady hour a spread of ten ticks is many deviations above its mean."""
    spread = Spread.of()
    for second in range(3600):
        spread.update(second, 10_000, 10_001 + second % 2)
    assert abs(spread.score()) < 1.5
    spread.update(3600, 10_000, 10_010)
    assert spread.score() > 3.0
    assert spread.now == pytest.approx(10.0, abs=0.01)
