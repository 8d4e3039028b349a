"""The kill switch: latching, re-armed by the operator alone, in the dispatch that moved equity.

FLATTEN when money is going too fast, HALT when the books are uncertain and closing could be wrong.
It decides; the gate closes positions and pulls entries.
"""

from __future__ import annotations

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events.portfolio import EquityUpdated
from hean.core.events.risk import KillAction, KillSwitchReset, KillSwitchTripped, RiskState
from hean.core.events.system import (
    DeadLettered,
    JournalFailed,
    OperatorCommand,
    ReconciliationBreak,
    TimerFired,
)
from hean.core.events.venue import VenueSnapshot, VenueStateChanged, WalletUpdated
from hean.core.ids import digest_of
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.risk.closing import is_flat
from hean.risk.exposure import Exposure
from hean.risk.governor import Governor
from hean.risk.settings import RiskSettings

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
_SILENCE = "silence"
FLATTEN_COMMAND = "flatten"
HALT_COMMAND = "halt"
RESET_COMMAND = "reset_kill_switch"


class _State(msgspec.Struct):
    trip: str = ""
    action: KillAction = KillAction.HALT
    cause: str = ""
    is_reconciled: bool = False
    reference: float = 1.0
    day: int = -1
    day_high: float = 0.0
    nav: float = 1.0
    high_water_mark: float = 1.0
    margin_ratio: float = 0.0
    unrealised: float = 0.0
    is_connected: bool = True
    refused_resets: int = 0


