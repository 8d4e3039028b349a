from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from hean.config import HEANSettings
from hean.core.events.base import Event
from hean.core.events.decision import OrderRequest
from hean.core.events.market import Side
from hean.core.events.portfolio import PositionChange, PositionChanged
from hean.core.events.reasons import ReasonCode
from hean.core.events.strategy import FrequencyClass, Intent
from hean.core.events.venue import OrderSubmitted, OrderUnknown
from hean.core.inflight_tracker import InFlightTracker
from hean.core.slots import Grant, Refusal, SlotRequest
from hean.core.testing import (
    BTC,
    ETH,
    MiniSystem,
    accepted,
    cancelled,
    expired,
    filled,
    order_request,
    position_closed,
    position_opened,
    profile,
    registered,
    rejected,
    unknown,
)


def _system(maximum: int = 3) -> tuple[MiniSystem, InFlightTracker]:
    system = MiniSystem()
    tracker = InFlightTracker(
        settings=HEANSettings(), max_positions=maximum, bus=system.bus, agenda=system.agenda
    )
    return system, system.add(tracker)


def _ask(strategy: str = "alpha", instrument: str = BTC) -> list[SlotRequest]:
    return [SlotRequest(strategy, instrument)]


def test_a_slot_is_reserved_works_is_handed_over_and_freed() -> None:
    """A slot goes reserved, working, open and free with its order and position."""
    system, tracker = _system()
    order = order_request(at=system.now)
    assert isinstance(tracker.reserve(_ask()), Grant)
    assert tracker.counts() == (0, 0, 1)
    system.take(order, accepted(order))
    assert tracker.counts() == (0, 1, 0)
    system.take(filled(order))
    assert tracker.occupied == 1
    system.take(position_opened(order=order.client_order_id))
    assert tracker.counts() == (1, 0, 0)
    system.take(position_closed())
    assert tracker.occupied == 0


def test_a_group_takes_all_slots_or_none() -> None:
    """A group of two legs with one slot left takes none and says MAX_POSITIONS with the numbers."""
    _, tracker = _system(2)
    tracker.reserve(_ask("beta"))
    answer = tracker.reserve([SlotRequest("alpha", BTC), SlotRequest("alpha", ETH)])
    assert answer == Refusal(ReasonCode.MAX_POSITIONS, 3, 2)
    assert tracker.occupied == 1


def test_quotes_share_one_slot() -> None:
    """Two quotes of one strategy on one instrument hold one slot until both are gone."""
    system, tracker = _system(1)
    assert isinstance(tracker.reserve(_ask() + _ask()), Grant)
    bid = order_request(number=1, intent=Intent.QUOTE)
    ask = order_request(number=2, intent=Intent.QUOTE, side=Side.SELL)
    system.take(bid, ask, accepted(bid), accepted(ask), cancelled(bid))
    assert tracker.occupied == 1
    assert isinstance(tracker.reserve(_ask()), Grant)
    third = order_request(number=3, intent=Intent.QUOTE)
    system.take(third, cancelled(ask), rejected(third))
    assert tracker.occupied == 0


def test_a_refused_grant_can_be_given_back() -> None:
    """A grant that is released frees the slots it took and leaves no trace."""
    _, tracker = _system()
    grant = tracker.reserve(_ask())
    assert isinstance(grant, Grant)
    tracker.release(grant)
    assert tracker.occupied == 0


def test_a_bare_reservation_ends_after_its_ttl() -> None:
    """A reservation whose order never came is freed by the first sweep past 30 s."""
    system, tracker = _system()
    tracker.reserve(_ask())
    system.advance(29.9)
    assert tracker.occupied == 1
    system.advance(0.2)
    assert tracker.occupied == 0
    assert tracker.statistics().expired == 1
    assert not system.agenda.is_armed("slots", "sweep")


def test_an_unacknowledged_order_asks_the_venue_and_keeps_its_slot() -> None:
    """Silence makes an order unknown, asks again each TTL, and only the venue's answer frees it."""
    system, tracker = _system()
    order = order_request()
    tracker.reserve(_ask())
    system.take(order)
    system.advance(300)
    questions = system.of(OrderUnknown)
    assert len(questions) == 10
    assert {one.client_order_id for one in questions} == {order.client_order_id}
    assert tracker.statistics().unknown == 1
    system.take(rejected(order, at=system.now))
    assert tracker.occupied == 0
    system.advance(60)
    assert len(system.of(OrderUnknown)) == 10


