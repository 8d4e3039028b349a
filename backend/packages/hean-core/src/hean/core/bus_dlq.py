"""The dead-letter queue: what a handler could not take waits for that handler, in order.

A durable event whose handler raised is retried for that handler alone after 10, 20 and 40 s of
kernel time. Later events for the same owner and the same key (the order's or position's strategy
and instrument, else the event's own key or type) wait behind it. What is not cured in time is
buried in the journal and told as `DeadLettered`; a `Signal` the gate could not take is rejected.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from loguru import logger

from hean.core.bus import Bus, Stage, Subscription
from hean.core.errors import StateError
from hean.core.events.base import Event
from hean.core.events.decision import SignalRejected
from hean.core.events.reasons import ReasonCode
from hean.core.events.strategy import Signal
from hean.core.events.system import DeadLettered, TimerFired
from hean.core.events.union import MONEY_EVENTS, decode, encode
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda

if TYPE_CHECKING:
    from hean.config import HEANSettings

FIRST_RETRY_NS: Final = 10_000_000_000
"""Kernel time until the first retry; each later one waits twice as long."""
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")

QueueKey = tuple[str, str]


class LetterStore(Protocol):
    """Where letters go that memory does not hold: the journal. Numbers are unique in a run."""

    def spill(self, number: int, data: bytes) -> None:
        """Keep an overflowing letter; writing one again replaces it."""
        ...

    def read_spilled(self, number: int) -> bytes:
        """Return a spilled letter; it stays kept."""
        ...

    def bury(self, number: int, handler: str, error: str, data: bytes) -> None:
        """Keep a letter for a person, for good."""
        ...


class DeadLetterStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen view: what waits now (spilled included), and what became of the rest."""

    parked: int
    spilled: int
    retried_ok: int
    permanent: int
    failed_retries: int
    longest_wait_ns: int


class _Letter(msgspec.Struct):
    """One delivery that waits. `data` is empty while it lies in the journal."""

    number: int
    subscription: str
    parked_at: int
    data: bytes
    attempts: int = 0
    error: str = ""


class _State(msgspec.Struct, frozen=True):
    queues: list[tuple[str, str, list[_Letter]]]
    next_number: int
    retried_ok: int
    permanent: int
    failed_retries: int
    longest_wait: int


