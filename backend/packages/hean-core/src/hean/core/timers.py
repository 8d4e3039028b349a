"""What is due in kernel time: timers, and inputs that arrive later (a paper venue's reports).

Entries fire in (due, id) order, each at its own due time. A timer is known by (owner, key): arming
it again moves it, cancelling forgets it.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import msgspec

from hean.core.events.base import Event
from hean.core.events.system import TimerFired
from hean.core.events.union import decode, encode
from hean.core.snapshot import pack, unpack


class _State(msgspec.Struct, frozen=True):
    next_id: int
    entries: list[tuple[int, int, bytes]]
    armed: list[tuple[str, str, int]]


class Agenda:
    """The kernel's due queue; its clock reads `now`, the kernel time in ns."""

    name = "agenda"

    def __init__(self) -> None:
        self.now = 0
        self.heap: list[tuple[int, int, Event]] = []
        self._next_id = 0
        self._armed: dict[tuple[str, str], int] = {}

    def schedule(self, due: int, event: Event) -> None:
        """Take `event` as an input at `due`, or as soon as possible if that has passed."""
        self._next_id += 1
        heappush(self.heap, (due, self._next_id, event))

    def arm(self, owner: str, key: str, due: int) -> None:
        """Fire `TimerFired(owner, key)` at `due`; an armed timer of that name is moved."""
        self._next_id += 1
        self._armed[owner, key] = self._next_id
        due = max(due, self.now)
        event = TimerFired(ts_event=due, ts_init=due, owner=owner, key=key)
        heappush(self.heap, (due, self._next_id, event))

    def cancel(self, owner: str, key: str) -> None:
        """Forget a timer; one that is not armed is no error."""
        self._armed.pop((owner, key), None)

    def is_armed(self, owner: str, key: str) -> bool:
        """Return whether the timer waits."""
        return (owner, key) in self._armed

    def pop_due(self, until: int) -> Event | None:
        """Return the next live entry due by `until`, or None."""
        heap = self.heap
        while heap and heap[0][0] <= until:
            _, entry, event = heappop(heap)
            if type(event) is TimerFired:
                name = (event.owner, event.key)
                if self._armed.get(name) != entry:
                    continue
                del self._armed[name]
            return event
        return None

    def snapshot(self) -> bytes:
        """Return every waiting entry."""
        entries = [
            (due, entry, encode(event))
            for due, entry, event in sorted(self.heap, key=lambda one: one[:2])
        ]
        armed = [(owner, key, entry) for (owner, key), entry in self._armed.items()]
        return pack(self.name, 1, _State(self._next_id, entries, armed))

    def restore(self, state: bytes) -> None:
        """Take over the waiting entries of a snapshot."""
        found = unpack(state, self.name, 1, _State)
        self._next_id = found.next_id
        self.heap = [(due, entry, decode(data)) for due, entry, data in found.entries]
        heapify(self.heap)
        self._armed = {(owner, key): entry for owner, key, entry in found.armed}
