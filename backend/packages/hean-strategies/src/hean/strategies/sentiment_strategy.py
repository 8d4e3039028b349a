"""SentimentStrategy: a slow contrarian position from fear and greed, a fast one from fresh news.

Tetlock 2007, Giving content to investor sentiment. Weak: half of the index is price, it moves once
a day, and its extremes come in few long clusters. Its main use is the size tilt that
MomentumTrader reads; its own trades are watched in SHADOW.
"""

from __future__ import annotations

from math import exp, inf, tanh

import msgspec
from pydantic import Field

from hean.core.events import (
    Bar,
    BarSource,
    Event,
    Heartbeat,
    OrderStyle,
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
from hean.strategies.desk import Desk, mid, spread_bp, touch
from hean.strategies.pace import DAY_NS, SECOND_NS, PaceRules
from hean.strategies.spec import SENTIMENT_STRATEGY, tunable
from hean.strategies.universe import Market
from hean.strategies.windows import Range, ReturnWindow

_MINUTE_NS = 60 * SECOND_NS
_HOUR_NS = 3600 * SECOND_NS
_INDEX_TTL_NS = 26 * _HOUR_NS
_NEWS_TTL_NS = 30 * _MINUTE_NS
_IMPULSE_WAIT_NS = 5 * _MINUTE_NS
_SLOW_LIFE_NS = 14 * DAY_NS
_FAST_LIFE_NS = 6 * _HOUR_NS
_SLOW_CAP, _FAST_CAP = 1, 4
_HASHES = 256
_LOW_AGE_HOURS = 72
_Refusal = tuple[ReasonCode, float, float]


class SentimentSettings(StrategySection):
    """Tunables of SentimentStrategy; all are starting values."""

    score: float = tunable(SENTIMENT_STRATEGY, "score", 0.6)
    """Least averaged score of news, 0.4 to 0.8."""
    fear: float = tunable(SENTIMENT_STRATEGY, "fear", 20)
    """Index at or under which fear may be bought, 10 to 25."""
    greed: float = tunable(SENTIMENT_STRATEGY, "greed", 80)
    """Index at or over which greed may be sold, 75 to 90."""
    minimum_confidence: float = Field(default=0.75, ge=0.5, le=1.0)
    """Least mean confidence of the news sources."""
    minimum_readings: int = Field(default=10, ge=1, le=1000)
    """Fewest texts behind the news score."""
    slow_scale: float = Field(default=0.2, ge=0.01, le=0.2)
    """Size of the slow position, at most 0.2."""


class Source(msgspec.Struct, kw_only=True):
    """One news source: its averaged score, and what stood behind the newest reading."""

    score: float
    at: int
    confidence: float
    readings: int


class MoodDesk(Desk, kw_only=True):
    """Price context of one instrument, and which reading it has answered."""

    returns: ReturnWindow
    hours: Range
    closes: list[tuple[int, float]] = msgspec.field(default_factory=list[tuple[int, float]])
    slow: bool = False
    answered: str = ""
    """Hash of the news reading that became a signal."""
    answered_index: str = ""
    deferred_until: int = 0


class MoodState(DeskState[MoodDesk], kw_only=True):
    """All desks, the sources, the days' index, and what was read already."""

    sources: dict[str, Source] = msgspec.field(default_factory=dict[str, Source])
    known: list[str] = msgspec.field(default_factory=list[str])
    index: SentimentReading | None = None
    index_days: list[tuple[int, float]] = msgspec.field(default_factory=list[tuple[int, float]])
    news: SentimentReading | None = None
    day: int = -1
    slow_attempts: int = 0
    fast_attempts: int = 0


PACE = PaceRules(cooldown_ns=1800 * SECOND_NS)
_Run = Parameters[SentimentSettings]


def step(state: MoodState, event: Event, parameters: _Run) -> tuple[MoodState, Outputs]:
    """Take one event; see `Strategy.step`."""
    match event:
        case Quote():
            desk = state.desks[event.instrument]
            desk.quote = event
            if desk.holding is None:
                return state, NOTHING
            return state, _manage(state, desk, event.ts_init)
        case Bar():
            return state, _on_bar(state, event, parameters)
        case SentimentReading():
            return state, _on_reading(state, event, parameters)
        case Heartbeat():
            return state, _on_beat(state, event.ts_init, parameters)
        case _:
            return state, hear(state, event, PACE).outputs


def _on_reading(state: MoodState, event: SentimentReading, parameters: _Run) -> Outputs:
    """Drop what is known; take the rest, and judge it on every instrument."""
    if event.content_hash in state.known:
        return NOTHING
    state.known.append(event.content_hash)
    if len(state.known) > _HASHES:
        del state.known[0]
    now = event.ts_init
    if event.value is not None:
        state.index = event
        day = now // DAY_NS
        if not state.index_days or state.index_days[-1][0] != day:
            state.index_days.append((day, event.value))
        else:
            state.index_days[-1] = (day, event.value)
        del state.index_days[:-7]
        return NOTHING
    if now - event.ts_event > _NEWS_TTL_NS:
        age = (now - event.ts_event) / SECOND_NS
        outputs = NOTHING
        for desk in state.desks.values():
            if desk.idle:
                outputs += refuse(state, desk, now, ReasonCode.STALE, age, _NEWS_TTL_NS / SECOND_NS)
        return outputs
    _average(state, event)
    state.news = event
    outputs = NOTHING
    for market in parameters.markets.values():
        outputs += _judge_news(state, market, now, parameters.section)
    return outputs


def _average(state: MoodState, event: SentimentReading) -> None:
    """Move a source's score toward the new reading: what is two hours old counts half."""
    known = state.sources.get(event.source)
    score = event.score
    if known is not None:
        kept = 0.5 ** ((event.ts_init - known.at) / (2.0 * _HOUR_NS)) / 2.0
        score = kept * known.score + (1.0 - kept) * event.score
    state.sources[event.source] = Source(
        score=score, at=event.ts_init, confidence=event.confidence, readings=event.readings
    )


def _on_beat(state: MoodState, now: int, parameters: _Run) -> Outputs:
    """Watch time stops, and come back to what an impulse had deferred."""
    outputs = NOTHING
    for market in parameters.markets.values():
        desk = state.desks[market.instrument]
        if desk.holding is not None:
            outputs += _manage(state, desk, now) or guard_stop(state, desk, now)
        elif 0 < desk.deferred_until <= now:
            desk.deferred_until = 0
            outputs += _judge_news(state, market, now, parameters.section)
    return outputs


def _manage(state: MoodState, desk: MoodDesk, now: int) -> Outputs:
    """Leave at the target, when the mood is back to neutral, or by time."""
    holding, quote = desk.holding, desk.quote
    if holding is None:
        return NOTHING
    life = _SLOW_LIFE_NS if desk.slow else _FAST_LIFE_NS
    if now - holding.opened_at >= life:
        return leave(state, desk, now, "time stop")
    index = state.index
    if desk.slow:
        if index is not None and index.value is not None and 40.0 <= index.value <= 60.0:
            return leave(state, desk, now, "mood is neutral", style=OrderStyle.LIMIT_IOC)
        return NOTHING
    if quote is None or not holding.targets:
        return NOTHING
    if (mid(quote) - holding.targets[0]) * holding.sign < 0.0:
        return NOTHING
    return leave(state, desk, now, "target", style=OrderStyle.LIMIT_IOC)


def _on_bar(state: MoodState, bar: Bar, parameters: _Run) -> Outputs:
    desk, market = state.desks[bar.instrument], parameters.markets[bar.instrument]
    if bar.source is BarSource.FEED and not market.coarse and bar.ts_init >= state.history_until:
        return NOTHING
    desk.returns.push(bar.close)
    desk.closes.append((bar.ts_init, bar.close))
    del desk.closes[:-64]
    whole = desk.hours.push(bar.high, bar.low, bar.close, bar.ts_event)
    if not whole or not desk.idle or state.index is None:
        return NOTHING
    return _judge_index(state, market, bar.ts_init, parameters.section)


def _gates(
    state: MoodState, market: Market, desk: MoodDesk, now: int, *, slow: bool
) -> _Refusal | None:
    """Layers DATA, REGIME (the wait in an impulse) and PACE."""
    if now < state.history_until or not desk.returns.ready(1):
        return ReasonCode.WARMING_UP, float(desk.returns.count), float(desk.returns.lengths[1])
    oldest = 2 * market.bar_ns if market.coarse else 5 * SECOND_NS
    age = inf if desk.quote is None else now - desk.quote.ts_init
    if age > oldest or not desk.closes or now - desk.closes[-1][0] > 2 * market.bar_ns:
        return ReasonCode.STALE, min(age / SECOND_NS, 1e9), oldest / SECOND_NS
    if desk.regime is Regime.IMPULSE and now - desk.regime_since < _IMPULSE_WAIT_NS:
        desk.deferred_until = 0 if slow else desk.regime_since + _IMPULSE_WAIT_NS
        return ReasonCode.REGIME, (now - desk.regime_since) / SECOND_NS, 300.0
    made = state.slow_attempts if slow else state.fast_attempts
    cap = _SLOW_CAP if slow else _FAST_CAP
    if state.day == now // DAY_NS and made >= cap:
        return ReasonCode.DAILY_CAP, float(made), float(cap)
    return desk.pace.refusal(now, PACE)


def _judge_news(state: MoodState, market: Market, now: int, section: SentimentSettings) -> Outputs:
    """Judge the newest news reading while flat: one signal, or one refusal."""
    desk, news = state.desks[market.instrument], state.news
    if news is None or not desk.idle or desk.answered == news.content_hash:
        return NOTHING
    if now - min(news.ts_event, news.ts_init) > _NEWS_TTL_NS:
        age = (now - news.ts_event) / SECOND_NS
        return refuse(state, desk, now, ReasonCode.STALE, age, _NEWS_TTL_NS / SECOND_NS)
    refusal = _gates(state, market, desk, now, slow=False)
    if refusal is not None:
        return refuse(state, desk, now, *refusal)
    fresh = [one for one in state.sources.values() if now - one.at <= _NEWS_TTL_NS]
    total, confidence, readings = 0.0, 0.0, 0
    for one in fresh:
        total += one.score
        confidence += one.confidence
        readings += one.readings
    count = max(1, len(fresh))
    score, confidence = total / count, confidence / count
    sign = 1 if score > 0.0 else -1
    agreeing = sum(1 for one in fresh if one.score * sign > 0.0)
    refusal = _news_refusal(desk, news, sign, (score, confidence), section)
    if agreeing < 2 or agreeing < len(fresh):
        refusal = ReasonCode.CONFIRM, float(agreeing), float(max(2, len(fresh)))
    elif readings < section.minimum_readings:
        refusal = ReasonCode.PARTICIPATION, float(readings), float(section.minimum_readings)
    if refusal is not None:
        return refuse(state, desk, now, *refusal)
    strength = abs(score) * confidence * agreeing / count
    desk.slow, desk.answered = False, news.content_hash
    _count(state, now, slow=False)
    plan = _plan(desk, market, sign, strength, f"news score {score:.2f} of {agreeing} sources")
    return (enter(state, desk, now, plan),)


def _news_refusal(
    desk: MoodDesk,
    news: SentimentReading,
    sign: int,
    mood: tuple[float, float],
    section: SentimentSettings,
) -> _Refusal | None:
    score, confidence = mood
    if abs(score) < section.score:
        return ReasonCode.SIZE, abs(score), section.score
    if confidence < section.minimum_confidence:
        return ReasonCode.PARTICIPATION, confidence, section.minimum_confidence
    published = min(news.ts_event, news.ts_init)
    before = desk.closes[0][1]
    for at, close in desk.closes:
        if at > published:
            break
        before = close
    moved = (desk.closes[-1][1] / before - 1.0) * sign
    usual = desk.returns.deviation(0)
    return (ReasonCode.EXHAUSTION, moved * 1e4, usual * 1e4) if moved >= usual else None


def _judge_index(state: MoodState, market: Market, now: int, section: SentimentSettings) -> Outputs:
    """Judge fear and greed at each whole hour: only an extreme can become a signal."""
    desk, index = state.desks[market.instrument], state.index
    if index is None or index.value is None or desk.answered_index == index.content_hash:
        return NOTHING
    fearful = index.value <= section.fear
    if not fearful and index.value < section.greed:
        nearest = section.fear if index.value < 50.0 else section.greed
        return refuse(state, desk, now, ReasonCode.NO_SETUP, index.value, float(nearest))
    sign = 1 if fearful else -1
    age = now - index.ts_init
    refusal = _gates(state, market, desk, now, slow=True)
    if age > _INDEX_TTL_NS:
        refusal = ReasonCode.STALE, age / SECOND_NS, _INDEX_TTL_NS / SECOND_NS
    if refusal is None:
        refusal = _index_refusal(state, desk, sign, section)
    if refusal is not None:
        return refuse(state, desk, now, *refusal)
    strength = abs(tanh((index.value - 50.0) / 25.0)) * index.confidence
    desk.slow, desk.answered_index = True, index.content_hash
    _count(state, now, slow=True)
    plan = _plan(desk, market, sign, strength, f"fear and greed {index.value:.0f}", section)
    return (enter(state, desk, now, plan),)


def _index_refusal(
    state: MoodState, desk: MoodDesk, sign: int, section: SentimentSettings
) -> _Refusal | None:
    """Demand an extreme on three of seven days, and a price that has turned after its own."""
    held = 0
    for _, value in state.index_days:
        held += (value <= section.fear) if sign > 0 else (value >= section.greed)
    if held < 3:
        return ReasonCode.NO_SETUP, float(held), 3.0
    if not desk.hours.ready:
        return ReasonCode.WARMING_UP, float(desk.hours.bars), float(desk.hours.depth)
    trend = desk.returns.zeta(1) * sign
    if trend < 0.0:
        return ReasonCode.HORIZONS, trend, 0.0
    ends = desk.hours.lows if sign > 0 else desk.hours.highs
    extreme = desk.hours.lowest if sign > 0 else desk.hours.highest
    hours = float(len(ends) - 1 - ends.index(extreme))
    return (ReasonCode.CONFIRM, hours, float(_LOW_AGE_HOURS)) if hours > _LOW_AGE_HOURS else None


def _count(state: MoodState, now: int, *, slow: bool) -> None:
    day = now // DAY_NS
    if day != state.day:
        state.day, state.slow_attempts, state.fast_attempts = day, 0, 0
    if slow:
        state.slow_attempts += 1
    else:
        state.fast_attempts += 1


def _plan(
    desk: MoodDesk,
    market: Market,
    sign: int,
    strength: float,
    reason: str,
    slow: SentimentSettings | None = None,
) -> Plan:
    """Plan a resting order of five minutes; `slow` are the settings of a slow position."""
    quote = desk.quote
    price = touch(quote, sign, passive=True) if quote is not None else desk.closes[-1][1]
    spread = spread_bp(quote) if quote is not None else 0.0
    day = desk.returns.deviation(1)
    stop = price * exp(-sign * 2.0 * day) if slow else price * (1.0 - sign * 0.01)
    wait = 5 * _MINUTE_NS
    return Plan(
        sign=sign,
        style=OrderStyle.POST_ONLY,
        limit=price,
        scale=slow.slow_scale if slow else 1.0,
        ttl_ns=max(wait, 2 * market.bar_ns) if market.coarse else wait,
        stop=stop,
        targets=() if slow else (price * (1.0 + sign * 0.02),),
        time_stop_ns=_SLOW_LIFE_NS if slow else _FAST_LIFE_NS,
        strength=min(1.0, strength),
        edge_bp=1e4 * day * strength * 0.1,
        cost_bp=round_trip_bp(desk.specification, spread, maker_entry=True, maker_exit=False),
        reason=reason,
    )


class SentimentStrategy(Strategy[MoodState, SentimentSettings]):
    """Answers readings as they are received, never as they were stamped."""

    row = SENTIMENT_STRATEGY
    listens = (Quote, Bar, SentimentReading, Heartbeat)
    section_type = SentimentSettings
    state_type = MoodState
    step = staticmethod(step)

    @classmethod
    def open_desk(cls, market: Market, parameters: _Run) -> MoodDesk:
        lengths = max(2, _HOUR_NS // market.bar_ns), max(3, DAY_NS // market.bar_ns)
        return MoodDesk(
            instrument=market.instrument,
            specification=market.specification,
            returns=ReturnWindow.of(*lengths),
            hours=Range(span_ns=_HOUR_NS, depth=120),
        )
