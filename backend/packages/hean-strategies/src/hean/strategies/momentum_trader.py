"""MomentumTrader: multi-hour to multi-day trend over three horizons, scaled by volatility.

Moskowitz, Ooi, Pedersen 2012, Time series momentum; Liu, Tsyvinski 2021, Risks and returns of
cryptocurrency. The most plausible of the directional strategies, and unproven: a study of 3,100
coins finds the single-coin effect gone after December 2017. Its reference is the bar backtest.
"""

from __future__ import annotations

from math import inf, sqrt, tanh

from pydantic import Field

from hean.core.events import (
    Bar,
    BarSource,
    Cycle,
    Event,
    Frame,
    FundingRate,
    Heartbeat,
    OrderStyle,
    Phase,
    Quote,
    ReasonCode,
    Regime,
    SentimentReading,
)
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
from hean.strategies.desk import Desk, Wish, mid, spread_bp, touch
from hean.strategies.first_order import first_order
from hean.strategies.pace import SECOND_NS, PaceRules
from hean.strategies.spec import MOMENTUM_TRADER, tunable
from hean.strategies.universe import Market
from hean.strategies.windows import Range, ReturnWindow

_QUARTER_NS = 900 * SECOND_NS
_HOUR_NS = 3600 * SECOND_NS
_DAY_NS = 24 * _HOUR_NS
_READING_TTL_NS = 26 * _HOUR_NS
_WEIGHTS = (0.25, 0.35, 0.40)


class MomentumSettings(StrategySection):
    """Tunables of MomentumTrader; all are starting values."""

    short_hours: float = tunable(MOMENTUM_TRADER, "short_hours", 4)
    """Shortest trend horizon in hours, 1 to 12."""
    middle_hours: float = tunable(MOMENTUM_TRADER, "middle_hours", 24)
    """Middle trend horizon in hours, 12 to 48."""
    long_hours: float = tunable(MOMENTUM_TRADER, "long_hours", 120)
    """Longest trend horizon in hours, 48 to 240; also the warm-up."""
    enter: float = tunable(MOMENTUM_TRADER, "enter", 0.5)
    """Trend score, 0.3 to 0.8, that must be crossed to enter."""
    leave: float = Field(default=0.1, ge=0.0, le=0.3)
    """Trend score in the position's direction under which the thesis is gone."""
    trail_atr: float = tunable(MOMENTUM_TRADER, "trail_atr", 3)
    """Stop and trail in 15-minute average true ranges, 2 to 5."""
    stop_floor_bp: float = Field(default=100, ge=20, le=500)
    """Nearest initial stop in bp."""
    target_day_volatility_bp: float = Field(default=300, ge=50, le=2000)
    """Day volatility in bp at which the size is 1; it shrinks in proportion above."""
    maker_seconds: float = Field(default=60, ge=5, le=600)
    """Seconds the first order of an attempt waits as a maker before it takes; on bars it takes."""
    expected_hold_hours: float = Field(default=8, ge=1, le=120)
    """Hours of funding deducted from the claim."""


class MomentumDesk(Desk, kw_only=True):
    """Trend windows, 15-minute ranges, and where the crossing and the pullback stand."""

    returns: ReturnWindow
    quarters: Range
    pull_range: Range
    armed: int = 0
    """Direction in which the score stands beyond the threshold without having been used."""
    over: int = 0
    """Direction in which the score stood beyond the threshold at the last bar."""
    score: float = 0.0
    pullback: float = 0.0
    """Deepest retreat from the short extreme since it was made, in price."""
    pullback_sign: int = 0
    frame: Frame | None = None
    funding: FundingRate | None = None


class MomentumState(DeskState[MomentumDesk], kw_only=True):
    """All desks and the newest reading of the fear and greed index."""

    reading: SentimentReading | None = None


PACE = PaceRules(
    cooldown_ns=120 * SECOND_NS,
    exit_cooldown_ns=1800 * SECOND_NS,
    daily_cap=MOMENTUM_TRADER.daily_cap,
)


def step(
    state: MomentumState, event: Event, parameters: Parameters[MomentumSettings]
) -> tuple[MomentumState, Outputs]:
    """Take one event; see `Strategy.step`."""
    kind = type(event)
    if kind is Quote:
        return state, _on_quote(state, event, parameters)  # type: ignore[arg-type]
    if kind is Frame:
        desk = state.desks[event.instrument]  # type: ignore[attr-defined]
        desk.frame = event  # type: ignore[assignment]
        return state, _still_warming(state, desk, event.ts_init)
    match event:
        case Bar():
            return state, _on_bar(state, event, parameters)
        case Heartbeat():
            return state, _on_beat(state, event.ts_init)
        case FundingRate():
            if not event.settled or parameters.markets[event.instrument].coarse:
                state.desks[event.instrument].funding = event
            return state, NOTHING
        case SentimentReading():
            if event.value is not None:
                state.reading = event
            return state, NOTHING
        case _:
            heard = hear(state, event, PACE)
    if heard.ended is not None and heard.ended.style is OrderStyle.POST_ONLY:
        return state, _take_instead(state, heard.desk, event.ts_init, heard.ended, parameters)
    return state, heard.outputs


