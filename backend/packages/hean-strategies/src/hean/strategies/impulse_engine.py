"""ImpulseEngine: joins a fresh, broad, flow-backed burst after twelve layers agree.

Cont, Cucuringu, Zhang 2023, Cross-impact of order flow imbalance; Wen et al. 2022, Intraday
predictability in crypto: momentum, reversal, or both. Doubtful: the direction after a burst is
undecided in the literature, and at a stop of 30 bp the cost is a third of the risk.
"""

from __future__ import annotations

from math import sqrt

import msgspec
from pydantic import Field

from hean.core.events import (
    BookUpdate,
    Event,
    FeedGap,
    Frame,
    FrameFeatures,
    FundingRate,
    Heartbeat,
    OrderStyle,
    Phase,
    PositionClosed,
    Quote,
    ReasonCode,
    Regime,
    Trade,
)
from hean.strategies.base import DeskState, Parameters, Strategy, StrategySection, hear
from hean.strategies.decisions import (
    NOTHING,
    Outputs,
    Plan,
    enter,
    guard_stop,
    leave,
    reduce,
    refuse,
    round_trip_bp,
)
from hean.strategies.desk import Desk, Holding, may_open_short, mid, spread_bp, touch
from hean.strategies.pace import DAY_NS, SECOND_NS, PaceRules, Refusal
from hean.strategies.reversal_model import VETO, ReversalModel, judged
from hean.strategies.settlement import SettlementClock
from hean.strategies.spec import IMPULSE_ENGINE, tunable

_BOOK_MAX_AGE_NS = SECOND_NS // 2
_TRADE_MAX_AGE_NS = 2 * SECOND_NS
_GAP_QUIET_NS = 60 * SECOND_NS
_FUNDING_QUIET_NS = 120 * SECOND_NS
_HOUR_NS = 3600 * SECOND_NS
_CONFIRM_NS = 5 * SECOND_NS
_TTL_NS = 2 * SECOND_NS
_RETRACE = 0.38
_LEARNT_NS = 14 * DAY_NS


class ImpulseSettings(StrategySection):
    """Tunables of ImpulseEngine; all are starting values."""

    size_z: float = tunable(IMPULSE_ENGINE, "size_z", 4)
    """Least size of the burst in slow deviations, 3 to 6."""
    volatility_expansion: float = tunable(IMPULSE_ENGINE, "volatility_expansion", 1.5)
    """Least fast over slow volatility, 1.2 to 2.5."""
    flow: float = tunable(IMPULSE_ENGINE, "flow", 1)
    """Least order-flow imbalance of ten seconds in the burst's direction, 0.5 to 2."""
    stop_atr: float = tunable(IMPULSE_ENGINE, "stop_atr", 1.5)
    """Stop in one-minute average true ranges, 1 to 3."""
    trail_atr: float = tunable(IMPULSE_ENGINE, "trail_atr", 2)
    """Trail in one-minute average true ranges, 1.5 to 4."""
    least_move_bp: float = Field(default=15.0, ge=5.0, le=100.0)
    """Least move of thirty seconds in bp, whatever its deviations."""
    reversal_model: ReversalModel = None
    """A fitted model that may veto a burst, as JSON: version, intercept, weights by feature."""


class Candidate(msgspec.Struct, kw_only=True):
    """A burst that passed eleven layers and waits to be confirmed."""

    sign: int
    since: int
    price: float
    origin: float
    extreme: float
    pulled: bool = False
    scale: float = 1.0
    strength: float = 0.0
    move: float = 0.0
    said: str = ""
    """What the veto's model says of it, for the record."""


class ImpulseDesk(Desk, kw_only=True):
    """The newest frame, thirty seconds of returns, and a candidate."""

    frame: Frame | None = None
    ring: list[int] = msgspec.field(default_factory=lambda: [0] * 30)
    frames: int = 0
    total: int = 0
    first_frame: int = 0
    book_at: int = -1
    trade_at: int = -1
    settlement: SettlementClock = msgspec.field(default_factory=SettlementClock)
    candidate: Candidate | None = None
    risk: float = 0.0
    """R of the open plan, in price."""
    broke_even: bool = False


class ImpulseState(DeskState[ImpulseDesk], kw_only=True):
    """All desks and the day's attempts over all of them."""

    day: int = -1
    attempts: int = 0


PACE = PaceRules(cooldown_ns=120 * SECOND_NS, losses=2, pause_ns=1800 * SECOND_NS)
_Run = Parameters[ImpulseSettings]


