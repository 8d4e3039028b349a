from decimal import Decimal

import pytest

from hean.app.reports.summary import text
from hean.app.testing import FinishedRun


@pytest.mark.parametrize(
    ("value", "told"),
    [("12.50", "12.5"), ("0E-8", "0"), ("-0", "0"), ("1E+3", "1000"), ("-0.0010", "-0.001")],
)
def test_money_is_plain_text(value: str, told: str) -> None:
    """Money has neither exponent nor idle zeros."""
    assert text(Decimal(value)) == told


def test_the_strategies_add_up(backtested: FinishedRun) -> None:
    """Counts and money of the strategies add up to the account's."""
    rows = list(backtested.summary["strategies"].values())
    for key in ("signals", "order_requests", "withdrawals", "fills"):
        total = 0
        for row in rows:
            total += row[key]
        assert total == backtested.summary[key]
    fees = Decimal(0)
    for row in rows:
        fees += Decimal(row["fees"])
        net = Decimal(row["realised_pnl"]) - Decimal(row["fees"]) + Decimal(row["funding"])
        assert Decimal(row["net_pnl"]) == net
    assert fees == Decimal(backtested.summary["fees"])
