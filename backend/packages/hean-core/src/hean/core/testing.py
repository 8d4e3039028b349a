# size-ok: one flat catalogue of builders, imported as one module by every package's tests
"""Shipped fakes: instruments, event builders, a recorder, and a small kernel to put parts into.

Nothing here reads a clock, a file or the developer's environment. Times are ns; builders stamp
`at` as both times of the event. Values are Bybit's at the entry fee tier.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from decimal import Decimal
from typing import Final, TypeVar

from hean.config import HEANSettings
from hean.core.bus import Bus, Component, Stage
from hean.core.events.base import Event
from hean.core.events.decision import OrderRequest
from hean.core.events.market import (
    Bar,
    BookUpdate,
    FundingRate,
    InstrumentUpdated,
    MarkPrice,
    Quote,
    Regime,
    Side,
    Trade,
)
from hean.core.events.portfolio import PositionClosed, PositionOpened
from hean.core.events.strategy import (
    FrequencyClass,
    Intent,
    Need,
    OrderStyle,
    Signal,
    StrategyProfile,
    StrategyRegistered,
)
from hean.core.events.union import EVENT_TYPES
from hean.core.events.venue import (
    Liquidity,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
)
from hean.core.ids import client_order_id, signal_id
from hean.core.instruments import Instrument, InstrumentKind
from hean.core.kernel import Kernel
from hean.core.market_view import MarketView
from hean.core.timers import Agenda

EventT = TypeVar("EventT", bound=Event)
ComponentT = TypeVar("ComponentT", bound=Component)

SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 3600 * SECOND
START: Final = 1_767_225_600 * SECOND
"""Thursday 2026-01-01 00:00 UTC, a funding stamp: where small systems begin."""
BTC: Final = "BTCUSDT-PERP.BYBIT"
ETH: Final = "ETHUSDT-PERP.BYBIT"
SOL: Final = "SOLUSDT-PERP.BYBIT"
BTC_SPOT: Final = "BTCUSDT-SPOT.BYBIT"
ETH_SPOT: Final = "ETHUSDT-SPOT.BYBIT"


def perpetual(base: str, tick: str, lot: str, largest: str, maker_fee: str) -> Instrument:
    """Return a linear perpetual margined in USDT, at the entry tier's taker fee."""
    return Instrument(
        id=f"{base}USDT-PERP.BYBIT",
        symbol=f"{base}USDT",
        kind=InstrumentKind.LINEAR_PERPETUAL,
        base=base,
        quote="USDT",
        tick_size=Decimal(tick),
        lot_step=Decimal(lot),
        min_quantity=Decimal(lot),
        max_quantity=Decimal(largest),
        max_market_quantity=Decimal(largest) / 10,
        min_notional=Decimal(5),
        max_leverage=Decimal(100),
        maker_fee=Decimal(maker_fee),
        taker_fee=Decimal("0.00055"),
        funding_interval_ns=8 * HOUR,
        funding_lower=-0.005,
        funding_upper=0.005,
    )


def spot(base: str, tick: str, lot: str, *, borrowable: bool = False) -> Instrument:
    """Return a spot pair against USDT at the entry tier's fees."""
    return Instrument(
        id=f"{base}USDT-SPOT.BYBIT",
        symbol=f"{base}USDT",
        kind=InstrumentKind.SPOT,
        base=base,
        quote="USDT",
        tick_size=Decimal(tick),
        lot_step=Decimal(lot),
        min_quantity=Decimal(lot),
        max_quantity=Decimal(1000),
        max_market_quantity=Decimal(100),
        min_notional=Decimal(5),
        max_leverage=Decimal(1),
        maker_fee=Decimal("0.001"),
        taker_fee=Decimal("0.001"),
        borrowable=borrowable,
    )


def btc_perpetual(*, maker_fee: str = "0.0002") -> Instrument:
    """Return BTCUSDT: tick 0.1, lot 0.001."""
    return perpetual("BTC", "0.1", "0.001", "1190", maker_fee)


def eth_perpetual(*, maker_fee: str = "0.0002") -> Instrument:
    """Return ETHUSDT: tick 0.01, lot 0.01."""
    return perpetual("ETH", "0.01", "0.01", "7240", maker_fee)


def sol_perpetual(*, maker_fee: str = "0.0002") -> Instrument:
    """Return SOLUSDT: tick 0.01, lot 0.1."""
    return perpetual("SOL", "0.01", "0.1", "79770", maker_fee)


def btc_spot(*, borrowable: bool = False) -> Instrument:
    """Return BTCUSDT spot: tick 0.01, lot 0.000001."""
    return spot("BTC", "0.01", "0.000001", borrowable=borrowable)


