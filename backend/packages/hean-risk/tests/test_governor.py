from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.core.events.risk import KillSwitchReset, RiskState, RiskStateChanged
from hean.core.events.system import OperatorCommand
from hean.risk import RiskSettings
from hean.risk.governor import multiplier
from hean.risk.testing import RiskSystem


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_the_multiplier_never_rises_with_drawdown(one: float, other: float) -> None:
    """M is 1 without drawdown, 0 at the floor and monotone between."""
    low, high = sorted((one, other))
    assert multiplier(low, 0.2) >= multiplier(high, 0.2)
    assert multiplier(0.1, 0.2) == 0.5
    assert (multiplier(0.0, 0.2), multiplier(0.2, 0.2)) == (1.0, 0.0)


def test_severity_rises_at_once_over_any_number_of_steps() -> None:
    """A drawdown of 16 % goes from NORMAL to QUARANTINE in one event."""
    system = RiskSystem("alpha")
    system.equity(nav=0.84)
    (moved,) = system.of(RiskStateChanged)
    assert (moved.previous, moved.state) == (RiskState.NORMAL, RiskState.QUARANTINE)


@pytest.mark.parametrize(
    ("nav", "state"),
    [
        (0.9001, RiskState.NORMAL),
        (0.9, RiskState.SOFT_BRAKE),
        (0.85, RiskState.QUARANTINE),
        (0.8, RiskState.HARD_STOP),
    ],
)
def test_a_level_is_entered_at_it(nav: float, state: RiskState) -> None:
    """Exactly 10, 15 and 20 % enter, though 1 - 0.9 falls short of 0.1 in binary."""
    system = RiskSystem("alpha")
    system.equity(nav=nav)
    assert system.risk.governor.state is state


def test_the_state_steps_down_once_per_dwell() -> None:
    """After recovery the state leaves QUARANTINE and SOFT_BRAKE 1,800 s apart, not earlier."""
    system = RiskSystem("alpha")
    system.equity(nav=0.84)
    system.equity(nav=0.99)
    system.advance(1799)
    assert system.risk.governor.state is RiskState.QUARANTINE
    system.advance(1)
    assert system.risk.governor.state is RiskState.SOFT_BRAKE
    system.advance(1800)
    assert system.risk.governor.state is RiskState.NORMAL


def test_a_relapse_restarts_the_dwell() -> None:
    """Back above the leave level the clock stops; it starts anew below it."""
    system = RiskSystem("alpha")
    system.equity(nav=0.89)
    system.equity(nav=0.94)
    system.advance(1000)
    system.equity(nav=0.925)
    system.advance(1000)
    assert system.risk.governor.state is RiskState.SOFT_BRAKE
    system.equity(nav=0.94)
    system.advance(1800)
    assert system.risk.governor.state is RiskState.NORMAL


def test_only_the_operator_leaves_hard_stop() -> None:
    """19.8 % after 20.03 % stays HARD_STOP for ever, until the operator re-arms."""
    system = RiskSystem("alpha", section=RiskSettings(kill_day_loss=0.25))
    system.equity(nav=0.7997)
    system.equity(nav=0.802)
    system.advance(10_000)
    assert system.risk.governor.state is RiskState.HARD_STOP
    at = system.now
    system.take(
        OperatorCommand(
            ts_event=at,
            ts_init=at,
            command="reset_kill_switch",
            operator="me",
            reason="understood",
            arguments=(("account", "1"),),
        )
    )
    (reset,) = system.of(KillSwitchReset)
    assert system.risk.governor.state is RiskState.SOFT_BRAKE
    assert round(system.risk.governor.multiplier, 6) == 0.4
    assert reset.high_water_mark < reset.high_water_mark_before


@given(st.lists(st.floats(0.0, 0.3), min_size=1, max_size=30))
def test_severity_never_falls_without_dwell(path: list[float]) -> None:
    """Without time passing no event lowers the state, and HARD_STOP stays."""
    system = RiskSystem("alpha", section=RiskSettings(kill_day_loss=0.9, kill_total_loss=0.9))
    order = list(RiskState)
    worst = 0
    for drawdown in path:
        system.equity(nav=1.0 - drawdown, mark=1.0)
        level = order.index(system.risk.governor.state)
        assert level >= worst
        worst = level


def test_a_snapshot_keeps_state_and_dwell() -> None:
    """A governor restored in the middle of a dwell steps down when the first would have."""
    system = RiskSystem("alpha")
    system.equity(nav=0.89)
    system.equity(nav=0.99)
    other = RiskSystem("alpha")
    other.risk.governor.restore(system.risk.governor.snapshot())
    other.agenda.restore(system.agenda.snapshot())
    other.advance(1800)
    assert other.risk.governor.state is RiskState.NORMAL


@given(st.integers(0, 2**32))
def test_stop_outs_alone_never_reach_the_floor(seed: int) -> None:
    """G-2: losing the whole open-risk limit 400 times over leaves equity above the floor."""
    equity = high = 300.0
    state = seed
    for _ in range(400):
        state = (1_103_515_245 * state + 12_345) % 2**31
        share = state / 2**31
        m = multiplier(1.0 - equity / high, 0.2)
        change = -0.05 * m * equity * share if state % 3 else 0.02 * m * equity * share
        equity += change
        high = max(high, equity)
        assert equity > 0.8 * high
