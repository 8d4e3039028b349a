from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.events.decision import OrderRequest, SignalRejected
from hean.core.events.market import FeedGap
from hean.core.events.reasons import ReasonCode
from hean.core.events.risk import RiskEnvelope
from hean.core.events.strategy import Intent, OrderStyle
from hean.core.events.system import Heartbeat
from hean.core.events.venue import VenueStateChanged
from hean.core.testing import BTC, ETH, MINUTE, SECOND, bar, profile, rejected, signal
from hean.risk.testing import RiskSystem


def beat(system: RiskSystem, interval: int = SECOND) -> None:
    """Give the feed's beat now."""
    at = system.now
    system.take(Heartbeat(ts_event=at, ts_init=at, interval_ns=interval))


def ask(system: RiskSystem, strategy: str = "alpha", number: int = 1) -> None:
    """Ask for an entry on ETH with a 2 % stop."""
    system.take(
        signal(
            strategy,
            number=number,
            limit=3_500.0,
            stop=3_430.0,
            targets=(),
            instrument=ETH,
            at=system.now,
        )
    )


def code(system: RiskSystem) -> ReasonCode:
    """Return the newest refusal's code."""
    return system.of(SignalRejected)[-1].code


def test_nothing_opens_before_equity_and_reconciliation() -> None:
    """A system without a first reconciliation refuses with ENTRIES_HALTED."""
    system = RiskSystem("alpha")
    system.risk.sentinel.state.reconciled_at = -1
    ask(system)
    assert code(system) is ReasonCode.ENTRIES_HALTED


def test_a_silent_timer_makes_entries_stale_and_heals() -> None:
    """E3: after 6 s without a beat entries are stale, a stop exit passes, the next beat heals."""
    system = RiskSystem("alpha", "beta", capital="900")
    ask(system)
    system.open(system.orders()[0])
    system.advance(6)
    system.tick()
    ask(system, "beta")
    assert code(system) is ReasonCode.ENVELOPE_STALE
    system.take(
        signal(
            "alpha",
            number=2,
            intent=Intent.CLOSE,
            style=OrderStyle.MARKET,
            limit=None,
            instrument=ETH,
            at=system.now,
        )
    )
    assert len(system.orders()) == 2
    beat(system)
    ask(system, "beta", 2)
    assert len(system.orders()) == 3


def test_bars_are_not_stale_between_their_closes() -> None:
    """E4: on one-minute bars an envelope two bars old still serves, three bars old does not."""
    system = RiskSystem("alpha")
    system.take(bar(3_500.0, instrument=ETH, at=system.now))
    beat(system, MINUTE)
    system.advance(60)
    ask(system)
    assert len(system.orders()) == 1
    system.take(rejected(system.orders()[0], at=system.now))
    system.advance(60)
    ask(system, number=2)
    assert len(system.orders()) == 2
    system.take(rejected(system.orders()[1], at=system.now))
    system.advance(60)
    ask(system, number=3)
    assert code(system) is ReasonCode.ENVELOPE_STALE


def test_a_failed_recomputation_bars_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """E5: when the recomputation raises entries are stale; they pass once it succeeds."""
    system = RiskSystem("alpha")

    def fail() -> None:
        raise ArithmeticError("test")

    with monkeypatch.context() as patch:
        patch.setattr(system.risk.sentinel, "_calculate", fail)
        system.equity("301")
        ask(system)
        assert code(system) is ReasonCode.ENVELOPE_STALE
    system.equity("302")
    ask(system, number=2)
    assert len(system.orders()) == 1


def test_active_sets_given_twice_change_nothing() -> None:
    """E6: set_active_strategies of a known or older version leaves budgets and publishes none."""
    system = RiskSystem("alpha", "beta")
    sentinel = system.risk.sentinel
    count = len(system.of(RiskEnvelope))
    sentinel.set_active_strategies(("alpha", "beta"), system.active_version)
    sentinel.set_active_strategies(("beta",), system.active_version - 1)
    assert len(system.of(RiskEnvelope)) == count
    assert sentinel.budget("alpha") == Decimal(120)


