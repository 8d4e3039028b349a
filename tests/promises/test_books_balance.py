"""Promise 7: the books balance, and anybody can recompute them from what a run leaves."""

from collections import defaultdict
from decimal import Context, Decimal
from typing import Any

import pytest

from hean.app.testing import FinishedRun

EXACT = Context(prec=96)
ROUND = Context(prec=28)
GRID = Decimal("1E-8")


@pytest.fixture(params=["bar_run", "sim_run"])
def run(request: pytest.FixtureRequest) -> FinishedRun:
    """Both runs, one after the other."""
    return request.getfixturevalue(request.param)


def _realised(rows: list[dict[str, Any]], *, on_grid: bool) -> dict[str, Decimal]:
    """Return each strategy's realised result, by cost and quantity from its fills alone."""
    held: dict[tuple[str, str], tuple[Decimal, Decimal]] = defaultdict(
        lambda: (Decimal(0), Decimal(0))
    )
    realised: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        key = (row["strategy"], row["instrument"])
        quantity, cost = held[key]
        price = Decimal(row["price"])
        signed = Decimal(row["qty"]) * (1 if row["side"] == "BUY" else -1)
        if quantity * signed < 0:
            part = min(abs(signed), abs(quantity))
            freed = cost
            if part != abs(quantity):
                freed = (ROUND if on_grid else EXACT).divide(
                    EXACT.multiply(cost, part), abs(quantity)
                )
                freed = freed.quantize(GRID, context=ROUND) if on_grid else freed
            closed = part if quantity > 0 else -part
            realised[key[0]] = EXACT.add(
                realised[key[0]], EXACT.subtract(EXACT.multiply(closed, price), freed)
            )
            cost, quantity = EXACT.subtract(cost, freed), quantity - closed
            signed += closed
        if signed:
            cost, quantity = EXACT.add(cost, EXACT.multiply(signed, price)), quantity + signed
        held[key] = (quantity, cost)
    return realised


def test_realised_agrees_to_the_last_digit(run: FinishedRun) -> None:
    """From `fills.parquet` alone, partial closes on the 1e-8 grid, each result follows."""
    found = _realised(run.rows("fills"), on_grid=True)
    assert run.summary["fills"] > 0
    for name, row in run.summary["strategies"].items():
        assert Decimal(row["realised_pnl"]) == found.get(name, Decimal(0)), name


def test_realised_agrees_without_the_rounding(run: FinishedRun) -> None:
    """Without the rounding of partial closes the result agrees to 1e-6."""
    found = _realised(run.rows("fills"), on_grid=False)
    total = Decimal(0)
    for value in found.values():
        total += value
    assert abs(total - Decimal(run.summary["realised_pnl"])) < Decimal("1E-6")


def test_fees_and_funding_are_their_rows(run: FinishedRun) -> None:
    """Each strategy's fees and funding are the sums of its rows, exactly."""
    fees: dict[str, Decimal] = defaultdict(Decimal)
    for row in run.rows("fills"):
        fees[row["strategy"]] += Decimal(row["fee"])
    funding: dict[str, Decimal] = defaultdict(Decimal)
    for row in run.rows("funding"):
        funding[row["strategy"]] += Decimal(row["amount"])
    for name, row in run.summary["strategies"].items():
        assert Decimal(row["fees"]) == fees[name]
        assert Decimal(row["funding"]) == funding[name]


def test_the_wallet_moves_only_by_what_is_told(run: FinishedRun) -> None:
    """wallet_end == wallet_start + realised + funding - fees, exactly; equity adds unrealised."""
    told = {
        name: Decimal(run.summary[name])
        for name in (
            "wallet_start",
            "wallet_end",
            "realised_pnl",
            "funding",
            "fees",
            "unrealised_pnl",
            "equity_end",
        )
    }
    flows = told["wallet_start"] + told["realised_pnl"] + told["funding"] - told["fees"]
    assert told["wallet_end"] == flows
    assert told["equity_end"] == told["wallet_end"] + told["unrealised_pnl"]
    assert run.summary["books_balance"] is True


def test_an_execution_is_booked_once(run: FinishedRun) -> None:
    """The ids of `fills.parquet` are unique, and there is one row for each counted fill."""
    ids = [row["fill_id"] for row in run.rows("fills")]
    assert len(ids) == len(set(ids)) == run.summary["fills"]
