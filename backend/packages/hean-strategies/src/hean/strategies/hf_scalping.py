"""HFScalping: a move of seconds, forecast by order flow and the micro-price.

Cont, Kukanov, Stoikov 2014, The price impact of order book events; Stoikov 2018, The micro-price.
No edge is expected at entry-tier fees: the forecast earns 0.15 to 0.3 bp against 4 to 11 bp of
cost. It is watched in the shadow book, and a rebate would change the arithmetic.
"""

from __future__ import annotations

from math import nan, sqrt

import msgspec
from pydantic import Field

from hean.core.events import (
    BookUpdate,
    Event,
    FeedGap,
    Frame,
    FundingRate,
    Heartbeat,
    Liquidity,
    OrderFilled,
    OrderStyle,
    PositionClosed,
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
    pull,
    refuse,
    round_trip_bp,
)
from hean.strategies.desk import Desk, book_refusal, may_open_short, micro_bp, mid, spread_bp, touch
from hean.strategies.pace import DAY_NS, SECOND_NS, PaceRules, Refusal
from hean.strategies.quote_model import Markouts
from hean.strategies.settlement import SettlementClock
from hean.strategies.spec import HF_SCALPING, tunable
from hean.strategies.universe import Market
from hean.strategies.windows import Average

_BOOK_MAX_AGE_NS = SECOND_NS // 2
_FUNDING_QUIET_NS = 60 * SECOND_NS
_REGIME_SETTLED_NS = 30 * SECOND_NS
_GAP_QUIET_NS = SECOND_NS
_NOISE_HALF_LIFE = 600.0
_NOISE_WARM_UP = 300


class ScalpingSettings(StrategySection):
    """Tunables of HFScalping; all are starting values."""

    ofi_half_life: float = tunable(HF_SCALPING, "ofi_half_life", 5)
    """Seconds of order flow the forecast looks back, 1 to 10; the nearest of 1, 5, 10 is read."""
    entry_noise: float = tunable(HF_SCALPING, "entry_noise", 1.5)
    """Size of the forecast in its own noise that triggers, 1 to 3."""
    ttl_seconds: float = tunable(HF_SCALPING, "ttl_seconds", 3)
    """Seconds the order rests, 1 to 10."""
    vpin_limit: float = tunable(HF_SCALPING, "vpin_limit", 0.7)
    """Percentile of flow toxicity above which it stays out, 0.5 to 0.9."""
    micro_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of the weighted mid's distance from mid that is believed where no table is fitted."""
    spread_limit: float = Field(default=1.5, ge=1.0, le=5.0)
    """Widest spread in units of its own average."""
    hold_seconds: float = Field(default=60.0, ge=10.0, le=60.0)
    """Seconds after which the exit starts, as a maker."""
    last_seconds: float = Field(default=90.0, ge=60.0, le=90.0)
    """Seconds by which the position must be gone; the last ten are taken."""


class ScalpingDesk(Desk, kw_only=True):
    """The newest frame's features, the forecast, and its own noise."""

    frame: Frame | None = None
    flow_bp: float = nan
    """The part of the forecast that order flow gives, constant inside a second."""
    forecast: float = nan
    noise: Average
    noise_bp: float = nan
    book_at: int = -1
    settlement: SettlementClock = msgspec.field(default_factory=SettlementClock)
    markouts: Markouts = msgspec.field(default_factory=Markouts)
    target: float = nan
    asked: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


class ScalpingState(DeskState[ScalpingDesk], kw_only=True):
    """All desks and the day's attempts over all of them."""

    day: int = -1
    attempts: int = 0


PACE = PaceRules(cooldown_ns=30 * SECOND_NS, losses=2, pause_ns=900 * SECOND_NS)
_Run = Parameters[ScalpingSettings]


