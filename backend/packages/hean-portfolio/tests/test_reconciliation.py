from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.config import HEANSettings
from hean.core.events import (
    OrderCancelled,
    ReconciliationBreak,
    Side,
    VenuePosition,
    VenueSnapshot,
    WalletUpdated,
)
from hean.core.testing import (
    BTC,
    SECOND,
    START,
    MiniSystem,
    btc_spot,
    cancelled,
    filled,
    order_request,
)
from hean.portfolio import EXTERNAL, Portfolio, PortfolioSettings, build_portfolio

from .scenes import SPOT, ZERO, booted, fill_of


def answer(
    wallet: str, quantity: str = "0", *, at: int = START, complete: bool = True
) -> VenueSnapshot:
    """Return a venue's answer with one net position."""
    held = Decimal(quantity)
    positions = (
        (VenuePosition(instrument=BTC, quantity=held, entry_price=Decimal(100_000)),)
        if held
        else ()
    )
    return VenueSnapshot(
        ts_event=at,
        ts_init=at,
        positions=positions,
        orders=(),
        wallet=Decimal(wallet),
        complete=complete,
    )


def test_agreement_within_tolerance_is_no_break() -> None:
    """Equal positions and a wallet within a basis point of equity give no break."""
    system, portfolio = booted()
    system.take(fill_of("s1", Side.BUY, "0.002", "100000", number=1, fee="0.1"))
    assert portfolio.reconciler.reconcile(answer("299.925", "0.002")) == ()
    system.take(answer("299.925", "0.002"))
    assert system.of(ReconciliationBreak) == []


def test_a_wallet_beyond_tolerance_is_a_break_once() -> None:
    """A difference of wallets that no order explains is told once, until it changes."""
    system, _ = booted()
    system.take(answer("299.5"), answer("299.5"), answer("299.4"))
    assert [one.venue for one in system.of(ReconciliationBreak)] == [
        Decimal("299.5"),
        Decimal("299.4"),
    ]


def test_partial_answers_prove_nothing() -> None:
    """A8: an incomplete answer closes nothing and breaks nothing."""
    system, portfolio = booted()
    system.take(fill_of("s1", Side.BUY, "0.002", "100000", number=1))
    system.take(answer("0", "0", complete=False))
    assert system.of(ReconciliationBreak) == []
    assert len(list(portfolio.ledger.positions())) == 1


def test_absence_needs_two_complete_answers() -> None:
    """A position missing from one complete answer is waited for, from two it is a break."""
    system, portfolio = booted()
    system.take(fill_of("s1", Side.BUY, "0.002", "100000", number=1))
    system.take(answer("300"))
    assert system.of(ReconciliationBreak) == []
    system.take(answer("300"))
    assert [one.subject for one in system.of(ReconciliationBreak)] == ["position"]
    assert len(list(portfolio.ledger.positions())) == 1


def test_an_order_at_work_may_explain_a_difference_for_ten_seconds() -> None:
    """A difference in the direction of a working order waits; after 10 s it is a break."""
    system, _ = booted()
    first = order_request("s1", number=1, quantity="0.002", price="100000", stop=None)
    second = order_request("s1", number=2, quantity="0.002", price="100000", stop=None)
    system.take(first, filled(first, fee_rate="0"), second)
    system.take(answer("300", "0.004"))
    system.take(answer("300", "0.004", at=START + 9 * SECOND))
    assert system.of(ReconciliationBreak) == []
    system.take(answer("300", "0.004", at=START + 10 * SECOND))
    assert len(system.of(ReconciliationBreak)) == 1


def test_the_late_fill_of_a_cancelled_order_is_booked_with_its_risk() -> None:
    """A fill after the cancel still carries the order's share of R."""
    system, portfolio = booted()
    order = order_request("s1", quantity="0.002", price="100000", risk="1")
    system.take(order, cancelled(order), filled(order))
    assert isinstance(system.of(OrderCancelled)[0], OrderCancelled)
    position = portfolio.ledger.position("s1", BTC)
    assert position is not None
    assert position.risk == 1


def test_what_nobody_here_opened_is_adopted() -> None:
    """A venue position on an instrument without books or orders belongs to EXTERNAL."""
    system, portfolio = booted()
    system.take(answer("300", "0.003"))
    assert system.of(ReconciliationBreak) == []
    held = portfolio.ledger.position(EXTERNAL, BTC)
    assert held is not None
    assert held.quantity == Decimal("0.003")


