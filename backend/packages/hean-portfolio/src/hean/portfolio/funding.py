"""Funding: charged to every virtual position at its stamp, matched with what the venue pays.

The charge is the product -q*mark*rate, exact to 12 decimals; the largest position takes what that
leaves, so the sum over strategies is the net position's payment. A fill executed before a stamp
but booked after it is charged when it is booked.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from hean.core.events import PositionChange, PositionChanged
from hean.core.instruments import ZERO, decimal_of
from hean.portfolio.accounts import Accounts
from hean.portfolio.positions import EXACT, InstrumentBook, Stamp, bounded

MINUTE_NS: Final = 60_000_000_000
_STAMPS_KEPT: Final = 8


def stamp_of(ts_ns: int) -> int:
    """Return the minute a funding time belongs to."""
    return (ts_ns + MINUTE_NS // 2) // MINUTE_NS * MINUTE_NS


def find_stamp(book: InstrumentBook, stamp: int) -> Stamp | None:
    """Return the booked stamp of that minute, if any."""
    for one in reversed(book.stamps):
        if one.stamp == stamp:
            return one
    return None


def charge(
    book: InstrumentBook, accounts: Accounts, *, stamp: int, rate: float, mark: Decimal, now: int
) -> list[PositionChanged]:
    """Charge a stamp to every position held now; return their events."""
    amounts = _split(book, EXACT.multiply(mark, decimal_of(rate)))
    attributed = ZERO
    events: list[PositionChanged] = []
    for strategy, position in book.positions.items():
        amount = amounts[strategy]
        accounts.charge_funding(book.tally(strategy), amount, paid=False)
        position.funding += amount
        position.refresh()
        attributed = EXACT.add(attributed, amount)
        events.append(
            PositionChanged(
                ts_event=stamp,
                ts_init=now,
                correlation_id=position.signal_id,
                strategy=strategy,
                instrument=book.instrument,
                change=PositionChange.FUNDING,
                quantity=position.quantity,
                entry_price=position.entry_price,
                risk=position.risk,
                amount=amount,
                rate=rate,
                mark=mark,
            )
        )
    held = book.quantity - book.dust
    book.stamps.append(
        Stamp(stamp=stamp, rate=rate, mark=mark, attributed=attributed, quantity=held)
    )
    del book.stamps[:-_STAMPS_KEPT]
    book.last_stamp = max(book.last_stamp, stamp)
    return events


def _split(book: InstrumentBook, factor: Decimal) -> dict[str, Decimal]:
    """Return the charge of each position; together they are exactly the net position's."""
    left, largest, size = ZERO, "", ZERO
    amounts: dict[str, Decimal] = {}
    for strategy, position in book.positions.items():
        left -= position.quantity
        if abs(position.quantity) > size:
            largest, size = strategy, abs(position.quantity)
        amounts[strategy] = bounded(EXACT.multiply(-position.quantity, factor))
    rest = bounded(EXACT.multiply(left, factor))
    for amount in amounts.values():
        rest = EXACT.subtract(rest, amount)
    if rest:
        amounts[largest] = EXACT.add(amounts[largest], rest)
    return amounts


def receive(book: InstrumentBook, accounts: Accounts, found: Stamp, amount: Decimal,
            quantity: Decimal) -> None:
    """Match the venue's payment of a stamp, made on its net `quantity`, with the charges."""
    accounts.receive_funding(bounded(amount), found.attributed)
    found.paid = amount
    found.missing = quantity - found.quantity


def charge_late(
    book: InstrumentBook, accounts: Accounts, *, strategy: str, signed: Decimal, ts_event: int
) -> Decimal:
    """Charge a late fill for the stamps it had been held at; return the amount, received positive.

    A fill exactly at a stamp counts as held there only if the venue counted a quantity the books
    did not have.
    """
    total = ZERO
    for one in book.stamps:
        at_stamp = ts_event == one.stamp and one.missing and (one.missing > 0) == (signed > 0)
        if not (ts_event < one.stamp or at_stamp):
            continue
        factor = EXACT.multiply(one.mark, decimal_of(one.rate))
        amount = bounded(EXACT.multiply(-signed, factor))
        accounts.charge_funding(book.tally(strategy), amount, paid=one.paid is not None)
        one.quantity += signed
        if one.paid is None:
            one.attributed = EXACT.add(one.attributed, amount)
        else:
            one.missing -= signed
        total = EXACT.add(total, amount)
    return total