def step(state: ScalpingState, event: Event, parameters: _Run) -> tuple[ScalpingState, Outputs]:
    """Take one event; see `Strategy.step`."""
    kind = type(event)
    if kind is Quote:
        return state, _on_quote(state, event, parameters.section)  # type: ignore[arg-type]
    if kind is BookUpdate:
        state.desks[event.instrument].book_at = event.ts_init  # type: ignore[attr-defined]
        return state, NOTHING
    match event:
        case Frame():
            return state, _on_frame(state, event, parameters.section)
        case Heartbeat():
            return state, _on_beat(state, event.ts_init, parameters.section)
        case FundingRate():
            state.desks[event.instrument].settlement.take(event)
            return state, NOTHING
        case _:
            return state, _on_report(state, event)


def _on_report(state: ScalpingState, event: Event) -> Outputs:
    heard = hear(state, event, PACE)
    if isinstance(event, OrderFilled) and event.liquidity is Liquidity.MAKER:
        markouts = state.desks[event.instrument].markouts
        markouts.on_fill(event.ts_init, event.side.sign, float(event.price))
    if isinstance(event, FeedGap) and event.instrument in state.desks:
        state.desks[event.instrument].book_at = -1
    if isinstance(event, PositionClosed) and heard.desk:
        state.desks[heard.desk].target = nan
    return heard.outputs


def _on_quote(state: ScalpingState, event: Quote, section: ScalpingSettings) -> Outputs:
    """Refresh the forecast; manage what is open; evaluate when the touch has moved."""
    desk = state.desks[event.instrument]
    desk.quote = event
    flow = desk.flow_bp
    if flow != flow:
        return NOTHING
    desk.forecast = forecast = flow + micro_bp(desk, event, section.micro_share)
    if desk.holding is not None:
        return _manage(state, desk, event.ts_init, section)
    if desk.entry is not None:
        return _withdraw(state, desk, event.ts_init)
    if abs(forecast) < section.entry_noise * desk.noise_bp or desk.noise_bp != desk.noise_bp:
        return NOTHING
    asked = (event.bid, event.ask, event.bid_size, event.ask_size)
    if asked == desk.asked:
        return NOTHING
    desk.asked = asked
    return _evaluate(state, desk, event, section)


def _on_frame(state: ScalpingState, event: Frame, section: ScalpingSettings) -> Outputs:
    """Take the second's features; while they warm up, each frame is an evaluation of its own."""
    desk, features = state.desks[event.instrument], event.features
    desk.frame = event
    if section.ofi_half_life <= 2.5:
        flow = features.ofi_1
    elif section.ofi_half_life <= 7.5:
        flow = features.ofi_5
    else:
        flow = features.ofi_10
    desk.flow_bp = features.beta_15 * flow
    desk.asked = (0.0, 0.0, 0.0, 0.0)
    quote = desk.quote
    if quote is None:
        return NOTHING
    desk.markouts.on_second(event.ts_init, mid(quote))
    if desk.flow_bp != desk.flow_bp or desk.noise.count < _NOISE_WARM_UP:
        if desk.flow_bp == desk.flow_bp:
            _learn_noise(desk, quote, section)
        if desk.holding is not None or not desk.idle:
            return NOTHING
        count = float(desk.noise.count)
        return refuse(
            state, desk, event.ts_init, ReasonCode.WARMING_UP, count, float(_NOISE_WARM_UP)
        )
    _learn_noise(desk, quote, section)
    return NOTHING


def _learn_noise(desk: ScalpingDesk, quote: Quote, section: ScalpingSettings) -> None:
    desk.forecast = desk.flow_bp + micro_bp(desk, quote, section.micro_share)
    desk.noise.push(desk.forecast)
    if desk.noise.count >= _NOISE_WARM_UP:
        desk.noise_bp = desk.noise.deviation


def _on_beat(state: ScalpingState, now: int, section: ScalpingSettings) -> Outputs:
    outputs = NOTHING
    for desk in state.desks.values():
        if desk.holding is not None:
            outputs += _manage(state, desk, now, section)
    return outputs


def _withdraw(state: ScalpingState, desk: ScalpingDesk, now: int) -> Outputs:
    """Pull a resting entry whose forecast has flipped."""
    entry = desk.entry
    if entry is None or desk.exit is not None or desk.forecast * entry.sign >= 0.0:
        return NOTHING
    if entry.style is not OrderStyle.POST_ONLY or entry.stage < 0:
        return NOTHING
    entry.stage = -1
    return pull(state, desk, now, "forecast flipped")


