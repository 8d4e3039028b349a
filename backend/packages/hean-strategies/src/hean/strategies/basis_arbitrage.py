"""BasisArbitrage: perpetual against spot when their gap exceeds every cost.

Shleifer, Vishny 1997, The limits of arbitrage; Schmeling, Schrimpf, Todorov 2023, Crypto carry.
Real only above a round trip of 24 to 31 bp, which is rare on BTC and ETH outside stress. Without
spot it fades the perpetual's lead, which may be information: research, watched in SHADOW.
"""

from __future__ import annotations

from math import inf, log, nan

from pydantic import Field

from hean.core.events import (
    Event,
    FundingRate,
    Heartbeat,
    MarkPrice,
    OrderStyle,
    Quote,
    ReasonCode,
)
from hean.core.instruments import Instrument
from hean.strategies.base import DeskState, Parameters, Strategy, StrategySection, hear
from hean.strategies.decisions import (
    NOTHING,
    Outputs,
    Plan,
    enter,
    guard_stop,
    leave,
    refuse,
    round_trip_bp,
)
from hean.strategies.desk import Desk, mid, spread_bp, touch
from hean.strategies.groups import (
    end_group,
    enter_pair,
    holds_pair,
    idle_pair,
    leave_last,
    leave_orphan,
    leave_pair,
    pair_cost_bp,
    pair_plans,
    resting_leg,
)
from hean.strategies.pace import DAY_NS, SECOND_NS, PaceRules
from hean.strategies.spec import BASIS_ARBITRAGE, tunable
from hean.strategies.universe import Market
from hean.strategies.windows import Average, decay

_MINUTE_NS = 60 * SECOND_NS
_FOUR_HOURS_NS = 240 * _MINUTE_NS
_INDEX_MAX_AGE_NS = 2 * SECOND_NS
_INDEX_FROZEN_NS = _MINUTE_NS
_ALONE_SD = 4.0
_ALONE_BP = 25.0
_ALONE_LIFE_NS = 15 * _MINUTE_NS
_Refusal = tuple[ReasonCode, float, float]


class BasisSettings(StrategySection):
    """Tunables of BasisArbitrage; all are starting values."""

    enter_sd: float = tunable(BASIS_ARBITRAGE, "enter_sd", 2.5)
    """Distance of the basis from its mean in deviations that triggers, 2 to 4."""
    exit_sd: float = tunable(BASIS_ARBITRAGE, "exit_sd", 0.5)
    """Distance at which the gap has closed, 0.2 to 0.8."""
    minimum_profit_bp: float = Field(default=8.0, ge=0.0, le=50.0)
    """Least profit after all costs in bp."""
    composition_bp: float = Field(default=15.0, ge=1.0, le=100.0)
    """Largest distance of the index from our spot in bp: beyond it, it is another basket."""
    maker_seconds: float = Field(default=60.0, ge=5.0, le=600.0)
    """Seconds the resting leg waits; on bars none rests, both legs take."""


class BasisDesk(Desk, kw_only=True):
    """The basis of one perpetual: now, its mean and deviation, how fast it reverts."""

    basis: Average
    spacing_ns: int
    slot: int = -1
    deviation_before: float = nan
    sampled_bp: float = nan
    before_bp: float = nan
    """The basis one sample before `sampled_bp`."""
    product: float = 0.0
    square: float = 0.0
    mark: float = nan
    index: float = nan
    index_at: int = 0
    index_moved_at: int = 0
    now_bp: float = nan
    rate: float = 0.0
    rate_interval: int = 0
    asked: int = -1
    mean_at_entry: float = 0.0
    sd_at_entry: float = 0.0
    bp_at_entry: float = 0.0
    opened_at: int = 0


class BasisState(DeskState[BasisDesk], kw_only=True):
    """All desks and the day's attempts over all of them."""

    day: int = -1
    attempts: int = 0


PACE = PaceRules(cooldown_ns=7200 * SECOND_NS)
_Run = Parameters[BasisSettings]


