"""The governor: drawdown shrinks size in one place, and has four names for people.

m = clip(1 - dd/D, 0, 1): constant-proportion insurance with its floor at (1 - D) of the high-water
mark (Black and Perold 1992; Grossman and Zhou 1993).
"""

from __future__ import annotations

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events.portfolio import EquityUpdated
from hean.core.events.risk import KillSwitchReset, RiskState, RiskStateChanged
from hean.core.events.system import TimerFired
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.risk.settings import RiskSettings

SECOND_NS = 1_000_000_000
_ORDER = (RiskState.NORMAL, RiskState.SOFT_BRAKE, RiskState.QUARANTINE, RiskState.HARD_STOP)
_DWELL = "dwell"
_LEAST = 1e-9


def multiplier(drawdown: float, floor: float) -> float:
    """Return m for a drawdown, both fractions: 1 at none, 0 at the floor, to 9 decimals."""
    left = 1.0 - drawdown / floor
    if not left > 0.0:
        return 0.0
    return round(left, 9) if left < 1.0 else 1.0


def severity(drawdown: float, section: RiskSettings) -> int:
    """Return the index of the worst state that a drawdown enters, to 9 decimals of it."""
    drawdown = round(drawdown, 9)
    if drawdown >= section.hard_stop_enter:
        return 3
    if drawdown >= section.quarantine_enter:
        return 2
    return 1 if drawdown >= section.soft_brake_enter else 0


class _State(msgspec.Struct, frozen=True):
    level: int
    drawdown: float
    below_since: int


class Governor:
    """Follows drawdown; up in severity at once, down one step per dwell, HARD_STOP only by hand."""

    name = "risk_governor"

    def __init__(self, *, section: RiskSettings, bus: Bus, agenda: Agenda) -> None:
        self._section = section
        self._bus = bus
        self._agenda = agenda
        self._calm = section.soft_brake_enter - _LEAST
        self._leave = (0.0, section.soft_brake_leave, section.quarantine_leave)
        self._level = 0
        self._below_since = -1
        self.drawdown: float = 0.0
        self.multiplier: float = 1.0

    @property
    def state(self) -> RiskState:
        return _ORDER[self._level]

    def attach(self, bus: Bus) -> None:
        """Subscribe to equity, its own timer and the operator's re-arm."""
        bus.subscribe(EquityUpdated, self._on_equity, stage=Stage.RISK, owner=self.name)
        bus.subscribe(KillSwitchReset, self._on_reset, stage=Stage.RISK, owner=self.name)
        bus.subscribe(TimerFired, self._on_timer, stage=Stage.RISK, owner=self.name, key=self.name)

    def _on_equity(self, event: EquityUpdated) -> None:
        drawdown = event.drawdown
        if drawdown == self.drawdown and (self._level == 0 or self._below_since >= 0):
            return
        self.drawdown = drawdown
        self.multiplier = multiplier(drawdown, self._section.drawdown_floor)
        if self._level == 0 and drawdown < self._calm:
            return
        worst = severity(drawdown, self._section)
        if worst > self._level:
            self._move(worst)
        elif 0 < self._level < 3:
            self._look_down()

    def _look_down(self) -> None:
        if self.drawdown > self._leave[self._level]:
            if self._below_since >= 0:
                self._below_since = -1
                self._agenda.cancel(self.name, _DWELL)
            return
        if self._below_since < 0:
            self._below_since = self._agenda.now
            dwell = self._section.risk_state_dwell_seconds * SECOND_NS
            self._agenda.arm(self.name, _DWELL, self._agenda.now + dwell)

    def _on_timer(self, event: TimerFired) -> None:
        if 0 < self._level < 3 and self._below_since >= 0:
            self._move(self._level - 1)

    def _on_reset(self, event: KillSwitchReset) -> None:
        nav = event.reference
        mark = event.high_water_mark
        self.drawdown = max(0.0, 1.0 - nav / mark) if mark > 0.0 else 0.0
        self.multiplier = multiplier(self.drawdown, self._section.drawdown_floor)
        self._move(severity(self.drawdown, self._section))

    def _move(self, level: int) -> None:
        previous = self._level
        self._level = level
        self._below_since = -1
        self._agenda.cancel(self.name, _DWELL)
        if 0 < level < 3:
            self._look_down()
        if level == previous:
            return
        now = self._agenda.now
        self._bus.publish(
            RiskStateChanged(
                ts_event=now,
                ts_init=now,
                previous=_ORDER[previous],
                state=_ORDER[level],
                drawdown=round(self.drawdown, 9),
                multiplier=self.multiplier,
            )
        )

    def snapshot(self) -> bytes:
        """Return level, drawdown and dwell."""
        return pack(self.name, 1, _State(self._level, self.drawdown, self._below_since))

    def restore(self, state: bytes) -> None:
        """Go on where a snapshot was taken."""
        found = unpack(state, self.name, 1, _State)
        self._level = found.level
        self.drawdown = found.drawdown
        self._below_since = found.below_since
        self.multiplier = multiplier(self.drawdown, self._section.drawdown_floor)
