"""Orders at work: what was sent, what is held back, and the protective stops that rest.

A request is sent once. A leg with a `release_order` waits for that order's fills and follows them
in proportion: whole under its own id, or in slices of at least the smallest order, each under an
id of its own (`ids.slice_order_id`); the request then ends as cancelled, with what they filled,
when no slice works or is to come. A closing order that takes waits until the stops in its way are
gone or lowered, so that one position is never closed twice; a passive one (POST_ONLY) leaves them
resting and they are lowered by its fills.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hean.app.orders_at_work import (
    HeldClose,
    HeldLeg,
    OrderState,
    WorkOrder,
    gone,
    released_part,
    submitted,
    unanswered,
)
from hean.app.protection import ProtectiveStops, RestingStop
from hean.app.venues import Venue
from hean.core.bus import Bus, Stage
from hean.core.events import (
    InstrumentUpdated,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderRequest,
    OrderStyle,
    OrderUnknown,
    PositionChange,
    PositionChanged,
    PositionClosed,
    SignalWithdrawn,
    TimerFired,
    VenueSnapshot,
)
from hean.core.ids import MAX_SLICES, slice_order_id, sliced_request
from hean.core.instruments import ZERO, Instrument
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda

ASK_AGAIN_NS = 2_000_000_000
"""How long after an answer without an unknown order the venue is asked again."""
HOLD_NS = 5_000_000_000
"""How long the word on a cancel, or on a stop that a close waits for, may take before we ask."""
_ABSENT_ANSWERS = 2
_ASK = "ask"
_HOLD = "hold:"
_LEG = "leg:"
_CANCEL = "cancel:"
_STOPS = "stops"


class _State(msgspec.Struct, frozen=True):
    """Pairs, not dicts: their order is part of the state."""

    orders: list[tuple[str, WorkOrder]]
    legs: list[tuple[str, HeldLeg]]
    closes: list[tuple[str, HeldClose]]
    stops: list[tuple[str, RestingStop]]
    instruments: dict[str, Instrument]
    ended: list[str] = []


class Execution:
    """Carries out what the gate decided; `orders`, `legs`, `closes`, `stops` are for reading."""

    name = "execution"

    def __init__(self, *, bus: Bus, agenda: Agenda, venue: Venue) -> None:
        self._bus = bus
        self._agenda = agenda
        self._venue = venue
        self.orders: dict[str, WorkOrder] = {}
        self.legs: dict[str, HeldLeg] = {}
        self.closes: dict[str, HeldClose] = {}
        self.stops = ProtectiveStops(venue, agenda)
        self._instruments: dict[str, Instrument] = {}

    def attach(self, bus: Bus) -> None:
        """Subscribe to decisions, venue reports, positions and own timers."""
        stage, owner = Stage.EXECUTION, self.name
        bus.subscribe(InstrumentUpdated, self._on_instrument, stage=stage, owner=owner)
        bus.subscribe(OrderRequest, self._on_request, stage=stage, owner=owner)
        bus.subscribe(SignalWithdrawn, self._on_withdrawn, stage=stage, owner=owner)
        bus.subscribe(OrderAccepted, self._on_accepted, stage=stage, owner=owner)
        bus.subscribe(OrderRejected, self._on_rejected, stage=stage, owner=owner)
        bus.subscribe(OrderCancelled, self._on_ended, stage=stage, owner=owner)
        bus.subscribe(OrderExpired, self._on_ended, stage=stage, owner=owner)
        bus.subscribe(OrderFilled, self._on_filled, stage=stage, owner=owner)
        bus.subscribe(OrderUnknown, self._on_unknown, stage=stage, owner=owner)
        bus.subscribe(VenueSnapshot, self._on_snapshot, stage=stage, owner=owner)
        bus.subscribe(PositionChanged, self._on_position, stage=stage, owner=owner)
        bus.subscribe(PositionClosed, self._on_closed, stage=stage, owner=owner)
        bus.subscribe(TimerFired, self._on_timer, stage=stage, owner=owner, key=owner)

    def resume(self) -> None:
        """After a restart of a live account: every order without a report is unknown, so ask."""
        now = self._agenda.now
        for order in self.orders.values():
            if order.state is OrderState.SENT:
                why = "no report before the restart"
                self._agenda.schedule(now, unanswered(order.request, now, why))

    # Decisions ----------------------------------------------------------------------------------

    def _on_instrument(self, event: InstrumentUpdated) -> None:
        self._instruments[event.instrument] = event.specification

    def _on_request(self, request: OrderRequest) -> None:
        order_id = request.client_order_id
        if order_id in self.orders or order_id in self.legs or order_id in self.closes:
            return
        for one in request.cancels:
            self._cancel(one)
        if request.replaces and request.replaces not in request.cancels:
            self._cancel(request.replaces)
        if request.release_order:
            self.legs[order_id] = HeldLeg(request)
            self._agenda.arm(self.name, _LEG + order_id, self._agenda.now)
            return
        waits = self.stops.lower_for(request)
        if waits:
            self.closes[order_id] = HeldClose(request, waits, self._agenda.now)
            self._agenda.arm(self.name, _HOLD + order_id, self._agenda.now + HOLD_NS)
        else:
            self._send(request)

    def _on_withdrawn(self, event: SignalWithdrawn) -> None:
        for one in event.cancels:
            self._cancel(one)
        standing = self.orders.get(event.stands)
        if standing is not None and event.ttl_ns and not standing.cancelling:
            self._agenda.arm(self.name, event.stands, self._agenda.now + event.ttl_ns)

    def _send(self, request: OrderRequest) -> None:
        now = self._agenda.now
        self._bus.publish(submitted(request, now))
        self._venue.submit(request)
        self.orders[request.client_order_id] = WorkOrder(request, OrderState.SENT, now)
        if request.ttl_ns and request.style is OrderStyle.POST_ONLY:
            self._agenda.arm(self.name, request.client_order_id, now + request.ttl_ns)

    def _cancel(self, order_id: str) -> None:
        leg = self.legs.get(order_id)
        if leg is not None:
            self._drop_leg(order_id, leg, "cancelled before its leg filled")
            for one in tuple(self.orders) if leg.working else ():
                if sliced_request(one) == order_id:
                    self._cancel(one)
        close = self.closes.get(order_id)
        if close is not None:
            self._drop(close.request, "cancelled before it was sent")
            self._forget_close(order_id)
            return
        order = self.orders.get(order_id)
        if order is not None:
            if order.cancelling:
                return
            self._venue.cancel(order_id)
            order.cancelling = True
            self._agenda.arm(self.name, _CANCEL + order_id, self._agenda.now + HOLD_NS)
        elif leg is None:
            self._venue.cancel(order_id)

    def _drop(self, request: OrderRequest, reason: str) -> None:
        self._bus.publish(gone(request, self._agenda.now, reason))

    # Reports ------------------------------------------------------------------------------------

    def _on_accepted(self, event: OrderAccepted) -> None:
        if event.protective:
            self._stop_moved(event.client_order_id, event.quantity)
            self.stops.accepted(event)
            return
        order = self.orders.get(event.client_order_id)
        if order is not None:
            order.state = OrderState.WORKING

    def _on_rejected(self, event: OrderRejected) -> None:
        self._end(event.client_order_id)

    def _on_ended(self, event: OrderCancelled | OrderExpired) -> None:
        order = self.orders.get(event.client_order_id)
        if order is not None:
            order.filled = max(order.filled, event.filled)
        self._end(event.client_order_id)

    def _on_filled(self, event: OrderFilled) -> None:
        order_id = event.client_order_id
        if event.protective:
            self._on_stop_filled(event)
            return
        order = self.orders.get(order_id)
        if order is None:
            return
        ended = event.remaining <= 0
        if self.legs:
            self._release(order, event.filled, ended=ended)
        order.filled = event.filled
        self.stops.expect(order.request, event.quantity)
        if ended:
            self._forget(order_id, order)

    def _on_stop_filled(self, event: OrderFilled) -> None:
        stop_id = event.client_order_id
        for close in self.closes.values():
            if stop_id in close.waits:
                close.stopped += event.quantity
        if event.remaining <= 0:
            self._end(stop_id)
        elif stop_id in self.stops.resting:
            self.stops.resting[stop_id].quantity = event.remaining

    def _end(self, order_id: str) -> None:
        """Forget an order or stop that has ended, after letting go on what waited for it."""
        if order_id in self.stops.resting:
            self._stop_moved(order_id, ZERO)
            self.stops.end(order_id)
            return
        order = self.orders.get(order_id)
        if order is None:
            return
        if self.legs:
            self._release(order, order.filled, ended=True)
        self._forget(order_id, order)

    def _forget(self, order_id: str, order: WorkOrder) -> None:
        if order.request.ttl_ns:
            self._agenda.cancel(self.name, order_id)
        if order.cancelling:
            self._agenda.cancel(self.name, _CANCEL + order_id)
        del self.orders[order_id]
        leg = self.legs.get(sliced_request(order_id)) if self.legs else None
        if leg is not None:
            leg.filled += order.filled
            leg.working -= 1
            if leg.over and not leg.working:
                self._end_leg(leg)

    # Legs ---------------------------------------------------------------------------------------

    def _release(self, parent: WorkOrder, filled: Decimal, *, ended: bool) -> None:
        """Send of each waiting leg what its parent's fills release and was not sent yet."""
        parent_id = parent.request.client_order_id
        for order_id, leg in tuple(self.legs.items()):
            if leg.request.release_order != parent_id or leg.over:
                continue
            instrument = self._instruments[leg.request.instrument]
            part = released_part(leg, parent.request.quantity, filled, instrument)
            if part == leg.request.quantity:
                self._agenda.cancel(self.name, _LEG + order_id)
                del self.legs[order_id]
                self._send(msgspec.structs.replace(leg.request, release_order=""))
                continue
            if part > 0 and (ended or leg.slices < MAX_SLICES - 1):
                self._send_slice(leg, part)
            if ended or leg.released >= leg.request.quantity:
                self._drop_leg(order_id, leg, "its leg did not fill")

    def _send_slice(self, leg: HeldLeg, quantity: Decimal) -> None:
        order_id = slice_order_id(leg.request.client_order_id, leg.slices)
        part = msgspec.structs.replace(
            leg.request, client_order_id=order_id, quantity=quantity, release_order=""
        )
        self._send(part)
        leg.released += quantity
        leg.slices += 1
        leg.working += 1

    def _drop_leg(self, order_id: str, leg: HeldLeg, reason: str) -> None:
        """Send no more of a leg; it ends here, or with the last slice that works."""
        self._agenda.cancel(self.name, _LEG + order_id)
        leg.over = True
        if not leg.slices:
            self._drop(leg.request, reason)
            del self.legs[order_id]
        elif not leg.working:
            self._end_leg(leg)

    def _end_leg(self, leg: HeldLeg) -> None:
        reason = f"sent in {leg.slices} orders"
        self._bus.publish(gone(leg.request, self._agenda.now, reason, leg.filled))
        del self.legs[leg.request.client_order_id]

    # Protective stops ---------------------------------------------------------------------------

    def _stop_moved(self, stop_id: str, quantity: Decimal) -> None:
        """Send the closing orders that waited for a stop to come down to `quantity`."""
        if not self.closes:
            return
        for order_id, close in tuple(self.closes.items()):
            target = close.waits.get(stop_id)
            if target is None or quantity > target:
                continue
            if len(close.waits) > 1:
                del close.waits[stop_id]
            else:
                self._send_close(order_id, close)

    def _send_close(self, order_id: str, close: HeldClose) -> None:
        left = close.request.quantity - close.stopped
        if left <= 0:
            self._drop(close.request, "the protective stop filled first")
        elif close.stopped:
            self._send(msgspec.structs.replace(close.request, quantity=left))
        else:
            self._send(close.request)
        self._forget_close(order_id)

    def _forget_close(self, order_id: str) -> None:
        self._agenda.cancel(self.name, _HOLD + order_id)
        self.closes.pop(order_id, None)

    def _on_position(self, event: PositionChanged) -> None:
        if event.change is PositionChange.FILL and self.stops.resting:
            self._fit_stops(event.strategy, event.instrument, event.quantity)

    def _on_closed(self, event: PositionClosed) -> None:
        if self.stops.resting:
            self._fit_stops(event.strategy, event.instrument, ZERO)

    def _fit_stops(self, strategy: str, instrument: str, quantity: Decimal) -> None:
        self.stops.fit(strategy, instrument, quantity)
        if self.stops.is_waiting and not self._agenda.is_armed(self.name, _STOPS):
            self._agenda.arm(self.name, _STOPS, self._agenda.now + HOLD_NS)

    # Asking -------------------------------------------------------------------------------------

    def _on_unknown(self, event: OrderUnknown) -> None:
        order = self.orders.get(event.client_order_id)
        if order is None:
            return
        self._ask()
        order.state, order.since, order.absent = OrderState.UNKNOWN, self._agenda.now, 0

    def _ask(self) -> None:
        found = self._venue.account()
        self._agenda.schedule(found.ts_init, found)

    def _on_snapshot(self, event: VenueSnapshot) -> None:
        if not event.complete:
            return
        listed = {one.client_order_id: one.quantity for one in event.orders}
        again = False
        for order_id, order in tuple(self.orders.items()):
            if order.state is not OrderState.UNKNOWN or order.since > event.ts_event:
                continue
            if order_id in listed:
                order.state = OrderState.WORKING
                if order.cancelling:
                    order.cancelling = False
                    self._cancel(order_id)
                continue
            order.absent += 1
            if order.absent >= _ABSENT_ANSWERS:
                self._end_absent(order_id, order)
            else:
                again = True
        if again:
            self._agenda.arm(self.name, _ASK, self._agenda.now + ASK_AGAIN_NS)
        for stop_id in self.stops.answered(listed, event.ts_event):
            self._end(stop_id)
        for close in tuple(self.closes.values()):
            if close.since < event.ts_event:
                for stop_id in tuple(close.waits):
                    if stop_id in listed:
                        self._stop_moved(stop_id, listed[stop_id])
                    else:
                        self._end(stop_id)

    def _end_absent(self, order_id: str, order: WorkOrder) -> None:
        reason = "absent from two complete answers of the venue"
        self._bus.publish(gone(order.request, self._agenda.now, reason, order.filled))
        self._end(order_id)

    def _on_timer(self, event: TimerFired) -> None:
        key = event.key
        if key == _ASK:
            self._ask()
        elif key == _STOPS:
            if self.stops.is_waiting:
                self._ask()
                self._agenda.arm(self.name, _STOPS, self._agenda.now + HOLD_NS)
        elif key.startswith(_HOLD):
            if key.removeprefix(_HOLD) in self.closes:
                self._ask()
                self._agenda.arm(self.name, key, self._agenda.now + HOLD_NS)
        elif key.startswith(_LEG):
            order_id = key.removeprefix(_LEG)
            leg = self.legs.get(order_id)
            if leg is not None and leg.request.release_order not in self.orders:
                self._drop_leg(order_id, leg, "the order it follows is not at work")
        elif key.startswith(_CANCEL):
            order = self.orders.get(key.removeprefix(_CANCEL))
            if order is not None:
                now = self._agenda.now
                self._bus.publish(unanswered(order.request, now, "no word on its cancel"))
        else:
            self._cancel(key)

    def snapshot(self) -> bytes:
        """Return what was sent, what is held and which stops rest."""
        state = _State(
            list(self.orders.items()),
            list(self.legs.items()),
            list(self.closes.items()),
            list(self.stops.resting.items()),
            self._instruments,
            list(self.stops.ended),
        )
        return pack(self.name, 1, state)

    def restore(self, state: bytes) -> None:
        """Take over a snapshot; what it holds as sent is not sent again."""
        found = unpack(state, self.name, 1, _State)
        self.orders = dict(found.orders)
        self.legs = dict(found.legs)
        self.closes = dict(found.closes)
        self.stops.resting = dict(found.stops)
        self.stops.ended = dict.fromkeys(found.ended)
        self._instruments = found.instruments
