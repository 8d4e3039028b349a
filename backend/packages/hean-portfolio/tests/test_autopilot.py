from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from hean.config import HEANSettings
from hean.core.events import (
    ActiveStrategiesChanged,
    CapitalAllocated,
    EdgeGuardChanged,
    FrequencyClass,
    GuardMode,
    Heartbeat,
    KillAction,
    KillSwitchReset,
    KillSwitchTripped,
    OperatorCommand,
    RiskState,
    RiskStateChanged,
    RunStarted,
    StrategyRegistered,
    WalletUpdated,
)
from hean.core.testing import (
    BTC,
    HOUR,
    SECOND,
    START,
    MiniSystem,
    position_closed,
    profile,
    registered,
)
from hean.portfolio import Mode, Portfolio, PortfolioSettings, build_portfolio

NAMES = (
    "basis_arbitrage",
    "correlation_arb",
    "enhanced_grid",
    "funding_harvester",
    "hf_scalping",
    "impulse_engine",
    "inventory_neutral_mm",
    "liquidity_sweep",
    "momentum_trader",
    "rebate_farmer",
    "sentiment_strategy",
)
CLASSES = {
    "hf_scalping": FrequencyClass.HIGH,
    "inventory_neutral_mm": FrequencyClass.HIGH,
    "rebate_farmer": FrequencyClass.HIGH,
    "impulse_engine": FrequencyClass.MEDIUM,
    "liquidity_sweep": FrequencyClass.MEDIUM,
    "momentum_trader": FrequencyClass.MEDIUM,
    "enhanced_grid": FrequencyClass.MEDIUM,
}
PROTECTIVE = ("basis_arbitrage", "correlation_arb", "funding_harvester")


def started(
    *,
    mode: str = "paper",
    names: tuple[str, ...] = NAMES,
    fed: bool = True,
    **section: Any,  # noqa: ANN401  (whatever settings a test changes)
) -> tuple[MiniSystem, Portfolio]:
    """Return a system whose AutoPilot has decided its first set."""
    system = MiniSystem(settings=HEANSettings(initial_capital=Decimal(10_000)))
    portfolio = build_portfolio(
        system.settings,
        PortfolioSettings(**section),
        system.bus,
        system.agenda,
        system.view,  # type: ignore[arg-type]
    )
    for one in portfolio.components:
        system.add(one)
    system.take(
        RunStarted(
            ts_event=START,
            ts_init=START,
            run_id="r",
            mode=mode,
            feed="sim",
            seed=0,
            settings_sha256="",
        )
    )
    for name in names:
        found = registered(profile(name, frequency=CLASSES.get(name, FrequencyClass.LOW)))
        why = "" if fed or name != names[0] else "the feed carries no Q"
        system.take(
            StrategyRegistered(
                ts_event=START,
                ts_init=START,
                strategy=name,
                profile=found.profile,
                cannot_run_because=why,
            )
        )
    system.take(
        WalletUpdated(
            ts_event=START, ts_init=START, wallet=Decimal(10_000), available=Decimal(10_000)
        )
    )
    return system, portfolio


def live(system: MiniSystem, days: float) -> None:
    """Let days pass, a beat each hour and a few outcomes."""
    for _ in range(round(days * 24)):
        at = system.now + HOUR
        hour = (at - START) // HOUR
        system.take(Heartbeat(ts_event=at, ts_init=at, interval_ns=SECOND))
        name = NAMES[hour % 11]
        net = math.sin(hour * 1.7) + (0.3 if name < "g" else -0.3)
        system.take(position_closed(name, net=f"{net:.3f}", at=at))


def last(system: MiniSystem) -> ActiveStrategiesChanged:
    """Return the newest active set."""
    return system.of(ActiveStrategiesChanged)[-1]


def risk(system: MiniSystem, state: RiskState) -> None:
    """Let the governor change its state."""
    system.take(
        RiskStateChanged(
            ts_event=system.now,
            ts_init=system.now,
            previous=RiskState.NORMAL,
            state=state,
            drawdown=0.16,
            multiplier=0.2,
        )
    )


def test_the_first_set_is_slow_before_fast_and_one_of_each_pair() -> None:
    """LEARNING takes up to 8: LOW before MEDIUM before HIGH, the second of a pair last."""
    system, _ = started()
    first = system.of(ActiveStrategiesChanged)[0]
    assert (first.mode, first.version) == ("LEARNING", 1)
    assert first.active == (
        "correlation_arb",
        "enhanced_grid",
        "funding_harvester",
        "hf_scalping",
        "impulse_engine",
        "liquidity_sweep",
        "rebate_farmer",
        "sentiment_strategy",
    )
    assert system.of(CapitalAllocated)[0].active_version == 1
    assert len(first.lines) == 11


def test_learning_ends_with_the_first_epoch_after_a_bin() -> None:
    """No set is drawn before an hour and a bin have passed; then daily, two changes at most."""
    system, portfolio = started()
    live(system, 0.9)
    assert portfolio.autopilot.mode is Mode.LEARNING
    live(system, 6.2)
    sets = system.of(ActiveStrategiesChanged)
    assert portfolio.autopilot.mode is Mode.NORMAL
    assert [one.epoch - sets[0].epoch for one in sets] == list(range(8))
    for before, after in pairwise(sets):
        moved = {*before.active} ^ {*after.active}
        assert len(moved) <= 2
        assert 2 <= len(after.active) <= 8