def _manage(
    state: ScalpingState, desk: ScalpingDesk, now: int, section: ScalpingSettings
) -> Outputs:
    """Leave at the target as a maker, on reversal or time; the last ten seconds are taken."""
    holding, quote = desk.holding, desk.quote
    if holding is None or quote is None:
        return leave(state, desk, now, "no quote") if holding is not None else NOTHING
    held = now - holding.opened_at
    if held >= int((section.last_seconds - 10.0) * SECOND_NS):
        late = held >= int(section.last_seconds * SECOND_NS) - SECOND_NS
        style = OrderStyle.MARKET if late else OrderStyle.LIMIT_IOC
        return leave(state, desk, now, "time", style=style)
    noise = section.entry_noise * desk.noise_bp
    if desk.forecast * holding.sign <= -noise:
        return leave(state, desk, now, "forecast reversed", style=OrderStyle.LIMIT_IOC)
    if desk.exit is not None and _beyond_stop(desk, quote):
        return leave(state, desk, now, "stop", style=OrderStyle.LIMIT_IOC)
    near = quote.ask if holding.sign > 0 else quote.bid
    if holding.targets and (near - holding.targets[0]) * holding.sign >= 0.0:
        return _leave_passively(state, desk, now, "target", 3 * SECOND_NS)
    if held >= int(section.hold_seconds * SECOND_NS):
        rest = int((section.last_seconds - 10.0) * SECOND_NS) - held
        return _leave_passively(state, desk, now, "time", rest)
    return guard_stop(state, desk, now, 2 * SECOND_NS)


def _beyond_stop(desk: ScalpingDesk, quote: Quote) -> bool:
    """Whether price is beyond the stop: a resting exit has taken the venue's own away."""
    holding = desk.holding
    if holding is None or holding.stop is None:
        return False
    return (mid(quote) - holding.stop) * holding.sign <= 0.0


def _leave_passively(
    state: ScalpingState, desk: ScalpingDesk, now: int, reason: str, ttl_ns: int
) -> Outputs:
    """Rest at the touch once; what that leaves is taken."""
    style = OrderStyle.POST_ONLY if desk.exits == 0 else OrderStyle.LIMIT_IOC
    if style is OrderStyle.LIMIT_IOC and reason == "time" and desk.exits == 1:
        return NOTHING
    return leave(state, desk, now, reason, style=style, ttl_ns=ttl_ns)


def _evaluate(
    state: ScalpingState, desk: ScalpingDesk, quote: Quote, section: ScalpingSettings
) -> Outputs:
    """Judge a forecast beyond its noise: one signal, or one refusal."""
    now, frame = quote.ts_init, desk.frame
    if frame is None:
        return refuse(state, desk, now, ReasonCode.WARMING_UP)
    sign = 1 if desk.forecast > 0.0 else -1
    refusal = _gates(state, desk, quote, now) or _conditions(desk, frame, quote, sign, section)
    if refusal is not None:
        return refuse(state, desk, now, *refusal)
    plan = _plan(desk, frame, quote, sign, section)
    day = now // DAY_NS
    if day != state.day:
        state.day, state.attempts = day, 0
    state.attempts += 1
    return (enter(state, desk, now, plan),)


def _gates(state: ScalpingState, desk: ScalpingDesk, quote: Quote, now: int) -> Refusal | None:
    """Layers DATA, SESSION, REGIME and PACE."""
    if now < state.history_until or not desk.regime_ready:
        return ReasonCode.WARMING_UP, 0.0, 0.0
    stale = book_refusal(desk.book_at, now, _BOOK_MAX_AGE_NS)
    if stale is not None:
        return stale
    frame = desk.frame
    if frame is None or now - frame.ts_init > 2 * SECOND_NS:
        return ReasonCode.STALE, 0.0, 2.0
    session = desk.settlement.refusal(now, desk.specification, _FUNDING_QUIET_NS)
    if session is not None:
        return session
    if desk.regime not in HF_SCALPING.regimes or now - desk.regime_since < _REGIME_SETTLED_NS:
        return ReasonCode.REGIME, (now - desk.regime_since) / SECOND_NS, 30.0
    if state.day == now // DAY_NS and state.attempts >= HF_SCALPING.daily_cap:
        return ReasonCode.DAILY_CAP, float(state.attempts), float(HF_SCALPING.daily_cap)
    return desk.pace.refusal(now, PACE)


