"""LiquiditySweep: trades the return from beyond a level, not the poke through it.

Osler 2005, Stop-loss orders and price cascades; Easley, López de Prado, O'Hara 2012, Flow toxicity
and liquidity. Doubtful: on a random walk price alone gives a few signals a day with nothing in
them, hence the tests of flow and the floor under the stop.
"""

from __future__ import annotations

from math import nan

import msgspec
from pydantic import Field

from hean.core.events import (
    BookUpdate,
    Event,
    FeedGap,
    Frame,
    FrameFeatures,
    Heartbeat,
    Liquidation,
    MarkPrice,
    Need,
    OrderStyle,
    Quote,
    ReasonCode,
    Regime,
)
from hean.strategies.base import DeskState, Parameters, Strategy, StrategySection, hear
from hean.strategies.decisions import (
    NOTHING,
    Outputs,
    Plan,
    capped,
    enter,
    guard_stop,
    leave,
    reduce,
    refuse,
    round_trip_bp,
)
from hean.strategies.desk import Desk, book_refusal, may_open_short, mid, spread_bp, touch
from hean.strategies.liquidations import LiquidationFlow
from hean.strategies.pace import DAY_NS, SECOND_NS, PaceRules, Refusal
from hean.strategies.spec import LIQUIDITY_SWEEP, tunable
from hean.strategies.sweep_levels import ACCEPTED_ATR, LevelBook, PokeRules, Second, Sweep

_BOOK_MAX_AGE_NS = 2 * SECOND_NS
_IMPULSE_AGE_NS = 20 * SECOND_NS
_BURST = 3.0
_INTEREST_DROP = 0.002
_FLIP = 0.5
_AGAINST = 2.0
_STOP_ATR = 0.25
_LEAST_STOP_BP = 20.0
_RETEST_NS = 15 * SECOND_NS
_TTL_NS = 2 * SECOND_NS


class SweepSettings(StrategySection):
    """Tunables of LiquiditySweep; all are starting values."""

    penetration_atr: float = tunable(LIQUIDITY_SWEEP, "penetration_atr", 0.5)
    """Least poke beyond a level in one-minute ranges, 0.3 to 2.5; beyond 2 it is accepted."""
    reclaim_atr: float = tunable(LIQUIDITY_SWEEP, "reclaim_atr", 0.25)
    """How far back inside price must come, in one-minute ranges, 0.1 to 0.6."""
    window_seconds: float = tunable(LIQUIDITY_SWEEP, "window_seconds", 60)
    """Seconds in which it must come back, 20 to 120."""
    volume_burst: float = tunable(LIQUIDITY_SWEEP, "volume_burst", 2)
    """Least volume of the poke over its baseline, 1.5 to 4."""
    wide_spread: float = Field(default=3.0, ge=1.0, le=10.0)
    """Widest spread in units of its own average."""


class SweepDesk(Desk, kw_only=True):
    """The levels of one symbol, the second's range, and what was liquidated."""

    frame: Frame | None = None
    book: LevelBook = msgspec.field(default_factory=LevelBook)
    high: float = 0.0
    low: float = 0.0
    liquidations: LiquidationFlow = msgspec.field(default_factory=LiquidationFlow)
    interest: float = nan
    book_at: int = -1
    last_z: float = nan
    risk: float = 0.0
    """R of the open plan, in price."""


class SweepState(DeskState[SweepDesk], kw_only=True):
    """All desks and the day's attempts over all of them."""

    day: int = -1
    attempts: int = 0


PACE = PaceRules(cooldown_ns=900 * SECOND_NS)
_Run = Parameters[SweepSettings]


def step(state: SweepState, event: Event, parameters: _Run) -> tuple[SweepState, Outputs]:
    """Take one event; see `Strategy.step`."""
    kind = type(event)
    if kind is Quote:
        return state, _on_quote(state, event)  # type: ignore[arg-type]
    if kind is BookUpdate:
        state.desks[event.instrument].book_at = event.ts_init  # type: ignore[attr-defined]
        return state, NOTHING
    match event:
        case Frame():
            return state, _on_frame(state, event, parameters)
        case Liquidation():
            flow = state.desks[event.instrument].liquidations
            flow.push(event.ts_init, event.quantity * event.price)
        case MarkPrice():
            if event.open_interest is not None:
                state.desks[event.instrument].interest = event.open_interest
        case Heartbeat():
            outputs = NOTHING
            for desk in state.desks.values():
                if desk.holding is not None:
                    outputs += _manage(state, desk, event.ts_init)
            return state, outputs
        case _:
            heard = hear(state, event, PACE)
            if isinstance(event, FeedGap) and heard.desk:
                state.desks[heard.desk].book_at = -1
            return state, heard.outputs
    return state, NOTHING


