"""The edge guard at the gate: a strategy's claim counts once its outcomes bear it out.

The arithmetic is `hean.core.edge`, the cells are `hean.risk.edge_cells`; here are the verdict on
each signal and what the guard hears. Under `observe` verdicts are recorded and refuse nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from hean.config import HEANSettings
from hean.core.bus import Bus, Stage
from hean.core.edge import (
    PROBE_OUTCOMES,
    Belief,
    Fees,
    check_claim,
    check_plan,
    check_walk_forward,
    guard_confidence,
)
from hean.core.events.decision import EdgeGuardChanged, GuardMode
from hean.core.events.evidence import Evidence, PlanFault, WalkForward
from hean.core.events.portfolio import PositionClosed, PositionOpened, ShadowClosed
from hean.core.events.reasons import ReasonCode
from hean.core.events.strategy import Intent, Signal, StrategyProfile, StrategyRegistered
from hean.core.events.system import RunStarted
from hean.core.events.venue import OrderCancelled, OrderExpired, OrderRejected
from hean.core.instruments import significant
from hean.core.market_view import MarketView
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.risk.edge_cells import (
    CellKey,
    EdgeCells,
    ModeChange,
    Origin,
    Track,
    cell_key,
    cell_name,
    symbol_group,
)
from hean.risk.outcomes import OutcomeCollector

FAULTS: Final = frozenset({ReasonCode.EDGE, ReasonCode.NO_REBATE})
"""Objections to the plan itself, whatever the strategy has proven."""
_FAULTED_KEPT: Final = 256
_NAME: Final = "risk_edge_guard"


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What the guard says of a signal; `code` None means it has no objection."""

    code: ReasonCode | None
    number: float
    limit: float
    mode: GuardMode
    confidence: float


def _plan_fault(
    profile: StrategyProfile,
    signal: Signal,
    price: float,
    stop: float | None,
    walked: WalkForward | None,
) -> PlanFault | None:
    """Return why a plan does not pay: stop and target, forecast, own measure, walk-forward."""
    cost = signal.cost_bp
    if profile.directional and stop is not None and price > 0.0:
        stop_bp = abs(price - stop) / price * 1e4
        target_bp = None
        if signal.targets:
            target_bp = abs(signal.targets[0] - price) / price * 1e4
        fault = check_plan(stop_bp, target_bp, cost)
        if fault is not None:
            return fault
    fault = check_claim(signal.expected_edge_bp, cost) if profile.claims_edge else None
    return fault or signal.plan_fault or check_walk_forward(profile.walk_forward_days, walked)


class _State(msgspec.Struct, frozen=True):
    tracks: list[tuple[str, str, str, Track]]
    outcomes: bytes
    is_live: bool
    objections: dict[str, int]
    profiles: dict[str, StrategyProfile]
    faulted: list[str] = []
    failed: list[str] = []
    walked: dict[str, WalkForward] = {}


