"""InventoryNeutralMM: quotes both sides of a fair value that leans against its inventory.

Guéant, Lehalle, Fernandez-Tapia 2013, Dealing with the inventory risk; DeLise 2024, The negative
drift of a limit order fill. Expected to lose on BTC and ETH: in a diffusion a fill happens when mid
is there, so it earns nothing and costs the fee. It needs bounce and a spread of about twice fee
and adverse selection: a symbol's plan pays once 200 fills, followed in thought or its own, have
left something of the half-spread after fee and adverse move, and only as long as they do.
"""

from __future__ import annotations

from math import nan, sqrt

from hean.core.events import (
    BookUpdate,
    Event,
    FeedGap,
    Frame,
    FundingRate,
    Heartbeat,
    OrderFilled,
    OrderRejected,
    Phase,
    PositionClosed,
    Quote,
    ReasonCode,
    Regime,
    RegimeChanged,
    SignalRejected,
    Trade,
)
from hean.strategies.base import DeskState, Parameters, Strategy, hear
from hean.strategies.decisions import NOTHING, Outputs, Plan, fee_bp, guard_stop, refuse
from hean.strategies.desk import book_refusal, mid, spread_bp
from hean.strategies.market_making_desk import (
    INTERVAL_NS,
    LEAST_LOSS_BP,
    LOSS_HALVES,
    PULL_Z,
    MarketMakingDesk,
    MarketMakingSettings,
    Target,
    fits,
    plan_of,
    plans_of,
    targets_of,
)
from hean.strategies.pace import DAY_NS, SECOND_NS, PaceRules, Refusal
from hean.strategies.quote_model import width_terms
from hean.strategies.quoting import (
    Quoted,
    count_fill,
    ended_quote,
    flatten,
    pull_quotes,
    quote,
    rest_exit,
)
from hean.strategies.spec import INVENTORY_NEUTRAL_MM
from hean.strategies.universe import Market

_BOOK_MAX_AGE_NS = SECOND_NS
_FUNDING_QUIET_NS = 60 * SECOND_NS
_LEAST_REST_NS = SECOND_NS
_REFUSED_NS = 5 * SECOND_NS
_MOVED_SHARE = 0.3
_VPIN_LIMIT = 0.8
_NOISE_WARM_UP = 300


class MarketMakingState(DeskState[MarketMakingDesk], kw_only=True):
    """All desks and the day's cycles over all of them."""

    day: int = -1
    cycles: int = 0


PACE = PaceRules(cooldown_ns=INTERVAL_NS)
_Run = Parameters[MarketMakingSettings]


def step(
    state: MarketMakingState, event: Event, parameters: _Run
) -> tuple[MarketMakingState, Outputs]:
    """Take one event; see `Strategy.step`."""
    kind = type(event)
    if kind is Quote:
        return state, _on_quote(state, event, parameters.section)  # type: ignore[arg-type]
    if kind is Trade:
        _on_trade(state.desks[event.instrument], event)  # type: ignore[arg-type,attr-defined]
        return state, NOTHING
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


def _on_trade(desk: MarketMakingDesk, event: Trade) -> None:
    desk.intensity.on_trade(event.price)
    market = desk.quote
    if desk.proof.quotes and market is not None:
        price = event.price
        desk.proof.look(price, price, desk.specification.tick, market, event.ts_init)


def _on_report(state: MarketMakingState, event: Event) -> Outputs:
    """Take own reports and what ends quoting at once: a gap, an impulse, a hot phase."""
    desk = state.desks.get(getattr(event, "instrument", ""))
    if desk is None:
        return hear(state, event, PACE).outputs
    now = event.ts_init
    if isinstance(event, OrderFilled):
        _count_fill(desk, event)
    if ended_quote(desk, event) is not None and isinstance(event, SignalRejected | OrderRejected):
        desk.again_at = now + _REFUSED_NS
        desk.is_barred = isinstance(event, SignalRejected)
    outputs = hear(state, event, PACE).outputs
    match event:
        case FeedGap():
            desk.book_at, desk.is_clear = -1, False
            return outputs + _pull(state, desk, now, "book gap")
        case RegimeChanged():
            if desk.regime is Regime.IMPULSE or desk.phase is Phase.VAPOR:
                desk.is_clear = False
                desk.proof.withdraw()
                return outputs + flatten(state, desk, now, f"{desk.regime.value}, {desk.phase}")
        case PositionClosed():
            return outputs + _pull(state, desk, now, "flat: the cycle is over")
        case _:
            pass
    return outputs


def _count_fill(desk: MarketMakingDesk, event: OrderFilled) -> None:
    filled = count_fill(desk, event)
    if filled is None:
        return
    desk.proof.on_own_fill(filled.signal_id, desk.quote, event.ts_init)
    size = float(event.filled + event.remaining)
    desk.clip = size if desk.holding is None else max(desk.clip, size)