def dusted(leftovers: list[int]) -> tuple[MiniSystem, Portfolio]:
    """Return a system in which each strategy traded spot and kept less than a lot, in 1e-7 BTC."""
    system, portfolio = booted("1000")
    for number, left in enumerate(leftovers):
        bought = Decimal("0.001") + left * Decimal("1E-7")
        name = f"s{number}"
        system.take(
            fill_of(name, Side.BUY, str(bought), "100000", number=2 * number, instrument=SPOT),
            fill_of(name, Side.SELL, "0.001", "100000", number=2 * number + 1, instrument=SPOT),
        )
    return system, portfolio


def holding(portfolio: Portfolio, quantity: Decimal) -> VenueSnapshot:
    """Return a venue's answer with so much spot and the wallet of the books."""
    return VenueSnapshot(
        ts_event=START,
        ts_init=START,
        positions=(
            VenuePosition(instrument=SPOT, quantity=quantity, entry_price=Decimal(100_000)),
        ),
        orders=(),
        wallet=portfolio.ledger.venue_wallet,
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_dust_beyond_a_lot_is_held_and_not_foreign(leftovers: list[int]) -> None:
    """Spot dust of several strategies, however much together, is in the books: nothing to adopt."""
    system, portfolio = dusted(leftovers)
    book = portfolio.ledger.books[SPOT]
    dust = sum(leftovers) * Decimal("1E-7")
    assert list(portfolio.ledger.positions()) == []
    assert book.quantity == sum((left for left, _ in book.dust.values()), ZERO) == dust
    found = holding(portfolio, dust)
    assert portfolio.reconciler.differences(found) == ()
    system.take(found, found)
    assert system.of(ReconciliationBreak) == []
    assert portfolio.ledger.position(EXTERNAL, SPOT) is None
    assert book.quantity == dust


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9), max_size=8), st.integers(1, 5_000))
def test_what_is_foreign_is_adopted_without_our_dust(leftovers: list[int], lots: int) -> None:
    """Beside dust only what the books lack becomes EXTERNAL's; after it both agree for good."""
    system, portfolio = dusted(leftovers)
    foreign = lots * Decimal("1E-6")
    dust = sum(leftovers) * Decimal("1E-7")
    found = holding(portfolio, dust + foreign)
    system.take(found)
    held = portfolio.ledger.position(EXTERNAL, SPOT)
    assert held is not None
    assert held.quantity == foreign
    assert portfolio.ledger.books[SPOT].quantity == dust + foreign
    assert portfolio.reconciler.differences(found) == ()
    system.take(found, found)
    assert system.of(ReconciliationBreak) == []


@pytest.mark.parametrize("is_late", [False, True])
def test_spot_found_at_the_venue_was_paid_for_before(is_late: bool) -> None:
    """Adopted spot breaks no wallet and moves no equity, found before or after the first wallet."""
    system, portfolio = booted("300") if is_late else unopened()
    found = replace(holding(portfolio, Decimal("0.001")), wallet=Decimal(300))
    system.take(found)
    if not is_late:
        system.take(
            WalletUpdated(
                ts_event=START, ts_init=START, wallet=Decimal(300), available=Decimal(300)
            )
        )
    system.take(found, found)
    assert system.of(ReconciliationBreak) == []
    assert portfolio.equity.equity == 300
    sold = fill_of(EXTERNAL, Side.SELL, "0.001", "110000", number=1, instrument=SPOT)
    system.take(sold)
    after = replace(found, positions=(), wallet=Decimal(410))
    system.take(after, after)
    assert system.of(ReconciliationBreak) == []
    assert portfolio.equity.equity == 310


def unopened() -> tuple[MiniSystem, Portfolio]:
    """Return a system that knows its instruments and no wallet yet."""
    system = MiniSystem(
        settings=HEANSettings(initial_capital=Decimal(300)), instruments=(btc_spot(),)
    )
    portfolio = build_portfolio(
        system.settings, PortfolioSettings(), system.bus, system.agenda, system.view
    )
    for one in portfolio.components:
        system.add(one)
    return system, portfolio
