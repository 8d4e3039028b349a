"""The crossing strategy and the system around it, composed as the work demands.

Everything but the sizer (a fixed quantity of 1) and the venue's latency and spread (none) is the
product as shipped: gate, limits, slots, ledger, decisions journaled. The rule loses by construction
and must go on, so loss streaks and AutoPilot are off and the limits wide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from bench.workloads import CASH, FAST, FEE, MINUTE_NS, SLOW, Bars, Ticks
from hean.app.feeds import FeedDescription
from hean.app.settings import AppSettings
from hean.config import load
from hean.core.bus import Bus, Stage
from hean.core.events import (
    Bar,
    Event,
    FrequencyClass,
    Intent,
    Need,
    OrderStyle,
    PositionClosed,
    PositionOpened,
    Regime,
    Side,
    Signal,
    SignalRejected,
    StrategyProfile,
    StrategyRegistered,
    Trade,
)
from hean.core.ids import signal_id
from hean.core.instruments import Instrument, InstrumentKind
from hean.core.snapshot import pack, unpack
from hean.risk import Entry, Factors, GroupRules, Place, Room, Sizing

SYMBOL = "BTCUSDT-PERP.BENCH"
INSTRUMENT = Instrument(
    id=SYMBOL,
    symbol="BTCUSDT",
    kind=InstrumentKind.LINEAR_PERPETUAL,
    base="BTC",
    quote="USDT",
    tick_size=Decimal("0.1"),
    lot_step=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
    max_quantity=Decimal(1_000_000),
    max_market_quantity=Decimal(1_000_000),
    min_notional=Decimal(5),
    max_leverage=Decimal(100),
    maker_fee=Decimal(str(FEE)),
    taker_fee=Decimal(str(FEE)),
    funding_interval_ns=0,
)


class FixedSizer:
    """Sizes every order with one quantity; the benchmark's rule knows no other."""

    def __init__(self, quantity: Decimal) -> None:
        self._sizing = Sizing(quantity=quantity)

    def size(self, entry: Entry, room: Room, place: Place, factors: Factors) -> Sizing:
        return self._sizing

    def size_group(
        self,
        entries: Sequence[Entry],
        room: Room,
        places: Sequence[Place],
        factors: Factors,
        rules: GroupRules,
    ) -> tuple[Sizing, ...]:
        return tuple(self._sizing for _ in entries)


class TickFeed:
    """W1 as a feed of trades."""

    def __init__(self, ticks: Ticks) -> None:
        self._ticks = ticks
        self.description = FeedDescription(
            name="bench-ticks",
            instruments=(INSTRUMENT,),
            carries={SYMBOL: (Need.TRADES,)},
            first=ticks.times[0],
            last=ticks.times[-1],
            ticks_from=ticks.times[0],
        )

    def events(self) -> Iterator[Event]:
        sides = {1: Side.BUY, -1: Side.SELL}
        ticks = self._ticks
        for at, price, quantity, side in zip(
            ticks.times, ticks.prices, ticks.quantities, ticks.sides, strict=True
        ):
            yield Trade(
                ts_event=at,
                ts_init=at,
                instrument=SYMBOL,
                price=price / 10.0,
                quantity=quantity / 1000.0,
                taker_side=sides[side],
            )

    def snapshot(self) -> bytes:
        return pack("bench", 1, 0)

    def restore(self, state: bytes) -> None:
        unpack(state, "bench", 1, int)