def step(state: BasisState, event: Event, parameters: _Run) -> tuple[BasisState, Outputs]:
    """Take one event; see `Strategy.step`."""
    match event:
        case Quote():
            desk = state.desks[event.instrument]
            desk.quote = event
            market = parameters.markets.get(event.instrument)
            if desk.holding is None or market is None or market.spot:
                return state, NOTHING
            return state, _leave_alone(state, desk, event.ts_init)
        case MarkPrice():
            _take_mark(state.desks[event.instrument], event)
            return state, NOTHING
        case FundingRate():
            desk = state.desks[event.instrument]
            desk.rate, desk.rate_interval = event.rate, event.interval_ns
            return state, NOTHING
        case Heartbeat():
            outputs = NOTHING
            for market in parameters.markets.values():
                outputs += _on_beat(state, market, event.ts_init, parameters.section)
            return state, outputs
        case _:
            return state, _on_report(state, event, parameters)


def _take_mark(desk: BasisDesk, event: MarkPrice) -> None:
    """Take mark and index; once a minute (or bar) the basis becomes a sample."""
    desk.mark = event.mark
    if event.index is not None and event.index > 0.0:
        if event.index != desk.index:
            desk.index_moved_at = event.ts_init
        desk.index, desk.index_at = event.index, event.ts_init
    if not desk.index > 0.0:
        return
    desk.now_bp = 1e4 * log(desk.mark / desk.index)
    slot = event.ts_init // desk.spacing_ns
    if slot == desk.slot:
        return
    desk.slot = slot
    desk.before_bp, desk.sampled_bp = desk.sampled_bp, desk.now_bp
    desk.basis.push(desk.now_bp)
    away = desk.now_bp - desk.basis.mean
    before = desk.deviation_before
    if before == before:
        weight = decay(desk.basis.half_life)
        kept = 1.0 - weight
        desk.product = weight * (away * before) + kept * desk.product
        desk.square = weight * (before * before) + kept * desk.square
    desk.deviation_before = away


def half_life_ns(desk: BasisDesk) -> float:
    """Return how long the basis takes to halve its distance: AR(1) of its samples, at most 4 h."""
    phi = desk.product / desk.square if desk.square > 0.0 else 1.0
    if not 0.0 < phi < 1.0:
        return float(_FOUR_HOURS_NS) if phi >= 1.0 else float(desk.spacing_ns)
    return min(float(_FOUR_HOURS_NS), -log(2.0) / log(phi) * desk.spacing_ns)


def _on_beat(state: BasisState, market: Market, now: int, section: BasisSettings) -> Outputs:
    desk = state.desks[market.instrument]
    if market.spot:
        legs = (desk, state.desks[market.spot])
        orphan = leave_orphan(state, legs, now)
        if orphan or holds_pair(legs):
            return orphan or _leave_hedged(state, legs, now, section)
        busy = not idle_pair(legs)
    else:
        if desk.holding is not None:
            return _leave_alone(state, desk, now) or guard_stop(state, desk, now)
        busy = not desk.idle
    if busy or desk.now_bp != desk.now_bp:
        return NOTHING
    return _consider(state, market, desk, now, section)


def _leave_hedged(
    state: BasisState, legs: tuple[BasisDesk, BasisDesk], now: int, section: BasisSettings
) -> Outputs:
    """Leave when the gap has closed or crossed, widens by half, or after a day."""
    desk, holding = legs[0], legs[0].holding
    if holding is None:
        return NOTHING
    gap = (desk.now_bp - desk.mean_at_entry) * -holding.sign
    if gap <= section.exit_sd * desk.sd_at_entry:
        return leave_pair(state, legs, now, "gap closed")
    rising = abs(desk.now_bp) > abs(desk.before_bp)
    if abs(desk.now_bp) >= 1.5 * abs(desk.bp_at_entry) and rising:
        return leave_pair(state, legs, now, "gap widens", style=OrderStyle.MARKET)
    if now - desk.opened_at >= BASIS_ARBITRAGE.time_stop_seconds * SECOND_NS:
        return leave_pair(state, legs, now, "a day is over")
    return NOTHING


def _leave_alone(state: BasisState, desk: BasisDesk, now: int) -> Outputs:
    """Leave an unhedged bet at half the gap or after a quarter of an hour."""
    holding, quote = desk.holding, desk.quote
    if holding is None or quote is None:
        return NOTHING
    if now - holding.opened_at >= _ALONE_LIFE_NS:
        return leave(state, desk, now, "a quarter of an hour is over")
    if holding.targets and (mid(quote) - holding.targets[0]) * holding.sign >= 0.0:
        return leave(state, desk, now, "half of the gap closed", style=OrderStyle.LIMIT_IOC)
    return NOTHING


