from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.config import HEANSettings
from hean.core.events.decision import (
    EdgeGuardChanged,
    GuardMode,
    OrderRequest,
    SignalRejected,
)
from hean.core.events.evidence import Evidence, FeeShare, PastOutcome, PlanFault, WalkForward
from hean.core.events.market import Regime, Side
from hean.core.events.portfolio import ShadowClosed
from hean.core.events.reasons import ReasonCode
from hean.core.events.system import RunStarted
from hean.core.testing import (
    ETH,
    SOL,
    accepted,
    btc_perpetual,
    cancelled,
    eth_perpetual,
    filled,
    position_closed,
    position_opened,
    profile,
    registered,
    signal,
    sol_perpetual,
)
from hean.risk.edge_cells import FAILED_PLAN
from hean.risk.testing import RiskSystem

ENFORCE = HEANSettings(edge_guard="enforce")


def shadow(system: RiskSystem, net_bp: float, *, promotes: bool = True) -> None:
    """Report a shadow outcome on ETH in a NORMAL regime."""
    at = system.now
    system.take(
        ShadowClosed(
            ts_event=at,
            ts_init=at,
            strategy="alpha",
            instrument=ETH,
            side=Side.BUY,
            opened_at=at,
            entry_price=3500.0,
            exit_price=3500.0,
            gross_bp=net_bp,
            fees_bp=0.0,
            funding_bp=0.0,
            net_bp=net_bp,
            stop_bp=200.0,
            r_multiple=net_bp / 200.0,
            mae_r=0.0,
            mfe_r=0.0,
            regime=Regime.NORMAL,
            phase=None,
            cycle=None,
            exit_reason="target",
            signal_id="x",
            refusal="EDGE_UNPROVEN",
            promotes=promotes,
        )
    )


def ask(system: RiskSystem, number: int = 1) -> None:
    """Ask for an entry on ETH that claims a cost of 10 bp."""
    system.tick()
    system.take(
        signal(
            "alpha",
            number=number,
            limit=3_500.0,
            stop=3_430.0,
            targets=(3_710.0,),
            instrument=ETH,
            at=system.now,
        )
    )


def test_outcomes_lead_from_shadow_over_probe_to_active_and_back() -> None:
    """30 good outcomes make PROBE, 50 ACTIVE, a bad run SHADOW; each move is published."""
    system = RiskSystem("alpha", settings=ENFORCE)
    ask(system)
    for index in range(60):
        shadow(system, 25.0 + index % 3)
    for _ in range(40):
        shadow(system, -60.0)
    moves = [(one.previous, one.mode, one.outcomes) for one in system.of(EdgeGuardChanged)]
    assert moves[0] == (GuardMode.SHADOW, GuardMode.PROBE, 30)
    assert moves[1][:2] == (GuardMode.PROBE, GuardMode.ACTIVE)
    assert moves[1][2] >= 50
    assert moves[2][1] is GuardMode.SHADOW
    assert system.of(EdgeGuardChanged)[0].cell == "alpha/majors/NORMAL"


def test_plan_failures_never_promote() -> None:
    """Outcomes that may not promote are followed in a cell of their own, which stays in SHADOW."""
    system = RiskSystem("alpha", settings=ENFORCE)
    for _ in range(100):
        shadow(system, 50.0, promotes=False)
    assert system.of(EdgeGuardChanged) == []
    (key,) = system.risk.edge_guard.tracks
    assert key == ("alpha", "majors", FAILED_PLAN)
    assert system.risk.edge_guard.tracks[key].shadow == 100


def _trade(system: RiskSystem, number: int, fault: PlanFault | None) -> None:
    """Open on ETH with or without a fault of the plan, and close with a gain of 1 USDT."""
    system.tick()
    at = system.now
    asked = signal(
        "alpha", number=number, limit=3_500.0, stop=3_430.0, targets=(3_710.0,), instrument=ETH,
        at=at,
    )  # fmt: skip
    system.take(replace(asked, plan_fault=fault))
    order = system.orders()[-1]
    fill = filled(order, at=at)
    opened = replace(
        position_opened(order=order.client_order_id, instrument=ETH, at=at),
        correlation_id=order.signal_id,
    )
    closed = replace(position_closed(instrument=ETH, at=at), signal_id=order.signal_id)
    system.take(accepted(order, at=at), fill, opened, closed)
    system.advance(1.0)


def test_a_failed_plan_that_trades_under_observe_never_promotes_either() -> None:
    """Real outcomes of plans that failed go to their own cell, before and after a restart."""
    system = RiskSystem("alpha", settings=HEANSettings(edge_guard="observe"), capital="3000")
    fault = PlanFault("fills", 12.0, 200.0)
    for number in range(3):
        _trade(system, 2 * number + 1, fault)
        _trade(system, 2 * number + 2, None)
        if number == 1:
            system = system.resumed()
    tracks = system.risk.edge_guard.tracks
    assert tracks["alpha", "majors", FAILED_PLAN].real == 3
    assert tracks["alpha", "majors", "NORMAL"].real == 3
    assert tracks["alpha", "", ""].real == 3


