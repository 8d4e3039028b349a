"""Asks the venue what it holds, at start and at an interval of kernel time; the ledger judges."""

from __future__ import annotations

import msgspec

from hean.app.venues import Venue
from hean.core.bus import Bus, Stage
from hean.core.events import Heartbeat, VenueStateChanged
from hean.core.kernel import SECOND_NS
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda


class _State(msgspec.Struct, frozen=True):
    due: int


class Reconciliation:
    """Publishes `VenueSnapshot` as an input, stamped when the venue's answer arrives.

    It keeps the feed's beat: `interval_ns` where ticks come, `bar_interval_ns` where only bars do,
    and at once when the connection to the venue is back.
    """

    name = "reconciliation"

    def __init__(
        self,
        *,
        bus: Bus,
        agenda: Agenda,
        venue: Venue,
        interval_ns: int = 60 * SECOND_NS,
        bar_interval_ns: int = 3600 * SECOND_NS,
    ) -> None:
        self._bus = bus
        self._agenda = agenda
        self._venue = venue
        self._interval_ns = interval_ns
        self._bar_interval_ns = bar_interval_ns
        self._due = 0

    def attach(self, bus: Bus) -> None:
        """Subscribe to the beat and to the venue's connection."""
        stage, owner = Stage.EXECUTION, self.name
        bus.subscribe(Heartbeat, self._on_beat, stage=stage, owner=owner)
        bus.subscribe(VenueStateChanged, self._on_venue_state, stage=stage, owner=owner)

    def ask(self) -> None:
        """Ask the venue now, whatever the interval; called once at start-up."""
        found = self._venue.account()
        self._agenda.schedule(found.ts_init, found)

    def _on_beat(self, beat: Heartbeat) -> None:
        now = self._agenda.now
        if now < self._due:
            return
        first = not self._due
        interval = self._bar_interval_ns if beat.interval_ns > SECOND_NS else self._interval_ns
        if not first:
            self.ask()
        self._due = now + interval

    def _on_venue_state(self, event: VenueStateChanged) -> None:
        if event.connected:
            self.ask()

    def snapshot(self) -> bytes:
        """Return when the venue is asked next."""
        return pack(self.name, 1, _State(self._due))

    def restore(self, state: bytes) -> None:
        """Keep to the schedule of a snapshot."""
        self._due = unpack(state, self.name, 1, _State).due
