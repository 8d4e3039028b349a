"""How a strategy speaks: one signal or one refusal for each evaluation, and exits at any time."""

from __future__ import annotations

from typing import Final

import msgspec

from hean.core import edge
from hean.core.events import (
    Event,
    Intent,
    OrderStyle,
    PlanFault,
    ReasonCode,
    RefusedBy,
    Side,
    Signal,
    SignalRejected,
)
from hean.core.ids import signal_id
from hean.core.instruments import Instrument, significant
from hean.strategies.desk import Desk, Refused, mid, touch, wished

Outputs = tuple[Event, ...]
NOTHING: Final[Outputs] = ()

_LAYERS: Final[dict[ReasonCode, str]] = {
    ReasonCode.WARMING_UP: "DATA",
    ReasonCode.STALE: "DATA",
    ReasonCode.BOOK_GAP: "DATA",
    ReasonCode.FUNDING_STALE: "DATA",
    ReasonCode.SESSION: "SESSION",
    ReasonCode.REGIME: "REGIME",
    ReasonCode.PHASE: "REGIME",
    ReasonCode.COOLDOWN: "PACE",
    ReasonCode.DAILY_CAP: "PACE",
    ReasonCode.LOSS_PAUSE: "PACE",
}
_RANK: Final = {OrderStyle.POST_ONLY: 0, OrderStyle.LIMIT_IOC: 1, OrderStyle.MARKET: 2}
TAKING_ALLOWANCE_BP: Final = 5.0
"""How far beyond the touch the cap of an IOC order lies."""


class State(msgspec.Struct, kw_only=True):
    """The state of a strategy; subclasses add `desks` and what spans instruments."""

    strategy: str
    sequence: int = 0
    """Evaluations so far: the last part of a signal's id."""
    history_until: int = 0


class Plan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an evaluation wants to do, before it becomes a signal."""

    sign: int
    style: OrderStyle
    limit: float | None
    intent: Intent = Intent.OPEN
    scale: float = 1.0
    ttl_ns: int = 0
    stop: float | None = None
    targets: tuple[float, ...] = ()
    time_stop_ns: int = 0
    strength: float = 0.0
    quality: float = 1.0
    edge_bp: float = 0.0
    cost_bp: float = 0.0
    reason: str = ""
    group: str = ""
    leg: int = 0
    legs: int = 1
    release_leg: int = -1
    group_stop_bp: float = 0.0
    fault: PlanFault | None = None


def refuse(
    state: State, desk: Desk, now: int, code: ReasonCode, number: float = 0.0, limit: float = 0.0
) -> Outputs:
    """End an evaluation with a refusal: the code, the number that decided, and its limit.

    In a feed's history it is WARMING_UP and not counted: no event, which everybody who counts would
    have to leave out again; the desk remembers it for the status. A signal published there all the
    same is refused as WARMING_UP by the gate, which does not count it either.
    """
    state.sequence += 1
    if now < state.history_until:
        desk.refused = Refused(at=now, code=code, number=number, limit=limit)
        return NOTHING
    number, limit = significant(number), significant(limit)
    desk.refused = Refused(at=now, code=code, number=number, limit=limit)
    return (
        SignalRejected(
            ts_event=now,
            ts_init=now,
            correlation_id="",
            signal_id=signal_id(state.strategy, desk.instrument, now, state.sequence),
            strategy=state.strategy,
            instrument=desk.instrument,
            layer=_LAYERS.get(code) or str(code),
            code=code,
            number=number,
            limit=limit,
            refused_by=RefusedBy.STRATEGY,
        ),
    )


def wish(state: State, desk: Desk, now: int, plan: Plan) -> Signal:
    """Return the plan as a signal with an id of its own; nothing but the sequence changes."""
    state.sequence += 1
    one = signal_id(state.strategy, desk.instrument, now, state.sequence)
    return Signal(
        ts_event=now,
        ts_init=now,
        correlation_id=one,
        signal_id=one,
        strategy=state.strategy,
        instrument=desk.instrument,
        side=Side.BUY if plan.sign > 0 else Side.SELL,
        intent=plan.intent,
        style=plan.style,
        limit=None if plan.limit is None else significant(plan.limit),
        scale=significant(plan.scale),
        ttl_ns=plan.ttl_ns,
        stop=None if plan.stop is None else significant(plan.stop),
        targets=tuple(significant(one) for one in plan.targets),
        time_stop_ns=plan.time_stop_ns,
        strength=significant(plan.strength),
        confidence=significant(plan.strength * plan.quality),
        expected_edge_bp=significant(plan.edge_bp),
        cost_bp=significant(plan.cost_bp),
        group=plan.group,
        leg=plan.leg,
        legs=plan.legs,
        release_leg=plan.release_leg,
        group_stop_bp=significant(plan.group_stop_bp),
        plan_fault=plan.fault,
        reason=plan.reason,
    )


def enter(state: State, desk: Desk, now: int, plan: Plan, *, stage: int = 0) -> Signal:
    """Publish an entry and keep it as the desk's own; `stage` 0 counts as an attempt."""
    signal = wish(state, desk, now, plan)
    desk.entry = wished(signal, stage=stage)
    desk.refused = None
    if stage == 0:
        desk.pace.attempt(now)
    return signal


