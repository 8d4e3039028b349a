from msgspec.structs import replace

from hean.app.reports.funnel import Funnel
from hean.app.testing import FinishedRun
from hean.core.events import Intent, ReasonCode, RefusedBy, Side, SignalRejected, SignalWithdrawn
from hean.core.journal import SqliteJournal
from hean.core.testing import BTC, START, MiniSystem


def test_a_restart_forgets_nothing(backtested: FinishedRun) -> None:
    """The funnel of a run's last snapshot has its counts, its budgets and its last decisions."""
    journal = SqliteJournal(backtested.directory / "journal.db")
    found = journal.snapshot()
    journal.close()
    assert found is not None
    funnel = Funnel()
    funnel.restore(found.states["funnel"])
    assert funnel.snapshot() == found.states["funnel"]
    assert funnel.envelope is not None
    assert funnel.equity is not None
    signals = 0
    for counts in funnel.strategies.values():
        signals += counts.signals
    assert signals == backtested.summary["signals"]
    assert funnel.decisions
    budgets = {one.strategy: str(one.budget) for one in funnel.envelope.strategies}
    for name, row in backtested.summary["strategies"].items():
        assert float(row["budget_end"]) == float(budgets.get(name, "0"))


def test_a_withdrawal_without_a_signal_is_not_counted() -> None:
    """Quotes the gate pulls because their replacement was refused answer no signal."""
    system = MiniSystem()
    funnel = Funnel()
    system.add(funnel)
    pulled = SignalWithdrawn(
        ts_event=START,
        ts_init=START,
        signal_id="",
        strategy="alpha",
        instrument=BTC,
        side=Side.BUY,
        intent=Intent.CLOSE,
        cancels=("h",),
    )
    system.take(pulled, replace(pulled, signal_id="s"))
    assert funnel.strategies["alpha"].withdrawals == 1


def test_a_quote_that_stands_pulls_nothing() -> None:
    """The answer to a quote that rests already says so in the last decisions."""
    system = MiniSystem()
    funnel = Funnel()
    system.add(funnel)
    stood = SignalWithdrawn(
        ts_event=START,
        ts_init=START,
        signal_id="s",
        strategy="alpha",
        instrument=BTC,
        side=Side.BUY,
        intent=Intent.QUOTE,
        reason="it rests there already",
        stands="order",
    )
    system.take(stood, replace(stood, stands="", cancels=("h",), reason="quotes pulled"))
    assert [one.text for one in funnel.decisions] == ["it rests there already", "1 orders pulled"]


def test_a_refusal_without_a_number_says_its_code_alone() -> None:
    """Zero against zero is no number that decided; one that did is told with its limit."""
    system = MiniSystem()
    funnel = Funnel()
    system.add(funnel)
    refused = SignalRejected(
        ts_event=START,
        ts_init=START,
        signal_id="s",
        strategy="alpha",
        instrument=BTC,
        side=Side.BUY,
        layer="ACTIVE",
        code=ReasonCode.STRATEGY_INACTIVE,
        refused_by=RefusedBy.GATE,
    )
    system.take(refused, replace(refused, code=ReasonCode.EDGE, number=3.1, limit=7.7))
    assert [one.text for one in funnel.decisions] == ["STRATEGY_INACTIVE", "EDGE: 3.1 against 7.7"]