def test_reconciliation_may_be_missed_twice() -> None:
    """Three intervals of 60 s without a reconciliation make entries stale."""
    system = RiskSystem("alpha")
    for seconds, expected in ((180, None), (1, ReasonCode.ENVELOPE_STALE)):
        system.advance(seconds)
        system.tick()
        beat(system)
        bar_found = system.risk.sentinel.barred("alpha", ETH)
        assert (bar_found[0] if bar_found else None) is expected


def test_a_lost_venue_and_a_gap_bar_entries() -> None:
    """While the venue is away, or the asked instrument's feed has a gap, nothing opens."""
    system = RiskSystem("alpha")
    at = system.now
    system.take(FeedGap(ts_event=at, ts_init=at, instrument=ETH, reason="resync"))
    ask(system)
    assert code(system) is ReasonCode.ENVELOPE_STALE
    system.advance(1)
    system.tick()
    ask(system, number=2)
    assert len(system.orders()) == 1
    system.take(VenueStateChanged(ts_event=at, ts_init=system.now, connected=False))
    ask(system, number=3)
    assert code(system) is ReasonCode.ENTRIES_HALTED


def test_a_daily_loss_pauses_until_midnight_and_ends_by_time() -> None:
    """At 5 % under the day's start entries pause; the next day they pass without a trade."""
    system = RiskSystem("alpha")
    system.equity(nav=0.95)
    ask(system)
    assert code(system) is ReasonCode.DAILY_LOSS
    system.advance(86_400)
    system.reconcile()
    system.tick()
    beat(system)
    assert system.risk.sentinel.barred("alpha", ETH) is None


def test_drawdown_states_bar_whom_they_name() -> None:
    """QUARANTINE lets the protective set pass alone, SOFT_BRAKE lets all start anew."""
    system = RiskSystem("alpha", "basis_arbitrage")
    system.day_start = 0.89
    system.equity(nav=0.89)
    sentinel = system.risk.sentinel
    sentinel.refresh()
    assert sentinel.barred("alpha", ETH) is None
    system.day_start = 0.855
    system.advance(86_400)
    system.reconcile()
    system.tick()
    system.equity(nav=0.849)
    sentinel.refresh()
    found = sentinel.barred("alpha", ETH)
    assert found is not None
    assert found[0] is ReasonCode.RISK_STATE
    assert sentinel.barred("basis_arbitrage", ETH) is None


def test_a_cluster_shares_half_of_the_open_risk() -> None:
    """Twins get half of the account's open risk together, carry a quarter."""
    system = RiskSystem(
        profile("alpha", cluster="trend"),
        profile("beta", cluster="trend"),
        profile("gamma", carry=True),
        capital="1000",
    )
    sentinel = system.risk.sentinel
    sentinel.refresh()
    assert sentinel.rooms.room("alpha", smallest_only=False).cluster_risk_left == Decimal(25)
    assert sentinel.rooms.room("gamma", smallest_only=False).cluster_risk_left == Decimal("12.5")
    ask(system)
    used = system.orders()[0].risk
    assert sentinel.rooms.room("beta", smallest_only=False).cluster_risk_left == Decimal(25) - used


def test_the_envelope_counts_what_works_and_what_is_held() -> None:
    """An entry counts with its full R until it fills, then as its loss from mark to stop."""
    system = RiskSystem("alpha", capital="900")
    ask(system)
    order = system.orders()[0]
    found = system.risk.sentinel.envelope()
    assert (found.open_risk, found.open_orders, found.free_slots) == (order.risk, 1, 9)
    system.open(order)
    held = system.risk.sentinel.envelope()
    assert (held.positions, held.open_orders) == (1, 0)
    assert abs(held.open_risk - order.risk) < Decimal("0.2")
    assert held.version > found.version


