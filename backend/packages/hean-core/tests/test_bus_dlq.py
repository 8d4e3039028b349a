from __future__ import annotations

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hean.config import HEANSettings
from hean.core.bus import Stage
from hean.core.bus_dlq import DeadLetterQueue
from hean.core.errors import StateError
from hean.core.events.decision import SignalRejected
from hean.core.events.portfolio import PositionClosed, PositionOpened
from hean.core.events.reasons import ReasonCode
from hean.core.events.strategy import Signal
from hean.core.events.system import DeadLettered
from hean.core.events.union import encode
from hean.core.events.venue import OrderFilled
from hean.core.journal import MemoryJournal
from hean.core.testing import (
    ETH,
    START,
    MiniSystem,
    filled,
    order_request,
    position_closed,
    position_opened,
    quote,
    signal,
)


class _Books:
    """Takes fills and positions in order, and fails while told to."""

    def __init__(self, system: MiniSystem, *, stage: Stage = Stage.LEDGER) -> None:
        self.taken: list[str] = []
        self.failing = False
        self.system = system
        for kind in (OrderFilled, PositionOpened, PositionClosed, Signal):
            system.bus.subscribe(kind, self._take, stage=stage, owner="books")

    def _take(self, event: OrderFilled | PositionOpened | PositionClosed | Signal) -> None:
        self.system.bus.publish(quote(at=self.system.now))
        if self.failing:
            raise ValueError(f"{object()} is broken")
        self.taken.append(f"{type(event).__name__} {event.instrument} {event.ts_event}")


def _system(size: int = 1000) -> tuple[MiniSystem, DeadLetterQueue, MemoryJournal]:
    system = MiniSystem()
    journal = MemoryJournal()
    queue = DeadLetterQueue(
        settings=HEANSettings(dlq_max_size=size),
        bus=system.bus,
        agenda=system.agenda,
        journal=journal,
    )
    system.add(queue)
    return system, queue, journal


def test_a_failed_handler_is_retried_alone_after_ten_seconds() -> None:
    """The others got the event once and at once; the failing one gets it again 10 s later, once."""
    system, queue, _ = _system()
    books = _Books(system)
    books.failing = True
    system.take(filled(order_request()))
    books.failing = False
    assert queue.statistics().parked == 1
    assert len(system.of(OrderFilled)) == 1
    system.advance(9.9)
    assert books.taken == []
    system.advance(0.2)
    assert len(books.taken) == 1
    assert len(system.of(OrderFilled)) == 1
    found = queue.statistics()
    assert (found.parked, found.retried_ok, found.longest_wait_ns) == (0, 1, 10_000_000_000)


def test_later_events_of_the_same_key_wait_behind() -> None:
    """Order per strategy and instrument survives a failure; other keys are not held up."""
    system, queue, _ = _system()
    books = _Books(system)
    books.failing = True
    system.take(position_opened())
    books.failing = False
    system.take(position_closed(), position_opened("beta"), position_opened(instrument=ETH))
    assert [one.split()[0] for one in books.taken] == ["PositionOpened", "PositionOpened"]
    system.advance(10)
    assert [one.split()[0] for one in books.taken[2:]] == ["PositionOpened", "PositionClosed"]
    assert queue.statistics().parked == 0


def test_a_letter_is_retried_at_10_20_and_40_seconds_and_then_buried() -> None:
    """Three retries, then the permanent list, and `DeadLettered` says that it carries money."""
    system, queue, journal = _system()
    books = _Books(system)
    books.failing = True
    event = filled(order_request())
    system.take(event)
    for seconds, retries in ((10, 1), (20, 2), (39.9, 2), (0.2, 3)):
        system.advance(seconds)
        assert queue.statistics().failed_retries == retries
    found = system.recorder.last(DeadLettered)
    assert (found.handler, found.attempts) == ("books:OrderFilled", 3)
    assert found.event_type == "OrderFilled"
    assert found.carries_money
    assert found.payload == encode(event).decode()
    assert "0x" not in found.error
    assert [one.payload for one in journal.dead_letters.values()] == [encode(event)]
    assert queue.statistics().permanent == 1
    assert queue.parked == 0
    books.failing = False
    system.take(position_opened())
    assert len(books.taken) == 1


def test_a_follower_that_fails_gets_its_own_retries() -> None:
    """When the head is given up, the next is delivered at once and, failing, starts at 10 s."""
    system, queue, _ = _system()
    books = _Books(system)
    books.failing = True
    system.take(position_opened())
    system.take(position_closed())
    system.advance(71)
    assert len(system.of(DeadLettered)) == 1
    assert queue.parked == 1
    books.failing = False
    system.advance(10)
    assert [one.split()[0] for one in books.taken] == ["PositionClosed"]


