from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.features import Covariation, quantised_log
from hean.core.features.columns import Floats, Integers
from hean.core.features.covariation import STEP_NS
from hean.core.snapshot import pack, unpack

Tick = tuple[int, int]
TICKS = st.lists(st.tuples(st.integers(0, 40), st.integers(900, 1100)), min_size=1, max_size=25)


def instants(gaps: list[Tick]) -> list[Tick]:
    """Return ticks at ascending times, of equal times only the last."""
    at, found = 0, dict[int, int]()
    for gap, price in gaps:
        at += gap
        found[at] = price
    return list(found.items())


def fed(first: list[Tick], second: list[Tick], end: int) -> Covariation:
    """Return the live form after both series and one price of a step long after."""
    made = Covariation.of()
    both = [(at, 0, price) for at, price in first] + [(at, 1, price) for at, price in second]
    for at, which, price in sorted(both):
        (made.take_second if which else made.take_first)(at, price)
    made.take_first(end, 1000)
    return made


def moves(ticks: list[Tick]) -> list[tuple[int, int, int]]:
    """Return (start, end, move) of each interval between neighbouring ticks."""
    return [
        (start, end, quantised_log(price, before))
        for (start, before), (end, price) in pairwise(ticks)
    ]


def brute_force(first: list[Tick], second: list[Tick]) -> int:
    """Return the sum of products over every pair of intervals that overlap."""
    return sum(
        one * other
        for start, end, one in moves(first)
        for begin, stop, other in moves(second)
        if max(start, begin) < min(end, stop)
    )


@settings(max_examples=300, deadline=None)
@given(TICKS, TICKS)
def test_the_live_sum_is_that_over_all_overlapping_pairs(
    first_gaps: list[Tick], second_gaps: list[Tick]
) -> None:
    """Whatever comes when, also at one instant, the sums are those of the definition."""
    first, second = instants(first_gaps), instants(second_gaps)
    made = fed(first, second, STEP_NS)
    assert made.steps == 1
    assert made.cross.over(1) == brute_force(first, second)
    assert made.first_square.over(1) == sum(move * move for *_, move in moves(first))
    assert made.second_square.over(1) == sum(move * move for *_, move in moves(second))


@settings(max_examples=60, deadline=None)
@given(TICKS, TICKS)
def test_the_order_of_the_two_does_not_matter(
    first_gaps: list[Tick], second_gaps: list[Tick]
) -> None:
    """Swapped instruments have the same covariance and correlation."""
    first, second = instants(first_gaps), instants(second_gaps)
    one, other = fed(first, second, STEP_NS), fed(second, first, STEP_NS)
    assert one.covariance(1) == other.covariance(1)
    assert one.correlation(1) == other.correlation(1)


def walks(seed: int, seconds: int, rho: float) -> tuple[Floats, Floats]:
    """Return two log walks of seconds whose moves are correlated by rho."""
    generator = np.random.default_rng(seed)
    common, own = generator.normal(0.0, 1e-4, (2, seconds))
    return np.cumsum(common), np.cumsum(rho * common + math.sqrt(1.0 - rho * rho) * own)


def thinned(seed: int, path: Floats, kept: float) -> list[Tick]:
    """Return prices of a path in a fine grid, each second kept with this chance."""
    chosen = np.flatnonzero(np.random.default_rng(seed).random(len(path)) < kept)
    prices = np.rint(1e7 * np.exp(path[chosen])).astype(int)
    return [
        (at * STEP_NS, price) for at, price in zip(chosen.tolist(), prices.tolist(), strict=True)
    ]


def sampled(ticks: list[Tick], seconds: int) -> Integers:
    """Return the returns of a series read once a second, the price before carried forward."""
    prices = dict(ticks)
    newest, found = ticks[0][1], list[int]()
    for second in range(seconds):
        newest = prices.get(second * STEP_NS, newest)
        found.append(newest)
    return np.diff(np.log(found))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("rho", [0.95, -0.95])
def test_dropped_ticks_bias_a_common_clock_and_not_the_overlap(seed: int, rho: float) -> None:
    """With 60 % of ticks dropped it stays above .85; on a common clock less than half is left."""
    seconds = 3600
    one, other = walks(seed, seconds, rho)
    first, second = thinned(10 + seed, one, 0.4), thinned(20 + seed, other, 0.4)
    found = fed(first, second, (seconds + 1) * STEP_NS).correlation(3500)
    assert found * math.copysign(1.0, rho) >= 0.85
    assert found == pytest.approx(rho, abs=0.1)
    clocked = float(np.corrcoef(sampled(first, seconds), sampled(second, seconds))[0, 1])
    assert abs(clocked) < 0.5 * abs(rho)


def test_independent_walks_have_no_correlation() -> None:
    """Without a common part an hour of thinned ticks gives next to nothing."""
    one, other = walks(4, 3600, 0.0)
    found = fed(thinned(5, one, 0.4), thinned(6, other, 0.4), 3601 * STEP_NS)
    assert abs(found.correlation(3500)) < 0.1


def test_nothing_is_known_before_the_window_is_full() -> None:
    """Before n steps closed both answers are NaN; without any move the correlation is 0."""
    made = Covariation.of()
    assert math.isnan(made.correlation(1))
    made.take_first(0, 100)
    made.take_second(1, 100)
    made.take_first(3 * STEP_NS, 100)
    assert made.steps == 3
    assert (made.covariance(3), made.correlation(3)) == (0.0, 0.0)
    assert math.isnan(made.covariance(4))


def test_a_snapshot_in_the_middle_goes_on_alike() -> None:
    """State packed and unpacked between two ticks ends with the same sums."""
    one, other = walks(7, 600, 0.5)
    first, second = thinned(8, one, 0.5), thinned(9, other, 0.5)
    whole, cut = Covariation.of(), Covariation.of()
    both = sorted([(at, 0, x) for at, x in first] + [(at, 1, x) for at, x in second])
    for place, (at, which, price) in enumerate(both):
        if place == len(both) // 2:
            cut = unpack(pack("covariation", 1, cut), "covariation", 1, Covariation)
        for made in (whole, cut):
            (made.take_second if which else made.take_first)(at, price)
    assert whole == cut


def test_a_delayed_answer_is_seen_by_prices_that_lie_apart() -> None:
    """A price that follows by 200 ms shares nothing with ticks of 50 ms, and much at a second."""
    one, _ = walks(8, 40_000, 1.0)
    prices = np.rint(1e7 * np.exp(one)).astype(int).tolist()
    found: list[float] = []
    for apart_ns in (0, STEP_NS):
        made = Covariation.of(apart_ns)
        for tick in range(4, len(prices)):
            made.take_first(tick * STEP_NS // 20, prices[tick])
            made.take_second(tick * STEP_NS // 20 + 1, prices[tick - 4])
        found.append(made.correlation(1900))
    assert abs(found[0]) < 0.1
    assert found[1] > 0.7