def eth_spot(*, borrowable: bool = False) -> Instrument:
    """Return ETHUSDT spot: tick 0.01, lot 0.00001."""
    return spot("ETH", "0.01", "0.00001", borrowable=borrowable)


def instrument_updated(specification: Instrument, *, at: int = START) -> InstrumentUpdated:
    """Announce an instrument."""
    return InstrumentUpdated(
        ts_event=at, ts_init=at, instrument=specification.id, specification=specification
    )


def quote(
    bid: float = 60_000.0,
    ask: float = 60_000.1,
    *,
    instrument: str = BTC,
    size: float = 1.0,
    at: int = START,
    synthetic: bool = False,
) -> Quote:
    """Build a quote with the same size on both sides."""
    return Quote(
        ts_event=at,
        ts_init=at,
        instrument=instrument,
        bid=bid,
        ask=ask,
        bid_size=size,
        ask_size=size,
        synthetic=synthetic,
    )


def trade(
    price: float = 60_000.0,
    quantity: float = 0.01,
    side: Side = Side.BUY,
    *,
    instrument: str = BTC,
    at: int = START,
) -> Trade:
    """Build one print; `side` is the taker's."""
    return Trade(
        ts_event=at,
        ts_init=at,
        instrument=instrument,
        price=price,
        quantity=quantity,
        taker_side=side,
    )


def bar(
    close: float = 60_000.0,
    *,
    open: float | None = None,
    high: float | None = None,
    low: float | None = None,
    volume: float = 1.0,
    instrument: str = BTC,
    interval: int = MINUTE,
    at: int = START,
) -> Bar:
    """Build a bar that closes at `at`; what is not given equals open or close."""
    first = close if open is None else open
    return Bar(
        ts_event=at,
        ts_init=at,
        instrument=instrument,
        open_time=at - interval,
        interval_ns=interval,
        open=first,
        high=max(first, close) if high is None else high,
        low=min(first, close) if low is None else low,
        close=close,
        volume=volume,
    )


def book(
    bid: float = 60_000.0,
    ask: float = 60_000.1,
    *,
    levels: int = 5,
    step: float = 0.1,
    size: float = 1.0,
    instrument: str = BTC,
    at: int = START,
) -> BookUpdate:
    """Build a book with equal sizes, `step` apart."""
    return BookUpdate(
        ts_event=at,
        ts_init=at,
        instrument=instrument,
        bids=tuple((bid - step * level, size) for level in range(levels)),
        asks=tuple((ask + step * level, size) for level in range(levels)),
    )


