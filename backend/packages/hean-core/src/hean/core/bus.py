"""The bus: typed subscriptions, three priorities, one declared order, one event to completion.

Handlers are plain synchronous callables. What a handler publishes is queued when it returns and
dropped when it raises, so a failed handler leaves no trace outside itself. One failing handler
never harms the others: a durable event is parked for that handler alone (`bus_dlq`). Only a
`JournalError` passes through and ends the run: without its journal the system must not go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from operator import attrgetter
from typing import Any, Protocol, TypeVar

import msgspec
from loguru import logger

from hean.core.errors import EventError, JournalError
from hean.core.events.base import Event
from hean.core.events.union import DURABLE, PRIORITY, Priority

EventT = TypeVar("EventT", bound=Event)
Handler = Callable[[Any], None]


class Stage(IntEnum):
    """The declared order in which handlers of one event are called."""

    JOURNAL = 0
    VENUE = 10
    FEATURES = 20
    LEDGER = 30
    SHADOW_BOOK = 35
    SLOTS = 40
    RISK = 50
    PERFORMANCE = 60
    AUTOPILOT = 62
    ALLOCATOR = 64
    STRATEGIES = 70
    GATE = 80
    EXECUTION = 90
    REPORTS = 100


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """One handler of one event type.

    `name` is unique on its bus and the same in each run: a failure is reported and found by it.
    """

    name: str
    owner: str
    event_type: type[Event]
    handler: Handler
    stage: Stage
    key: str | None
    sequence: int


class DeadLetters(Protocol):
    """Where the bus parks what a handler could not take; `holds` keeps later events in order."""

    parked: int

    def park(self, event: Event, subscription: Subscription, error: Exception | None) -> None: ...

    def holds(self, event: Event, subscription: Subscription) -> bool: ...


class BusStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen view of the bus: counts since it was made."""

    delivered: dict[str, int]
    queued: dict[str, int]
    failures: dict[str, int]
    subscriptions: int
    deepest: int


class _Topic:
    """All subscriptions of one event type, resolved to tuples of handlers."""

    __slots__ = (
        "by_key",
        "count",
        "durable",
        "general",
        "key_of",
        "lane",
        "queued",
        "read_key",
        "subscriptions",
    )

    def __init__(self, event_type: type[Event], lane: deque[Event]) -> None:
        self.lane = lane
        self.queued = 0
        self.subscriptions: list[Subscription] = []
        self.general: tuple[Handler, ...] = ()
        self.by_key: dict[str, tuple[Handler, ...]] = {}
        self.durable = event_type in DURABLE
        self.count = 0
        field = event_type.key_field
        self.key_of: Callable[[Any], str] | None = attrgetter(field) if field else None
        self.read_key: Callable[[Any], str] | None = None

    def add(self, subscription: Subscription) -> None:
        self.subscriptions.append(subscription)
        self.subscriptions.sort(key=lambda one: (one.stage, one.sequence))
        self.general = tuple(one.handler for one in self.subscriptions if one.key is None)
        keys = {one.key: None for one in self.subscriptions if one.key is not None}
        self.read_key = self.key_of if keys else None
        self.by_key = {
            key: tuple(one.handler for one in self.subscriptions if one.key in (None, key))
            for key in keys
        }