class BarFeed:
    """W2 as a feed of bars."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self.description = FeedDescription(
            name="bench-bars",
            instruments=(INSTRUMENT,),
            carries={SYMBOL: (Need.BARS,)},
            first=bars.times[0],
            last=bars.times[-1] + MINUTE_NS,
            bar_intervals={SYMBOL: MINUTE_NS},
        )

    def events(self) -> Iterator[Event]:
        one = self._bars
        for at, first, high, low, last, volume in zip(
            one.times, one.opens, one.highs, one.lows, one.closes, one.volumes, strict=True
        ):
            close = at + MINUTE_NS
            yield Bar(
                ts_event=close,
                ts_init=close,
                instrument=SYMBOL,
                open_time=at,
                interval_ns=MINUTE_NS,
                open=first / 10.0,
                high=high / 10.0,
                low=low / 10.0,
                close=last / 10.0,
                volume=volume / 1000.0,
            )

    def snapshot(self) -> bytes:
        return pack("bench", 1, 0)

    def restore(self, state: bytes) -> None:
        unpack(state, "bench", 1, int)


class _CrossState(msgspec.Struct):
    fast: float = 0.0
    slow: float = 0.0
    seen: int = 0
    held: bool = False
    waiting: bool = False
    sequence: int = 0


class Crossing:
    """EMA(fast) against EMA(slow) on every trade or bar; one position at a time."""

    cannot_run_because = ""

    def __init__(self, name: str, bus: Bus, fast: int, slow: int, kind: type[Event]) -> None:
        self.name = name
        self.instruments = (SYMBOL,)
        self.section = None
        self._bus = bus
        self._kind = kind
        self._quick, self._lazy = 2.0 / (fast + 1), 2.0 / (slow + 1)
        self._least = slow
        self.state = _CrossState()

    @property
    def profile(self) -> StrategyProfile:
        return StrategyProfile(
            strategy=self.name,
            version="1",
            frequency=FrequencyClass.MEDIUM,
            needs=(Need.TRADES if self._kind is Trade else Need.BARS,),
            regimes=(Regime.RANGE, Regime.NORMAL, Regime.IMPULSE),
            instruments=(SYMBOL,),
            runs_on_bars=True,
            cooldown_seconds=1.0,
            daily_cap=1_000_000,
            time_stop_seconds=0.0,
            styles=(OrderStyle.LIMIT_IOC, OrderStyle.MARKET),
            typical_stop_bp=100.0,
        )

    def status(self, instrument: str) -> str:
        return f"trades {instrument} on every crossing"

    def attach(self, bus: Bus) -> None:
        stage, owner = Stage.STRATEGIES, self.name
        if self._kind is Trade:
            bus.subscribe(Trade, self._on_trade, stage=stage, owner=owner, key=SYMBOL)
        else:
            bus.subscribe(Bar, self._on_bar, stage=stage, owner=owner, key=SYMBOL)
        bus.subscribe(PositionOpened, self._on_opened, stage=stage, owner=owner, key=owner)
        bus.subscribe(PositionClosed, self._on_closed, stage=stage, owner=owner, key=owner)
        bus.subscribe(SignalRejected, self._on_rejected, stage=stage, owner=owner, key=owner)

    def _on_trade(self, event: Trade) -> None:
        self._on_price(event.price, event.ts_init)

    def _on_bar(self, event: Bar) -> None:
        self._on_price(event.close, event.ts_init)

    def _on_price(self, price: float, now: int) -> None:
        state = self.state
        if state.seen:
            state.fast += self._quick * (price - state.fast)
            state.slow += self._lazy * (price - state.slow)
            state.seen += 1
        else:
            state.fast = state.slow = price
            state.seen = 1
        if state.seen < self._least or state.waiting:
            return
        if state.held:
            if state.fast < state.slow:
                self._ask(Side.SELL, Intent.CLOSE, OrderStyle.MARKET, None, now)
        elif state.fast > state.slow:
            self._ask(Side.BUY, Intent.OPEN, OrderStyle.LIMIT_IOC, price, now)

    def _ask(
        self, side: Side, intent: Intent, style: OrderStyle, limit: float | None, now: int
    ) -> None:
        state = self.state
        state.sequence += 1
        one = signal_id(self.name, SYMBOL, now, state.sequence)
        self._bus.publish(
            Signal(
                ts_event=now,
                ts_init=now,
                correlation_id=one,
                signal_id=one,
                strategy=self.name,
                instrument=SYMBOL,
                side=side,
                intent=intent,
                style=style,
                limit=limit,
                strength=1.0,
                confidence=1.0,
                reason="crossing",
            )
        )
        state.waiting = True

    def _on_opened(self, _: PositionOpened) -> None:
        self.state.held, self.state.waiting = True, False

    def _on_closed(self, _: PositionClosed) -> None:
        self.state.held = self.state.waiting = False

    def _on_rejected(self, _: SignalRejected) -> None:
        self.state.waiting = False

    def snapshot(self) -> bytes:
        return pack(self.name, 1, self.state)

    def restore(self, state: bytes) -> None:
        self.state = unpack(state, self.name, 1, _CrossState)


class CrossingSet:
    """One or several crossing strategies, as the system expects its strategies."""

    name = "strategies"

    def __init__(self, bus: Bus, kind: type[Event], periods: Sequence[tuple[int, int]]) -> None:
        self.strategies = tuple(
            Crossing(f"crossing_{fast}_{slow}", bus, fast, slow, kind) for fast, slow in periods
        )

    def attach(self, bus: Bus) -> None:
        for one in self.strategies:
            one.attach(bus)

    def registered_events(self, ts: int) -> tuple[StrategyRegistered, ...]:
        return tuple(
            StrategyRegistered(ts_event=ts, ts_init=ts, strategy=one.name, profile=one.profile)
            for one in self.strategies
        )

    def status(self) -> dict[str, dict[str, str]]:
        return {one.name: {SYMBOL: one.status(SYMBOL)} for one in self.strategies}

    def snapshot(self) -> bytes:
        return pack(self.name, 1, [one.snapshot() for one in self.strategies])

    def restore(self, state: bytes) -> None:
        for one, data in zip(
            self.strategies, unpack(state, self.name, 1, list[bytes]), strict=True
        ):
            one.restore(data)


def periods(count: int) -> list[tuple[int, int]]:
    """Return the periods of `count` strategies; the first is the rule's own."""
    return [(FAST + 2 * extra, SLOW + 10 * extra) for extra in range(count)]


def bench_settings() -> AppSettings:
    """Return settings that let a losing rule go on, everything else as shipped."""
    arguments = {
        "INITIAL_CAPITAL": str(CASH),
        "PORTFOLIO__AUTOPILOT_ENABLED": "false",
        "PORTFOLIO__AUTOPILOT_MAX_ACTIVE": "11",
        "MIN_STRATEGY_WEIGHT": "0.05",
        "VENUE__ORDER_LATENCY_MS": "0",
        "VENUE__REPORT_LATENCY_MS": "0",
        "VENUE__SLIPPAGE_BP": "0",
        "RISK__LOSS_STREAK_ENABLED": "false",
        "RISK__MAX_POSITIONS": "100",
        "RISK__MAX_ORDERS": "100",
        "RISK__ANOMALY_STALE_SECONDS": "3600",
    }
    return load(AppSettings, arguments=arguments, environ={}).settings
