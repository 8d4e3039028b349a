"""EnhancedGrid: rungs inside a range that has been measured, judged by the life of the ladder.

Lo, MacKinlay 1988 (variance ratio); Taranto, Khan 2020, Gambler's ruin and grid trading. A ladder
earns nothing on a martingale: each rung nets the step less two maker fees, and one full one-sided
end costs as much as more than 22 rungs. Hence evidence of reversion first, and a bounded loss.
"""

from __future__ import annotations

from math import sqrt

from hean.core.events import (
    Bar,
    BookUpdate,
    Event,
    Frame,
    Heartbeat,
    Intent,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderStyle,
    PositionChanged,
    PositionClosed,
    PositionOpened,
    Quote,
    ReasonCode,
    RefusedBy,
    Regime,
    SignalRejected,
)
from hean.core.ids import client_order_id
from hean.strategies.base import Parameters, Strategy, hear
from hean.strategies.decisions import (
    NOTHING,
    Outputs,
    Plan,
    fee_bp,
    guard_stop,
    leave,
    refuse,
    wish,
)
from hean.strategies.desk import mid, spread_bp
from hean.strategies.grid_desk import (
    GridDesk,
    GridSettings,
    GridState,
    end_aim,
    end_rung_order,
    square,
    take_bar,
    take_fill,
)
from hean.strategies.grid_ladder import Aim, Ladder, Rung, build_ladder, step_size_bp
from hean.strategies.pace import DAY_NS, SECOND_NS, PaceRules, Refusal
from hean.strategies.quoting import pull_quotes, quote
from hean.strategies.spec import ENHANCED_GRID

_FRESH_NS = 5 * SECOND_NS
_BAR_MAX_AGE_NS = 150 * SECOND_NS
_SETTLED_NS = 600 * SECOND_NS
_LOST_NS = 60 * SECOND_NS
_MAKER_NS = 10 * SECOND_NS
_REST_NS = SECOND_NS
_KILL_RATIO = 1.05
_CALM = 0.5
_SHORTEST, _LONGEST = 120.0, 900.0
_SPREAD_SHARE = 1.0 / 3.0
_BARS_WARM_UP = 30
_LIFE_NS = int(ENHANCED_GRID.time_stop_seconds) * SECOND_NS
_REDEPLOY_NS = int(ENHANCED_GRID.cooldown_seconds) * SECOND_NS
_NUDGE = 1.0 + 1e-8
_AGED = "its life is over, flat"
"""The end after which the next life may begin at once."""
PACE = PaceRules()


_Run = Parameters[GridSettings]


def step(state: GridState, event: Event, parameters: _Run) -> tuple[GridState, Outputs]:
    """Take one event; see `Strategy.step`."""
    match event:
        case Quote():
            desk = state.desks[event.instrument]
            desk.quote, desk.seen_at = event, event.ts_init
            if desk.ladder is None and desk.holding is None:
                return state, NOTHING
            return state, _manage(state, desk, event.ts_init)
        case BookUpdate():
            _confirm(state.desks[event.instrument], event)
            return state, NOTHING
        case Frame():
            return state, _on_frame(state, event, parameters.section)
        case Bar():
            take_bar(state.desks[event.instrument], event)
            return state, NOTHING
        case Heartbeat():
            outputs = NOTHING
            for desk in state.desks.values():
                if desk.ladder is not None or desk.holding is not None:
                    outputs += _manage(state, desk, event.ts_init)
            return state, outputs
        case _:
            return state, _on_report(state, event)


def _confirm(desk: GridDesk, event: BookUpdate) -> None:
    """Note that the touch is what it was: some feeds tell a quote only where it changes."""
    market = desk.quote
    if market is None or not event.bids or not event.asks:
        return
    if event.bids[0][0] == market.bid and event.asks[0][0] == market.ask:
        desk.seen_at = event.ts_init


