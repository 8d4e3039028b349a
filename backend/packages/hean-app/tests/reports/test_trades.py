from __future__ import annotations

from math import isclose
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.app.reports.trades import Book, net_curves, trade_totals

HOUR = 3_600_000_000_000


def test_net_curves_end_at_realised_less_fees_plus_funding(run_directory: Path) -> None:
    """The last value of each curve is what its rows add up to."""
    found = {curve.name: curve for curve in net_curves(run_directory)}
    momentum = 2 * 3 - 0.11 - 0.12 + (104 - 108) - 0.06 - 0.06
    assert isclose(found["momentum_trader"].last, momentum, abs_tol=1e-9)
    assert isclose(found["funding_harvester"].last, 0.25 - 0.05, abs_tol=1e-9)


def test_net_curves_reach_the_end_of_the_run(run_directory: Path) -> None:
    """A strategy that stopped trading keeps its result until the last time asked for."""
    last = 2_000_000_000_000_000_000
    for curve in net_curves(run_directory, last):
        assert curve.times[-1] == last
        assert curve.values[-1] == curve.values[-2]


def test_round_trips_are_counted_from_flat_to_flat(run_directory: Path) -> None:
    """One won, one lost, and the position that is still open is no closed trip."""
    found = trade_totals(run_directory)
    momentum, carry = found["momentum_trader"], found["funding_harvester"]
    assert (momentum.closed, momentum.won, momentum.open) == (2, 1, 0)
    assert isclose(momentum.best, 6 - 0.23, abs_tol=1e-9)
    assert isclose(momentum.worst, -4 - 0.12, abs_tol=1e-9)
    assert momentum.held_ns == 6 * HOUR + 20 * HOUR
    assert (carry.closed, carry.open, carry.maker_fills) == (0, 1, 1)
    assert isclose(momentum.profit_factor or 0.0, (6 - 0.23) / 4.12, abs_tol=1e-9)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 50), st.integers(900, 1100)),
        min_size=1,
        max_size=40,
    )
)
def test_realised_and_cost_account_for_every_cent(fills: list[tuple[bool, int, int]]) -> None:
    """Cash paid out equals what is held at cost less what was realised, for any fills."""
    book, realised, cash = Book(), 0.0, 0.0
    for buys, quantity, price in fills:
        realised += book.fill("BUY" if buys else "SELL", quantity, price)
        cash += -quantity * price if buys else quantity * price
    assert isclose(realised - book.cost, cash, abs_tol=1e-4)


def test_a_fill_through_zero_closes_and_opens() -> None:
    """Selling three of two held realises on two and leaves one short at the new price."""
    book = Book()
    book.fill("BUY", 2, 100)
    assert isclose(book.fill("SELL", 3, 110), 20, abs_tol=1e-9)
    assert isclose(book.quantity, -1, abs_tol=1e-9)
    assert isclose(book.cost, -110, abs_tol=1e-9)
