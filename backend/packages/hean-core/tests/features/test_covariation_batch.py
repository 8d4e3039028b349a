from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.features import Covariation
from hean.core.features.columns import Integers
from hean.core.features.covariation import STEP_NS
from hean.core.features.covariation_batch import correlation_batch, covariation_batch

GAPS = st.lists(st.tuples(st.integers(0, 1500), st.integers(900, 1100)), min_size=2, max_size=60)


def live(
    first_at: Integers,
    first: Integers,
    second_at: Integers,
    second: Integers,
    apart_ns: int = 0,
) -> tuple[Covariation, list[tuple[int, int, int]], list[float]]:
    """Return the live form after all prices, and each step's sums and correlation over 60."""
    made, sums, known = Covariation.of(apart_ns), list[tuple[int, int, int]](), list[float]()
    both = [(at, 0, price) for at, price in zip(first_at.tolist(), first.tolist(), strict=True)]
    both += [(at, 1, price) for at, price in zip(second_at.tolist(), second.tolist(), strict=True)]
    # stable: of one instant's prices the later in its own column stays the later
    for at, which, price in sorted(both, key=lambda tick: tick[0]):
        before = made.steps
        (made.take_second if which else made.take_first)(at, price)
        for back in range(made.steps - before, 0, -1):
            parts = (made.cross, made.first_square, made.second_square)
            cross, one, other = (part.over(back) - part.over(back - 1) for part in parts)
            sums.append((cross, one, other))
        if made.steps - before == 1:
            known.append(made.correlation(60))
        else:
            known += [float("nan")] * (made.steps - before)
    return made, sums, known


def columns_of(gaps: list[tuple[int, int]]) -> tuple[Integers, Integers]:
    """Return times in ns and prices."""
    table = np.array(gaps, dtype=np.int64)
    return np.cumsum(table[:, 0]) * 1_000_000, table[:, 1]


@settings(max_examples=150, deadline=None)
@given(GAPS, GAPS, st.sampled_from([0, 1, 250_000_000, 2_000_000_000]))
def test_any_ticks_have_the_live_sums(
    first: list[tuple[int, int]], second: list[tuple[int, int]], apart_ns: int
) -> None:
    """Empty steps, equal instants and lonely ticks included, columns hold the live integers."""
    ticks = (*columns_of(first), *columns_of(second))
    batch = covariation_batch(*ticks, apart_ns)
    _, sums, _ = live(*ticks, apart_ns)
    assert np.stack(list(batch.values()), axis=1).tolist() == [list(one) for one in sums]


@pytest.mark.parametrize(("seed", "apart_ns"), [(1, 0), (2, 0), (3, 250_000_000)])
def test_a_hundred_thousand_ticks_have_the_live_bits(seed: int, apart_ns: int) -> None:
    """Sums are the live integers and the one-minute correlation has every bit of the live one."""
    generator = np.random.default_rng(seed)

    def ticks(count: int, gap_ms: int) -> tuple[Integers, Integers]:
        at = np.cumsum(generator.integers(0, gap_ms, count)) * 1_000_000
        return at, 600_000 + np.cumsum(generator.integers(-3, 4, count))

    both = (*ticks(60_000, 120), *ticks(40_000, 180))
    batch = covariation_batch(*both, apart_ns)
    _, sums, known = live(*both, apart_ns)
    assert np.stack(list(batch.values()), axis=1).tolist() == [list(one) for one in sums]
    expected = np.array(known)
    told = ~np.isnan(expected)
    assert told.sum() > 3000
    assert np.array_equal(correlation_batch(batch, 60)[told], expected[told])


def test_a_step_is_a_second() -> None:
    """Two prices three seconds apart close three steps."""
    at, price = np.array([0, 3 * STEP_NS]), np.array([100, 101])
    assert len(covariation_batch(at, price, at, price)["cross"]) == 3
