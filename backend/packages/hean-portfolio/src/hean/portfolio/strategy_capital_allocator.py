"""StrategyCapitalAllocator: splits equity, less the reserve, among the active strategies.

Performance (70 %) and market phase (30 %) make targets, `allocation` turns them into weights.
Weights are the state: a fall in equity lowers every budget in the same dispatch.
"""

from __future__ import annotations

import msgspec

from hean.config import HEANSettings
from hean.core.bus import Bus, Stage
from hean.core.events import (
    ActiveStrategiesChanged,
    AllocationLine,
    CapitalAllocated,
    EdgeGuardChanged,
    InstrumentUpdated,
    PositionClosed,
    RegimeChanged,
    RiskEnvelope,
    RunStarted,
    ShadowClosed,
    StrategyProfile,
    StrategyRegistered,
    Tier,
    TimerFired,
    WalletUpdated,
)
from hean.core.instruments import significant
from hean.core.market_view import MarketView
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.portfolio.allocation import Candidate, Limits, Share, quantised, solve
from hean.portfolio.allocation_methods import (
    equal_shares,
    hierarchical_shares,
    performance_shares,
    risk_parity_shares,
    shares_of,
)
from hean.portfolio.correlation import Matrix
from hean.portfolio.equity import Equity
from hean.portfolio.guard_cells import GuardCells
from hean.portfolio.kinship import Kinship
from hean.portfolio.minimum_budget import MinimumBudgets
from hean.portfolio.performance import Performance, Standing
from hean.portfolio.phase_affinity import suitability
from hean.portfolio.settings import PortfolioSettings

EXAMINATION_NS = 3_600_000_000_000
_SECOND_NS = 1_000_000_000
_EXAMINE = "examine"
_COOLDOWN = "cooldown"


class _State(msgspec.Struct, kw_only=True):
    profiles: dict[str, StrategyProfile] = {}
    guard: GuardCells = msgspec.field(default_factory=GuardCells)
    enforces: bool = False
    active: tuple[str, ...] = ()
    active_version: int = 0
    version: int = 0
    weights: dict[str, float] = {}
    bounds: dict[str, str] = {}
    tiers: dict[str, Tier] = {}
    last_shift: int | None = None
    multiplier: float = 1.0
    factors: dict[str, float] = {}
    dirty: bool = True
    seen_bin: int = 0


class _Targets(msgspec.Struct, frozen=True):
    reason: str
    performance: dict[str, float]
    phase: dict[str, float]
    wanted: dict[str, float]


