"""AutoPilot: who is active, 2 to 8 of the eligible, while it keeps learning about the rest.

One draw an epoch; removals for safety wait for nothing. It never touches sizes, limits, keys or
open positions: a deactivated strategy keeps its exits.
"""

from __future__ import annotations

from typing import Final

from hean.config import HEANSettings
from hean.core.bus import Bus, Stage
from hean.core.events import (
    ActiveStrategiesChanged,
    EdgeGuardChanged,
    EquityUpdated,
    Heartbeat,
    KillSwitchReset,
    KillSwitchTripped,
    OperatorCommand,
    Regime,
    RegimeChanged,
    RiskEnvelope,
    RiskState,
    RiskStateChanged,
    RunStarted,
    StrategyRegistered,
    TimerFired,
)
from hean.core.market_view import MarketView
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.portfolio import selection
from hean.portfolio.autopilot_state import Mode, PilotState, Record, lines_of
from hean.portfolio.bandit import Arm, forgetting, scores
from hean.portfolio.eligibility import Known, Standards, learning_order
from hean.portfolio.equity import Equity
from hean.portfolio.kinship import Kinship
from hean.portfolio.minimum_budget import MinimumBudgets
from hean.portfolio.performance import Performance
from hean.portfolio.propensity import frequencies
from hean.portfolio.settings import PortfolioSettings

REPLAYS: Final = 1000
"""Keyed replays of the rule behind each propensity."""

COMMANDS: Final = {"strategy_off": "off", "strategy_on": "on", "strategy_auto": ""}
"""What the operator may say of a strategy, named in the argument `strategy`."""

_SECOND_NS: Final = 1_000_000_000
_EPOCH: Final = "epoch"
_ALARMS: Final = (RiskState.QUARANTINE, RiskState.HARD_STOP)


