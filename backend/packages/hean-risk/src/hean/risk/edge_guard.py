"""The edge guard at the gate: a strategy's claim counts once its outcomes bear it out.

The arithmetic is `hean.core.edge`; here live the cells (strategy x symbol group x regime), their
modes, and the verdict on each signal. Under `observe` verdicts are recorded and refuse nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from hean.config import HEANSettings
from hean.core.bus import Bus, Stage
from hean.core.edge import (
    Belief,
    Cell,
    PlanFault,
    belief_of,
    check_claim,
    check_plan,
    first_sufficient,
    guard_confidence,
    next_mode,
)
from hean.core.events.decision import EdgeGuardChanged, GuardMode
from hean.core.events.market import Regime
from hean.core.events.portfolio import PositionClosed, ShadowClosed
from hean.core.events.reasons import ReasonCode
from hean.core.events.strategy import Signal, StrategyProfile, StrategyRegistered
from hean.core.events.system import RunStarted
from hean.core.instruments import significant
from hean.core.market_view import MarketView
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.risk.outcomes import OutcomeCollector

MAJORS: Final = frozenset({"BTC", "ETH"})
CellKey = tuple[str, str, str]
"""(strategy, symbol group, regime); an empty part pools over all of it."""


class Track(msgspec.Struct):
    """One cell with its mode, the newest cost claimed in it, and how its outcomes came."""

    cell: Cell = Cell()
    mode: GuardMode = GuardMode.SHADOW
    cost_bp: float = 0.0
    real: int = 0
    shadow: int = 0


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What the guard says of a signal; `code` None means it has no objection."""

    code: ReasonCode | None
    number: float
    limit: float
    mode: GuardMode
    confidence: float


def _plan_fault(
    profile: StrategyProfile, signal: Signal, price: float, stop: float | None
) -> PlanFault | None:
    """Return why a plan does not pay: its stop and target, then its own forecast."""
    cost = signal.cost_bp
    if profile.directional and stop is not None and price > 0.0:
        stop_bp = abs(price - stop) / price * 1e4
        target_bp = None
        if signal.targets:
            target_bp = abs(signal.targets[0] - price) / price * 1e4
        fault = check_plan(stop_bp, target_bp, cost)
        if fault is not None:
            return fault
    return check_claim(signal.expected_edge_bp, cost) if profile.claims_edge else None


class _State(msgspec.Struct, frozen=True):
    tracks: list[tuple[str, str, str, Track]]
    outcomes: bytes
    is_live: bool
    objections: dict[str, int]
    profiles: dict[str, StrategyProfile]


