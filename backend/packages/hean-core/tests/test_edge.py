from __future__ import annotations

from math import inf, isinf, nan, sqrt

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.core.edge import (
    LAST_OUTCOMES,
    MAKER_MAKER,
    MAKER_TAKER,
    PRIOR_OUTCOMES,
    TAKER_TAKER,
    Cell,
    ExitMix,
    Fees,
    Frictions,
    PlanFault,
    belief_of,
    break_even_rate,
    cell_of,
    check_claim,
    check_plan,
    check_walk_forward,
    first_sufficient,
    guard_confidence,
    impact_bp,
    luck_rate,
    markout_bp,
    needed_t,
    next_mode,
    round_trip_bp,
)
from hean.core.events.decision import GuardMode
from hean.core.events.evidence import WalkForward

ENTRY_TIER = Fees(maker_bp=2.0, taker_bp=5.5)
REBATE = Fees(maker_bp=-1.0, taker_bp=5.5)

# target, stop, p0, then break-even in percent: TT, MT, MM, RB (None: never)
GOLDEN = [
    (25, 15, 37.5, 65.0, 56.2, 51.7, 41.9),
    (35, 12, 25.5, 48.9, 41.5, 38.6, 30.8),
    (3, 50, 94.3, None, None, None, 91.6),
    (10, 50, 83.3, None, 95.8, 90.6, 82.0),
    (50, 50, 50.0, 61.0, 57.5, 55.6, 51.2),
    (100, 60, 37.5, 44.4, 42.2, 41.3, 38.7),
    (150, 30, 16.7, 22.8, 20.8, 20.4, 18.5),
    (250, 20, 7.4, 11.5, 10.2, 10.1, 8.9),
    (150, 100, 40.0, 44.4, 43.0, 42.4, 40.7),
    (12, 20, 62.5, 96.9, 85.9, 77.5, 63.6),
    (80, 150, 65.2, 70.0, 68.5, 67.5, 65.3),
    (200, 100, 33.3, 37.0, 35.8, 35.4, 34.1),
]
NETS = st.lists(st.floats(-500, 500).map(lambda net: round(net, 3)), max_size=120)


def test_entry_tier_round_trips() -> None:
    """Taker both ways costs 11 bp, maker in and taker out 7.5, maker both ways 4."""
    found = [round_trip_bp(ENTRY_TIER, mix) for mix in (TAKER_TAKER, MAKER_TAKER, MAKER_MAKER)]
    assert found == [11.0, 7.5, 4.0]


@pytest.mark.parametrize(("target", "stop", "luck", "tt", "mt", "mm", "rb"), GOLDEN)
def test_break_even_rates_match_the_table(
    target: float,
    stop: float,
    luck: float,
    tt: float | None,
    mt: float | None,
    mm: float | None,
    rb: float | None,
) -> None:
    """Break-even hit rates by route agree with the design's table to a tenth of a percent."""
    assert abs(luck_rate(target, stop) * 100 - luck) <= 0.051
    routes = [
        (tt, ENTRY_TIER, TAKER_TAKER, TAKER_TAKER),
        (mt, ENTRY_TIER, MAKER_TAKER, MAKER_TAKER),
        (mm, ENTRY_TIER, MAKER_MAKER, MAKER_TAKER),
        (rb, REBATE, MAKER_MAKER, MAKER_TAKER),
    ]
    for expected, fees, win, loss in routes:
        found = 100 * break_even_rate(
            target,
            stop,
            win_cost_bp=round_trip_bp(fees, win),
            loss_cost_bp=round_trip_bp(fees, loss),
        )
        if expected is None:
            assert found > 100
        else:
            assert abs(found - expected) <= 0.051


def test_frictions_fall_on_their_legs() -> None:
    """Spread and impact cost each taker leg, adverse selection each maker leg, funding once."""
    frictions = Frictions(half_spread_bp=1.0, impact_bp=0.5, adverse_bp=3.0, funding_bp=-0.25)
    mixed = ExitMix(maker_entry=True, maker_exits=0.5)
    assert round_trip_bp(ENTRY_TIER, mixed, frictions) == 1.5 * 5.0 + 0.5 * 7.0 - 0.25
    assert impact_bp(2.0, 10.0, 1.5) == pytest.approx(0.3)
    assert isinf(impact_bp(1.0, 0.0, 1.5))
    assert markout_bp(-1, 100.0, 99.0) == pytest.approx(100.0)


@hypothesis_settings(max_examples=200, deadline=None)
@given(nets=NETS, cost=st.floats(0.5, 40))
def test_belief_equals_its_formula(nets: list[float], cost: float) -> None:
    """The running cell gives the posterior mean and error of the whole list of outcomes."""
    cell = cell_of(nets)
    belief = belief_of(cell, cost)
    weight = PRIOR_OUTCOMES + len(nets)
    total = 0.0
    for net in nets:
        total += net
    assert belief.mean_bp == pytest.approx((total - PRIOR_OUTCOMES * cost) / weight, abs=1e-9)
    assert cell.last == tuple(nets[-LAST_OUTCOMES:])
    if len(nets) < 2:
        assert belief.error_bp == inf
    else:
        mean = total / len(nets)
        squares = 0.0
        for net in nets:
            squares += (net - mean) ** 2
        expected = sqrt(squares / (len(nets) - 1)) / sqrt(weight)
        assert belief.error_bp == pytest.approx(expected, abs=1e-6)


