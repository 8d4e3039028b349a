"""The layers an entry passes, in their order; they decide and publish nothing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hean.core.events.decision import GuardMode
from hean.core.events.reasons import ReasonCode
from hean.core.events.strategy import Intent, Signal
from hean.core.inflight_tracker import InFlightTracker, Refusal, SlotRequest
from hean.core.instruments import ZERO, decimal_of
from hean.core.timers import Agenda
from hean.risk.decisions import ACTIVE, EDGE, ENVELOPE, LIMITS, SIGNAL, SIZER, SLOT
from hean.risk.edge_guard import EdgeGuard, Verdict
from hean.risk.exposure import Exposure, Key
from hean.risk.hit_rates import UNKNOWN, HitRates
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


class EntryLayers:
    """Signal, active set, envelope, edge, sizer, limits and slot: the first no wins."""

    def __init__(
        self,
        *,
        agenda: Agenda,
        tracker: InFlightTracker,
        exposure: Exposure,
        sentinel: RiskSentinel,
        edge_guard: EdgeGuard,
        hit_rates: HitRates,
        preparation: Preparation,
        sizer: Sizer,
    ) -> None:
        self._agenda = agenda
        self._tracker = tracker
        self._exposure = exposure
        self._sentinel = sentinel
        self._guard = edge_guard
        self._hit_rates = hit_rates
        self._uses_kelly = sentinel.section.kelly_enabled
        self._preparation = preparation
        self._sizer = sizer
        self.last_entries: dict[str, LastEntry] = {}

    def note_entry(self, wish: Wish) -> None:
        """Remember the newest opening on an instrument, against conflicts, and a failed plan."""
        signal = wish.signal
        entry = LastEntry(signal.strategy, signal.side, self._agenda.now)
        self.last_entries[signal.instrument] = entry
        self._guard.note_order(signal.signal_id, wish.verdict)

    def size(self, wish: Wish) -> tuple[Sizing, Refused | None]:
        """Size one order and run the limits layer on it."""
        room = self._sentinel.rooms.room(wish.signal.strategy, smallest_only=self.is_small(wish))
        sizing = self._sizer.size(wish.entry, room, wish.place, self.factors((wish,)))
        return sizing, size_refusal(sizing) or self.check(wish, sizing, 1, 0)

    def examine(self, signal: Signal) -> Wish | Refused:
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
        place = self._preparation.place(signal, sentinel.state.equity)
        return Wish(signal, entry, place, verdict)

    def fails_plan(self, signal: Signal) -> bool:
        """Return whether a refused signal's plan fails a check, whatever refused it."""
        return self._guard.note_refused(signal)

    def is_small(self, wish: Wish) -> bool:
        probing = self._guard.enforces and wish.verdict.mode is GuardMode.PROBE
        return probing or self._sentinel.streaks.is_cautious(wish.signal.strategy)

    def factors(self, wishes: Sequence[Wish]) -> Factors:
        """Return what shrinks the R of wishes of one strategy: the least of each factor."""
        rate = UNKNOWN
        if self._uses_kelly:
            rate = self._hit_rates.of(wishes[0].signal.strategy)
        return Factors(
            regime=min([self._preparation.regime_factor(one.signal.instrument) for one in wishes]),
            confidence=min([one.verdict.confidence for one in wishes]),
            probability=rate.probability,
            payoff=rate.payoff,
            error=rate.error,
        )

    def check(self, wish: Wish, sizing: Sizing, new: int, replaced: int) -> Refused | None:
        """Run the limits layer."""
        signal, exposure = wish.signal, self._exposure
        strategy, instrument = signal.strategy, signal.instrument
        breach = check_position(exposure, strategy, instrument, signal.intent)
        if breach is None and signal.intent is Intent.OPEN:
            last = self.last_entries.get(instrument)
            breach = check_conflict(last, strategy, signal.side, self._agenda.now)
        if breach is None:
            breach = check_borrow(exposure, strategy, wish.entry, sizing.quantity)
        section = self._sentinel.section
        if breach is None:
            breach = check_orders(exposure, section, new, replaced)
        if breach is None:
            breach = check_reward(section, wish.entry, signal.targets)
        return None if breach is None else Refused(LIMITS, breach[0], breach[1], breach[2])

    def reserve(self, signals: Sequence[Signal], *, sends: bool = True) -> Refused | None:
        """Take the slots of all signals or none; where nothing is sent they are given back."""
        wanted = [SlotRequest(one.strategy, one.instrument) for one in signals]
        answer = self._tracker.reserve(wanted)
        if isinstance(answer, Refusal):
            return Refused(SLOT, answer.code, float(answer.number), float(answer.limit))
        if not sends:
            self._tracker.release(answer)
        return None

    def examine_group(
        self, signals: Sequence[Signal], replaced: Key | None
    ) -> tuple[list[Wish], Refused | None, int]:
        wishes: list[Wish] = []
        for index, signal in enumerate(signals):
            if replaced is not None and (signal.strategy, signal.instrument) != replaced:
                return wishes, Refused(SIGNAL, ReasonCode.INVALID_SIGNAL), index
            if signal.legs != len(signals) or signal.intent is not signals[0].intent:
                return wishes, Refused(SIGNAL, ReasonCode.INVALID_SIGNAL), index
            wish = self.examine(signal)
            if isinstance(wish, Refused):
                return wishes, wish, index
            wishes.append(wish)
        return wishes, None, 0

    def size_group(
        self, wishes: Sequence[Wish], is_quotes: bool, key: Key, replaced: int
    ) -> tuple[tuple[Sizing, ...], Refused | None, int]:
        small = any(self.is_small(one) for one in wishes)
        room = self._sentinel.rooms.room(
            key[0], smallest_only=small, replaced=key if is_quotes else None
        )
        stop = max(one.signal.group_stop_bp for one in wishes)
        rules = GroupRules(stop=decimal_of(stop) / 10_000, is_quotes=is_quotes)
        entries = [one.entry for one in wishes]
        places = [one.place for one in wishes]
        sizings = self._sizer.size_group(entries, room, places, self.factors(wishes), rules)
        refused = size_refusal(sizings[0])
        if refused is not None:
            return sizings, refused, 0
        for index, (wish, sizing) in enumerate(zip(wishes, sizings, strict=True)):
            refused = self.check(wish, sizing, len(wishes), replaced)
            if refused is not None:
                return sizings, refused, index
        return sizings, None, 0


def size_refusal(sizing: Sizing) -> Refused | None:
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
