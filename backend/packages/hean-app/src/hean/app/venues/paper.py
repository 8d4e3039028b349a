"""The paper venue: a matching model with an account, in kernel time.

An order, cancel or amendment reaches it one latency after it was sent; its reports are inputs one
latency after what they tell. With zero latency they are due at once and taken right after the
present dispatch. An order that takes is not acknowledged first: its fills say that it was there.

Here is what comes in; `desk.py` beside it executes, `encounters.py` says what the market does to
resting orders.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from hean.app.venues.desk import Desk
from hean.app.venues.encounters import Encounters
from hean.app.venues.fees import FeeModel, LiquidityFees
from hean.app.venues.latency import FixedLatency, LatencyModel, Leg
from hean.app.venues.liquidation import Liquidator
from hean.app.venues.margin_account import MarginAccount
from hean.app.venues.matching import Consumed, FillModel, MarketFills
from hean.app.venues.queueing import BehindDisplayedSize, QueueModel
from hean.app.venues.reporting import Reporter, Unheard
from hean.app.venues.resting import Watch
from hean.app.venues.settings import VenueSettings
from hean.core.bus import Bus, Stage
from hean.core.events import (
    Bar,
    BarSource,
    BookUpdate,
    FeedGap,
    FundingRate,
    MarkPrice,
    OrderRequest,
    Quote,
    TimerFired,
    Trade,
    VenueSnapshot,
    WalletUpdated,
)
from hean.core.instruments import ZERO
from hean.core.market_view import MarketView
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda


class Command(StrEnum):
    """What is on its way to the venue."""

    SUBMIT = "SUBMIT"
    CANCEL = "CANCEL"
    AMEND = "AMEND"


class _Transit(msgspec.Struct, frozen=True):
    command: Command
    client_order_id: str
    quantity: Decimal | None = None
    request: OrderRequest | None = None


class _State(msgspec.Struct, frozen=True):
    account: bytes
    watches: list[tuple[str, Watch]]
    consumed: dict[str, Consumed]
    gaps: dict[str, int]
    seen: list[dict[str, None]]
    orders: int
    fills: int
    newest_due: int
    unheard: list[Unheard]
    sent: int
    transit: dict[str, _Transit]


class PaperVenue:
    """A simulated Bybit account. The models may each be replaced; the settings give the default.

    `leverage` is what is set at the venue. Prices come from `view`; the newest event of a handler
    that runs before the view is taken from the event itself.
    """

    name = "paper_venue"

    def __init__(
        self,
        *,
        bus: Bus,
        agenda: Agenda,
        view: MarketView,
        section: VenueSettings,
        initial_wallet: Decimal,
        leverage: Decimal = Decimal(3),
        latency: LatencyModel | None = None,
        fees: FeeModel | None = None,
        fills: FillModel | None = None,
        queue: QueueModel | None = None,
    ) -> None:
        self._bus = bus
        self._agenda = agenda
        self._view = view
        self._latency = latency or FixedLatency.of(section)
        self._reporter = Reporter(agenda, self._latency)
        account = MarginAccount(
            wallet=initial_wallet,
            leverage=leverage,
            collateral_share=Decimal(repr(section.collateral_share)),
        )
        fills = fills or MarketFills.of(section)
        queue = queue or BehindDisplayedSize()
        self._desk = Desk(
            agenda=agenda,
            view=view,
            account=account,
            reporter=self._reporter,
            fees=fees or LiquidityFees(),
            fills=fills,
            queue=queue,
        )
        self._encounters = Encounters(
            agenda=agenda,
            view=view,
            desk=self._desk,
            liquidator=Liquidator(agenda=agenda, view=view, desk=self._desk),
            fills=fills,
            queue=queue,
            slippage_bp=section.slippage_bp,
        )
        self._watches = self._desk.watches
        self._sent = 0
        self._transit: dict[str, _Transit] = {}

    def attach(self, bus: Bus) -> None:
        """Subscribe to the market, and to the timers of what is on its way."""
        stage, owner = Stage.VENUE, self.name
        bus.subscribe(TimerFired, self._on_timer, stage=stage, owner=owner, key=owner)
        bus.subscribe(Quote, self._on_quote, stage=stage, owner=owner)
        bus.subscribe(Trade, self._on_trade, stage=stage, owner=owner)
        bus.subscribe(BookUpdate, self._on_book, stage=stage, owner=owner)
        bus.subscribe(MarkPrice, self._on_mark, stage=stage, owner=owner)
        bus.subscribe(Bar, self._on_bar, stage=stage, owner=owner)
        bus.subscribe(FundingRate, self._on_funding, stage=stage, owner=owner)
        bus.subscribe(FeedGap, self._on_gap, stage=stage, owner=owner)

    def submit(self, request: OrderRequest) -> None:
        """Send an order; an id that the venue has already had is ignored, as it proves itself."""
        delay = self._latency.delay(Leg.ORDER, self._agenda.now)
        if delay <= 0:
            self._desk.admit(request)
            return
        sent = _Transit(Command.SUBMIT, request.client_order_id, request=request)
        self._send(delay, sent)

    def cancel(self, client_order_id: str) -> None:
        """Ask for the end of an order or protective stop; one that is gone is no error."""
        delay = self._latency.delay(Leg.CHANGE, self._agenda.now)
        if delay <= 0:
            self._desk.cancel(client_order_id)
            return
        self._send(delay, _Transit(Command.CANCEL, client_order_id))

    def amend(self, client_order_id: str, quantity: Decimal) -> None:
        """Lower a protective stop; `OrderAccepted(protective=True)` confirms the new quantity."""
        delay = self._latency.delay(Leg.CHANGE, self._agenda.now)
        if delay <= 0:
            self._desk.amend(client_order_id, quantity)
            return
        self._send(delay, _Transit(Command.AMEND, client_order_id, quantity))

    def account(self) -> VenueSnapshot:
        """Return what the venue holds now; `ts_init` is when a report of it arrives.

        Taken as an input then, it stands behind the reports of everything it contains.
        """
        return self._desk.holdings(self._reporter.settled_at())

    @property
    def settled_at(self) -> int:
        """When every report made so far has arrived; a finite run ends no earlier."""
        return self._reporter.settled_at()

    def open_cost(self, instrument: str) -> Decimal:
        """Return what the net position on an instrument was bought for, negative for a short."""
        holding = self._desk.account.holdings.get(instrument)
        return ZERO if holding is None else holding.cost

    @property
    def watched(self) -> tuple[str, ...]:
        """The instruments whose ticks are looked at: those with an order, stop or position."""
        return tuple(self._watches)

    def wallet(self) -> WalletUpdated:
        """Return the account's money now, as the start-up dispatch reports it."""
        return self._desk.wallet_update(self._reporter.settled_at())

    def _send(self, delay: int, sent: _Transit) -> None:
        self._sent += 1
        key = str(self._sent)
        self._transit[key] = sent
        self._agenda.arm(self.name, key, self._agenda.now + delay)

    def _on_timer(self, event: TimerFired) -> None:
        sent = self._transit.pop(event.key, None)
        if sent is None:
            return
        if sent.request is not None:
            self._desk.admit(sent.request)
        elif sent.quantity is not None:
            self._desk.amend(sent.client_order_id, sent.quantity)
        else:
            self._desk.cancel(sent.client_order_id)

    def _on_quote(self, event: Quote) -> None:
        watch = self._watches.get(event.instrument)
        if watch is None or (watch.low < event.bid and event.ask < watch.high):
            return
        if not event.synthetic:
            self._encounters.meet_quote(watch, event)

    def _on_trade(self, event: Trade) -> None:
        watch = self._watches.get(event.instrument)
        if watch is None or watch.low < event.price < watch.high:
            return
        self._encounters.meet_trade(watch, event)

    def _on_book(self, event: BookUpdate) -> None:
        watch = self._watches.get(event.instrument)
        if watch is None or not event.bids or not event.asks:
            return
        if watch.low < event.bids[0][0] and event.asks[0][0] < watch.high:
            return
        self._encounters.meet_book(watch, event)

    def _on_mark(self, event: MarkPrice) -> None:
        watch = self._watches.get(event.instrument)
        if watch is None or watch.low < event.mark < watch.high:
            return
        if not self._encounters.is_on_bars(event.instrument):
            self._encounters.meet_mark(watch, event)

    def _on_bar(self, event: Bar) -> None:
        watch = self._watches.get(event.instrument)
        if watch is None or (watch.low < event.low and event.high < watch.high):
            return
        if event.source is BarSource.FEED and self._encounters.is_on_bars(event.instrument):
            self._encounters.meet_bar(watch, event)

    def _on_funding(self, event: FundingRate) -> None:
        if event.settled:
            self._desk.settle_funding(event)

    def _on_gap(self, event: FeedGap) -> None:
        self._desk.gaps[event.instrument] = self._agenda.now

    def snapshot(self) -> bytes:
        """Return account, orders, what is on its way and every counter."""
        desk = self._desk
        state = _State(
            account=desk.account.snapshot(),
            watches=list(desk.watches.items()),
            consumed=desk.consumed,
            gaps=desk.gaps,
            seen=desk.seen,
            orders=desk.orders,
            fills=self._reporter.fills,
            newest_due=self._reporter.newest_due,
            unheard=self._reporter.unheard,
            sent=self._sent,
            transit=self._transit,
        )
        return pack(self.name, 1, state)

    def restore(self, state: bytes) -> None:
        """Take over a snapshot; its reports and arrivals wait in the agenda's own."""
        found = unpack(state, self.name, 1, _State)
        desk = self._desk
        desk.account.restore(found.account)
        desk.watches.clear()
        for name, watch in found.watches:
            watch.in_order()
            desk.watches[name] = watch
        desk.consumed = found.consumed
        desk.gaps = found.gaps
        desk.seen = found.seen
        desk.orders = found.orders
        self._reporter.fills = found.fills
        self._reporter.newest_due = found.newest_due
        self._reporter.unheard = found.unheard
        self._sent = found.sent
        self._transit = found.transit