def _consider(
    state: BasisState, market: Market, desk: BasisDesk, now: int, section: BasisSettings
) -> Outputs:
    """Evaluate when the basis stands far out; while warming up, once a sample."""
    deviation, away = desk.basis.deviation, desk.now_bp - desk.basis.mean
    needed = int(desk.basis.half_life)
    if desk.basis.count < needed or now < state.history_until:
        if desk.asked == desk.slot:
            return NOTHING
        desk.asked = desk.slot
        return refuse(
            state, desk, now, ReasonCode.WARMING_UP, float(desk.basis.count), float(needed)
        )
    least = section.enter_sd if market.spot else max(section.enter_sd, _ALONE_SD)
    if abs(away) < least * deviation or away == 0.0:
        return NOTHING
    refusal = _gates(state, market, desk, now, section)
    if refusal is not None:
        return refuse(state, desk, now, *refusal)
    if market.spot:
        return _hedged(state, market, now, section)
    return _alone(state, desk, now, away)


def _gates(
    state: BasisState, market: Market, desk: BasisDesk, now: int, section: BasisSettings
) -> _Refusal | None:
    """Layers DATA, REGIME and PACE, and whether the index is our spot's."""
    oldest = 2 * market.bar_ns if market.coarse else _INDEX_MAX_AGE_NS
    if now - desk.index_at > oldest:
        return ReasonCode.STALE, (now - desk.index_at) / SECOND_NS, oldest / SECOND_NS
    if not market.coarse and now - desk.index_moved_at > _INDEX_FROZEN_NS:
        return ReasonCode.STALE, (now - desk.index_moved_at) / SECOND_NS, 60.0
    far = state.desks.get(market.spot)
    freshest = oldest if market.coarse else 5 * SECOND_NS
    for one in (desk,) if far is None else (desk, far):
        age = inf if one.quote is None else now - one.quote.ts_init
        if age > freshest:
            return ReasonCode.STALE, min(age / SECOND_NS, 1e9), freshest / SECOND_NS
    if desk.regime not in BASIS_ARBITRAGE.regimes:
        return ReasonCode.REGIME, 0.0, 0.0
    if state.day == now // DAY_NS and state.attempts >= BASIS_ARBITRAGE.daily_cap:
        return ReasonCode.DAILY_CAP, float(state.attempts), float(BASIS_ARBITRAGE.daily_cap)
    refusal = desk.pace.refusal(now, PACE)
    if refusal is not None or far is None or far.quote is None:
        return refusal
    apart = abs(1e4 * log(desk.index / mid(far.quote)))
    if apart > section.composition_bp:
        return ReasonCode.INELIGIBLE, apart, section.composition_bp
    return None


def _hedged(state: BasisState, market: Market, now: int, section: BasisSettings) -> Outputs:
    """Mode H: the rich leg sold and the cheap one bought when the gap pays every cost."""
    desk, far = state.desks[market.instrument], state.desks[market.spot]
    near_quote, far_quote = desk.quote, far.quote
    if near_quote is None or far_quote is None:
        return refuse(state, desk, now, ReasonCode.STALE)
    away, deviation = desk.now_bp - desk.basis.mean, desk.basis.deviation
    sign = -1 if away > 0.0 else 1
    if sign > 0 and not far.specification.borrowable:
        return refuse(state, desk, now, ReasonCode.NO_BORROW, desk.now_bp, 0.0)
    legs = (desk, far)
    resting = resting_leg(legs, coarse=market.coarse)
    cost = pair_cost_bp(legs, resting=resting)
    carry = 0.0
    if desk.rate_interval > 0:
        carry = -sign * desk.rate * 1e4 * half_life_ns(desk) / desk.rate_interval
    gain = abs(away) - section.exit_sd * deviation + carry
    if gain - cost < section.minimum_profit_bp:
        return refuse(state, desk, now, ReasonCode.EDGE, gain - cost, section.minimum_profit_bp)
    leads = max(0, resting)
    common = Plan(
        sign=-sign if leads else sign,
        style=OrderStyle.LIMIT_IOC,
        limit=None,
        time_stop_ns=int(BASIS_ARBITRAGE.time_stop_seconds) * SECOND_NS,
        strength=min(1.0, (gain - cost) / (2.0 * cost)),
        quality=0.5 if market.coarse else 1.0,
        edge_bp=gain,
        cost_bp=cost,
        reason=f"basis {desk.now_bp:.2f} bp, mean {desk.basis.mean:.2f}, sd {deviation:.2f}",
    )
    plans = pair_plans(
        (far_quote, near_quote) if leads else (near_quote, far_quote),
        common,
        rests=resting >= 0,
        wait_ns=int(section.maker_seconds * SECOND_NS),
    )
    _decide(state, desk, now)
    stop = 0.5 * abs(desk.now_bp) + cost
    desk.pace.attempt(now)
    order = (legs[leads], legs[1 - leads])
    return enter_pair(state, order, now, plans, group_stop_bp=stop, stage=1)


