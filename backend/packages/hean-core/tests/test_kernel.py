from __future__ import annotations

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hean.core.bus import Bus, Stage
from hean.core.events.base import Event
from hean.core.events.market import Bar, Quote
from hean.core.events.system import Heartbeat, TimerFired
from hean.core.kernel import Kernel
from hean.core.testing import MINUTE, SECOND, START, MiniSystem, bar, quote
from hean.core.timers import Agenda


def _beats(system: MiniSystem) -> list[float]:
    return [(beat.ts_init - START) / SECOND for beat in system.of(Heartbeat)]


def test_a_heartbeat_comes_each_whole_second_where_ticks_come() -> None:
    """Beats lie on whole seconds, before the input of the same time, none is left out."""
    system = MiniSystem(pulse=True)
    system.take(quote(at=START + SECOND // 2), quote(at=START + 3 * SECOND))
    assert _beats(system) == [0, 1, 2, 3]
    assert isinstance(system.recorder.events[-1], Quote)


def test_on_bars_a_heartbeat_follows_each_close() -> None:
    """Bars of one close time give one beat, with their interval, before anything later."""
    system = MiniSystem()
    system.take(bar(at=START), bar(at=START, instrument="ETH"), bar(at=START + MINUTE))
    kinds = [type(event).__name__ for event in system.recorder.events]
    assert kinds == ["Bar", "Bar", "Heartbeat", "Bar"]
    assert system.of(Heartbeat)[0].interval_ns == MINUTE
    system.advance(1)
    assert len(system.of(Heartbeat)) == 2


def test_what_is_due_fires_before_the_input_at_its_own_time() -> None:
    """A timer due before an input runs first and sees its own due time as now."""
    system = MiniSystem()
    seen: list[int] = []
    system.bus.subscribe(
        TimerFired, lambda _: seen.append(system.now), stage=Stage.RISK, owner="t", key="t"
    )
    system.agenda.arm("t", "x", START + 5)
    system.take(quote(at=START + 9))
    assert seen == [START + 5]
    assert system.now == START + 9


def test_a_timer_armed_for_now_fires_before_the_next_input() -> None:
    """What a handler arms for the present fires in the same take."""
    system = MiniSystem()

    def arm(event: Quote) -> None:
        system.agenda.arm("t", "x", event.ts_init)

    system.bus.subscribe(Quote, arm, stage=Stage.RISK, owner="t")
    system.take(quote(at=START + 3))
    assert len(system.of(TimerFired)) == 1


def test_an_input_from_the_past_is_taken_now() -> None:
    """Time never goes back: a late input is stamped with the present, its source time kept."""
    system = MiniSystem()
    system.take(quote(at=START + 10), quote(at=START + 4))
    last = system.recorder.last(Quote)
    assert (last.ts_init, last.ts_event) == (START + 10, START + 4)


def test_every_input_has_its_number() -> None:
    """Inputs, timers and beats are counted from 1 in the order they are taken."""
    system = MiniSystem(pulse=True)
    system.agenda.arm("t", "x", START + SECOND + 1)
    system.take(quote(at=START + 2 * SECOND - 1))
    assert system.kernel.sequence == 4


_INPUTS = st.lists(st.integers(0, 5 * SECOND), min_size=1, max_size=15)


def _run(
    times: list[int], timers: list[int], *, cut: int | None = None
) -> list[tuple[str, int, int]]:
    """Take quotes at the times, in another system from `cut` on; return what was delivered."""
    seen: list[tuple[str, int, int]] = []

    def system() -> tuple[Kernel, Agenda]:
        bus, agenda = Bus(), Agenda()
        kernel = Kernel(bus, agenda, pulse_from=START)

        def see(event: Event) -> None:
            seen.append((type(event).__name__, event.ts_init, kernel.sequence))

        for kind in (Quote, Heartbeat, TimerFired, Bar):
            bus.subscribe(kind, see, stage=Stage.REPORTS, owner="see")
        return kernel, agenda

    kernel, agenda = system()
    agenda.now = START
    for number, due in enumerate(timers):
        agenda.arm("t", str(number), START + due)
    for number, time in enumerate(times):
        if number == cut:
            states = kernel.snapshot(), agenda.snapshot()
            kernel, agenda = system()
            agenda.restore(states[1])
            kernel.restore(states[0])
        kernel.take(quote(at=START + time))
    return seen


@hypothesis_settings(max_examples=100, deadline=None)
@given(times=_INPUTS, timers=_INPUTS)
def test_time_never_goes_back(times: list[int], timers: list[int]) -> None:
    """Whatever order inputs come in, delivered times and numbers only rise."""
    seen = _run(times, timers)
    stamps = [stamp for _, stamp, _ in seen]
    assert stamps == sorted(stamps)
    assert [number for _, _, number in seen] == list(range(1, len(seen) + 1))


@hypothesis_settings(max_examples=100, deadline=None)
@given(times=_INPUTS, timers=_INPUTS, cut=st.integers(0, 14))
def test_a_restored_kernel_goes_on_alike(times: list[int], timers: list[int], cut: int) -> None:
    """A snapshot between two inputs changes nothing of what follows."""
    assert _run(times, timers, cut=cut) == _run(times, timers)
