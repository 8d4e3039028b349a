"""FundingHarvester: collects funding, hedged with spot where there is spot, else as a small bet.

He, Manela, Ross, von Wachter 2022, Fundamentals of perpetual futures; Koijen et al. 2018, Carry;
Schmeling, Schrimpf, Todorov 2023, Crypto carry. Real when hedged but thin: a round trip costs
24 to 31 bp, which is 8 to 10 days of 1 bp stamps. Unhedged it is a directional bet.
"""

from __future__ import annotations

from math import exp, inf

from hean.core.events import (
    Event,
    Frame,
    FundingRate,
    Heartbeat,
    MarkPrice,
    OrderStyle,
    Quote,
    ReasonCode,
)
from hean.strategies.base import DeskState, Parameters, Strategy, hear
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
from hean.strategies.desk import Wish, spread_bp, touch
from hean.strategies.first_order import first_order
from hean.strategies.funding_desk import (
    MINUTE_NS,
    FundingDesk,
    FundingSettings,
    basis_bp,
    carry_bp,
    exit_reason,
    expect,
    fixed_share,
    forecast,
    has_cast,
    margin,
    settle,
)
from hean.strategies.groups import (
    NONE_RESTS,
    end_group,
    enter_pair,
    holds_pair,
    idle_pair,
    leave_last,
    leave_orphan,
    leave_pair,
    pair_cost_bp,
    pair_plans,
)
from hean.strategies.pace import DAY_NS, SECOND_NS, PaceRules
from hean.strategies.spec import FUNDING_HARVESTER
from hean.strategies.universe import Market
from hean.strategies.windows import Average, ReturnWindow

_HOUR_NS = 3600 * SECOND_NS
_ALONE_BAR_NS = 25 * MINUTE_NS
"""Longer bars have no close between 30 and 5 min before a stamp, where an unhedged bet begins."""
_Refusal = tuple[ReasonCode, float, float]


class FundingState(DeskState[FundingDesk], kw_only=True):
    """All desks and the day's attempts over all of them."""

    day: int = -1
    attempts: int = 0


PACE = PaceRules()
_Run = Parameters[FundingSettings]


def step(state: FundingState, event: Event, parameters: _Run) -> tuple[FundingState, Outputs]:
    """Take one event; see `Strategy.step`."""
    match event:
        case Quote():
            desk = state.desks[event.instrument]
            desk.quote = event
            return state, guard_stop(state, desk, event.ts_init) if desk.holding else NOTHING
        case Frame():
            desk = state.desks[event.instrument]
            cast = event.features.funding_now_cast
            if cast == cast:
                desk.cast_bp, desk.cast_at = cast * 1e4, event.ts_init
            return state, NOTHING
        case MarkPrice():
            return state, _on_mark(state, event, parameters)
        case FundingRate():
            return state, _on_funding(state, event, parameters)
        case Heartbeat():
            return state, _on_beat(state, event.ts_init, parameters)
        case _:
            return state, _on_report(state, event, parameters)


def _on_mark(state: FundingState, event: MarkPrice, parameters: _Run) -> Outputs:
    desk = state.desks[event.instrument]
    desk.mark, desk.mark_at = event.mark, event.ts_init
    if event.index is not None:
        desk.index = event.index
    slot = event.ts_init // desk.spacing_ns
    if slot != desk.slot:
        desk.slot = slot
        desk.marks.push(event.mark)
    market = parameters.markets.get(event.instrument)
    if desk.holding is None or market is None or market.coarse:
        return NOTHING
    return _leave_hedged(state, desk, event.ts_init, parameters)


def _on_funding(state: FundingState, event: FundingRate, parameters: _Run) -> Outputs:
    market = parameters.markets.get(event.instrument)
    if market is None:
        return NOTHING
    desk, now, section = state.desks[event.instrument], event.ts_init, parameters.section
    if event.settled:
        settle(desk, event)
        if market.coarse and event.interval_ns > 0:
            following = event.next_funding_time or event.ts_event + event.interval_ns
            expect(desk, event, following, section)
        return NOTHING if market.coarse else _leave_hedged(state, desk, now, parameters)
    expect(desk, event, event.next_funding_time, section)
    return _consider(state, desk, now, market, parameters)