def _decide(state: BasisState, desk: BasisDesk, now: int) -> None:
    day = now // DAY_NS
    if day != state.day:
        state.day, state.attempts = day, 0
    state.attempts += 1
    desk.mean_at_entry, desk.sd_at_entry = desk.basis.mean, desk.basis.deviation
    desk.bp_at_entry, desk.opened_at = desk.now_bp, now


def _alone(state: BasisState, desk: BasisDesk, now: int, away: float) -> Outputs:
    """Mode P: fade half of a wide gap with the perpetual alone, the stop as far as the target."""
    quote = desk.quote
    if quote is None or abs(away) < _ALONE_BP:
        return refuse(state, desk, now, ReasonCode.SIZE, abs(away), _ALONE_BP)
    sign = -1 if away > 0.0 else 1
    if sign < 0 and desk.specification.is_spot and not desk.specification.borrowable:
        return refuse(state, desk, now, ReasonCode.NO_BORROW)
    price = touch(quote, sign, passive=True)
    half = abs(away) / 2e4
    cost = round_trip_bp(desk.specification, spread_bp(quote), maker_entry=True, maker_exit=False)
    plan = Plan(
        sign=sign,
        style=OrderStyle.POST_ONLY,
        limit=price,
        ttl_ns=_MINUTE_NS,
        stop=price * (1.0 - sign * half),
        targets=(price * (1.0 + sign * half),),
        time_stop_ns=_ALONE_LIFE_NS,
        strength=min(1.0, half * 1e4 / (2.0 * cost)),
        edge_bp=half * 1e4,
        cost_bp=cost,
        reason=f"basis {desk.now_bp:.2f} bp without spot",
    )
    _decide(state, desk, now)
    return (enter(state, desk, now, plan),)


def _on_report(state: BasisState, event: Event, parameters: _Run) -> Outputs:
    heard = hear(state, event, PaceRules())
    for market in parameters.markets.values():
        if not market.spot or heard.desk not in (market.instrument, market.spot):
            continue
        legs = (state.desks[market.instrument], state.desks[market.spot])
        other = legs[1] if heard.desk == market.instrument else legs[0]
        if heard.ended is not None:
            end_group(legs, heard.ended)
            return leave(state, other, event.ts_init, "the other leg was not filled")
        return heard.outputs + leave_last(state, legs, heard.desk, event)
    return heard.outputs


class BasisArbitrage(Strategy[BasisState, BasisSettings]):
    """Watches the gap each second (each bar) and trades it at most four times a day."""

    row = BASIS_ARBITRAGE
    listens = (Quote, MarkPrice, FundingRate, Heartbeat)
    section_type = BasisSettings
    state_type = BasisState
    step = staticmethod(step)

    @classmethod
    def initial(cls, parameters: Parameters[BasisSettings]) -> BasisState:
        found: dict[str, BasisDesk] = {}
        for market in parameters.markets.values():
            found[market.instrument] = _desk(market, market.specification)
            if market.hedge is not None:
                found[market.spot] = _desk(market, market.hedge)
        return BasisState(strategy=cls.row.strategy, desks=found)


def _desk(market: Market, specification: Instrument) -> BasisDesk:
    spacing = max(_MINUTE_NS, market.bar_ns if market.coarse else 0)
    return BasisDesk(
        instrument=specification.id,
        specification=specification,
        basis=Average(half_life=float(_FOUR_HOURS_NS // spacing)),
        spacing_ns=spacing,
    )