def _on_quote(state: MarketMakingState, event: Quote, section: MarketMakingSettings) -> Outputs:
    desk = state.desks[event.instrument]
    desk.quote, now = event, event.ts_init
    if desk.proof.quotes:
        desk.proof.look(event.bid, event.ask, desk.specification.tick, event, now)
    if desk.holding is None and not desk.quotes:
        return NOTHING
    outputs = _manage(state, desk, now, section)
    if outputs or not desk.is_clear or desk.exit is not None:
        return outputs
    return _requote(state, desk, event, now, section)


def _on_beat(state: MarketMakingState, now: int, section: MarketMakingSettings) -> Outputs:
    """Look at exits and staleness, which need no event of the symbol itself."""
    outputs = NOTHING
    for desk in state.desks.values():
        if desk.holding is not None:
            outputs += _manage(state, desk, now, section)
        if desk.quotes and desk.book_at >= 0 and now - desk.book_at > _BOOK_MAX_AGE_NS:
            desk.is_clear = False
            outputs += _pull(state, desk, now, "book too old")
    return outputs


def _on_frame(state: MarketMakingState, event: Frame, section: MarketMakingSettings) -> Outputs:
    """Learn from the second; begin a cycle when flat, quote on inside one, pull if barred."""
    desk, now = state.desks[event.instrument], event.ts_init
    desk.frame = event
    market = desk.quote
    if market is None:
        return NOTHING
    _learn(desk, event, market, section)
    refusal = _gates(state, desk, market, now, section)
    desk.is_clear = refusal is None
    if desk.exit is not None:
        return NOTHING
    if refusal is not None:
        pulled = _pull(state, desk, now, str(refusal[0]))
        if pulled or desk.quotes or desk.holding is not None:
            return pulled
        return refuse(state, desk, now, *refusal)
    if desk.quotes or desk.holding is not None:
        return _requote(state, desk, market, now, section)
    return _begin(state, desk, plans_of(desk, market, section), now)


def _learn(
    desk: MarketMakingDesk, event: Frame, market: Quote, section: MarketMakingSettings
) -> None:
    price, features = mid(market), event.features
    if desk.intensity.on_second(price):
        model = desk.intensity
        desk.terms = width_terms(section.gamma, model.arrival, model.decline)
    desk.markouts.on_second(event.ts_init, price)
    desk.proof.on_second(event.ts_init, price)
    desk.fault = desk.proof.fault(fee_bp(desk.specification, maker=True))
    desk.flow_bp = features.beta_15 * features.ofi_5
    flow = features.ofi_30
    if flow == flow:
        desk.flow_noise.push(flow)
        noise = sqrt(desk.flow_noise.square)
        desk.flow_z = flow / noise if noise > 0.0 else 0.0
    else:
        desk.flow_z = nan


def _gates(
    state: MarketMakingState,
    desk: MarketMakingDesk,
    market: Quote,
    now: int,
    section: MarketMakingSettings,
) -> Refusal | None:
    """Layers DATA, SESSION, REGIME, then spread, toxicity and flow."""
    barred = _data(state, desk, now) or desk.settlement.refusal(
        now, desk.specification, _FUNDING_QUIET_NS
    )
    if barred is not None:
        return barred
    if desk.regime not in INVENTORY_NEUTRAL_MM.regimes:
        return ReasonCode.REGIME, 0.0, 0.0
    if desk.phase is Phase.VAPOR:
        return ReasonCode.PHASE, 0.0, 0.0
    spread, widest = spread_bp(market), 2.0 * section.half_max_bp
    if spread > widest:
        return ReasonCode.LIQ, spread, widest
    toxicity = desk.frame.features.vpin_percentile if desk.frame is not None else nan
    if toxicity >= _VPIN_LIMIT:
        return ReasonCode.TOXICITY, toxicity, _VPIN_LIMIT
    if not abs(desk.flow_z) < PULL_Z:
        return ReasonCode.FLOW, abs(desk.flow_z), PULL_Z
    return None


def _data(state: MarketMakingState, desk: MarketMakingDesk, now: int) -> Refusal | None:
    known = desk.flow_noise.count
    frame = desk.frame
    if now < state.history_until or not desk.regime_ready or known < _NOISE_WARM_UP:
        return ReasonCode.WARMING_UP, float(known), float(_NOISE_WARM_UP)
    ready = frame is not None and frame.features.sigma_fast == frame.features.sigma_fast
    if not ready or desk.flow_bp != desk.flow_bp or desk.terms[0] != desk.terms[0]:
        return ReasonCode.WARMING_UP, float(desk.intensity.seconds), 1800.0
    return book_refusal(desk.book_at, now, _BOOK_MAX_AGE_NS)


def _begin(
    state: MarketMakingState,
    desk: MarketMakingDesk,
    plans: list[Plan],
    now: int,
) -> Outputs:
    """Begin a cycle: at most one in thirty seconds and two hundred a day."""
    day, cap = now // DAY_NS, INVENTORY_NEUTRAL_MM.daily_cap
    paced = desk.pace.refusal(now, PACE)
    if paced is None and state.day == day and state.cycles >= cap:
        paced = ReasonCode.DAILY_CAP, float(state.cycles), float(cap)
    if paced is not None:
        return refuse(state, desk, now, *paced)
    if day != state.day:
        state.day, state.cycles = day, 0
    state.cycles += 1
    desk.pace.attempt(now)
    return _quote(state, desk, now, plans)


