"""Equity: marks and the books make E, NAV per unit, its high-water mark and the day's references.

E = W + sum of (q*mark - C). v = E/U; a flow D changes U by D/v at the v before it, so deposits and
withdrawals leave v alone. Published at once on fills and flows, else at most once a second.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hean.config import HEANSettings
from hean.core.bus import Bus, Stage
from hean.core.events import (
    EquityUpdated,
    FundingPaid,
    FundingRate,
    Heartbeat,
    KillSwitchReset,
    OrderFilled,
    VenueSnapshot,
    WalletUpdated,
)
from hean.core.instruments import MONEY, ZERO, decimal_of
from hean.core.market_view import MarketView
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.portfolio.ledger import Ledger
from hean.portfolio.positions import EXACT, MARK_DECIMALS, InstrumentBook, bounded

DAY_NS = 86_400_000_000_000
_TRANSFERS_KEPT = 256


class _State(msgspec.Struct, kw_only=True):
    is_open: bool = False
    units: Decimal = ZERO
    outside: Decimal = ZERO
    nav: float = 1.0
    high_water_mark: float = 1.0
    day: int = -1
    day_start: float = 1.0
    day_high: float = 1.0
    equity: Decimal = ZERO
    unrealised: Decimal = ZERO
    transfers: list[tuple[int, Decimal]] = []


class Equity:
    """Values the ledger's books. Read the properties; `outside` is venue money that is not ours."""

    name = "equity"

    def __init__(
        self,
        *,
        settings: HEANSettings,
        bus: Bus,
        agenda: Agenda,
        view: MarketView,
        ledger: Ledger,
    ) -> None:
        self._initial = settings.initial_capital
        self._bus = bus
        self._agenda = agenda
        self._view = view
        self._ledger = ledger
        self._state = _State()
        self._revision = 0

    def attach(self, bus: Bus) -> None:
        """Subscribe after the ledger to what moves its books, and to the beat."""
        stage, owner = Stage.LEDGER, self.name
        bus.subscribe(OrderFilled, self._on_books, stage=stage, owner=owner)
        bus.subscribe(FundingRate, self._on_books, stage=stage, owner=owner)
        bus.subscribe(FundingPaid, self._on_books, stage=stage, owner=owner)
        bus.subscribe(VenueSnapshot, self._on_books, stage=stage, owner=owner)
        bus.subscribe(WalletUpdated, self._on_wallet, stage=stage, owner=owner)
        bus.subscribe(Heartbeat, self._on_beat, stage=stage, owner=owner)
        bus.subscribe(KillSwitchReset, self._on_reset, stage=stage, owner=owner)

    @property
    def is_open(self) -> bool:
        """Whether the account's first balance is known."""
        return self._state.is_open

    @property
    def equity(self) -> Decimal:
        """E as last published, in USDT."""
        return self._state.equity

    @property
    def unrealised(self) -> Decimal:
        return self._state.unrealised

    @property
    def units(self) -> Decimal:
        return self._state.units

    @property
    def nav(self) -> float:
        return self._state.nav

    @property
    def outside(self) -> Decimal:
        """The venue's balance beyond the books: from the start, and for spot found there."""
        return self._state.outside

    def set_aside(self, amount: Decimal) -> None:
        """Count USDT that the books tie up and the wallet never paid: spot found at the venue."""
        self._state.outside = EXACT.add(self._state.outside, amount)

    def _on_books(self, event: OrderFilled | FundingRate | FundingPaid | VenueSnapshot) -> None:
        if self._ledger.accounts.revision != self._revision and self._state.is_open:
            self._value()
            self._publish()

    def _on_wallet(self, event: WalletUpdated) -> None:
        state = self._state
        if not state.is_open:
            self._open(event.wallet)
        elif event.transfer:
            key = (event.ts_event, event.transfer)
            if key in state.transfers:
                return
            state.transfers = [*state.transfers[1 - _TRANSFERS_KEPT :], key]
            self._value()
            self._flow(event.transfer)
        else:
            return
        self._value()
        self._publish()

    def _open(self, wallet: Decimal) -> None:
        state = self._state
        capital = min(wallet, self._initial)
        state.outside = EXACT.add(state.outside, wallet - capital)
        state.units = capital
        state.is_open = True
        self._ledger.accounts.transfer(capital)

    def _flow(self, amount: Decimal) -> None:
        state = self._state
        if state.nav > 0.0 and state.units > 0:
            bought = MONEY.divide(EXACT.multiply(amount, state.units), state.equity)
            state.units = max(ZERO, state.units + bought)
        else:
            state.units = max(ZERO, state.equity + amount)
        self._ledger.accounts.transfer(amount)

    def _on_reset(self, event: KillSwitchReset) -> None:
        """Take the references the operator's re-arm set; the day's high starts anew from here."""
        self._state.high_water_mark = event.high_water_mark
        self._state.day_high = self._state.nav
        self._value()
        self._publish()

    def _on_beat(self, event: Heartbeat) -> None:
        if not self._state.is_open:
            return
        moved = self._agenda.now // DAY_NS != self._state.day
        for book in self._ledger.books.values():
            if (book.positions or book.quantity) and self._mark(book):
                moved = True
                price = book.mark_price
                for position in book.positions.values():
                    position.watch(price)
        if moved:
            self._add_up()
            self._publish()

    def _mark(self, book: InstrumentBook) -> bool:
        """Take the market's mark; the last one stays where none comes. Return whether it moved."""
        mark = self._view.mark(book.instrument)
        if mark is None:
            return False
        book.mark_ts = mark.ts_ns
        if mark.price == book.mark_price:
            return False
        book.mark_price = mark.price
        book.mark = bounded(decimal_of(mark.price), MARK_DECIMALS)
        return True

    def _value(self) -> None:
        for book in self._ledger.books.values():
            if book.positions or book.quantity:
                self._mark(book)
        self._add_up()

    def _add_up(self) -> None:
        """Make equity and the references of the marks that the books hold."""
        state, unrealised = self._state, ZERO
        for book in self._ledger.books.values():
            if (book.positions or book.quantity) and (book.mark_ts or not book.quantity):
                unrealised += book.unrealised()
        state.unrealised = unrealised
        state.equity = self._ledger.wallet + unrealised
        units = state.units
        nav = float(state.equity) / float(units) if units else state.nav
        state.nav = nav
        if nav > state.high_water_mark:
            state.high_water_mark = nav
        day = self._agenda.now // DAY_NS
        if day != state.day:
            state.day, state.day_start, state.day_high = day, nav, nav
        elif nav > state.day_high:
            state.day_high = nav

    def _publish(self) -> None:
        state, ledger, now = self._state, self._ledger, self._agenda.now
        accounts = ledger.accounts
        self._revision = accounts.revision
        oldest = now
        for book in ledger.books.values():
            if book.quantity and book.mark_ts < oldest:
                oldest = book.mark_ts
        high = state.high_water_mark
        self._bus.publish(
            EquityUpdated(
                ts_event=now,
                ts_init=now,
                equity=state.equity,
                wallet=state.equity - state.unrealised,
                unrealised=state.unrealised,
                nav=state.nav,
                high_water_mark=high,
                drawdown=1.0 - state.nav / high if high > 0.0 else 0.0,
                day_start=state.day_start,
                day_high=state.day_high,
                mark_age_ns=now - oldest,
                realised=accounts.realised,
                fees=accounts.fees,
                funding=ledger.funding,
            )
        )

    def snapshot(self) -> bytes:
        """Return units, high-water mark and the day's references."""
        return pack(self.name, 1, self._state)

    def restore(self, state: bytes) -> None:
        """Take over a snapshot; no restart resets a reference."""
        self._state = unpack(state, self.name, 1, _State)
        self._revision = self._ledger.accounts.revision