class StrategyCapitalAllocator:
    """Publishes `CapitalAllocated`, one whole object: a line for every known strategy."""

    name = "allocator"

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
        self._state = _State()
        self._limits = Limits(
            spend=1.0 - settings.cash_reserve_rate,
            floor=settings.min_strategy_weight,
            cap=settings.max_strategy_weight,
            shift=section.max_shift_per_reallocation,
            enter=section.bmin_enter,
            stay=section.bmin_stay,
        )
        self._cooldown_ns = settings.reallocation_cooldown_seconds * _SECOND_NS

    def attach(self, bus: Bus) -> None:
        """Subscribe, unless allocation is off: then nobody is told anything."""
        if not self._settings.strategy_capital_allocation:
            return
        stage, owner = Stage.ALLOCATOR, self.name
        bus.subscribe(RunStarted, self._on_run_started, stage=stage, owner=owner)
        bus.subscribe(StrategyRegistered, self._on_registered, stage=stage, owner=owner)
        bus.subscribe(InstrumentUpdated, self._on_instrument, stage=stage, owner=owner)
        bus.subscribe(ActiveStrategiesChanged, self._on_active, stage=stage, owner=owner)
        bus.subscribe(EdgeGuardChanged, self._on_guard, stage=stage, owner=owner)
        bus.subscribe(RegimeChanged, self._on_evidence, stage=stage, owner=owner)
        bus.subscribe(PositionClosed, self._on_evidence, stage=stage, owner=owner)
        bus.subscribe(ShadowClosed, self._on_evidence, stage=stage, owner=owner)
        bus.subscribe(RiskEnvelope, self._on_envelope, stage=stage, owner=owner)
        bus.subscribe(WalletUpdated, self._on_wallet, stage=stage, owner=owner)
        bus.subscribe(TimerFired, self._on_timer, stage=stage, owner=owner, key=owner)

    @property
    def weights(self) -> dict[str, float]:
        """The weights in force, by strategy."""
        return dict(self._state.weights)

    def _on_run_started(self, event: RunStarted) -> None:
        self._state.enforces = self._settings.enforces_edge(live=event.mode == "live")
        if not self._agenda.is_armed(self.name, _EXAMINE):
            self._arm()

    def _arm(self) -> None:
        due = (self._agenda.now // EXAMINATION_NS + 1) * EXAMINATION_NS
        self._agenda.arm(self.name, _EXAMINE, due)

    def _on_registered(self, event: StrategyRegistered) -> None:
        self._state.profiles[event.strategy] = event.profile
        self._state.dirty = True

    def _on_instrument(self, event: InstrumentUpdated) -> None:
        self._budgets.forget()
        self._state.dirty = True

    def _on_evidence(self, event: RegimeChanged | PositionClosed | ShadowClosed) -> None:
        self._state.dirty = True

    def _on_envelope(self, event: RiskEnvelope) -> None:
        state = self._state
        state.multiplier = event.multiplier
        for one in event.strategies:
            if state.factors.get(one.strategy, 1.0) != one.size_factor:
                state.factors[one.strategy] = one.size_factor

    def _on_active(self, event: ActiveStrategiesChanged) -> None:
        state = self._state
        if state.version and event.version <= state.active_version:
            return
        state.active, state.active_version = event.active, event.version
        if not state.version:
            share = quantised(self._equal_split(len(event.active)))
            state.weights = dict.fromkeys(event.active, share)
        self._allocate(forced=True, reason="ACTIVE_SET")

    def _equal_split(self, count: int) -> float:
        return min(self._limits.spend / count, self._limits.cap) if count else 0.0

    def _on_guard(self, event: EdgeGuardChanged) -> None:
        state = self._state
        if state.guard.learn(event) and state.enforces and state.version:
            state.dirty = True
            if not state.guard.is_live(event.strategy) and state.weights.get(event.strategy):
                self._allocate(forced=True, reason="GUARD")

    def _on_wallet(self, event: WalletUpdated) -> None:
        if event.transfer < 0 and self._state.version:
            self._allocate(forced=True, reason="WITHDRAWAL")

    def _on_timer(self, event: TimerFired) -> None:
        if event.key == _EXAMINE:
            self._arm()
        state = self._state
        if state.seen_bin != self._performance.last_bin:
            state.seen_bin = self._performance.last_bin
            state.dirty = True
        if state.version and (state.dirty or event.key == _COOLDOWN):
            self._allocate(forced=False, reason="EXAMINATION")

    def _is_cooling(self) -> bool:
        last = self._state.last_shift
        return last is not None and self._agenda.now - last < self._cooldown_ns

    def _allocate(self, *, forced: bool, reason: str) -> None:
        """Solve and publish: cuts for safety at once, the rest when it may and is worth it."""
        state = self._state
        cooling = self._is_cooling()
        if cooling and not forced:
            return
        members = self._members()
        standings = self._performance.standings()
        clusters = self._kinship.clusters()
        targets = self._targets(members, standings)
        shares = solve(
            [self._candidate(one, targets, standings, clusters) for one in members],
            self._limits,
            self._section.cap_of,
        )
        weights, bounds = self._settle(shares, cooling)
        tiers = {name: one.tier for name, one in standings.items()}
        change = self._largest_change(weights)
        worth = change >= self._section.reallocation_min_change - 1e-9
        state.dirty = worth  # what one step could not reach the next examination may
        if not (forced or worth or tiers != state.tiers):
            return
        if not forced and not worth:
            weights, bounds = dict(state.weights), dict(state.bounds)
        elif not cooling:
            state.last_shift = self._agenda.now
        state.weights, state.bounds, state.tiers = weights, bounds, tiers
        state.version += 1
        self._publish(targets, standings, clusters, shares, reason)
        if cooling:
            due = (state.last_shift or 0) + self._cooldown_ns
            self._agenda.arm(self.name, _COOLDOWN, due)

    def _members(self) -> list[str]:
        """Return who may have capital: active, and with a live cell where the guard is enforced."""
        state = self._state
        if self._equity.equity <= 0:
            return []
        return [
            one
            for one in sorted(state.active)
            if one in state.profiles and (not state.enforces or state.guard.is_live(one))
        ]

    def _candidate(
        self,
        name: str,
        targets: _Targets,
        standings: dict[str, Standing],
        clusters: dict[str, str],
    ) -> Candidate:
        standing = standings.get(name)
        return Candidate(
            strategy=name,
            target=targets.wanted[name],
            previous=self._state.weights.get(name, 0.0),
            evidence=0.0 if standing is None else standing.belief.evidence,
            minimum=self._minimum(name) / float(self._equity.equity),
            cluster=clusters.get(name, ""),
        )

    def _minimum(self, name: str) -> float:
        factor = self._state.factors.get(name, 1.0) * self._state.multiplier
        return self._budgets.of(self._state.profiles[name], factor)

    def _targets(self, members: list[str], standings: dict[str, Standing]) -> _Targets:
        """Return p, h and the target of each member."""
        section, spend, count = self._section, self._limits.spend, len(members)
        if not count:
            return _Targets("EMPTY", {}, {}, {})
        evidence = [standings[one].belief.evidence if one in standings else 0.0 for one in members]
        p = performance_shares(evidence, section.evidence_tilt)
        h = shares_of([self._suitability(one) for one in members])
        reason, wanted = self._method(members, p, h)
        return _Targets(
            reason,
            dict(zip(members, p, strict=True)),
            dict(zip(members, h, strict=True)),
            {one: spend * share for one, share in zip(members, wanted, strict=True)},
        )

    def _suitability(self, name: str) -> float:
        profile = self._state.profiles[name]
        instruments = profile.instruments or tuple(self._view.instruments)
        regimes = [self._view.regimes[one] for one in instruments if one in self._view.regimes]
        return suitability(profile.affinity, self._performance.series.get(name), regimes)

    def _method(
        self, members: list[str], p: list[float], h: list[float]
    ) -> tuple[str, list[float]]:
        section, method = self._section, self._settings.capital_allocation_method
        if method == "equal":
            return "EQUAL", equal_shares(len(members))
        if self._is_cold():
            return "COLD_START", equal_shares(len(members))
        match method:
            case "performance":
                return "PERFORMANCE", p
            case "phase_matched":
                return "PHASE_MATCHED", h
            case "risk_parity":
                return "RISK_PARITY", risk_parity_shares(self._correlation(members))
            case "hrp":
                return "HRP", hierarchical_shares(self._correlation(members))
            case "hybrid":
                mixed = zip(p, h, strict=True)
                share, rest = section.performance_weight, section.phase_weight
                return "HYBRID", [share * a + rest * b for a, b in mixed]

    def _is_cold(self) -> bool:
        needed = self._section.allocation_min_outcomes
        series = self._performance.series.values()
        return sum(1 for one in series if one.outcomes >= needed) < 2

    def _correlation(self, members: list[str]) -> Matrix:
        return self._kinship.between(members)

    def _settle(
        self, shares: dict[str, Share], cooling: bool
    ) -> tuple[dict[str, float], dict[str, str]]:
        """Return weights and bounds; while the cooldown runs nothing rises."""
        weights: dict[str, float] = {}
        bounds: dict[str, str] = {}
        for name, one in shares.items():
            before = self._state.weights.get(name, 0.0)
            held = cooling and one.weight > before
            weights[name] = before if held else one.weight
            bounds[name] = "COOLDOWN" if held else one.bound
        return weights, bounds

    def _largest_change(self, weights: dict[str, float]) -> float:
        before = self._state.weights
        found = 0.0
        for name in (*weights, *before):
            found = max(found, abs(weights.get(name, 0.0) - before.get(name, 0.0)))
        return found

    def _publish(
        self,
        targets: _Targets,
        standings: dict[str, Standing],
        clusters: dict[str, str],
        shares: dict[str, Share],
        reason: str,
    ) -> None:
        state, now = self._state, self._agenda.now
        before = {line.strategy: line.weight for line in self._lines}
        lines: list[AllocationLine] = []
        for name, profile in sorted(state.profiles.items()):
            share, standing = shares.get(name), standings.get(name)
            lines.append(
                AllocationLine(
                    strategy=profile.strategy,
                    weight=state.weights.get(name, 0.0),
                    tier=Tier.TRIAL if standing is None else standing.tier,
                    cluster=clusters.get(name, ""),
                    performance=significant(targets.performance.get(name, 0.0)),
                    phase=significant(targets.phase.get(name, 0.0)),
                    evidence=0.0 if standing is None else standing.belief.evidence,
                    evidence_error=0.0 if standing is None else significant(standing.belief.error),
                    target=significant(targets.wanted.get(name, 0.0)),
                    floor=0.0 if share is None else share.lower,
                    cap=0.0 if share is None else share.upper,
                    previous=before.get(name, 0.0),
                    minimum_budget=significant(min(self._minimum(name), 1e12)),
                    bound=state.bounds.get(name, "INACTIVE"),
                )
            )
        self._lines = tuple(lines)
        self._bus.publish(
            CapitalAllocated(
                ts_event=now,
                ts_init=now,
                version=state.version,
                active_version=state.active_version,
                method=self._settings.capital_allocation_method,
                reason=targets.reason if reason == "EXAMINATION" else f"{reason}:{targets.reason}",
                reserve=self._settings.cash_reserve_rate,
                lines=self._lines,
            )
        )

    _lines: tuple[AllocationLine, ...] = ()

    def snapshot(self) -> bytes:
        """Return weights, versions and what examinations depend on."""
        return pack(self.name, 1, (self._state, self._lines))

    def restore(self, state: bytes) -> None:
        """Take over a snapshot."""
        found = unpack(state, self.name, 1, tuple[_State, tuple[AllocationLine, ...]])
        self._state, self._lines = found
