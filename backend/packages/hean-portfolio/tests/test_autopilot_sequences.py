"""AutoPilot as a state machine: whatever happens, the active set keeps its bounds and its pace."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from hean.core.events import (
    ActiveStrategiesChanged,
    Event,
    Heartbeat,
    KillAction,
    KillSwitchReset,
    KillSwitchTripped,
    OperatorCommand,
    Regime,
    RegimeChanged,
    RiskState,
    RiskStateChanged,
)
from hean.core.testing import BTC, HOUR, SECOND, position_closed, profile, registered
from hean.portfolio import Mode

from .scenes import envelope_of, limit_of, shadow_closed
from .test_autopilot import NAMES, PROTECTIVE, started

STRATEGY = st.sampled_from(NAMES)
DAY = 24 * HOUR


class Sequences(RuleBasedStateMachine):
    """Results, regimes, alarms, commands, blocks and outages; beside it a restarted twin."""

    def __init__(self) -> None:
        super().__init__()
        self.system, self.portfolio = started()
        self.twin, self.other = started(names=NAMES[::-1])
        self.killed = False
        for turn in range(4):
            for place, name in enumerate(NAMES):
                self.close(name, (5 * place + turn) % 11 - 5)
            self.live(1)

    def take(self, event: Event) -> None:
        """Give an event to both."""
        self.system.take(event)
        self.twin.take(event)

    @property
    def now(self) -> int:
        return self.system.now

    @rule(days=st.sampled_from([1, 1, 1, 2, 3]))
    def live(self, days: int) -> None:
        """Days pass, with a beat every six hours."""
        for _ in range(4 * days):
            at = self.now + 6 * HOUR
            self.take(Heartbeat(ts_event=at, ts_init=at, interval_ns=SECOND))

    @rule(days=st.integers(1, 5))
    def sleep(self, days: int) -> None:
        """Nothing comes for days."""
        for system in (self.system, self.twin):
            system.advance(86_400.0 * days)

    @rule(name=STRATEGY, tenths=st.integers(-30, 30))
    def close(self, name: str, tenths: int) -> None:
        """A strategy closes a trade."""
        self.take(position_closed(name, net=str(tenths / 10), at=self.now))

    @rule(name=STRATEGY, tenths=st.integers(-30, 30))
    def follow(self, name: str, tenths: int) -> None:
        """The shadow book ends a trade of it."""
        self.take(shadow_closed(name, tenths / 10, at=self.now))

    @rule(regime=st.sampled_from(Regime))
    def turn(self, regime: Regime) -> None:
        """Another regime rules."""
        self.take(
            RegimeChanged(
                ts_event=self.now, ts_init=self.now, instrument=BTC, ready=True, regime=regime,
                phase=None, cycle=None, regime_confidence=0.9, phase_confidence=0.0,
                cycle_confidence=0.0, moved=("regime",),
            )
        )  # fmt: skip

    @rule(state=st.sampled_from(RiskState))
    def brake(self, state: RiskState) -> None:
        """The governor changes its state; an alarm counts in the same dispatch."""
        self.take(
            RiskStateChanged(
                ts_event=self.now, ts_init=self.now, previous=RiskState.NORMAL, state=state,
                drawdown=0.16, multiplier=0.2,
            )
        )  # fmt: skip
        if state in (RiskState.QUARANTINE, RiskState.HARD_STOP):
            assert self.portfolio.autopilot.mode is Mode.PROTECTIVE
            assert {*self.portfolio.autopilot.active} <= {*PROTECTIVE}

    @rule()
    def trip(self) -> None:
        """The kill switch trips, or the operator resets it."""
        self.killed = not self.killed
        if self.killed:
            self.take(
                KillSwitchTripped(
                    ts_event=self.now, ts_init=self.now, trip="t", action=KillAction.FLATTEN,
                    cause="x", number=0.0, limit=0.0,
                )
            )  # fmt: skip
            assert {*self.portfolio.autopilot.active} <= {*PROTECTIVE}
        else:
            self.take(
                KillSwitchReset(
                    ts_event=self.now, ts_init=self.now, trip="t", operator="o", reason="r",
                    high_water_mark_before=1.0, high_water_mark=1.0, reference_before=1.0,
                    reference=1.0,
                )
            )  # fmt: skip

    @rule(name=STRATEGY, word=st.sampled_from(["strategy_off", "strategy_on", "strategy_auto"]))
    def command(self, name: str, word: str) -> None:
        """The operator speaks."""
        self.take(
            OperatorCommand(
                ts_event=self.now, ts_init=self.now, command=word, operator="o", reason="r",
                arguments=(("strategy", name),),
            )
        )  # fmt: skip

    @rule(name=STRATEGY, enabled=st.booleans(), why=st.sampled_from(["", "", "no trades"]))
    def register(self, name: str, enabled: bool, why: str) -> None:
        """A strategy joins or leaves."""
        event = registered(profile(name), at=self.now)
        self.take(replace(event, enabled=enabled, cannot_run_because=why))

    @rule(name=STRATEGY, hours=st.integers(0, 60))
    def block(self, name: str, hours: int) -> None:
        """The envelope blocks a strategy for a while."""
        self.take(
            envelope_of(1.0, limit_of(name, blocked_until=self.now + hours * HOUR), at=self.now)
        )

    @rule()
    def restart(self) -> None:
        """The twin goes through its bytes."""
        for one in self.other.components:
            one.restore(one.snapshot())

    @invariant()
    def bounded(self) -> None:
        """D4, J14: at most 8, of a draw at least 2 or all; only who is eligible joins."""
        sets = self.system.of(ActiveStrategiesChanged)
        for before, after in pairwise(sets[-8:]):
            lines = {one.strategy: one for one in after.lines}
            assert after.version == before.version + 1
            assert after.active == tuple(sorted({*after.active}))
            assert len(after.active) <= 8
            assert all(lines[one].eligible for one in {*after.active} - {*before.active})
            assert all(one.active is (one.strategy in after.active) for one in after.lines)
            if after.mode == "PROTECTIVE":
                assert {*after.active} <= {*PROTECTIVE} & {*before.active}
            if after.mode == "NORMAL" and any(0.0 < one.propensity < 1.0 for one in after.lines):
                self.drawn(before, after)

    def drawn(self, before: ActiveStrategiesChanged, after: ActiveStrategiesChanged) -> None:
        """A draw changes two at most, beyond whom it had to drop and needs to reach its least."""
        lines = {one.strategy: one for one in after.lines}
        eligible = [one for one in after.lines if one.eligible]
        stayed = [one for one in before.active if lines[one].eligible]
        moved = {*stayed} ^ {*after.active}
        assert len(after.active) >= min(2, len(eligible))
        assert len(moved) <= 2 + max(0, 2 - len(stayed))
        assert {*after.active} <= {one.strategy for one in eligible}

    @invariant()
    def repeated(self) -> None:
        """J14, J15: registered in another order and restarted at any time, the same bytes."""
        mine, others = (one.of(ActiveStrategiesChanged) for one in (self.system, self.twin))
        assert len(mine) == len(others)
        assert mine[-3:] == others[-3:]


Sequences.TestCase.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
TestSequences = Sequences.TestCase
TestSequences.__doc__ = "D4, D6, D7, J14, J15: bounds and pace hold over any sequence of events."


def test_a_deactivated_arm_that_turns_good_in_the_shadow_book_returns() -> None:
    """D5: dropped for losses, kept off while only the shadow book sees it earn, it comes back."""
    system, portfolio = started(autopilot_max_active=4)
    arm = "enhanced_grid"

    def live(days: int, r: float) -> float:
        """Live through days of equal results; return the posterior mean at the end."""
        for _ in range(3 * days):
            at = system.now + 8 * HOUR
            is_active = arm in portfolio.autopilot.active
            outcome = position_closed(arm, net=f"{r}", at=at)
            system.take(
                outcome if is_active else shadow_closed(arm, r, at=at),
                Heartbeat(ts_event=at, ts_init=at, interval_ns=SECOND),
            )
        lines = system.of(ActiveStrategiesChanged)[-1].lines
        return next(one.posterior_mean for one in lines if one.strategy == arm)

    def command(word: str) -> None:
        system.take(
            OperatorCommand(
                ts_event=system.now, ts_init=system.now, command=word, operator="o", reason="r",
                arguments=(("strategy", arm),),
            )
        )  # fmt: skip

    assert live(20, -0.5) < -0.1
    assert arm not in portfolio.autopilot.active
    command("strategy_off")
    assert live(40, 0.5) > 0.1
    assert arm not in portfolio.autopilot.active
    command("strategy_auto")
    live(6, 0.5)
    assert arm in portfolio.autopilot.active
