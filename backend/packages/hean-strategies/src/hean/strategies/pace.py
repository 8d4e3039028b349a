"""Pace: cooldowns, daily caps and pauses after losses, all in kernel time.

Caps are ceilings, never targets. An attempt counts when its signal is published, whatever becomes
of it.
"""

from __future__ import annotations

import msgspec

from hean.core.events import ReasonCode

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
_NEVER = -(1 << 62)

Refusal = tuple[ReasonCode, float, float]
"""A code, the number that decided, and its limit."""


class PaceRules(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How often: ns between attempts and after an exit, attempts a UTC day, losses before a pause.

    `daily_cap` 0 is no cap, `losses` 0 no pause.
    """

    cooldown_ns: int = 0
    exit_cooldown_ns: int = 0
    daily_cap: int = 0
    losses: int = 0
    pause_ns: int = 0


class Pace(msgspec.Struct, kw_only=True):
    """What happened so far: attempts today, the last attempt and exit, losses in a row."""

    last_attempt: int = _NEVER
    last_exit: int = _NEVER
    day: int = -1
    attempts: int = 0
    losses: int = 0
    paused_until: int = 0

    def refusal(self, now: int, rules: PaceRules) -> Refusal | None:
        """Return why no attempt may be made at `now` (seconds waited and needed), or None."""
        waited = now - self.last_attempt
        if waited < rules.cooldown_ns:
            return ReasonCode.COOLDOWN, waited / SECOND_NS, rules.cooldown_ns / SECOND_NS
        waited = now - self.last_exit
        if waited < rules.exit_cooldown_ns:
            return ReasonCode.COOLDOWN, waited / SECOND_NS, rules.exit_cooldown_ns / SECOND_NS
        if rules.daily_cap and now // DAY_NS == self.day and self.attempts >= rules.daily_cap:
            return ReasonCode.DAILY_CAP, float(self.attempts), float(rules.daily_cap)
        if now < self.paused_until:
            return ReasonCode.LOSS_PAUSE, (self.paused_until - now) / SECOND_NS, 0.0
        return None

    def attempt(self, now: int) -> None:
        """Count an attempt; the day starts at 00:00 UTC of kernel time."""
        day = now // DAY_NS
        if day != self.day:
            self.day = day
            self.attempts = 0
        self.attempts += 1
        self.last_attempt = now

    def exited(self, now: int, net: float, rules: PaceRules) -> None:
        """Count an outcome; a net of 0 is neither a win nor a loss."""
        self.last_exit = now
        if net < 0.0:
            self.losses += 1
        elif net > 0.0:
            self.losses = 0
        if rules.losses and self.losses >= rules.losses:
            self.losses = 0
            self.paused_until = now + rules.pause_ns
