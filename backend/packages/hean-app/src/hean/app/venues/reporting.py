"""What the paper venue says: each report becomes an input one latency later, in order."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hean.app.venues.admission import Refusal
from hean.app.venues.fees import Charge
from hean.app.venues.latency import LatencyModel, Leg
from hean.app.venues.resting import PaperOrder
from hean.core.events import (
    FillKind,
    FundingPaid,
    FundingRate,
    Liquidity,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderRequest,
    Side,
    WalletUpdated,
)
from hean.core.events.base import Event
from hean.core.instruments import ZERO
from hean.core.timers import Agenda


class Unheard(msgspec.Struct, frozen=True, gc=False):
    """A fill whose report is still on its way: when it arrives, and what it moves."""

    due: int
    instrument: str
    signed: Decimal


class Reporter:
    """Stamps reports and schedules them; a report never overtakes an earlier one."""

    def __init__(self, agenda: Agenda, latency: LatencyModel) -> None:
        self._agenda = agenda
        self._latency = latency
        self.fills = 0
        self.unheard: list[Unheard] = []
        self.newest_due: int = 0
        self._asked_at: int = -1

    def due(self) -> int:
        """Return when a report made now arrives."""
        now = self._agenda.now
        if now != self._asked_at:
            self._asked_at = now
            self.newest_due = max(self.newest_due, now + self._latency.delay(Leg.REPORT, now))
        return self.newest_due

    def settled_at(self) -> int:
        """Return when every report made so far has arrived: now, if none is on its way."""
        return max(self._agenda.now, self.newest_due)

    def accepted(self, order: PaperOrder) -> None:
        """Say that an order or protective stop rests, or that a stop's quantity changed."""
        due = self.due()
        self._send(
            due,
            OrderAccepted(
                ts_event=self._agenda.now,
                ts_init=due,
                correlation_id=order.signal_id,
                causation_id=order.client_order_id,
                client_order_id=order.client_order_id,
                venue_order_id=f"P{order.number}",
                strategy=order.strategy,
                instrument=order.instrument,
                side=order.side,
                quantity=order.quantity,
                price=order.price,
                protective=order.protective,
            ),
        )

    def rejected(self, request: OrderRequest, refusal: Refusal) -> None:
        """Say that nothing of a request exists."""
        due = self.due()
        self._send(
            due,
            OrderRejected(
                ts_event=self._agenda.now,
                ts_init=due,
                correlation_id=request.signal_id,
                causation_id=request.client_order_id,
                client_order_id=request.client_order_id,
                strategy=request.strategy,
                instrument=request.instrument,
                code=refusal.code,
                reason=refusal.reason,
            ),
        )

    def cancelled(self, order: PaperOrder, reason: str) -> None:
        """Say that an order or stop is gone."""
        due = self.due()
        self._send(
            due,
            OrderCancelled(
                ts_event=self._agenda.now,
                ts_init=due,
                correlation_id=order.signal_id,
                causation_id=order.client_order_id,
                client_order_id=order.client_order_id,
                strategy=order.strategy,
                instrument=order.instrument,
                filled=order.filled,
                reason=reason,
                protective=order.protective,
            ),
        )

    def expired(self, order: PaperOrder, reason: str) -> None:
        """Say that what an order did not fill at once is gone."""
        due = self.due()
        self._send(
            due,
            OrderExpired(
                ts_event=self._agenda.now,
                ts_init=due,
                correlation_id=order.signal_id,
                causation_id=order.client_order_id,
                client_order_id=order.client_order_id,
                strategy=order.strategy,
                instrument=order.instrument,
                filled=order.filled,
                reason=reason,
            ),
        )

    def filled(
        self,
        order: PaperOrder,
        price: Decimal,
        charge: Charge,
        liquidity: Liquidity,
        kind: FillKind = FillKind.ORDER,
    ) -> None:
        """Say that an order executed; the fill's id counts the venue's fills."""
        due = self.due()
        self.fills += 1
        if due > self._agenda.now:
            signed = charge.quantity if order.side is Side.BUY else -charge.quantity
            self.unheard = [one for one in self.unheard if one.due > self._agenda.now]
            self.unheard.append(Unheard(due, order.instrument, signed))
        self._send(
            due,
            OrderFilled(
                ts_event=self._agenda.now,
                ts_init=due,
                correlation_id=order.signal_id,
                causation_id=order.client_order_id,
                fill_id=f"{self.fills}-{order.client_order_id}",
                client_order_id=order.client_order_id,
                strategy=order.strategy,
                instrument=order.instrument,
                side=order.side,
                price=price,
                quantity=charge.quantity,
                fee=charge.fee,
                base_fee=charge.base_fee,
                liquidity=liquidity,
                filled=order.filled,
                remaining=order.quantity - order.filled,
                kind=kind,
                protective=order.protective,
            ),
        )

    def unheard_of(self, instrument: str) -> Decimal:
        """Return what fills that nobody has heard of yet add to a position."""
        now = self._agenda.now
        self.unheard = [one for one in self.unheard if one.due > now]
        found = ZERO
        for one in self.unheard:
            if one.instrument == instrument:
                found += one.signed
        return found

    def funding(
        self, settled: FundingRate, mark: Decimal, quantity: Decimal, amount: Decimal
    ) -> None:
        """Say what the net position paid (negative) or received at a stamp."""
        due = self.due()
        self._send(
            due,
            FundingPaid(
                ts_event=settled.ts_event,
                ts_init=due,
                instrument=settled.instrument,
                stamp=settled.ts_event,
                rate=settled.rate,
                mark=mark,
                quantity=quantity,
                amount=amount,
            ),
        )

    def wallet(self, update: WalletUpdated) -> None:
        """Say what the account has; `update.ts_init` is when that arrives."""
        self._send(update.ts_init, update)

    def _send(self, due: int, event: Event) -> None:
        self._agenda.schedule(due, event)