@hypothesis_settings(max_examples=200, deadline=None)
@given(nets=NETS, cost=st.floats(0.5, 40), mode=st.sampled_from(GuardMode))
def test_a_mode_rests_on_its_numbers(nets: list[float], cost: float, mode: GuardMode) -> None:
    """Nobody rises without outcomes, a positive mean and, for ACTIVE, a positive lower bound."""
    cell = cell_of(nets)
    belief = belief_of(cell, cost)
    found = next_mode(mode, cell, cost)
    if found is not GuardMode.SHADOW:
        assert belief.mean_bp >= 0
        assert len(cell.last) < LAST_OUTCOMES or cell.last_mean >= -cost
    if found is GuardMode.PROBE and mode is GuardMode.SHADOW:
        assert len(nets) >= 30
        assert belief.mean_bp > 0
    if found is GuardMode.ACTIVE and mode is not GuardMode.ACTIVE:
        assert mode is GuardMode.PROBE
        assert len(nets) >= 50
        assert belief.lower_bp > 0


def test_a_proven_edge_rises_and_a_bad_run_ends_it() -> None:
    """Steady +c rises to PROBE at 31 and ACTIVE at 50; twenty outcomes below -c end the trust."""
    cell, mode = Cell(), GuardMode.SHADOW
    steps: list[tuple[int, GuardMode]] = []
    for number in range(1, 61):
        cell = cell.with_outcome(10.0 + 0.1 * (-1) ** number)
        before, mode = mode, next_mode(mode, cell, 10.0)
        if mode is not before:
            steps.append((number, mode))
    assert steps == [(31, GuardMode.PROBE), (50, GuardMode.ACTIVE)]
    for _ in range(20):
        cell = cell.with_outcome(-12.0)
        mode = next_mode(mode, cell, 10.0)
    assert mode is GuardMode.SHADOW


def test_a_rich_past_does_not_hide_a_bad_run() -> None:
    """Twenty losses beyond the cost demote even a cell whose posterior mean stays positive."""
    cell = cell_of([100.0] * 200 + [-11.0] * 20)
    assert belief_of(cell, 10.0).mean_bp > 0
    assert next_mode(GuardMode.ACTIVE, cell, 10.0) is GuardMode.SHADOW
    assert next_mode(GuardMode.SHADOW, cell, 10.0) is GuardMode.SHADOW


def test_thin_cells_are_judged_by_wider_ones() -> None:
    """A cell below twenty outcomes gives way to the next that has them, else to the widest."""
    thin, middle, wide = cell_of([1.0] * 19), cell_of([2.0] * 20), cell_of([3.0] * 90)
    assert first_sufficient([thin, middle, wide]) is middle
    assert first_sufficient([thin, thin]) is thin


@hypothesis_settings(max_examples=100, deadline=None)
@given(
    strength=st.floats(0, 1),
    mean=st.floats(-50, 50),
    cost=st.floats(-5, 40),
    quality=st.floats(0, 1),
)
def test_confidence_needs_an_edge(
    strength: float, mean: float, cost: float, quality: float
) -> None:
    """Confidence lies in 0..quality and is 0 wherever the belief is not positive."""
    found = guard_confidence(strength, mean_bp=mean, cost_bp=cost, data_quality=quality)
    assert 0 <= found <= quality
    if mean <= 0:
        assert found == 0


def test_confidence_halves_where_the_edge_equals_the_cost() -> None:
    """With m = c a signal of full strength has confidence one half."""
    assert guard_confidence(1.0, mean_bp=10.0, cost_bp=10.0) == 0.5
    assert guard_confidence(1.0, mean_bp=1.0, cost_bp=-1.0) == 1.0


def test_plans_must_pay_for_their_costs() -> None:
    """A stop below 2c or a first target below 3c is a fault; the ninth digit of a price is none."""
    assert check_plan(21.9, 60.0, 11.0) == PlanFault("stop", 21.9, 22.0)
    assert check_plan(22.0, 32.0, 11.0) == PlanFault("target", 32.0, 33.0)
    assert check_plan(22.0, 33.0, 11.0) is None
    assert check_plan(22.0, None, 11.0) is None
    assert check_plan(21.99999, 32.99999, 11.0) is None
    assert check_plan(21.998, 33.0, 11.0) is not None


def test_a_forecast_must_exceed_its_cost() -> None:
    """A claim of just the cost, or of nothing known, is a fault; above it the claim passes."""
    assert check_claim(11.1, 11.0) is None
    assert check_claim(11.0, 11.0) == PlanFault("edge", 11.0, 11.0)
    assert check_claim(nan, 11.0) is not None


def test_more_trials_need_a_larger_t() -> None:
    """One set of parameters needs t 2; ten need 2.837, the tail of 2 shared among them."""
    assert needed_t(1) == pytest.approx(2.0)
    assert needed_t(10) == pytest.approx(2.8373, abs=1e-4)
    assert needed_t(11) > needed_t(10)


def test_a_walk_forward_is_asked_for_its_days_then_for_its_t() -> None:
    """Without one 0 days count; too few days and too small a t are named; else no fault."""
    two_years = WalkForward(days=731.0, trades=400, mean_bp=20.0, t=2.1)
    assert check_walk_forward(0.0, None) is None
    assert check_walk_forward(730.0, two_years) is None
    missing = check_walk_forward(730.0, None)
    assert missing is not None
    assert (missing.number, missing.limit) == (0.0, 730.0)
    short = check_walk_forward(730.0, replace(two_years, days=404.0))
    assert short is not None
    assert (short.subject, short.number) == ("days of walk-forward", 404.0)
    searched = check_walk_forward(730.0, replace(two_years, trials=5))
    assert searched is not None
    assert (searched.subject, searched.number) == ("t of the walk-forward", 2.1)
    assert searched.limit == needed_t(5)
