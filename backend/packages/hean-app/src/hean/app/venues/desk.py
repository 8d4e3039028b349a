"""The paper venue's desk: admits orders, executes them, and settles the account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from hean.app.venues import admission
from hean.app.venues.admission import Refusal
from hean.app.venues.fees import FeeModel
from hean.app.venues.margin_account import MarginAccount
from hean.app.venues.matching import Consumed, Execution, FillModel, Market
from hean.app.venues.queueing import QueueModel
from hean.app.venues.reporting import Reporter
from hean.app.venues.resting import PaperOrder, Watch, displayed_at, order_of, stop_of, venue_order
from hean.app.venues.treasury import Treasury
from hean.core.events import (
    BookUpdate,
    FillKind,
    FundingRate,
    Liquidity,
    OrderRequest,
    OrderStyle,
    Quote,
    Side,
    Trade,
    VenuePosition,
    VenueSnapshot,
    WalletUpdated,
)
from hean.core.ids import protective_order_id
from hean.core.instruments import Instrument
from hean.core.market_view import MarketView
from hean.core.timers import Agenda

_REMEMBERED_IDS = 4096
"""At least so many client order ids are remembered against resends, at most twice as many."""
_OPEN = (float("-inf"), float("inf"))


class Desk:
    """Executes against the models and books every fill in the account.

    `watches` has an entry only for instruments with an order, a stop or a guarded position.
    """

    def __init__(
        self,
        *,
        agenda: Agenda,
        view: MarketView,
        account: MarginAccount,
        reporter: Reporter,
        fees: FeeModel,
        fills: FillModel,
        queue: QueueModel,
    ) -> None:
        self._agenda = agenda
        self._view = view
        self.account = account
        self.reporter = reporter
        self._fees = fees
        self._fills = fills
        self._queue = queue
        self.watches: dict[str, Watch] = {}
        self.consumed: dict[str, Consumed] = {}
        self.gaps: dict[str, int] = {}
        self.seen: list[dict[str, None]] = [{}, {}]
        self.orders = 0
        self.treasury = Treasury(
            agenda=agenda,
            view=view,
            account=account,
            reporter=reporter,
            watches=self.watches,
            reserved=lambda: self._reserve("").margin,
        )

    # What arrives -------------------------------------------------------------------------------

    def admit(self, request: OrderRequest) -> None:
        """Take an order that has arrived: refuse it, rest it, or execute it."""
        newer, older = self.seen
        if request.client_order_id in newer or request.client_order_id in older:
            return
        self._remember(request.client_order_id)
        instrument = self._view.instruments.get(request.instrument)
        if instrument is None:
            found = Refusal(admission.PARAMETER, f"{request.instrument} is not traded here")
            self.reporter.rejected(request, found)
            return
        self.orders += 1
        order = order_of(request, self.orders, self._agenda.now)
        market = self.market(instrument.id)
        wanted = self.permitted(order, instrument)
        refusal = admission.broken_rule(request, instrument) or self._refuse(
            order, wanted, instrument, market
        )
        if refusal is not None:
            self.reporter.rejected(request, refusal)
        elif order.style is OrderStyle.POST_ONLY:
            self._rest(order, instrument, market)
        else:
            self._take(order, wanted, instrument, market)

    def cancel(self, client_order_id: str) -> None:
        """End a resting order or stop; one that is gone is no error."""
        for name, watch in self.watches.items():
            order = watch.find(client_order_id)
            if order is not None:
                watch.remove(order)
                self.reporter.cancelled(order, "CancelByUser")
                self.prune(name, watch)
                return

    def amend(self, client_order_id: str, quantity: Decimal) -> None:
        """Lower a protective stop's quantity; nothing left ends it, raising is refused silently."""
        for watch in self.watches.values():
            stop = watch.stops.get(client_order_id)
            if stop is None:
                continue
            if quantity <= stop.filled:
                self.cancel(client_order_id)
                return
            if quantity < stop.quantity:
                stop.quantity = stop.covered = quantity
            self.reporter.accepted(stop)
            return

    # What the account shows ---------------------------------------------------------------------

    def holdings(self, due: int) -> VenueSnapshot:
        """Return positions, resting orders and USDT."""
        held = tuple(
            VenuePosition(instrument=name, quantity=one.quantity, entry_price=one.entry_price)
            for name, one in self.account.holdings.items()
            if one.quantity
        )
        resting = sorted(self._resting(stops=True), key=lambda order: order.number)
        return VenueSnapshot(
            ts_event=self._agenda.now,
            ts_init=due,
            positions=held,
            orders=tuple(venue_order(order) for order in resting),
            wallet=self.account.wallet,
        )

    def wallet_update(self, due: int) -> WalletUpdated:
        """Return the account's money."""
        return self.treasury.wallet_update(due, self.treasury.margin())

    # Admission ----------------------------------------------------------------------------------

    def _refuse(
        self, order: PaperOrder, wanted: Decimal, instrument: Instrument, market: Market
    ) -> Refusal | None:
        self.account.learn(instrument)
        if wanted <= 0:
            return Refusal(admission.REDUCE_ONLY, "there is no position that the order reduces")
        price = order.price
        if price is None:
            touch = market.touch(order.side)
            if touch is None:
                return Refusal(admission.NO_PRICE, f"no price of {instrument.id} has come yet")
            price = instrument.price(touch)
        elif order.style is OrderStyle.POST_ONLY and admission.crosses(
            order, market, instrument.tick
        ):
            return Refusal(admission.POST_ONLY_CROSSES, f"{price} would take liquidity")
        small = admission.below_notional(order, instrument, price)
        if small is not None or order.reduce_only:
            return small
        reserve = self._reserve(instrument.id)
        return admission.short_of_funds(
            order, wanted, instrument, price, self.account, reserve, self.treasury.mark
        )

    def _reserve(self, coin: str) -> admission.Reserve:
        for watch in self.watches.values():
            if watch.limits:
                break
        else:
            return admission.NOTHING_HELD
        resting = self._resting(stops=False)
        return admission.reserve_of(resting, self.account, self._view.instruments, coin)

    def _rest(self, order: PaperOrder, instrument: Instrument, market: Market) -> None:
        shown = displayed_at(order, market, 0.5 * instrument.tick)
        order.ahead = self._queue.advance(None, displayed=shown, traded=0.0).ahead
        self.watch(instrument.id).add(order)
        self.reporter.accepted(order)

    def _take(
        self, order: PaperOrder, wanted: Decimal, instrument: Instrument, market: Market
    ) -> None:
        limit = None if order.style is OrderStyle.MARKET else order.price
        executions = self._fills.take(instrument, market, order.side, wanted, limit)
        self.execute(order, instrument, executions)
        if order.remaining > 0:
            some = "the rest of an immediate order" if order.filled else "EC_NoImmediateQtyToFill"
            self.reporter.expired(order, some)
        if executions:
            self.settle(instrument)

    def permitted(self, order: PaperOrder, instrument: Instrument) -> Decimal:
        """Return what an order may still execute: a closing one what there is to close."""
        wanted = order.remaining
        if order.closing:
            held = self.account.share(instrument.id, order.strategy)
            wanted = min(wanted, -held if order.side is Side.BUY else held)
        if order.reduce_only:
            held = self.account.net(instrument.id)
            wanted = min(wanted, -held if order.side is Side.BUY else held)
        return instrument.quantity_floor(wanted) if instrument.is_spot else wanted

    # Execution ----------------------------------------------------------------------------------

    def execute(
        self, order: PaperOrder, instrument: Instrument, executions: Iterable[Execution]
    ) -> None:
        """Book a taker's executions."""
        for price, quantity in executions:
            self.fill(order, instrument, price, quantity, Liquidity.TAKER)

    def fill(
        self,
        order: PaperOrder,
        instrument: Instrument,
        price: Decimal,
        quantity: Decimal,
        liquidity: Liquidity,
        kind: FillKind = FillKind.ORDER,
    ) -> None:
        """Book and report one execution; what it opens gets its protective stop."""
        maker = liquidity is Liquidity.MAKER
        charge = self._fees.charge(instrument, order.side, price, quantity, maker=maker)
        signed = charge.quantity if order.side is Side.BUY else -charge.quantity
        self.account.book(instrument, order.strategy, signed, price, charge.fee)
        order.filled += quantity
        self.reporter.filled(order, price, charge, liquidity, kind)
        if order.protective_stop is not None:
            self._protect(order, order.protective_stop, instrument, charge.quantity)

    def _protect(
        self, order: PaperOrder, trigger: Decimal, instrument: Instrument, quantity: Decimal
    ) -> None:
        watch = self.watch(instrument.id)
        stop = watch.stops.get(protective_order_id(order.client_order_id))
        if stop is None:
            self.orders += 1
            stop = stop_of(order, trigger, self.orders, self._agenda.now)
        stop.covered += quantity
        lots = instrument.quantity_floor(stop.covered) if instrument.is_spot else stop.covered
        if lots > stop.quantity:
            stop.quantity = lots
            watch.add(stop)
            self.reporter.accepted(stop)

    def settle_funding(self, settled: FundingRate) -> None:
        """Exchange funding at a stamp."""
        self.treasury.settle_funding(settled)

    def settle(self, instrument: Instrument) -> None:
        """Report the wallet after fills, and guard what is held now."""
        if not self.account.net(instrument.id):
            watch = self.watches.get(instrument.id)
            if watch is not None:
                watch.guard(*_OPEN)
                self.prune(instrument.id, watch)
        margin = self.treasury.margin()
        self.treasury.guard(margin)
        self.treasury.report(margin)

    # Looking things up --------------------------------------------------------------------------

    def market(
        self,
        name: str,
        *,
        quote: Quote | None = None,
        book: BookUpdate | None = None,
        trade: Trade | None = None,
    ) -> Market:
        """Return what is known of an instrument, with the event in hand in place of the view's."""
        view = self._view
        if book is None:
            book = view.books.get(name)
            if book is not None and book.ts_init <= self.gaps.get(name, -1):
                book = None
        consumed = self.consumed.get(name)
        if consumed is None:
            consumed = self.consumed[name] = Consumed()
        return Market(
            quote or view.quotes.get(name),
            book,
            trade or view.trades.get(name),
            view.bars.get(name),
            consumed,
        )

    def watch(self, name: str) -> Watch:
        """Return the instrument's watch, a new one if there is none."""
        watch = self.watches.get(name)
        if watch is None:
            watch = self.watches[name] = Watch()
        return watch

    def prune(self, name: str, watch: Watch) -> None:
        """Forget an instrument where nothing is left to watch."""
        if watch.is_idle and not self.account.net(name):
            self.watches.pop(name, None)

    def _resting(self, *, stops: bool) -> Iterator[PaperOrder]:
        for watch in self.watches.values():
            yield from watch.limits.values()
            if stops:
                yield from watch.stops.values()

    def _remember(self, client_order_id: str) -> None:
        newer = self.seen[0]
        newer[client_order_id] = None
        if len(newer) >= _REMEMBERED_IDS:
            self.seen = [{}, newer]