def test_a_failed_plan_that_rests_for_long_is_not_forgotten() -> None:
    """However many faulted orders come and go meanwhile, the one that opens counts as failed."""
    system = RiskSystem("alpha", settings=HEANSettings(edge_guard="observe"), capital="3000")
    system.tick()
    asked = signal(
        "alpha", number=1, limit=3_500.0, stop=3_430.0, targets=(3_710.0,), instrument=ETH,
        at=system.now,
    )  # fmt: skip
    system.take(replace(asked, plan_fault=PlanFault("fills", 12.0, 200.0)))
    resting = system.orders()[-1]
    other = replace(signal("alpha", limit=60_000.0), plan_fault=PlanFault("fills", 12.0, 200.0))
    for number in range(300):
        name = f"other {number}"
        system.take(replace(other, signal_id=name, correlation_id=name, ts_init=system.now))
        gone = system.orders()[-1]
        assert gone.signal_id == name
        system.take(replace(cancelled(gone, at=system.now), correlation_id=name))
    at = system.now
    opened = replace(
        position_opened(order=resting.client_order_id, instrument=ETH, at=at),
        correlation_id=resting.signal_id,
    )
    closed = replace(position_closed(instrument=ETH, at=at), signal_id=resting.signal_id)
    system.take(filled(resting, at=at), opened, closed)
    assert system.risk.edge_guard.tracks["alpha", "majors", FAILED_PLAN].real == 1


def test_a_fault_the_strategy_measured_is_refused_or_told() -> None:
    """Under enforce it is EDGE with its numbers; under observe the order says so and goes out."""
    fault = PlanFault("fills", 12.0, 200.0)
    asked = replace(signal("alpha", limit=60_000.0, targets=(61_500.0,)), plan_fault=fault)
    strict = RiskSystem("alpha", settings=ENFORCE, capital="3000")
    strict.take(asked)
    refused = strict.of(SignalRejected)[-1]
    assert (refused.code, refused.number, refused.limit) == (ReasonCode.EDGE, 12.0, 200.0)
    mild = RiskSystem("alpha", settings=HEANSettings(edge_guard="observe"), capital="3000")
    mild.take(asked)
    assert ("would_refuse.EDGE", 12.0) in mild.orders()[-1].size_factors


def test_whoever_refuses_a_signal_its_plan_is_checked() -> None:
    """An inactive strategy's refusal says whether the plan fails, and the cell learns the cost."""
    system = RiskSystem("alpha", settings=ENFORCE)
    system.activate()
    sound = signal("alpha", number=1, targets=(61_500.0,), cost_bp=12.0)
    failed = replace(
        signal("alpha", number=2, targets=(61_500.0,)), plan_fault=PlanFault("fills", 1.0, 200.0)
    )
    system.take(sound, failed)
    refusals = system.of(SignalRejected)
    assert [one.code for one in refusals] == [ReasonCode.STRATEGY_INACTIVE] * 2
    assert [one.fails_plan for one in refusals] == [False, True]
    system.take(replace(sound, signal_id="x"))
    assert system.risk.edge_guard.tracks["alpha", "majors", "NORMAL"].cost_bp == 12.0


def test_a_group_counts_once_where_it_was_opened() -> None:
    """Two legs are one outcome, in the group and regime of the leg that opened, not of the last."""
    system = RiskSystem("alpha", settings=ENFORCE)
    at = system.now
    for name in (SOL, ETH):
        system.take(replace(position_opened(instrument=name, at=at), group="g"))
    first = replace(position_closed(instrument=SOL, at=at), group="g", regime=Regime.RANGE)
    last = replace(position_closed(instrument=ETH, at=at), group="g", regime=Regime.IMPULSE)
    system.take(first)
    assert not system.risk.edge_guard.tracks
    system.take(last)
    counted = {key for key, one in system.risk.edge_guard.tracks.items() if one.real}
    assert counted == {("alpha", "others", "RANGE"), ("alpha", "others", ""), ("alpha", "", "")}


def _evidence(count: int, before_fees_bp: float) -> Evidence:
    """Return so many outcomes on ETH, dealt once as a maker and once as a taker."""
    share = FeeShare(instrument=ETH, maker=1.0, taker=1.0)
    one = PastOutcome(
        closed_at=0, instrument=ETH, regime="NORMAL", is_real=True,
        before_fees_bp=before_fees_bp, frictions_bp=2.0, shares=(share,),
    )  # fmt: skip
    return Evidence(source="earlier", outcomes=(one,) * count)