class AutoPilot:
    """Publishes `ActiveStrategiesChanged`, with a line for every known strategy."""

    name = "autopilot"

    def __init__(
        self,
        *,
        settings: HEANSettings,
        section: PortfolioSettings,
        bus: Bus,
        agenda: Agenda,
        view: MarketView,
        equity: Equity,
        performance: Performance,
        kinship: Kinship,
    ) -> None:
        self._settings = settings
        self._section = section
        self._bus = bus
        self._agenda = agenda
        self._view = view
        self._equity = equity
        self._performance = performance
        self._kinship = kinship
        self._budgets = MinimumBudgets(settings, view)
        self._epoch_ns = section.autopilot_epoch_seconds * _SECOND_NS
        self._fade = forgetting(section.autopilot_half_life_days)
        self._rules = selection.Rules(
            least=section.autopilot_min_active,
            most=section.autopilot_max_active,
            changes=section.autopilot_max_changes,
            diversity=section.autopilot_diversity,
            hysteresis=section.autopilot_hysteresis,
        )
        self._state = PilotState(mode=Mode.LEARNING if section.autopilot_enabled else Mode.OFF)

    def attach(self, bus: Bus) -> None:
        """Subscribe to what decides eligibility, to risk, bins and epochs."""
        stage, owner = Stage.AUTOPILOT, self.name
        bus.subscribe(RunStarted, self._on_run_started, stage=stage, owner=owner)
        bus.subscribe(StrategyRegistered, self._on_registered, stage=stage, owner=owner)
        bus.subscribe(EquityUpdated, self._on_equity, stage=stage, owner=owner)
        bus.subscribe(RegimeChanged, self._on_regime, stage=stage, owner=owner)
        bus.subscribe(EdgeGuardChanged, self._on_guard, stage=stage, owner=owner)
        bus.subscribe(RiskStateChanged, self._on_risk_state, stage=stage, owner=owner)
        bus.subscribe(KillSwitchTripped, self._on_killed, stage=stage, owner=owner)
        bus.subscribe(KillSwitchReset, self._on_reset, stage=stage, owner=owner)
        bus.subscribe(RiskEnvelope, self._on_envelope, stage=stage, owner=owner)
        bus.subscribe(OperatorCommand, self._on_command, stage=stage, owner=owner)
        bus.subscribe(Heartbeat, self._on_beat, stage=stage, owner=owner)
        bus.subscribe(TimerFired, self._on_epoch, stage=stage, owner=owner, key=owner)
        bus.subscribe(
            TimerFired, self._on_bin, stage=stage, owner=owner, key=self._performance.name
        )

    @property
    def active(self) -> tuple[str, ...]:
        """Who may open positions now, by name."""
        return self._state.active

    @property
    def mode(self) -> Mode:
        return self._state.mode

    def _on_run_started(self, event: RunStarted) -> None:
        state = self._state
        state.enforces = self._settings.enforces_edge(live=event.mode == "live")
        if not self._agenda.is_armed(self.name, _EPOCH):
            state.started_at = self._agenda.now
            state.epoch = self._agenda.now // self._epoch_ns
            self._arm()

    def _arm(self) -> None:
        due = (self._agenda.now // self._epoch_ns + 1) * self._epoch_ns
        self._agenda.arm(self.name, _EPOCH, due)

    def _on_registered(self, event: StrategyRegistered) -> None:
        state = self._state
        before = state.known.get(event.strategy)
        state.known[event.strategy] = Known(
            profile=event.profile,
            enabled=event.enabled,
            cannot_run_because=event.cannot_run_because,
            forced="" if before is None else before.forced,
        )
        renewed = before is not None and (
            (before.profile.version, before.profile.parameters_sha256)
            != (event.profile.version, event.profile.parameters_sha256)
        )
        if renewed or event.strategy not in state.arms:
            state.arms[event.strategy] = Arm()
        if state.version:
            self._remove_unfit()

    def _on_equity(self, event: EquityUpdated) -> None:
        if self._state.version == 0 and self._state.known:
            self._start()

    def _start(self) -> None:
        """Decide the first set by the rule of LEARNING."""
        refusals = self._refusals()
        chosen = self._by_order(refusals)
        if self._is_alarmed():
            self._state.mode = Mode.PROTECTIVE
            chosen = [one for one in chosen if one in self._settings.autopilot_protective_set]
        self._switch(chosen, dict.fromkeys(chosen, "LEARNING"), refusals)

    def _by_order(self, refusals: dict[str, str]) -> list[str]:
        eligible = [one for one in self._state.known if not refusals[one]]
        return learning_order(self._state.known, eligible)[: self._rules.most]

    def _refusals(self) -> dict[str, str]:
        state = self._state
        equity = float(self._equity.equity)
        standards = Standards(
            guard=state.guard,
            enforces=state.enforces,
            now=self._agenda.now,
            capital_at_cap=self._settings.max_strategy_weight * equity,
        )
        found: dict[str, str] = {}
        for name, one in sorted(state.known.items()):
            factor = state.factors.get(name, 1.0) * state.multiplier
            needed = self._budgets.of(one.profile, factor) if factor > 0.0 else 0.0
            found[name] = standards.refusal(one, needed)
        return found

    def _is_alarmed(self) -> bool:
        return self._state.is_killed or self._state.risk in _ALARMS

    def _on_regime(self, event: RegimeChanged) -> None:
        self._state.clock.rule(event.instrument, event.regime, self._agenda.now)

    def _on_guard(self, event: EdgeGuardChanged) -> None:
        if self._state.guard.learn(event) and self._state.enforces and self._state.version:
            self._remove_unfit()

    def _on_risk_state(self, event: RiskStateChanged) -> None:
        self._state.risk = event.state
        self._react()

    def _on_killed(self, event: KillSwitchTripped) -> None:
        self._state.is_killed = True
        self._react()

    def _on_reset(self, event: KillSwitchReset) -> None:
        self._state.is_killed = False
        self._react()

    def _react(self) -> None:
        """Enter PROTECTIVE at once when alarmed; note since when it has been calm."""
        state = self._state
        if not self._is_alarmed():
            if state.calm_since is None:
                state.calm_since = self._agenda.now
            return
        state.calm_since = None
        if state.mode is Mode.PROTECTIVE:
            return
        state.mode = Mode.PROTECTIVE
        if state.version:
            safe = self._settings.autopilot_protective_set
            kept = [one for one in state.active if one in safe]
            self._switch(kept, dict.fromkeys(kept, "PROTECTIVE"), self._refusals(), "PROTECTIVE")

    def _on_envelope(self, event: RiskEnvelope) -> None:
        state = self._state
        state.multiplier = event.multiplier
        for one in event.strategies:
            if state.factors.get(one.strategy, 1.0) != one.size_factor:
                state.factors[one.strategy] = one.size_factor
            known = state.known.get(one.strategy)
            if known is not None and known.blocked_until != one.blocked_until:
                known.blocked_until = one.blocked_until

    def _on_command(self, event: OperatorCommand) -> None:
        forced = COMMANDS.get(event.command)
        known = self._state.known.get(dict(event.arguments).get("strategy", ""))
        if forced is None or known is None:
            return
        known.forced = forced
        if self._state.version:
            self._remove_unfit()

    def _remove_unfit(self) -> None:
        """Drop at once who is disabled, unfed, forced off or without a live cell."""
        refusals = self._refusals()
        urgent = ("DISABLED", "NEEDS", "FORCED_OFF", "GUARD")
        kept = [one for one in self._state.active if refusals[one] not in urgent]
        if self._state.mode is Mode.OFF:
            kept = self._by_order(refusals)
        if tuple(sorted(kept)) != self._state.active:
            self._switch(kept, dict.fromkeys(kept, "KEPT"), refusals)

    def _on_bin(self, event: TimerFired) -> None:
        """Learn from the bin that Performance has just closed."""
        state = self._state
        state.clock.close_bin(self._agenda.now)
        if self._performance.last_bin != event.ts_event // self._performance.bin_ns - 1:
            return
        state.bins += 1
        for name, arm in state.arms.items():
            arm.forget(self._fade)
            series = self._performance.series.get(name)
            if series is None or not series.bins:
                continue
            newest = series.bins[-1]
            if newest.number == self._performance.last_bin:
                shares = state.clock.last_bin(self._instruments(name))
                arm.learn(newest.x, newest.weight, shares)

    def _instruments(self, name: str) -> tuple[str, ...]:
        known = self._state.known.get(name)
        own = () if known is None else known.profile.instruments
        return own or tuple(self._view.instruments)

    def _on_beat(self, event: Heartbeat) -> None:
        state = self._state
        state.is_awake = True
        if state.is_due:
            state.is_due = False
            self._epoch_begins()

    def _on_epoch(self, event: TimerFired) -> None:
        """Draw, or where nobody lived through the epoch, once the market is back."""
        self._arm()
        state = self._state
        if state.is_awake:
            state.is_awake = False
            self._epoch_begins()
        else:
            state.is_due = True

    def _epoch_begins(self) -> None:
        state, now = self._state, self._agenda.now
        state.epoch = now // self._epoch_ns
        if not state.version:
            return
        if state.mode is Mode.PROTECTIVE:
            calm = state.calm_since
            if calm is None or now - calm < self._epoch_ns:
                return
            state.mode = Mode.NORMAL if self._section.autopilot_enabled else Mode.OFF
        if state.mode is Mode.LEARNING:
            learnt = now - state.started_at >= (
                self._section.autopilot_learning_seconds * _SECOND_NS
            )
            if not learnt or not state.bins:
                return
            state.mode = Mode.NORMAL
        if state.mode is Mode.OFF:
            refusals = self._refusals()
            chosen = self._by_order(refusals)
            if tuple(sorted(chosen)) != state.active:
                self._switch(chosen, dict.fromkeys(chosen, "ELIGIBLE"), refusals)
            return
        self._draw()

    def _draw(self) -> None:
        """Draw once, choose, and record what else the rule might have chosen."""
        state, refusals = self._state, self._refusals()
        names = [one for one in refusals if not refusals[one]]
        arms = {one: state.arms[one] for one in names}
        shares: dict[str, dict[Regime, float]] = {
            one: state.clock.last_day(self._instruments(one)) for one in names
        }
        drawn = scores(
            arms,
            shares,
            seed=self._section.autopilot_seed,
            epoch=state.epoch,
            count=1 + REPLAYS,
        )
        dwell = self._section.autopilot_dwell_epochs
        choices = selection.Arms(
            names=tuple(names),
            active=tuple(one in state.active for one in names),
            movable=tuple(state.epoch - state.moved.get(one, -dwell) >= dwell for one in names),
            forced=tuple(state.known[one].forced == "on" for one in names),
            means=tuple(arms[one].posterior().mean for one in names),
            correlation=self._kinship.between(names),
        )
        rows = list(zip(*(drawn[one] for one in names), strict=True)) or [()]
        choice = selection.choose(rows[0], choices, self._rules)
        counts = frequencies(rows[1:], choices, self._rules)
        chosen = [one for one, kept in zip(names, choice.active, strict=True) if kept]
        self._switch(
            chosen,
            dict(zip(names, choice.reasons, strict=True)),
            refusals,
            record={
                one: Record(drawn[one][0], choice.penalties[index], counts[index])
                for index, one in enumerate(names)
            },
        )

    def _switch(
        self,
        chosen: list[str],
        reasons: dict[str, str],
        refusals: dict[str, str],
        otherwise: str = "NOT_PICKED",
        *,
        record: dict[str, Record] | None = None,
    ) -> None:
        """Make a set the active one and publish it with its reasons."""
        state, now = self._state, self._agenda.now
        active = tuple(sorted(chosen))
        for name in (*active, *state.active):
            if state.version and (name in active) != (name in state.active):
                state.moved[name] = state.epoch
        state.active = active
        state.version += 1
        self._bus.publish(
            ActiveStrategiesChanged(
                ts_event=now,
                ts_init=now,
                version=state.version,
                mode=state.mode.value,
                epoch=state.epoch,
                active=active,
                lines=lines_of(state, reasons, refusals, otherwise, record),
            )
        )

    def snapshot(self) -> bytes:
        """Return beliefs, the active set and since when."""
        return pack(self.name, 1, self._state)

    def restore(self, state: bytes) -> None:
        """Take over a snapshot."""
        self._state = unpack(state, self.name, 1, PilotState)
