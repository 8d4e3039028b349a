"""What a strategy knows of one instrument: market facts, its own order and position, its pace.

A desk changes only by the handlers here, which take what every strategy shares, and by the
strategy's own step. It never learns of anybody else's orders.
"""

from __future__ import annotations

import msgspec

from hean.core.events import (
    Event,
    Intent,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderStyle,
    Phase,
    PositionChange,
    PositionChanged,
    PositionClosed,
    PositionOpened,
    Quote,
    ReasonCode,
    RefusedBy,
    Regime,
    RegimeChanged,
    Signal,
    SignalRejected,
    SignalWithdrawn,
)
from hean.core.features import MicroPriceTable, micro_lean_bp
from hean.core.ids import client_order_id
from hean.core.instruments import Instrument
from hean.strategies.pace import SECOND_NS, Pace, PaceRules, Refusal

EXIT_RETRY_NS = SECOND_NS
"""How long an exit that was refused or failed waits before it is asked for again."""


class Wish(msgspec.Struct, kw_only=True):
    """A signal of one's own that is decided or worked on: the newest entry, or the newest exit.

    `stage` counts the orders of one attempt; `ended` is set when its order is gone.
    """

    signal_id: str
    order_id: str
    sign: int
    intent: Intent
    style: OrderStyle
    published: int
    ttl_ns: int = 0
    stage: int = 0
    limit: float | None = None
    scale: float = 1.0
    stop: float | None = None
    targets: tuple[float, ...] = ()
    edge_bp: float = 0.0
    strength: float = 0.0
    group: str = ""


class Holding(msgspec.Struct, kw_only=True):
    """The strategy's own position: signed direction, size, entry, and what it is managed by."""

    sign: int
    quantity: float
    entry: float
    opened_at: int
    stop: float | None = None
    first_stop: float | None = None
    targets: tuple[float, ...] = ()
    best: float = 0.0
    """The price furthest in favour since the entry."""
    received: float = 0.0
    """Funding received since the entry, in USDT."""
    stamps: int = 0
    taken: int = 0
    """Partial exits already asked for."""
    group: str = ""
    breached_at: int = 0
    """Since when price is beyond the stop while the venue's own has not closed it; 0: it is not."""


class Refused(msgspec.Struct, kw_only=True):
    """The last refusal, for people who ask why nothing happens."""

    at: int
    code: ReasonCode
    number: float
    limit: float
    by_gate: bool = False


class Desk(msgspec.Struct, kw_only=True):
    """One instrument as a strategy sees it. Strategies subclass it to add their own state."""

    instrument: str
    specification: Instrument
    quote: Quote | None = None
    regime: Regime = Regime.NORMAL
    regime_ready: bool = False
    regime_since: int = 0
    phase: Phase | None = None
    axes: RegimeChanged | None = None
    gap_at: int = -1
    entry: Wish | None = None
    exit: Wish | None = None
    exits: int = 0
    """Exits asked for since the position opened."""
    exit_again_at: int = 0
    holding: Holding | None = None
    pace: Pace = msgspec.field(default_factory=Pace)
    refused: Refused | None = None
    micro_price: MicroPriceTable | None = None
    """The fitted table of this start; a strategy sets it after every restore."""

    @property
    def idle(self) -> bool:
        return self.holding is None and self.entry is None and self.exit is None


def mid(quote: Quote) -> float:
    """Return the middle of bid and ask."""
    return (quote.bid + quote.ask) / 2.0


def spread_bp(quote: Quote) -> float:
    """Return the spread in bp of mid."""
    return 2e4 * (quote.ask - quote.bid) / (quote.bid + quote.ask)


def micro_bp(desk: Desk, quote: Quote, share: float) -> float:
    """Return how far the micro-price lies above the mid in bp, by the desk's fitted table.

    Without one, `share` of the weighted mid's distance from the mid stands in.
    """
    table = desk.micro_price
    if table is None:
        size = quote.bid_size + quote.ask_size
        lean = quote.bid_size / size - 0.5 if size > 0.0 else 0.0
        return share * spread_bp(quote) * lean
    per_tick, per_lot = 1.0 / desk.specification.tick, 1.0 / desk.specification.lot
    return micro_lean_bp(
        int(quote.bid * per_tick + 0.5),
        int(quote.ask * per_tick + 0.5),
        int(quote.bid_size * per_lot + 0.5),
        int(quote.ask_size * per_lot + 0.5),
        table,
    )


def touch(quote: Quote, sign: int, *, passive: bool) -> float:
    """Return the best price for an order of direction `sign`: its own side, or the one it takes."""
    return quote.bid if (sign > 0) is passive else quote.ask


def may_open_short(instrument: Instrument) -> bool:
    """Return whether a sale may open a position: not of spot that cannot be borrowed."""
    return instrument.borrowable or not instrument.is_spot


def book_refusal(book_at: int, now: int, oldest_ns: int) -> Refusal | None:
    """Return why depth last seen at `book_at` (-1: not since a gap) does not serve, or None."""
    if book_at < 0:
        return ReasonCode.BOOK_GAP, 0.0, 0.0
    age = now - book_at
    if age > oldest_ns:
        return ReasonCode.STALE, age / SECOND_NS, oldest_ns / SECOND_NS
    return None


