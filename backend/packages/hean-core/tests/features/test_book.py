from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.core.features import MicroPriceTable, micro_lean_bp, micro_price, weighted_mid
from hean.core.features.book import IMBALANCE_BUCKETS, Spread, add_level_flow, micro_state

LEVELS = ((100.0, 5.0), (99.0, 7.0), (98.0, 9.0))
TABLE = MicroPriceTable(
    version="made", corrections=tuple((at - 4.5, 0.0, 0.5) for at in range(IMBALANCE_BUCKETS))
)


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


def test_the_micro_price_is_the_mid_and_its_correction() -> None:
    """A touch of nine to one on a spread of one tick takes the last row, in ticks and in bp."""
    assert micro_price(1000, 1001, 95, 5, TABLE) == 1000.5 + 4.5
    assert micro_price(1000, 1004, 95, 5, TABLE) == 1002.0 + 0.5
    assert micro_lean_bp(1000, 1001, 95, 5, TABLE) == pytest.approx(1e4 * 4.5 / 1000.5)
    assert micro_lean_bp(1000, 1002, 95, 5, TABLE) == 0.0


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 5))
def test_a_mirrored_touch_has_the_mirrored_correction(bids: int, asks: int, width: int) -> None:
    """With an antisymmetric table swapped sizes give the opposite, and equal ones exactly none."""
    row, column = micro_state(10, 10 + width, bids, asks)
    mirrored, same = micro_state(10, 10 + width, asks, bids)
    assert same == column
    table = MicroPriceTable(
        version="made", corrections=tuple((at - 4.5, 2.0 * at - 9.0, 4.5 - at) for at in range(10))
    )
    lean = micro_lean_bp(10, 10 + width, bids, asks, table)
    assert micro_lean_bp(10, 10 + width, asks, bids, table) == -lean
    if bids == asks:
        assert (row, mirrored, lean) == (5, 5, 0.0)
    else:
        assert row + mirrored == IMBALANCE_BUCKETS - 1
        assert (row > mirrored) is (bids > asks)


def test_each_level_has_its_own_flow() -> None:
    """More bid, a vanished bid, less ask and a better ask count at their level, in base coin."""

    def of(
        bids: tuple[tuple[float, float], ...], asks: tuple[tuple[float, float], ...]
    ) -> list[float]:
        flows = [0.0] * 5
        add_level_flow(flows, LEVELS, LEVELS, bids, asks)
        return flows

    assert of(LEVELS, LEVELS) == [0.0] * 5
    assert of(((100.0, 6.0), *LEVELS[1:]), LEVELS) == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert of((LEVELS[0], (98.5, 1.0), LEVELS[2]), LEVELS) == [0.0, -7.0, 0.0, 0.0, 0.0]
    assert of(LEVELS, (*LEVELS[:2], (98.0, 8.0))) == [0.0, 0.0, 1.0, 0.0, 0.0]
    assert of(LEVELS, ((99.5, 2.0), *LEVELS[1:])) == [-2.0, 0.0, 0.0, 0.0, 0.0]


def test_levels_beyond_the_fifth_do_not_count() -> None:
    """A book of seven levels moves five flows, and one of three moves three."""
    old = tuple((100.0 - at, 1.0) for at in range(7))
    new = tuple((100.0 - at, 2.0) for at in range(7))
    flows = [0.0] * 5
    add_level_flow(flows, old, (), new, ())
    assert flows == [1.0] * 5


def test_a_widened_spread_scores_high() -> None:
    """After a steady hour a spread of ten ticks is many deviations above its mean."""
    spread = Spread.of()
    for second in range(3600):
        spread.update(second, 10_000, 10_001 + second % 2)
    assert abs(spread.score()) < 1.5
    spread.update(3600, 10_000, 10_010)
    assert spread.score() > 3.0
    assert spread.now == pytest.approx(10.0, abs=0.01)