def _still_warming(state: MomentumState, desk: MomentumDesk, now: int) -> Outputs:
    """Refuse each frame while bars are too few, so that short sessions say why nothing happens."""
    if not desk.idle or (desk.returns.ready(2) and desk.quarters.ready):
        return NOTHING
    have, need = float(desk.returns.count), float(desk.returns.lengths[2])
    return refuse(state, desk, now, ReasonCode.WARMING_UP, have, need)


def _on_quote(
    state: MomentumState, event: Quote, parameters: Parameters[MomentumSettings]
) -> Outputs:
    desk = state.desks[event.instrument]
    desk.quote = event
    if desk.holding is None:
        return NOTHING
    return _manage(state, desk, mid(event), event.ts_init, parameters)


def _on_beat(state: MomentumState, now: int) -> Outputs:
    outputs = NOTHING
    for desk in state.desks.values():
        if desk.holding is not None:
            outputs += _hold_time(state, desk, now)
            outputs += guard_stop(state, desk, now)
    return outputs


def _hold_time(state: MomentumState, desk: MomentumDesk, now: int) -> Outputs:
    holding = desk.holding
    limit = int(MOMENTUM_TRADER.time_stop_seconds) * SECOND_NS
    if holding is None or now - holding.opened_at < limit:
        return NOTHING
    return leave(state, desk, now, "time stop of 5 days")


def _manage(
    state: MomentumState,
    desk: MomentumDesk,
    price: float,
    now: int,
    parameters: Parameters[MomentumSettings],
) -> Outputs:
    """Chandelier: out when price retreats from its best since the entry by the stop's distance."""
    holding = desk.holding
    if holding is None:
        return NOTHING
    if (price - holding.best) * holding.sign > 0.0:
        holding.best = price
    section = parameters.section
    trail = max(section.trail_atr * desk.quarters.atr, price * section.stop_floor_bp / 1e4)
    if (holding.best - price) * holding.sign >= trail:
        return leave(state, desk, now, "chandelier")
    return NOTHING


def _on_bar(state: MomentumState, bar: Bar, parameters: Parameters[MomentumSettings]) -> Outputs:
    desk, market = state.desks[bar.instrument], parameters.markets[bar.instrument]
    now = bar.ts_init
    if bar.source is BarSource.FEED and not market.coarse and now >= state.history_until:
        return NOTHING
    _measure(desk, bar, parameters.section)
    if desk.holding is not None:
        outputs = _manage(state, desk, bar.close, now, parameters)
        if not outputs and desk.score * desk.holding.sign < parameters.section.leave:
            outputs = leave(state, desk, now, "trend gone", style=OrderStyle.LIMIT_IOC)
        outputs = outputs or _hold_time(state, desk, now)
    elif desk.idle:
        outputs = _evaluate(state, desk, bar, market, parameters.section)
    else:
        outputs = NOTHING
    _settle_ranges(desk, bar)
    return outputs


def _measure(desk: MomentumDesk, bar: Bar, section: MomentumSettings) -> None:
    """Update the windows, the score and the armed crossing."""
    desk.returns.push(bar.close)
    if not desk.returns.ready(2):
        return
    score = 0.0
    for index, weight in enumerate(_WEIGHTS):
        score += weight * tanh(desk.returns.zeta(index) / 2.0)
    desk.score = round(score, 9)
    over = 0
    if abs(desk.score) >= section.enter:
        over = 1 if desk.score > 0 else -1
    if over != desk.over:
        desk.armed = over
    desk.over = over


def _settle_ranges(desk: MomentumDesk, bar: Bar) -> None:
    """Move the look-back ranges past the bar that was just judged against them."""
    sign = desk.over
    if sign != desk.pullback_sign:
        desk.pullback_sign, desk.pullback = sign, 0.0
    if sign:
        extreme = desk.pull_range.highest if sign > 0 else desk.pull_range.lowest
        far = bar.low if sign > 0 else bar.high
        if (bar.close - extreme) * sign > 0.0:
            desk.pullback = 0.0
        else:
            desk.pullback = max(desk.pullback, (extreme - far) * sign)
    desk.quarters.push(bar.high, bar.low, bar.close, bar.ts_event)
    desk.pull_range.push(bar.high, bar.low, bar.close, bar.ts_event)