def test_an_unknown_order_keeps_its_slot_until_the_venue_says() -> None:
    """OrderUnknown frees nothing; the later acceptance or expiry decides."""
    system, tracker = _system()
    order = order_request()
    system.take(order, unknown(order))
    assert tracker.occupied == 1
    system.take(accepted(order), expired(order))
    assert tracker.occupied == 0


def test_a_waiting_leg_has_no_deadline_until_its_release_ended() -> None:
    """A leg held back for its partner may wait for minutes, but not once the partner is gone."""
    system, _ = _system()
    first = order_request(number=1, intent=Intent.LEG)
    wire = order_request(number=2, intent=Intent.LEG, instrument=ETH)
    second = replace(wire, release_order=first.client_order_id)
    system.take(first, second, accepted(first))
    system.advance(600)
    assert system.of(OrderUnknown) == []
    system.take(cancelled(first, at=system.now))
    system.advance(40)
    assert [one.client_order_id for one in system.of(OrderUnknown)] == [second.client_order_id]


def test_a_released_leg_must_be_acknowledged_from_its_submission() -> None:
    """A held leg's TTL starts when it is submitted."""
    system, _ = _system()
    wire = order_request(intent=Intent.LEG)
    order = replace(wire, release_order="other")
    system.take(order)
    system.advance(100)
    now = system.now
    system.take(
        OrderSubmitted(
            ts_event=now,
            ts_init=now,
            client_order_id=order.client_order_id,
            strategy=order.strategy,
            instrument=order.instrument,
        )
    )
    system.advance(40)
    assert len(system.of(OrderUnknown)) == 1


def test_a_partly_filled_entry_keeps_the_slot_until_books_and_venue_agree() -> None:
    """A cancel that reports more filled than was seen holds the slot until that fill is booked."""
    system, tracker = _system()
    order = order_request(quantity="0.003")
    first = filled(order, quantity="0.001")
    system.take(order, accepted(order), first, position_opened(order=order.client_order_id))
    system.take(cancelled(order, filled="0.002"))
    system.take(position_closed())
    assert tracker.occupied == 1
    system.take(filled(order, quantity="0.001", before="0.001"))
    system.take(position_opened(order=order.client_order_id))
    assert tracker.counts() == (1, 0, 0)
    system.take(position_closed())
    assert tracker.occupied == 0


def test_funding_and_exits_do_not_disturb_a_slot() -> None:
    """A position change without an order, and a reduce-only order, leave the slot as it is."""
    system, tracker = _system()
    system.take(position_opened(), order_request(number=9, reduce_only=True))
    now = system.now
    change = position_opened()
    system.take(
        PositionChanged(
            ts_event=now,
            ts_init=now,
            strategy="alpha",
            instrument=BTC,
            change=PositionChange.FUNDING,
            quantity=change.quantity,
            entry_price=change.entry_price,
            risk=change.risk,
        )
    )
    assert tracker.counts() == (1, 0, 0)


def test_contention_says_who_lost_to_whom() -> None:
    """A refusal is counted for the loser, against each holder, with the last winner named."""
    _, tracker = _system(1)
    tracker.reserve(_ask("alpha"))
    tracker.reserve(_ask("beta"))
    found = tracker.statistics()
    assert found.refused_by_strategy == {"beta": 1}
    assert found.lost_to == (("beta", "alpha", 1),)
    assert found.won == {"alpha": 1}
    assert (found.peak, found.contended, found.granted) == (1, 1, 1)


def test_an_inactive_profile_keeps_nothing() -> None:
    """A LOW strategy that cannot run keeps no slot from the fast ones."""
    system, tracker = _system(1)
    slow = profile("slow", frequency=FrequencyClass.LOW, cooldown=60)
    fast = profile("fast", frequency=FrequencyClass.HIGH)
    system.take(registered(slow), registered(fast))
    assert isinstance(tracker.reserve(_ask("fast")), Refusal)
    system.take(replace(registered(slow), cannot_run_because="no funding"))
    assert isinstance(tracker.reserve(_ask("fast")), Grant)


