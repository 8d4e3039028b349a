"""Two legs as one group: a first leg, and a hedge that its fills release."""

from __future__ import annotations

import msgspec

from hean.core.events import Intent, OrderStyle
from hean.core.ids import signal_id
from hean.strategies.decisions import NOTHING, Outputs, Plan, State, enter, leave
from hean.strategies.desk import Desk, Wish

UNWIND_GRACE_NS = 2_000_000_000
"""How long one leg may stand alone before it is left; the gate unwinds after the same time."""


def enter_pair(
    state: State,
    legs: tuple[Desk, Desk],
    now: int,
    plans: tuple[Plan, Plan],
    *,
    group_stop_bp: float,
    stage: int = 0,
) -> Outputs:
    """Publish both legs in one breath; the second waits for the fills of the first.

    Only the first leg's desk counts the attempt.
    """
    group = signal_id(state.strategy, "group", now, state.sequence + 1)
    first, second = (
        msgspec.structs.replace(
            plan,
            intent=Intent.LEG,
            group=group,
            leg=number,
            legs=2,
            release_leg=-1 if number == 0 else 0,
            group_stop_bp=group_stop_bp,
        )
        for number, plan in enumerate(plans)
    )
    return (
        enter(state, legs[0], now, first, stage=stage),
        enter(state, legs[1], now, second, stage=stage + 1),
    )


def leave_pair(
    state: State,
    legs: tuple[Desk, Desk],
    now: int,
    reason: str,
    *,
    style: OrderStyle = OrderStyle.LIMIT_IOC,
) -> Outputs:
    """Ask for both legs to be flat."""
    return leave(state, legs[0], now, reason, style=style) + leave(
        state, legs[1], now, reason, style=style
    )


def end_group(legs: tuple[Desk, Desk], ended: Wish) -> None:
    """Forget the other leg of a group whose first leg ended without a fill."""
    for desk in legs:
        if desk.entry is not None and desk.entry.group == ended.group:
            desk.entry = None


def leave_orphan(state: State, legs: tuple[Desk, Desk], now: int) -> Outputs:
    """Leave a leg that stands alone: its partner is gone and no order for it works any more."""
    for desk, partner in (legs, (legs[1], legs[0])):
        if desk.holding is None or partner.holding is not None or partner.entry is not None:
            continue
        if now - desk.holding.opened_at >= UNWIND_GRACE_NS:
            return leave(state, desk, now, "the other leg is gone")
    return NOTHING


def holds_pair(legs: tuple[Desk, Desk]) -> bool:
    """Return whether both legs are open."""
    return legs[0].holding is not None and legs[1].holding is not None


def idle_pair(legs: tuple[Desk, Desk]) -> bool:
    """Return whether neither leg holds or works anything."""
    return legs[0].idle and legs[1].idle
