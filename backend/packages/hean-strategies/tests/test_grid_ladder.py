from __future__ import annotations

import pytest

from hean.core.testing import START
from hean.strategies.grid_ladder import RungState, build_ladder, step_size_bp


def test_rungs_lie_a_step_apart_and_mirror() -> None:
    """Each rung is a step beyond the one before, its target one step back; the sides mirror."""
    ladder = build_ladder(100.0, 20.0, 5, START)
    buys = [one for one in ladder.rungs if one.sign > 0]
    sells = [one for one in ladder.rungs if one.sign < 0]
    assert [one.number for one in buys] == [1, 2, 3, 4, 5]
    assert buys[0].target == 100.0
    assert [one.target for one in buys[1:]] == [one.price for one in buys[:-1]]
    for buy, sell in zip(buys, sells, strict=True):
        assert buy.price * sell.price == pytest.approx(1e4, rel=1e-12)
    assert ladder.stops[0] < ladder.low < buys[-1].price


def test_the_nearest_three_a_side_are_wanted() -> None:
    """Only rungs that would rest are wanted, three a side."""
    ladder = build_ladder(100.0, 20.0, 5, START)
    assert [one.number for one in ladder.wanted(99.99, 100.01)] == [1, 2, 3, 1, 2, 3]
    below = ladder.wanted(99.70, 99.72)
    assert [one.number for one in below if one.sign > 0] == [2, 3, 4]


def test_a_full_side_wants_no_more_of_it() -> None:
    """With the cap's clips bought nothing more is bought, and selling is still wanted."""
    ladder = build_ladder(100.0, 20.0, 3, START)
    ladder.clip, ladder.inventory = 1.0, 3.0
    assert {one.sign for one in ladder.wanted(99.99, 100.01)} == {-1}


def test_the_step_grows_with_fee_and_volatility() -> None:
    """The step is the largest of the least step, four maker fees and 4 bp, and 0.8 deviations."""
    assert step_size_bp(12.0, 2.0, 5.0) == 12.0
    assert step_size_bp(10.0, 5.0, 5.0) == 24.0
    assert step_size_bp(12.0, 2.0, 50.0) == 40.0


def test_a_rung_says_what_it_does() -> None:
    """Idle, armed, filled, target armed: by its orders and what it holds."""
    rung = build_ladder(100.0, 20.0, 3, START).rungs[0]
    states = [rung.state]
    rung.orders.append("o")
    states.append(rung.state)
    rung.orders.clear()
    rung.held = 1.0
    states.append(rung.state)
    rung.aimed = 1.0
    states.append(rung.state)
    assert states == list(RungState)


def test_worth_counts_fees_and_inventory() -> None:
    """Bought at 100, sold at 101, each with a fee of 0.1: 0.8 is left."""
    ladder = build_ladder(100.0, 20.0, 3, START)
    ladder.book(1, 1.0, 100.0, 0.1)
    assert ladder.worth(102.0) == pytest.approx(1.9)
    ladder.book(-1, 1.0, 101.0, 0.1)
    assert ladder.worth(50.0) == pytest.approx(0.8)


def test_a_clip_is_the_same_share_of_the_budget_all_along() -> None:
    """The scale grows as the inventory takes of the budget: each rung stays a tenth of it."""
    ladder = build_ladder(60_000.0, 24.0, 5, 0)
    assert ladder.share_of_budget(6) == pytest.approx(0.6)
    ladder.clip = 0.1
    for held in range(5):
        ladder.inventory = -0.1 * held
        left = 1.0 - 0.1 * held
        assert left * ladder.share_of_budget(5) / 5 == pytest.approx(0.1)