def step(state: ImpulseState, event: Event, parameters: _Run) -> tuple[ImpulseState, Outputs]:
    """Take one event; see `Strategy.step`."""
    kind = type(event)
    if kind is Quote:
        return state, _on_quote(state, event, parameters.section)  # type: ignore[arg-type]
    if kind is Trade:
        state.desks[event.instrument].trade_at = event.ts_init  # type: ignore[attr-defined]
        return state, NOTHING
    if kind is BookUpdate:
        state.desks[event.instrument].book_at = event.ts_init  # type: ignore[attr-defined]
        return state, NOTHING
    match event:
        case Frame():
            return state, _on_frame(state, event, parameters.section)
        case Heartbeat():
            outputs = NOTHING
            for desk in state.desks.values():
                if desk.holding is not None:
                    outputs += _manage(state, desk, event.ts_init, parameters.section)
            return state, outputs
        case FundingRate():
            state.desks[event.instrument].settlement.take(event)
            return state, NOTHING
        case _:
            heard = hear(state, event, PACE)
    if isinstance(event, FeedGap) and heard.desk:
        desk = state.desks[heard.desk]
        desk.book_at, desk.candidate = -1, None
    if isinstance(event, PositionClosed) and heard.desk:
        state.desks[heard.desk].broke_even = False
    return state, heard.outputs


def _on_quote(state: ImpulseState, event: Quote, section: ImpulseSettings) -> Outputs:
    desk = state.desks[event.instrument]
    desk.quote = event
    if desk.holding is not None:
        return _manage(state, desk, event.ts_init, section)
    found = desk.candidate
    if found is None:
        return NOTHING
    price = mid(event)
    if (price - found.extreme) * found.sign < -0.0005 * price:
        found.pulled = True
    return NOTHING


def _on_frame(state: ImpulseState, event: Frame, section: ImpulseSettings) -> Outputs:
    """Judge the second's close: one signal, one refusal, or a candidate that waits."""
    desk = state.desks[event.instrument]
    desk.frame = event
    place = desk.frames % 30
    desk.total += event.return_e9 - desk.ring[place]
    desk.ring[place] = event.return_e9
    desk.frames += 1
    if desk.first_frame == 0:
        desk.first_frame = event.ts_init
    quote, now = desk.quote, event.ts_init
    if quote is None or not desk.idle:
        return NOTHING
    if desk.candidate is not None:
        return _confirm(state, desk, desk.candidate, quote, now, section)
    refusal = _early(state, desk, event.features, now)
    if refusal is not None:
        return refuse(state, desk, now, *refusal)
    sign = 1 if desk.total > 0 else -1
    refusal = _layers(desk, event.features, quote, sign, section)
    if refusal is not None:
        return refuse(state, desk, now, *refusal)
    chance, said = judged(section.reversal_model, event.features, sign)
    if chance > VETO:
        return refuse(state, desk, now, ReasonCode.EXHAUSTION, chance, VETO)
    price = mid(quote)
    move = abs(desk.total) / 1e9
    desk.candidate = Candidate(
        sign=sign,
        since=now,
        price=price,
        origin=price * (1.0 - sign * move),
        extreme=price,
        scale=1.0 if desk.regime is Regime.IMPULSE else 0.5,
        strength=_strength(event.features, sign, section),
        move=move * price,
        said=said,
    )
    return NOTHING


def _early(
    state: ImpulseState, desk: ImpulseDesk, features: FrameFeatures, now: int
) -> Refusal | None:
    """Layers 1 to 4: DATA, SESSION, REGIME, PACE."""
    ready = features.z_30 == features.z_30 and features.atr_60 == features.atr_60
    if now < state.history_until or desk.frames < 30 or not ready or not desk.regime_ready:
        return ReasonCode.WARMING_UP, float(desk.frames), 30.0
    if desk.gap_at >= 0 and now - desk.gap_at < _GAP_QUIET_NS:
        return ReasonCode.BOOK_GAP, (now - desk.gap_at) / SECOND_NS, 60.0
    for at, oldest in ((desk.book_at, _BOOK_MAX_AGE_NS), (desk.trade_at, _TRADE_MAX_AGE_NS)):
        if at < 0 or now - at > oldest:
            return ReasonCode.STALE, (now - at) / SECOND_NS, oldest / SECOND_NS
    session = _session(desk, features, now)
    if session is not None:
        return session
    if desk.phase is Phase.VAPOR:
        return ReasonCode.PHASE, 0.0, 0.0
    if desk.regime is Regime.RANGE or (desk.regime is Regime.NORMAL and features.z_30 < 5.0):
        return ReasonCode.REGIME, features.z_30, 5.0
    if state.day == now // DAY_NS and state.attempts >= IMPULSE_ENGINE.daily_cap:
        return ReasonCode.DAILY_CAP, float(state.attempts), float(IMPULSE_ENGINE.daily_cap)
    return desk.pace.refusal(now, PACE)


