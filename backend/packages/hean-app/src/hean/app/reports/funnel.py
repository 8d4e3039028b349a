"""The funnel: what became of every evaluation and signal, counted along the chain.

Per strategy and instrument it keeps, for each reason, how often it decided and the nearest miss:
the refusal whose number came closest to its limit. Hourly counts show when a strategy was busy.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events import (
    ActiveStrategiesChanged,
    DeadLettered,
    EquityUpdated,
    OrderFilled,
    OrderRequest,
    OrderSubmitted,
    RefusedBy,
    RiskEnvelope,
    RunStarted,
    Signal,
    SignalRejected,
    SignalWithdrawn,
)
from hean.core.snapshot import pack, unpack

HOUR_NS = 3_600_000_000_000
_LAST_DECISIONS = 50


class NearestMiss(msgspec.Struct):
    """How often a reason refused, and the refusal that came closest to passing."""

    count: int = 0
    number: float = 0.0
    limit: float = 0.0
    distance: float = float("inf")
    ts_ns: int = 0


class StrategyCounts(msgspec.Struct):
    """One strategy's way through the funnel."""

    signals: int = 0
    order_requests: int = 0
    withdrawals: int = 0
    fills: int = 0
    rejections: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    evaluations_refused: dict[str, int] = msgspec.field(default_factory=dict[str, int])


class Decision(msgspec.Struct, frozen=True):
    """One line of the live view's last decisions."""

    ts_ns: int
    strategy: str
    instrument: str
    side: str
    outcome: str
    text: str


_Decided = OrderRequest | SignalWithdrawn | SignalRejected


class _State(msgspec.Struct):
    strategies: dict[str, StrategyCounts]
    misses: list[tuple[str, str, str, str, NearestMiss]]
    hours: list[tuple[str, str, int, list[int]]]
    history_until: int
    orders: int
    forced_closes: int
    dead_letters: int
    worst_drawdown: float
    least_margin: Decimal | None
    active: tuple[str, ...]
    decisions: list[_Decided]
    equity: EquityUpdated | None
    envelope: RiskEnvelope | None


