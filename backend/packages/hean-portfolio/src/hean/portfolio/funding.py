"""Funding: charged to whoever held a position at its stamp, matched with what the venue pays.

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
_STAMPS_KEPT: Final = 64


def stamp_of(ts_ns: int) -> int:
    """Return the minute a funding time belongs to."""
    return (ts_ns + MINUTE_NS // 2) // MINUTE_NS * MINUTE_NS


def find_stamp(book: InstrumentBook, stamp: int) -> Stamp | None:
    """Return the booked stamp of that minute, if any."""
    for one in reversed(book.stamps):
        if one.stamp == stamp:
            return one
    return None


def is_forgotten(book: InstrumentBook, stamp: int) -> bool:
    """Return whether a stamp lies before all that the book still knows of."""
    return len(book.stamps) >= _STAMPS_KEPT and stamp < book.stamps[0].stamp


def charge(
    book: InstrumentBook, accounts: Accounts, *, stamp: int, rate: float, mark: Decimal, now: int
) -> list[PositionChanged]:
    """Charge a stamp to every position held then; return the events of those held still."""
    held = book.held_at(stamp)
    attributed = quantity = ZERO
    events: list[PositionChanged] = []
    for strategy, amount in _split(held, EXACT.multiply(mark, decimal_of(rate))).items():
        accounts.charge_funding(book.tally(strategy), amount, paid=False)
        attributed = EXACT.add(attributed, amount)
        quantity += held[strategy]
        position = book.positions.get(strategy)
        if position is None:
            continue
        position.funding += amount
        position.refresh()
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
    book.stamps.append(
        Stamp(stamp=stamp, rate=rate, mark=mark, attributed=attributed, quantity=quantity)
    )
    del book.stamps[:-_STAMPS_KEPT]
    book.last_stamp = max(book.last_stamp, stamp)
    return events


def _split(held: dict[str, Decimal], factor: Decimal) -> dict[str, Decimal]:
    """Return the charge of each; together they are exactly the net position's."""
    left, largest, size = ZERO, "", ZERO
    amounts: dict[str, Decimal] = {}
    for strategy, quantity in held.items():
        left -= quantity
        if abs(quantity) > size:
            largest, size = strategy, abs(quantity)
        amounts[strategy] = bounded(EXACT.multiply(-quantity, factor))
    rest = bounded(EXACT.multiply(left, factor))
    for amount in amounts.values():
        rest = EXACT.subtract(rest, amount)
    if rest:
        amounts[largest] = EXACT.add(amounts[largest], rest)
    return amounts


def receive(
    book: InstrumentBook, accounts: Accounts, found: Stamp, amount: Decimal, quantity: Decimal
) -> None:
    """Match the venue's payment of a stamp, made on its net `quantity`, with the charges.

    Late fills that the venue did not count get their charge back.
    """
    for strategy, signed, charged in reversed(found.late):
        excess = found.quantity - quantity
        if excess and (excess > 0) is (signed > 0) and abs(signed) <= abs(excess):
            accounts.charge_funding(book.tally(strategy), -charged, paid=False)
            found.attributed -= charged
            found.quantity -= signed
            position = book.positions.get(strategy)
            if position is not None:
                position.funding -= charged
                position.refresh()
    found.late = []
    accounts.receive_funding(bounded(amount), found.attributed)
    found.paid = amount
    found.missing = quantity - found.quantity


def charge_late(
    book: InstrumentBook, accounts: Accounts, *, strategy: str, signed: Decimal, ts_event: int
) -> Decimal:
    """Charge a late fill for the stamps it had been held at; return the amount, received positive.

    Once the venue has paid, its own count decides: only a quantity it counted and the books did
    not have is charged. Exactly at a stamp a fill is never charged before that.
    """
    total = ZERO
    for one in book.stamps:
        is_counted = bool(one.missing) and (one.missing > 0) is (signed > 0)
        if ts_event > one.stamp or (not is_counted and one.paid is not None):
            continue
        if one.paid is None and ts_event == one.stamp:
            continue
        factor = EXACT.multiply(one.mark, decimal_of(one.rate))
        amount = bounded(EXACT.multiply(-signed, factor))
        accounts.charge_funding(book.tally(strategy), amount, paid=one.paid is not None)
        one.quantity += signed
        if one.paid is None:
            one.attributed += amount
            one.late.append((strategy, signed, amount))
        else:
            one.missing -= signed
        total = EXACT.add(total, amount)
    return total
