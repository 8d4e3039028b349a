from __future__ import annotations

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hean.core.events.base import Event
from hean.core.events.system import TimerFired
from hean.core.testing import quote
from hean.core.timers import Agenda

_STEPS = st.lists(
    st.tuples(st.sampled_from(["arm", "cancel", "schedule"]), st.integers(0, 3), st.integers(0, 9)),
    max_size=40,
)


def _drain(agenda: Agenda, until: int = 100) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    event: Event | None = agenda.pop_due(until)
    while event is not None:
        found.append((event.ts_init, event.key if isinstance(event, TimerFired) else "quote"))
        event = agenda.pop_due(until)
    return found


def test_entries_fire_in_due_order_and_equal_ones_in_order_of_entry() -> None:
    """Timers and scheduled inputs share one queue, first due first, first come first."""
    agenda = Agenda()
    agenda.schedule(5, quote(at=5))
    agenda.arm("a", "late", 7)
    agenda.arm("a", "same", 5)
    assert _drain(agenda, 4) == []
    assert _drain(agenda) == [(5, "quote"), (5, "same"), (7, "late")]


def test_arming_again_moves_and_cancelling_forgets() -> None:
    """A timer fires once, at its newest due time; a cancelled one never, without error."""
    agenda = Agenda()
    agenda.arm("a", "x", 3)
    agenda.arm("a", "x", 8)
    agenda.arm("a", "y", 4)
    agenda.cancel("a", "y")
    agenda.cancel("a", "never")
    assert agenda.is_armed("a", "x")
    assert not agenda.is_armed("a", "y")
    assert _drain(agenda) == [(8, "x")]
    assert not agenda.is_armed("a", "x")


def test_a_timer_in_the_past_fires_now() -> None:
    """Arming for a time that has passed fires at the present time."""
    agenda = Agenda()
    agenda.now = 50
    agenda.arm("a", "x", 10)
    assert _drain(agenda) == [(50, "x")]


@hypothesis_settings(max_examples=150, deadline=None)
@given(steps=_STEPS)
def test_a_restored_agenda_fires_the_same(steps: list[tuple[str, int, int]]) -> None:
    """After any steps a snapshot restored elsewhere fires the same entries in the same order."""
    agenda = Agenda()
    for what, key, due in steps:
        if what == "arm":
            agenda.arm("a", str(key), due)
        elif what == "cancel":
            agenda.cancel("a", str(key))
        else:
            agenda.schedule(due, quote(at=due))
    other = Agenda()
    other.restore(agenda.snapshot())
    assert other.snapshot() == agenda.snapshot()
    assert _drain(other) == _drain(agenda)
    other.arm("b", "next", 1)
    agenda.arm("b", "next", 1)
    assert other.snapshot() == agenda.snapshot()
