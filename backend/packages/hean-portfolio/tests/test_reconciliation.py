from __future__ import annotations

from decimal import Decimal

from hean.core.events import (
    OrderCancelled,
    ReconciliationBreak,
    Side,
    VenuePosition,
    VenueSnapshot,
)
from hean.core.testing import BTC, SECOND, START, cancelled, filled, order_request
from hean.portfolio import EXTERNAL

from .scenes import booted, fill_of


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
        ts_event=at, ts_init=at, positions=positions, orders=(), wallet=Decimal(wallet),
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
