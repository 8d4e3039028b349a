from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.portfolio.correlation import prior_correlation
from hean.portfolio.propensity import frequencies
from hean.portfolio.selection import Arms, Rules, choose, pick

RULES = Rules(least=2, most=8, changes=2, diversity=0.05, hysteresis=0.03)
TWINS = ("basis_arbitrage", "funding_harvester")


def arms(
    names: tuple[str, ...],
    active: tuple[bool, ...],
    *,
    movable: tuple[bool, ...] | None = None,
    forced: tuple[bool, ...] | None = None,
) -> Arms:
    """Return arms with equal posterior means."""
    count = len(names)
    return Arms(
        names=names,
        active=active,
        movable=movable or (True,) * count,
        forced=forced or (False,) * count,
        means=(0.0,) * count,
        correlation=prior_correlation(names, {}),
    )


def test_cash_beats_what_loses() -> None:
    """The pick stops at a score of 0: who is below is not wanted."""
    found, _ = pick([0.2, -0.1, 0.1], arms(("a", "b", "c"), (False,) * 3), RULES)
    assert found == [0, 2]


def test_likeness_costs_and_being_active_helps() -> None:
    """A twin of one already picked needs more, one active now needs less."""
    found, penalties = pick([0.02, 0.03], arms(TWINS, (False, False)), RULES)
    assert found == [1]
    assert penalties[0] == 0.05 * 0.6
    found, _ = pick([0.02, 0.04], arms(TWINS, (True, False)), RULES)
    assert found == [0, 1]


def test_below_the_least_incumbents_stay() -> None:
    """Where fewer than two are wanted the incumbents fill up, and say that they are kept."""
    chosen = choose([-1.0, -1.0, -2.0], arms(("a", "b", "c"), (False, True, True)), RULES)
    assert chosen.active == (False, True, True)
    assert chosen.reasons == ("NOT_PICKED", "KEPT_MIN", "KEPT_MIN")


def test_the_operator_may_insist() -> None:
    """A forced arm counts among the most allowed and comes first."""
    rules = Rules(least=1, most=1, changes=2, diversity=0.0, hysteresis=0.0)
    chosen = choose([-1.0, 1.0], arms(("a", "b"), (False, True), forced=(True, False)), rules)
    assert chosen.active == (True, False)
    assert chosen.reasons[0] == "FORCED_ON"


FLAGS = st.lists(st.booleans(), min_size=11, max_size=11).map(tuple)
SCORES = st.lists(st.integers(-300, 300).map(lambda one: one / 1000), min_size=11, max_size=11)
NAMES = tuple(f"s{n:02d}" for n in range(11))


@given(st.integers(1, 11), st.lists(SCORES, min_size=3, max_size=20), FLAGS, FLAGS, FLAGS)
@settings(max_examples=80, deadline=None)
def test_bounds_pace_and_propensities(
    count: int,
    rows: list[list[float]],
    active: tuple[bool, ...],
    movable: tuple[bool, ...],
    forced: tuple[bool, ...],
) -> None:
    """D4, J14: size and pace are kept from any state, and the replays count the same rule."""
    on = [flag and sum(1 for one in active[:n] if one) < 8 for n, flag in enumerate(active)]
    now = tuple(on[:count])
    start = arms(NAMES[:count], now, movable=movable[:count], forced=forced[:count])
    counts = [0] * count
    for row in rows:
        chosen = choose(row[:count], start, RULES)
        held = sum(1 for one in chosen.active if one)
        before = sum(1 for one in now if one)
        changes = sum(1 for a, b in zip(now, chosen.active, strict=True) if a != b)
        assert min(2, count) <= held <= 8
        assert changes <= 2 + max(0, 2 - before)
        for index, (a, b) in enumerate(zip(now, chosen.active, strict=True)):
            if a != b and not start.movable[index] and not start.forced[index]:
                assert before < 2
            counts[index] += b
    shares = frequencies([row[:count] for row in rows], start, RULES)
    assert shares == [one / len(rows) for one in counts]