def _on_frame(state: GridState, event: Frame, section: GridSettings) -> Outputs:
    desk, now = state.desks[event.instrument], event.ts_init
    desk.frame = event
    if desk.ladder is not None or desk.holding is not None or desk.quotes or desk.aims:
        return _manage(state, desk, now)
    market = desk.quote
    if market is None:
        return refuse(state, desk, now, ReasonCode.WARMING_UP)
    refusal = _gates(state, desk, now, section) or _evidence(desk, event, section)
    if refusal is not None:
        return refuse(state, desk, now, *refusal)
    return _deploy(state, desk, event, market, section)


def _gates(state: GridState, desk: GridDesk, now: int, section: GridSettings) -> Refusal | None:
    """Layers DATA, REGIME and PACE."""
    bars = float(desk.variance.count)
    if now < state.history_until or not desk.regime_ready or bars < _BARS_WARM_UP:
        return ReasonCode.WARMING_UP, bars, float(_BARS_WARM_UP)
    age = now - desk.seen_at
    if age > _FRESH_NS:
        return ReasonCode.STALE, age / SECOND_NS, _FRESH_NS / SECOND_NS
    age = now - desk.bar_at
    if age > _BAR_MAX_AGE_NS:
        return ReasonCode.STALE, age / SECOND_NS, _BAR_MAX_AGE_NS / SECOND_NS
    since = now - desk.regime_since if desk.regime in ENHANCED_GRID.regimes else 0
    if since < _SETTLED_NS:
        return ReasonCode.REGIME, since / SECOND_NS, _SETTLED_NS / SECOND_NS
    waited = now - desk.ended_at
    if desk.ended_at >= 0 and waited < _REDEPLOY_NS:
        return ReasonCode.COOLDOWN, waited / SECOND_NS, _REDEPLOY_NS / SECOND_NS
    if now < desk.again_at:
        return ReasonCode.COOLDOWN, (desk.again_at - now) / SECOND_NS, 0.0
    first = 2 * min(3, int(section.rungs))
    if now // DAY_NS == state.day and state.orders + first > ENHANCED_GRID.daily_cap:
        return ReasonCode.DAILY_CAP, float(state.orders), float(ENHANCED_GRID.daily_cap)
    return None


def _evidence(desk: GridDesk, frame: Frame, section: GridSettings) -> Refusal | None:
    """Judge calm and reversion; what is not measured yet refuses."""
    features = frame.features
    calm, ratio, half_life = (
        features.sigma_percentile, features.variance_ratio, features.half_life
    )  # fmt: skip
    if calm != calm or ratio != ratio or half_life != half_life:
        return ReasonCode.WARMING_UP, 0.0, 0.0
    if calm >= _CALM:
        return ReasonCode.PHASE, calm, _CALM
    if ratio > section.variance_ratio:
        return ReasonCode.INELIGIBLE, ratio, section.variance_ratio
    if not half_life <= _LONGEST:
        return ReasonCode.INELIGIBLE, min(half_life, 1e9), _LONGEST
    if half_life < _SHORTEST:
        return ReasonCode.INELIGIBLE, half_life, _SHORTEST
    market = desk.quote
    spread = spread_bp(market) if market is not None else 0.0
    widest = _SPREAD_SHARE * _step_bp(desk, half_life, section)
    return None if spread <= widest else (ReasonCode.LIQ, spread, widest)


def _step_bp(desk: GridDesk, half_life: float, section: GridSettings) -> float:
    sigma = 1e4 * sqrt(desk.variance.mean * half_life)
    maker = fee_bp(desk.specification, maker=True)
    return step_size_bp(section.step_bp, maker, sigma)


def _deploy(
    state: GridState, desk: GridDesk, frame: Frame, market: Quote, section: GridSettings
) -> Outputs:
    """Build a ladder around the mid and quote its nearest rungs."""
    now = frame.ts_init
    features = frame.features
    step_bp = _step_bp(desk, features.half_life, section)
    ladder = desk.ladder = build_ladder(mid(market), step_bp, int(section.rungs), now)
    ladder.strength = (1.0 - features.variance_ratio) * min(1.0, _LONGEST / features.half_life)
    ladder.quality = 0.5 if market.conflated else 1.0
    desk.lost_at, desk.again_at = 0, 0
    desk.pace.attempt(now)
    return _declare(state, desk, ladder, market, now)


