from hean.app.reports.projection import decision_rows, decisions_digest
from hean.app.testing import FinishedRun
from hean.core.events import Signal


def test_the_digest_is_over_the_rows(backtested: FinishedRun) -> None:
    """`decisions_sha256` is recomputed from the rows of `decisions.parquet` alone."""
    rows = backtested.rows("decisions")
    assert rows
    assert decisions_digest(rows) == backtested.summary["decisions_sha256"]


def test_the_tables_are_the_journal(backtested: FinishedRun) -> None:
    """Rows made from the journal's events equal those of the written table."""
    assert list(decision_rows(backtested.events())) == backtested.rows("decisions")


def test_a_signal_without_a_decision_has_no_row(backtested: FinishedRun) -> None:
    """A signal alone gives no row: a row is what became of one."""
    signals = [one for one in backtested.events() if isinstance(one, Signal)]
    assert list(decision_rows(signals)) == []


def test_orders_end_once(backtested: FinishedRun) -> None:
    """Each order has one row, and its filled quantity is the sum of its fills."""
    orders = backtested.rows("orders")
    assert len({row["order_id"] for row in orders}) == len(orders)
    filled = {row["order_id"] for row in backtested.rows("fills")}
    assert filled <= {row["order_id"] for row in orders if row["filled"] != "0"}