def _registered_with(evidence: Evidence, *, maker_fee: str = "0.0002") -> RiskSystem:
    """Return a started account at this maker fee whose strategy brought evidence."""
    known = (btc_perpetual(), eth_perpetual(maker_fee=maker_fee), sol_perpetual())
    system = RiskSystem("alpha", settings=ENFORCE, capital="3000", instruments=known)
    system.take(replace(registered(profile("alpha")), evidence=evidence))
    return system


def test_evidence_starts_a_cell_and_is_priced_at_todays_fees() -> None:
    """Net is 40 bp less 7.5 at a fee of 2, less 10.5 at 5; the mode comes as one change."""
    for maker_fee, net in (("0.0002", 32.5), ("0.0005", 29.5)):
        system = _registered_with(_evidence(35, 40.0), maker_fee=maker_fee)
        track = system.risk.edge_guard.tracks["alpha", "majors", "NORMAL"]
        assert track.cell.mean == pytest.approx(net)
        assert (track.mode, track.imported, track.real) == (GuardMode.PROBE, 35, 0)
        (change,) = system.of(EdgeGuardChanged)
        assert (change.previous, change.mode, change.outcomes) == (
            GuardMode.SHADOW, GuardMode.PROBE, 35,
        )  # fmt: skip
        ask(system)
        assert system.orders()[-1].quantity == Decimal("0.01")


def test_evidence_survives_a_restart_and_goes_on() -> None:
    """What was brought is in the snapshot; later outcomes add to it."""
    system = _registered_with(_evidence(45, 40.0)).resumed()
    for index in range(6):
        shadow(system, 32.0 + index % 2)
    assert system.of(EdgeGuardChanged)[-1].mode is GuardMode.ACTIVE
    track = system.risk.edge_guard.tracks["alpha", "majors", "NORMAL"]
    assert (track.imported, track.shadow, track.cell.outcomes) == (45, 6, 51)


def test_evidence_that_says_nothing_changes_nothing() -> None:
    """Refused evidence, or outcomes too few, leave the cell in SHADOW and publish nothing."""
    for one in (Evidence(source="r", refusal="other parameters there"), _evidence(29, 40.0)):
        system = _registered_with(one)
        ask(system)
        assert system.of(EdgeGuardChanged) == []
        assert system.of(SignalRejected)[-1].code is ReasonCode.EDGE_UNPROVEN


def test_a_probing_strategy_trades_the_smallest_quantity() -> None:
    """PROBE opens one lot where full size would be more; ACTIVE opens more."""
    system = RiskSystem("alpha", settings=ENFORCE, capital="3000")
    ask(system)
    assert system.of(SignalRejected)[-1].code is ReasonCode.EDGE_UNPROVEN
    for _ in range(30):
        shadow(system, 80.0)
    ask(system, 2)
    assert system.orders()[-1].quantity == Decimal("0.01")
    for index in range(30):
        shadow(system, 80.0 + index % 2)
    system.open(system.orders()[-1])
    system.flat("alpha", ETH)
    ask(system, 3)
    assert system.orders()[-1].quantity > Decimal("0.01")


def test_auto_enforces_live_only() -> None:
    """The automatic setting observes in paper and replay and enforces in live."""
    system = RiskSystem("alpha")
    for mode, expected in (("replay", False), ("paper", False), ("live", True)):
        at = system.now
        system.take(
            RunStarted(
                ts_event=at,
                ts_init=at,
                run_id="r",
                mode=mode,
                feed="f",
                seed=0,
                settings_sha256="",
            )
        )
        assert system.risk.edge_guard.enforces is expected


def test_a_plan_that_lives_on_a_rebate_needs_one() -> None:
    """Without a maker rebate such a strategy's plan does not pay: NO_REBATE."""
    rebate = replace(profile("alpha"), needs_rebate=True)
    system = RiskSystem(rebate, settings=ENFORCE)
    ask(system)
    assert system.of(SignalRejected)[-1].code is ReasonCode.NO_REBATE


def _forecast(system: RiskSystem, number: int, edge_bp: float, cost_bp: float) -> None:
    """Ask for an entry whose plan is wide enough and whose forecast is `edge_bp`."""
    system.tick()
    system.take(
        signal(
            "alpha",
            number=number,
            limit=3_500.0,
            stop=3_430.0,
            targets=(3_710.0,),
            edge_bp=edge_bp,
            cost_bp=cost_bp,
            instrument=ETH,
            at=system.now,
        )
    )


