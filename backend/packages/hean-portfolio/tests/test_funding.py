from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.instruments import decimal_of
from hean.portfolio.accounts import Accounts
from hean.portfolio.funding import charge, charge_late, find_stamp, is_forgotten, receive, stamp_of
from hean.portfolio.positions import EXACT, InstrumentBook, bounded

from .test_positions import held

MINUTE = 60_000_000_000


@given(
    st.lists(st.integers(-500, 500).filter(bool), min_size=1, max_size=6),
    st.floats(1.0, 100_000.0),
    st.floats(-0.01, 0.01),
)
@settings(max_examples=100, deadline=None)
def test_charges_add_up_to_the_payment_on_the_net(
    lots: list[int], mark: float, rate: float
) -> None:
    """Whatever mark and rate, the strategies' charges are exactly what the net position pays."""
    book, accounts = InstrumentBook(instrument="X"), Accounts()
    net = Decimal(0)
    for index, one in enumerate(lots):
        quantity = Decimal(one) / 1000
        book.positions[f"s{index}"] = held(f"s{index}", quantity)
        net += quantity
    book.quantity = net
    charge(book, accounts, stamp=MINUTE, rate=rate, mark=decimal_of(mark), now=MINUTE)
    paid = EXACT.multiply(-net, EXACT.multiply(decimal_of(mark), decimal_of(rate)))
    assert accounts.suspense == accounts.funding == bounded(paid)
    receive(book, accounts, book.stamps[-1], paid, net)
    assert accounts.suspense == accounts.rounding == 0


def test_stamps_are_minutes_and_the_last_are_kept() -> None:
    """A settlement some seconds off belongs to its minute; old stamps are forgotten."""
    assert stamp_of(5 * MINUTE + 3_000_000_000) == stamp_of(5 * MINUTE - 3_000_000_000)
    book, accounts = InstrumentBook(instrument="X"), Accounts()
    for number in range(1, 80):
        charge(
            book, accounts, stamp=number * MINUTE, rate=0.0, mark=Decimal(1), now=number * MINUTE
        )
    assert find_stamp(book, 79 * MINUTE) is not None
    assert find_stamp(book, 1 * MINUTE) is None
    assert is_forgotten(book, 1 * MINUTE)
    assert not is_forgotten(book, 79 * MINUTE)


def test_a_late_fill_that_the_venue_did_not_count_is_not_charged() -> None:
    """The venue's own quantity decides about fills on their way, before and after it paid."""
    for paid_first in (True, False):
        book, accounts = InstrumentBook(instrument="X"), Accounts()
        charge(book, accounts, stamp=MINUTE, rate=0.0001, mark=Decimal(100), now=MINUTE)
        if paid_first:
            receive(book, accounts, book.stamps[-1], Decimal(0), Decimal(0))
        charge_late(book, accounts, strategy="s", signed=Decimal(1), ts_event=MINUTE - 1)
        if not paid_first:
            assert accounts.suspense == Decimal("-0.01")
            receive(book, accounts, book.stamps[-1], Decimal(0), Decimal(0))
        assert book.tally("s").funding == 0
        assert accounts.suspense == accounts.rounding == 0


def test_a_fill_at_the_stamp_is_charged_only_if_the_venue_counted_it() -> None:
    """Exactly at a stamp the venue's own quantity decides."""
    for counted, expected in ((Decimal(1), Decimal("-0.01")), (Decimal(0), Decimal(0))):
        book, accounts = InstrumentBook(instrument="X"), Accounts()
        charge(book, accounts, stamp=MINUTE, rate=0.0001, mark=Decimal(100), now=MINUTE)
        receive(book, accounts, book.stamps[-1], expected, counted)
        late = charge_late(book, accounts, strategy="s", signed=Decimal(1), ts_event=MINUTE)
        assert late == expected
        assert accounts.rounding == 0
