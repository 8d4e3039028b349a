"""The risk gate: the only place where an order comes into being.

Every signal ends in exactly one decision: an order, a withdrawal, or a refusal with the layer, the
code and the number that decided. Entries pass the layers in their order; exits pass none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events.decision import OrderRequest, SignalRejected, SignalWithdrawn
from hean.core.events.market import Side
from hean.core.events.reasons import ReasonCode
from hean.core.events.strategy import Intent, OrderStyle, Signal
from hean.core.events.system import RunStarted, TimerFired
from hean.core.ids import client_order_id, minted_order_id
from hean.core.instruments import MONEY, ZERO, decimal_of, significant
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.risk.closing import exit_side, flat_quantity, own_orders, shrinks_net
from hean.risk.decisions import LAYERS, SIGNAL, SIZER, SLOT, DecisionCounts, GateStatistics
from hean.risk.entry_layers import EntryLayers, Refused, Wish
from hean.risk.exposure import Exposure, Key, WorkingOrder
from hean.risk.limits import LastEntry
from hean.risk.quote_changes import RISK_STEP, QuoteChanges, quote_changes
from hean.risk.risk_sentinel import RiskSentinel
from hean.risk.sizing import Sizing

_OBJECTIONS: Final = {code: f"would_refuse.{code.value}" for code in ReasonCode}


class _State(msgspec.Struct, frozen=True):
    counts: DecisionCounts
    pending: list[tuple[str, list[Signal]]]
    last_entries: dict[str, LastEntry]
    history_until: int


class RiskGate:
    """Decides signals; `mint_exit` serves what no signal asked for (`hean.risk.closer`)."""

    name = "risk_gate"

    def __init__(
        self,
        *,
        bus: Bus,
        agenda: Agenda,
        exposure: Exposure,
        sentinel: RiskSentinel,
        layers: EntryLayers,
    ) -> None:
        self._bus = bus
        self._agenda = agenda
        self._exposure = exposure
        self._sentinel = sentinel
        self._layers = layers
        self._counts = DecisionCounts()
        self._pending: dict[str, list[Signal]] = {}
        self._history_until = 0

    def attach(self, bus: Bus) -> None:
        """Subscribe to signals."""
        stage, owner = Stage.GATE, self.name
        bus.subscribe(RunStarted, self._on_run, stage=stage, owner=owner)
        bus.subscribe(Signal, self._on_signal, stage=stage, owner=owner)
        bus.subscribe(TimerFired, self._on_timer, stage=stage, owner=owner, key=self.name)

    def statistics(self) -> GateStatistics:
        """Return a frozen snapshot of the counts."""
        return self._counts.statistics()

    def _on_run(self, event: RunStarted) -> None:
        self._history_until = event.history_until

    def _on_signal(self, signal: Signal) -> None:
        if signal.ts_init < self._history_until:
            self._reject(signal, Refused(SIGNAL, ReasonCode.WARMING_UP), counted=False)
            return
        intent = signal.intent
        if intent is Intent.CLOSE:
            self._close(signal)
        elif intent is Intent.REDUCE:
            self._reduce(signal)
        elif intent is Intent.QUOTE and signal.legs == 0:
            self._pull(signal)
        elif signal.legs > 1:
            self._wait_for_group(signal)
        elif intent is Intent.QUOTE:
            self._decide_group([signal])
        else:
            self._decide(signal)
        self._counts.signals += 1

    def _decide(self, signal: Signal) -> None:
        """Decide one order on its own."""
        layers = self._layers
        wish = layers.examine(signal)
        if isinstance(wish, Refused):
            self._reject(signal, wish)
            return
        sizing, refused = layers.size(wish)
        self._sentinel.rooms.note_factor(signal.strategy, sizing.factor)
        if refused is None:
            refused = layers.reserve((signal,))
        if refused is not None:
            self._reject(signal, refused)
            return
        self._mint(wish, sizing)

    def _mint(
        self,
        wish: Wish,
        sizing: Sizing,
        *,
        replaces: str = "",
        cancels: tuple[str, ...] = (),
        release_order: str = "",
    ) -> OrderRequest:
        """Publish the order of a wish that passed every layer."""
        signal, entry, now = wish.signal, wish.entry, self._agenda.now
        factors = sizing.factors
        if wish.verdict.code is not None:
            factors = (*factors, (_OBJECTIONS[wish.verdict.code], wish.verdict.number))
        instrument = entry.instrument
        order = OrderRequest(
            ts_event=now,
            ts_init=now,
            correlation_id=signal.signal_id,
            causation_id=signal.signal_id,
            client_order_id=client_order_id(signal.signal_id),
            signal_id=signal.signal_id,
            strategy=signal.strategy,
            instrument=signal.instrument,
            side=signal.side,
            intent=signal.intent,
            quantity=sizing.quantity,
            price=entry.price,
            style=signal.style,
            ttl_ns=signal.ttl_ns,
            protective_stop=entry.stop,
            targets=tuple([instrument.price(one) for one in signal.targets]),
            time_stop_ns=signal.time_stop_ns,
            risk=sizing.risk.quantize(RISK_STEP),
            size_factors=factors,
            cancels=cancels,
            replaces=replaces,
            release_order=release_order,
            group=signal.group,
            leg=signal.leg,
            legs=signal.legs,
        )
        self._bus.publish(order)
        notional = MONEY.multiply(sizing.quantity, entry.price)
        margin = MONEY.multiply(notional, wish.place.margin_rate)
        self._sentinel.rooms.bind_margin(order.client_order_id, margin)
        self._layers.note_entry(wish)
        self._counts.note_order()
        return order

    def _reject(self, signal: Signal, refused: Refused, *, counted: bool = True) -> None:
        """Publish a refusal."""
        now, cap = self._agenda.now, refused.cap
        layer = f"sizer.{cap}" if cap else LAYERS[refused.layer]
        self._bus.publish(
            SignalRejected(
                ts_event=now,
                ts_init=now,
                correlation_id=signal.signal_id,
                causation_id=signal.signal_id,
                signal_id=signal.signal_id,
                strategy=signal.strategy,
                instrument=signal.instrument,
                layer=layer,
                code=refused.code,
                number=significant(refused.number),
                limit=significant(refused.limit),
                side=signal.side,
                sentence=refused.sentence,
                fails_plan=counted and self._layers.fails_plan(signal),
            )
        )
        if counted:
            self._counts.note_refusal(refused.layer)

    def _wait_for_group(self, signal: Signal) -> None:
        """Hold a leg until the last of its group came; that one decides for all."""
        name = f"{signal.strategy}/{signal.group}"
        legs = self._pending.get(name, [])
        if not signal.group or any(one.leg == signal.leg for one in legs):
            self._reject(signal, Refused(SIGNAL, ReasonCode.INVALID_SIGNAL))
            return
        if len(legs) + 1 < signal.legs:
            if not legs:
                self._agenda.arm(self.name, name, self._agenda.now)
            self._pending[name] = [*legs, signal]
            return
        self._decide_group(sorted([*legs, signal], key=lambda one: one.leg))
        if self._pending.pop(name, None) is not None:
            self._agenda.cancel(self.name, name)

    def _on_timer(self, event: TimerFired) -> None:
        """Refuse a group whose last leg did not come in the dispatch of its first."""
        for signal in self._pending.pop(event.key, ()):
            missing = float(signal.legs)
            self._reject(signal, Refused(SIGNAL, ReasonCode.GROUP_INCOMPLETE, 0.0, missing))

    def _decide_group(self, signals: Sequence[Signal]) -> None:
        """Decide legs or quotes as one."""
        is_quotes = signals[0].intent is Intent.QUOTE
        key = (signals[0].strategy, signals[0].instrument)
        old = [
            order
            for order in self._exposure.orders_of(key)
            if is_quotes and order.intent is Intent.QUOTE and not order.is_leaving
        ]
        wishes, refused, culprit = self._layers.examine_group(signals, key if is_quotes else None)
        if refused is None:
            sizings, refused, culprit = self._layers.size_group(wishes, is_quotes, key, len(old))
            self._sentinel.rooms.note_factor(signals[0].strategy, sizings[0].factor)
            if refused is None:
                changes = quote_changes(wishes, sizings, old)
                refused = self._layers.reserve(signals, sends="" in changes.stands)
                if refused is None:
                    self._mint_group(wishes, sizings, changes)
                    return
        if old:
            self._withdraw_orders(key, tuple(one.client_order_id for one in old), "refused")
        for index, signal in enumerate(signals):
            if index == culprit or refused.layer == SLOT or len(signals) == 1:
                self._reject(signal, refused)
            else:
                self._reject(signal, Refused(refused.layer, ReasonCode.GROUP_INCOMPLETE))

    def _mint_group(
        self, wishes: Sequence[Wish], sizings: Sequence[Sizing], changes: QuoteChanges
    ) -> None:
        cancels, pairs = changes.cancels, zip(changes.stands, changes.replaces, strict=True)
        for wish, sizing, (stands, replaces) in zip(wishes, sizings, pairs, strict=True):
            if stands:
                self._withdraw(wish.signal, cancels, "it rests there already", stands)
                cancels = ()
                continue
            release = wish.signal.release_leg
            waits = 0 <= release < len(wishes) and release != wish.signal.leg
            self._mint(
                wish,
                sizing,
                replaces=replaces,
                cancels=cancels,
                release_order=client_order_id(wishes[release].signal.signal_id) if waits else "",
            )
            cancels = ()

    def _close(self, signal: Signal) -> None:
        """Be flat: cancel own working entries, then close what no exit at work covers."""
        key = (signal.strategy, signal.instrument)
        cancels = own_orders(self._exposure, key)
        quantity = self._flat_quantity(key, cancels)
        if quantity <= ZERO:
            self._withdraw(signal, cancels, "nothing to close")
            return
        self._exit(signal, quantity, cancels)

    def _reduce(self, signal: Signal) -> None:
        """Close a fraction of the position, in whole lots."""
        key = (signal.strategy, signal.instrument)
        holding = self._exposure.holdings.get(key)
        rules = self._sentinel.view.instruments.get(signal.instrument)
        if not 0.0 <= signal.scale <= 1.0:
            self._reject(signal, Refused(SIGNAL, ReasonCode.INVALID_SIGNAL))
            return
        wanted = ZERO
        if holding is not None:
            wanted = MONEY.multiply(abs(holding.quantity), decimal_of(signal.scale))
        quantity = ZERO
        if rules is not None and wanted > ZERO:
            quantity = min(rules.quantity_floor(wanted), self._flat_quantity(key, ()))
        if rules is None or quantity <= ZERO:
            smallest = 0.0 if rules is None else rules.lot
            zero = ReasonCode.POSITION_SIZER_ZERO
            self._reject(signal, Refused(SIZER, zero, float(wanted), smallest, "min_quantity"))
            return
        self._exit(signal, quantity, ())

    def _flat_quantity(self, key: Key, cancels: tuple[str, ...]) -> Decimal:
        rules = self._sentinel.view.instruments.get(key[1])
        return ZERO if rules is None else flat_quantity(self._exposure, key, rules, cancels)

    def _exit(self, signal: Signal, quantity: Decimal, cancels: tuple[str, ...]) -> None:
        """Publish the order of an exit; without a usable limit it takes the market."""
        exposure, now = self._exposure, self._agenda.now
        holding = exposure.holdings[signal.strategy, signal.instrument]
        rules = self._sentinel.view.instruments[signal.instrument]
        limit, style = signal.limit, signal.style
        price = None
        if style is not OrderStyle.MARKET:
            if limit is not None and 0.0 < limit < float("inf"):
                price = rules.price(limit)
            else:
                style = OrderStyle.MARKET
        most = rules.max_market_quantity if price is None else rules.max_quantity
        side, quantity = exit_side(holding.quantity), min(quantity, rules.quantity_floor(most))
        self._bus.publish(
            OrderRequest(
                ts_event=now,
                ts_init=now,
                correlation_id=signal.signal_id,
                causation_id=signal.signal_id,
                client_order_id=client_order_id(signal.signal_id),
                signal_id=signal.signal_id,
                strategy=signal.strategy,
                instrument=signal.instrument,
                side=side,
                intent=signal.intent,
                quantity=quantity,
                price=price,
                style=style,
                ttl_ns=signal.ttl_ns,
                reduce_only=shrinks_net(exposure, rules, side, quantity),
                cancels=cancels,
                group=holding.group,
            )
        )
        self._counts.orders += 1

    def _pull(self, signal: Signal) -> None:
        """Pull the quotes of a strategy on an instrument."""
        key = (signal.strategy, signal.instrument)
        cancels = tuple(
            order.client_order_id
            for order in self._exposure.orders_of(key)
            if order.intent is Intent.QUOTE and not order.is_leaving
        )
        self._withdraw(signal, cancels, "quotes pulled")

    def _withdraw(
        self, signal: Signal, cancels: tuple[str, ...], reason: str, stands: str = ""
    ) -> None:
        now = self._agenda.now
        self._bus.publish(
            SignalWithdrawn(
                ts_event=now,
                ts_init=now,
                correlation_id=signal.signal_id,
                causation_id=signal.signal_id,
                signal_id=signal.signal_id,
                strategy=signal.strategy,
                instrument=signal.instrument,
                side=signal.side,
                intent=signal.intent,
                cancels=cancels,
                reason=reason,
                stands=stands,
                ttl_ns=signal.ttl_ns if stands else 0,
            )
        )
        self._exposure.leave(cancels)
        self._counts.note_withdrawal(stands=bool(stands))

    def _withdraw_orders(self, key: Key, orders: tuple[str, ...], cause: str) -> None:
        """Pull resting orders without a signal; the cause is the reason."""
        now = self._agenda.now
        self._bus.publish(
            SignalWithdrawn(
                ts_event=now,
                ts_init=now,
                signal_id="",
                strategy=key[0],
                instrument=key[1],
                side=Side.BUY,
                intent=Intent.CLOSE,
                cancels=orders,
                reason=cause,
            )
        )
        self._exposure.leave(orders)

    def withdraw_orders(self, orders: Sequence[WorkingOrder], cause: str) -> None:
        """Pull resting orders, one withdrawal for each strategy and instrument."""
        by_key: dict[Key, list[str]] = {}
        for order in orders:
            if not order.is_leaving:
                key = (order.strategy, order.instrument)
                by_key.setdefault(key, []).append(order.client_order_id)
        for key, ids in by_key.items():
            self._withdraw_orders(key, tuple(ids), cause)

    def mint_exit(
        self, key: Key, side: Side, quantity: Decimal, *, cause: str, origin: str, attempt: int
    ) -> None:
        """Mint a market exit nobody signalled; origin, strategy and attempt make its id."""
        now, (strategy, instrument) = self._agenda.now, key
        rules = self._sentinel.view.instruments[instrument]
        holding = self._exposure.holdings.get(key)
        self._bus.publish(
            OrderRequest(
                ts_event=now,
                ts_init=now,
                correlation_id=origin,
                client_order_id=minted_order_id(origin, instrument, strategy, attempt),
                signal_id="",
                strategy=strategy,
                instrument=instrument,
                side=side,
                intent=Intent.CLOSE,
                quantity=quantity,
                price=None,
                style=OrderStyle.MARKET,
                reduce_only=shrinks_net(self._exposure, rules, side, quantity),
                group="" if holding is None else holding.group,
                cause=cause,
            )
        )
        self._counts.minted += 1

    def snapshot(self) -> bytes:
        """Return counts, waiting legs and the newest entries."""
        pending = list(self._pending.items())
        state = _State(self._counts, pending, self._layers.last_entries, self._history_until)
        return pack(self.name, 1, state)

    def restore(self, state: bytes) -> None:
        """Go on where a snapshot was taken."""
        found = unpack(state, self.name, 1, _State)
        self._counts = found.counts
        self._pending = dict(found.pending)
        self._layers.last_entries = found.last_entries
        self._history_until = found.history_until