def _on_beat(state: FundingState, now: int, parameters: _Run) -> Outputs:
    outputs = NOTHING
    for market in parameters.markets.values():
        desk = state.desks[market.instrument]
        if desk.holding is not None or market.spot:
            outputs += _on_time(state, desk, now, market, parameters)
        if desk.opens_at <= now < desk.closes_at:
            outputs += _consider(state, desk, now, market, parameters)
    return outputs


def _on_time(
    state: FundingState, desk: FundingDesk, now: int, market: Market, parameters: _Run
) -> Outputs:
    """Leave without an event of one's own: after the stamp, or when a leg stands alone.

    On bars all exits wait for this beat: a mark and a stamp come before the quotes of their time.
    """
    if market.spot:
        legs = (desk, state.desks[market.spot])
        return leave_orphan(state, legs, now) or _leave_hedged(state, desk, now, parameters)
    since = now - desk.collects
    if since >= 10 * MINUTE_NS:
        return leave(state, desk, now, "ten minutes after the stamp")
    if since >= MINUTE_NS:
        return leave(state, desk, now, "collected", style=OrderStyle.LIMIT_IOC)
    return guard_stop(state, desk, now)


def _leave_hedged(state: FundingState, desk: FundingDesk, now: int, parameters: _Run) -> Outputs:
    market = parameters.markets.get(desk.instrument)
    if market is None or not market.spot:
        return NOTHING
    legs = (desk, state.desks[market.spot])
    if not holds_pair(legs):
        return NOTHING
    reason = exit_reason(desk, parameters.section)
    return leave_pair(state, legs, now, reason) if reason else NOTHING


