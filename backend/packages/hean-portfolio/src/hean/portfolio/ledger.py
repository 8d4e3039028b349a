"""The ledger: one truth about money, per account and per strategy.

A fill is booked once per execution id. Every change is a balanced entry of `accounts`; every
position's change is announced.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.errors import EventError
from hean.core.events import (
    FillKind,
    FundingPaid,
    FundingRate,
    InstrumentUpdated,
    Intent,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderRequest,
    PositionOpened,
    ReconciliationBreak,
    Side,
    Signal,
)
from hean.core.ids import sliced_request
from hean.core.instruments import ZERO, decimal_of
from hean.core.market_view import MarketView
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.portfolio.accounts import Accounts, balances_of, totals_of
from hean.portfolio.funding import charge, charge_late, find_stamp, is_forgotten, receive, stamp_of
from hean.portfolio.positions import (
    EXACT,
    InstrumentBook,
    Tally,
    VirtualPosition,
    forced_shares,
    share_of,
)
from hean.portfolio.transitions import (
    add_to,
    adopted,
    exit_reason_of,
    open_position,
    reduce_by,
)

EXTERNAL: Final = "EXTERNAL"
"""The strategy that owns positions nobody here opened."""

_FILLS_KEPT: Final = 20_000
_ORDERS_KEPT: Final = 256
_FORCED: Final = (FillKind.LIQUIDATION, FillKind.DELEVERAGE)


class _State(msgspec.Struct, kw_only=True):
    accounts: Accounts
    books: dict[str, InstrumentBook]
    fills: dict[str, tuple[Decimal, Decimal, Decimal, int]]
    forgotten_before: int
    orders: dict[str, OrderRequest]
    ended: dict[str, OrderRequest]
    reasons: dict[str, str]


class Ledger:
    """Books fills and funding, and announces what they did to each strategy's position.

    Read `accounts`, `books`, `orders`, the totals and `totals()`; only its own methods write them.
    """

    name = "ledger"

    def __init__(self, *, bus: Bus, agenda: Agenda, view: MarketView) -> None:
        self._bus = bus
        self._agenda = agenda
        self._view = view
        self.accounts = Accounts()
        self.books: dict[str, InstrumentBook] = {}
        self.orders: dict[str, OrderRequest] = {}
        self._fills: dict[str, tuple[Decimal, Decimal, Decimal, int]] = {}
        self._forgotten_before = 0
        self._ended: dict[str, OrderRequest] = {}
        self._reasons: dict[str, str] = {}

    def attach(self, bus: Bus) -> None:
        """Subscribe to orders, their reports and funding."""
        stage, owner = Stage.LEDGER, self.name
        bus.subscribe(InstrumentUpdated, self._on_instrument, stage=stage, owner=owner)
        bus.subscribe(Signal, self._on_signal, stage=stage, owner=owner)
        bus.subscribe(OrderRequest, self._on_order, stage=stage, owner=owner)
        bus.subscribe(OrderFilled, self._on_filled, stage=stage, owner=owner)
        bus.subscribe(OrderCancelled, self._on_order_end, stage=stage, owner=owner)
        bus.subscribe(OrderExpired, self._on_order_end, stage=stage, owner=owner)
        bus.subscribe(OrderRejected, self._on_order_end, stage=stage, owner=owner)
        bus.subscribe(FundingRate, self._on_funding_rate, stage=stage, owner=owner)
        bus.subscribe(FundingPaid, self._on_funding_paid, stage=stage, owner=owner)

    @property
    def wallet(self) -> Decimal:
        """W of E = W + unrealised: capital + realised - fees + funding, charged or paid."""
        accounts = self.accounts
        return accounts.wallet + accounts.suspense if accounts.suspense else accounts.wallet

    @property
    def funding(self) -> Decimal:
        """The account's funding, received positive: charged to strategies, plus `rounding`."""
        return self.accounts.funding + self.accounts.rounding

    @property
    def venue_wallet(self) -> Decimal:
        """The USDT balance the venue should show, on the net book; cash tied up in spot is gone."""
        accounts = self.accounts
        balance = EXACT.subtract(accounts.wallet, accounts.realised)
        balance = EXACT.add(balance, accounts.net_realised)
        for book in self.books.values():
            if book.is_spot:
                balance = EXACT.subtract(balance, book.net_cost)
        return balance

    def positions(self) -> Iterator[VirtualPosition]:
        """Yield every virtual position, by instrument and strategy in order of opening."""
        for book in self.books.values():
            yield from book.positions.values()

    def position(self, strategy: str, instrument: str) -> VirtualPosition | None:
        """Return what a strategy holds on an instrument, or None."""
        book = self.books.get(instrument)
        return None if book is None else book.positions.get(strategy)

    def totals(self) -> dict[str, Tally]:
        """Return realised, fees and funding per strategy, by name."""
        return totals_of(self.books)

    def balances(self) -> dict[str, Decimal]:
        """Return every account's balance; they sum to zero, always."""
        return balances_of(self.accounts, self.books)

    def adopt(self, instrument: str, quantity: Decimal, price: Decimal) -> None:
        """Take a position nobody here opened into the books, as `EXTERNAL`, at its entry."""
        now = self._agenda.now
        book = self._book(instrument)
        name = f"external-{instrument}-{now}"
        position = adopted(EXTERNAL, instrument, quantity, price, now)
        book.net_fill(quantity, price)
        book.cost += position.cost
        book.positions[EXTERNAL] = position
        self.accounts.revision += 1
        self._bus.publish(
            PositionOpened(
                ts_event=now,
                ts_init=now,
                strategy=EXTERNAL,
                instrument=instrument,
                quantity=quantity,
                entry_price=price,
                risk=ZERO,
                client_order_id=name,
                fill_id=name,
            )
        )

    def _book(self, instrument: str) -> InstrumentBook:
        book = self.books.get(instrument)
        if book is None:
            book = self.books[instrument] = InstrumentBook(instrument=instrument)
            rules = self._view.instruments.get(instrument)
            if rules is not None:
                book.follow(rules)
        return book

    def _on_instrument(self, event: InstrumentUpdated) -> None:
        book = self.books.get(event.instrument)
        if book is not None:
            book.follow(event.specification)

    def _on_signal(self, event: Signal) -> None:
        if event.intent is Intent.CLOSE or event.intent is Intent.REDUCE:
            self._reasons[event.signal_id] = event.reason
            if len(self._reasons) > _ORDERS_KEPT:
                del self._reasons[next(iter(self._reasons))]

    def _on_order(self, event: OrderRequest) -> None:
        self.orders[event.client_order_id] = event

    def _on_order_end(self, event: OrderCancelled | OrderExpired | OrderRejected) -> None:
        order = self.orders.pop(event.client_order_id, None)
        if order is not None:
            self._ended[event.client_order_id] = order
            if len(self._ended) > _ORDERS_KEPT:
                del self._ended[next(iter(self._ended))]

    def _on_filled(self, event: OrderFilled) -> None:
        signed = event.quantity if event.side is Side.BUY else -event.quantity
        known = self._fills.get(event.fill_id)
        if known is not None:
            if known[:3] != (signed, event.price, event.fee):
                self._break(event, known[0], signed, "same execution id with another content")
            return
        if event.ts_event < self._forgotten_before:
            self._break(event, ZERO, signed, "execution older than the books remember")
            return
        if not (event.quantity > 0 and event.price > 0 and event.fee.is_finite()):
            raise EventError(
                f"fill {event.fill_id}: {event.quantity} at {event.price}, fee {event.fee}"
            )
        book = self.books.get(event.instrument) or self._book(event.instrument)
        if event.kind in _FORCED and event.strategy not in book.positions:
            self._book_forced(book, event, signed)
        else:
            self._book_fill(book, event, event.strategy, signed, event.fee, event.fill_id)
        self._fills[event.fill_id] = (signed, event.price, event.fee, event.ts_event)
        if len(self._fills) > _FILLS_KEPT:
            self._forget_fills()
        if not event.remaining:
            self.orders.pop(event.client_order_id, None)

    def _forget_fills(self) -> None:
        kept = list(self._fills.items())
        half = len(kept) // 2
        for _, (_, _, _, ts_event) in kept[:half]:
            self._forgotten_before = max(self._forgotten_before, ts_event)
        self._fills = dict(kept[half:])

    def _break(self, event: OrderFilled, books: Decimal, venue: Decimal, why: str) -> None:
        now = self._agenda.now
        self._bus.publish(
            ReconciliationBreak(
                ts_event=now,
                ts_init=now,
                instrument=event.instrument,
                subject=f"fill {event.fill_id}, {why}",
                books=books,
                venue=venue,
            )
        )

    def _book_forced(self, book: InstrumentBook, event: OrderFilled, signed: Decimal) -> None:
        shares = forced_shares(book, signed)
        rest = signed
        for _, part in shares:
            rest -= part
        if rest:
            shares.append((EXTERNAL, rest))
        fee_left = event.fee
        for number, (strategy, part) in enumerate(shares):
            last = number == len(shares) - 1
            fee = fee_left if last else share_of(event.fee, abs(part), abs(signed))
            fee_left -= fee
            self._book_fill(book, event, strategy, part, fee, f"{event.fill_id}-{number}")

    def _book_fill(
        self,
        book: InstrumentBook,
        event: OrderFilled,
        strategy: str,
        signed: Decimal,
        fee: Decimal,
        fill_id: str,
    ) -> None:
        accounts, now = self.accounts, self._agenda.now
        tally = book.tallies.get(strategy) or book.tally(strategy)
        order = self._order(event.client_order_id)
        late = ZERO
        if event.ts_event <= book.last_stamp:
            late = charge_late(
                book, accounts, strategy=strategy, signed=signed, ts_event=event.ts_event
            )
        position = book.positions.get(strategy)
        if position is None:
            realised = ZERO
            self._open(book, event, order, strategy, signed, fee, fill_id, late)
        else:
            if late:
                position.funding += late
            if (position.quantity > 0) is (signed > 0):
                realised = ZERO
                self._bus.publish(
                    add_to(
                        book,
                        position,
                        event,
                        order,
                        signed=signed,
                        fee=fee,
                        fill_id=fill_id,
                        now=now,
                    )
                )
            else:
                realised = self._reduce(book, position, event, order, signed, fee, fill_id)
        if not book.is_spot:
            book.note(event.ts_event, strategy, signed)
        accounts.trade(tally, realised, fee, book.net_fill(signed, event.price))

    def _order(self, client_order_id: str) -> OrderRequest | None:
        """Return the request an order is, or is a slice of, also after its end."""
        order = self.orders.get(client_order_id) or self._ended.get(client_order_id)
        request = "" if order is not None else sliced_request(client_order_id)
        return self._order(request) if request else order

    def _open(
        self,
        book: InstrumentBook,
        event: OrderFilled,
        order: OrderRequest | None,
        strategy: str,
        signed: Decimal,
        fee: Decimal,
        fill_id: str,
        late: Decimal,
    ) -> None:
        regime = self._view.regimes.get(book.instrument)
        self._bus.publish(
            open_position(
                book,
                event,
                order,
                regime,
                strategy=strategy,
                signed=signed,
                fee=fee,
                fill_id=fill_id,
                now=self._agenda.now,
            )
        )
        if late:
            opened = book.positions[strategy]
            opened.funding = late
            opened.refresh()

    def _reduce(
        self,
        book: InstrumentBook,
        position: VirtualPosition,
        event: OrderFilled,
        order: OrderRequest | None,
        signed: Decimal,
        fee: Decimal,
        fill_id: str,
    ) -> Decimal:
        whole, held = abs(signed), abs(position.quantity)
        part = min(whole, held)
        spent = share_of(fee, part, whole)
        realised, change = reduce_by(
            book,
            position,
            event,
            part=part,
            fee=spent,
            fill_id=fill_id,
            exit_reason=exit_reason_of(event, order, self._reasons),
            now=self._agenda.now,
        )
        self._bus.publish(change)
        if part != whole:
            rest = signed + held if signed < 0 else signed - held
            self._open(book, event, order, position.strategy, rest, fee - spent, fill_id, ZERO)
        return realised

    def _on_funding_rate(self, event: FundingRate) -> None:
        if not event.settled:
            return
        book = self._book(event.instrument)
        stamp = stamp_of(event.ts_event)
        if book.is_spot or find_stamp(book, stamp) is not None or is_forgotten(book, stamp):
            return
        mark = self._view.mark(event.instrument)
        if mark is None:
            return
        self._charge(book, stamp, event.rate, decimal_of(mark.price))

    def _charge(self, book: InstrumentBook, stamp: int, rate: float, mark: Decimal) -> None:
        for change in charge(
            book, self.accounts, stamp=stamp, rate=rate, mark=mark, now=self._agenda.now
        ):
            self._bus.publish(change)

    def _on_funding_paid(self, event: FundingPaid) -> None:
        book = self._book(event.instrument)
        stamp = stamp_of(event.stamp)
        found = find_stamp(book, stamp)
        if found is None and is_forgotten(book, stamp):
            self._break_funding(event, ZERO, "older than the books remember")
            return
        if found is None:
            self._charge(book, stamp, event.rate, event.mark)
            found = book.stamps[-1]
        if found.paid is None:
            receive(book, self.accounts, found, event.amount, event.quantity)
        elif found.paid != event.amount:
            self._break_funding(event, found.paid, "paid twice and differently")

    def _break_funding(self, event: FundingPaid, books: Decimal, why: str) -> None:
        now = self._agenda.now
        self._bus.publish(
            ReconciliationBreak(
                ts_event=now,
                ts_init=now,
                instrument=event.instrument,
                subject=f"funding, {why}",
                books=books,
                venue=event.amount,
            )
        )

    def snapshot(self) -> bytes:
        """Return all books."""
        state = _State(
            accounts=self.accounts,
            books=self.books,
            fills=self._fills,
            forgotten_before=self._forgotten_before,
            orders=self.orders,
            ended=self._ended,
            reasons=self._reasons,
        )
        return pack(self.name, 1, state)

    def restore(self, state: bytes) -> None:
        """Take over the books of a snapshot."""
        found = unpack(state, self.name, 1, _State)
        self.accounts, self.books = found.accounts, found.books
        self._fills, self._forgotten_before = found.fills, found.forgotten_before
        self.orders, self._ended = found.orders, found.ended
        self._reasons = found.reasons
