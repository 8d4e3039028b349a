"""What AutoPilot remembers, and the lines it publishes."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hean.core.events import ActivationLine, RiskState
from hean.core.instruments import significant
from hean.portfolio.bandit import Arm
from hean.portfolio.eligibility import Known
from hean.portfolio.guard_cells import GuardCells
from hean.portfolio.regime_clock import RegimeClock


class Mode(StrEnum):
    """How the active set is decided."""

    LEARNING = "LEARNING"
    NORMAL = "NORMAL"
    PROTECTIVE = "PROTECTIVE"
    OFF = "OFF"


class PilotState(msgspec.Struct, kw_only=True):
    """All that AutoPilot remembers; `moved` is the epoch of each strategy's last change."""

    known: dict[str, Known] = {}
    arms: dict[str, Arm] = {}
    guard: GuardCells = msgspec.field(default_factory=GuardCells)
    clock: RegimeClock = msgspec.field(default_factory=RegimeClock)
    enforces: bool = False
    mode: Mode = Mode.LEARNING
    version: int = 0
    epoch: int = 0
    started_at: int = 0
    bins: int = 0
    active: tuple[str, ...] = ()
    moved: dict[str, int] = {}
    risk: RiskState = RiskState.NORMAL
    is_killed: bool = False
    calm_since: int | None = 0
    multiplier: float = 1.0
    factors: dict[str, float] = {}
    is_awake: bool = False
    is_due: bool = False


class Record(msgspec.Struct, frozen=True, gc=False):
    """What a draw says of one arm: the score, its penalty, how often the rule picks it."""

    draw: float
    penalty: float
    propensity: float


def lines_of(
    state: PilotState,
    reasons: dict[str, str],
    refusals: dict[str, str],
    otherwise: str,
    record: dict[str, Record] | None,
) -> tuple[ActivationLine, ...]:
    """Return a line for every known strategy, by name; without a draw the outcome was certain."""
    lines: list[ActivationLine] = []
    for name in sorted(state.known):
        belief, is_active = state.arms[name].posterior(), name in state.active
        certain = Record(0.0, 0.0, 1.0 if is_active else 0.0)
        found = certain if record is None else record.get(name, Record(0.0, 0.0, 0.0))
        lines.append(
            ActivationLine(
                strategy=name,
                active=is_active,
                eligible=not refusals[name],
                reason=refusals[name] or reasons.get(name, otherwise),
                posterior_mean=significant(belief.mean),
                posterior_error=significant(belief.error),
                bins=significant(state.arms[name].whole.n),
                draw=found.draw,
                penalty=significant(found.penalty),
                propensity=found.propensity,
            )
        )
    return tuple(lines)
