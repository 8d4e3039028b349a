"""What the sentinel knows: its inputs as they came last, and the plain questions about them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from hean.config import HEANSettings
from hean.core.events.reasons import ReasonCode
from hean.core.events.strategy import StrategyProfile
from hean.core.inflight_tracker import InFlightTracker
from hean.core.instruments import ZERO
from hean.core.market_view import MarketView
from hean.core.timers import Agenda
from hean.risk.anomaly import AnomalyGuard
from hean.risk.budgets import Budgets, budget_of
from hean.risk.exposure import Exposure
from hean.risk.governor import Governor
from hean.risk.kill_switch import KillSwitch
from hean.risk.loss_streak import LossStreaks
from hean.risk.settings import RiskSettings
from hean.risk.tails import BookTails

MILLISECOND_NS: Final = 1_000_000
SECOND_NS: Final = 1_000_000_000

Bar = tuple[ReasonCode, float, float]
"""Why an entry is barred: code, the number that decided, its limit."""


class SentinelState(msgspec.Struct):
    """The inputs of the envelope as they came last."""

    version: int = 0
    equity: Decimal = ZERO
    nav: float = 0.0
    drawdown: float = 0.0
    high_water_mark: float = 1.0
    day_start: float = 0.0
    paused_day: int = -1
    available: Decimal = ZERO
    margins: dict[str, Decimal] = {}
    has_equity: bool = False
    reconciled_at: int = -1
    recomputed_at: int = -1
    published_at: int = -1
    interval_ns: int = SECOND_NS
    is_connected: bool = True
    gaps: dict[str, int] = {}
    factors: dict[str, list[float]] = {}


class Standing:
    """Where the account stands: components, inputs and limits, read by rooms and the envelope."""

    def __init__(
        self,
        *,
        settings: HEANSettings,
        section: RiskSettings,
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
        self.section = section
        self.view = view
        self.tracker = tracker
        self.exposure = exposure
        self.governor = governor
        self.kill_switch = kill_switch
        self.anomaly = anomaly
        self.streaks = streaks
        self.tails = tails
        self.budgets = Budgets(settings=settings)
        self.profiles: dict[str, StrategyProfile] = {}
        self.state = SentinelState()
        self.failed = False
        self.multiplier = Decimal(1)
        self.open_risk_limit = ZERO
        self.gross_limit = ZERO
        self.reserve = settings.cash_reserve_rate
        """The fraction of equity that nobody gets."""
        self._agenda = agenda
        self._oldest_mark = 0

    @property
    def is_ready(self) -> bool:
        """Whether equity and a first reconciliation are known."""
        return self.state.has_equity and self.state.reconciled_at >= 0

    @property
    def now(self) -> int:
        return self._agenda.now

    @property
    def maximum_age_ns(self) -> int:
        """How old inputs may be: on bars at least two of them."""
        age = self.section.risk_envelope_max_age_ms * MILLISECOND_NS
        interval = self.state.interval_ns
        return max(age, 2 * interval + SECOND_NS) if interval > SECOND_NS else age

    def budget(self, strategy: str) -> Decimal:
        """Return a strategy's budget in USDT now; 0 for who is not active."""
        weight = self.budgets.weights(self._agenda.now).by_strategy.get(strategy)
        return ZERO if weight is None else budget_of(weight, self.state.equity)

    def is_active(self, strategy: str) -> bool:
        """Return whether the strategy may open positions."""
        return strategy in self.budgets.weights(self._agenda.now).by_strategy

    def account_bar(self, strategy: str = "") -> Bar | None:
        """Return what bars every entry of the account: the latch, or a halt."""
        if self.kill_switch.is_latched:
            return ReasonCode.KILL_SWITCH, 1.0, 0.0
        if not self.is_ready or self.state.equity <= ZERO:
            return ReasonCode.ENTRIES_HALTED, float(self.state.equity), 0.0
        if not self.state.is_connected:
            return ReasonCode.ENTRIES_HALTED, 0.0, 1.0
        return None

    def age_ns(self, instrument: str = "") -> int:
        """Return the age of the oldest input: recomputation, held marks, the asked mark."""
        now = self._agenda.now
        oldest = self.state.recomputed_at
        if self._oldest_mark and now - self._oldest_mark > self.maximum_age_ns:
            self._oldest_mark = self._find_oldest_mark()
        if self._oldest_mark:
            oldest = min(oldest, self._oldest_mark)
        if instrument:
            mark = self.view.mark(instrument)
            if mark is None or mark.ts_ns <= self.state.gaps.get(instrument, -1):
                return now
            oldest = min(oldest, mark.ts_ns)
        return now - oldest

    def day_loss(self) -> float:
        """Return the loss since the day's start as a fraction, 0 on a gain."""
        start = self.state.day_start
        return round(max(0.0, 1.0 - self.state.nav / start), 9) if start > 0.0 else 0.0

    def _find_oldest_mark(self) -> int:
        oldest = 0
        for holding in self.exposure.holdings.values():
            mark = self.view.mark(holding.instrument)
            at = 1 if mark is None else mark.ts_ns
            oldest = at if not oldest else min(oldest, at)
        return oldest