def _on_quote(state: SweepState, event: Quote) -> Outputs:
    desk = state.desks[event.instrument]
    desk.quote = event
    price = (event.bid + event.ask) / 2.0
    if desk.high == 0.0:
        desk.high = desk.low = price
    elif price > desk.high:
        desk.high = price
    elif price < desk.low:
        desk.low = price
    return _manage(state, desk, event.ts_init) if desk.holding is not None else NOTHING


def _on_frame(state: SweepState, event: Frame, parameters: _Run) -> Outputs:
    """Move the levels on by a second; a poke that ended is one signal or one refusal."""
    desk, features, section = state.desks[event.instrument], event.features, parameters.section
    before = desk.last_z
    desk.frame, desk.last_z = event, features.z_30
    market, now = desk.quote, event.ts_init
    if market is None:
        return NOTHING
    desk.liquidations.turn(now)
    price = mid(market)
    second = Second(
        now=now,
        high=max(desk.high, price),
        low=min(desk.low, price) if desk.low > 0.0 else price,
        mid=price,
        atr=features.atr_60,
        volume=features.volume_burst if features.volume_burst == features.volume_burst else 0.0,
        flow=event.buy_lots - event.sell_lots,
        liquidated=desk.liquidations.is_burst(_BURST),
        interest=desk.interest,
    )
    desk.high = desk.low = price
    sweep = desk.book.push(
        second,
        PokeRules(
            penetration=section.penetration_atr,
            reclaim=section.reclaim_atr,
            window_ns=int(section.window_seconds * SECOND_NS),
        ),
    )
    if not desk.idle:
        return NOTHING
    if now < state.history_until or not desk.regime_ready or not _is_ready(features):
        return refuse(state, desk, now, ReasonCode.WARMING_UP)
    if sweep is None:
        return NOTHING
    return _evaluate(state, desk, sweep, features, before, parameters)


def _is_ready(features: FrameFeatures) -> bool:
    return (
        features.atr_60 > 0.0
        and features.volume_burst == features.volume_burst
        and features.ofi_10 == features.ofi_10
        and features.zeta_3600 == features.zeta_3600
        and features.vwap_3600 == features.vwap_3600
    )


def _evaluate(
    state: SweepState,
    desk: SweepDesk,
    sweep: Sweep,
    features: FrameFeatures,
    before: float,
    parameters: _Run,
) -> Outputs:
    """Judge a reclaimed level in the order of the layers."""
    frame, market = desk.frame, desk.quote
    if frame is None or market is None:
        return NOTHING
    now, section = frame.ts_init, parameters.section
    has_interest = parameters.markets[desk.instrument].has(Need.LIQUIDATIONS)
    refusal = _gates(state, desk, features, before, now) or _conditions(
        desk, sweep, features, market, section, is_told=has_interest
    )
    if refusal is not None:
        return refuse(state, desk, now, *refusal)
    plan = _plan(desk, sweep, features, market)
    away = 1e4 * desk.risk / mid(market)
    if away < _LEAST_STOP_BP:
        return refuse(state, desk, now, ReasonCode.PLAN, away, _LEAST_STOP_BP)
    day = now // DAY_NS
    if day != state.day:
        state.day, state.attempts = day, 0
    state.attempts += 1
    return (enter(state, desk, now, plan),)


def _gates(
    state: SweepState, desk: SweepDesk, features: FrameFeatures, before: float, now: int
) -> Refusal | None:
    """Layers DATA, REGIME and PACE."""
    stale = book_refusal(desk.book_at, now, _BOOK_MAX_AGE_NS)
    if stale is not None:
        return stale
    if desk.regime not in LIQUIDITY_SWEEP.regimes:
        return ReasonCode.REGIME, 0.0, 0.0
    if desk.regime is Regime.IMPULSE:
        lasted = now - desk.regime_since
        if lasted <= _IMPULSE_AGE_NS:
            return ReasonCode.REGIME, lasted / SECOND_NS, _IMPULSE_AGE_NS / SECOND_NS
        if not features.z_30 < before:
            return ReasonCode.REGIME, features.z_30, before
    cap = LIQUIDITY_SWEEP.daily_cap
    if state.day == now // DAY_NS and state.attempts >= cap:
        return ReasonCode.DAILY_CAP, float(state.attempts), float(cap)
    return desk.pace.refusal(now, PACE)


