from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hean.core.events.risk import KillSwitchReset, RiskState, RiskStateChanged
from hean.core.events.system import OperatorCommand
from hean.core.testing import SECOND
from hean.risk import RiskSettings
from hean.risk.governor import multiplier, severity
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


class GovernorMachine(RuleBasedStateMachine):
    """P10, J9: any drawdowns and any time, with an operator who gives no reason."""

    def __init__(self) -> None:
        super().__init__()
        section = RiskSettings(kill_total_loss=0.25, kill_day_loss=0.2)
        self.system = RiskSystem("alpha", section=section)
        self.level = 0
        self.above_at = [self.system.now] * 4
        self.seen = {0.0: 1.0}
        self.was_latched = self.was_hard = False

    @rule(drawdown=st.one_of(st.floats(0.0, 0.27), st.sampled_from([0.07, 0.1, 0.12, 0.15, 0.2])))
    def value(self, drawdown: float) -> None:
        drawdown = round(drawdown, 9)
        self.note(self.system.risk.governor.drawdown)
        self.system.equity(nav=1.0 - drawdown, mark=1.0)
        self.note(drawdown)
        self.seen[self.system.risk.governor.drawdown] = self.system.risk.governor.multiplier

    @rule(seconds=st.sampled_from([1, 600, 1799, 1800, 90_000]))
    def wait(self, seconds: int) -> None:
        self.system.advance(seconds)
        self.note(self.system.risk.governor.drawdown)

    @rule()
    def restart(self) -> None:
        self.system = self.system.resumed()

    @rule(reason=st.sampled_from(["", "please"]))
    def ask_in_vain(self, reason: str) -> None:
        at = self.system.now
        self.system.take(
            OperatorCommand(
                ts_event=at, ts_init=at, command="reset_kill_switch", operator="anna",
                reason=reason, arguments=() if reason else (("account", "1"),),
            )
        )  # fmt: skip

    def note(self, drawdown: float) -> None:
        """Remember when drawdown was last above each state's leave level."""
        for level, leave in enumerate((0.0, 0.07, 0.12, 0.2)):
            if drawdown > leave:
                self.above_at[level] = self.system.now

    @invariant()
    def falls_by_dwell_alone(self) -> None:
        level = list(RiskState).index(self.system.risk.governor.state)
        assert level >= severity(self.system.risk.governor.drawdown, self.system.section)
        if level < self.level:
            steps = self.level - level
            waited = self.system.now - self.above_at[self.level]
            assert waited >= steps * 1800 * SECOND
        self.level = level

    @invariant()
    def hard_stop_and_latch_stay(self) -> None:
        is_hard = self.system.risk.governor.state is RiskState.HARD_STOP
        is_latched = self.system.risk.kill_switch.is_latched
        assert is_hard >= self.was_hard
        assert is_latched >= self.was_latched
        self.was_hard, self.was_latched = is_hard, is_latched

    @invariant()
    def shrinks_with_drawdown(self) -> None:
        path = [self.seen[one] for one in sorted(self.seen)]
        assert path == sorted(path, reverse=True)


GovernorMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_severity_never_falls_without_dwell = GovernorMachine.TestCase


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
