"""Slots: one for each (strategy, instrument), from the reservation to the end of the position.

A slot is reserved before its order is published, works once the venue acknowledged, is handed to
the position that the first fill opens, and is freed when neither position nor entry is left. An
acknowledgement that does not come makes the order unknown: the venue is asked, and only its
answer frees the slot. Every public call is synchronous and thread-safe on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

from hean.core.bus import Bus, Stage
from hean.core.events.decision import OrderRequest
from hean.core.events.portfolio import PositionChanged, PositionClosed, PositionOpened
from hean.core.events.reasons import ReasonCode
from hean.core.events.strategy import Intent, StrategyRegistered
from hean.core.events.system import TimerFired
from hean.core.events.venue import (
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    OrderUnknown,
    VenueSnapshot,
)
from hean.core.ids import sliced_request
from hean.core.instruments import ZERO
from hean.core.slot_policy import SlotPolicy
from hean.core.slots import (
    NEVER,
    Entry,
    Grant,
    Refusal,
    Slot,
    SlotKey,
    SlotRequest,
    SlotStatistics,
    TrackerState,
    question,
)
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda

if TYPE_CHECKING:
    from hean.config import HEANSettings

_SECOND_NS = 1_000_000_000
_SWEEP = "sweep"
_ENTRIES = frozenset({Intent.OPEN, Intent.QUOTE, Intent.LEG})


_Report = OrderRejected | OrderCancelled | OrderExpired


class InFlightTracker:
    """Checks and takes slots in one call: open + reserved + working never exceeds the maximum."""

    name = "slots"

    def __init__(
        self, *, settings: HEANSettings, max_positions: int, bus: Bus, agenda: Agenda
    ) -> None:
        self._bus = bus
        self._agenda = agenda
        self._lock = Lock()
        self._ttl = round(settings.inflight_ttl_seconds * _SECOND_NS)
        self._sweep_every = round(settings.inflight_sweep_seconds * _SECOND_NS)
        self._slots: dict[SlotKey, Slot] = {}
        self._held: dict[str, int] = {}
        self._policy = SlotPolicy(maximum=max_positions, ttl_ns=self._ttl)
        self._peak = self._granted = self._contended = self._expired = self._unreserved = 0
        self._refused: dict[str, int] = {}
        self._won: dict[str, int] = {}
        self._lost_to: dict[tuple[str, str], int] = {}

    def attach(self, bus: Bus) -> None:
        """Subscribe to entries, their reports, positions and profiles."""
        stage, owner = Stage.SLOTS, self.name
        bus.subscribe(OrderRequest, self._on_request, stage=stage, owner=owner)
        bus.subscribe(OrderSubmitted, self._on_submitted, stage=stage, owner=owner)
        bus.subscribe(OrderAccepted, self._on_accepted, stage=stage, owner=owner)
        bus.subscribe(OrderFilled, self._on_filled, stage=stage, owner=owner)
        bus.subscribe(OrderRejected, self._on_ended, stage=stage, owner=owner)
        bus.subscribe(OrderCancelled, self._on_ended, stage=stage, owner=owner)
        bus.subscribe(OrderExpired, self._on_ended, stage=stage, owner=owner)
        bus.subscribe(OrderUnknown, self._on_unknown, stage=stage, owner=owner)
        bus.subscribe(VenueSnapshot, self._on_snapshot, stage=stage, owner=owner)
        bus.subscribe(PositionOpened, self._on_opened, stage=stage, owner=owner)
        bus.subscribe(PositionChanged, self._on_changed, stage=stage, owner=owner)
        bus.subscribe(PositionClosed, self._on_closed, stage=stage, owner=owner)
        bus.subscribe(StrategyRegistered, self._on_registered, stage=stage, owner=owner)
        bus.subscribe(TimerFired, self._on_timer, stage=stage, owner=owner, key=self.name)

    @property
    def maximum(self) -> int:
        return self._policy.maximum

    @property
    def occupied(self) -> int:
        """Slots in use: open, working or reserved."""
        return len(self._slots)

    @property
    def free(self) -> int:
        """Slots left; 0 also when more is held than the maximum allows."""
        return max(0, self._policy.maximum - len(self._slots))

    def holds(self, strategy: str, instrument: str) -> bool:
        """Return whether the strategy has its slot on the instrument."""
        return (strategy, instrument) in self._slots

    def counts(self) -> tuple[int, int, int]:
        """Return how many slots are open, working and reserved; each slot counts once."""
        is_open = working = 0
        for slot in self._slots.values():
            if slot.is_open:
                is_open += 1
            elif any(order.accepted for order in slot.orders.values()):
                working += 1
        return is_open, working, len(self._slots) - is_open - working

    def reserve(self, requests: Sequence[SlotRequest]) -> Grant | Refusal:
        """Take the slots of all requests, or none; a slot already held is shared, not taken twice.

        The caller publishes its orders in the same dispatch, or gives the grant back.
        """
        with self._lock:
            slots, now = self._slots, self._agenda.now
            if len(requests) == 1:
                keys: tuple[SlotKey, ...] = ((requests[0].strategy, requests[0].instrument),)
            else:
                keys = tuple({(one.strategy, one.instrument): None for one in requests})
            taken = tuple([key for key in keys if key not in slots])
            refusal = self._refusal(keys, taken, now)
            if refusal is not None:
                return refusal
            for key in keys:
                slot = slots.get(key)
                if slot is None:
                    slot = self._open_slot(key)
                    self._policy.granted(key[0])
                slot.reserved_until = now + self._ttl
            if taken and len(slots) >= self._policy.maximum:
                self._won[taken[0][0]] = self._won.get(taken[0][0], 0) + 1
            self._granted += len(taken)
            self._arm(now)
            return Grant(keys, taken)

    def release(self, grant: Grant) -> None:
        """Give back a grant whose orders were not published."""
        with self._lock:
            for key in grant.keys:
                slot = self._slots.get(key)
                if slot is not None:
                    slot.reserved_until = 0
                    self._settle(key, slot)

    def statistics(self) -> SlotStatistics:
        """Return a frozen snapshot of use and contention."""
        with self._lock:
            is_open, working, reserved = self.counts()
            unknown = 0
            for slot in self._slots.values():
                unknown += any(order.unknown for order in slot.orders.values())
            return SlotStatistics(
                maximum=self._policy.maximum,
                open=is_open,
                working=working,
                reserved=reserved,
                unknown=unknown,
                peak=self._peak,
                granted=self._granted,
                contended=self._contended,
                expired=self._expired,
                unreserved=self._unreserved,
                refused_by_strategy=dict(self._refused),
                won=dict(self._won),
                lost_to=tuple((*pair, count) for pair, count in sorted(self._lost_to.items())),
            )

    def _refusal(
        self, keys: tuple[SlotKey, ...], taken: tuple[SlotKey, ...], now: int
    ) -> Refusal | None:
        for key in keys:
            slot = self._slots.get(key)
            if slot is not None and not self._policy.may_renew(
                key[0], has_position=slot.is_open, now=now
            ):
                return self._refuse(ReasonCode.SLOT_FAIRNESS, key[0], len(self._slots), 0, now)
        if not taken:
            return None
        strategy = taken[0][0]
        number = len(self._slots) + len(taken)
        if number > self._policy.maximum:
            return self._refuse(ReasonCode.MAX_POSITIONS, strategy, number, 0, now)
        kept = self._policy.kept_against(strategy, self._held, now, len(taken))
        if number + kept > self._policy.maximum:
            return self._refuse(ReasonCode.SLOT_FAIRNESS, strategy, number, kept, now)
        return None

    def _refuse(self, code: ReasonCode, strategy: str, number: int, kept: int, now: int) -> Refusal:
        fair = code is ReasonCode.SLOT_FAIRNESS
        others = self._policy.waiting(self._held) if fair else list(self._held)
        for other in others:
            if other != strategy:
                pair = (strategy, other)
                self._lost_to[pair] = self._lost_to.get(pair, 0) + 1
        self._contended += 1
        self._refused[strategy] = self._refused.get(strategy, 0) + 1
        self._policy.refused(strategy, now)
        return Refusal(code, number, max(0, self._policy.maximum - kept))

    def _open_slot(self, key: SlotKey) -> Slot:
        slot = self._slots[key] = Slot()
        self._held[key[0]] = self._held.get(key[0], 0) + 1
        if len(self._slots) > self._peak:
            self._peak = len(self._slots)
        return slot

    def _settle(self, key: SlotKey, slot: Slot) -> None:
        """Free the slot if nothing holds it any more."""
        if slot.is_open or slot.orders or slot.reserved_until:
            return
        del self._slots[key]
        left = self._held[key[0]] - 1
        if left:
            self._held[key[0]] = left
        else:
            del self._held[key[0]]

    def _arm(self, now: int) -> None:
        if not self._agenda.is_armed(self.name, _SWEEP):
            self._agenda.arm(self.name, _SWEEP, now + self._sweep_every)

    def _on_request(self, event: OrderRequest) -> None:
        if event.reduce_only or event.intent not in _ENTRIES:
            return
        with self._lock:
            key = (event.strategy, event.instrument)
            slot = self._slots.get(key)
            if slot is None:
                self._unreserved += 1
                slot = self._open_slot(key)
            slot.reserved_until = 0
            deadline = NEVER if event.release_order else self._agenda.now + self._ttl
            slot.orders[event.client_order_id] = Entry(deadline, event.release_order)
            self._arm(self._agenda.now)

    def _on_submitted(self, event: OrderSubmitted) -> None:
        found = self._find(event)
        with self._lock:
            if found is None:
                self._expect_slice(event)
            elif found[1].deadline == NEVER and not found[1].accepted:
                found[1].deadline = self._agenda.now + self._ttl
                self._arm(self._agenda.now)

    def _expect_slice(self, event: OrderSubmitted) -> None:
        """Follow a slice of a known request as an entry of its own."""
        slot = self._slots.get((event.strategy, event.instrument))
        request = None if slot is None else slot.orders.get(sliced_request(event.client_order_id))
        if slot is None or request is None:
            return
        request.sliced = request.accepted = True
        slot.orders[event.client_order_id] = Entry(self._agenda.now + self._ttl)
        self._arm(self._agenda.now)

    def _on_accepted(self, event: OrderAccepted) -> None:
        found = self._find(event)
        if found is not None:
            order = found[1]
            with self._lock:
                order.accepted, order.unknown, order.deadline = True, False, NEVER

    def _on_filled(self, event: OrderFilled) -> None:
        found = self._find(event)
        if found is None:
            return
        order = found[1]
        with self._lock:
            order.accepted, order.unknown, order.deadline = True, False, NEVER
            order.filled = max(order.filled, event.filled)
            if event.remaining <= ZERO:
                order.ended = True
                order.total = max(order.total, event.filled)
                self._start_waiting_legs(event.client_order_id)

    def _on_ended(self, event: _Report) -> None:
        found = self._find(event)
        if found is None:
            return
        slot, order = found
        key = (event.strategy, event.instrument)
        with self._lock:
            order.ended = True
            order.unknown, order.deadline = False, NEVER
            if not isinstance(event, OrderRejected) and not order.sliced:
                order.total = max(order.total, event.filled)
            self._start_waiting_legs(event.client_order_id)
            if order.is_done:
                del slot.orders[event.client_order_id]
                self._settle(key, slot)

    def _start_waiting_legs(self, release_order: str) -> None:
        """Expect to hear of these legs in time: what releases them has ended."""
        for slot in self._slots.values():
            for order in slot.orders.values():
                waits = order.deadline == NEVER and not order.accepted
                if waits and order.release_order == release_order:
                    order.deadline = self._agenda.now + self._ttl
                    self._arm(self._agenda.now)

    def _on_unknown(self, event: OrderUnknown) -> None:
        found = self._find(event)
        if found is not None and not found[1].ended:
            order = found[1]
            with self._lock:
                order.unknown = True
                order.deadline = self._agenda.now + self._ttl
                self._arm(self._agenda.now)

    def _on_snapshot(self, event: VenueSnapshot) -> None:
        """Know of what the venue lists that it works."""
        with self._lock:
            for one in event.orders:
                slot = self._slots.get((one.strategy, one.instrument))
                order = None if slot is None else slot.orders.get(one.client_order_id)
                if order is not None and not order.ended:
                    order.accepted, order.unknown, order.deadline = True, False, NEVER

    def _on_opened(self, event: PositionOpened) -> None:
        with self._lock:
            key = (event.strategy, event.instrument)
            slot = self._slots.get(key)
            if slot is None:
                self._unreserved += 1
                slot = self._open_slot(key)
            slot.is_open = True
            self._hand_over(slot, event.client_order_id)

    def _on_changed(self, event: PositionChanged) -> None:
        slot = self._slots.get((event.strategy, event.instrument))
        if slot is not None and event.client_order_id:
            with self._lock:
                self._hand_over(slot, event.client_order_id)

    def _on_closed(self, event: PositionClosed) -> None:
        with self._lock:
            key = (event.strategy, event.instrument)
            slot = self._slots.get(key)
            if slot is None:
                return
            slot.is_open = False
            self._hand_over(slot, event.client_order_id)
            self._settle(key, slot)

    def _hand_over(self, slot: Slot, client_order_id: str) -> None:
        order = slot.orders.get(client_order_id)
        if order is not None:
            order.handed = order.filled
            if order.is_done:
                del slot.orders[client_order_id]

    def _find(
        self,
        event: OrderSubmitted | OrderAccepted | OrderFilled | _Report | OrderUnknown,
    ) -> tuple[Slot, Entry] | None:
        slot = self._slots.get((event.strategy, event.instrument))
        if slot is None:
            return None
        order = slot.orders.get(event.client_order_id)
        return None if order is None else (slot, order)

    def _on_registered(self, event: StrategyRegistered) -> None:
        with self._lock:
            if event.enabled and not event.cannot_run_because:
                self._policy.register(event.profile)
            else:
                self._policy.forget(event.strategy)

    def _on_timer(self, event: TimerFired) -> None:
        with self._lock:
            for question in self._sweep(self._agenda.now):
                self._bus.publish(question)

    def _sweep(self, now: int) -> list[OrderUnknown]:
        """Free bare reservations past their time; return a question for each overdue order."""
        questions: list[OrderUnknown] = []
        is_waiting = False
        for key, slot in list(self._slots.items()):
            if slot.reserved_until and slot.reserved_until <= now:
                self._expired += 1
                slot.reserved_until = 0
                self._settle(key, slot)
            is_waiting = is_waiting or bool(slot.reserved_until)
            for client_order_id, order in slot.orders.items():
                is_waiting = is_waiting or order.deadline != NEVER
                if order.deadline <= now:
                    self._expired += 1
                    order.unknown = True
                    order.deadline = now + self._ttl
                    questions.append(question(key, client_order_id, now))
        if is_waiting:
            self._agenda.arm(self.name, _SWEEP, now + self._sweep_every)
        return questions

    def snapshot(self) -> bytes:
        """Return slots, claims and counts."""
        with self._lock:
            state = TrackerState(
                [(*key, slot) for key, slot in self._slots.items()],
                self._policy.state(),
                self._peak,
                self._granted,
                self._contended,
                self._expired,
                self._unreserved,
                self._refused,
                self._won,
                [(*pair, count) for pair, count in sorted(self._lost_to.items())],
            )
            return pack(self.name, 1, state)

    def restore(self, state: bytes) -> None:
        """Take over the slots of a snapshot; the agenda restores the sweep's timer."""
        found = unpack(state, self.name, 1, TrackerState)
        with self._lock:
            self._slots = {(name, where): slot for name, where, slot in found.slots}
            self._held = {}
            for strategy, _ in self._slots:
                self._held[strategy] = self._held.get(strategy, 0) + 1
            self._policy.resume(found.policy)
            self._peak, self._granted = found.peak, found.granted
            self._contended, self._expired = found.contended, found.expired
            self._unreserved = found.unreserved
            self._refused, self._won = dict(found.refused), dict(found.won)
            self._lost_to = {(loser, other): count for loser, other, count in found.lost_to}
