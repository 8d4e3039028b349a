"""Performance: what each strategy earned per 8-hour bin in units of R, and what that proves.

x of a bin is the sum over open positions of (net result inside the bin / R), after fees and
funding; a flat bin is 0, the bins of one position add up to its R-multiple, a group is one
position. Bins known only from the shadow book weigh `shadow_weight`.
"""

from __future__ import annotations

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events import (
    ActiveStrategiesChanged,
    PositionClosed,
    RunStarted,
    ShadowClosed,
    StrategyRegistered,
    Tier,
    TimerFired,
)
from hean.core.ids import digest_of
from hean.core.market_view import MarketView
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.portfolio.evidence import (
    Belief,
    Moments,
    luck_of,
    minimum_track_record,
    moments,
    probabilistic_sharpe,
    shrink,
)
from hean.portfolio.ledger import Ledger
from hean.portfolio.positions import VirtualPosition
from hean.portfolio.settings import PortfolioSettings

BIN_NS = 8 * 3_600_000_000_000
BINS_KEPT = 3285
"""Three years of bins; older ones are forgotten."""

_TIMER = "bin"


class Bin(msgspec.Struct, frozen=True, gc=False):
    """One closed bin of a strategy: its number since the epoch, x, weight 1 on the account."""

    number: int
    x: float
    weight: float
    on_account: bool


class PhaseResult(msgspec.Struct, kw_only=True, gc=False):
    """Outcomes in R: how many, their sum and sum of squares."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, outcome: float) -> None:
        """Count one outcome."""
        self.count += 1
        self.total += outcome
        self.squares += outcome * outcome


class Series(msgspec.Struct, kw_only=True):
    """A strategy's bins and outcomes since its version and parameters were last changed.

    While `runs` is false (switched off, or the feed lacks its needs) nothing is known of a bin
    without an outcome: it is not a bin of 0.
    """

    fingerprint: str = ""
    runs: bool = True
    bins: list[Bin] = []
    trades: int = 0
    outcomes: int = 0
    tier: Tier = Tier.TRIAL
    account_x: float = 0.0
    shadow_x: float = 0.0
    touched: bool = False
    shadowed: bool = False
    results: PhaseResult = msgspec.field(default_factory=PhaseResult)
    phases: dict[str, PhaseResult] = {}


class _Trade(msgspec.Struct, kw_only=True, gc=False):
    strategy: str
    net: float = 0.0
    risk: float = 0.0
    credited: float = 0.0


class _State(msgspec.Struct, kw_only=True):
    series: dict[str, Series] = {}
    trades: dict[str, _Trade] = {}
    active: tuple[str, ...] = ()
    renewals: int = 0
    last_bin: int = 0
    history_until: int = 0


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What closed bins tell of a strategy; `track_record` is the bins FULL would need in all."""

    strategy: str
    belief: Belief
    tier: Tier
    psr: float
    dsr: float
    track_record: float