class EdgeGuard:
    """Judges signals and learns from outcomes, real and shadow; a change of mode is published."""

    name = _NAME

    def __init__(
        self, *, settings: HEANSettings, bus: Bus, agenda: Agenda, view: MarketView
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._agenda = agenda
        self._view = view
        self._profiles: dict[str, StrategyProfile] = {}
        self._cells = EdgeCells()
        self._outcomes = OutcomeCollector()
        self._groups: dict[str, str] = {}
        self._is_live = False
        self.enforces = settings.enforces_edge(live=False)
        self._objections: dict[str, int] = {}
        self._faulted: dict[str, None] = {}
        self._failed: dict[str, None] = {}
        self._walked: dict[str, WalkForward] = {}

    @property
    def tracks(self) -> Mapping[CellKey, Track]:
        return self._cells.tracks

    @property
    def objections(self) -> Mapping[str, int]:
        """How often each code was, or in live would have been, the verdict."""
        return self._objections

    def attach(self, bus: Bus) -> None:
        """Subscribe to profiles, outcomes and the run's mode."""
        stage, owner = Stage.RISK, self.name
        self._outcomes.attach(bus, owner=owner)
        bus.subscribe(RunStarted, self._on_run, stage=stage, owner=owner)
        bus.subscribe(StrategyRegistered, self._on_registered, stage=stage, owner=owner)
        for kind in (OrderRejected, OrderCancelled, OrderExpired):
            bus.subscribe(kind, self._on_ended, stage=stage, owner=owner)
        bus.subscribe(PositionOpened, self._on_opened, stage=stage, owner=owner)
        bus.subscribe(PositionClosed, self._on_closed, stage=stage, owner=owner)
        bus.subscribe(ShadowClosed, self._on_shadow, stage=stage, owner=owner)

    def judge(
        self, signal: Signal, price: float, stop: float | None, maker_fee: Decimal
    ) -> Verdict:
        """Return the verdict on an entry: plan checks first, then the mode of its cell."""
        key, track = self._claimed(signal)
        code, number, limit = self._plan_objection(signal, price, stop, maker_fee)
        if code is None and track.mode is GuardMode.SHADOW:
            code, number = ReasonCode.EDGE_UNPROVEN, float(track.cell.outcomes)
            limit = float(PROBE_OUTCOMES)
        if code is not None:
            self._objections[code] = self._objections.get(code, 0) + 1
        if not self.enforces:
            return Verdict(code, number, limit, track.mode, signal.confidence)
        return Verdict(code, number, limit, track.mode, self._confidence(signal, key))

    def note_refused(self, signal: Signal) -> bool:
        """Take the cost an entry claims that any layer refused; return whether its plan fails.

        A plan nobody asked about counts like one that was: its shadow must not promote.
        """
        rules = self._view.instruments.get(signal.instrument)
        if rules is None or signal.intent is Intent.CLOSE or signal.intent is Intent.REDUCE:
            return False
        self._claimed(signal)
        price = signal.limit or 0.0
        return self._plan_objection(signal, price, signal.stop, rules.maker_fee)[0] is not None

    def _claimed(self, signal: Signal) -> tuple[CellKey, Track]:
        """Return the cell a signal belongs to, at the cost it claims."""
        key = self._key(signal.strategy, signal.instrument)
        track = self._cells.track(key)
        if signal.cost_bp > 0.0:
            track.cost_bp = signal.cost_bp
        return key, track

    def _plan_objection(
        self, signal: Signal, price: float, stop: float | None, maker_fee: Decimal
    ) -> tuple[ReasonCode | None, float, float]:
        profile = self._profiles.get(signal.strategy)
        if profile is None:
            return None, 0.0, 0.0
        if profile.needs_rebate and maker_fee >= 0:
            return ReasonCode.NO_REBATE, float(maker_fee) * 1e4, 0.0
        fault = _plan_fault(profile, signal, price, stop, self._walked.get(signal.strategy))
        return (None, 0.0, 0.0) if fault is None else (ReasonCode.EDGE, fault.number, fault.limit)

    def belief(self, strategy: str, instrument: str) -> Belief:
        """Return what is believed of the cell in which a strategy would trade now."""
        return self._cells.belief(self._key(strategy, instrument))

    def note_order(self, signal_id: str, verdict: Verdict) -> None:
        """Remember a plan that is ordered although it failed, until its position opens or it ends.

        A fill that adds to a position does neither; the oldest is forgotten beyond 256.
        """
        if self.enforces or verdict.code not in FAULTS:
            return
        self._faulted[signal_id] = None
        if len(self._faulted) > _FAULTED_KEPT:
            del self._faulted[next(iter(self._faulted))]

    def _confidence(self, signal: Signal, key: CellKey) -> float:
        """Weigh the signal's own quality with the evidence; confidence is u times q_data."""
        strength = signal.strength
        quality = signal.confidence / strength if strength > 0.0 else 0.0
        return guard_confidence(
            strength,
            mean_bp=self._cells.belief(key).mean_bp,
            cost_bp=self._cells.track(key).cost_bp,
            data_quality=quality,
        )

    def _group(self, instrument: str) -> str:
        found = self._groups.get(instrument)
        if found is None:
            rules = self._view.instruments.get(instrument)
            found = symbol_group(instrument if rules is None else rules.base)
            self._groups[instrument] = found
        return found

    def _key(self, strategy: str, instrument: str) -> CellKey:
        regime = self._view.regimes.get(instrument)
        return cell_key(strategy, self._group(instrument), regime and regime.regime)

    def _on_run(self, event: RunStarted) -> None:
        self._is_live = event.mode == "live"
        self.enforces = self._settings.enforces_edge(live=self._is_live)

    def _on_registered(self, event: StrategyRegistered) -> None:
        self._profiles[event.strategy] = event.profile
        if event.evidence is not None and event.evidence.walk_forward is not None:
            self._walked[event.strategy] = event.evidence.walk_forward
        self._bar(event.profile)
        if event.evidence is not None:
            self._import(event.strategy, event.evidence)

    def _bar(self, profile: StrategyProfile) -> None:
        walked = self._walked.get(profile.strategy)
        lacks = check_walk_forward(profile.walk_forward_days, walked) is not None
        self._cells.barred[profile.strategy] = lacks

    def _import(self, strategy: str, evidence: Evidence) -> None:
        """Take what an earlier run had shown, at the fees of this one."""
        known = self._view.instruments
        fees = {
            name: Fees(
                maker_bp=float(one.fee_rate(maker=True)) * 1e4,
                taker_bp=float(one.fee_rate(maker=False)) * 1e4,
            )
            for name, one in known.items()
        }
        places = {name: (strategy, self._group(name)) for name in known}
        for change in self._cells.take_past(places, evidence.outcomes, fees):
            self._publish(change)

    def _on_ended(self, event: OrderRejected | OrderCancelled | OrderExpired) -> None:
        self._faulted.pop(event.correlation_id, None)

    def _on_opened(self, event: PositionOpened) -> None:
        if event.correlation_id in self._faulted:
            del self._faulted[event.correlation_id]
            self._failed[event.group or event.correlation_id] = None

    def _on_closed(self, event: PositionClosed) -> None:
        outcome = self._outcomes.collect(event)
        if outcome is None:
            return
        trade = event.group or event.signal_id
        failed = trade in self._failed
        if outcome.notional > 0.0:
            net_bp = outcome.net / outcome.notional * 1e4
            key = cell_key(outcome.strategy, self._group(outcome.instrument), outcome.regime)
            self._learn(key, net_bp, Origin.REAL, failed=failed)
        if failed:
            del self._failed[trade]

    def _on_shadow(self, event: ShadowClosed) -> None:
        key = cell_key(event.strategy, self._group(event.instrument), event.regime)
        self._learn(key, event.net_bp, Origin.SHADOW, failed=not event.promotes)

    def _learn(self, key: CellKey, net_bp: float, origin: Origin, *, failed: bool) -> None:
        if failed:
            self._cells.note_failed(key[0], key[1], net_bp, origin)
            return
        change = self._cells.learn(key, net_bp, origin)
        if change is not None:
            self._publish(change)

    def _publish(self, change: ModeChange) -> None:
        now, belief = self._agenda.now, change.belief
        self._bus.publish(
            EdgeGuardChanged(
                ts_event=now,
                ts_init=now,
                strategy=change.key[0],
                cell=cell_name(change.key),
                mode=change.mode,
                previous=change.previous,
                outcomes=belief.outcomes,
                posterior_mean_bp=significant(belief.mean_bp),
                posterior_error_bp=significant(belief.error_bp),
                last_mean_bp=significant(change.last_mean_bp),
                cost_bp=significant(change.cost_bp),
            )
        )

    def snapshot(self) -> bytes:
        """Return cells, modes and counts."""
        state = _State(
            [(*key, track) for key, track in self._cells.tracks.items()],
            self._outcomes.snapshot(),
            self._is_live,
            self._objections,
            self._profiles,
            list(self._faulted),
            list(self._failed),
            self._walked,
        )
        return pack(self.name, 1, state)

    def restore(self, state: bytes) -> None:
        """Take over what a snapshot had learned."""
        found = unpack(state, self.name, 1, _State)
        self._cells.tracks = tracks_of(state)
        self._outcomes.restore(found.outcomes)
        self._is_live = found.is_live
        self.enforces = self._settings.enforces_edge(live=found.is_live)
        self._objections = found.objections
        self._profiles = found.profiles
        self._faulted = dict.fromkeys(found.faulted)
        self._failed = dict.fromkeys(found.failed)
        self._walked = found.walked
        for one in found.profiles.values():
            self._bar(one)


def tracks_of(state: bytes) -> dict[CellKey, Track]:
    """Return the cells in a snapshot of the guard, for those who only want to read them."""
    found = unpack(state, _NAME, 1, _State)
    return {(one[0], one[1], one[2]): one[3] for one in found.tracks}
