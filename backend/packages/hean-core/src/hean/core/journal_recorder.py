"""The recorder: first of all handlers, it journals what money, risk or learning rests on."""

from __future__ import annotations

from typing import Final

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events import (
    DURABLE,
    DeadLettered,
    EdgeGuardChanged,
    EquityUpdated,
    Event,
    JournalFailed,
    OperatorCommand,
    RefusedBy,
    RunEnded,
    RunStarted,
    ShadowClosed,
    SignalRejected,
    SignalWithdrawn,
    StrategyRegistered,
    VenueStateChanged,
)
from hean.core.journal import Journal
from hean.core.kernel import Kernel
from hean.core.snapshot import pack, unpack

_EQUITY_SAMPLE_NS: Final = 60_000_000_000


class _RecorderState(msgspec.Struct, frozen=True):
    last_equity_ns: int
    last_wallet: str


class JournalRecorder:
    """Journals, before anything else sees it, every event that money, risk or learning rests on.

    `EquityUpdated` is sampled: when the wallet moved, and else once a minute of kernel time.
    """

    name = "journal_recorder"
    recorded: Final[tuple[type[Event], ...]] = tuple(
        sorted(
            DURABLE
            | {
                SignalWithdrawn,
                EdgeGuardChanged,
                ShadowClosed,
                OperatorCommand,
                DeadLettered,
                JournalFailed,
                VenueStateChanged,
                RunStarted,
                RunEnded,
                StrategyRegistered,
            },
            key=lambda kind: kind.__name__,
        )
    )

    def __init__(self, *, journal: Journal, kernel: Kernel) -> None:
        self._journal = journal
        self._kernel = kernel
        self._last_equity_ns = 0
        self._last_wallet = ""
        self._told = ""
        self._bus: Bus | None = None

    def attach(self, bus: Bus) -> None:
        """Subscribe first of all to what is journaled."""
        self._bus = bus
        for kind in self.recorded:
            bus.subscribe(kind, self._record, stage=Stage.JOURNAL, owner=self.name)
        bus.subscribe(SignalRejected, self._on_rejected, stage=Stage.JOURNAL, owner=self.name)
        bus.subscribe(EquityUpdated, self._on_equity, stage=Stage.JOURNAL, owner=self.name)

    def _record(self, event: Event) -> None:
        journal = self._journal
        journal.append(self._kernel.sequence, event)
        if journal.failure != self._told:
            self._tell()

    def _tell(self) -> None:
        """Publish `JournalFailed` once for each failure; its own record waits with the others."""
        self._told = self._journal.failure
        if self._told and self._bus is not None:
            now = self._kernel.now
            self._bus.publish(JournalFailed(ts_event=now, ts_init=now, error=self._told))

    def _on_rejected(self, event: SignalRejected) -> None:
        if event.refused_by is RefusedBy.GATE:
            self._record(event)

    def _on_equity(self, event: EquityUpdated) -> None:
        wallet = str(event.wallet)
        if wallet == self._last_wallet and event.ts_init - self._last_equity_ns < _EQUITY_SAMPLE_NS:
            return
        self._record(event)
        self._last_wallet, self._last_equity_ns = wallet, event.ts_init

    def snapshot(self) -> bytes:
        """Return where the sampling of equity stands."""
        return pack(self.name, 1, _RecorderState(self._last_equity_ns, self._last_wallet))

    def restore(self, state: bytes) -> None:
        """Go on sampling where a snapshot was taken."""
        found = unpack(state, self.name, 1, _RecorderState)
        self._last_equity_ns, self._last_wallet = found.last_equity_ns, found.last_wallet
