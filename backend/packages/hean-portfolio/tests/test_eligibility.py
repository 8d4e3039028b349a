from __future__ import annotations

import pytest

from hean.core.events import FrequencyClass
from hean.core.testing import profile
from hean.portfolio.eligibility import Known, Standards, learning_order
from hean.portfolio.guard_cells import GuardCells


def known(**more: object) -> Known:
    """Return a strategy that could run."""
    given = {"enabled": True, "cannot_run_because": "", **more}
    return Known(profile=profile("s"), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "enforces", "budget", "reason"),
    [
        ({}, False, 100.0, ""),
        ({"enabled": False}, False, 0.0, "DISABLED"),
        ({"cannot_run_because": "no F"}, False, 0.0, "NEEDS"),
        ({"forced": "off"}, False, 0.0, "FORCED_OFF"),
        ({}, True, 0.0, "GUARD"),
        ({"blocked_until": 11}, False, 0.0, "BLOCKED"),
        ({"blocked_until": 10}, False, 0.0, ""),
        ({}, False, 121.0, "B_MIN"),
    ],
)
def test_each_condition_has_its_refusal(
    more: dict[str, object], enforces: bool, budget: float, reason: str
) -> None:
    """What is missing is named, in the order of the conditions."""
    standards = Standards(guard=GuardCells(), enforces=enforces, now=10, capital_at_cap=120.0)
    assert standards.refusal(known(**more), budget) == reason


def test_learning_takes_the_slow_first_and_followers_last() -> None:
    """LOW before MEDIUM before HIGH, then name; the second of a documented pair last."""
    frequencies = {
        "basis_arbitrage": FrequencyClass.LOW,
        "z": FrequencyClass.LOW,
        "a": FrequencyClass.HIGH,
        "m": FrequencyClass.MEDIUM,
    }
    found = {
        name: Known(profile=profile(name, frequency=one), enabled=True, cannot_run_because="")
        for name, one in frequencies.items()
    }
    assert learning_order(found, list(found)) == ["z", "m", "a", "basis_arbitrage"]