def _conditions(
    desk: SweepDesk,
    sweep: Sweep,
    features: FrameFeatures,
    market: Quote,
    section: SweepSettings,
    *,
    is_told: bool,
) -> Refusal | None:
    """Judge acceptance, spread, volume, the flip of flow, who was forced out, the hour's trend."""
    if sweep.accepted:
        if sweep.depth > ACCEPTED_ATR:
            return ReasonCode.ACCEPTED, sweep.depth, ACCEPTED_ATR
        return ReasonCode.ACCEPTED, sweep.seconds, section.window_seconds
    sign = -sweep.poke
    spread, widest = spread_bp(market), section.wide_spread * features.spread_mean_bp
    if spread > widest:
        return ReasonCode.LIQ, spread, widest
    if sweep.volume < section.volume_burst:
        return ReasonCode.PARTICIPATION, sweep.volume, section.volume_burst
    if sweep.flow <= 0:
        return ReasonCode.FLOW, float(sweep.flow), 0.0
    flip = features.ofi_10 * sign
    if flip < _FLIP:
        return ReasonCode.FLOW, flip, _FLIP
    drop = 1.0 - desk.interest / sweep.interest if sweep.interest > 0.0 else nan
    if not is_told or not (sweep.liquidated or drop >= _INTEREST_DROP):
        return ReasonCode.FLOW, drop if drop == drop else 0.0, _INTEREST_DROP
    trend = features.zeta_3600 * sign
    if trend <= -_AGAINST:
        return ReasonCode.HORIZONS, trend, -_AGAINST
    if sign < 0 and not may_open_short(desk.specification):
        return ReasonCode.NO_BORROW, 0.0, 0.0
    return None


def _plan(desk: SweepDesk, sweep: Sweep, features: FrameFeatures, market: Quote) -> Plan:
    """Plan an IOC at the touch, or a resting retest of the level where only a maker pays."""
    sign, spread, rules = -sweep.poke, spread_bp(market), desk.specification
    taking = round_trip_bp(rules, spread, maker_entry=False, maker_exit=False)
    making = round_trip_bp(rules, spread, maker_entry=True, maker_exit=False)
    stop = sweep.extreme - sign * _STOP_ATR * features.atr_60
    entry = touch(market, sign, passive=False)
    takes = 1e4 * abs(entry - stop) / entry >= 2.0 * taking
    if not takes:
        own = touch(market, sign, passive=True)
        entry = min(sweep.price, own) if sign > 0 else max(sweep.price, own)
    desk.risk = risk = (entry - stop) * sign
    rest = features.vwap_3600
    if (rest - entry) * sign <= 1.5 * risk:
        rest = entry + sign * 3.0 * risk
    flip = min(1.0, features.ofi_10 * sign)
    return Plan(
        sign=sign,
        style=OrderStyle.LIMIT_IOC if takes else OrderStyle.POST_ONLY,
        limit=capped(entry, sign, 2.0) if takes else entry,
        ttl_ns=_TTL_NS if takes else _RETEST_NS,
        stop=stop,
        targets=(entry + sign * 1.5 * risk, rest),
        time_stop_ns=int(LIQUIDITY_SWEEP.time_stop_seconds) * SECOND_NS,
        strength=0.5 * flip + 0.25 * min(1.0, sweep.volume / 4.0) + 0.25 * sweep.weight,
        quality=0.5 if market.conflated else 1.0,
        edge_bp=1.5e4 * risk / entry * flip,
        cost_bp=taking if takes else making,
        reason=f"{sweep.kind.value} level {sweep.price:.9g} swept by {sweep.depth:.2f} ATR",
    )


def _manage(state: SweepState, desk: SweepDesk, now: int) -> Outputs:
    """Half off at 1.5 R, the rest at the hour's VWAP or 3 R; a quarter of an hour at most."""
    holding, market = desk.holding, desk.quote
    if holding is None or market is None:
        return NOTHING
    if now - holding.opened_at >= int(LIQUIDITY_SWEEP.time_stop_seconds) * SECOND_NS:
        return leave(state, desk, now, "time stop of 15 min")
    price = mid(market)
    if len(holding.targets) == 2:
        first, rest = holding.targets
        if holding.taken and (price - rest) * holding.sign >= 0.0:
            return leave(state, desk, now, "rest at its target", style=OrderStyle.LIMIT_IOC)
        if not holding.taken and (price - first) * holding.sign >= 0.0:
            return reduce(state, desk, now, 0.5, "half at 1.5 R")
    return guard_stop(state, desk, now)


class LiquiditySweep(Strategy[SweepState, SweepSettings]):
    """Sells a high that was swept and reclaimed, buys such a low."""

    row = LIQUIDITY_SWEEP
    listens = (Quote, BookUpdate, Frame, Liquidation, MarkPrice, Heartbeat)
    section_type = SweepSettings
    state_type = SweepState
    desk_type = SweepDesk
    step = staticmethod(step)
