"""The protective stops at the venue: which rest, and what each was asked to come down to."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from hean.app.venues import Venue
from hean.core.events import Intent, OrderAccepted, OrderRequest, OrderStyle, Side
from hean.core.ids import protective_order_id
from hean.core.instruments import ZERO
from hean.core.timers import Agenda

_ENDED_KEPT: Final = 256


class RestingStop(msgspec.Struct):
    """A protective stop at the venue; `target` is what it was asked to come down to, and when."""

    strategy: str
    instrument: str
    side: Side
    quantity: Decimal
    target: Decimal | None = None
    asked: int = 0


class ProtectiveStops:
    """Keeps `resting` stops by client order id, and cancels or lowers them at the venue.

    `ended` are the newest that rest no more: word of their acceptance may come behind their end.
    """

    def __init__(self, venue: Venue, agenda: Agenda) -> None:
        self._venue = venue
        self._agenda = agenda
        self.resting: dict[str, RestingStop] = {}
        self.ended: dict[str, None] = {}

    def accepted(self, event: OrderAccepted) -> None:
        """Take over the quantity the venue says a stop has."""
        stop = self.resting.get(event.client_order_id)
        if stop is not None:
            stop.quantity = event.quantity
            return
        if event.client_order_id in self.ended:
            return
        self.resting[event.client_order_id] = RestingStop(
            event.strategy, event.instrument, event.side, event.quantity
        )

    def expect(self, request: OrderRequest, quantity: Decimal) -> None:
        """Know of the stop that the venue rests for what filled, before it says so."""
        if request.protective_stop is None:
            return
        stop_id = protective_order_id(request.client_order_id)
        self.ended.pop(stop_id, None)
        stop = self.resting.get(stop_id)
        if stop is None:
            self.resting[stop_id] = RestingStop(
                request.strategy, request.instrument, request.side.opposite, quantity
            )
        else:
            stop.quantity += quantity

    def end(self, stop_id: str) -> None:
        """Forget a stop that rests no more."""
        del self.resting[stop_id]
        self.ended[stop_id] = None
        if len(self.ended) > _ENDED_KEPT:
            del self.ended[next(iter(self.ended))]

    def lower_for(self, request: OrderRequest) -> dict[str, Decimal]:
        """Make room for a closing order; return what to wait for, by stop."""
        closing = request.intent is Intent.CLOSE or request.intent is Intent.REDUCE
        if not closing or request.style is OrderStyle.POST_ONLY or not self.resting:
            return {}
        found = self._of(request.strategy, request.instrument, request.side)
        covered = ZERO
        for _, stop in found:
            covered += stop.quantity
        keep = ZERO if request.intent is Intent.CLOSE else max(ZERO, covered - request.quantity)
        return self._lower(found, keep)

    def _lower(self, found: list[tuple[str, RestingStop]], keep: Decimal) -> dict[str, Decimal]:
        """Lower stops, the oldest kept longest, until they cover `keep`; return the targets."""
        targets: dict[str, Decimal] = {}
        for stop_id, stop in found:
            kept = min(stop.quantity, keep)
            keep -= kept
            if kept == stop.quantity:
                continue
            targets[stop_id] = kept
            if stop.target is not None and stop.target <= kept:
                continue
            self._ask_for(stop_id, stop, kept)
        return targets

    def _ask_for(self, stop_id: str, stop: RestingStop, kept: Decimal) -> None:
        if kept > 0:
            self._venue.amend(stop_id, kept)
        else:
            self._venue.cancel(stop_id)
        stop.target, stop.asked = kept, self._agenda.now

    @property
    def is_waiting(self) -> bool:
        """Whether a stop has not come down to what it was asked to."""
        return any(
            one.target is not None and one.quantity > one.target for one in self.resting.values()
        )

    def answered(self, listed: Mapping[str, Decimal], at: int) -> list[str]:
        """Return the stops that ended unheard, by the venue's list of `at`; ask the others again.

        Only stops that were asked to come down before then are judged.
        """
        gone: list[str] = []
        for stop_id, stop in self.resting.items():
            target = stop.target
            if target is None or stop.asked >= at:
                continue
            if stop_id not in listed:
                gone.append(stop_id)
            elif listed[stop_id] > target:
                self._ask_for(stop_id, stop, target)
        return gone

    def _of(self, strategy: str, instrument: str, side: Side) -> list[tuple[str, RestingStop]]:
        return [
            (stop_id, stop)
            for stop_id, stop in self.resting.items()
            if stop.strategy == strategy and stop.instrument == instrument and stop.side is side
        ]

    def fit(self, strategy: str, instrument: str, quantity: Decimal) -> None:
        """Let the stops of a position cover no more than it is, on its side only."""
        long, short = max(quantity, ZERO), max(-quantity, ZERO)
        self._lower(self._of(strategy, instrument, Side.SELL), long)
        self._lower(self._of(strategy, instrument, Side.BUY), short)