class Performance:
    """Keeps the series. Read `series`, `standings()` and `last_bin`."""

    name = "performance"
    bin_ns = BIN_NS

    def __init__(
        self,
        *,
        section: PortfolioSettings,
        bus: Bus,
        agenda: Agenda,
        view: MarketView,
        ledger: Ledger,
    ) -> None:
        self._section = section
        self._bus = bus
        self._agenda = agenda
        self._view = view
        self._ledger = ledger
        self._state = _State()
        self._standings: dict[str, Standing] | None = None

    def attach(self, bus: Bus) -> None:
        """Subscribe to outcomes, registrations, the active set and the bin's end."""
        stage, owner = Stage.PERFORMANCE, self.name
        bus.subscribe(RunStarted, self._on_run_started, stage=stage, owner=owner)
        bus.subscribe(StrategyRegistered, self._on_registered, stage=stage, owner=owner)
        bus.subscribe(ActiveStrategiesChanged, self._on_active, stage=stage, owner=owner)
        bus.subscribe(PositionClosed, self._on_closed, stage=stage, owner=owner)
        bus.subscribe(ShadowClosed, self._on_shadow_closed, stage=stage, owner=owner)
        bus.subscribe(TimerFired, self._on_timer, stage=stage, owner=owner, key=owner)

    @property
    def series(self) -> dict[str, Series]:
        """The series by strategy, in order of registration."""
        return self._state.series

    @property
    def last_bin(self) -> int:
        """The number of the newest closed bin, 0 before the first."""
        return self._state.last_bin

    @property
    def trials(self) -> int:
        """Strategies and parameter sets ever tried, as far as the run and its setting know."""
        known = len(self._state.series) + self._state.renewals
        return max(self._section.trials + self._state.renewals, known)

    def standings(self) -> dict[str, Standing]:
        """Return what is known of every strategy, by name."""
        if self._standings is None:
            self._standings = self._judge()
        return self._standings

    def _on_run_started(self, event: RunStarted) -> None:
        self._state.history_until = event.history_until
        if not self._agenda.is_armed(self.name, _TIMER):
            self._arm()

    def _arm(self) -> None:
        self._agenda.arm(self.name, _TIMER, (self._agenda.now // BIN_NS + 1) * BIN_NS)

    def _on_registered(self, event: StrategyRegistered) -> None:
        profile = event.profile
        print_of = digest_of(profile.version, profile.parameters_sha256)
        before = self._state.series.get(event.strategy)
        if before is None or not before.fingerprint:
            series = before or Series()
            series.fingerprint = print_of
            self._state.series[event.strategy] = series
        elif before.fingerprint != print_of:
            self._state.series[event.strategy] = Series(fingerprint=print_of)
            self._state.renewals += 1
        self._state.series[event.strategy].runs = event.enabled and not event.cannot_run_because
        self._standings = None

    def _on_active(self, event: ActiveStrategiesChanged) -> None:
        self._state.active = event.active

    def _on_closed(self, event: PositionClosed) -> None:
        if not event.risk:
            return
        state, series = self._state, self._series(event.strategy)
        key = _key(event.strategy, event.instrument, event.group, event.opened_at)
        trade = state.trades.setdefault(key, _Trade(strategy=event.strategy))
        trade.net += float(event.net)
        trade.risk += float(event.risk)
        series.touched = True
        if event.group and self._is_open(event.strategy, event.group):
            return
        outcome = trade.net / trade.risk
        series.account_x += outcome - trade.credited
        series.trades += 1
        self._count(series, outcome, event)
        del state.trades[key]

    def _is_open(self, strategy: str, group: str) -> bool:
        return any(
            one.group == group and one.strategy == strategy for one in self._ledger.positions()
        )

    def _on_shadow_closed(self, event: ShadowClosed) -> None:
        series = self._series(event.strategy)
        series.shadow_x += event.r_multiple
        series.shadowed = True
        self._count(series, event.r_multiple, event)

    def _count(self, series: Series, outcome: float, event: PositionClosed | ShadowClosed) -> None:
        series.outcomes += 1
        series.results.add(outcome)
        if event.phase is not None:
            series.phases.setdefault(event.phase.value, PhaseResult()).add(outcome)

    def _series(self, strategy: str) -> Series:
        return self._state.series.setdefault(strategy, Series())

    def _on_timer(self, event: TimerFired) -> None:
        if event.ts_event > self._state.history_until:
            self._credit_open()
            self._close_bin(event.ts_event // BIN_NS - 1)
        self._arm()

    def _credit_open(self) -> None:
        """Give each open position's result since the last bin to the bin that ends."""
        held: dict[str, list[VirtualPosition]] = {}
        for one in self._ledger.positions():
            if one.total_risk:
                key = _key(one.strategy, one.instrument, one.group, one.opened_at)
                held.setdefault(key, []).append(one)
        trades = self._state.trades
        for key, legs in held.items():
            trade = trades.setdefault(key, _Trade(strategy=legs[0].strategy))
            net, risk = trade.net, trade.risk
            for one in legs:
                mark = self._view.mark(one.instrument)
                net += one.booked if mark is None else one.result(mark.price)
                risk += float(one.total_risk)
            series = self._series(trade.strategy)
            series.account_x += net / risk - trade.credited
            series.touched = True
            trade.credited = net / risk
        for key in [key for key in trades if key not in held]:
            del trades[key]

    def _close_bin(self, number: int) -> None:
        for name, series in self._state.series.items():
            if not (series.runs or series.touched or series.shadowed):
                continue
            is_active = name in self._state.active
            on_account = series.touched or (is_active and not series.shadowed)
            x = series.account_x if on_account else series.shadow_x
            weight = 1.0 if on_account else self._section.shadow_weight
            series.bins.append(Bin(number, x, weight, on_account))
            del series.bins[:-BINS_KEPT]
            series.account_x = series.shadow_x = 0.0
            series.touched = series.shadowed = False
        self._state.last_bin = number
        for name, one in self._judge().items():
            series = self._state.series[name]
            series.tier = self._tier(series, one.psr, one.dsr)
        self._standings = None

    def _judge(self) -> dict[str, Standing]:
        found: dict[str, Moments | None] = {}
        account: dict[str, Moments | None] = {}
        for name, series in self._state.series.items():
            found[name] = _moments(series.bins)
            account[name] = _moments([one for one in series.bins if one.on_account])
        beliefs = shrink(found, self._section.edge_prior_sd)
        known = [one for one in account.values() if one is not None]
        standings: dict[str, Standing] = {}
        for name, series in self._state.series.items():
            one = account[name]
            luck = luck_of(self.trials, known, 0.0 if one is None else one.bins)
            psr, dsr = probabilistic_sharpe(one, 0.0), probabilistic_sharpe(one, luck)
            standings[name] = Standing(
                strategy=name,
                belief=beliefs[name],
                tier=series.tier,
                psr=psr,
                dsr=dsr,
                track_record=minimum_track_record(one, luck),
            )
        return standings

    def _tier(self, series: Series, psr: float, dsr: float) -> Tier:
        section = self._section
        if series.tier is Tier.FULL:
            return Tier.TRIAL if psr < section.trial_again_psr else Tier.FULL
        proven = dsr >= section.full_tier_dsr and series.trades >= section.full_tier_min_trades
        return Tier.FULL if proven else Tier.TRIAL

    def snapshot(self) -> bytes:
        """Return every series and what open positions were credited."""
        return pack(self.name, 1, self._state)

    def restore(self, state: bytes) -> None:
        """Take over a snapshot."""
        self._state = unpack(state, self.name, 1, _State)
        self._standings = None


def _key(strategy: str, instrument: str, group: str, opened_at: int) -> str:
    where = group or f"{instrument}\x1f{opened_at}"
    return f"{strategy}\x1f{where}"


def _moments(bins: list[Bin]) -> Moments | None:
    return moments([one.x for one in bins], [one.weight for one in bins])
