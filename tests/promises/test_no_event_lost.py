"""Promise 6: a handler that fails loses nothing: it alone is retried, in order, acting once."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from loguru import logger

from hean.app.testing import FinishedRun, finish_run, open_dataset, settings_with
from hean.core.bus import Stage
from hean.core.events import (
    DeadLettered,
    Event,
    OrderFilled,
    OrderRequest,
    PositionClosed,
    RiskEnvelope,
)
from hean.core.journal import SqliteJournal
from hean.main import TradingSystem
from hean.portfolio.ledger import Ledger


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """Failures that a test plants are not logged."""
    logger.remove()


class Failing:
    """Takes events of one type, failing `times` on each; `taken` are those it took."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.tries: dict[Event, int] = {}
        self.taken: list[Event] = []

    def handle(self, event: Event) -> None:
        self.tries[event] = self.tries.get(event, 0) + 1
        if self.tries[event] <= self.times:
            raise RuntimeError("planted")
        self.taken.append(event)


def _run(
    bars: Path,
    directory: Path,
    kind: type[Event],
    handler: Callable[[Event], None],
    *more: tuple[type[Event], Callable[[Event], None]],
) -> FinishedRun:
    def watch(system: TradingSystem) -> None:
        for one, take in ((kind, handler), *more):
            system.bus.subscribe(one, take, stage=Stage.REPORTS, owner=f"witness-{one.__name__}")

    return finish_run(open_dataset(bars, directory, settings_with(), watch=watch))


@pytest.mark.parametrize("kind", [OrderFilled, PositionClosed])
def test_a_failing_handler_is_retried_and_harms_nobody(
    bars: Path, bar_run: FinishedRun, tmp_path: Path, kind: type[Event]
) -> None:
    """A handler failing twice on each event takes every one once, in order; all else is equal."""
    failing = Failing(times=2)
    run = _run(bars, tmp_path, kind, failing.handle)
    expected = run.events(kind.__name__)
    assert expected
    by_key: dict[str, list[Event]] = {}
    for event in expected:
        by_key.setdefault(getattr(event, "instrument", ""), []).append(event)
    for instrument, events in by_key.items():
        taken = [one for one in failing.taken if getattr(one, "instrument", "") == instrument]
        assert taken == events
    assert run.summary["dlq"]["permanent"] == 0
    assert run.summary["dlq"]["parked"] == 0
    assert run.summary["dlq"]["retried_ok"] == len(expected)
    assert run.summary["decisions_sha256"] == bar_run.summary["decisions_sha256"]
    assert run.summary["journal_sha256"] == bar_run.summary["journal_sha256"]


def test_the_ledger_may_fail_and_the_books_still_balance(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the ledger itself fails on a fill, its retry books it once and the books balance."""
    name = "_on_filled"
    book: Callable[[Ledger, OrderFilled], None] = getattr(Ledger, name)
    failures: list[str] = []

    def fail_at_first(ledger: Ledger, event: OrderFilled) -> None:
        if len(failures) < 2:
            failures.append(event.fill_id)
            raise RuntimeError("planted")
        book(ledger, event)

    monkeypatch.setattr(Ledger, name, fail_at_first)
    run = finish_run(open_dataset(bars, tmp_path, settings_with()))
    assert len(failures) == 2
    assert run.summary["dlq"]["retried_ok"] >= 1
    assert run.summary["dlq"]["permanent"] == 0
    assert run.summary["books_balance"] is True
    fees = Decimal(0)
    for row in run.rows("fills"):
        fees += Decimal(row["fee"])
    assert fees == Decimal(run.summary["fees"])


def test_what_cannot_be_cured_is_kept_and_halts_entries(bars: Path, tmp_path: Path) -> None:
    """A fill that a handler never takes is buried for a person, told, and entries are barred."""
    failing = Failing(times=1 << 30)
    told: list[Event] = []
    envelopes: list[Event] = []
    requests: list[Event] = []
    run = _run(
        bars,
        tmp_path,
        OrderFilled,
        failing.handle,
        (DeadLettered, told.append),
        (RiskEnvelope, envelopes.append),
        (OrderRequest, requests.append),
    )
    fills = run.events("OrderFilled")
    assert failing.taken == []
    assert len(told) == len(fills) == run.summary["dlq"]["permanent"]
    first = told[0]
    assert isinstance(first, DeadLettered)
    assert first.carries_money
    assert first.attempts == 3
    later = [one for one in requests if one.ts_init > first.ts_init]
    assert [one for one in later if isinstance(one, OrderRequest) and not one.reduce_only] == []
    last = envelopes[-1]
    assert isinstance(last, RiskEnvelope)
    assert not last.entries_allowed
    journal = SqliteJournal(tmp_path / "journal.db")
    try:
        kept = journal.dead_letters()
    finally:
        journal.close()
    assert len(kept) == len(fills)
    assert "planted" in kept[0].error