def _conditions(
    desk: ScalpingDesk, frame: Frame, quote: Quote, sign: int, section: ScalpingSettings
) -> Refusal | None:
    """Judge spread, toxicity, and where the move would go."""
    features, spread = frame.features, spread_bp(quote)
    widest = section.spread_limit * features.spread_mean_bp
    if not spread <= widest:
        return ReasonCode.LIQ, spread, widest if widest == widest else 0.0
    toxicity = features.vpin_percentile
    if toxicity > section.vpin_limit:
        return ReasonCode.TOXICITY, toxicity, section.vpin_limit
    if desk.regime is Regime.RANGE:
        room = 1e4 * (features.vwap_60 / mid(quote) - 1.0) * sign
        if not room > 0.0:
            return ReasonCode.EXHAUSTION, room if room == room else 0.0, 0.0
    else:
        drift = features.zeta_300 * sign
        if not drift >= -0.5:
            return ReasonCode.HORIZONS, drift if drift == drift else 0.0, -0.5
    if sign < 0 and not may_open_short(desk.specification):
        return ReasonCode.NO_BORROW, 0.0, 0.0
    return None


def _plan(
    desk: ScalpingDesk, frame: Frame, quote: Quote, sign: int, section: ScalpingSettings
) -> Plan:
    """Plan a resting order at the touch; it takes only where the forecast pays twice for it.

    What own maker fills lost by later mids is part of the resting way's cost, once it is known.
    """
    spread, forecast = spread_bp(quote), abs(desk.forecast)
    rules, features = desk.specification, frame.features
    adverse = (desk.markouts.adverse_bp(1, 0.0) + desk.markouts.adverse_bp(-1, 0.0)) / 2.0
    cost = round_trip_bp(rules, spread, maker_entry=True, maker_exit=True, adverse_bp=adverse)
    taking = round_trip_bp(rules, spread, maker_entry=False, maker_exit=False)
    takes = forecast >= 1.5 * taking
    price = touch(quote, sign, passive=not takes)
    minute = 1e4 * features.sigma_fast * sqrt(60.0)
    target = max(1.2 * minute, 3.0 * (taking if takes else cost), spread)
    quality = 1.0 if features.vpin_percentile == features.vpin_percentile else 0.5
    return Plan(
        sign=sign,
        style=OrderStyle.LIMIT_IOC if takes else OrderStyle.POST_ONLY,
        limit=capped(price, sign, 1.0) if takes else price,
        ttl_ns=int(section.ttl_seconds * SECOND_NS),
        stop=price * (1.0 - sign * 1.2 * target / 1e4),
        targets=(price * (1.0 + sign * target / 1e4),),
        time_stop_ns=int(section.last_seconds * SECOND_NS),
        strength=min(1.0, forecast / (3.0 * desk.noise_bp)) if desk.noise_bp > 0.0 else 1.0,
        quality=quality if not quote.conflated else quality / 2.0,
        edge_bp=forecast,
        cost_bp=taking if takes else cost,
        reason=f"forecast {desk.forecast:.3f} bp, noise {desk.noise_bp:.3f} bp",
    )


class HFScalping(Strategy[ScalpingState, ScalpingSettings]):
    """Rests at the touch for three seconds where flow and book lean the same way."""

    row = HF_SCALPING
    listens = (Quote, BookUpdate, Frame, FundingRate, Heartbeat)
    section_type = ScalpingSettings
    state_type = ScalpingState
    step = staticmethod(step)

    @classmethod
    def open_desk(cls, market: Market, parameters: _Run) -> ScalpingDesk:
        return ScalpingDesk(
            instrument=market.instrument,
            specification=market.specification,
            noise=Average(half_life=_NOISE_HALF_LIFE),
        )
