from __future__ import annotations

from decimal import Decimal

import pytest

from hean.core.slots import NEVER, Entry, Slot


@pytest.mark.parametrize(
    ("ended", "total", "filled", "handed", "expected"),
    [
        (False, "0", "0", "0", False),
        (True, "0", "0", "0", True),
        (True, "2", "1", "1", False),
        (True, "2", "2", "1", False),
        (True, "2", "2", "2", True),
        (False, "2", "2", "2", False),
    ],
)
def test_an_entry_is_done_when_the_books_have_all_it_filled(
    ended: bool, total: str, filled: str, handed: str, expected: bool
) -> None:
    """An entry ends only when the venue is through with it and no fill is unbooked."""
    entry = Entry(
        NEVER,
        ended=ended,
        total=Decimal(total),
        filled=Decimal(filled),
        handed=Decimal(handed),
    )
    assert entry.is_done is expected


def test_slots_share_no_entries() -> None:
    """Each slot has a dictionary of its own."""
    first, second = Slot(), Slot()
    first.orders["a"] = Entry(NEVER)
    assert second.orders == {}