def test_a_quiet_interval_repeats_nothing() -> None:
    """Beats without a change publish no envelope; a moved equity does at the next beat."""
    system = RiskSystem("alpha")
    beat(system)
    count = len(system.of(RiskEnvelope))
    for _ in range(5):
        system.advance(1)
        beat(system)
    assert len(system.of(RiskEnvelope)) == count
    system.equity("310")
    system.advance(1)
    beat(system)
    assert len(system.of(RiskEnvelope)) == count + 1


def test_a_snapshot_restores_the_same_envelope() -> None:
    """Restored components answer the same envelope but for its version."""
    system = RiskSystem("alpha", "beta", capital="900")
    system.allocate({"alpha": 0.3, "beta": 0.2})
    ask(system)
    other = RiskSystem("alpha", "beta", capital="900")
    for mine, theirs in zip(system.risk.components, other.risk.components, strict=True):
        theirs.restore(mine.snapshot())
    other.tracker.restore(system.tracker.snapshot())
    assert other.risk.sentinel.envelope() == system.risk.sentinel.envelope()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["tick", "beat", "wait", "long", "bar"]), max_size=12))
def test_no_entry_rests_on_old_inputs(steps: list[str]) -> None:
    """Whenever an entry passes, recomputation and the asked mark are at most the limit old."""
    system = RiskSystem("alpha")
    for step in steps:
        match step:
            case "tick":
                system.tick()
            case "beat":
                beat(system)
            case "bar":
                system.take(bar(3_500.0, instrument=BTC, at=system.now))
            case "wait":
                system.advance(2)
            case _:
                system.advance(7)
        sentinel = system.risk.sentinel
        sentinel.refresh()
        if sentinel.barred("alpha", ETH) is None:
            mark = system.view.mark(ETH)
            assert mark is not None
            assert system.now - mark.ts_ns <= sentinel.maximum_age_ns
            assert system.now - sentinel.state.recomputed_at <= sentinel.maximum_age_ns


def test_margin_of_a_dead_order_is_free_again() -> None:
    """An order binds margin until the wallet shows it or it ends, without waiting for a wallet."""
    system = RiskSystem("alpha", capital="900")
    rooms = system.risk.sentinel.rooms
    free = rooms.room("alpha", smallest_only=False).available
    ask(system)
    assert rooms.room("alpha", smallest_only=False).available < free
    system.take(rejected(system.orders()[0], at=system.now))
    assert rooms.room("alpha", smallest_only=False).available == free


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.floats(0.78, 1.02)), max_size=10),
    st.lists(st.tuples(st.integers(0, 8), st.floats(0.78, 1.02)), min_size=1, max_size=6),
)
def test_a_snapshot_restores_to_the_digit(
    first: list[tuple[int, float]], then: list[tuple[int, float]]
) -> None:
    """P10: the restored sentinel has the same bytes, bars the same and publishes the same."""

    def play(one: RiskSystem, steps: list[tuple[int, float]], start: int) -> None:
        for number, (seconds, nav) in enumerate(steps, start=start):
            one.advance(seconds)
            if seconds % 2:
                one.tick()
                beat(one)
            if seconds % 3 == 0:
                one.equity(nav=nav)
            if seconds == 5:
                one.activate("alpha")
            if seconds == 7:
                one.allocate({"alpha": 0.2, "beta": 0.3}, version=number + 1, active_version=1)
            ask(one, number=number)

    system = RiskSystem("alpha", "beta", capital="900")
    play(system, first, 0)
    again = system.resumed()
    sentinel, other = system.risk.sentinel, again.risk.sentinel
    assert other.snapshot() == sentinel.snapshot()
    system.recorder.clear()
    play(system, then, 100)
    play(again, then, 100)
    assert other.snapshot() == sentinel.snapshot()
    for strategy in ("alpha", "beta"):
        assert other.barred(strategy, ETH) == sentinel.barred(strategy, ETH)
        assert other.budget(strategy) == sentinel.budget(strategy)
    for kind in (RiskEnvelope, SignalRejected, OrderRequest):
        assert again.of(kind) == system.of(kind)
