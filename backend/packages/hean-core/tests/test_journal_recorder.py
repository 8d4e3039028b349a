from __future__ import annotations

from decimal import Decimal

from hean.core.events.base import Event
from hean.core.events.decision import RefusedBy, SignalRejected
from hean.core.events.portfolio import EquityUpdated
from hean.core.events.reasons import ReasonCode
from hean.core.events.system import JournalFailed
from hean.core.journal import GENESIS, MemoryJournal
from hean.core.journal_recorder import JournalRecorder
from hean.core.testing import (
    BTC,
    MINUTE,
    START,
    MiniSystem,
    accepted,
    filled,
    order_request,
    position_opened,
    quote,
    signal,
)


def _equity(wallet: str, at: int) -> EquityUpdated:
    return EquityUpdated(
        ts_event=at,
        ts_init=at,
        equity=Decimal(wallet),
        wallet=Decimal(wallet),
        unrealised=Decimal(0),
        nav=1.0,
        high_water_mark=1.0,
        drawdown=0.0,
        day_start=1.0,
        day_high=1.0,
        mark_age_ns=0,
        realised=Decimal(0),
        fees=Decimal(0),
        funding=Decimal(0),
    )


def _recorded() -> tuple[MiniSystem, MemoryJournal, JournalRecorder]:
    system = MiniSystem()
    journal = MemoryJournal()
    recorder = system.add(JournalRecorder(journal=journal, kernel=system.kernel))
    return system, journal, recorder


def test_the_recorder_keeps_what_decides_and_leaves_the_market_out() -> None:
    """Orders, fills and positions are journaled with the input that caused them; quotes are not."""
    system, journal, _ = _recorded()
    order = order_request()
    system.take(quote(), signal(), order, accepted(order), filled(order), position_opened())
    assert [record.type for record in journal.records] == [
        "Signal",
        "OrderRequest",
        "OrderAccepted",
        "OrderFilled",
        "PositionOpened",
    ]
    assert [record.input_sequence for record in journal.records] == [2, 3, 4, 5, 6]


def test_only_the_gates_refusals_are_journaled() -> None:
    """A strategy's own refusal is counted elsewhere; the gate's is a decision and is kept."""
    system, journal, _ = _recorded()
    for who in RefusedBy:
        system.take(
            SignalRejected(
                ts_event=START,
                ts_init=START,
                signal_id="s",
                strategy="alpha",
                instrument=BTC,
                layer="PACE",
                code=ReasonCode.COOLDOWN,
                refused_by=who,
            )
        )
    (record,) = journal.records
    kept = record.event()
    assert isinstance(kept, SignalRejected)
    assert kept.refused_by is RefusedBy.GATE


def test_equity_is_sampled_by_wallet_and_minute() -> None:
    """Equity is kept when the wallet moved, else once a minute, also across a restart."""
    system, journal, recorder = _recorded()
    times = [0, 1, 59, 60, 61]
    for second in times:
        system.take(_equity("300", START + second * MINUTE // 60))
    system.take(_equity("301", system.now))
    times = [record.event().ts_init for record in journal.records]
    assert [(at - START) * 60 // MINUTE for at in times] == [0, 60, 61]
    other = JournalRecorder(journal=journal, kernel=system.kernel)
    other.restore(recorder.snapshot())
    assert other.snapshot() == recorder.snapshot()
    later = MiniSystem()
    later.add(other)
    later.take(_equity("301", system.now + 1))
    assert len(journal.records) == 3


def test_a_journal_that_cannot_be_written_is_told_once() -> None:
    """A failing disk is announced as `JournalFailed` once, and again only for a new failure."""
    system, journal, _ = _recorded()
    journal.failure = "disk full"
    system.take(position_opened(), position_opened())
    assert [one.error for one in system.of(JournalFailed)] == ["disk full"]
    journal.failure = ""
    system.take(position_opened())
    journal.failure = "disk full"
    system.take(position_opened())
    assert len(system.of(JournalFailed)) == 2


def test_equal_runs_have_equal_heads() -> None:
    """Two systems fed the same inputs journal the same bytes."""
    heads: list[bytes] = []
    for _ in range(2):
        system, journal, _ = _recorded()
        order = order_request()
        events: tuple[Event, ...] = (order, accepted(order), filled(order))
        system.take(*events)
        heads.append(journal.head)
    assert heads[0] == heads[1] != GENESIS
