"""The risk sentinel: one versioned answer to whether anything may be opened now, and how much.

The gate pulls: what changed since is recomputed first, so no decision rests on numbers older than
its own dispatch. It fails closed: old inputs or a failed recomputation bar entries, never exits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

import msgspec

from hean.config import HEANSettings
from hean.core.bus import Bus, Stage
from hean.core.events.market import FeedGap
from hean.core.events.portfolio import (
    ActiveStrategiesChanged,
    CapitalAllocated,
    EquityUpdated,
)
from hean.core.events.reasons import ReasonCode
from hean.core.events.risk import (
    KillSwitchReset,
    KillSwitchTripped,
    RiskEnvelope,
    RiskState,
    RiskStateChanged,
)
from hean.core.events.strategy import StrategyProfile, StrategyRegistered
from hean.core.events.system import Heartbeat, TimerFired
from hean.core.events.venue import VenueSnapshot, VenueStateChanged, WalletUpdated
from hean.core.inflight_tracker import InFlightTracker
from hean.core.instruments import MONEY, ZERO, decimal_of
from hean.core.market_view import MarketView
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.risk.anomaly import AnomalyGuard
from hean.risk.envelope import build_envelope
from hean.risk.exposure import Exposure
from hean.risk.governor import Governor
from hean.risk.kill_switch import KillSwitch
from hean.risk.loss_streak import LossStreaks
from hean.risk.published import Counts, Material, Published
from hean.risk.rooms import Rooms
from hean.risk.sentinel_state import MILLISECOND_NS, SECOND_NS, Bar, SentinelState, Standing
from hean.risk.settings import RiskSettings
from hean.risk.tails import BookTails, TailState

DAY_NS: Final = 86_400 * SECOND_NS
RECONCILIATION_NS: Final = 60 * SECOND_NS
"""How often the books are reconciled; on bars every hour."""
RECONCILIATION_BARS_NS: Final = 3600 * SECOND_NS
MISSED_RECONCILIATIONS: Final = 3
_GRACE = "grace"
_CALCULATION_ERRORS = (ArithmeticError, LookupError, TypeError, ValueError)


class SentinelSnapshot(msgspec.Struct, frozen=True):
    """Inputs, budgets in force, and what was computed and published last."""

    state: SentinelState
    budgets: bytes
    profiles: dict[str, StrategyProfile]
    tails: TailState
    is_dirty: bool
    failed: bool
    seen_held: int
    oldest_mark: int
    published: Material | None
    published_counts: Counts
    multiplier: Decimal
    open_risk_limit: Decimal
    gross_limit: Decimal


class RiskSentinel(Standing):
    """Keeps the envelope; `envelope()` is the whole of it, `barred` and `room` serve the gate."""

    name = "risk_sentinel"

    def __init__(
        self,
        *,
        settings: HEANSettings,
        section: RiskSettings,
        bus: Bus,
        agenda: Agenda,
        view: MarketView,
        tracker: InFlightTracker,
        exposure: Exposure,
        governor: Governor,
        kill_switch: KillSwitch,
        anomaly: AnomalyGuard,
        streaks: LossStreaks,
        tails: BookTails,
    ) -> None:
        super().__init__(
            settings=settings,
            section=section,
            agenda=agenda,
            view=view,
            tracker=tracker,
            exposure=exposure,
            governor=governor,
            kill_switch=kill_switch,
            anomaly=anomaly,
            streaks=streaks,
            tails=tails,
        )
        self._bus = bus
        self._dirty = True
        self._interval_ns = section.risk_sentinel_update_interval_ms * MILLISECOND_NS
        self._seen_held = -1
        self._beaten: tuple[object, ...] = ()
        self._protective = frozenset(settings.autopilot_protective_set)
        self._max_open_risk = decimal_of(section.max_open_risk)
        self._max_gross = decimal_of(section.max_gross)
        self.rooms = Rooms(settings=settings, section=section, standing=self)
        self._published = Published(self)

    def attach(self, bus: Bus) -> None:
        """Subscribe to everything the envelope is made of."""
        stage, owner = Stage.RISK, self.name
        bus.subscribe(StrategyRegistered, self._on_registered, stage=stage, owner=owner)
        bus.subscribe(EquityUpdated, self._on_equity, stage=stage, owner=owner)
        bus.subscribe(WalletUpdated, self._on_wallet, stage=stage, owner=owner)
        bus.subscribe(VenueSnapshot, self._on_snapshot, stage=stage, owner=owner)
        bus.subscribe(VenueStateChanged, self._on_venue, stage=stage, owner=owner)
        bus.subscribe(FeedGap, self._on_gap, stage=stage, owner=owner)
        bus.subscribe(Heartbeat, self._on_heartbeat, stage=stage, owner=owner)
        bus.subscribe(TimerFired, self._on_timer, stage=stage, owner=owner, key=self.name)
        # whoever decides about capital hears these first, so the envelope that answers is whole
        bus.subscribe(RiskStateChanged, self._on_state, stage=Stage.GATE, owner=owner)
        bus.subscribe(KillSwitchTripped, self._on_state, stage=Stage.GATE, owner=owner)
        bus.subscribe(KillSwitchReset, self._on_state, stage=Stage.GATE, owner=owner)
        bus.subscribe(ActiveStrategiesChanged, self._on_active, stage=stage, owner=owner)
        bus.subscribe(CapitalAllocated, self._on_allocated, stage=stage, owner=owner)

    def set_active_strategies(self, active: Iterable[str], version: int) -> None:
        """Take an active set; one already known or older changes nothing."""
        if self.budgets.set_active(tuple(active), version, self._agenda.now):
            self._change_budgets()

    def envelope(self) -> RiskEnvelope:
        """Return the whole envelope, recomputed if anything changed; a new version each time."""
        self.refresh()
        self.state.version += 1
        return build_envelope(self, self.rooms, self._agenda.now)

    def refresh(self) -> None:
        """Recompute what changed; a failure bars entries until a recomputation succeeds.

        An order alone makes nothing younger: the age counts from the last beat, equity or budget.
        """
        if self._dirty:
            self._recompute()
        elif self._seen_held != self.exposure.held_version:
            self._see_holdings()

    def barred(self, strategy: str, instrument: str) -> Bar | None:
        """Return why an entry is barred by the envelope, or None. Call `refresh` first."""
        account = self.account_bar(strategy)
        if account is not None:
            return account
        now = self._agenda.now
        age = self.age_ns(instrument)
        if self.failed or age > self.maximum_age_ns:
            number = float(age) / SECOND_NS
            return ReasonCode.ENVELOPE_STALE, number, self.maximum_age_ns / SECOND_NS
        late = self._reconciliation_overdue(now)
        if late is not None:
            return late
        if self.governor.multiplier < 1.0:
            state = self._state_bar(strategy, instrument)
            if state is not None:
                return state
        if self.state.paused_day == now // DAY_NS:
            return ReasonCode.DAILY_LOSS, self.day_loss(), self.section.max_daily_loss
        until = self.streaks.blocked_until(strategy)
        if until:
            return ReasonCode.STRATEGY_BLOCKED, (until - now) / SECOND_NS, 0.0
        until, reason = self.anomaly.block(instrument)
        if reason:
            return ReasonCode.INSTRUMENT_BLOCKED, (until - now) / SECOND_NS, 0.0
        return None

    def is_protective(self, strategy: str) -> bool:
        """Return whether the strategy may trade in QUARANTINE."""
        return strategy in self._protective

    def _state_bar(self, strategy: str, instrument: str) -> Bar | None:
        state = self.governor.state
        if state is RiskState.NORMAL:
            return None
        drawdown, section = self.governor.drawdown, self.section
        if state is RiskState.HARD_STOP:
            return ReasonCode.RISK_STATE, drawdown, section.hard_stop_enter
        if state is RiskState.QUARANTINE and not self.is_protective(strategy):
            return ReasonCode.RISK_STATE, drawdown, section.quarantine_enter
        held = self.exposure.holdings.get((strategy, instrument))
        if held is not None and held.unrealised < ZERO:
            return ReasonCode.RISK_STATE, drawdown, section.soft_brake_enter
        return None

    def _reconciliation_overdue(self, now: int) -> Bar | None:
        on_bars = self.state.interval_ns > SECOND_NS
        interval = RECONCILIATION_BARS_NS if on_bars else RECONCILIATION_NS
        age = now - self.state.reconciled_at
        limit = MISSED_RECONCILIATIONS * max(interval, self.state.interval_ns)
        if age <= limit:
            return None
        return ReasonCode.ENVELOPE_STALE, age / SECOND_NS, limit / SECOND_NS

    def _recompute(self) -> None:
        self.failed = True
        try:
            self._calculate()
        except _CALCULATION_ERRORS:
            return
        self.failed = False
        self._dirty = False
        self.state.recomputed_at = self._agenda.now

    def _calculate(self) -> None:
        state, section = self.state, self.section
        equity = state.equity
        self.multiplier = decimal_of(self.governor.multiplier)
        whole = MONEY.multiply(self._max_open_risk, equity)
        self.open_risk_limit = MONEY.multiply(whole, self.multiplier)
        self.gross_limit = MONEY.multiply(self._max_gross, equity)
        money = float(equity)
        floor = (1.0 - section.drawdown_floor) * state.high_water_mark
        cushion = max(0.0, money * (1.0 - floor / state.nav)) if state.nav > 0.0 else 0.0
        tails = self.tails
        tails.equity = money
        tails.stress_limit = section.stress_cushion * cushion
        tails.tail_limit = section.cvar_cushion * cushion
        self._see_holdings()

    def _see_holdings(self) -> None:
        self._seen_held = self.exposure.held_version
        self._oldest_mark = self._find_oldest_mark()

    def _on_registered(self, event: StrategyRegistered) -> None:
        self.profiles[event.strategy] = event.profile
        self.rooms.forget_clusters()
        self._dirty = True

    def _on_equity(self, event: EquityUpdated) -> None:
        state = self.state
        state.equity, state.nav = event.equity, event.nav
        state.drawdown, state.day_start = event.drawdown, event.day_start
        state.high_water_mark = event.high_water_mark
        state.has_equity = True
        self._dirty = True
        if self.day_loss() >= self.section.max_daily_loss:
            state.paused_day = event.ts_init // DAY_NS
        self._publish_if(self._published.is_material)

    def _on_wallet(self, event: WalletUpdated) -> None:
        self.state.available = event.available
        self.state.margins.clear()

    def _on_snapshot(self, event: VenueSnapshot) -> None:
        if event.complete:
            self.state.reconciled_at = self._agenda.now
            self._publish_if(self._published.is_material)

    def _on_venue(self, event: VenueStateChanged) -> None:
        self.state.is_connected = event.connected
        self._publish_if(self._published.is_material)

    def _on_gap(self, event: FeedGap) -> None:
        self.state.gaps[event.instrument] = event.ts_init

    def _on_heartbeat(self, event: Heartbeat) -> None:
        """Grow younger; where nothing moved since the last beat, that is all there is to do."""
        state, exposure = self.state, self.exposure
        state.interval_ns = event.interval_ns
        now = self._agenda.now
        if now - state.recomputed_at >= self._interval_ns:
            if exposure.holdings:
                exposure.revalue()
            if self._dirty:
                self._recompute()
            else:
                state.recomputed_at = now
                if exposure.holdings or self._oldest_mark:
                    self._see_holdings()
        if now - state.published_at >= self._interval_ns:
            inputs = (exposure.version, self.anomaly.version, state.equity, self.failed)
            if inputs != self._beaten:
                self._beaten = inputs
                self._publish_if(self._published.has_moved)

    def _on_timer(self, event: TimerFired) -> None:
        self._dirty = True
        self._publish_if(self._published.is_material)

    def _on_state(self, event: RiskStateChanged | KillSwitchTripped | KillSwitchReset) -> None:
        self._dirty = True
        self._publish_if(self._published.is_material)

    def _on_active(self, event: ActiveStrategiesChanged) -> None:
        self.set_active_strategies(event.active, event.version)

    def _on_allocated(self, event: CapitalAllocated) -> None:
        if self.budgets.set_allocation(event, self._agenda.now):
            self.rooms.forget_clusters()
            self._change_budgets()

    def _change_budgets(self) -> None:
        until = self.budgets.pending_until
        if until >= 0:
            self._agenda.arm(self.name, _GRACE, until)
        else:
            self._agenda.cancel(self.name, _GRACE)
        self._dirty = True
        self._publish_if(self._published.is_material)

    def _publish_if(self, wanted: Callable[[], bool]) -> None:
        """Publish, before the first equity never, where a reader would learn something."""
        if not self.state.has_equity or not wanted():
            return
        envelope = self.envelope()
        self._bus.publish(envelope)
        self.state.published_at = self._agenda.now
        self._published.note()
        self._beaten = ()

    def snapshot(self) -> bytes:
        """Return inputs, budgets in force, and what was computed and published last."""
        saved = SentinelSnapshot(
            self.state,
            self.budgets.state(),
            self.profiles,
            self.tails.state(),
            self._dirty,
            self.failed,
            self._seen_held,
            self._oldest_mark,
            self._published.material,
            self._published.counts,
            self.multiplier,
            self.open_risk_limit,
            self.gross_limit,
        )
        return pack(self.name, 1, saved)

    def restore(self, state: bytes) -> None:
        """Take over a snapshot: what was computed stands until its inputs move."""
        found = unpack(state, self.name, 1, SentinelSnapshot)
        self.state, self.profiles = found.state, found.profiles
        self.budgets.resume(found.budgets)
        self.tails.resume(found.tails)
        self.rooms.forget_clusters()
        self._dirty, self.failed = found.is_dirty, found.failed
        self._seen_held, self._oldest_mark = found.seen_held, found.oldest_mark
        self._published.material = found.published
        self._published.counts = found.published_counts
        self.multiplier = found.multiplier
        self.open_risk_limit, self.gross_limit = found.open_risk_limit, found.gross_limit
