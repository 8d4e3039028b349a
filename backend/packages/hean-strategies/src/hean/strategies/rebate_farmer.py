"""RebateFarmer: deep resting orders that would rather not fill, and revert when a wick fills them.

Albers, Cucuringu, Howison, Shestopaloff 2025, The market maker's dilemma; Nagel 2012, Evaporating
liquidity. Without a rebate it has no reason to be there, and with one it earns under a cent a day:
only the reversion after a wick can pay. Its markouts decide.
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
    FundingRate,
    Heartbeat,
    Liquidation,
    OrderFilled,
    OrderStyle,
    Quote,
    ReasonCode,
    Regime,
    RegimeChanged,
)
from hean.strategies.base import DeskState, Parameters, Strategy, StrategySection, hear
from hean.strategies.decisions import NOTHING, Outputs, Plan, fee_bp, guard_stop, refuse
from hean.strategies.desk import book_refusal, may_open_short, mid
from hean.strategies.liquidations import LiquidationFlow
from hean.strategies.pace import DAY_NS, SECOND_NS, PaceRules, Refusal
from hean.strategies.quote_model import Markouts
from hean.strategies.quoting import (
    MakerDesk,
    count_fill,
    ended_quote,
    flatten,
    pull_quotes,
    quote,
    rest_exit,
)
from hean.strategies.spec import REBATE_FARMER, tunable
from hean.strategies.universe import Market
from hean.strategies.windows import Average

_BOOK_MAX_AGE_NS = 2 * SECOND_NS
_FUNDING_QUIET_NS = 120 * SECOND_NS
_REFRESH_NS = 300 * SECOND_NS
_AFTER_FILL_NS = 900 * SECOND_NS
_CALM_NS = 60 * SECOND_NS
_ANCHOR_HALF_LIFE = 600.0
_ANCHOR_WARM_UP = 600
_BURST = 3.0
_DEEPEST_BP = 150.0
_SIGMAS = 3.2
_DRIFT_SHARE = 0.25
_NEAR_SHARE = 0.3
_HOTTEST = 0.8
_CLUSTER = 2.0


class RebateSettings(StrategySection):
    """Tunables of RebateFarmer; all are starting values."""

    offset_bp: float = tunable(REBATE_FARMER, "offset_bp", 50)
    """Least distance from the anchor in bp, 50 to 150."""
    retrace: float = tunable(REBATE_FARMER, "retrace", 0.75)
    """Share of the way back to the anchor at which a fill is taken off, 0.5 to 0.9."""
    assumed_adverse_bp: float = Field(default=5.0, ge=0.0, le=50.0)
    """Adverse selection of a fill in bp until own fills measure it."""


class RebateDesk(MakerDesk, kw_only=True):
    """The anchor, what is placed around it, and how fast others are liquidated."""

    book: BookUpdate | None = None
    anchor: Average = msgspec.field(default_factory=lambda: Average(half_life=_ANCHOR_HALF_LIFE))
    placed: float = 0.0
    """The anchor around which the orders rest."""
    offset: float = 0.0
    """Their distance in bp."""
    filled_at: int = -_AFTER_FILL_NS
    liquidations: LiquidationFlow = msgspec.field(default_factory=LiquidationFlow)
    burst_at: int = -_CALM_NS
    markouts: Markouts = msgspec.field(
        default_factory=lambda: Markouts(
            horizons_ns=(60 * SECOND_NS, 300 * SECOND_NS, 900 * SECOND_NS)
        )
    )


class RebateState(DeskState[RebateDesk], kw_only=True):
    """All desks and the day's orders over all of them."""

    day: int = -1
    orders: int = 0


PACE = PaceRules(cooldown_ns=_REFRESH_NS)
_Run = Parameters[RebateSettings]


def step(state: RebateState, event: Event, parameters: _Run) -> tuple[RebateState, Outputs]:
    """Take one event; see `Strategy.step`."""
    kind = type(event)
    if kind is Quote:
        desk = state.desks[event.instrument]  # type: ignore[attr-defined]
        desk.quote = event  # type: ignore[assignment]
        if desk.holding is None:
            return state, NOTHING
        return state, _manage(state, desk, event.ts_init, parameters.section)
    if kind is BookUpdate:
        desk = state.desks[event.instrument]  # type: ignore[attr-defined]
        desk.book, desk.book_at = event, event.ts_init  # type: ignore[assignment]
        return state, NOTHING
    match event:
        case Frame():
            return state, _on_frame(state, event, parameters.section)
        case Liquidation():
            return state, _on_liquidation(state, event)
        case Heartbeat():
            return state, _on_beat(state, event.ts_init, parameters.section)
        case FundingRate():
            state.desks[event.instrument].settlement.take(event)
            return state, NOTHING
        case _:
            return state, _on_report(state, event)


