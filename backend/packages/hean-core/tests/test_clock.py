from __future__ import annotations

from hean.core.clock import ManualClock, WallClock


def test_a_manual_clock_moves_only_when_told() -> None:
    """It stands still, advances by seconds and can be set anywhere."""
    clock = ManualClock(5)
    assert clock.now_ns() == clock.now_ns() == 5
    clock.advance(1.5)
    assert clock.elapsed_ns() == 1_500_000_005
    clock.set(1)
    assert clock.now_ns() == 1


def test_the_wall_clock_moves_on() -> None:
    """Its time lies after 2020, and what has elapsed never shrinks."""
    clock = WallClock()
    assert clock.now_ns() > 1_577_836_800_000_000_000
    before = clock.elapsed_ns()
    assert clock.elapsed_ns() >= before
