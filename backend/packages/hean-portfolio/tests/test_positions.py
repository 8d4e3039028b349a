from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.portfolio.positions import (
    InstrumentBook,
    VirtualPosition,
    bounded,
    cost_of_part,
    forced_shares,
    share_of,
)

ZERO = Decimal(0)
LOT = Decimal("0.001")


def held(strategy: str, quantity: Decimal) -> VirtualPosition:
    """Return a position at a price of 100."""
    return VirtualPosition(
        strategy=strategy,
        instrument="X",
        quantity=quantity,
        cost=quantity * 100,
        entry_price=Decimal(100),
        risk=Decimal(1),
        total_risk=Decimal(1),
        opened_at=0,
        fees=ZERO,
    )


@given(st.lists(st.integers(-50, 50).filter(bool), min_size=1, max_size=6), st.data())
@settings(max_examples=100, deadline=None)
def test_forced_shares_add_up_and_overdraw_nobody(lots: list[int], data: st.DataObject) -> None:
    """Shares are whole lots of positions on that side, none beyond its size, all of it given."""
    book = InstrumentBook(instrument="X", lot_step=LOT)
    for index, one in enumerate(lots):
        book.positions[f"s{index}"] = held(f"s{index}", one * LOT)
    longs = ZERO
    for one in lots:
        longs += max(0, one) * LOT
    wanted = data.draw(st.integers(1, 60)) * LOT
    found = forced_shares(book, -wanted)
    total = ZERO
    for name, part in found:
        assert part < 0
        assert -part <= book.positions[name].quantity
        assert part % LOT == 0
        total += part
    assert -total == min(wanted, longs)


def test_costs_leave_by_difference_on_the_grid() -> None:
    """A third of a cost is rounded to 1e-8, the whole is the whole."""
    third = cost_of_part(Decimal(100), Decimal(1), Decimal(3))
    assert third == Decimal("33.33333333")
    assert cost_of_part(Decimal("1e-20"), Decimal(3), Decimal(3)) == Decimal("1e-20")
    assert share_of(Decimal(5), Decimal(1), ZERO) == 5


def test_long_numbers_are_bounded_and_short_ones_left() -> None:
    """More than twelve decimals are rounded, fewer keep their form."""
    assert bounded(Decimal("0.1234567890123456")) == Decimal("0.123456789012")
    assert str(bounded(Decimal("1.50"))) == "1.50"


def test_the_net_book_realises_at_average_cost() -> None:
    """Adding averages, reducing realises, crossing starts anew at the fill's price."""
    book = InstrumentBook(instrument="X")
    assert book.net_fill(Decimal(1), Decimal(100)) == 0
    assert book.net_fill(Decimal(1), Decimal(110)) == 0
    assert book.net_fill(Decimal(-1), Decimal(120)) == 15
    assert book.net_fill(Decimal(-3), Decimal(130)) == 25
    assert (book.quantity, book.net_cost, book.net_realised) == (-2, -260, 40)


def test_watching_notes_the_worst_and_the_best_in_r() -> None:
    """Excursions are whole results over R."""
    one = held("s", Decimal(1))
    for price in (100.0, 98.0, 103.0):
        one.watch(price)
    assert (one.mae_r, one.mfe_r) == (-2.0, 3.0)