def _evaluate(
    state: MomentumState,
    desk: MomentumDesk,
    bar: Bar,
    market: Market,
    section: MomentumSettings,
) -> Outputs:
    """Judge a bar close while flat: one signal, or one refusal."""
    now, score = bar.ts_init, desk.score
    broken = _setup(desk, bar)
    ready = desk.returns.ready(2) and desk.quarters.ready
    refusal = _gates(state, desk, market, now, ready=ready)
    if refusal is None and not broken:
        refusal = ReasonCode.NO_SETUP, abs(score), section.enter
    quote = desk.quote
    if refusal is not None or quote is None:
        return refuse(state, desk, now, *(refusal or (ReasonCode.STALE, 0.0, 0.0)))
    desk.armed = 0
    plan = _plan(state, desk, quote, section, market)
    return (enter(state, desk, now, plan),)


def _setup(desk: MomentumDesk, bar: Bar) -> bool:
    """Whether the armed score breaks the day's range, or a shallow pullback has resumed."""
    sign = desk.over
    if not sign:
        return False
    edge = desk.quarters.highest if sign > 0 else desk.quarters.lowest
    if desk.armed == sign and (bar.close - edge) * sign > 0.0:
        return True
    near = desk.pull_range.highest if sign > 0 else desk.pull_range.lowest
    atr = desk.quarters.atr
    shallow = desk.pullback_sign == sign and 0.25 * atr <= desk.pullback <= atr
    return shallow and (bar.close - near) * sign > 0.0


def _gates(
    state: MomentumState, desk: MomentumDesk, market: Market, now: int, *, ready: bool
) -> tuple[ReasonCode, float, float] | None:
    """Layers DATA, REGIME and PACE, in this order."""
    if now < state.history_until or not ready:
        return ReasonCode.WARMING_UP, float(desk.returns.count), float(desk.returns.lengths[2])
    age = _quote_age(desk, now)
    limit = 2.0 * market.bar_ns / SECOND_NS if market.coarse else 5.0
    if age > limit:
        return ReasonCode.STALE, age, limit
    refusal = _regime_refusal(desk)
    return refusal or desk.pace.refusal(now, PACE)


def _quote_age(desk: MomentumDesk, now: int) -> float:
    return 1e9 if desk.quote is None else (now - desk.quote.ts_init) / SECOND_NS


def _regime_refusal(desk: MomentumDesk) -> tuple[ReasonCode, float, float] | None:
    """Refuse in RANGE, in a burst too hot or against the trend, and against the day's cycle."""
    if desk.regime not in MOMENTUM_TRADER.regimes:
        return ReasonCode.REGIME, 0.0, 0.0
    sign = 1 if desk.score > 0 else -1
    if desk.regime is Regime.IMPULSE:
        features = desk.frame.features if desk.frame is not None else None
        heat = features.z_30 if features is not None else inf
        drift = features.zeta_60 if features is not None else 0.0
        if not heat < 4.0 or not drift * sign > 0.0:
            return ReasonCode.REGIME, heat if heat == heat else 0.0, 4.0
    return None if _cycle_allows(desk, sign) else (ReasonCode.PHASE, float(sign), 0.0)


def _cycle_allows(desk: MomentumDesk, sign: int) -> bool:
    cycle = desk.axes.cycle if desk.axes is not None else None
    with_us = (Cycle.MARKUP, Phase.WATER_BULL) if sign > 0 else (Cycle.MARKDOWN, Phase.WATER_BEAR)
    against = (Cycle.MARKDOWN, Phase.WATER_BEAR) if sign > 0 else (Cycle.MARKUP, Phase.WATER_BULL)
    if cycle is with_us[0]:
        return True
    if cycle is against[0] or desk.phase is against[1]:
        return False
    return cycle is None or desk.phase is with_us[1]


