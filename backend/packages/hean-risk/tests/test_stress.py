from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.risk.stress import (
    NO_STOP,
    Line,
    Outlook,
    Sums,
    fits_surely,
    largest_scale,
    scenario_losses,
    worst_loss,
)


def line(coin: str, notional: float, *, stop: float = NO_STOP, spot: bool = False) -> Line:
    """Return a line of one coin with a half-spread of 1 bp."""
    name = f"{coin}{'-SPOT' if spot else ''}"
    return Line(name, coin, notional, stop, 0.0001, 0.0 if spot else 0.005, not spot)


def book(*lines: Line) -> Sums:
    """Return the sums of lines."""
    sums = Sums()
    for one in lines:
        sums.add(one)
    return sums


def test_twice_the_equity_fails_m1b_long_and_short() -> None:
    """G-7: a book of 2 E long loses 0.6 E in M1b, and so does its mirror."""
    limit = 0.15 * 300
    for sign in (1.0, -1.0):
        losses = scenario_losses(book(line("BTC", sign * 600.0)), 300.0)
        assert losses[1] == 180.0
        assert losses[1] > limit


def test_a_hedged_pair_passes_m1_and_is_bounded_by_m6() -> None:
    """G-7: long BTC against short ETH loses nothing in M1b and a tenth of a leg in M6."""
    losses = scenario_losses(book(line("BTC", 100.0), line("ETH", -100.0)), 300.0)
    assert losses[0] == 0.0
    assert losses[1] == 0.0
    assert losses[6] == 10.0


def test_spot_against_perpetual_moves_apart_by_three_percent() -> None:
    """A carry pair of one coin loses 3 % of a leg in M6 and funding on the perpetual in M4."""
    losses = scenario_losses(book(line("BTC", 100.0, spot=True), line("BTC", -100.0)), 300.0)
    assert losses[6] == 3.0
    assert losses[4] == 2.0


def test_stops_help_where_the_scenario_lets_them() -> None:
    """M1a fills a stop late by 2.5 %, M2 a quarter of the distance late, M1b ignores it."""
    losses = scenario_losses(book(line("ETH", 100.0, stop=0.02)), 300.0)
    assert round(losses[0], 9) == 4.5
    assert round(losses[2], 9) == 2.5
    assert losses[1] == 30.0


def test_other_coins_fall_harder() -> None:
    """M1b moves what is neither BTC nor ETH by 45 %."""
    assert scenario_losses(book(line("SOL", 100.0)), 300.0)[1] == 45.0


def test_a_book_past_its_maintenance_margin_loses_that_too() -> None:
    """In M5 an equity that falls below maintenance margin is liquidated."""
    thin = book(line("BTC", 1000.0))
    assert scenario_losses(thin, 255.0)[5] > scenario_losses(thin, 300.0)[5]


NOTIONALS = st.floats(-2000.0, 2000.0, allow_subnormal=False)


@given(st.lists(st.tuples(st.sampled_from(["BTC", "ETH", "SOL"]), NOTIONALS), max_size=6),
       st.sampled_from(["BTC", "ETH", "SOL"]), NOTIONALS)  # fmt: skip
def test_the_largest_share_stays_inside_the_limit(
    held: list[tuple[str, float]], coin: str, wanted: float
) -> None:
    """What the search lets through keeps the worst scenario inside, or mends nothing worse."""
    outlook = Outlook()
    for name, value in held:
        outlook.add(line(name, value))
    candidate = line(coin, wanted)
    share = largest_scale(outlook, [candidate], 300.0, 45.0)
    assert 0.0 <= share <= 1.0
    if share > 0.0:
        after = outlook.every.with_lines([candidate], share)
        assert worst_loss(after, 300.0) <= 45.0


@given(st.lists(st.tuples(st.sampled_from(["BTC", "ETH", "SOL"]), NOTIONALS), max_size=6))
def test_the_quick_answer_is_never_too_kind(held: list[tuple[str, float]]) -> None:
    """What surely fits by gross value fits in every scenario."""
    sums = book(*(line(name, value, stop=0.5) for name, value in held))
    if fits_surely(sums.gross, 0.0001, 45.0):
        assert worst_loss(sums, 1e9) <= 45.0 + 1e-9


HELD = st.lists(st.tuples(st.sampled_from(["BTC", "ETH", "SOL"]), NOTIONALS), max_size=4)
STOPS = st.sampled_from([0.005, 0.05, NO_STOP])


@settings(max_examples=150, deadline=None)
@given(HELD, st.lists(st.tuples(st.sampled_from(["BTC", "SOL"]), NOTIONALS, STOPS), max_size=5))
def test_no_choice_of_fills_is_worse_than_the_outlook(
    held: list[tuple[str, float]], working: list[tuple[str, float, float]]
) -> None:
    """P8: whichever of the orders at work fill, and whichever do not, the worst was foreseen."""
    firm = [line(name, value, stop=0.02) for name, value in held]
    loose = [replace(line(n, value, stop=stop), is_loose=True) for n, value, stop in working]
    outlook = Outlook()
    for one in (*firm, *loose):
        outlook.add(one)
    foreseen = outlook.worst(3_000.0)
    for count in range(len(loose) + 1):
        for filled in combinations(loose, count):
            assert worst_loss(book(*firm, *filled), 3_000.0) <= foreseen + 1e-6


BOOKS = {
    "long": (line("BTC", 100.0, stop=0.02), line("SOL", 50.0, stop=0.04)),
    "short": (line("BTC", -100.0, stop=0.02), line("SOL", -50.0, stop=0.04)),
    "mixed": (line("BTC", 100.0, stop=0.02), line("SOL", -50.0)),
    "hedged": (line("BTC", 100.0, spot=True), line("BTC", -100.0)),
}
LOSSES = {
    "long": (7.75, 52.5, 5.0, 8.25, 10.5, 37.815, 52.5),
    "short": (7.75, 52.5, 5.0, 8.25, 10.5, 37.815, 52.5),
    "mixed": (-0.5, 7.5, 7.5, 3.25, 5.5, 12.815, 12.5),
    "hedged": (0.0, 0.0, 20.0, 1.0, 2.0, 0.42, 3.0),
}
"""By hand, of a BTC line of 100 and a SOL line of 50; half-spreads of 1 bp, 300 USDT.

M1a: a stop of 2 % loses 2 + 2.5 %, one of 4 % 6.5 %,
none 10 %; a short gains what falls (mixed: 4.5 - 5). M1b: 30 % of BTC, 45 % of SOL. M2:
a stop's distance and a quarter, else 10 %. M3: 5 % of the net and 50 half-spreads. M4: 5 % of the
net and 2 % of each perpetual. M5: 25 % of the net and 21 half-spreads. M6: M1b, and 10 % of what
two coins hedge, 3 % of what spot hedges.
"""


@pytest.mark.parametrize("scenario", range(7), ids=["M1a", "M1b", "M2", "M3", "M4", "M5", "M6"])
@pytest.mark.parametrize("kind", sorted(BOOKS))
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_each_scenario_costs_what_the_hand_computes(scenario: int, kind: str, sign: float) -> None:
    """M1 to M6 on long, short, mixed and hedged books, and on the mirror of each."""
    lines = [replace(one, notional=sign * one.notional) for one in BOOKS[kind]]
    found = scenario_losses(book(*lines), 300.0)[scenario]
    assert found == pytest.approx(LOSSES[kind][scenario], abs=1e-9)