def leave(
    state: State,
    desk: Desk,
    now: int,
    reason: str,
    *,
    style: OrderStyle = OrderStyle.MARKET,
    ttl_ns: int = 0,
) -> Outputs:
    """Ask to be flat: always allowed, nothing twice, firmer each time an exit came to nothing.

    An IOC that left something is followed by MARKET; without a quote every exit is MARKET.
    """
    holding, working = desk.holding, desk.exit
    if holding is None or now < desk.exit_again_at:
        return NOTHING
    if desk.quote is None or (desk.exits and style is OrderStyle.LIMIT_IOC and working is None):
        style = OrderStyle.MARKET
    if working is not None and _RANK[working.style] >= _RANK[style]:
        return NOTHING
    limit = _exit_limit(desk, -holding.sign, style)
    plan = Plan(
        sign=-holding.sign,
        style=style,
        limit=limit,
        intent=Intent.CLOSE,
        ttl_ns=ttl_ns,
        strength=1.0,
        reason=reason,
    )
    signal = wish(state, desk, now, plan)
    desk.exit = wished(signal)
    desk.exits += 1
    return (signal,)


def reduce(state: State, desk: Desk, now: int, fraction: float, reason: str) -> Outputs:
    """Ask to take off a fraction of the position as a taker with a price cap."""
    holding = desk.holding
    if holding is None or desk.quote is None or desk.exit is not None:
        return NOTHING
    plan = Plan(
        sign=-holding.sign,
        style=OrderStyle.LIMIT_IOC,
        limit=_exit_limit(desk, -holding.sign, OrderStyle.LIMIT_IOC),
        intent=Intent.REDUCE,
        scale=fraction,
        strength=1.0,
        reason=reason,
    )
    holding.taken += 1
    return (wish(state, desk, now, plan),)


def pull(state: State, desk: Desk, now: int, reason: str) -> Outputs:
    """Ask for the working entry to be cancelled: a CLOSE that may find nothing to close."""
    entry = desk.entry
    if entry is None:
        return NOTHING
    plan = Plan(
        sign=-entry.sign, style=OrderStyle.MARKET, limit=None, intent=Intent.CLOSE, reason=reason
    )
    return (wish(state, desk, now, plan),)


def _exit_limit(desk: Desk, sign: int, style: OrderStyle) -> float | None:
    quote = desk.quote
    if style is OrderStyle.MARKET or quote is None:
        return None
    if style is OrderStyle.POST_ONLY:
        return touch(quote, sign, passive=True)
    return capped(quote.ask if sign > 0 else quote.bid, sign)


def capped(price: float, sign: int, allowance_bp: float = TAKING_ALLOWANCE_BP) -> float:
    """Return the price cap of a taking order: the price it meets and an allowance beyond."""
    return price * (1.0 + sign * allowance_bp / 1e4)


STOP_GRACE_NS: Final = 5_000_000_000


def guard_stop(state: State, desk: Desk, now: int, grace_ns: int = STOP_GRACE_NS) -> Outputs:
    """Close at market when price stays beyond the stop although the venue's own should have fired.

    The stop of the signal rests at the venue; this is for when it could not, or does not.
    """
    holding, quote = desk.holding, desk.quote
    if holding is None or quote is None or holding.stop is None:
        return NOTHING
    if (mid(quote) - holding.stop) * holding.sign > 0.0:
        holding.breached_at = 0
        return NOTHING
    if not holding.breached_at:
        holding.breached_at = now
        return NOTHING
    if now - holding.breached_at < grace_ns:
        return NOTHING
    return leave(state, desk, now, "stop not executed by the venue")


def fee_bp(instrument: Instrument, *, maker: bool) -> float:
    """Return the account's fee in bp of notional; negative is a rebate."""
    return float(instrument.fee_rate(maker=maker)) * 1e4


def round_trip_bp(
    instrument: Instrument,
    spread: float,
    *,
    maker_entry: bool,
    maker_exit: bool,
    adverse_bp: float = 0.0,
) -> float:
    """Return fees of both ways, half a spread for each taking way, `adverse_bp` for each other."""
    fees = edge.Fees(
        maker_bp=fee_bp(instrument, maker=True), taker_bp=fee_bp(instrument, maker=False)
    )
    mix = edge.ExitMix(maker_entry=maker_entry, maker_exits=1.0 if maker_exit else 0.0)
    frictions = edge.Frictions(half_spread_bp=spread / 2.0, adverse_bp=adverse_bp)
    return edge.round_trip_bp(fees, mix, frictions)
