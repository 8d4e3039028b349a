"""The kernel: takes one input, fires what is due before it, runs it to completion.

Time is `agenda.now`: the `ts_init` of the input in hand, never going back. Where ticks come, a
`Heartbeat` is taken at each whole second; on bars, after each bar close and before later inputs.
"""

from __future__ import annotations

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events.base import Event
from hean.core.events.market import Bar, BarSource
from hean.core.events.system import Heartbeat
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda

SECOND_NS = 1_000_000_000
_NEVER = 1 << 62


class _State(msgspec.Struct, frozen=True):
    now: int
    sequence: int
    next_beat: int
    last_bar_beat: int
    pulse_from: int


class Kernel:
    """One thread, run to completion. `sequence` counts the inputs taken, from 1.

    `pulse_from` is the kernel time from which ticks come (None: bars only).
    """

    name = "kernel"

    def __init__(self, bus: Bus, agenda: Agenda, *, pulse_from: int | None = None) -> None:
        self.bus = bus
        self.agenda = agenda
        self.sequence = 0
        self._pulse_from = _NEVER if pulse_from is None else pulse_from
        self._next_beat = _NEVER
        self._last_bar_beat = 0
        if pulse_from is not None:
            self._next_beat = -(-pulse_from // SECOND_NS) * SECOND_NS
        bus.subscribe(Bar, self._beat_after_bar, stage=Stage.FEATURES, owner=self.name)

    @property
    def now(self) -> int:
        return self.agenda.now

    def take(self, event: Event) -> None:
        """Take one input: what is due by its time fires first, each at its own time."""
        agenda = self.agenda
        due = event.ts_init
        if due >= self._next_beat or (agenda.heap and agenda.heap[0][0] <= due):
            self._run_due(due)
        if due > agenda.now:
            agenda.now = due
        elif due < agenda.now:
            event = msgspec.structs.replace(event, ts_init=agenda.now)
        self.sequence += 1
        self.bus.dispatch(event)
        if agenda.heap and agenda.heap[0][0] <= agenda.now:
            self._run_due(agenda.now)

    def advance(self, until: int) -> None:
        """Fire everything due by `until`, as if an input came then."""
        self._run_due(until)
        self.agenda.now = max(self.agenda.now, until)

    def _run_due(self, until: int) -> None:
        agenda = self.agenda
        while True:
            head = agenda.heap[0][0] if agenda.heap else _NEVER
            if self._next_beat <= until and self._next_beat <= head:
                beat = self._next_beat
                self._next_beat += SECOND_NS
                event: Event | None = Heartbeat(ts_event=beat, ts_init=beat, interval_ns=SECOND_NS)
            else:
                event = agenda.pop_due(until)
            if event is None:
                if self._next_beat <= until:
                    continue
                return
            agenda.now = max(agenda.now, event.ts_init)
            self.sequence += 1
            self.bus.dispatch(event)

    def _beat_after_bar(self, bar: Bar) -> None:
        if bar.source is BarSource.FRAMES or bar.ts_init >= self._pulse_from:
            return
        if bar.ts_init > self._last_bar_beat:
            self._last_bar_beat = bar.ts_init
            beat = Heartbeat(ts_event=bar.ts_init, ts_init=bar.ts_init, interval_ns=bar.interval_ns)
            self.agenda.schedule(bar.ts_init + 1, beat)

    def snapshot(self) -> bytes:
        """Return time, sequence and the beat."""
        state = _State(
            self.agenda.now, self.sequence, self._next_beat, self._last_bar_beat, self._pulse_from
        )
        return pack(self.name, 1, state)

    def restore(self, state: bytes) -> None:
        """Go on where a snapshot was taken."""
        found = unpack(state, self.name, 1, _State)
        self.agenda.now = found.now
        self.sequence = found.sequence
        self._next_beat = found.next_beat
        self._last_bar_beat = found.last_bar_beat
        self._pulse_from = found.pulse_from