class DeadLetterQueue:
    """Parks (event, handler) pairs for the bus and retries them in kernel time."""

    name = "dlq"

    def __init__(
        self, *, settings: HEANSettings, bus: Bus, agenda: Agenda, journal: LetterStore
    ) -> None:
        self.parked = 0
        self._bus = bus
        self._agenda = agenda
        self._store = journal
        self._max_size = settings.dlq_max_size
        self._max_retries = settings.dlq_max_retries
        self._queues: dict[QueueKey, deque[_Letter]] = {}
        self._in_memory: dict[int, _Letter] = {}
        self._next_number = 0
        self._retried_ok = self._permanent = self._failed_retries = self._longest_wait = 0

    def attach(self, bus: Bus) -> None:
        """Become the bus's dead letters, and hear the retry timers."""
        bus.use_dead_letters(self)
        bus.subscribe(
            TimerFired, self._on_timer, stage=Stage.JOURNAL, owner=self.name, key=self.name
        )

    def holds(self, event: Event, subscription: Subscription) -> bool:
        """Return whether an earlier event of that owner and key still waits."""
        return (subscription.owner, queue_key(event)) in self._queues

    def park(self, event: Event, subscription: Subscription, error: Exception | None) -> None:
        """Keep a delivery: one that failed (`error`), or one that waits behind such a one."""
        key = (subscription.owner, queue_key(event))
        self._next_number += 1
        letter = _Letter(
            self._next_number,
            subscription.name,
            self._agenda.now,
            encode(event),
            error="" if error is None else _text(error),
        )
        if len(self._in_memory) >= self._max_size:
            self._spill_oldest()
        queue = self._queues.setdefault(key, deque())
        queue.append(letter)
        self._in_memory[letter.number] = letter
        self.parked += 1
        if len(queue) == 1:
            self._arm(key, letter)

    def statistics(self) -> DeadLetterStatistics:
        """Return a frozen snapshot of the counts."""
        return DeadLetterStatistics(
            parked=self.parked,
            spilled=self.parked - len(self._in_memory),
            retried_ok=self._retried_ok,
            permanent=self._permanent,
            failed_retries=self._failed_retries,
            longest_wait_ns=self._longest_wait,
        )

    def _spill_oldest(self) -> None:
        number = next(iter(self._in_memory))
        letter = self._in_memory[number]
        self._store.spill(number, letter.data)
        letter.data = b""
        del self._in_memory[number]

    def _arm(self, key: QueueKey, letter: _Letter) -> None:
        due = self._agenda.now + (FIRST_RETRY_NS << letter.attempts)
        self._agenda.arm(self.name, f"{key[0]}\x1f{key[1]}", due)

    def _on_timer(self, event: TimerFired) -> None:
        owner, _, name = event.key.partition("\x1f")
        self._drain((owner, name))

    def _drain(self, key: QueueKey) -> None:
        """Deliver from the head until one fails and may be retried later, or none is left."""
        queue = self._queues[key]
        is_retry = True
        while queue:
            letter = queue[0]
            event = decode(letter.data or self._store.read_spilled(letter.number))
            error = self._bus.redeliver(event, self._found(letter.subscription))
            if error is None:
                self._cured(letter)
            else:
                letter.attempts += is_retry
                letter.error = _text(error)
                self._failed_retries += 1
                if letter.attempts < self._max_retries:
                    self._arm(key, letter)
                    return
                self._give_up(letter, event)
            queue.popleft()
            self._in_memory.pop(letter.number, None)
            self.parked -= 1
            is_retry = False
        del self._queues[key]

    def _found(self, name: str) -> Subscription:
        subscription = self._bus.find(name)
        if subscription is None:
            raise StateError(f"no handler {name} takes the dead letter that waits for it")
        return subscription

    def _cured(self, letter: _Letter) -> None:
        waited = self._agenda.now - letter.parked_at
        self._retried_ok += 1
        self._longest_wait = max(self._longest_wait, waited)
        logger.info("{} took its event after {} s", letter.subscription, waited / 1e9)

    def _give_up(self, letter: _Letter, event: Event) -> None:
        """Bury the letter and say so; `DeadLettered` is critical and halts entries for money."""
        subscription = self._found(letter.subscription)
        data = letter.data or self._store.read_spilled(letter.number)
        self._store.bury(letter.number, letter.subscription, letter.error, data)
        self._permanent += 1
        now = self._agenda.now
        self._bus.publish(
            DeadLettered(
                ts_event=now,
                ts_init=now,
                correlation_id=event.correlation_id,
                handler=letter.subscription,
                event_type=type(event).__name__,
                key=queue_key(event),
                attempts=letter.attempts,
                error=letter.error,
                payload=data.decode(),
                carries_money=type(event) in MONEY_EVENTS,
            )
        )
        if isinstance(event, Signal) and subscription.stage is Stage.GATE:
            self._bus.publish(_rejection(event, now, letter.attempts))

    def snapshot(self) -> bytes:
        """Return every letter; spilled ones stay in the journal."""
        state = _State(
            [(*key, list(queue)) for key, queue in self._queues.items()],
            self._next_number,
            self._retried_ok,
            self._permanent,
            self._failed_retries,
            self._longest_wait,
        )
        return pack(self.name, 1, state)

    def restore(self, state: bytes) -> None:
        """Take over the letters of a snapshot; raises `StateError` if a handler is gone."""
        found = unpack(state, self.name, 1, _State)
        queues = {(owner, name): deque(letters) for owner, name, letters in found.queues}
        letters = sorted(
            (letter for queue in queues.values() for letter in queue),
            key=lambda letter: letter.number,
        )
        for letter in letters:
            self._found(letter.subscription)
        self._queues = queues
        self._in_memory = {letter.number: letter for letter in letters if letter.data}
        self.parked = len(letters)
        self._next_number = found.next_number
        self._retried_ok, self._permanent = found.retried_ok, found.permanent
        self._failed_retries, self._longest_wait = found.failed_retries, found.longest_wait


def queue_key(event: Event) -> str:
    """Return what keeps order: strategy and instrument, else the event's own key, else its type."""
    strategy = getattr(event, "strategy", "")
    instrument = getattr(event, "instrument", "")
    if strategy or instrument:
        return f"{strategy}/{instrument}"
    return type(event).__name__


def _text(error: Exception) -> str:
    return _ADDRESS.sub("", f"{type(error).__name__}: {error}")


def _rejection(signal: Signal, now: int, attempts: int) -> SignalRejected:
    return SignalRejected(
        ts_event=now,
        ts_init=now,
        correlation_id=signal.signal_id,
        causation_id=signal.signal_id,
        signal_id=signal.signal_id,
        strategy=signal.strategy,
        instrument=signal.instrument,
        layer="SIGNAL",
        code=ReasonCode.HANDLER_FAILED,
        number=float(attempts),
        limit=float(attempts),
        side=signal.side,
    )
