from __future__ import annotations

from hean.portfolio.correlation import prior_correlation
from hean.portfolio.propensity import frequencies
from hean.portfolio.selection import Arms, Rules

RULES = Rules(least=1, most=2, changes=2, diversity=0.0, hysteresis=0.0)


def test_propensities_count_the_rows_that_pick_an_arm() -> None:
    """An arm wanted in three of four replays has a propensity of three quarters."""
    names = ("a", "b")
    start = Arms(
        names=names,
        active=(True, False),
        movable=(True, True),
        forced=(False, False),
        means=(0.0, 0.0),
        correlation=prior_correlation(names, {}),
    )
    rows = [(1.0, 1.0), (1.0, -1.0), (1.0, 0.5), (-1.0, 0.5)]
    assert frequencies(rows, start, RULES) == [0.75, 0.75]
    assert frequencies([], start, RULES) == [0.0, 0.0]
