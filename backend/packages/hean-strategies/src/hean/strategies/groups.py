"""Two legs as one group: a first leg, and a hedge that its fills release."""

from __future__ import annotations

import msgspec

from hean.core.events import (
    Event,
    Intent,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderStyle,
    PositionClosed,
    Quote,
)
from hean.core.ids import signal_id
from hean.strategies.decisions import NOTHING, Outputs, Plan, State, enter, leave, round_trip_bp
from hean.strategies.desk import Desk, Wish, spread_bp
from hean.strategies.first_order import first_order

UNWIND_GRACE_NS = 2_000_000_000
"""How long one leg may stand alone before it is left; the gate unwinds after the same time."""
HEDGE_ALLOWANCE_BP = 10.0
"""How far beyond the touch the cap of a hedge lies: once the first leg is open, it must fill."""
NONE_RESTS = -1


def resting_leg(legs: tuple[Desk, Desk], *, coarse: bool) -> int:
    """Return which leg rests: the one with the wider spread; on bars both take (`NONE_RESTS`)."""
    if coarse:
        return NONE_RESTS
    first, second = legs[0].quote, legs[1].quote
    if first is None or second is None:
        return 0
    return 0 if spread_bp(first) >= spread_bp(second) else 1


def pair_cost_bp(
    legs: tuple[Desk, Desk], *, resting: int, weights: tuple[float, float] = (1.0, 1.0)
) -> float:
    """Return fees and half-spreads of both legs, in and out, in bp of the first leg's notional."""
    total = 0.0
    for number, (desk, weight) in enumerate(zip(legs, weights, strict=True)):
        spread = spread_bp(desk.quote) if desk.quote is not None else 0.0
        total += weight * round_trip_bp(
            desk.specification, spread, maker_entry=number == resting, maker_exit=False
        )
    return total


def pair_plans(
    quotes: tuple[Quote, Quote],
    common: Plan,
    *,
    rests: bool,
    wait_ns: int,
    scales: tuple[float, float] = (1.0, 1.0),
) -> tuple[Plan, Plan]:
    """Return the plans of both legs: the first rests or takes on `common`'s side, the other takes.

    Where the first takes, its fill and the hedge's meet the same market.
    """
    plans: list[Plan] = []
    for number, sign in enumerate((common.sign, -common.sign)):
        order = first_order(
            quotes[number],
            sign,
            rests=rests and number == 0,
            wait_ns=wait_ns,
            allowance_bp=HEDGE_ALLOWANCE_BP,
        )
        plans.append(
            msgspec.structs.replace(
                common,
                sign=sign,
                style=order.style,
                limit=order.limit,
                ttl_ns=order.ttl_ns,
                scale=scales[number],
            )
        )
    return plans[0], plans[1]


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


def leave_last(state: State, legs: tuple[Desk, Desk], told: str, event: Event) -> Outputs:
    """Unwind at market, and at once, the leg whose partner has just gone or is gone already.

    `told` is whose report `event` is: a close leaves the partner, the end of an unfilled exit the
    leg itself. An exit that failed at market waits its second like every other.
    """
    mine, partner = legs if told == legs[0].instrument else (legs[1], legs[0])
    if isinstance(event, PositionClosed):
        mine, partner = partner, mine
    elif not isinstance(event, OrderCancelled | OrderExpired | OrderRejected):
        return NOTHING
    stands = mine.holding is not None and mine.exit is None
    if not stands or partner.holding is not None or partner.entry is not None:
        return NOTHING
    if mine.exits <= 1:
        mine.exit_again_at = 0
    return leave(state, mine, event.ts_init, "the other leg was closed")


def holds_pair(legs: tuple[Desk, Desk]) -> bool:
    """Return whether both legs are open."""
    return legs[0].holding is not None and legs[1].holding is not None


def idle_pair(legs: tuple[Desk, Desk]) -> bool:
    """Return whether neither leg holds or works anything."""
    return legs[0].idle and legs[1].idle