def _consider(
    state: FundingState, desk: FundingDesk, now: int, market: Market, parameters: _Run
) -> Outputs:
    """Evaluate once a minute inside the window, until one decision a stamp was published."""
    hedge = state.desks.get(market.spot)
    legs = (desk, hedge) if hedge is not None else None
    busy = not desk.idle or (legs is not None and not idle_pair(legs))
    minute = now // MINUTE_NS
    if busy or minute == desk.asked or (desk.stamp and desk.decided == desk.stamp):
        return NOTHING
    if desk.stamp > 0 and not desk.opens_at <= now < desk.closes_at:
        return NOTHING
    if legs is None and desk.stamp > 0:
        if market.coarse and market.bar_ns > _ALONE_BAR_NS:
            minutes = float(market.bar_ns // MINUTE_NS)
            return refuse(state, desk, now, ReasonCode.INELIGIBLE, minutes, 25.0)
        if now < desk.stamp - 30 * MINUTE_NS:
            return NOTHING
    desk.asked = minute
    refusal = _gates(state, desk, hedge, now, market, parameters.section)
    if refusal is not None:
        return refuse(state, desk, now, *refusal)
    if legs is not None:
        return _hedged(state, legs, now, market, parameters.section)
    return _unhedged(state, desk, now, market, parameters.section)


def _gates(
    state: FundingState,
    desk: FundingDesk,
    hedge: FundingDesk | None,
    now: int,
    market: Market,
    section: FundingSettings,
) -> _Refusal | None:
    """Layers DATA and PACE; every regime is allowed."""
    if now < state.history_until:
        return ReasonCode.WARMING_UP, 0.0, 0.0
    if desk.stamp <= now or desk.interval_ns <= 0 or desk.rate_bp != desk.rate_bp:
        return ReasonCode.FUNDING_STALE, 0.0, 0.0
    oldest = desk.interval_ns + 2 * market.bar_ns if market.coarse else 10 * MINUTE_NS
    if now - desk.rate_at > oldest:
        return ReasonCode.FUNDING_STALE, (now - desk.rate_at) / SECOND_NS, oldest / SECOND_NS
    if has_cast(desk, now) and abs(desk.cast_bp - desk.rate_bp) > section.disagreement_bp:
        return ReasonCode.FUNDING_STALE, desk.cast_bp - desk.rate_bp, section.disagreement_bp
    freshest = 2 * market.bar_ns if market.coarse else 10 * SECOND_NS
    quotes = (desk.quote, desk.quote if hedge is None else hedge.quote)
    for one in quotes:
        if one is None or now - one.ts_init > freshest:
            age = inf if one is None else (now - one.ts_init) / SECOND_NS
            return ReasonCode.STALE, min(age, 1e9), freshest / SECOND_NS
    # On bars the perpetual's own close stands in for the mark, and its age was just looked at.
    if not market.coarse and (desk.mark != desk.mark or now - desk.mark_at > freshest):
        return ReasonCode.STALE, min(1e9, (now - desk.mark_at) / SECOND_NS), freshest / SECOND_NS
    if state.day == now // DAY_NS and state.attempts >= FUNDING_HARVESTER.daily_cap:
        return ReasonCode.DAILY_CAP, float(state.attempts), float(FUNDING_HARVESTER.daily_cap)
    open_now = sum(1 for one in state.desks.values() if _counts(one))
    if open_now >= section.concurrent:
        return ReasonCode.INVENTORY, float(open_now), float(section.concurrent)
    return None


def _counts(desk: FundingDesk) -> bool:
    return not desk.idle and not desk.specification.is_spot


def _hedged(
    state: FundingState,
    legs: tuple[FundingDesk, FundingDesk],
    now: int,
    market: Market,
    section: FundingSettings,
    *,
    ended: Wish | None = None,
) -> Outputs:
    """Mode H: both legs as one group when the carry pays every cost; `ended` is the maker try."""
    perpetual, spot = legs
    rate = forecast(perpetual, now)
    sign = -1 if rate > 0.0 else 1
    near, far = perpetual.quote, spot.quote
    if near is None or far is None:
        return refuse(state, perpetual, now, ReasonCode.STALE)
    if sign > 0 and not spot.specification.borrowable:
        return refuse(state, perpetual, now, ReasonCode.NO_BORROW, rate, 0.0)
    rests = ended is None and not market.coarse
    cost = pair_cost_bp(legs, resting=0 if rests else NONE_RESTS)
    carry = carry_bp(abs(rate), perpetual.persistence, section.horizon)
    if carry - cost < section.minimum_carry_bp:
        return refuse(
            state, perpetual, now, ReasonCode.EDGE, carry - cost, section.minimum_carry_bp
        )
    buffer, needed = margin(perpetual, section, 0.0)
    if buffer < needed:
        return refuse(state, perpetual, now, ReasonCode.INELIGIBLE, buffer, needed)
    common = Plan(
        sign=sign,
        style=OrderStyle.LIMIT_IOC,
        limit=None,
        time_stop_ns=section.horizon * perpetual.interval_ns,
        strength=min(1.0, abs(rate) / 10.0) * fixed_share(perpetual, now) * perpetual.persistence,
        edge_bp=carry,
        cost_bp=cost,
        reason=f"rate {rate:.3f} bp, persistence {perpetual.persistence:.3f}",
    )
    wait = int(section.maker_seconds * SECOND_NS)
    plans = pair_plans((near, far), common, rests=rests, wait_ns=wait)
    stop = section.basis_stop_bp + cost / 2.0
    stage = 0 if ended is None else ended.stage + 1
    if ended is None:
        _decide(state, perpetual, now)
    perpetual.basis_at_entry = basis_bp(perpetual)
    perpetual.collects = 0
    return enter_pair(state, legs, now, plans, group_stop_bp=stop, stage=stage)


def _decide(state: FundingState, desk: FundingDesk, now: int) -> None:
    day = now // DAY_NS
    if day != state.day:
        state.day, state.attempts = day, 0
    state.attempts += 1
    desk.decided = desk.stamp


def _unhedged(
    state: FundingState,
    desk: FundingDesk,
    now: int,
    market: Market,
    section: FundingSettings,
    *,
    ended: Wish | None = None,
) -> Outputs:
    """Mode D: a quarter-size bet on the receiving side, out minutes after the stamp."""
    quote, rate = desk.quote, forecast(desk, now)
    if quote is None or not desk.marks.ready(1):
        count, needed = float(desk.marks.count), float(desk.marks.lengths[1])
        return refuse(state, desk, now, ReasonCode.WARMING_UP, count, needed)
    rests = ended is None and not market.coarse
    cost = round_trip_bp(desk.specification, spread_bp(quote), maker_entry=rests, maker_exit=False)
    least = max(2.0 * cost, section.minimum_rate_bp)
    if abs(rate) < least:
        return refuse(state, desk, now, ReasonCode.EDGE, abs(rate), least)
    sign = -1 if rate > 0.0 else 1
    if sign > 0 and market.specification.is_spot:
        return refuse(state, desk, now, ReasonCode.INELIGIBLE)
    against = desk.marks.zeta(1) * sign
    if against <= -1.0:
        return refuse(state, desk, now, ReasonCode.HORIZONS, against, -1.0)
    wait = int(section.maker_seconds * SECOND_NS)
    order = first_order(quote, sign, rests=rests, wait_ns=wait)
    plan = Plan(
        sign=sign,
        style=order.style,
        limit=order.limit,
        scale=0.25,
        ttl_ns=order.ttl_ns,
        stop=touch(quote, sign, passive=rests) * exp(-sign * 1.5 * desk.marks.deviation(0)),
        time_stop_ns=desk.stamp + 10 * MINUTE_NS - now,
        strength=min(1.0, abs(rate) / 10.0) * fixed_share(desk, now) * desk.persistence,
        edge_bp=abs(rate),
        cost_bp=cost,
        reason=f"rate {rate:.3f} bp unhedged",
    )
    if ended is None:
        _decide(state, desk, now)
    desk.collects = desk.stamp
    return (enter(state, desk, now, plan, stage=0 if ended is None else ended.stage + 1),)


def _on_report(state: FundingState, event: Event, parameters: _Run) -> Outputs:
    heard = hear(state, event, PACE)
    if not heard.desk:
        return heard.outputs
    market = _market_of(heard.desk, parameters)
    if market is None:
        return heard.outputs
    perpetual, hedge = state.desks[market.instrument], state.desks.get(market.spot)
    now = event.ts_init
    if heard.ended is not None:
        if hedge is not None and heard.desk == market.instrument:
            end_group((perpetual, hedge), heard.ended)
        return _follow(state, market, heard.desk, now, heard.ended, parameters)
    if hedge is None:
        return heard.outputs
    return heard.outputs + leave_last(state, (perpetual, hedge), heard.desk, event)


def _market_of(instrument: str, parameters: _Run) -> Market | None:
    for market in parameters.markets.values():
        if instrument in (market.instrument, market.spot):
            return market
    return None


def _follow(
    state: FundingState,
    market: Market,
    ended_on: str,
    now: int,
    ended: Wish,
    parameters: _Run,
) -> Outputs:
    """After the maker's time take, until two minutes before the stamp; a failed hedge unwinds."""
    perpetual, hedge = state.desks[market.instrument], state.desks.get(market.spot)
    if ended_on != market.instrument:
        return leave(state, perpetual, now, "the hedge was not filled")
    late = now > perpetual.stamp - 2 * MINUTE_NS
    if ended.stage or now - ended.published < ended.ttl_ns or late:
        return NOTHING
    if hedge is not None:
        legs = (perpetual, hedge)
        return _hedged(state, legs, now, market, parameters.section, ended=ended)
    return _unhedged(state, perpetual, now, market, parameters.section, ended=ended)


class FundingHarvester(Strategy[FundingState, FundingSettings]):
    """One decision a symbol and settlement, in every regime."""

    row = FUNDING_HARVESTER
    listens = (Quote, Frame, MarkPrice, FundingRate, Heartbeat)
    section_type = FundingSettings
    state_type = FundingState
    step = staticmethod(step)

    @classmethod
    def initial(cls, parameters: Parameters[FundingSettings]) -> FundingState:
        found: dict[str, FundingDesk] = {}
        for market in parameters.markets.values():
            found[market.instrument] = _desk(market, market.instrument, parameters)
            if market.spot:
                found[market.spot] = _desk(market, market.spot, parameters)
        return FundingState(strategy=cls.row.strategy, desks=found)


def _desk(market: Market, instrument: str, parameters: _Run) -> FundingDesk:
    spacing = max(MINUTE_NS, market.bar_ns if market.coarse else 0)
    lengths = tuple(max(2, hours * _HOUR_NS // spacing) for hours in (1, 4, 24))
    interval = market.specification.funding_interval_ns or 8 * _HOUR_NS
    specification = market.specification if instrument == market.instrument else market.hedge
    return FundingDesk(
        instrument=instrument,
        specification=specification or market.specification,
        marks=ReturnWindow.of(*lengths),
        magnitude=Average(half_life=3.0 * DAY_NS / interval),
        spacing_ns=spacing,
        persistence=parameters.section.persistence_prior,
    )
