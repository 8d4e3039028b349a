"""Books against venue: the app asks, these rules judge.

Positions to the lot, the wallet within max(tolerance, basis points of E). A partial answer proves
nothing, absence is believed from two complete answers, and a difference that an order at work may
explain waits ten seconds.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events import ReconciliationBreak, Side, VenueSnapshot
from hean.core.instruments import MONEY, ZERO
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.portfolio.equity import Equity
from hean.portfolio.ledger import Ledger
from hean.portfolio.positions import EXACT
from hean.portfolio.settings import PortfolioSettings

GRACE_NS: Final = 10_000_000_000
_WALLET: Final = "wallet"
_BP: Final = Decimal(10_000)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Where books and venue disagree; `instrument` is empty for the wallet."""

    instrument: str
    books: Decimal
    venue: Decimal

    @property
    def subject(self) -> str:
        return "position" if self.instrument else _WALLET


class _Seen(msgspec.Struct, frozen=True):
    books: Decimal
    venue: Decimal
    since: int
    answers: int
    raised: bool


class Reconciler:
    """Judges each `VenueSnapshot`; publishes a break once, and adopts what nobody here opened."""

    name = "reconciler"

    def __init__(
        self,
        *,
        section: PortfolioSettings,
        bus: Bus,
        agenda: Agenda,
        ledger: Ledger,
        equity: Equity,
    ) -> None:
        self._section = section
        self._bus = bus
        self._agenda = agenda
        self._ledger = ledger
        self._equity = equity
        self._seen: dict[str, _Seen] = {}

    def attach(self, bus: Bus) -> None:
        """Subscribe to the venue's snapshots."""
        bus.subscribe(VenueSnapshot, self._on_snapshot, stage=Stage.LEDGER, owner=self.name)

    def differences(self, snapshot: VenueSnapshot) -> tuple[Difference, ...]:
        """Return every disagreement beyond lot and tolerance, whatever may explain it."""
        held = {one.instrument: one.quantity for one in snapshot.positions}
        books = self._ledger.books
        found: list[Difference] = []
        for instrument in sorted({*held, *books}):
            book = books.get(instrument)
            mine = ZERO if book is None else book.quantity
            if book is not None and book.is_spot and instrument not in held:
                continue
            theirs = held.get(instrument, ZERO)
            step = ZERO if book is None else book.lot_step
            gap = abs(theirs - mine)
            if gap and gap >= step:
                found.append(Difference(instrument=instrument, books=mine, venue=theirs))
        wallet = self._wallet_difference(snapshot.wallet)
        if wallet is not None:
            found.append(wallet)
        return tuple(found)

    def reconcile(self, snapshot: VenueSnapshot) -> tuple[ReconciliationBreak, ...]:
        """Return what this answer proves to be broken; changes nothing."""
        if not snapshot.complete:
            return ()
        now = self._agenda.now
        return tuple(
            ReconciliationBreak(
                ts_event=now,
                ts_init=now,
                instrument=one.instrument,
                subject=one.subject,
                books=one.books,
                venue=one.venue,
            )
            for one in self.differences(snapshot)
            if self._is_proven(one) and not self._is_external(one)
        )

    def _on_snapshot(self, snapshot: VenueSnapshot) -> None:
        if not snapshot.complete:
            return
        entries = {one.instrument: one.entry_price for one in snapshot.positions}
        found = self.differences(snapshot)
        broken = self.reconcile(snapshot)
        names = {one.instrument for one in broken}
        for one in found:
            if self._is_external(one):
                self._adopt(one, entries[one.instrument])
        self._seen = {
            one.instrument: self._look(one, one.instrument in names)
            for one in found
            if not self._is_external(one)
        }
        for one in broken:
            self._bus.publish(one)

    def _adopt(self, one: Difference, price: Decimal) -> None:
        """Give EXTERNAL what the books lack; spot found here was paid for before."""
        foreign = EXACT.subtract(one.venue, one.books)
        self._ledger.adopt(one.instrument, foreign, price)
        if self._ledger.books[one.instrument].is_spot:
            self._equity.set_aside(EXACT.multiply(foreign, price))

    def _look(self, one: Difference, raised: bool) -> _Seen:
        before = self._same(one)
        if before is None:
            return _Seen(one.books, one.venue, self._agenda.now, 1, raised)
        return _Seen(
            one.books, one.venue, before.since, before.answers + 1, raised or before.raised
        )

    def _same(self, one: Difference) -> _Seen | None:
        before = self._seen.get(one.instrument)
        if before is None or (before.books, before.venue) != (one.books, one.venue):
            return None
        return before

    def _is_external(self, one: Difference) -> bool:
        book = self._ledger.books.get(one.instrument)
        if not one.instrument or not one.venue or (book is not None and book.positions):
            return False
        return not any(order.instrument == one.instrument for order in self._ledger.orders.values())

    def _is_proven(self, one: Difference) -> bool:
        before = self._same(one)
        if before is not None and before.raised:
            return False
        if one.instrument and not one.venue and before is None:
            return False
        if self._may_be_in_flight(one):
            return before is not None and self._agenda.now - before.since >= GRACE_NS
        return True

    def _may_be_in_flight(self, one: Difference) -> bool:
        """Return whether an order or a resting stop may fill, or have filled, the difference."""
        if not one.instrument:
            return bool(self._ledger.orders) or any(
                position.stop is not None for position in self._ledger.positions()
            )
        buys = one.venue > one.books
        side = Side.BUY if buys else Side.SELL
        for order in self._ledger.orders.values():
            if order.instrument == one.instrument and order.side is side:
                return True
        book = self._ledger.books.get(one.instrument)
        return book is not None and any(
            position.stop is not None and (position.quantity < 0) is buys
            for position in book.positions.values()
        )

    def _wallet_difference(self, wallet: Decimal) -> Difference | None:
        if not self._equity.is_open:
            return None
        section, equity = self._section, self._equity.equity
        by_equity = MONEY.divide(abs(equity) * section.wallet_tolerance_bp, _BP)
        allowed = max(section.wallet_tolerance, by_equity)
        mine = EXACT.add(self._ledger.venue_wallet, self._equity.outside)
        due = EXACT.add(mine, self._ledger.accounts.suspense)
        if min(abs(wallet - mine), abs(wallet - due)) <= allowed:
            return None
        return Difference(instrument="", books=mine, venue=wallet)

    def snapshot(self) -> bytes:
        """Return the differences seen and not settled."""
        return pack(self.name, 1, self._seen)

    def restore(self, state: bytes) -> None:
        """Take over a snapshot."""
        self._seen = unpack(state, self.name, 1, dict[str, _Seen])