def _session(desk: ImpulseDesk, features: FrameFeatures, now: int) -> Refusal | None:
    """Stay out around funding and in the week's hours of wide spreads (at night until learnt)."""
    near = desk.settlement.refusal(now, desk.specification, _FUNDING_QUIET_NS)
    if near is not None:
        return near
    if now - desk.first_frame < _LEARNT_NS:
        hour = float(now // _HOUR_NS % 24)
        return None if 7.0 <= hour < 21.0 else (ReasonCode.SESSION, hour, 7.0)
    share = features.spread_percentile
    return None if share <= 0.8 else (ReasonCode.SESSION, share if share == share else 1.0, 0.8)


def _layers(
    desk: ImpulseDesk, features: FrameFeatures, quote: Quote, sign: int, section: ImpulseSettings
) -> Refusal | None:
    """Layers 5 to 11; each fails closed on a feature that is not ready."""
    spread, price = spread_bp(quote), mid(quote)
    cost = round_trip_bp(desk.specification, spread, maker_entry=False, maker_exit=False)
    move, least = abs(desk.total) / 1e5, max(section.least_move_bp, 2.5 * cost)
    if not features.z_30 >= section.size_z:
        return ReasonCode.SIZE, features.z_30, section.size_z
    if move < least:
        return ReasonCode.SIZE, move, least
    ratio = features.sigma_fast / features.sigma_slow if features.sigma_slow > 0.0 else 0.0
    if not ratio >= section.volatility_expansion:
        return ReasonCode.VOLX, _known(ratio), section.volatility_expansion
    widest = min(12.0, 3.0 * features.spread_mean_bp)
    if not spread <= widest:
        return ReasonCode.LIQ, spread, _known(widest)
    if not features.depth_5 >= 0.4 * features.depth_5_mean:
        return ReasonCode.LIQ, _known(features.depth_5), _known(0.4 * features.depth_5_mean)
    if not features.volume_burst >= 2.0:
        return ReasonCode.PARTICIPATION, _known(features.volume_burst), 2.0
    if not features.trades_30 >= 20.0:
        return ReasonCode.PARTICIPATION, _known(features.trades_30), 20.0
    if not features.largest_share_30 <= 0.5:
        return ReasonCode.PARTICIPATION, _known(features.largest_share_30), 0.5
    if not features.ofi_10 * sign >= section.flow:
        return ReasonCode.FLOW, _known(features.ofi_10 * sign), section.flow
    if not features.trade_imbalance_10 * sign >= 0.25:
        return ReasonCode.FLOW, _known(features.trade_imbalance_10 * sign), 0.25
    trends = [one * sign for one in (features.zeta_60, features.zeta_300, features.zeta_900)]
    agreeing = sum(1 for one in trends if one > 0.0)
    if agreeing < 2 or not all(one > -2.0 for one in trends):
        return ReasonCode.HORIZONS, float(agreeing), 2.0
    gone = abs(price - features.vwap_900) / features.atr_60 if features.atr_60 > 0.0 else 99.0
    if not gone <= 6.0:
        return ReasonCode.EXHAUSTION, _known(gone), 6.0
    if not features.jump_share <= 0.8:
        return ReasonCode.EXHAUSTION, _known(features.jump_share), 0.8
    if sign < 0 and not may_open_short(desk.specification):
        return ReasonCode.NO_BORROW, 0.0, 0.0
    return None


def _known(value: float) -> float:
    return value if value == value else 0.0


def _strength(features: FrameFeatures, sign: int, section: ImpulseSettings) -> float:
    """Return u: the mean of the clipped margins of layers 5, 6, 8, 9 and 10."""
    ratio = features.sigma_fast / features.sigma_slow
    margins = (
        features.z_30 / section.size_z - 1.0,
        ratio / section.volatility_expansion - 1.0,
        features.volume_burst / 2.0 - 1.0,
        features.ofi_10 * sign / section.flow - 1.0,
        (features.zeta_60 + features.zeta_300 + features.zeta_900) * sign / 6.0,
    )
    total = 0.0
    for one in margins:
        total += min(1.0, max(0.0, one))
    return total / len(margins)


def _confirm(
    state: ImpulseState,
    desk: ImpulseDesk,
    found: Candidate,
    quote: Quote,
    now: int,
    section: ImpulseSettings,
) -> Outputs:
    """Layer 12: within five seconds most of the move is kept and something adds to it."""
    price, frame = mid(quote), desk.frame
    new_extreme = (price - found.extreme) * found.sign > 0.0
    adverse = (found.extreme - price) * found.sign / price
    kept = (price - found.origin) * found.sign / found.move
    features = frame.features if frame is not None else None
    if adverse > 0.003 or features is None or now - found.since > _CONFIRM_NS:
        desk.candidate = None
        return refuse(state, desk, now, ReasonCode.CONFIRM, kept, 0.6)
    if new_extreme:
        found.extreme = price
    tight = spread_bp(quote) <= 0.7 * features.spread_mean_bp
    flows = new_extreme and features.ofi_10 * found.sign >= section.flow
    resumed = found.pulled and new_extreme
    if kept < 0.6 or not (tight or flows or resumed):
        return NOTHING
    refusal = _early(state, desk, features, now)
    desk.candidate = None
    if refusal is not None:
        return refuse(state, desk, now, *refusal)
    day = now // DAY_NS
    if day != state.day:
        state.day, state.attempts = day, 0
    state.attempts += 1
    return (enter(state, desk, now, _plan(desk, found, features, quote, section)),)


def _plan(
    desk: ImpulseDesk,
    found: Candidate,
    features: FrameFeatures,
    quote: Quote,
    section: ImpulseSettings,
) -> Plan:
    """Plan an IOC just beyond the touch, or a resting retrace where only a maker pays."""
    spread, sign = spread_bp(quote), found.sign
    taking = round_trip_bp(desk.specification, spread, maker_entry=False, maker_exit=False)
    making = round_trip_bp(desk.specification, spread, maker_entry=True, maker_exit=False)
    price = mid(quote)
    range_bp = 1e4 * section.stop_atr * features.atr_60 / price
    risk_bp = min(max(range_bp, 20.0, 2.0 * making), 60.0)
    takes = risk_bp >= 2.0 * taking
    if takes:
        beyond = 0.25 * features.sigma_fast * sqrt(30.0)
        limit = touch(quote, sign, passive=False) * (1.0 + sign * beyond)
    else:
        limit = found.extreme - sign * _RETRACE * found.move
    entry = touch(quote, sign, passive=False) if takes else limit
    desk.risk = entry * risk_bp / 1e4
    return Plan(
        sign=sign,
        style=OrderStyle.LIMIT_IOC if takes else OrderStyle.POST_ONLY,
        limit=limit,
        scale=found.scale,
        ttl_ns=_TTL_NS if takes else 20 * SECOND_NS,
        stop=entry - sign * desk.risk,
        targets=(entry + sign * 1.5 * desk.risk, entry + sign * 4.0 * desk.risk),
        time_stop_ns=int(IMPULSE_ENGINE.time_stop_seconds) * SECOND_NS,
        strength=found.strength,
        edge_bp=1.5 * risk_bp * found.strength,
        cost_bp=taking if takes else making,
        reason=f"burst z {features.z_30:.2f}, flow {features.ofi_10:.2f}, CONFIRM passed"
        + found.said,
    )


def _manage(state: ImpulseState, desk: ImpulseDesk, now: int, section: ImpulseSettings) -> Outputs:
    """Half off at 1.5 R and the stop to break-even; then the trail, 4 R, and time."""
    holding, quote = desk.holding, desk.quote
    if holding is None or quote is None:
        return leave(state, desk, now, "no quote") if holding is not None else NOTHING
    price, held = mid(quote), now - holding.opened_at
    if (price - holding.best) * holding.sign > 0.0:
        holding.best = price
    reason = _exit_reason(desk, holding, price, held, section)
    if reason:
        return leave(state, desk, now, reason)
    gain = (price - holding.entry) * holding.sign
    if not desk.broke_even and gain >= 1.5 * desk.risk:
        desk.broke_even = True
        cost = round_trip_bp(
            desk.specification, spread_bp(quote), maker_entry=False, maker_exit=False
        )
        holding.stop = holding.entry * (1.0 + holding.sign * cost / 1e4)
        return reduce(state, desk, now, 0.5, "half at 1.5 R")
    return guard_stop(state, desk, now)


def _exit_reason(
    desk: ImpulseDesk, holding: Holding, price: float, held: int, section: ImpulseSettings
) -> str:
    gain = (price - holding.entry) * holding.sign
    if gain >= 4.0 * desk.risk:
        return "four R"
    if held >= IMPULSE_ENGINE.time_stop_seconds * SECOND_NS:
        return "time stop of 300 s"
    if held >= 90 * SECOND_NS and gain < 0.25 * desk.risk and not desk.broke_even:
        return "no progress in 90 s"
    if not desk.broke_even:
        return ""
    if holding.stop is not None and (price - holding.stop) * holding.sign <= 0.0:
        return "break-even"
    features = desk.frame.features if desk.frame is not None else None
    if features is None or not features.atr_60 > 0.0:
        return ""
    trail = section.trail_atr * features.atr_60
    return "chandelier" if (holding.best - price) * holding.sign >= trail else ""


class ImpulseEngine(Strategy[ImpulseState, ImpulseSettings]):
    """Twelve layers in fixed order, each with its code; all fail closed."""

    row = IMPULSE_ENGINE
    listens = (Quote, Trade, BookUpdate, Frame, FundingRate, Heartbeat)
    section_type = ImpulseSettings
    state_type = ImpulseState
    desk_type = ImpulseDesk
    step = staticmethod(step)