class Bus:
    """Delivers events to handlers in the declared order.

    `dispatch` takes one input to completion; `publish` is for handlers. Both run in one thread.
    """

    def __init__(self) -> None:
        self._lanes: tuple[deque[Event], deque[Event], deque[Event]] = (deque(), deque(), deque())
        self._topics: dict[type[Event], _Topic] = {
            kind: _Topic(kind, self._lanes[priority]) for kind, priority in PRIORITY.items()
        }
        self._pending: list[Event] = []
        self.publish: Callable[[Event], None] = self._pending.append
        """Queue an event; it is delivered after the present handler has returned."""
        self._waiting = 0
        self._sequence = 0
        self._deepest = 0
        self._failures: dict[str, int] = {}
        self._dead_letters: DeadLetters | None = None
        self._by_name: dict[str, Subscription] = {}

    def use_dead_letters(self, queue: DeadLetters) -> None:
        """Park failed deliveries of durable events in `queue`."""
        self._dead_letters = queue

    def subscribe(
        self,
        event_type: type[EventT],
        handler: Callable[[EventT], None],
        *,
        stage: Stage,
        owner: str,
        key: str | None = None,
    ) -> None:
        """Call `handler` for each `event_type`, or only for those whose key field equals `key`.

        Handlers of one type run by stage, then in order of subscription. Raises `EventError` for a
        type outside the union, or a key on a type that has none.
        """
        topic = self._topics.get(event_type)
        if topic is None:
            raise EventError(f"{event_type.__name__} is not an event of the closed union")
        if key is not None and topic.key_of is None:
            raise EventError(f"{event_type.__name__} has no key to subscribe by, asked for {key!r}")
        self._sequence += 1
        subscription = Subscription(
            name=self._free_name(f"{owner}:{event_type.__name__}", key),
            owner=owner,
            event_type=event_type,
            handler=handler,
            stage=stage,
            key=key,
            sequence=self._sequence,
        )
        self._by_name[subscription.name] = subscription
        topic.add(subscription)

    def find(self, name: str) -> Subscription | None:
        """Return the subscription of that name, or None."""
        return self._by_name.get(name)

    def wanted(self, event_type: type[Event], key: str | None = None) -> bool:
        """Return whether anybody would receive such an event (with that key)."""
        topic = self._topics[event_type]
        return bool(topic.general) or (bool(topic.by_key) if key is None else key in topic.by_key)

    def subscriptions(self, event_type: type[Event]) -> tuple[Subscription, ...]:
        """Return who receives an event type, in the order of delivery."""
        return tuple(self._topics[event_type].subscriptions)

    def dispatch(self, event: Event) -> None:
        """Deliver an input and everything it causes, to the end."""
        topics, pending = self._topics, self._pending
        while True:
            topic = topics[event.__class__]
            topic.count += 1
            handlers, read_key = topic.general, topic.read_key
            if read_key is not None:
                handlers = topic.by_key.get(read_key(event), handlers)
            if topic.durable and self._dead_letters is not None and self._dead_letters.parked:
                handlers = self._unheld(event, topic, handlers)
            for handler in handlers:
                try:
                    handler(event)
                except JournalError:
                    raise
                except Exception as error:
                    pending.clear()
                    self._fail(event, topic, handler, error)
                if pending:
                    self._queue()
            if not self._waiting:
                return
            event = self._next()

    def settle(self) -> None:
        """Deliver what is queued until nothing is left."""
        if self._pending:
            self._queue()
        if self._waiting:
            self.dispatch(self._next())

    def redeliver(self, event: Event, subscription: Subscription) -> Exception | None:
        """Call one handler again; return the error if it failed again, with its output dropped.

        For the dead-letter queue: what its own handler published before this call is queued first.
        """
        if self._pending:
            self._queue()
        try:
            subscription.handler(event)
        except JournalError:
            raise
        except Exception as error:
            self._pending.clear()
            self._failures[subscription.name] = self._failures.get(subscription.name, 0) + 1
            return error
        if self._pending:
            self._queue()
        return None

    def check_durable(self) -> None:
        """Raise `EventError` if a durable event has no subscriber."""
        orphans = sorted(kind.__name__ for kind in DURABLE if not self._topics[kind].subscriptions)
        if orphans:
            raise EventError(f"durable events without a subscriber: {', '.join(orphans)}")

    def statistics(self) -> BusStatistics:
        """Return a frozen snapshot of the counts."""
        return BusStatistics(
            delivered={
                kind.__name__: topic.count for kind, topic in self._topics.items() if topic.count
            },
            queued=self._count_queued(),
            failures=dict(self._failures),
            subscriptions=sum(len(t.subscriptions) for t in self._topics.values()),  # det-ok: ints
            deepest=self._deepest,
        )

    def _count_queued(self) -> dict[str, int]:
        counts = dict.fromkeys((priority.name for priority in Priority), 0)
        for kind, topic in self._topics.items():
            counts[PRIORITY[kind].name] += topic.queued
        return counts

    def _free_name(self, name: str, key: str | None) -> str:
        wanted = base = name if key is None else f"{name}[{key}]"
        count = 1
        while wanted in self._by_name:
            count += 1
            wanted = f"{base}#{count}"
        return wanted

    def _unheld(
        self, event: Event, topic: _Topic, handlers: tuple[Handler, ...]
    ) -> tuple[Handler, ...]:
        """Return who may have the event now; for the others it waits behind an earlier one."""
        letters = self._dead_letters
        if letters is None:
            return handlers
        free: list[Handler] = []
        for handler in handlers:
            subscription = self._subscription(topic, handler)
            if letters.holds(event, subscription):
                letters.park(event, subscription, None)
            else:
                free.append(handler)
        return tuple(free)

    def _fail(self, event: Event, topic: _Topic, handler: Handler, error: Exception) -> None:
        subscription = self._subscription(topic, handler)
        self._failures[subscription.name] = self._failures.get(subscription.name, 0) + 1
        logger.opt(exception=error).error(
            "{} failed on {}: {}", subscription.name, type(event).__name__, error
        )
        if topic.durable and self._dead_letters is not None:
            self._dead_letters.park(event, subscription, error)

    def _subscription(self, topic: _Topic, handler: Handler) -> Subscription:
        for one in topic.subscriptions:
            if one.handler == handler:
                return one
        raise EventError(f"no subscription for {handler!r}")

    def _queue(self) -> None:
        topics, pending = self._topics, self._pending
        for event in pending:
            topic = topics[event.__class__]
            topic.queued += 1
            topic.lane.append(event)
        self._waiting += len(pending)
        pending.clear()
        if self._waiting > self._deepest:
            self._deepest = self._waiting

    def _next(self) -> Event:
        """Take the oldest event of the first lane that holds one."""
        self._waiting -= 1
        critical, normal, low = self._lanes
        return (critical or normal or low).popleft()


class Component(Protocol):
    """A plain synchronous part: handlers on the bus, and state that survives a kill."""

    @property
    def name(self) -> str: ...

    def attach(self, bus: Bus) -> None:
        """Subscribe the handlers."""
        ...

    def snapshot(self) -> bytes:
        """Return the whole state, versioned (`hean.core.snapshot.pack`)."""
        ...

    def restore(self, state: bytes) -> None:
        """Take over a state made by `snapshot`."""
        ...