def _declare(state: GridState, desk: GridDesk, ladder: Ladder, market: Quote, now: int) -> Outputs:
    """Quote the wanted rungs where they differ from those at work; nothing new at the day's cap."""
    wanted = ladder.wanted(market.bid, market.ask)
    live = [one.order_id for one in desk.live]
    at_work = [one for one in ladder.rungs if any(order in live for order in one.orders)]
    if at_work == wanted:
        return NOTHING
    fresh = [
        one for one in wanted if one in at_work or (one.held <= 0.0 and _count(state, one, now))
    ]
    if not fresh:
        return NOTHING if wanted else pull_quotes(state, desk, now, "no rung is left")
    if fresh == at_work:
        return NOTHING
    ladder.published = now
    scale = ladder.share_of_budget(len(fresh))
    plans = [_plan(desk, ladder, one, scale, now) for one in fresh]
    outputs = quote(state, desk, now, plans)
    for rung, quoted in zip(fresh, desk.quotes[-len(fresh) :], strict=True):
        rung.orders.append(quoted.order_id)
    return outputs


def _count(state: GridState, rung: Rung, now: int) -> bool:
    """Count a rung that is armed anew; return whether it may be."""
    if rung.is_counted:
        return True
    if not state.count_order(now):
        return False
    rung.is_counted = True
    return True


def _plan(desk: GridDesk, ladder: Ladder, rung: Rung, scale: float, now: int) -> Plan:
    maker = fee_bp(desk.specification, maker=True)
    rest = max(SECOND_NS, ladder.born + _LIFE_NS - now)
    return Plan(
        sign=rung.sign,
        style=OrderStyle.POST_ONLY,
        limit=rung.price,
        scale=scale,
        ttl_ns=rest,
        stop=ladder.stops[0] if rung.sign > 0 else ladder.stops[1],
        targets=(rung.target,),
        time_stop_ns=rest,
        strength=ladder.strength,
        quality=ladder.quality,
        edge_bp=ladder.step_bp - 2.0 * maker,
        cost_bp=2.0 * maker,
        reason=f"rung {rung.number}, step {ladder.step_bp:.1f} bp",
    )


def _manage(state: GridState, desk: GridDesk, now: int) -> Outputs:
    """End what must end; else give every holding its target and re-arm what is free."""
    ladder, market = desk.ladder, desk.quote
    if ladder is None or market is None:
        return leave(state, desk, now, "no ladder") if desk.holding is not None else NOTHING
    if not ladder.killed_at:
        reason = _end_reason(desk, ladder, market, now)
        if reason:
            ladder.killed_at, ladder.reason = now, reason
    if ladder.killed_at:
        return _wind_down(state, desk, ladder, now)
    outputs = guard_stop(state, desk, now) or _aim(state, desk, ladder, market, now)
    if outputs or desk.exit is not None or now < desk.again_at:
        return outputs
    stale = now - desk.seen_at > _FRESH_NS
    if desk.regime is not Regime.RANGE or now - ladder.published < _REST_NS or stale:
        return NOTHING
    return _declare(state, desk, ladder, market, now)


def _end_reason(desk: GridDesk, ladder: Ladder, market: Quote, now: int) -> str:
    price = mid(market)
    if not ladder.low <= price <= ladder.high:
        return "price left the ladder"
    if desk.regime is Regime.RANGE:
        desk.lost_at = 0
    else:
        desk.lost_at = desk.lost_at or max(desk.regime_since, ladder.born)
        if now - desk.lost_at >= _LOST_NS:
            return "the range is gone"
    if desk.frame is not None and desk.frame.features.variance_ratio > _KILL_RATIO:
        return "no reversion any more"
    if ladder.clip and -ladder.worth(price) > ladder.largest_loss:
        return "loss beyond the ladder's bound"
    if now - ladder.born < _LIFE_NS:
        return ""
    return _AGED if desk.holding is None else "its life is over"