class EdgeGuard:
    """Judges signals and learns from outcomes, real and shadow; a change of mode is published."""

    name = "risk_edge_guard"

    def __init__(
        self, *, settings: HEANSettings, bus: Bus, agenda: Agenda, view: MarketView
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._agenda = agenda
        self._view = view
        self._profiles: dict[str, StrategyProfile] = {}
        self._tracks: dict[CellKey, Track] = {}
        self._outcomes = OutcomeCollector()
        self._groups: dict[str, str] = {}
        self._is_live = False
        self.enforces = settings.enforces_edge(live=False)
        self._objections: dict[str, int] = {}

    @property
    def tracks(self) -> Mapping[CellKey, Track]:
        return self._tracks

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
        bus.subscribe(PositionClosed, self._on_closed, stage=stage, owner=owner)
        bus.subscribe(ShadowClosed, self._on_shadow, stage=stage, owner=owner)

    def judge(
        self, signal: Signal, price: float, stop: float | None, maker_fee: Decimal
    ) -> Verdict:
        """Return the verdict on an entry: plan checks first, then the mode of its cell."""
        profile = self._profiles.get(signal.strategy)
        track = self._track(self._key(signal.strategy, signal.instrument))
        cost = signal.cost_bp
        if cost > 0.0:
            track.cost_bp = cost
        code, number, limit = None, 0.0, 0.0
        if profile is not None and profile.needs_rebate and maker_fee >= 0:
            code, number = ReasonCode.NO_REBATE, float(maker_fee) * 1e4
        elif profile is not None:
            fault = _plan_fault(profile, signal, price, stop)
            if fault is not None:
                code, number, limit = ReasonCode.EDGE, fault.number_bp, fault.limit_bp
        if code is None and track.mode is GuardMode.SHADOW:
            code, number = ReasonCode.EDGE_UNPROVEN, float(track.cell.outcomes)
            limit = 30.0
        if code is not None:
            self._objections[code] = self._objections.get(code, 0) + 1
        if not self.enforces:
            return Verdict(code, number, limit, track.mode, signal.confidence)
        return Verdict(code, number, limit, track.mode, self._confidence(signal, track))

    def belief(self, strategy: str, instrument: str) -> Belief:
        """Return what is believed of the cell in which a strategy would trade now."""
        key = self._key(strategy, instrument)
        return belief_of(self._pooled(key), self._track(key).cost_bp)

    def _confidence(self, signal: Signal, track: Track) -> float:
        """Weigh the signal's own quality with the evidence; confidence is u times q_data."""
        key = self._key(signal.strategy, signal.instrument)
        belief = belief_of(self._pooled(key), track.cost_bp)
        strength = signal.strength
        quality = signal.confidence / strength if strength > 0.0 else 0.0
        return guard_confidence(
            strength, mean_bp=belief.mean_bp, cost_bp=track.cost_bp, data_quality=quality
        )

    def _group(self, instrument: str) -> str:
        found = self._groups.get(instrument)
        if found is None:
            rules = self._view.instruments.get(instrument)
            base = instrument if rules is None else rules.base
            found = self._groups[instrument] = "majors" if base in MAJORS else "others"
        return found

    def _key(self, strategy: str, instrument: str) -> CellKey:
        regime = self._view.regimes.get(instrument)
        name = Regime.NORMAL.value if regime is None else regime.regime.value
        return (strategy, self._group(instrument), name)

    def _track(self, key: CellKey) -> Track:
        found = self._tracks.get(key)
        if found is None:
            found = self._tracks[key] = Track()
        return found

    def _pooled(self, key: CellKey) -> Cell:
        strategy, group, _ = key
        return first_sufficient(
            (
                self._track(key).cell,
                self._track((strategy, group, "")).cell,
                self._track((strategy, "", "")).cell,
            )
        )

    def _on_run(self, event: RunStarted) -> None:
        self._is_live = event.mode == "live"
        self.enforces = self._settings.enforces_edge(live=self._is_live)

    def _on_registered(self, event: StrategyRegistered) -> None:
        self._profiles[event.strategy] = event.profile

    def _on_closed(self, event: PositionClosed) -> None:
        outcome = self._outcomes.collect(event)
        if outcome is None or outcome.notional <= 0.0:
            return
        net_bp = outcome.net / outcome.notional * 1e4
        self._learn(outcome.strategy, outcome.instrument, outcome.regime, net_bp, is_real=True)

    def _on_shadow(self, event: ShadowClosed) -> None:
        if event.promotes:
            regime = "" if event.regime is None else event.regime.value
            self._learn(event.strategy, event.instrument, regime, event.net_bp, is_real=False)

    def _learn(
        self, strategy: str, instrument: str, regime: str, net_bp: float, *, is_real: bool
    ) -> None:
        group = self._group(instrument)
        key = (strategy, group, regime or Regime.NORMAL.value)
        narrow = self._track(key)
        for wider in ((strategy, group, ""), (strategy, "", "")):
            track = self._track(wider)
            track.cell = track.cell.with_outcome(net_bp)
        narrow.cell = narrow.cell.with_outcome(net_bp)
        narrow.real += is_real
        narrow.shadow += not is_real
        pooled = self._pooled(key)
        mode = next_mode(narrow.mode, pooled, narrow.cost_bp)
        if mode is not narrow.mode:
            self._publish(key, narrow, mode, pooled)
            narrow.mode = mode

    def _publish(self, key: CellKey, track: Track, mode: GuardMode, pooled: Cell) -> None:
        now = self._agenda.now
        belief = belief_of(pooled, track.cost_bp)
        self._bus.publish(
            EdgeGuardChanged(
                ts_event=now,
                ts_init=now,
                strategy=key[0],
                cell="/".join(key),
                mode=mode,
                previous=track.mode,
                outcomes=pooled.outcomes,
                posterior_mean_bp=significant(belief.mean_bp),
                posterior_error_bp=significant(belief.error_bp),
                last_mean_bp=significant(pooled.last_mean),
                cost_bp=significant(track.cost_bp),
            )
        )

    def snapshot(self) -> bytes:
        """Return cells, modes and counts."""
        state = _State(
            [(*key, track) for key, track in self._tracks.items()],
            self._outcomes.snapshot(),
            self._is_live,
            self._objections,
            self._profiles,
        )
        return pack(self.name, 1, state)

    def restore(self, state: bytes) -> None:
        """Take over what a snapshot had learned."""
        found = unpack(state, self.name, 1, _State)
        self._tracks = {(one[0], one[1], one[2]): one[3] for one in found.tracks}
        self._outcomes.restore(found.outcomes)
        self._is_live = found.is_live
        self.enforces = self._settings.enforces_edge(live=found.is_live)
        self._objections = found.objections
        self._profiles = found.profiles