class KillSwitch:
    """Latches on a trip; `is_latched` closes the envelope until `KillSwitchReset`."""

    name = "risk_kill_switch"

    def __init__(
        self,
        *,
        section: RiskSettings,
        account: str,
        bus: Bus,
        agenda: Agenda,
        exposure: Exposure,
        governor: Governor,
    ) -> None:
        self._section = section
        self._account = account
        self._bus = bus
        self._agenda = agenda
        self._exposure = exposure
        self._governor = governor
        self._state = _State()

    @property
    def is_latched(self) -> bool:
        return bool(self._state.trip)

    @property
    def trip(self) -> str:
        return self._state.trip

    @property
    def action(self) -> KillAction | None:
        return self._state.action if self._state.trip else None

    @property
    def cause(self) -> str:
        return self._state.cause

    def attach(self, bus: Bus) -> None:
        """Subscribe to everything that can trip it, and to the operator."""
        stage, owner = Stage.RISK, self.name
        bus.subscribe(EquityUpdated, self._on_equity, stage=stage, owner=owner)
        bus.subscribe(WalletUpdated, self._on_wallet, stage=stage, owner=owner)
        bus.subscribe(ReconciliationBreak, self._on_break, stage=stage, owner=owner)
        bus.subscribe(DeadLettered, self._on_dead_letter, stage=stage, owner=owner)
        bus.subscribe(JournalFailed, self._on_journal, stage=stage, owner=owner)
        bus.subscribe(VenueStateChanged, self._on_venue, stage=stage, owner=owner)
        bus.subscribe(VenueSnapshot, self._on_snapshot, stage=stage, owner=owner)
        bus.subscribe(TimerFired, self._on_timer, stage=stage, owner=owner, key=self.name)
        bus.subscribe(OperatorCommand, self._on_command, stage=stage, owner=owner)

    def _on_equity(self, event: EquityUpdated) -> None:
        state, section, nav = self._state, self._section, event.nav
        day = event.ts_init // DAY_NS
        state.day_high = nav if day != state.day else max(state.day_high, nav)
        state.day = day
        state.nav, state.high_water_mark = nav, event.high_water_mark
        state.unrealised = float(event.unrealised)
        if state.trip:
            return
        floor = state.reference * (1.0 - section.kill_total_loss)
        if nav <= floor:
            self._latch(KillAction.FLATTEN, "total loss", nav, floor)
            return
        floor = state.day_high * (1.0 - section.kill_day_loss)
        if nav <= floor:
            self._latch(KillAction.FLATTEN, "day loss", nav, floor)

    def _on_wallet(self, event: WalletUpdated) -> None:
        state = self._state
        balance = float(event.wallet) + state.unrealised
        required = float(event.maintenance_margin)
        state.margin_ratio = required / balance if balance > 0.0 else float(required > 0.0)
        if state.margin_ratio >= self._section.kill_margin_ratio and not state.trip:
            limit = self._section.kill_margin_ratio
            self._latch(KillAction.FLATTEN, "margin", state.margin_ratio, limit)

    def _on_break(self, event: ReconciliationBreak) -> None:
        if not event.explanation:
            difference = abs(float(event.books - event.venue))
            self._latch(KillAction.HALT, f"reconciliation of {event.subject}", difference, 0.0)

    def _on_dead_letter(self, event: DeadLettered) -> None:
        if event.carries_money:
            self._latch(KillAction.HALT, f"lost {event.event_type}", float(event.attempts), 0.0)

    def _on_journal(self, event: JournalFailed) -> None:
        self._latch(KillAction.HALT, "journal failed", 1.0, 0.0)

    def _on_venue(self, event: VenueStateChanged) -> None:
        self._state.is_connected = event.connected
        if event.connected:
            self._agenda.cancel(self.name, _SILENCE)
        else:
            self._arm_silence()

    def _arm_silence(self) -> None:
        silence = self._section.kill_silence_seconds * SECOND_NS
        self._agenda.arm(self.name, _SILENCE, self._agenda.now + silence)

    def _on_timer(self, event: TimerFired) -> None:
        if self._state.is_connected:
            return
        if self._exposure.holdings or self._exposure.entries:
            seconds = float(self._section.kill_silence_seconds)
            self._latch(KillAction.HALT, "venue silent", seconds, seconds)
        else:
            self._arm_silence()

    def _on_snapshot(self, event: VenueSnapshot) -> None:
        if event.complete:
            self._state.is_reconciled = True

    def _on_command(self, event: OperatorCommand) -> None:
        if event.command == FLATTEN_COMMAND:
            self._latch(
                KillAction.FLATTEN, f"operator {event.operator}", 1.0, 0.0, by_operator=True
            )
        elif event.command == HALT_COMMAND:
            self._latch(KillAction.HALT, f"operator {event.operator}", 1.0, 0.0)
        elif event.command == RESET_COMMAND:
            self._reset(event)

    def _latch(
        self,
        action: KillAction,
        cause: str,
        number: float,
        limit: float,
        *,
        by_operator: bool = False,
    ) -> None:
        """Trip. Where books are uncertain (HALT) only the operator may still order FLATTEN."""
        state = self._state
        is_worse = action is KillAction.FLATTEN and state.action is KillAction.HALT
        if state.trip and not (by_operator and is_worse):
            return
        now = self._agenda.now
        trip = digest_of("kill", now, cause)
        self._bus.publish(
            KillSwitchTripped(
                ts_event=now,
                ts_init=now,
                trip=trip,
                action=action,
                cause=cause,
                number=round(number, 9),
                limit=round(limit, 9),
            )
        )
        state.trip, state.action, state.cause = trip, action, cause
        state.is_reconciled = False

    def _obstacle(self, event: OperatorCommand) -> str:
        """Return why the switch cannot be re-armed yet, or nothing."""
        state = self._state
        account = dict(event.arguments).get("account", "")
        if not event.reason:
            return "no reason given"
        if not account or (self._account and account != self._account):
            return "account does not match"
        if state.trip and not state.is_reconciled:
            return "not reconciled since the trip"
        if self._exposure.entries:
            return "entries still work"
        if not state.is_connected:
            return "venue not connected"
        if state.margin_ratio >= self._section.kill_margin_ratio:
            return "margin ratio still too high"
        if state.trip and state.action is KillAction.FLATTEN and not is_flat(self._exposure):
            return "positions still open"
        return ""

    def _reset(self, event: OperatorCommand) -> None:
        state = self._state
        hard = self._governor.state is RiskState.HARD_STOP
        if not (state.trip or hard):
            return
        if self._obstacle(event):
            state.refused_resets += 1
            return
        section = self._section
        lowest = 1.0 - (1.0 - section.rearm_multiplier) * section.drawdown_floor
        mark = min(state.high_water_mark, state.nav / lowest)
        now = self._agenda.now
        self._bus.publish(
            KillSwitchReset(
                ts_event=now,
                ts_init=now,
                trip=state.trip,
                operator=event.operator,
                reason=event.reason,
                high_water_mark_before=state.high_water_mark,
                high_water_mark=round(mark, 12),
                reference_before=state.reference,
                reference=state.nav,
            )
        )
        state.trip, state.cause = "", ""
        state.reference = state.day_high = state.nav
        state.high_water_mark = mark

    def snapshot(self) -> bytes:
        """Return the latch and its references."""
        return pack(self.name, 1, self._state)

    def restore(self, state: bytes) -> None:
        """Take over a latch; a restart re-arms nothing."""
        self._state = unpack(state, self.name, 1, _State)
