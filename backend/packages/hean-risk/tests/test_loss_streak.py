from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.events.decision import SignalRejected
from hean.core.events.reasons import ReasonCode
from hean.core.testing import BTC, ETH, HOUR, signal
from hean.risk import RiskSettings
from hean.risk.testing import RiskSystem


def lose(system: RiskSystem, count: int) -> int:
    """Lose one R after another; return how many it took to be blocked, or the count."""
    for index in range(count):
        system.flat("alpha", BTC, net="-1")
        if system.risk.loss_streaks.blocked_until("alpha"):
            return index + 1
    return count


def test_a_run_of_losses_blocks_for_a_day_and_ends_by_time_alone() -> None:
    """G-4: the block starts when S reaches 7 and is gone 24 h later without any event."""
    system = RiskSystem("alpha")
    taken = lose(system, 20)
    assert 5 <= taken <= 12
    until = system.risk.loss_streaks.blocked_until("alpha")
    assert until == system.now + 24 * HOUR
    system.advance(24 * 3600)
    assert system.risk.loss_streaks.blocked_until("alpha") == 0


def test_a_blocked_strategy_trades_again_a_day_later() -> None:
    """G-4: its signal is STRATEGY_BLOCKED while the block lasts, and an order 24 h later."""
    system = RiskSystem("alpha", capital="900")
    lose(system, 20)
    for number in (1, 2):
        system.reconcile()
        system.tick()
        system.beat()
        system.take(
            signal(
                number=number, limit=3_500.0, stop=3_430.0, targets=(), instrument=ETH,
                at=system.now,
            )
        )  # fmt: skip
        if number == 1:
            assert system.of(SignalRejected)[-1].code is ReasonCode.STRATEGY_BLOCKED
            assert system.orders() == []
            system.advance(24 * 3600)
    assert [one.quantity for one in system.orders()] == [Decimal("0.01")]


def test_three_losses_are_noise() -> None:
    """Three losses in a row block nothing."""
    system = RiskSystem("alpha")
    lose(system, 3)
    assert system.risk.loss_streaks.blocked_until("alpha") == 0


def test_after_a_block_the_strategy_trades_small_until_it_recovers() -> None:
    """The smallest size lasts from the block until S falls below 1."""
    system = RiskSystem("alpha")
    lose(system, 20)
    system.advance(24 * 3600)
    assert system.risk.loss_streaks.is_cautious("alpha")
    for _ in range(4):
        system.flat("alpha", BTC, net="1")
    assert not system.risk.loss_streaks.is_cautious("alpha")


def test_the_test_can_be_switched_off() -> None:
    """With the test off no run of losses blocks."""
    system = RiskSystem("alpha", section=RiskSettings(loss_streak_enabled=False))
    assert lose(system, 60) == 60
    assert system.risk.loss_streaks.blocked_until("alpha") == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-30, 30), max_size=60))
def test_every_block_ends_within_its_time(results: list[int]) -> None:
    """Whatever the outcomes, a day later nothing is blocked."""
    system = RiskSystem("alpha")
    for result in results:
        system.flat("alpha", BTC, net=str(result / 10))
    system.advance(24 * 3600)
    assert system.risk.loss_streaks.blocked_until("alpha") == 0


def test_a_snapshot_keeps_the_block() -> None:
    """A restart in the middle of a block leaves it in force."""
    system = RiskSystem("alpha")
    lose(system, 20)
    other = RiskSystem("alpha")
    other.risk.loss_streaks.restore(system.risk.loss_streaks.snapshot())
    until = system.risk.loss_streaks.blocked_until("alpha")
    assert other.risk.loss_streaks.blocked_until("alpha") == until
