from __future__ import annotations

import pytest

from hean.core.events import Regime
from hean.portfolio.regime_clock import RegimeClock


def test_shares_are_of_time() -> None:
    """A bin is split by how long each regime ruled; the day is the mean of its three bins."""
    clock = RegimeClock()
    clock.rule("X", Regime.NORMAL, 0)
    clock.rule("X", Regime.RANGE, 25)
    clock.close_bin(100)
    assert clock.last_bin(["X"])[Regime.RANGE] == 0.75
    clock.close_bin(200)
    assert clock.last_bin(["X"])[Regime.RANGE] == 1.0
    assert clock.last_day(["X"])[Regime.RANGE] == pytest.approx(0.875)
    assert clock.last_day(["Y"]) == {Regime.NORMAL: 1.0}
