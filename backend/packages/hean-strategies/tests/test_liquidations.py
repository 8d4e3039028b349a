from __future__ import annotations

from hean.core.testing import SECOND, START
from hean.strategies.liquidations import LiquidationFlow


def test_a_burst_is_three_times_the_usual() -> None:
    """Ten seconds with more than three times the mean of those before are a burst."""
    flow = LiquidationFlow()
    for number in range(30):
        flow.push(START + 10 * number * SECOND, 100.0)
    assert not flow.is_burst(3.0)
    flow.push(START + 291 * SECOND, 250.0)
    assert flow.is_burst(3.0)
    flow.turn(START + 300 * SECOND)
    assert not flow.is_burst(3.0)


def test_silence_is_no_burst_and_lowers_the_usual() -> None:
    """Nothing liquidated never is a burst; empty times count towards the mean."""
    flow = LiquidationFlow()
    flow.push(START, 100.0)
    flow.turn(START + 600 * SECOND)
    assert not flow.is_burst(3.0)
    assert flow.usual.mean < 100.0
