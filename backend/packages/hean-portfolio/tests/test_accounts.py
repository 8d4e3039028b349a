from __future__ import annotations

from decimal import Decimal

from hean.portfolio.accounts import Accounts, balances_of, totals_of
from hean.portfolio.positions import InstrumentBook


def test_every_entry_balances() -> None:
    """Transfers, trades and funding leave the sum of all accounts at zero."""
    accounts, book = Accounts(), InstrumentBook(instrument="X")
    tally = book.tally("s")
    accounts.transfer(Decimal(300))
    accounts.trade(tally, Decimal(5), Decimal("0.5"), Decimal(4))
    accounts.charge_funding(tally, Decimal("-1.25"), paid=False)
    accounts.receive_funding(Decimal("-1.24"), Decimal("-1.25"))
    accounts.charge_funding(tally, Decimal("0.01"), paid=True)
    total = Decimal(0)
    for one in balances_of(accounts, {"X": book}).values():
        total += one
    assert total == 0
    assert accounts.wallet == Decimal("303.26")
    assert accounts.rounding == 0
    assert accounts.revision == 5
    assert totals_of({"X": book})["s"].net == Decimal("3.26")