def test_a_snapshot_restores_slots_claims_and_counts() -> None:
    """A tracker restored from a snapshot has the same statistics and the same next answer."""
    system, tracker = _system(2)
    system.take(registered(profile("slow", frequency=FrequencyClass.LOW, cooldown=3600, legs=2)))
    order = order_request()
    tracker.reserve(_ask())
    system.take(order, accepted(order))
    tracker.reserve([SlotRequest("slow", BTC), SlotRequest("slow", ETH)])
    other = InFlightTracker(
        settings=HEANSettings(), max_positions=2, bus=system.bus, agenda=system.agenda
    )
    other.restore(tracker.snapshot())
    assert other.statistics() == tracker.statistics()
    assert other.snapshot() == tracker.snapshot()
    assert other.reserve(_ask("late", ETH)) == tracker.reserve(_ask("late", ETH))


def test_reserve_is_atomic_among_threads() -> None:
    """Eight threads asking for 400 slots get exactly as many as there are."""
    _, tracker = _system(50)
    answers: list[list[object]] = [[] for _ in range(8)]

    def ask(number: int) -> None:
        for count in range(50):
            answers[number].append(tracker.reserve(_ask(f"s{number}", f"i{count}")))

    threads = [Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    granted = [one for found in answers for one in found if isinstance(one, Grant)]
    assert len(granted) == tracker.occupied == 50


_MAXIMUM = 3
_KEYS = [(f"s{number}", where) for number in range(3) for where in (BTC, ETH)]
_CLASSES = (FrequencyClass.HIGH, FrequencyClass.MEDIUM, FrequencyClass.LOW)
_Report = Callable[..., Event]
_REPORTS: tuple[_Report, ...] = (
    accepted,
    rejected,
    cancelled,
    expired,
    unknown,
    filled,
)


class SlotMachine(RuleBasedStateMachine):
    """Any interleaving of reservations, reports, positions and time."""

    def __init__(self) -> None:
        super().__init__()
        self.system, self.tracker = _system(_MAXIMUM)
        for number, frequency in enumerate(_CLASSES):
            found = profile(f"s{number}", frequency=frequency, cooldown=120.0)
            self.system.take(registered(found))
        self.number = 0
        self.orders: list[OrderRequest] = []

    @rule(key=st.sampled_from(_KEYS), publishes=st.booleans())
    def reserve(self, key: tuple[str, str], publishes: bool) -> None:
        answer = self.tracker.reserve(_ask(*key))
        if isinstance(answer, Refusal):
            return
        if not publishes:
            self.tracker.release(answer)
            return
        self.number += 1
        order = order_request(
            key[0], number=self.number, instrument=key[1], intent=Intent.QUOTE, at=self.system.now
        )
        self.orders.append(order)
        self.system.take(order)

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), report=st.sampled_from(_REPORTS))
    def report(self, data: st.DataObject, report: _Report) -> None:
        order = data.draw(st.sampled_from(self.orders))
        self.system.take(report(order, at=self.system.now))
        if report is filled and self.tracker.holds(order.strategy, order.instrument):
            self.system.take(
                position_opened(
                    order.strategy, order=order.client_order_id, instrument=order.instrument
                )
            )
        if report not in (accepted, unknown):
            self.orders.remove(order)

    @rule(key=st.sampled_from(_KEYS))
    def close(self, key: tuple[str, str]) -> None:
        self.system.take(position_closed(key[0], instrument=key[1], at=self.system.now))

    @rule(seconds=st.sampled_from([1.0, 7.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.system.advance(seconds)

    @invariant()
    def never_exceeds(self) -> None:
        is_open, working, reserved = self.tracker.counts()
        assert is_open + working + reserved <= _MAXIMUM
        found = self.tracker.statistics()
        assert found.peak <= _MAXIMUM
        assert found.unreserved == 0

    @invariant()
    def holds_what_may_exist(self) -> None:
        for order in self.orders:
            assert self.tracker.holds(order.strategy, order.instrument)

    @invariant()
    def survives_a_kill(self) -> None:
        state = self.tracker.snapshot()
        other = InFlightTracker(
            settings=HEANSettings(),
            max_positions=_MAXIMUM,
            bus=self.system.bus,
            agenda=self.system.agenda,
        )
        other.restore(state)
        assert other.snapshot() == state


SlotMachine.TestCase.settings = hypothesis_settings(
    max_examples=60, stateful_step_count=30, deadline=None
)
test_slots_under_any_interleaving = SlotMachine.TestCase
