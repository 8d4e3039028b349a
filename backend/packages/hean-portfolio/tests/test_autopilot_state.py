from __future__ import annotations

from hean.core.testing import profile
from hean.portfolio.autopilot_state import PilotState, Record, lines_of
from hean.portfolio.bandit import Arm
from hean.portfolio.eligibility import Known


def test_every_known_strategy_has_a_line() -> None:
    """Lines come by name, with refusals before reasons; without a draw outcomes were certain."""
    state = PilotState(active=("b",))
    for name in ("b", "a", "c"):
        state.known[name] = Known(profile=profile(name), enabled=True, cannot_run_because="")
        state.arms[name] = Arm()
    refusals = {"a": "NEEDS", "b": "", "c": ""}
    lines = lines_of(state, {"b": "LEARNING"}, refusals, "NOT_PICKED", None)
    assert [(one.strategy, one.reason, one.propensity) for one in lines] == [
        ("a", "NEEDS", 0.0),
        ("b", "LEARNING", 1.0),
        ("c", "NOT_PICKED", 0.0),
    ]
    drawn = lines_of(state, {}, refusals, "", {"b": Record(0.5, 0.1, 0.9)})
    assert (drawn[1].draw, drawn[1].penalty, drawn[1].propensity) == (0.5, 0.1, 0.9)