def _on_report(state: RebateState, event: Event) -> Outputs:
    """Take own reports; an impulse or a gap pulls both orders. Exits wait for a fresh quote."""
    desk = state.desks.get(getattr(event, "instrument", ""))
    if desk is None:
        return hear(state, event, PACE).outputs
    now = event.ts_init
    if isinstance(event, OrderFilled) and count_fill(desk, event) is not None:
        desk.filled_at = now
    ended_quote(desk, event)
    outputs = hear(state, event, PACE).outputs
    match event:
        case FeedGap():
            desk.book, desk.book_at = None, -1
            return outputs + pull_quotes(state, desk, now, "book gap")
        case RegimeChanged():
            if desk.regime is Regime.IMPULSE:
                return outputs + pull_quotes(state, desk, now, "impulse")
        case _:
            pass
    return outputs


def _on_liquidation(state: RebateState, event: Liquidation) -> Outputs:
    """Withdraw both orders from a burst, unless price is already near enough to fill one."""
    desk, now = state.desks[event.instrument], event.ts_init
    desk.liquidations.push(now, event.quantity * event.price)
    if not desk.liquidations.is_burst(_BURST):
        return NOTHING
    desk.burst_at = now
    if desk.quote is None or not desk.live:
        return NOTHING
    price = mid(desk.quote)
    nearest = min([abs(price - one.price) for one in desk.live])
    if 1e4 * nearest / price <= _NEAR_SHARE * desk.offset:
        return NOTHING
    return pull_quotes(state, desk, now, "liquidation burst")


def _on_beat(state: RebateState, now: int, section: RebateSettings) -> Outputs:
    """Look at exits and at a book that has fallen silent."""
    outputs = NOTHING
    for desk in state.desks.values():
        if desk.holding is not None:
            outputs += _manage(state, desk, now, section)
        if desk.quotes and desk.book_at >= 0 and now - desk.book_at > _BOOK_MAX_AGE_NS:
            outputs += pull_quotes(state, desk, now, "book too old")
    return outputs


def _on_frame(state: RebateState, event: Frame, section: RebateSettings) -> Outputs:
    """Move the anchor; place, renew or pull the two orders."""
    desk, now = state.desks[event.instrument], event.ts_init
    desk.frame = event
    market = desk.quote
    if market is None:
        return NOTHING
    desk.anchor.push(mid(market))
    desk.markouts.on_second(now, mid(market))
    desk.liquidations.turn(now)
    if desk.holding is not None or desk.exit is not None:
        return NOTHING
    refusal = _gates(state, desk, event, now)
    if refusal is not None:
        if desk.quotes:
            return pull_quotes(state, desk, now, str(refusal[0]))
        return refuse(state, desk, now, *refusal)
    live = desk.live
    if not live:
        return NOTHING if desk.quotes else _place(state, desk, market, now, section)
    drift = 1e4 * abs(desk.anchor.mean / desk.placed - 1.0)
    is_due = now - live[0].published >= _REFRESH_NS
    if is_due or drift > _DRIFT_SHARE * desk.offset or len(live) < len(_sides(desk)):
        return _place(state, desk, market, now, section, drifted=not is_due)
    return NOTHING


def _gates(state: RebateState, desk: RebateDesk, frame: Frame, now: int) -> Refusal | None:
    """Layers DATA, SESSION, REGIME, then how hot it is, liquidations, and the last fill."""
    features = frame.features
    heat, known = features.sigma_percentile, desk.anchor.count
    ready = heat == heat and features.sigma_slow == features.sigma_slow
    if now < state.history_until or not desk.regime_ready or not ready or known < _ANCHOR_WARM_UP:
        return ReasonCode.WARMING_UP, float(known), float(_ANCHOR_WARM_UP)
    barred = book_refusal(desk.book_at, now, _BOOK_MAX_AGE_NS) or desk.settlement.refusal(
        now, desk.specification, _FUNDING_QUIET_NS
    )
    if barred is not None:
        return barred
    if desk.regime not in REBATE_FARMER.regimes:
        return ReasonCode.REGIME, 0.0, 0.0
    if heat >= _HOTTEST:
        return ReasonCode.PHASE, heat, _HOTTEST
    if now - desk.burst_at < _CALM_NS:
        return ReasonCode.FLOW, (now - desk.burst_at) / SECOND_NS, _CALM_NS / SECOND_NS
    waited = now - desk.filled_at
    if waited < _AFTER_FILL_NS:
        return ReasonCode.COOLDOWN, waited / SECOND_NS, _AFTER_FILL_NS / SECOND_NS
    return None