def funding(
    rate: float = 0.0001,
    *,
    settled: bool = False,
    instrument: str = BTC,
    interval: int = 8 * HOUR,
    at: int = START,
) -> FundingRate:
    """Build a funding rate whose next stamp is the next multiple of the interval."""
    return FundingRate(
        ts_event=at,
        ts_init=at,
        instrument=instrument,
        rate=rate,
        next_funding_time=(at // interval + 1) * interval,
        interval_ns=interval,
        settled=settled,
    )


def mark(
    price: float = 60_000.0,
    *,
    index: float | None = None,
    open_interest: float | None = None,
    instrument: str = BTC,
    at: int = START,
) -> MarkPrice:
    """Build a mark price."""
    return MarkPrice(
        ts_event=at,
        ts_init=at,
        instrument=instrument,
        mark=price,
        index=index,
        open_interest=open_interest,
    )


def profile(
    strategy: str = "alpha",
    *,
    frequency: FrequencyClass = FrequencyClass.MEDIUM,
    cooldown: float = 60.0,
    stop_bp: float = 50.0,
    cluster: str = "",
    directional: bool = False,
    carry: bool = False,
    legs: int = 1,
) -> StrategyProfile:
    """Build a strategy's profile."""
    return StrategyProfile(
        strategy=strategy,
        version="1",
        frequency=frequency,
        needs=(Need.QUOTES,),
        regimes=tuple(Regime),
        cooldown_seconds=cooldown,
        daily_cap=100,
        time_stop_seconds=3600.0,
        styles=(OrderStyle.POST_ONLY, OrderStyle.LIMIT_IOC),
        legs=legs,
        typical_stop_bp=stop_bp,
        cluster=cluster,
        directional=directional,
        carry=carry,
    )


def registered(found: StrategyProfile, *, at: int = START) -> StrategyRegistered:
    """Announce a strategy by its profile."""
    return StrategyRegistered(ts_event=at, ts_init=at, strategy=found.strategy, profile=found)


def signal(
    strategy: str = "alpha",
    side: Side = Side.BUY,
    *,
    number: int = 1,
    intent: Intent = Intent.OPEN,
    style: OrderStyle = OrderStyle.LIMIT_IOC,
    limit: float | None = 60_000.0,
    stop: float | None = 59_700.0,
    targets: tuple[float, ...] = (60_600.0,),
    scale: float = 1.0,
    ttl: int = 5 * SECOND,
    edge_bp: float = 50.0,
    cost_bp: float = 10.0,
    group: str = "",
    leg: int = 0,
    legs: int = 1,
    instrument: str = BTC,
    at: int = START,
) -> Signal:
    """Build a signal; `number` is the evaluation its id is made of."""
    return Signal(
        ts_event=at,
        ts_init=at,
        signal_id=signal_id(strategy, instrument, at, number),
        strategy=strategy,
        instrument=instrument,
        side=side,
        intent=intent,
        style=style,
        limit=limit,
        scale=scale,
        ttl_ns=ttl,
        stop=stop,
        targets=targets,
        strength=1.0,
        confidence=1.0,
        expected_edge_bp=edge_bp,
        cost_bp=cost_bp,
        group=group,
        leg=leg,
        legs=legs,
    )


def order_request(
    strategy: str = "alpha",
    side: Side = Side.BUY,
    *,
    number: int = 1,
    intent: Intent = Intent.OPEN,
    style: OrderStyle = OrderStyle.LIMIT_IOC,
    quantity: str = "0.001",
    price: str | None = "60000",
    stop: str | None = "59700",
    risk: str = "1",
    ttl: int = 5 * SECOND,
    reduce_only: bool = False,
    instrument: str = BTC,
    at: int = START,
) -> OrderRequest:
    """Build an approved order, as only the gate does outside of tests."""
    signal_of = signal_id(strategy, instrument, at, number)
    return OrderRequest(
        ts_event=at,
        ts_init=at,
        client_order_id=client_order_id(signal_of),
        signal_id=signal_of,
        strategy=strategy,
        instrument=instrument,
        side=side,
        intent=intent,
        quantity=Decimal(quantity),
        price=None if price is None else Decimal(price),
        style=style,
        ttl_ns=ttl,
        reduce_only=reduce_only,
        protective_stop=None if stop is None else Decimal(stop),
        risk=Decimal(risk),
    )


def accepted(order: OrderRequest, *, at: int = START) -> OrderAccepted:
    """Report that the venue works the order."""
    return OrderAccepted(
        ts_event=at,
        ts_init=at,
        client_order_id=order.client_order_id,
        venue_order_id=f"v-{order.client_order_id}",
        strategy=order.strategy,
        instrument=order.instrument,
        side=order.side,
        quantity=order.quantity,
        price=order.price,
    )


def rejected(order: OrderRequest, *, at: int = START, reason: str = "refused") -> OrderRejected:
    """Report that the venue refused the order."""
    return OrderRejected(
        ts_event=at,
        ts_init=at,
        client_order_id=order.client_order_id,
        strategy=order.strategy,
        instrument=order.instrument,
        code="10001",
        reason=reason,
    )


def cancelled(order: OrderRequest, *, filled: str = "0", at: int = START) -> OrderCancelled:
    """Report that the order is gone on request."""
    return OrderCancelled(
        ts_event=at,
        ts_init=at,
        client_order_id=order.client_order_id,
        strategy=order.strategy,
        instrument=order.instrument,
        filled=Decimal(filled),
    )


def expired(order: OrderRequest, *, filled: str = "0", at: int = START) -> OrderExpired:
    """Report that the order ended by itself."""
    return OrderExpired(
        ts_event=at,
        ts_init=at,
        client_order_id=order.client_order_id,
        strategy=order.strategy,
        instrument=order.instrument,
        filled=Decimal(filled),
    )


def unknown(order: OrderRequest, *, at: int = START) -> OrderUnknown:
    """Report that nobody knows what became of the order."""
    return OrderUnknown(
        ts_event=at,
        ts_init=at,
        client_order_id=order.client_order_id,
        strategy=order.strategy,
        instrument=order.instrument,
        reason="timeout",
    )


def filled(
    order: OrderRequest,
    *,
    quantity: str | None = None,
    price: str | None = None,
    before: str = "0",
    fee_rate: str = "0.00055",
    liquidity: Liquidity = Liquidity.TAKER,
    fill: str = "",
    at: int = START,
) -> OrderFilled:
    """Report a fill, by default of the whole order at its price; `before` was filled earlier."""
    size = order.quantity if quantity is None else Decimal(quantity)
    paid = Decimal(price) if price is not None else (order.price or Decimal(60_000))
    done = Decimal(before) + size
    return OrderFilled(
        ts_event=at,
        ts_init=at,
        fill_id=fill or f"f-{order.client_order_id}-{done}",
        client_order_id=order.client_order_id,
        strategy=order.strategy,
        instrument=order.instrument,
        side=order.side,
        price=paid,
        quantity=size,
        fee=paid * size * Decimal(fee_rate),
        liquidity=liquidity,
        filled=done,
        remaining=order.quantity - done,
    )


def position_opened(
    strategy: str = "alpha",
    *,
    quantity: str = "0.001",
    price: str = "60000",
    risk: str = "1",
    order: str = "",
    instrument: str = BTC,
    at: int = START,
) -> PositionOpened:
    """Announce a strategy's position; `quantity` is signed."""
    return PositionOpened(
        ts_event=at,
        ts_init=at,
        strategy=strategy,
        instrument=instrument,
        quantity=Decimal(quantity),
        entry_price=Decimal(price),
        risk=Decimal(risk),
        client_order_id=order,
        fill_id="f-1",
    )


def position_closed(
    strategy: str = "alpha",
    *,
    net: str = "1",
    risk: str = "1",
    side: Side = Side.BUY,
    quantity: str = "0.001",
    entry: str = "60000",
    exit: str = "61000",
    opened_at: int = START,
    reason: str = "target",
    instrument: str = BTC,
    at: int = START,
) -> PositionClosed:
    """Announce an outcome of `net` USDT after costs, without fees or funding."""
    outcome = float(Decimal(net) / Decimal(risk)) if Decimal(risk) else 0.0
    return PositionClosed(
        ts_event=at,
        ts_init=at,
        strategy=strategy,
        instrument=instrument,
        side=side,
        opened_at=opened_at,
        quantity=Decimal(quantity),
        entry_price=Decimal(entry),
        exit_price=Decimal(exit),
        gross=Decimal(net),
        fees=Decimal(0),
        funding=Decimal(0),
        net=Decimal(net),
        risk=Decimal(risk),
        r_multiple=outcome,
        mae_r=min(outcome, 0.0),
        mfe_r=max(outcome, 0.0),
        regime=Regime.NORMAL,
        phase=None,
        cycle=None,
        exit_reason=reason,
        signal_id=signal_id(strategy, instrument, opened_at, 1),
        client_order_id="",
    )


class Recorder:
    """Keeps what the bus delivers, in order; it hears an event after every other handler did."""

    def __init__(self, bus: Bus, kinds: Iterable[type[Event]] = EVENT_TYPES) -> None:
        self.events: list[Event] = []
        for kind in kinds:
            bus.subscribe(kind, self.events.append, stage=Stage.REPORTS, owner="recorder")

    def of(self, kind: type[EventT]) -> list[EventT]:
        """Return the events of one type."""
        return [event for event in self.events if isinstance(event, kind)]

    def last(self, kind: type[EventT]) -> EventT:
        """Return the newest event of a type; raises `IndexError` when none came."""
        return self.of(kind)[-1]

    def clear(self) -> None:
        """Forget what was kept."""
        self.events.clear()


class MiniSystem:
    """A bus, agenda, kernel, market view and recorder, ready for the parts under test.

    Instruments are announced at `START`. With `pulse` a `Heartbeat` comes each whole second.
    """

    def __init__(
        self,
        *,
        settings: HEANSettings | None = None,
        instruments: Iterable[Instrument] = (),
        pulse: bool = False,
    ) -> None:
        self.settings = settings or HEANSettings()
        self.bus = Bus()
        self.agenda = Agenda()
        self.agenda.now = START
        self.kernel = Kernel(self.bus, self.agenda, pulse_from=START if pulse else None)
        self.view = MarketView()
        self.view.attach(self.bus)
        self.recorder = Recorder(self.bus)
        for one in instruments:
            self.take(instrument_updated(one))

    @property
    def now(self) -> int:
        return self.agenda.now

    def add(self, component: ComponentT) -> ComponentT:
        """Attach a component and return it."""
        component.attach(self.bus)
        return component

    def take(self, *events: Event) -> None:
        """Take each event as an input; one stamped in the past is taken now."""
        for event in events:
            self.kernel.take(event)

    def advance(self, seconds: float) -> None:
        """Let kernel time pass: what falls due fires."""
        self.kernel.advance(self.agenda.now + round(seconds * SECOND))

    def of(self, kind: type[EventT]) -> list[EventT]:
        """Return the recorded events of one type."""
        return self.recorder.of(kind)


@contextmanager
def clean_environment(**names: str) -> Generator[None]:
    """Hide the developer's environment: inside only PATH, HOME and the given names exist."""
    before = dict(os.environ)
    kept = {name: before[name] for name in ("PATH", "HOME") if name in before}
    os.environ.clear()
    os.environ.update(kept | names)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