def _quote(
    state: MarketMakingState, desk: MarketMakingDesk, now: int, plans: list[Plan]
) -> Outputs:
    outputs = quote(state, desk, now, plans)
    desk.proof.follow(desk.live, now, INTERVAL_NS)
    return outputs


def _pull(state: MarketMakingState, desk: MarketMakingDesk, now: int, reason: str) -> Outputs:
    desk.proof.withdraw()
    return pull_quotes(state, desk, now, reason)


def _requote(
    state: MarketMakingState,
    desk: MarketMakingDesk,
    market: Quote,
    now: int,
    section: MarketMakingSettings,
) -> Outputs:
    """Replace the quotes once their targets have moved by a share of the half-spread."""
    live = desk.live
    if (not live and desk.holding is None) or now < desk.again_at:
        return NOTHING
    if desk.quotes and now - desk.quotes[-1].published < _LEAST_REST_NS:
        return NOTHING
    targets = targets_of(desk, market, section)
    if desk.is_barred and desk.holding is not None:
        return _leave_passively(state, desk, market, now)
    slack = _MOVED_SHARE * desk.half * mid(market) / 1e4
    if _stands(targets, live, slack):
        return NOTHING
    targets = [one for one in targets if fits(desk, one.sign, section)]
    if _stands(targets, live, slack):
        return NOTHING
    if not targets:
        return _nothing_left(state, desk, now, section)
    plans = [plan_of(desk, market, one, section) for one in targets]
    if desk.holding is None and now - desk.pace.last_attempt >= INTERVAL_NS:
        return _begin(state, desk, plans, now)
    return _quote(state, desk, now, plans)


def _leave_passively(
    state: MarketMakingState, desk: MarketMakingDesk, market: Quote, now: int
) -> Outputs:
    """Rest one exit for everything where the gate takes no quotes: it always takes exits."""
    holding = desk.holding
    if holding is None:
        return NOTHING
    desk.is_barred = False
    price = mid(market) * (1.0 + holding.sign * desk.half / 1e4)
    return rest_exit(state, desk, now, price, INTERVAL_NS, "quotes were refused")


def _stands(targets: list[Target], live: list[Quoted], slack: float) -> bool:
    """Whether the quotes at work are near enough to where they should be."""
    if len(targets) != len(live) or not targets:
        return False
    for target, one in zip(targets, live, strict=True):
        if target.sign != one.sign or abs(target.price - one.price) > slack:
            return False
    return True


def _nothing_left(
    state: MarketMakingState, desk: MarketMakingDesk, now: int, section: MarketMakingSettings
) -> Outputs:
    """Neither side may be quoted: pull what is, else say why."""
    pulled = _pull(state, desk, now, "inventory and flow leave no side")
    if pulled or desk.quotes:
        return pulled
    desk.again_at = now + _REFUSED_NS
    held = abs(desk.clips)
    return refuse(state, desk, now, ReasonCode.INVENTORY, held, section.inventory_clips - 1.0)


def _manage(
    state: MarketMakingState, desk: MarketMakingDesk, now: int, section: MarketMakingSettings
) -> Outputs:
    """Flatten what is too old or has lost too much; firmer each time."""
    holding, market = desk.holding, desk.quote
    if holding is None or market is None:
        return NOTHING
    if now - holding.opened_at >= int(INVENTORY_NEUTRAL_MM.time_stop_seconds) * SECOND_NS:
        return flatten(state, desk, now, "inventory older than ten minutes")
    if desk.regime is Regime.IMPULSE or desk.phase is Phase.VAPOR:
        return flatten(state, desk, now, f"{desk.regime.value}, {desk.phase}")
    loss = -1e4 * holding.sign * (mid(market) / holding.entry - 1.0)
    half = desk.half if desk.half == desk.half else section.half_max_bp
    if loss > max(LEAST_LOSS_BP, LOSS_HALVES * half * abs(desk.clips)):
        return flatten(state, desk, now, f"loss of {loss:.1f} bp")
    return guard_stop(state, desk, now, 2 * SECOND_NS)


class InventoryNeutralMM(Strategy[MarketMakingState, MarketMakingSettings]):
    """Quotes a pair around a skewed fair value every thirty seconds and keeps inventory small."""

    row = INVENTORY_NEUTRAL_MM
    listens = (Quote, Trade, BookUpdate, Frame, FundingRate, Heartbeat)
    section_type = MarketMakingSettings
    state_type = MarketMakingState
    step = staticmethod(step)

    @classmethod
    def open_desk(cls, market: Market, parameters: _Run) -> MarketMakingDesk:
        return MarketMakingDesk(
            instrument=market.instrument,
            specification=market.specification,
            share=1.0 / len(parameters.markets),
        )
