from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

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
        after = outlook.with_lines([candidate], share)
        assert worst_loss(after.every, 300.0) <= 45.0
        assert after.worst(300.0) <= max(45.0, outlook.worst(300.0))


@given(st.lists(st.tuples(st.sampled_from(["BTC", "ETH", "SOL"]), NOTIONALS), max_size=6))
def test_the_quick_answer_is_never_too_kind(held: list[tuple[str, float]]) -> None:
    """What surely fits by gross value fits in every scenario."""
    sums = book(*(line(name, value, stop=0.5) for name, value in held))
    if fits_surely(sums.gross, 0.0001, 45.0):
        assert worst_loss(sums, 1e9) <= 45.0 + 1e-9