def _wind_down(state: GridState, desk: GridDesk, ladder: Ladder, now: int) -> Outputs:
    """Leave as a maker for ten seconds, then as a taker; forget the ladder once all has ended."""
    reason = ladder.reason
    if desk.holding is not None:
        takes = now - ladder.killed_at >= _MAKER_NS
        style = OrderStyle.LIMIT_IOC if takes else OrderStyle.POST_ONLY
        outputs = leave(state, desk, now, reason, style=style, ttl_ns=0 if takes else 2 * _MAKER_NS)
        if outputs:
            for one in desk.quotes:
                one.leaving = True
        return outputs or pull_quotes(state, desk, now, reason)
    if desk.live:
        return pull_quotes(state, desk, now, reason)
    if desk.aims and not ladder.is_swept:
        ladder.is_swept = True
        sign = -ladder.rungs[desk.aims[0].rung].sign
        sweep = Plan(
            sign=sign, style=OrderStyle.MARKET, limit=None, intent=Intent.CLOSE, reason=reason
        )
        return (wish(state, desk, now, sweep),)
    if not desk.quotes and not desk.aims and desk.exit is None:
        desk.ended_at = -1 if ladder.reason == _AGED else now
        desk.ladder = None
    return NOTHING


def _aim(state: GridState, desk: GridDesk, ladder: Ladder, market: Quote, now: int) -> Outputs:
    """Rest a reduce-only target one step back for what a rung holds without one."""
    holding, outputs = desk.holding, NOTHING
    if holding is None or desk.exit is not None or now < desk.aim_again_at:
        return NOTHING
    least = desk.specification.lot
    for index, rung in enumerate(ladder.rungs):
        free = rung.unaimed
        if free < 0.999 * least or rung.sign != holding.sign:
            continue
        passive = market.ask if rung.sign > 0 else market.bid
        crosses = market.bid >= rung.target if rung.sign > 0 else market.ask <= rung.target
        plan = Plan(
            sign=-rung.sign,
            style=OrderStyle.POST_ONLY,
            limit=passive if crosses else rung.target,
            intent=Intent.REDUCE,
            # nudged up, so that rounding the fraction loses no lot
            scale=min(1.0, free / holding.quantity * _NUDGE),
            strength=1.0,
            reason=f"target of rung {rung.number}",
        )
        signal = wish(state, desk, now, plan)
        state.count_order(now)
        order_id = client_order_id(signal.signal_id)
        desk.aims.append(Aim(signal_id=signal.signal_id, order_id=order_id, rung=index, left=free))
        rung.aimed += free
        outputs += (signal,)
    return outputs


def _on_report(state: GridState, event: Event) -> Outputs:
    """Take own reports into the ladder, then go on from there."""
    desk = state.desks.get(getattr(event, "instrument", ""))
    if desk is None or (
        isinstance(event, SignalRejected) and event.refused_by is RefusedBy.STRATEGY
    ):
        return hear(state, event, PACE).outputs
    now = event.ts_init
    match event:
        case OrderFilled():
            take_fill(desk, event)
        case SignalRejected():
            end_aim(desk, "", event.signal_id, now)
        case OrderCancelled() | OrderExpired() | OrderRejected():
            end_aim(desk, event.client_order_id, "", now)
        case _:
            pass
    end_rung_order(desk, event, now)
    outputs = hear(state, event, PACE).outputs
    ladder = desk.ladder
    if ladder is None:
        return outputs
    if isinstance(event, PositionClosed):
        square(desk, ladder, now)
    if isinstance(event, PositionOpened | PositionChanged | PositionClosed):
        outputs += _manage(state, desk, now)
    return outputs


class EnhancedGrid(Strategy[GridState, GridSettings]):
    """Rests rungs around a fixed anchor where price is proved to return, each with its target."""

    row = ENHANCED_GRID
    listens = (Quote, BookUpdate, Frame, Bar, Heartbeat)
    section_type = GridSettings
    state_type = GridState
    desk_type = GridDesk
    step = staticmethod(step)