def _plan(
    state: MomentumState,
    desk: MomentumDesk,
    quote: Quote,
    section: MomentumSettings,
    market: Market,
) -> Plan:
    """Plan an attempt's first order; the stop is 3 ranges away, at least 100 bp."""
    sign = desk.over
    rests = not market.coarse
    price = touch(quote, sign, passive=rests)
    wait = int(section.maker_seconds * SECOND_NS)
    order = first_order(quote, sign, rests=rests, wait_ns=wait)
    distance = max(section.trail_atr * desk.quarters.atr, price * section.stop_floor_bp / 1e4)
    days = section.long_hours / 24.0
    day = 1e4 * desk.returns.deviation(2) / sqrt(days)
    scale = min(1.0, section.target_day_volatility_bp / day) if day > 0.0 else 0.0
    tilt = tilt_of(state.reading, sign, quote.ts_init)
    strength = min(1.0, max(0.0, (abs(desk.score) - 0.3) / 0.6))
    cost = round_trip_bp(
        desk.specification, spread_bp(quote), maker_entry=rests, maker_exit=False
    ) + funding_bp(desk, market, sign, section)
    return Plan(
        sign=sign,
        style=order.style,
        limit=order.limit,
        scale=min(1.2, scale * tilt),
        ttl_ns=order.ttl_ns,
        stop=price - sign * distance,
        time_stop_ns=int(MOMENTUM_TRADER.time_stop_seconds) * SECOND_NS,
        strength=strength,
        quality=1.0 if desk.regime_ready or market.coarse else 0.5,
        edge_bp=0.25 * abs(desk.score) * day,
        cost_bp=cost,
        reason=f"trend score {desk.score:.3f}, day volatility {day:.0f} bp",
    )


def funding_bp(desk: MomentumDesk, market: Market, sign: int, section: MomentumSettings) -> float:
    """Return the funding cost in bp over the hold; without rates longs pay 1 bp per 8 h."""
    if market.specification.is_spot:
        return 0.0
    rate, interval = 1e-4, 8 * _HOUR_NS
    if desk.funding is not None and desk.funding.interval_ns > 0:
        rate, interval = desk.funding.rate, desk.funding.interval_ns
    return sign * rate * 1e4 * section.expected_hold_hours * _HOUR_NS / interval


def tilt_of(reading: SentimentReading | None, sign: int, now: int) -> float:
    """Return the contrarian size tilt 0.8 to 1.2 from a fear and greed index no older than 26 h."""
    if reading is None or reading.value is None or now - reading.ts_init > _READING_TTL_NS:
        return 1.0
    return 1.0 - 0.2 * sign * tanh((reading.value - 50.0) / 25.0)


def _take_instead(
    state: MomentumState,
    name: str,
    now: int,
    ended: Wish,
    parameters: Parameters[MomentumSettings],
) -> Outputs:
    """Follow an unfilled maker order with a taking one: a new signal of the same attempt."""
    desk = state.desks[name]
    quote = desk.quote
    if now - ended.published < ended.ttl_ns or quote is None or ended.stop is None:
        return NOTHING
    if desk.regime not in MOMENTUM_TRADER.regimes:
        return refuse(state, desk, now, ReasonCode.REGIME)
    if desk.over != ended.sign:
        return refuse(state, desk, now, ReasonCode.NO_SETUP, abs(desk.score), 0.0)
    met = touch(quote, ended.sign, passive=False)
    stop = met - ended.sign * abs((ended.limit or met) - ended.stop)
    market = parameters.markets[name]
    cost = round_trip_bp(
        desk.specification, spread_bp(quote), maker_entry=False, maker_exit=False
    ) + funding_bp(desk, market, ended.sign, parameters.section)
    order = first_order(quote, ended.sign, rests=False, wait_ns=0)
    plan = Plan(
        sign=ended.sign,
        style=order.style,
        limit=order.limit,
        scale=ended.scale,
        ttl_ns=order.ttl_ns,
        stop=stop,
        time_stop_ns=int(MOMENTUM_TRADER.time_stop_seconds) * SECOND_NS,
        strength=ended.strength,
        edge_bp=ended.edge_bp,
        cost_bp=cost,
        reason="taking after the maker order expired",
    )
    return (enter(state, desk, now, plan, stage=ended.stage + 1),)


class MomentumTrader(Strategy[MomentumState, MomentumSettings]):
    """Trend following on bars of any interval that divides 15 minutes."""

    row = MOMENTUM_TRADER
    listens = (Quote, Bar, Frame, FundingRate, SentimentReading, Heartbeat)
    section_type = MomentumSettings
    state_type = MomentumState
    step = staticmethod(step)

    @classmethod
    def open_desk(cls, market: Market, parameters: Parameters[MomentumSettings]) -> MomentumDesk:
        section = parameters.section
        hours = (section.short_hours, section.middle_hours, section.long_hours)
        pull_ns = int(section.short_hours * _HOUR_NS)
        return MomentumDesk(
            instrument=market.instrument,
            specification=market.specification,
            returns=ReturnWindow.of(
                *(max(2, int(one * _HOUR_NS) // market.bar_ns) for one in hours)
            ),
            quarters=Range(span_ns=_QUARTER_NS, depth=_DAY_NS // _QUARTER_NS),
            pull_range=Range(span_ns=_QUARTER_NS, depth=max(1, pull_ns // _QUARTER_NS)),
        )
