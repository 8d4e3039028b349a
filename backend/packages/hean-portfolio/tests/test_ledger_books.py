from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hean.core.events import (
    Event,
    FundingPaid,
    Heartbeat,
    Side,
    WalletUpdated,
)
from hean.core.testing import (
    BTC,
    HOUR,
    SECOND,
    START,
    funding,
    mark,
)

from .scenes import ZERO, booted, fill_of, summed

STRATEGIES = st.sampled_from(["s1", "s2", "s3"])
LOTS = st.integers(1, 40)
TICKS = st.integers(500_000, 1_500_000)
CENTS = st.integers(-9, 99)


class Books(RuleBasedStateMachine):
    """Fills, flips, duplicates, funding, transfers and restarts in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.system, self.portfolio = booted("100000")
        self.cash = Decimal(100_000)
        self.net: dict[str, Decimal] = {}
        self.number = 0
        self.seen: list[Event] = []
        self.price = Decimal(100_000)
        self.stamps = 0

    @rule(strategy=STRATEGIES, buys=st.booleans(), lots=LOTS, ticks=TICKS, cents=CENTS)
    def fill(self, strategy: str, buys: bool, lots: int, ticks: int, cents: int) -> None:
        """Book a fill."""
        self.number += 1
        quantity, price = Decimal(lots) / 1000, Decimal(ticks) / 10
        fee = Decimal(cents) / 1000
        side = Side.BUY if buys else Side.SELL
        event = fill_of(
            strategy,
            side,
            str(quantity),
            str(price),
            number=self.number,
            fee=str(fee),
            at=self.system.now,
        )
        signed = quantity if buys else -quantity
        self.cash -= signed * price + fee
        self.net[strategy] = self.net.get(strategy, ZERO) + signed
        self.seen.append(event)
        self.system.take(event)

    @rule(data=st.data())
    def duplicate(self, data: st.DataObject) -> None:
        """Deliver an old report again."""
        if self.seen:
            self.system.take(data.draw(st.sampled_from(self.seen)))

    @rule(ticks=TICKS)
    def move(self, ticks: int) -> None:
        """Move the mark."""
        self.price = Decimal(ticks) / 10
        self.system.advance(1.0)
        self.system.take(mark(float(self.price), at=self.system.now))

    @rule(rate=st.integers(-50, 50))
    def settle(self, rate: int) -> None:
        """Let a funding stamp pass and pay it on the net."""
        self.stamps += 1
        at = START + self.stamps * 8 * HOUR
        self.system.take(
            mark(float(self.price), at=at), funding(rate / 100_000, settled=True, at=at)
        )
        net = ZERO
        for one in self.net.values():
            net += one
        if net:
            amount = -net * self.price * Decimal(rate) / 100_000
            self.cash += amount
            event = FundingPaid(
                ts_event=at,
                ts_init=at,
                instrument=BTC,
                stamp=at,
                rate=rate / 100_000,
                mark=self.price,
                quantity=net,
                amount=amount,
            )
            self.seen.append(event)
            self.system.take(event)

    @rule(amount=st.integers(1, 500))
    def deposit(self, amount: int) -> None:
        """Move money in; what measures results must not notice."""
        self.system.advance(1.0)
        equity, now = self.portfolio.equity, self.system.now
        self.system.take(Heartbeat(ts_event=now, ts_init=now, interval_ns=SECOND))
        before = equity.nav
        self.cash += amount
        event = WalletUpdated(
            ts_event=self.system.now,
            ts_init=self.system.now,
            wallet=self.cash,
            available=self.cash,
            transfer=Decimal(amount),
        )
        self.system.take(event, event)
        assert equity.nav == pytest.approx(before, abs=1e-12)

    @rule()
    def restart(self) -> None:
        """Put every component's state through its bytes."""
        for one in self.portfolio.components:
            state = one.snapshot()
            one.restore(state)
            assert one.snapshot() == state

    @invariant()
    def balanced(self) -> None:
        """J1: postings sum to 0, virtual and net agree, equity is capital plus flows plus value."""
        ledger = self.portfolio.ledger
        assert summed(self.portfolio) == 0
        book = ledger.books.get(BTC)
        if book is None:
            return
        virtual, cost = ZERO, ZERO
        for one in ledger.positions():
            virtual += one.quantity
            cost += one.cost
            assert one.quantity == self.net[one.strategy]
        assert virtual == book.quantity
        assert cost == book.cost
        worth = book.quantity * self.price
        accounts = ledger.accounts
        assert ledger.wallet + worth - cost == self.cash + worth
        assert ledger.venue_wallet + worth - book.net_cost == self.cash + worth
        assert ledger.wallet == accounts.capital + accounts.realised - accounts.fees + (
            ledger.funding
        )


Books.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestBooks = Books.TestCase
TestBooks.__doc__ = "A2, A3, J1, J2, J12: the books agree after any sequence of reports."