def test_a_signal_the_gate_never_took_is_rejected() -> None:
    """An exhausted Signal ends in HANDLER_FAILED from layer SIGNAL, exactly once."""
    system, _, _ = _system()
    _Books(system, stage=Stage.GATE).failing = True
    wish = signal()
    system.take(wish)
    system.advance(100)
    (answer,) = system.of(SignalRejected)
    assert (answer.signal_id, answer.code, answer.layer) == (
        wish.signal_id,
        ReasonCode.HANDLER_FAILED,
        "SIGNAL",
    )


def test_a_report_that_fails_on_a_signal_rejects_nothing() -> None:
    """Only the gate's failure undecides a signal; another handler's leaves the decision alone."""
    system, _, _ = _system()
    _Books(system, stage=Stage.REPORTS).failing = True
    system.take(signal())
    system.advance(100)
    assert system.of(SignalRejected) == []
    assert len(system.of(DeadLettered)) == 1


def test_a_full_queue_spills_the_oldest_and_reads_it_back() -> None:
    """With room for two, the first letters go to the journal and still arrive, in order."""
    system, queue, _ = _system(2)
    books = _Books(system)
    books.failing = True
    for at in range(5):
        system.take(position_opened(at=START + at))
    assert (queue.statistics().parked, queue.statistics().spilled) == (5, 3)
    books.failing = False
    system.advance(11)
    assert [one.split()[2][-1] for one in books.taken] == ["0", "1", "2", "3", "4"]
    assert queue.statistics().spilled == 0


def test_restored_letters_find_their_handlers_again() -> None:
    """A snapshot taken while letters wait is delivered by another system, spilled ones too."""
    system, queue, journal = _system(1)
    books = _Books(system)
    books.failing = True
    system.take(position_opened(), position_closed())
    states = (system.agenda.snapshot(), system.kernel.snapshot(), queue.snapshot())
    other = MiniSystem()
    later = DeadLetterQueue(
        settings=HEANSettings(dlq_max_size=1), bus=other.bus, agenda=other.agenda, journal=journal
    )
    other.add(later)
    healthy = _Books(other)
    other.agenda.restore(states[0])
    other.kernel.restore(states[1])
    later.restore(states[2])
    assert later.snapshot() == states[2]
    assert later.statistics() == queue.statistics()
    other.advance(11)
    assert [one.split()[0] for one in healthy.taken] == ["PositionOpened", "PositionClosed"]


def test_a_letter_without_its_handler_is_refused_at_restore() -> None:
    """Restoring into a system that lacks the handler raises `StateError` naming it."""
    system, queue, journal = _system()
    _Books(system).failing = True
    system.take(position_opened())
    other = MiniSystem()
    later = DeadLetterQueue(
        settings=HEANSettings(), bus=other.bus, agenda=other.agenda, journal=journal
    )
    with pytest.raises(StateError, match="books:PositionOpened"):
        later.restore(queue.snapshot())


class LetterMachine(RuleBasedStateMachine):
    """Failures that come and go: nothing is lost, doubled or reordered within a key."""

    def __init__(self) -> None:
        super().__init__()
        self.system, self.queue, self.journal = _system(3)
        self.books = _Books(self.system)
        self.sent: dict[str, list[str]] = {}
        self.number = 0

    @rule(strategy=st.sampled_from(["a", "b"]), fails=st.booleans())
    def send(self, strategy: str, fails: bool) -> None:
        self.books.failing = fails
        self.number += 1
        event = position_opened(strategy, instrument=strategy, at=self.number)
        self.sent.setdefault(strategy, []).append(f"PositionOpened {strategy} {self.number}")
        self.system.take(event)

    @rule(seconds=st.sampled_from([3.0, 11.0, 45.0]), fails=st.booleans())
    def wait(self, seconds: float, fails: bool) -> None:
        self.books.failing = fails
        self.system.advance(seconds)

    @invariant()
    def nothing_is_lost(self) -> None:
        found = self.queue.statistics()
        assert len(self.books.taken) + found.parked + found.permanent == self.number
        assert found.permanent == len(self.journal.dead_letters)
        assert found.parked - found.spilled <= 3

    @invariant()
    def order_holds(self) -> None:
        for strategy, sent in self.sent.items():
            taken = [one for one in self.books.taken if one.split()[1] == strategy]
            assert taken == [one for one in sent if one in taken]
            assert len(taken) == len({*taken})


LetterMachine.TestCase.settings = hypothesis_settings(
    max_examples=60, stateful_step_count=30, deadline=None
)
test_letters_under_any_failures = LetterMachine.TestCase