def test_a_forecast_below_its_cost_leaves_no_order() -> None:
    """Where the row claims edge, |f| must exceed c, even in ACTIVE; at zero fees it passes."""
    scalper = replace(profile("alpha", directional=True), claims_edge=True)
    system = RiskSystem(scalper, settings=ENFORCE, capital="3000")
    _forecast(system, 1, 0.3, 4.0)
    for index in range(60):
        shadow(system, 25.0 + index % 3)
    _forecast(system, 2, 0.3, 4.0)
    refusals = system.of(SignalRejected)
    assert [one.code for one in refusals] == [ReasonCode.EDGE, ReasonCode.EDGE]
    assert (refusals[1].number, refusals[1].limit) == (0.3, 4.0)
    assert system.orders() == []
    _forecast(system, 3, 0.3, 0.0)
    assert len(system.orders()) == 1


def test_a_row_without_a_claim_is_not_held_to_one() -> None:
    """A strategy that states no forecast is judged by its plan and its outcomes alone."""
    system = RiskSystem(profile("alpha", directional=True), settings=ENFORCE, capital="3000")
    _forecast(system, 1, 0.0, 4.0)
    assert [one.code for one in system.of(SignalRejected)] == [ReasonCode.EDGE_UNPROVEN]


def test_observe_records_a_weak_forecast_and_trades() -> None:
    """Under observe the order goes out and says that live would have refused it: EDGE."""
    scalper = replace(profile("alpha", directional=True), claims_edge=True)
    system = RiskSystem(scalper, settings=HEANSettings(edge_guard="observe"), capital="3000")
    _forecast(system, 1, 0.3, 4.0)
    assert ("would_refuse.EDGE", 0.3) in system.orders()[0].size_factors


def test_a_walk_forward_is_asked_for_before_any_probe() -> None:
    """Without the days of walk-forward its row asks for, a strategy is refused with EDGE."""
    trend = replace(profile("alpha", directional=True), walk_forward_days=730.0)
    system = RiskSystem(trend, settings=ENFORCE, capital="3000")
    ask(system)
    for index in range(40):
        shadow(system, 25.0 + index % 3)
    assert not system.of(EdgeGuardChanged)
    walked = WalkForward(days=731.0, trades=300, mean_bp=15.0, t=2.2)
    told = replace(registered(trend), evidence=Evidence(source="x", walk_forward=walked))
    system.take(told)
    ask(system, 2)
    again = system.resumed()
    shadow(again, 25.0)
    found = [(one.code, one.number, one.limit) for one in system.of(SignalRejected)]
    assert found[0] == (ReasonCode.EDGE, 0.0, 730.0)
    assert found[1][0] is ReasonCode.EDGE_UNPROVEN
    assert again.of(EdgeGuardChanged)[-1].mode is GuardMode.PROBE


def test_observe_gives_the_same_verdicts_and_refuses_nothing() -> None:
    """Objections are counted alike under both settings; observe lets the order through."""
    counts: list[dict[str, int]] = []
    for setting in (ENFORCE, HEANSettings(edge_guard="observe")):
        system = RiskSystem("alpha", settings=setting)
        ask(system)
        counts.append(dict(system.risk.edge_guard.objections))
        assert len(system.orders()) == (setting.edge_guard == "observe")
    assert counts[0] == counts[1] == {ReasonCode.EDGE_UNPROVEN: 1}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-90.0, 90.0), max_size=70), st.lists(st.floats(-90.0, 90.0), max_size=40))
def test_a_snapshot_restores_to_the_digit(first: list[float], then: list[float]) -> None:
    """P10: the restored guard has the same bytes, learns alike and judges the next signal alike."""
    system = RiskSystem("alpha", settings=ENFORCE, capital="3000")
    ask(system)
    for net_bp in first:
        shadow(system, net_bp)
    again = system.resumed()
    guard, other = system.risk.edge_guard, again.risk.edge_guard
    assert other.snapshot() == guard.snapshot()
    system.recorder.clear()
    for one in (system, again):
        for net_bp in then:
            shadow(one, net_bp)
        ask(one, 2)
    assert other.snapshot() == guard.snapshot()
    assert other.belief("alpha", ETH) == guard.belief("alpha", ETH)
    for kind in (EdgeGuardChanged, OrderRequest, SignalRejected):
        assert again.of(kind) == system.of(kind)


def test_a_snapshot_keeps_modes_and_the_claimed_cost() -> None:
    """A restored guard probes where it probed, at the cost that was claimed last."""
    system = RiskSystem("alpha", settings=ENFORCE, capital="3000")
    ask(system)
    for _ in range(31):
        shadow(system, 80.0)
    again = system.resumed()
    cells = {key: (one.mode, one.cost_bp) for key, one in again.risk.edge_guard.tracks.items()}
    assert cells["alpha", "majors", "NORMAL"] == (GuardMode.PROBE, 10.0)
    ask(again, 2)
    assert again.orders()[-1].quantity == Decimal("0.01")
