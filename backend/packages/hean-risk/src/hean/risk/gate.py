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
from hean.core.inflight_tracker import InFlightTracker, Refusal, SlotRequest
from hean.core.instruments import MONEY, ZERO, decimal_of, significant
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.risk.closing import closable, exit_side, own_orders, shrinks_net
from hean.risk.edge_guard import EdgeGuard, GuardMode, Verdict
from hean.risk.exposure import Exposure, Key, WorkingOrder
from hean.risk.limits import (
    LastEntry,
    check_borrow,
    check_conflict,
    check_orders,
    check_position,
    check_reward,
)
from hean.risk.preparation import Preparation
from hean.risk.risk_sentinel import RiskSentinel
from hean.risk.sizing import Entry, Factors, GroupRules, Place, Sizer, Sizing

LAYERS: Final = ("SIGNAL", "ACTIVE", "ENVELOPE", "EDGE", "SIZER", "LIMITS", "SLOT")
SIGNAL, ACTIVE, ENVELOPE, EDGE, SIZER, LIMITS, SLOT = range(7)
_CENT_OF_CENT: Final = Decimal("0.00000001")
_INCOMPLETE: Final = "incomplete"


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A layer's no: which layer, the code, the number that decided and its limit."""

    layer: int
    code: ReasonCode
    number: float = 0.0
    limit: float = 0.0
    cap: str = ""
    sentence: str = ""


class Wish(msgspec.Struct, frozen=True, gc=False):
    """A signal past the edge layer, ready to be sized."""

    signal: Signal
    entry: Entry
    place: Place
    verdict: Verdict


class GateStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen view: passes and refusals by layer, and decisions by kind."""

    passed: dict[str, int]
    refused: dict[str, int]
    signals: int
    orders: int
    withdrawn: int
    rejected: int
    minted: int


class _Counts(msgspec.Struct):
    passed: list[int]
    refused: list[int]
    signals: int = 0
    orders: int = 0
    withdrawn: int = 0
    rejected: int = 0
    minted: int = 0


class _State(msgspec.Struct, frozen=True):
    counts: _Counts
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
        tracker: InFlightTracker,
        exposure: Exposure,
        sentinel: RiskSentinel,
        edge_guard: EdgeGuard,
        preparation: Preparation,
        sizer: Sizer,
    ) -> None:
        self._bus = bus
        self._agenda = agenda
        self._tracker = tracker
        self._exposure = exposure
        self._sentinel = sentinel
        self._guard = edge_guard
        self._preparation = preparation
        self._sizer = sizer
        self._counts = _Counts([0] * len(LAYERS), [0] * len(LAYERS))
        self._pending: dict[str, list[Signal]] = {}
        self._last_entries: dict[str, LastEntry] = {}
        self._history_until = 0

    def attach(self, bus: Bus) -> None:
        """Subscribe to signals."""
        stage, owner = Stage.GATE, self.name
        bus.subscribe(RunStarted, self._on_run, stage=stage, owner=owner)
        bus.subscribe(Signal, self._on_signal, stage=stage, owner=owner)
        bus.subscribe(TimerFired, self._on_timer, stage=stage, owner=owner, key=self.name)

    def statistics(self) -> GateStatistics:
        """Return a frozen snapshot of the counts."""
        counts = self._counts
        return GateStatistics(
            passed=dict(zip(LAYERS, counts.passed, strict=True)),
            refused=dict(zip(LAYERS, counts.refused, strict=True)),
            signals=counts.signals,
            orders=counts.orders,
            withdrawn=counts.withdrawn,
            rejected=counts.rejected,
            minted=counts.minted,
        )

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

    # entries

    def _decide(self, signal: Signal) -> None:
        """Decide one order on its own."""
        wish = self._examine(signal, None)
        if isinstance(wish, Refused):
            self._reject(signal, wish)
            return
        sentinel = self._sentinel
        room = sentinel.room(signal.strategy, smallest_only=self._is_small(wish))
        factors = self._factors(wish)
        sizing = self._sizer.size(wish.entry, room, wish.place, factors)
        refused = _size_refusal(sizing)
        if refused is None:
            refused = self._check(wish, sizing, 1, 0)
        if refused is None:
            refused = self._reserve((signal,))
        if refused is not None:
            self._reject(signal, refused)
            return
        self._mint(wish, sizing)

    def _examine(self, signal: Signal, replaced: Key | None) -> Wish | Refused:
        """Run the layers before the sizer."""
        now, sentinel = self._agenda.now, self._sentinel
        if signal.ttl_ns < 0 or self._preparation.fault(signal):
            return Refused(SIGNAL, ReasonCode.INVALID_SIGNAL)
        if 0 < signal.ttl_ns < now - signal.ts_init:
            age = (now - signal.ts_init) / 1e9
            return Refused(SIGNAL, ReasonCode.SIGNAL_EXPIRED, age, signal.ttl_ns / 1e9)
        if not sentinel.is_active(signal.strategy):
            return Refused(ACTIVE, ReasonCode.STRATEGY_INACTIVE)
        sentinel.refresh()
        bar = sentinel.barred(signal.strategy, signal.instrument)
        if bar is not None:
            return Refused(ENVELOPE, bar[0], bar[1], bar[2])
        limit = signal.limit or 0.0
        entry = self._preparation.entry(signal)
        stop = signal.stop if entry.stop is not None else None
        verdict = self._guard.judge(signal, limit, stop, entry.instrument.maker_fee)
        if verdict.code is not None and self._guard.enforces:
            return Refused(EDGE, verdict.code, verdict.number, verdict.limit)
        place = self._preparation.place(signal, sentinel.state.equity, replaced)
        return Wish(signal, entry, place, verdict)

    def _is_small(self, wish: Wish) -> bool:
        probing = self._guard.enforces and wish.verdict.mode is GuardMode.PROBE
        return probing or self._sentinel.streaks.is_cautious(wish.signal.strategy)

    def _factors(self, wish: Wish) -> Factors:
        regime = self._preparation.regime_factor(wish.signal.instrument)
        return Factors(regime=regime, confidence=wish.verdict.confidence)

    def _check(self, wish: Wish, sizing: Sizing, new: int, replaced: int) -> Refused | None:
        """Run the limits layer."""
        signal, exposure = wish.signal, self._exposure
        strategy, instrument = signal.strategy, signal.instrument
        breach = check_position(exposure, strategy, instrument, signal.intent)
        if breach is None and signal.intent is Intent.OPEN:
            last = self._last_entries.get(instrument)
            breach = check_conflict(last, strategy, signal.side, self._agenda.now)
        if breach is None:
            breach = check_borrow(exposure, strategy, wish.entry, sizing.quantity)
        section = self._sentinel.section
        if breach is None:
            breach = check_orders(exposure, section, new, replaced)
        if breach is None:
            breach = check_reward(section, wish.entry, signal.targets)
        return None if breach is None else Refused(LIMITS, breach[0], breach[1], breach[2])

    def _reserve(self, signals: Sequence[Signal]) -> Refused | None:
        """Take the slots of all signals or none."""
        wanted = [SlotRequest(one.strategy, one.instrument) for one in signals]
        answer = self._tracker.reserve(wanted)
        if isinstance(answer, Refusal):
            return Refused(SLOT, answer.code, float(answer.number), float(answer.limit))
        return None

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
            factors = (*factors, (f"would_refuse.{wish.verdict.code}", wish.verdict.number))
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
            risk=sizing.risk.quantize(_CENT_OF_CENT),
            size_factors=factors,
            cancels=cancels,
            replaces=replaces,
            release_order=release_order,
            group=signal.group,
            leg=signal.leg,
            legs=signal.legs,
        )
        self._bus.publish(order)
        self._sentinel.bind_margin(
            MONEY.multiply(MONEY.multiply(sizing.quantity, entry.price), wish.place.margin_rate)
        )
        self._sentinel.note_factor(signal.strategy, _size_factor(wish, sizing))
        self._last_entries[signal.instrument] = LastEntry(signal.strategy, signal.side, now)
        counts = self._counts
        counts.orders += 1
        for layer in range(len(LAYERS)):
            counts.passed[layer] += 1
        return order

    def _reject(self, signal: Signal, refused: Refused, *, counted: bool = True) -> None:
        """Publish a refusal."""
        now, layer = self._agenda.now, LAYERS[refused.layer]
        if refused.layer == SIZER and refused.cap:
            layer = f"sizer.{refused.cap}"
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
            )
        )
        if counted:
            counts = self._counts
            counts.rejected += 1
            counts.refused[refused.layer] += 1
            for before in range(refused.layer):
                counts.passed[before] += 1

    # groups

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
        wishes, refused, culprit = self._examine_group(signals, key if is_quotes else None)
        if refused is None:
            sizings, refused, culprit = self._size_group(wishes, is_quotes, key, len(old))
            if refused is None:
                refused = self._reserve(signals)
            if refused is None:
                self._mint_group(wishes, sizings, old)
                return
        if old:
            self._withdraw_orders(key, tuple(one.client_order_id for one in old), "refused")
        for index, signal in enumerate(signals):
            if index == culprit or refused.layer == SLOT or len(signals) == 1:
                self._reject(signal, refused)
            else:
                self._reject(signal, Refused(refused.layer, ReasonCode.GROUP_INCOMPLETE))

    def _examine_group(
        self, signals: Sequence[Signal], replaced: Key | None
    ) -> tuple[list[Wish], Refused | None, int]:
        wishes: list[Wish] = []
        for index, signal in enumerate(signals):
            if replaced is not None and (signal.strategy, signal.instrument) != replaced:
                return wishes, Refused(SIGNAL, ReasonCode.INVALID_SIGNAL), index
            if signal.legs != len(signals) or signal.intent is not signals[0].intent:
                return wishes, Refused(SIGNAL, ReasonCode.INVALID_SIGNAL), index
            wish = self._examine(signal, replaced)
            if isinstance(wish, Refused):
                return wishes, wish, index
            wishes.append(wish)
        return wishes, None, 0

    def _size_group(
        self, wishes: Sequence[Wish], is_quotes: bool, key: Key, replaced: int
    ) -> tuple[tuple[Sizing, ...], Refused | None, int]:
        small = any(self._is_small(one) for one in wishes)
        room = self._sentinel.room(
            key[0], smallest_only=small, replaced=key if is_quotes else None
        )
        stop = max(one.signal.group_stop_bp for one in wishes)
        rules = GroupRules(stop=decimal_of(stop) / 10_000, is_quotes=is_quotes)
        entries = [one.entry for one in wishes]
        places = [one.place for one in wishes]
        factors = [self._factors(one) for one in wishes]
        least = Factors(
            regime=min(one.regime for one in factors),
            confidence=min(one.confidence for one in factors),
        )
        sizings = self._sizer.size_group(entries, room, places, least, rules)
        refused = _size_refusal(sizings[0])
        if refused is not None:
            return sizings, refused, 0
        for index, (wish, sizing) in enumerate(zip(wishes, sizings, strict=True)):
            refused = self._check(wish, sizing, len(wishes), replaced)
            if refused is not None:
                return sizings, refused, index
        return sizings, None, 0

    def _mint_group(
        self, wishes: Sequence[Wish], sizings: Sequence[Sizing], old: list[WorkingOrder]
    ) -> None:
        takes: list[str] = []
        left = list(old)
        for wish in wishes:
            match = next((one for one in left if one.side is wish.signal.side), None)
            takes.append("" if match is None else match.client_order_id)
            if match is not None:
                left.remove(match)
        cancels = tuple(one.client_order_id for one in left)
        for wish, sizing, replaces in zip(wishes, sizings, takes, strict=True):
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

    # exits

    def _close(self, signal: Signal) -> None:
        """Be flat: cancel own working entries, then close what no exit at work covers."""
        key = (signal.strategy, signal.instrument)
        cancels = own_orders(self._exposure, key)
        quantity = self._closable(key, cancels)
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
            quantity = min(rules.quantity_floor(wanted), self._closable(key, ()))
        if rules is None or quantity <= ZERO:
            smallest = 0.0 if rules is None else rules.lot
            zero = ReasonCode.POSITION_SIZER_ZERO
            self._reject(
                signal, Refused(SIZER, zero, float(wanted), smallest, "min_quantity")
            )
            return
        self._exit(signal, quantity, ())

    def _closable(self, key: Key, cancels: tuple[str, ...]) -> Decimal:
        """Return what may be closed: exits that are cancelled with it no longer cover anything."""
        rules = self._sentinel.view.instruments.get(key[1])
        holding = self._exposure.holdings.get(key)
        if rules is None or holding is None:
            return ZERO
        quantity = closable(self._exposure, key, rules)
        for order in self._exposure.orders_of(key):
            if not order.is_entry and order.client_order_id in cancels:
                quantity += order.remaining
        return rules.quantity_floor(min(quantity, abs(holding.quantity)))

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

    def _withdraw(self, signal: Signal, cancels: tuple[str, ...], reason: str) -> None:
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
            )
        )
        self._exposure.leave(cancels)
        self._counts.withdrawn += 1

    # what no signal asked for

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
        now = self._agenda.now
        strategy, instrument = key
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
        state = _State(self._counts, pending, self._last_entries, self._history_until)
        return pack(self.name, 1, state)

    def restore(self, state: bytes) -> None:
        """Go on where a snapshot was taken."""
        found = unpack(state, self.name, 1, _State)
        self._counts = found.counts
        self._pending = dict(found.pending)
        self._last_entries = found.last_entries
        self._history_until = found.history_until


def _size_refusal(sizing: Sizing) -> Refused | None:
    """Return the refusal of a zero; what a sizer calls positive stays positive."""
    if sizing.quantity > ZERO:
        return None
    if sizing.cap == "no_stop":
        return Refused(SIZER, ReasonCode.NO_STOP, cap="no_stop")
    return Refused(
        SIZER,
        ReasonCode.POSITION_SIZER_ZERO,
        float(sizing.affordable),
        float(sizing.smallest),
        sizing.cap or "min_quantity",
        sizing.sentence,
    )


def _size_factor(wish: Wish, sizing: Sizing) -> float:
    """Return the product of a sizing's factors but for drawdown, which the planner adds itself."""
    product = 1.0
    for name, value in sizing.factors:
        if name != "drawdown":
            product *= value
    return round(product, 9)