def _place(
    state: RebateState,
    desk: RebateDesk,
    market: Quote,
    now: int,
    section: RebateSettings,
    *,
    drifted: bool = False,
) -> Outputs:
    """Place or replace both orders: every five minutes, at once when the anchor has drifted."""
    day, cap = now // DAY_NS, REBATE_FARMER.daily_cap
    paced = None if drifted else desk.pace.refusal(now, PACE)
    if paced is None and state.day == day and state.orders + len(_sides(desk)) > cap:
        paced = ReasonCode.DAILY_CAP, float(state.orders), float(cap)
    if paced is not None:
        pulled = pull_quotes(state, desk, now, str(paced[0]))
        return pulled or refuse(state, desk, now, *paced)
    plans = _plans(desk, market, section)
    if day != state.day:
        state.day, state.orders = day, 0
    state.orders += len(plans)
    desk.pace.attempt(now)
    return quote(state, desk, now, plans)


def _plans(desk: RebateDesk, market: Quote, section: RebateSettings) -> list[Plan]:
    frame, anchor = desk.frame, desk.anchor.mean
    if frame is None:
        return []
    features = frame.features
    five_minutes = 1e4 * max(features.sigma_slow, features.sigma_fast) * sqrt(300.0)
    desk.offset = min(_DEEPEST_BP, max(section.offset_bp, _SIGMAS * five_minutes))
    desk.placed = anchor
    usual = features.depth_5_mean
    support = min(1.0, features.depth_5 / usual) if usual > 0.0 else 0.5
    if support != support:
        support = 0.5
    fee = fee_bp(desk.specification, maker=True)
    plans: list[Plan] = []
    for sign in _sides(desk):
        price = _behind_cluster(desk, sign, anchor * (1.0 - sign * desk.offset / 1e4))
        price = min(price, market.bid) if sign > 0 else max(price, market.ask)
        adverse = desk.markouts.adverse_bp(sign, section.assumed_adverse_bp)
        plans.append(
            Plan(
                sign=sign,
                style=OrderStyle.POST_ONLY,
                limit=price,
                scale=desk.share,
                stop=price * (1.0 - sign * desk.offset / 1e4),
                targets=(price + section.retrace * (anchor - price),),
                time_stop_ns=int(REBATE_FARMER.time_stop_seconds) * SECOND_NS,
                strength=support * (1.0 - features.sigma_percentile),
                quality=0.5 if market.conflated else 1.0,
                edge_bp=section.retrace * desk.offset - 2.0 * fee - adverse,
                cost_bp=2.0 * fee + adverse,
                reason=f"{desk.offset:.1f} bp from the anchor, depth support {support:.2f}",
            )
        )
    return plans


def _sides(desk: RebateDesk) -> tuple[int, ...]:
    return (1, -1) if may_open_short(desk.specification) else (1,)


def _behind_cluster(desk: RebateDesk, sign: int, price: float) -> float:
    """Return the price one tick behind the largest cluster a quarter deeper at most, if any is."""
    book = desk.book
    if book is None:
        return price
    deepest = price * (1.0 - sign * 0.25 * desk.offset / 1e4)
    sizes = [
        (size, level)
        for level, size in (book.bids if sign > 0 else book.asks)
        if (price - level) * sign >= 0.0 and (level - deepest) * sign >= 0.0
    ]
    if not sizes:
        return price
    total = 0.0
    for size, _ in sizes:
        total += size
    largest, level = max(sizes)
    if largest < _CLUSTER * total / len(sizes):
        return price
    return level - sign * desk.specification.tick


def _manage(state: RebateState, desk: RebateDesk, now: int, section: RebateSettings) -> Outputs:
    """Rest the exit on the way back to the anchor; after fifteen minutes, take it."""
    holding, market = desk.holding, desk.quote
    if holding is None or market is None:
        return NOTHING
    longest = int(REBATE_FARMER.time_stop_seconds) * SECOND_NS
    held = now - holding.opened_at
    if held >= longest:
        return flatten(state, desk, now, "not back in fifteen minutes")
    guarded = guard_stop(state, desk, now, 2 * SECOND_NS)
    if guarded or desk.exit is not None:
        return guarded
    target = holding.entry + section.retrace * (desk.placed - holding.entry)
    price = max(target, market.ask) if holding.sign > 0 else min(target, market.bid)
    return rest_exit(state, desk, now, price, longest - held, "back towards the anchor")


class RebateFarmer(Strategy[RebateState, RebateSettings]):
    """Rests one order a side, 50 to 150 bp from a slow anchor, and renews them every 5 minutes."""

    row = REBATE_FARMER
    listens = (Quote, BookUpdate, Frame, Liquidation, FundingRate, Heartbeat)
    section_type = RebateSettings
    state_type = RebateState
    step = staticmethod(step)

    @classmethod
    def open_desk(cls, market: Market, parameters: _Run) -> RebateDesk:
        return RebateDesk(
            instrument=market.instrument,
            specification=market.specification,
            share=1.0 / len(parameters.markets),
        )
