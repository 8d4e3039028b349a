"""The books as a state machine, and in any order of independent events."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from hean.core.events import (
    EquityUpdated,
    Event,
    FillKind,
    FundingPaid,
    Heartbeat,
    PositionChanged,
    PositionClosed,
    PositionOpened,
    ReconciliationBreak,
    Side,
    VenuePosition,
    VenueSnapshot,
    WalletUpdated,
)
from hean.core.testing import (
    BTC,
    HOUR,
    SECOND,
    START,
    cancelled,
    filled,
    funding,
    mark,
    order_request,
    quote,
)
from hean.portfolio import EXTERNAL, Portfolio

from .scenes import SPOT, ZERO, booted, fill_of, summed

NAMES = ("s1", "s2", "s3")
STRATEGIES = st.sampled_from(NAMES)
LOTS = st.integers(1, 40)
TICKS = st.integers(500_000, 1_500_000)
CENTS = st.integers(-9, 99)
LOT = Decimal("0.001")
COIN = Decimal("0.000001")


def side_of(buys: bool) -> Side:
    """Return the side."""
    return Side.BUY if buys else Side.SELL


class Books(RuleBasedStateMachine):
    """Fills, partials, flips, duplicates, funding, force, flows, answers and restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.system, self.portfolio = booted("100000")
        self.cash = Decimal(100_000)
        self.net: dict[tuple[str, str], Decimal] = {}
        self.number = 0
        self.seen: list[Event] = []
        self.prices = {BTC: Decimal(100_000), SPOT: Decimal(100_000)}
        self.stamps = 0
        self.system.take(quote(100_000.0, 100_000.0, instrument=SPOT))

    def book(self, event: Event, key: tuple[str, str], signed: Decimal, cash: Decimal) -> None:
        """Take a fill and count it here."""
        self.cash += cash
        self.net[key] = self.net.get(key, ZERO) + signed
        self.seen.append(event)
        self.system.take(event)

    def drawdown(self) -> float:
        """Return the drawdown as last published."""
        return self.system.of(EquityUpdated)[-1].drawdown

    def held(self, instrument: str) -> Decimal:
        """Return the net quantity of an instrument."""
        total = ZERO
        for (_, name), quantity in self.net.items():
            total += quantity if name == instrument else ZERO
        return total

    @rule(strategy=STRATEGIES, buys=st.booleans(), lots=LOTS, ticks=TICKS, cents=CENTS)
    def fill(self, strategy: str, buys: bool, lots: int, ticks: int, cents: int) -> None:
        """Book a fill that may open, add, reduce, close or flip."""
        self.number += 1
        quantity, price, fee = lots * LOT, Decimal(ticks) / 10, Decimal(cents) / 1000
        event = fill_of(
            strategy, side_of(buys), str(quantity), str(price), number=self.number, fee=str(fee),
            at=self.system.now,
        )  # fmt: skip
        signed = quantity if buys else -quantity
        self.book(event, (strategy, BTC), signed, -signed * price - fee)

    @rule(
        strategy=STRATEGIES, buys=st.booleans(), lots=st.lists(LOTS, min_size=1, max_size=4),
        ticks=TICKS, ends=st.booleans(),
    )  # fmt: skip
    def order(self, strategy: str, buys: bool, lots: list[int], ticks: int, ends: bool) -> None:
        """Fill an order in parts; perhaps it is cancelled and its last fill comes late."""
        self.number += 1
        size, price = sum(lots) * LOT, Decimal(ticks) / 10
        request = order_request(
            strategy, side_of(buys), number=self.number, quantity=str(size), price=str(price),
            risk="3", at=self.system.now,
        )  # fmt: skip
        self.system.take(request)
        done = ZERO
        for place, part in enumerate(lots):
            if ends and place == len(lots) - 1:
                self.system.take(cancelled(request, filled=str(done), at=self.system.now))
            quantity = part * LOT
            event = filled(request, quantity=str(quantity), before=str(done), at=self.system.now)
            signed = quantity if buys else -quantity
            self.book(event, (strategy, BTC), signed, -signed * price - event.fee)
            done += quantity

    @rule(strategy=STRATEGIES, buys=st.booleans(), coins=st.integers(1000, 40_000), ticks=TICKS)
    def trade_spot(self, strategy: str, buys: bool, coins: int, ticks: int) -> None:
        """Buy spot with a fee in coin, or sell what there is; less than a lot is left as dust."""
        self.number += 1
        key, price = (strategy, SPOT), Decimal(ticks) / 100
        if buys:
            fee = coins * COIN / 1000
            quantity, paid = coins * COIN - fee, fee * price
        else:
            quantity = min(coins * COIN, self.net.get(key, ZERO) // COIN * COIN)
            fee, paid = ZERO, quantity * price / 1000
        if not quantity:
            return
        event = replace(
            fill_of(
                strategy, side_of(buys), str(quantity), str(price), number=self.number,
                fee=str(paid), at=self.system.now, instrument=SPOT,
            ),
            base_fee=fee,
        )  # fmt: skip
        signed = quantity if buys else -quantity
        self.book(event, key, signed, -signed * price - paid)

    @rule(buys=st.booleans(), share=st.integers(1, 100), ticks=TICKS)
    def force(self, buys: bool, share: int, ticks: int) -> None:
        """Let the venue reduce one side by force; it opens nothing and flips nobody."""
        sign = 1 if buys else -1
        against = [q for (_, name), q in self.net.items() if name == BTC and q * sign < 0]
        total = sum((abs(one) for one in against), ZERO)
        quantity = total * share / 100 // LOT * LOT
        if not quantity:
            return
        self.number += 1
        price = Decimal(ticks) / 10
        event = fill_of(
            "", side_of(buys), str(quantity), str(price), number=self.number, fee="0.7",
            at=self.system.now, kind=FillKind.LIQUIDATION,
        )  # fmt: skip
        before = dict(self.net)
        self.cash += -sign * quantity * price - Decimal("0.7")
        self.seen.append(event)
        self.system.take(event)
        after = {one.strategy: one.quantity for one in self.portfolio.ledger.positions()
                 if one.instrument == BTC}  # fmt: skip
        taken = ZERO
        for (name, instrument), quantity_before in before.items():
            if instrument == BTC:
                left = after.get(name, ZERO)
                assert abs(left) <= abs(quantity_before)
                assert left * quantity_before >= 0
                taken += abs(quantity_before - left)
                self.net[name, BTC] = left
        assert taken == quantity

    @rule(data=st.data())
    def duplicate(self, data: st.DataObject) -> None:
        """Deliver an old report again: fill, payment or flow."""
        if self.seen:
            self.system.take(data.draw(st.sampled_from(self.seen)))

    @rule(ticks=TICKS, other=TICKS)
    def move(self, ticks: int, other: int) -> None:
        """Move the marks."""
        self.prices = {BTC: Decimal(ticks) / 10, SPOT: Decimal(other) / 10}
        self.system.advance(1.0)
        now, coin = self.system.now, float(self.prices[SPOT])
        self.system.take(
            mark(float(self.prices[BTC]), at=now),
            quote(coin, coin, instrument=SPOT, at=now),
            Heartbeat(ts_event=now, ts_init=now, interval_ns=SECOND),
        )

    @rule(rate=st.integers(-50, 50), late=st.integers(-20, 20), strategy=STRATEGIES)
    def settle(self, rate: int, late: int, strategy: str) -> None:
        """Let a stamp pass; a fill from before it may come after it, then the venue pays."""
        self.stamps += 1
        price = self.prices[BTC]
        at = START + self.stamps * 8 * HOUR
        self.system.take(mark(float(price), at=at), funding(rate / 100_000, settled=True, at=at))
        if late:
            self.number += 1
            event = fill_of(
                strategy, side_of(late > 0), str(abs(late) * LOT), str(price), number=self.number,
                at=at - SECOND,
            )  # fmt: skip
            self.book(event, (strategy, BTC), late * LOT, -late * LOT * price)
        net = self.held(BTC)
        if net:
            amount = -net * price * Decimal(rate) / 100_000
            self.cash += amount
            paid = FundingPaid(
                ts_event=at, ts_init=at, instrument=BTC, stamp=at, rate=rate / 100_000, mark=price,
                quantity=net, amount=amount,
            )  # fmt: skip
            self.seen.append(paid)
            self.system.take(paid)
        assert self.portfolio.ledger.accounts.suspense == 0
        assert self.portfolio.ledger.accounts.rounding == 0

    @rule(amount=st.integers(-300, 500).filter(bool))
    def flow(self, amount: int) -> None:
        """Move money in or out; nothing that measures results notices."""
        self.system.advance(1.0)
        equity, now = self.portfolio.equity, self.system.now
        self.system.take(Heartbeat(ts_event=now, ts_init=now, interval_ns=SECOND))
        if equity.equity <= 1000:
            return
        before = equity.nav, self.drawdown()
        known = self.portfolio.performance.standings(), self.portfolio.performance.snapshot()
        self.cash += amount
        event = WalletUpdated(
            ts_event=now, ts_init=now, wallet=self.cash, available=self.cash,
            transfer=Decimal(amount),
        )  # fmt: skip
        self.seen.append(event)
        self.system.take(event, event)
        assert (equity.nav, self.drawdown()) == pytest.approx(before, abs=1e-12)
        performance = self.portfolio.performance
        assert (performance.standings(), performance.snapshot()) == known

    def answer(self, net: Decimal, *, complete: bool) -> None:
        """Let the venue tell its net BTC position, and the wallet that the books expect."""
        now, price = self.system.now, self.prices[BTC]
        held = VenuePosition(instrument=BTC, quantity=net, entry_price=price)
        self.system.take(
            VenueSnapshot(
                ts_event=now, ts_init=now, orders=(), positions=(held,) if net else (),
                wallet=self.portfolio.ledger.venue_wallet + self.portfolio.equity.outside,
                complete=complete,
            )
        )  # fmt: skip

    @rule(lost=st.booleans())
    def reconcile(self, lost: bool) -> None:
        """A8: an answer that agrees changes nothing, nor do three that are not whole."""
        before = self.portfolio.ledger.balances()
        broken = len(self.system.of(ReconciliationBreak))
        self.answer(self.held(BTC), complete=True)
        for _ in range(3 if lost else 0):
            self.system.advance(11.0)
            self.answer(ZERO, complete=False)
        assert self.portfolio.ledger.balances() == before
        assert len(self.system.of(ReconciliationBreak)) == broken

    @precondition(lambda self: not self.portfolio.ledger.orders and not self.held(BTC))
    @rule(lots=LOTS, buys=st.booleans())
    def find(self, lots: int, buys: bool) -> None:
        """The venue holds what nobody here opened: it is taken in at its entry, as EXTERNAL."""
        if any(quantity for (_, name), quantity in self.net.items() if name == BTC):
            return
        quantity, price = lots * LOT * (1 if buys else -1), self.prices[BTC]
        self.answer(quantity, complete=True)
        self.cash -= quantity * price
        self.net[EXTERNAL, BTC] = quantity

    @rule()
    def restart(self) -> None:
        """Put every component's state through its bytes."""
        for one in self.portfolio.components:
            state = one.snapshot()
            one.restore(state)
            assert one.snapshot() == state

    @invariant()
    def balanced(self) -> None:
        """J1: postings sum to 0; virtual, net and published equity are one, to the last digit."""
        ledger, equity = self.portfolio.ledger, self.portfolio.equity
        accounts = ledger.accounts
        assert summed(self.portfolio) == 0
        worth, virtual, net = ZERO, ledger.wallet, ledger.venue_wallet
        for name, price in self.prices.items():
            quantity = self.held(name)
            worth += quantity * price
            book = ledger.books.get(name)
            if book is None:
                assert not quantity
                continue
            self.whole(name)
            assert book.quantity == quantity
            virtual += quantity * price - book.cost
            net += quantity * price - (ZERO if book.is_spot else book.net_cost)
        assert virtual == net == equity.equity == self.cash + worth
        assert ledger.wallet == (
            accounts.capital + accounts.realised - accounts.fees + accounts.funding
        )

    def whole(self, name: str) -> None:
        """Each strategy holds what it traded, dust included, and costs add up."""
        book = self.portfolio.ledger.books[name]
        cost = ZERO
        quantities = {one: quantity for one, (quantity, _) in book.dust.items()}
        for dust in book.dust.values():
            cost += dust[1]
        for one in book.positions.values():
            cost += one.cost
            quantities[one.strategy] = quantities.get(one.strategy, ZERO) + one.quantity
        assert cost == book.cost
        for (strategy, instrument), quantity in self.net.items():
            if instrument == name:
                assert quantities.get(strategy, ZERO) == quantity


Books.TestCase.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
TestBooks = Books.TestCase
TestBooks.__doc__ = "A2, A3, J1, J2, J12: the books agree after any sequence of reports."


FILL = st.tuples(STRATEGIES, st.booleans(), LOTS, TICKS, st.integers(0, 3 * 8 * 60 - 1))


def final(portfolio: Portfolio) -> tuple[object, ...]:
    """Return all that the books say at the end; the net book's cost follows the venue's order."""
    ledger = portfolio.ledger
    held = [
        (one.strategy, one.quantity, one.cost, one.fees, one.gross) for one in ledger.positions()
    ]
    book = ledger.books[BTC]
    paid = ledger.venue_wallet - book.net_cost
    return ledger.balances(), sorted(held), paid, book.quantity, portfolio.equity.equity


@given(st.lists(FILL, min_size=1, max_size=14), st.data())
@settings(max_examples=60, deadline=None)
def test_independent_events_in_any_order_leave_the_same_books(
    rows: list[tuple[str, bool, int, int, int]], data: st.DataObject
) -> None:
    """J2, A3: fills of different strategies and stamps in any order, doubled: the same books."""
    rows = sorted(rows, key=lambda row: row[4])
    fills = [
        fill_of(
            name, side_of(buys), str(lots * LOT), f"{ticks / 10}", number=number, fee="0.017",
            at=START + minute * 60 * SECOND + SECOND,
        )
        for number, (name, buys, lots, ticks, minute) in enumerate(rows)
    ]  # fmt: skip
    stamps = [START + n * 8 * HOUR for n in (1, 2)]
    settled = [funding(0.0001, settled=True, at=at) for at in stamps]
    paid: list[FundingPaid] = []
    for at in stamps:
        net = ZERO
        for one in fills:
            if one.ts_event < at:
                net += one.quantity if one.side is Side.BUY else -one.quantity
        amount = -net * 100_000 * Decimal("0.0001")
        paid.append(
            FundingPaid(
                ts_event=at, ts_init=at, instrument=BTC, stamp=at, rate=0.0001,
                mark=Decimal(100_000), quantity=net, amount=amount,
            )
        )  # fmt: skip

    def play(events: list[Event]) -> tuple[object, ...]:
        system, portfolio = booted("100000")
        end = START + 30 * HOUR
        for one in [*events, *paid]:
            system.take(replace(one, ts_init=end))
        changes = (PositionOpened, PositionChanged, PositionClosed)
        assert sum(len(system.of(kind)) for kind in changes) >= len(fills)
        return final(portfolio)

    in_order: list[Event] = sorted([*fills, *settled], key=lambda one: one.ts_event)
    shuffled: list[Event] = list(data.draw(st.permutations(in_order)))
    for name in NAMES:
        places = [n for n, one in enumerate(shuffled) if getattr(one, "strategy", "") == name]
        own = [one for one in fills if one.strategy == name]
        for place, one in zip(places, own, strict=True):
            shuffled[place] = one
    doubled = [*shuffled]
    for one in data.draw(st.lists(st.sampled_from(shuffled), max_size=6)):
        after = shuffled.index(one)
        doubled.insert(
            data.draw(st.integers(doubled.index(shuffled[after]) + 1, len(doubled))), one
        )
    assert play(in_order) == play(doubled)