def on_regime(desk: Desk, event: RegimeChanged) -> None:
    """Take over regime, phase and cycle; `regime_since` moves only when the regime does."""
    if event.regime is not desk.regime or event.ready is not desk.regime_ready:
        desk.regime_since = event.ts_init
    desk.regime = event.regime
    desk.regime_ready = event.ready
    desk.phase = event.phase
    desk.axes = event


def wished(signal: Signal, *, stage: int = 0) -> Wish:
    """Return what a desk keeps of its own signal."""
    return Wish(
        signal_id=signal.signal_id,
        order_id=client_order_id(signal.signal_id),
        sign=signal.side.sign,
        intent=signal.intent,
        style=signal.style,
        published=signal.ts_init,
        ttl_ns=signal.ttl_ns,
        stage=stage,
        limit=signal.limit,
        scale=signal.scale,
        stop=signal.stop,
        targets=signal.targets,
        edge_bp=signal.expected_edge_bp,
        strength=signal.strength,
        group=signal.group,
    )


def on_refusal(desk: Desk, event: SignalRejected) -> Wish | None:
    """Take the gate's refusal of an own signal; return the entry it ended, if any."""
    if event.refused_by is RefusedBy.STRATEGY:
        return None
    entry, leaving = desk.entry, desk.exit
    desk.refused = Refused(
        at=event.ts_init, code=event.code, number=event.number, limit=event.limit, by_gate=True
    )
    if leaving is not None and leaving.signal_id == event.signal_id:
        _exit_ended(desk, event.ts_init)
    if entry is not None and entry.signal_id == event.signal_id:
        desk.entry = None
        return entry
    return None


def on_withdrawal(desk: Desk, event: SignalWithdrawn) -> None:
    """Take the answer to a CLOSE that had nothing to close."""
    if desk.exit is not None and desk.exit.signal_id == event.signal_id:
        _exit_ended(desk, event.ts_init)


def on_order_end(desk: Desk, event: OrderCancelled | OrderExpired | OrderRejected) -> Wish | None:
    """Take the end of an own order; return the entry it ended if nothing of it had filled."""
    entry, leaving = desk.entry, desk.exit
    if leaving is not None and leaving.order_id == event.client_order_id:
        _exit_ended(desk, event.ts_init)
        return None
    if entry is None or entry.order_id != event.client_order_id:
        return None
    desk.entry = None
    untouched = isinstance(event, OrderRejected) or not event.filled
    return entry if untouched and desk.holding is None else None


def on_fill(desk: Desk, event: OrderFilled) -> None:
    """Take an own fill; the order ends with its last lot."""
    if event.remaining:
        return
    if desk.entry is not None and desk.entry.order_id == event.client_order_id:
        # the position follows in the same dispatch and still needs the entry's plan
        desk.entry.ttl_ns = -1
    elif desk.exit is not None and desk.exit.order_id == event.client_order_id:
        _exit_ended(desk, event.ts_init)


def on_opened(desk: Desk, event: PositionOpened) -> None:
    """Take over a position of one's own, with the plan of the entry that made it."""
    entry = desk.entry
    sign = 1 if event.quantity > 0 else -1
    stop = float(event.stop) if event.stop is not None else (entry.stop if entry else None)
    desk.holding = Holding(
        sign=sign,
        quantity=abs(float(event.quantity)),
        entry=float(event.entry_price),
        opened_at=event.ts_init,
        stop=stop,
        first_stop=stop,
        targets=entry.targets if entry else (),
        best=float(event.entry_price),
        group=event.group,
    )
    desk.exits = 0
    if entry is not None and entry.ttl_ns == -1:
        desk.entry = None


def on_changed(desk: Desk, event: PositionChanged) -> None:
    """Take a change of one's own position: a fill, or funding."""
    holding = desk.holding
    if holding is None:
        return
    if event.change is PositionChange.FUNDING:
        holding.received += float(event.amount)
        holding.stamps += 1
    holding.quantity = abs(float(event.quantity))
    holding.entry = float(event.entry_price)
    if desk.entry is not None and desk.entry.ttl_ns == -1:
        desk.entry = None


def on_closed(desk: Desk, event: PositionClosed, rules: PaceRules) -> bool:
    """Take the end of one's own position; return whether its entry still works."""
    desk.holding = None
    desk.exit = None
    desk.exit_again_at = 0
    desk.pace.exited(event.ts_init, float(event.net), rules)
    if desk.entry is not None and desk.entry.ttl_ns == -1:
        desk.entry = None
    return desk.entry is not None


def _exit_ended(desk: Desk, now: int) -> None:
    desk.exit = None
    desk.exit_again_at = now + EXIT_RETRY_NS


OWN_EVENTS: tuple[type[Event], ...] = (
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderFilled,
    PositionOpened,
    PositionChanged,
    PositionClosed,
    SignalRejected,
    SignalWithdrawn,
)
