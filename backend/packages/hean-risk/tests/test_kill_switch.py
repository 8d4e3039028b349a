from __future__ import annotations

from decimal import Decimal

import pytest

from hean.core.events.base import Event
from hean.core.events.decision import SignalRejected
from hean.core.events.reasons import ReasonCode
from hean.core.events.risk import KillAction, KillSwitchReset, KillSwitchTripped
from hean.core.events.strategy import Intent, OrderStyle
from hean.core.events.system import (
    DeadLettered,
    JournalFailed,
    OperatorCommand,
    ReconciliationBreak,
)
from hean.core.events.venue import VenueStateChanged
from hean.core.testing import ETH, START, signal
from hean.risk.testing import RiskSystem


def reset(system: RiskSystem, *, account: str = "7", reason: str = "understood") -> None:
    """Have the operator ask for a re-arm."""
    at = system.now
    system.take(
        OperatorCommand(
            ts_event=at,
            ts_init=at,
            command="reset_kill_switch",
            operator="me",
            reason=reason,
            arguments=(("account", account),),
        )
    )


def enter(system: RiskSystem, number: int = 1) -> None:
    """Ask for an entry on ETH."""
    system.tick()
    system.take(
        signal(
            "alpha",
            number=number,
            limit=3_500.0,
            stop=3_430.0,
            targets=(),
            instrument=ETH,
            at=system.now,
        )
    )


def test_sixteen_percent_under_the_days_high_trips_once_and_latches() -> None:
    """G-3: one trip, entries refused in the same dispatch, latched over restart and midnight."""
    system = RiskSystem("alpha")
    system.equity(nav=0.84)
    (tripped,) = system.of(KillSwitchTripped)
    assert (tripped.action, tripped.cause) == (KillAction.FLATTEN, "day loss")
    enter(system)
    assert system.of(SignalRejected)[-1].code is ReasonCode.KILL_SWITCH
    system.equity(nav=0.83)
    system.advance(90_000)
    system.equity(nav=0.83)
    other = RiskSystem("alpha")
    other.risk.kill_switch.restore(system.risk.kill_switch.snapshot())
    enter(other)
    assert other.of(SignalRejected)[-1].code is ReasonCode.KILL_SWITCH
    assert len(system.of(KillSwitchTripped)) == 1


def test_after_the_reset_it_trades_and_old_references_are_gone() -> None:
    """G-3: the re-arm lowers the mark so that m is 0.4, and entries pass again."""
    system = RiskSystem("alpha", capital="900")
    system.equity("750", nav=0.84)
    system.reconcile()
    reset(system)
    (done,) = system.of(KillSwitchReset)
    assert done.reference == 0.84
    assert round(1 - done.reference / done.high_water_mark, 9) == 0.12
    system.high_water_mark = done.high_water_mark
    system.day_start = 0.84
    system.advance(86_400)
    system.reconcile()
    system.equity("750", nav=0.84)
    enter(system)
    assert not system.risk.kill_switch.is_latched
    assert len(system.of(KillSwitchTripped)) == 1
    assert len(system.orders()) == 1


def test_thirty_percent_of_the_reference_trips_over_days() -> None:
    """A slow loss of 30 % trips although no single day lost 15 %."""
    system = RiskSystem("alpha")
    for nav in (0.9, 0.8, 0.71):
        system.advance(86_400)
        system.equity(nav=nav)
        assert not system.risk.kill_switch.is_latched
    system.advance(86_400)
    system.equity(nav=0.70)
    assert system.of(KillSwitchTripped)[0].cause == "total loss"


def test_maintenance_margin_of_half_the_balance_trips() -> None:
    """Maintenance of 150 on a balance of 300 is FLATTEN."""
    system = RiskSystem("alpha")
    system.wallet("300", maintenance="149")
    assert not system.risk.kill_switch.is_latched
    system.wallet("300", maintenance="150")
    assert system.of(KillSwitchTripped)[0].action is KillAction.FLATTEN


HALTS: list[Event] = [
    ReconciliationBreak(
        ts_event=START,
        ts_init=START,
        instrument="",
        subject="wallet",
        books=Decimal(300),
        venue=Decimal(290),
    ),
    DeadLettered(
        ts_event=START,
        ts_init=START,
        handler="ledger",
        event_type="OrderFilled",
        key="alpha",
        attempts=3,
        error="x",
        payload="{}",
        carries_money=True,
    ),
    JournalFailed(ts_event=START, ts_init=START, error="disk full"),
]


@pytest.mark.parametrize("event", HALTS)
def test_uncertain_books_halt_entries_and_let_exits_pass(event: Event) -> None:
    """An unexplained break, a lost money event and a failed journal are HALT; a CLOSE passes."""
    system = RiskSystem("alpha", capital="900")
    enter(system)
    system.open(system.orders()[0])
    system.take(event)
    assert system.of(KillSwitchTripped)[0].action is KillAction.HALT
    enter(system, 2)
    assert system.of(SignalRejected)[-1].code is ReasonCode.KILL_SWITCH
    system.take(
        signal(
            "alpha",
            number=3,
            intent=Intent.CLOSE,
            style=OrderStyle.MARKET,
            limit=None,
            instrument=ETH,
            at=system.now,
        )
    )
    assert system.orders()[-1].intent is Intent.CLOSE


def test_an_explained_break_trips_nothing() -> None:
    """A difference that an order in flight explains is no reason to stop."""
    system = RiskSystem("alpha")
    system.take(
        ReconciliationBreak(
            ts_event=START,
            ts_init=START,
            instrument=ETH,
            subject="position",
            books=Decimal(1),
            venue=Decimal(2),
            explanation="order in flight",
        )
    )
    assert not system.risk.kill_switch.is_latched


def test_a_silent_venue_trips_after_a_minute_with_exposure() -> None:
    """60 s without the venue while exposed is HALT; without exposure it is not."""
    for exposed in (False, True):
        system = RiskSystem("alpha", capital="900")
        if exposed:
            enter(system)
            system.open(system.orders()[0])
        at = system.now
        system.take(VenueStateChanged(ts_event=at, ts_init=at, connected=False))
        system.advance(59)
        assert not system.risk.kill_switch.is_latched
        system.advance(1)
        assert system.risk.kill_switch.is_latched is exposed


def test_nothing_but_a_reasoned_reset_of_a_clean_account_re_arms() -> None:
    """No reason, no account, no reconciliation since, or time: it stays latched."""
    system = RiskSystem("alpha")
    system.equity(nav=0.84)
    system.advance(1_000_000)
    reset(system)
    assert system.risk.kill_switch.is_latched
    system.reconcile()
    reset(system, reason="")
    reset(system, account="")
    assert system.risk.kill_switch.is_latched
    reset(system)
    assert not system.risk.kill_switch.is_latched


def test_only_the_operator_turns_a_halt_into_a_flatten() -> None:
    """While books are uncertain a falling equity closes nothing; the operator's order does."""
    system = RiskSystem("alpha")
    system.take(JournalFailed(ts_event=START, ts_init=START, error="disk full"))
    system.equity(nav=0.60)
    assert [one.action for one in system.of(KillSwitchTripped)] == [KillAction.HALT]
    system.take(
        OperatorCommand(
            ts_event=START, ts_init=START, command="flatten", operator="me", reason="sure"
        )
    )
    assert system.of(KillSwitchTripped)[-1].action is KillAction.FLATTEN