class Funnel:
    """Counts the run; a component like any other, so a restart forgets nothing."""

    name = "funnel"

    def __init__(self) -> None:
        self.strategies: dict[str, StrategyCounts] = {}
        self.misses: dict[tuple[str, str, str, str], NearestMiss] = {}
        self.hours: dict[tuple[str, str, int], list[int]] = {}
        self.orders = 0
        self.forced_closes = 0
        self.dead_letters = 0
        self.worst_drawdown = 0.0
        self.least_margin: Decimal | None = None
        self.active: tuple[str, ...] = ()
        self.equity: EquityUpdated | None = None
        self.envelope: RiskEnvelope | None = None
        self._last: deque[_Decided] = deque(maxlen=_LAST_DECISIONS)
        self._history_until = 0

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The last decisions in words, oldest first."""
        return tuple(_in_words(event) for event in self._last)

    def attach(self, bus: Bus) -> None:
        """Subscribe to the chain's events."""
        stage, owner = Stage.REPORTS, self.name
        bus.subscribe(RunStarted, self._on_run_started, stage=stage, owner=owner)
        bus.subscribe(Signal, self._on_signal, stage=stage, owner=owner)
        bus.subscribe(OrderRequest, self._on_order_request, stage=stage, owner=owner)
        bus.subscribe(SignalWithdrawn, self._on_withdrawn, stage=stage, owner=owner)
        bus.subscribe(SignalRejected, self._on_rejected, stage=stage, owner=owner)
        bus.subscribe(OrderSubmitted, self._on_submitted, stage=stage, owner=owner)
        bus.subscribe(OrderFilled, self._on_filled, stage=stage, owner=owner)
        bus.subscribe(EquityUpdated, self._on_equity, stage=stage, owner=owner)
        bus.subscribe(RiskEnvelope, self._on_envelope, stage=stage, owner=owner)
        bus.subscribe(ActiveStrategiesChanged, self._on_active, stage=stage, owner=owner)
        bus.subscribe(DeadLettered, self._on_dead_letter, stage=stage, owner=owner)

    def _of(self, strategy: str) -> StrategyCounts:
        found = self.strategies.get(strategy)
        if found is None:
            found = self.strategies[strategy] = StrategyCounts()
        return found

    def _hour(self, strategy: str, instrument: str, ts_ns: int) -> list[int]:
        key = (strategy, instrument, ts_ns // HOUR_NS)
        found = self.hours.get(key)
        if found is None:
            found = self.hours[key] = [0, 0, 0, 0]
        return found

    def _on_run_started(self, event: RunStarted) -> None:
        self._history_until = event.history_until

    def _on_signal(self, event: Signal) -> None:
        self._of(event.strategy).signals += 1
        self._hour(event.strategy, event.instrument, event.ts_init)[1] += 1

    def _on_order_request(self, event: OrderRequest) -> None:
        if event.cause:
            self.forced_closes += 1
        else:
            self._of(event.strategy).order_requests += 1
            self._hour(event.strategy, event.instrument, event.ts_init)[2] += 1
        self._last.append(event)

    def _on_withdrawn(self, event: SignalWithdrawn) -> None:
        """Count what answers a signal; what the gate pulls of itself answers none."""
        if event.signal_id:
            self._of(event.strategy).withdrawals += 1
        self._last.append(event)

    def _on_rejected(self, event: SignalRejected) -> None:
        if event.ts_init < self._history_until:
            return
        counts, code = self._of(event.strategy), event.code._value_
        hour = self._hour(event.strategy, event.instrument, event.ts_init)
        if event.refused_by is RefusedBy.STRATEGY:
            table = counts.evaluations_refused
            hour[0] += 1
        else:
            table = counts.rejections
            hour[3] += 1
            self._last.append(event)
        table[code] = table.get(code, 0) + 1
        self._note_miss(event, code)

    def _note_miss(self, event: SignalRejected, code: str) -> None:
        key = (event.strategy, event.instrument, event.layer, code)
        miss = self.misses.get(key)
        if miss is None:
            miss = self.misses[key] = NearestMiss()
        miss.count += 1
        scale = abs(event.limit) or 1.0
        distance = abs(event.number - event.limit) / scale
        if distance < miss.distance:
            miss.number, miss.limit = event.number, event.limit
            miss.distance, miss.ts_ns = distance, event.ts_init

    def _on_submitted(self, _: OrderSubmitted) -> None:
        self.orders += 1

    def _on_filled(self, event: OrderFilled) -> None:
        self._of(event.strategy).fills += 1

    def _on_equity(self, event: EquityUpdated) -> None:
        self.equity = event
        self.worst_drawdown = max(self.worst_drawdown, event.drawdown)

    def _on_envelope(self, event: RiskEnvelope) -> None:
        self.envelope = event
        margin = event.deployable - event.budgets_sum
        if self.least_margin is None or margin < self.least_margin:
            self.least_margin = margin

    def _on_active(self, event: ActiveStrategiesChanged) -> None:
        self.active = event.active

    def _on_dead_letter(self, _: DeadLettered) -> None:
        self.dead_letters += 1

    def snapshot(self) -> bytes:
        """Return every count."""
        state = _State(
            strategies=self.strategies,
            misses=[(*key, miss) for key, miss in self.misses.items()],
            hours=[(*key, counts) for key, counts in self.hours.items()],
            history_until=self._history_until,
            orders=self.orders,
            forced_closes=self.forced_closes,
            dead_letters=self.dead_letters,
            worst_drawdown=self.worst_drawdown,
            least_margin=self.least_margin,
            active=self.active,
            decisions=list(self._last),
            equity=self.equity,
            envelope=self.envelope,
        )
        return pack(self.name, 3, state)

    def restore(self, state: bytes) -> None:
        """Go on counting where a snapshot was taken."""
        found = unpack(state, self.name, 3, _State)
        self.strategies = found.strategies
        self.misses = {(a, b, c, d): miss for a, b, c, d, miss in found.misses}
        self.hours = {(a, b, c): counts for a, b, c, counts in found.hours}
        self._history_until = found.history_until
        self.orders = found.orders
        self.forced_closes = found.forced_closes
        self.dead_letters = found.dead_letters
        self.worst_drawdown = found.worst_drawdown
        self.least_margin = found.least_margin
        self.active = found.active
        self._last.extend(found.decisions)
        self.equity, self.envelope = found.equity, found.envelope


def _in_words(event: _Decided) -> Decision:
    side = event.side.value if event.side else ""
    if isinstance(event, OrderRequest):
        outcome = "order"
        text = f"{event.quantity} at {event.price or 'market'}"
        if event.cause:
            text = f"{event.quantity} because of {event.cause}"
    elif isinstance(event, SignalWithdrawn):
        outcome, text = "withdrawn", f"{len(event.cancels)} orders pulled"
        if event.stands:
            text = event.reason
    else:
        outcome = "refused"
        text = event.code.value
        if event.number or event.limit:
            text = f"{text}: {event.number:g} against {event.limit:g}"
    return Decision(event.ts_init, event.strategy, event.instrument, side, outcome, text)
