"""Promise 4 and the starvation bound: fast strategies never keep slow ones out past a cooldown."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from hean.config import HEANSettings
from hean.core.events import FrequencyClass, Intent, OrderRequest, ReasonCode
from hean.core.inflight_tracker import InFlightTracker
from hean.core.slots import Grant, Refusal, SlotRequest
from hean.core.testing import (
    BTC,
    ETH,
    SECOND,
    SOL,
    MiniSystem,
    accepted,
    cancelled,
    filled,
    order_request,
    position_closed,
    position_opened,
    profile,
    registered,
)

Key = tuple[str, str]
QUOTE_TTL = 10 * SECOND
LOWS = st.lists(
    st.tuples(st.sampled_from([1800, 3600, 7200]), st.integers(1, 2)), min_size=1, max_size=3
)
"""Cooldown in seconds and legs."""
HIGHS = st.lists(st.sampled_from([30, 300, 900, 7200]), min_size=1, max_size=4)
"""Time stops in seconds; one beyond every cooldown cannot give back in time."""


@dataclass
class Held:
    """A slot in use: until when, and the quote in it if no position is."""

    until: int
    quote: OrderRequest | None


class FairnessMachine(RuleBasedStateMachine):
    """I15: whoever asks, fills, quotes and leaves when, alone or in groups."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[Key, Held] = {}
        self.refused_at: dict[str, tuple[int, int]] = {}
        self.lost: dict[Key, int] = {}
        self.number = 0

    @initialize(lows=LOWS, highs=HIGHS, spare=st.integers(0, 2))
    def begin(self, lows: list[tuple[int, int]], highs: list[int], spare: int) -> None:
        self.cooldowns = {f"low{n}": cooldown * SECOND for n, (cooldown, _) in enumerate(lows)}
        self.legs = {f"low{n}": legs for n, (_, legs) in enumerate(lows)}
        self.stops = {f"high{n}": stop * SECOND for n, stop in enumerate(highs)}
        self.maximum = spare
        for legs in self.legs.values():
            self.maximum += legs
        self.system = MiniSystem()
        self.tracker = InFlightTracker(
            settings=HEANSettings(),
            max_positions=self.maximum,
            bus=self.system.bus,
            agenda=self.system.agenda,
        )
        self.system.add(self.tracker)
        for name, cooldown in self.cooldowns.items():
            self._register(name, FrequencyClass.LOW, cooldown, 86_400 * SECOND, self.legs[name])
        for name, stop in self.stops.items():
            self._register(name, FrequencyClass.HIGH, SECOND, stop, 1)

    def _register(
        self, name: str, frequency: FrequencyClass, cooldown: int, stop: int, legs: int
    ) -> None:
        row = profile(name, frequency=frequency, cooldown=cooldown / SECOND, legs=legs)
        self.system.take(registered(replace(row, time_stop_seconds=stop / SECOND)))

    @rule(number=st.integers(0, 2), seconds=st.sampled_from([60, 1800, 20_000]))
    def slow_asks(self, number: int, seconds: int) -> None:
        """A LOW strategy asks for all its legs at once; it is not refused past its cooldown."""
        name = f"low{number % len(self.cooldowns)}"
        if any(key[0] == name for key in self.held):
            return
        now, keys = self.system.now, [(name, one) for one in (BTC, ETH)[: self.legs[name]]]
        if self._ask(keys, now + seconds * SECOND, is_quote=False):
            self.refused_at.pop(name, None)
            return
        cooldown = self.cooldowns[name]
        first, last = self.refused_at.get(name, (now, now))
        if now > last + 2 * cooldown:
            first = now
        self.refused_at[name] = (first, now)
        assert now - first <= cooldown, f"{name} refused for {(now - first) / SECOND} s"

    @rule(number=st.integers(0, 3), where=st.sampled_from([BTC, ETH, SOL]), quotes=st.booleans())
    def fast_asks(self, number: int, where: str, quotes: bool) -> None:
        self._fast(f"high{number % len(self.stops)}", where, quotes)

    @rule(quotes=st.booleans())
    def rush(self, quotes: bool) -> None:
        """Every HIGH strategy asks on every instrument."""
        for name in self.stops:
            for where in (BTC, ETH, SOL):
                self._fast(name, where, quotes)

    @rule(seconds=st.sampled_from([1, 9, 31, 120, 600, 1799, 1800]))
    def wait(self, seconds: int) -> None:
        """Time passes, and what is due leaves; the quoting renew theirs while they may."""
        until = self.system.now + seconds * SECOND
        while due := [(one.until, key) for key, one in self.held.items() if one.until <= until]:
            at, key = min(due)
            self.system.advance(max(0, at - self.system.now) / SECOND)
            self._leave(key)
        self.system.advance((until - self.system.now) / SECOND)

    @rule(number=st.integers(0, 9))
    def fill(self, number: int) -> None:
        """A quote becomes a position, which lasts to its time stop."""
        quoting = [key for key, one in self.held.items() if one.quote is not None]
        if not quoting:
            return
        key = quoting[number % len(quoting)]
        order = self.held[key].quote
        assert order is not None
        self._open(order)
        self.held[key] = Held(self.system.now + self.stops[key[0]], None)

    def _fast(self, name: str, where: str, quotes: bool) -> None:
        key = (name, where)
        if key in self.held:
            return
        lasts = QUOTE_TTL if quotes else self.stops[name]
        self._ask([key], self.system.now + lasts, is_quote=quotes)

    def _ask(self, keys: list[Key], until: int, *, is_quote: bool) -> bool:
        answer = self.tracker.reserve([SlotRequest(*key) for key in keys])
        if isinstance(answer, Refusal):
            self._note(keys[0][0], answer)
            return False
        for key in keys:
            self.number += 1
            order = order_request(
                key[0],
                number=self.number,
                instrument=key[1],
                intent=Intent.QUOTE if is_quote else Intent.OPEN,
                at=self.system.now,
            )
            self.system.take(order, accepted(order, at=self.system.now))
            self.held[key] = Held(until, order if is_quote else None)
            if not is_quote:
                self._open(order)
        return True

    def _note(self, loser: str, answer: Refusal) -> None:
        """Keep the table of who lost to whom: to holders, or to those slots are kept for."""
        counts: dict[str, int] = {}
        for holder, _ in self.held:
            counts[holder] = counts.get(holder, 0) + 1
        others = list(counts)
        if answer.code is ReasonCode.SLOT_FAIRNESS:
            others = [one for one, legs in self.legs.items() if counts.get(one, 0) < legs]
        for other in others:
            if other != loser:
                self.lost[loser, other] = self.lost.get((loser, other), 0) + 1

    def _open(self, order: OrderRequest) -> None:
        now = self.system.now
        self.system.take(
            filled(order, at=now),
            position_opened(
                order.strategy, order=order.client_order_id, instrument=order.instrument, at=now
            ),
        )

    def _leave(self, key: Key) -> None:
        """End what is due; a quote is declared anew where that is allowed."""
        now, order = self.system.now, self.held[key].quote
        if order is None:
            self.system.take(position_closed(key[0], instrument=key[1], at=now))
            del self.held[key]
            return
        answer = self.tracker.reserve([SlotRequest(*key)])
        if isinstance(answer, Grant):
            self.tracker.release(answer)
            self.held[key].until = now + QUOTE_TTL
            return
        self._note(key[0], answer)
        self.system.take(cancelled(order, at=now))
        del self.held[key]

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "tracker"):
            assert self.tracker.occupied == len(self.held) <= self.maximum
            found = {(loser, other): n for loser, other, n in self.tracker.statistics().lost_to}
            assert found == self.lost


FairnessMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=60, deadline=None)
test_no_low_strategy_starves = FairnessMachine.TestCase


@pytest.mark.parametrize("count", [1, 4])
def test_a_claim_is_served_at_the_first_slot_that_comes_back(count: int) -> None:
    """A LOW strategy refused while HIGH ones borrow its share gets the first slot returned."""
    machine = FairnessMachine()
    machine.begin([(1800, 1)], [30] * count, 0)
    machine.rush(quotes=False)
    machine.slow_asks(0, 60)
    assert machine.refused_at
    machine.wait(31)
    machine.rush(quotes=True)
    assert not machine.held
    machine.slow_asks(0, 60)
    assert list(machine.held) == [("low0", BTC)]
    assert machine.tracker.statistics().lost_to[-1][:2] == ("low0", "high0")


def test_who_cannot_give_back_in_time_borrows_nothing() -> None:
    """HIGH strategies whose time stop exceeds the cooldown leave a LOW one its share free."""
    machine = FairnessMachine()
    machine.begin([(1800, 2)], [7200, 7200], 1)
    machine.rush(quotes=False)
    assert len(machine.held) == 1
    machine.slow_asks(0, 60)
    assert sorted(machine.held)[1:] == [("low0", BTC), ("low0", ETH)]
