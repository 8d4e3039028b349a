from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.events import ReasonCode
from hean.strategies.pace import DAY_NS, SECOND_NS, Pace, PaceRules

RULES = PaceRules(
    cooldown_ns=30 * SECOND_NS,
    exit_cooldown_ns=60 * SECOND_NS,
    daily_cap=3,
    losses=2,
    pause_ns=900 * SECOND_NS,
)


def test_a_fresh_pace_allows() -> None:
    """Before any attempt nothing stands in the way."""
    assert Pace().refusal(0, RULES) is None


def test_the_cooldown_ends_to_the_nanosecond() -> None:
    """An attempt is refused until exactly the cooldown has passed."""
    pace = Pace()
    pace.attempt(0)
    refusal = pace.refusal(30 * SECOND_NS - 1, RULES)
    assert refusal is not None
    assert refusal[0] is ReasonCode.COOLDOWN
    assert pace.refusal(30 * SECOND_NS, RULES) is None


def test_an_exit_starts_its_own_cooldown() -> None:
    """After an exit the longer wait counts from the exit."""
    pace = Pace()
    pace.exited(0, 1.0, RULES)
    assert pace.refusal(59 * SECOND_NS, RULES) is not None
    assert pace.refusal(60 * SECOND_NS, RULES) is None


def test_losses_in_a_row_pause_and_a_win_forgives() -> None:
    """Two losses in a row pause; a win between them does not; zero is neither."""
    pace = Pace()
    for net in (-1.0, 1.0, -1.0, 0.0):
        pace.exited(0, net, RULES)
    assert pace.paused_until == 0
    pace.exited(0, -1.0, RULES)
    refusal = pace.refusal(899 * SECOND_NS, RULES)
    assert refusal is not None
    assert refusal[0] is ReasonCode.LOSS_PAUSE
    assert pace.refusal(900 * SECOND_NS, RULES) is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=60))
def test_no_day_sees_more_attempts_than_its_cap(gaps: list[int]) -> None:
    """Whatever the times, attempts made only when allowed keep cooldown and daily cap."""
    pace, now, made = Pace(), 0, list[int]()
    for gap in gaps:
        now += gap * SECOND_NS
        if pace.refusal(now, RULES) is None:
            pace.attempt(now)
            made.append(now)
    days: dict[int, int] = {}
    for at in made:
        days[at // DAY_NS] = days.get(at // DAY_NS, 0) + 1
    assert max(days.values()) <= 3
    assert all(b - a >= RULES.cooldown_ns for a, b in pairwise(made))