def test_propensities_are_those_of_the_rule() -> None:
    """D8: propensities add up to the expected size of the set and lie between 0 and 1."""
    system, _ = started()
    live(system, 3.0)
    lines = last(system).lines
    total = math.fsum(one.propensity for one in lines)
    assert 2.0 <= total <= 8.0
    assert all(0.0 <= one.propensity <= 1.0 for one in lines)
    assert any(0.0 < one.propensity < 1.0 for one in lines)


def test_quarantine_leaves_only_the_protective() -> None:
    """D7: an alarm removes in the same dispatch, and recovery adds nothing for a whole epoch."""
    system, portfolio = started()
    live(system, 2.5)
    before = last(system).active
    risk(system, RiskState.QUARANTINE)
    assert last(system).mode == "PROTECTIVE"
    assert last(system).active == tuple(one for one in before if one in PROTECTIVE)
    assert system.of(CapitalAllocated)[-1].active_version == last(system).version
    risk(system, RiskState.SOFT_BRAKE)
    kept = last(system).active
    live(system, 1.0)
    assert last(system).active == kept
    live(system, 1.0)
    assert portfolio.autopilot.mode is Mode.NORMAL
    assert len(last(system).active) > len(kept)


def test_the_kill_switch_is_an_alarm_until_reset() -> None:
    """A tripped switch keeps PROTECTIVE however calm the drawdown, until the operator resets it."""
    system, portfolio = started()
    system.take(
        KillSwitchTripped(
            ts_event=START,
            ts_init=START,
            trip="t",
            action=KillAction.FLATTEN,
            cause="x",
            number=0.0,
            limit=0.0,
        )
    )
    risk(system, RiskState.NORMAL)
    live(system, 3.0)
    assert portfolio.autopilot.mode is Mode.PROTECTIVE
    system.take(
        KillSwitchReset(
            ts_event=system.now,
            ts_init=system.now,
            trip="t",
            operator="o",
            reason="r",
            high_water_mark_before=1.0,
            high_water_mark=1.0,
            reference_before=1.0,
            reference=1.0,
        )
    )
    live(system, 2.1)
    assert portfolio.autopilot.mode is Mode.NORMAL


def test_who_cannot_run_or_is_forced_off_is_never_active() -> None:
    """The unfed are not eligible; the operator's word removes at once and lasts."""
    system, _ = started(fed=False)
    assert "basis_arbitrage" not in last(system).active
    system.take(
        OperatorCommand(
            ts_event=START,
            ts_init=START,
            command="strategy_off",
            operator="o",
            reason="r",
            arguments=(("strategy", "enhanced_grid"),),
        )
    )
    assert "enhanced_grid" not in last(system).active
    live(system, 5.0)
    line = next(one for one in last(system).lines if one.strategy == "enhanced_grid")
    assert (line.active, line.eligible, line.reason) == (False, False, "FORCED_OFF")


def test_under_enforce_only_live_cells_are_eligible() -> None:
    """In live nobody is active without a PROBE or ACTIVE cell; losing it removes at once."""
    system, _ = started(mode="live")
    assert last(system).active == ()
    live(system, 1.1)

    def tell(name: str, mode: GuardMode) -> None:
        system.take(
            EdgeGuardChanged(
                ts_event=system.now,
                ts_init=system.now,
                strategy=name,
                cell=BTC,
                mode=mode,
                previous=GuardMode.SHADOW,
                outcomes=1,
                posterior_mean_bp=0.0,
                posterior_error_bp=0.0,
                last_mean_bp=0.0,
                cost_bp=0.0,
            )
        )

    tell("enhanced_grid", GuardMode.PROBE)
    live(system, 1.0)
    assert last(system).active == ("enhanced_grid",)
    tell("enhanced_grid", GuardMode.SHADOW)
    assert last(system).active == ()


def test_off_makes_all_eligible_active() -> None:
    """Without AutoPilot all eligible are active, by the rule of LEARNING if more than 8."""
    system, _ = started(autopilot_enabled=False)
    assert last(system).mode == "OFF"
    assert len(last(system).active) == 8
    few, _ = started(autopilot_enabled=False, names=NAMES[:3])
    assert last(few).active == NAMES[:3]


@pytest.mark.parametrize("order", [1, -1])
def test_registration_order_and_restarts_change_nothing(order: int) -> None:
    """D6, J14, J15: the same journal gives the same sets, in any order, restored at any time."""
    reference, _ = started()
    live(reference, 4.0)
    system, portfolio = started(names=NAMES[::order])
    live(system, 2.3)
    for one in portfolio.components:
        one.restore(one.snapshot())
    live(system, 1.7)
    assert [one.active for one in system.of(ActiveStrategiesChanged)] == [
        one.active for one in reference.of(ActiveStrategiesChanged)
    ]
    assert last(system).lines == last(reference).lines
    assert [one.lines for one in system.of(CapitalAllocated)] == [
        one.lines for one in reference.of(CapitalAllocated)
    ]


def test_epochs_slept_through_draw_once() -> None:
    """After an outage of days one set is drawn, for the present epoch, when the market is back."""
    system, _ = started()
    live(system, 1.5)
    count = len(system.of(ActiveStrategiesChanged))
    system.advance(5 * 86_400)
    assert len(system.of(ActiveStrategiesChanged)) == count + 1
    live(system, 0.05)
    assert len(system.of(ActiveStrategiesChanged)) == count + 2
    assert last(system).epoch == system.now // (24 * HOUR)


def test_nobody_eligible_is_all_cash() -> None:
    """With nobody to choose from the set is empty and so are the budgets."""
    system, _ = started(names=("alpha",), fed=False)
    assert last(system).active == ()
    assert all(one.weight == 0.0 for one in system.of(CapitalAllocated)[-1].lines)
