"""Double entry: the account's balances, and the postings that move them; each sums to zero."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from hean.core.instruments import ZERO
from hean.portfolio.positions import EXACT, InstrumentBook, Tally


class Accounts(msgspec.Struct, kw_only=True):
    """Balances in USDT. `suspense` is funding charged at its stamp and not yet paid by the venue.

    `realised`, `fees` and `funding` are the sums over all strategies, `net_realised` what the venue
    realised on its net positions. `revision` grows with every entry.
    """

    wallet: Decimal = ZERO
    capital: Decimal = ZERO
    rounding: Decimal = ZERO
    suspense: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    net_realised: Decimal = ZERO
    revision: int = 0

    def transfer(self, amount: Decimal) -> None:
        """Post wallet against capital; negative takes out."""
        self.wallet = EXACT.add(self.wallet, amount)
        self.capital = EXACT.add(self.capital, amount)
        self.revision += 1

    def trade(self, tally: Tally, realised: Decimal, fee: Decimal, net: Decimal) -> None:
        """Post a fill: wallet against realised and fee; `net` is what the venue realised."""
        self.revision += 1
        tally.fees += fee
        self.fees += fee
        if realised:
            tally.realised += realised
            self.realised += realised
            self.wallet += realised - fee
        else:
            self.wallet -= fee
        if net:
            self.net_realised += net

    def charge_funding(self, tally: Tally, amount: Decimal, *, paid: bool) -> None:
        """Post a strategy's funding against suspense, or against rounding once the venue paid."""
        self.revision += 1
        tally.funding = EXACT.add(tally.funding, amount)
        self.funding = EXACT.add(self.funding, amount)
        if paid:
            self.rounding = EXACT.subtract(self.rounding, amount)
        else:
            self.suspense = EXACT.add(self.suspense, amount)

    def receive_funding(self, amount: Decimal, charged: Decimal) -> None:
        """Post the venue's payment: wallet against suspense, the difference to rounding."""
        self.revision += 1
        self.wallet = EXACT.add(self.wallet, amount)
        self.suspense = EXACT.subtract(self.suspense, charged)
        self.rounding = EXACT.add(self.rounding, EXACT.subtract(amount, charged))


def totals_of(books: Mapping[str, InstrumentBook]) -> dict[str, Tally]:
    """Return realised, fees and funding per strategy over all instruments, by name."""
    found: dict[str, Tally] = {}
    for book in books.values():
        for name, one in book.tallies.items():
            total = found.setdefault(name, Tally())
            total.realised = EXACT.add(total.realised, one.realised)
            total.fees = EXACT.add(total.fees, one.fees)
            total.funding = EXACT.add(total.funding, one.funding)
    return dict(sorted(found.items()))


def balances_of(accounts: Accounts, books: Mapping[str, InstrumentBook]) -> dict[str, Decimal]:
    """Return every account's balance, debits positive; they sum to zero."""
    found = {
        "wallet": accounts.wallet,
        "suspense": accounts.suspense,
        "capital": -accounts.capital,
        "rounding": -accounts.rounding,
    }
    for book in books.values():
        for name, one in book.tallies.items():
            found[f"realised:{name}:{book.instrument}"] = -one.realised
            found[f"fee:{name}:{book.instrument}"] = one.fees
            found[f"funding:{name}:{book.instrument}"] = -one.funding
    return found
