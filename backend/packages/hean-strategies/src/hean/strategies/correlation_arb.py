"""CorrelationArbitrage: mean reversion of a cointegrated pair, both legs or none.

Engle, Granger 1987, Co-integration and error correction; Gatev, Goetzmann, Rouwenhorst 2006, Pairs
trading; Fil, Kristoufek 2020, Pairs trading in cryptocurrency markets. It earns only where two
coins are cointegrated, and the evidence that they are is mixed.
"""

from __future__ import annotations

from itertools import combinations
from math import log10

import msgspec
from pydantic import Field

from hean.core.events import (
    Bar,
    BarSource,
    Event,
    FundingRate,
    Heartbeat,
    OrderStyle,
    Phase,
    PositionClosed,
    Quote,
    ReasonCode,
)
from hean.core.features.pairs import PairFit, PairTotals, PairWindow, log_steps
from hean.strategies.base import DeskState, Parameters, Strategy, StrategySection, hear
from hean.strategies.decisions import (
    NOTHING,
    Outputs,
    Plan,
    leave,
    refuse,
)
from hean.strategies.desk import Desk, mid
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
from hean.strategies.pace import DAY_NS, SECOND_NS, Pace, PaceRules
from hean.strategies.spec import CORRELATION_ARB, tunable

_MINUTE_NS = 60 * SECOND_NS
_REFIT_NS = 15 * _MINUTE_NS
_IDLE_REFIT_NS = 4 * 60 * _MINUTE_NS
"""A pair near its mean is refitted this seldom: nothing can be decided from it."""
_EIGHT_HOURS_NS = 480 * _MINUTE_NS
_STOP_Z = 4.0
_T_PER_DECADE = 0.8
"""By how much the test's limit falls when ten times as many pairs are tested (Bonferroni)."""
_Refusal = tuple[ReasonCode, float, float]


class CorrelationSettings(StrategySection):
    """Tunables of CorrelationArbitrage; all are starting values."""

    enter_z: float = tunable(CORRELATION_ARB, "enter_z", 2)
    """Distance in equilibrium deviations to enter at, 1.5 to 3."""
    exit_z: float = tunable(CORRELATION_ARB, "exit_z", 0.5)
    """Distance at which the pair has come home, 0 to 0.8."""
    test_limit: float = tunable(CORRELATION_ARB, "test_limit", -3.34)
    """Dickey-Fuller t that one pair must undercut, -4 to -3; more pairs must undercut more."""
    window_days: float = tunable(CORRELATION_ARB, "window_days", 1)
    """Days of the regression, 0.5 to 5; also the warm-up."""
    minimum_correlation: float = Field(default=0.7, ge=0.3, le=0.99)
    """Least correlation of returns over the window."""
    beta_drift: float = Field(default=0.25, ge=0.05, le=1.0)
    """Largest distance of beta from its five-day value, as a fraction of that."""
    maker_seconds: float = Field(default=60.0, ge=5.0, le=600.0)
    """Seconds the resting leg waits; on bars none rests, both legs take."""


class PairDesk(Desk, kw_only=True):
    """One leg: its newest bar close and its funding."""

    close: float = 0.0
    closed_at: int = 0
    rate: float = 1e-4
    stamp: int = 0
    interval_ns: int = _EIGHT_HOURS_NS


class Pair(msgspec.Struct, kw_only=True):
    """Two legs, their windows, the running fit, and the fit frozen at entry."""

    first: str
    second: str
    window: PairWindow
    long_window: PairTotals
    pace: Pace = msgspec.field(default_factory=Pace)
    fit: PairFit | None = None
    fitted_at: int = 0
    long_beta: float = 0.0
    pending: int = 0
    """Close time for which only one leg's bar has come; 0 when none waits."""
    score: float = 0.0
    before: float = 0.0
    frozen: PairFit | None = None
    opened_at: int = 0


class CorrelationState(DeskState[PairDesk], kw_only=True):
    """All legs, all pairs by "first|second", and the day's attempts over all of them."""

    pairs: dict[str, Pair]
    bar_ns: int
    coarse: bool
    day: int = -1
    attempts: int = 0


PACE = PaceRules(cooldown_ns=1800 * SECOND_NS, exit_cooldown_ns=1800 * SECOND_NS)
_NO_PACE = PaceRules()
_Run = Parameters[CorrelationSettings]


def step(
    state: CorrelationState, event: Event, parameters: _Run
) -> tuple[CorrelationState, Outputs]:
    """Take one event; see `Strategy.step`."""
    match event:
        case Quote():
            state.desks[event.instrument].quote = event
            return state, NOTHING
        case Bar():
            return state, _on_bar(state, event, parameters)
        case Heartbeat():
            return state, _on_beat(state, event.ts_init, parameters.section)
        case FundingRate():
            desk = state.desks[event.instrument]
            desk.rate = event.rate
            if event.interval_ns > 0:
                desk.stamp, desk.interval_ns = event.next_funding_time, event.interval_ns
            return state, NOTHING
        case _:
            return state, _on_report(state, event)


def _on_report(state: CorrelationState, event: Event) -> Outputs:
    heard = hear(state, event, _NO_PACE)
    if not heard.desk:
        return heard.outputs
    now, outputs = event.ts_init, heard.outputs
    for pair in state.pairs.values():
        if heard.desk not in (pair.first, pair.second) or pair.frozen is None:
            continue
        legs = _legs(state, pair)
        other = legs[1] if heard.desk == pair.first else legs[0]
        if heard.ended is not None:
            if heard.ended.group:
                end_group(legs, heard.ended)
            outputs += leave(state, other, now, "the other leg was not filled")
        else:
            outputs += leave_last(state, legs, heard.desk, event)
        if idle_pair(legs):
            pair.frozen = None
            if isinstance(event, PositionClosed):
                pair.pace.exited(now, float(event.net), PACE)
    return outputs


def _legs(state: CorrelationState, pair: Pair) -> tuple[PairDesk, PairDesk]:
    return state.desks[pair.first], state.desks[pair.second]


def _on_bar(state: CorrelationState, bar: Bar, parameters: _Run) -> Outputs:
    """Pair the bar with its partners' of the same time; a missing one is carried forward."""
    if bar.source is BarSource.FEED and not state.coarse and bar.ts_init >= state.history_until:
        return NOTHING
    desk, closed = state.desks[bar.instrument], bar.ts_event
    mine = [one for one in state.pairs.values() if bar.instrument in (one.first, one.second)]
    for pair in mine:
        if 0 < pair.pending < closed:
            _push(state, pair)
            pair.pending = 0
    desk.close, desk.closed_at = bar.close, closed
    outputs = NOTHING
    for pair in mine:
        if pair.pending != closed:
            pair.pending = closed
            continue
        pair.pending = 0
        _push(state, pair)
        outputs += _judge(state, pair, bar.ts_init, parameters.section)
    return outputs


def _push(state: CorrelationState, pair: Pair) -> None:
    first, second = _legs(state, pair)
    if first.close > 0.0 and second.close > 0.0:
        steps = log_steps(first.close), log_steps(second.close)
        pair.window.update(*steps)
        pair.long_window.update(*steps)


def _judge(state: CorrelationState, pair: Pair, now: int, section: CorrelationSettings) -> Outputs:
    """Refit when due, then judge the pair if neither leg holds or works anything."""
    _refit(pair, now, section)
    legs = _legs(state, pair)
    if pair.fit is not None:
        pair.before = pair.score
        pair.score = pair.fit.score(legs[0].close, legs[1].close)
    if pair.frozen is not None:
        return NOTHING
    refusal = _gates(state, pair, legs, now) or _setup(state, pair, legs, section)
    if refusal is not None:
        return refuse(state, legs[0], now, *refusal)
    return _enter(state, pair, legs, now, section)


def _refit(pair: Pair, now: int, section: CorrelationSettings) -> None:
    if not pair.window.ready or now - pair.fitted_at < _REFIT_NS:
        return
    near = abs(pair.score) < section.enter_z / 2.0
    if pair.fit is not None and near and now - pair.fitted_at < _IDLE_REFIT_NS:
        return
    pair.fit, pair.fitted_at = pair.window.fit(), now
    if pair.long_window.ready:
        sums = pair.long_window.sums()
        below = sums.count * sums.second_square - sums.second * sums.second
        above = sums.count * sums.product - sums.first * sums.second
        pair.long_beta = above / below if below > 0 else 0.0


def _gates(
    state: CorrelationState, pair: Pair, legs: tuple[PairDesk, PairDesk], now: int
) -> _Refusal | None:
    """Layers DATA, SESSION, REGIME and PACE, each for both legs."""
    if now < state.history_until or pair.fit is None:
        return ReasonCode.WARMING_UP, float(len(pair.window.first)), float(pair.window.size)
    oldest = 2 * state.bar_ns if state.coarse else SECOND_NS
    for desk in legs:
        age = 1 << 62 if desk.quote is None else now - desk.quote.ts_init
        if age > oldest:
            return ReasonCode.STALE, min(age / SECOND_NS, 1e9), oldest / SECOND_NS
    session = _session(pair, legs, now)
    if session is not None:
        return session
    for desk in legs:
        if desk.regime not in CORRELATION_ARB.regimes:
            return ReasonCode.REGIME, 0.0, 0.0
        if desk.phase is Phase.VAPOR:
            return ReasonCode.PHASE, 0.0, 0.0
    if state.day == now // DAY_NS and state.attempts >= CORRELATION_ARB.daily_cap:
        return ReasonCode.DAILY_CAP, float(state.attempts), float(CORRELATION_ARB.daily_cap)
    if not idle_pair(legs):
        return ReasonCode.INVENTORY, 1.0, 0.0
    return pair.pace.refusal(now, PACE)


def _session(pair: Pair, legs: tuple[PairDesk, PairDesk], now: int) -> _Refusal | None:
    """Stay out ten minutes before a settlement that the pair would pay for."""
    fit = pair.fit
    sign = -1 if pair.score > 0.0 else 1
    paid = 0.0
    for desk, weight in zip(
        legs, (sign, -sign * (fit.beta if fit is not None else 1.0)), strict=True
    ):
        if desk.specification.is_spot:
            continue
        following = desk.stamp if desk.stamp > now else (
            (now // desk.interval_ns + 1) * desk.interval_ns
        )  # fmt: skip
        if following - now < 10 * _MINUTE_NS:
            paid += weight * desk.rate * 1e4
    return (ReasonCode.SESSION, paid, 0.0) if paid > 0.0 else None


def undercut(section: CorrelationSettings, pairs: int) -> float:
    """Return the t that a pair must undercut when so many pairs are tested."""
    return section.test_limit - _T_PER_DECADE * log10(max(1, pairs))


def _setup(
    state: CorrelationState,
    pair: Pair,
    legs: tuple[PairDesk, PairDesk],
    section: CorrelationSettings,
) -> _Refusal | None:
    """Judge whether the pair qualifies, and stands far out and turning inward."""
    fit = pair.fit
    if fit is None:
        return ReasonCode.WARMING_UP, 0.0, 0.0
    minutes = fit.half_life * state.bar_ns / _MINUTE_NS
    limit = undercut(section, len(state.pairs))
    if fit.correlation < section.minimum_correlation:
        return ReasonCode.INELIGIBLE, fit.correlation, section.minimum_correlation
    if fit.t > limit:
        return ReasonCode.INELIGIBLE, fit.t, limit
    if not 5.0 <= minutes <= 240.0:
        return ReasonCode.INELIGIBLE, min(minutes, 1e9), 240.0
    if fit.beta <= 0.0:
        return ReasonCode.INELIGIBLE, fit.beta, 0.0
    if pair.long_beta and abs(fit.beta / pair.long_beta - 1.0) > section.beta_drift:
        return ReasonCode.INELIGIBLE, fit.beta / pair.long_beta - 1.0, section.beta_drift
    gain = (section.enter_z - section.exit_z) * fit.deviation * 1e4
    least = 2.0 * _cost_bp(legs, fit, resting_leg(legs, coarse=state.coarse))
    if gain < least:
        return ReasonCode.INELIGIBLE, gain, least
    far = abs(pair.score)
    if not section.enter_z <= far < _STOP_Z:
        return ReasonCode.NO_SETUP, far, section.enter_z
    if far >= abs(pair.before) or pair.before * pair.score <= 0.0:
        return ReasonCode.CONFIRM, far, abs(pair.before)
    return None


def _cost_bp(legs: tuple[PairDesk, PairDesk], fit: PairFit, resting: int) -> float:
    """Return the cost of four legs in bp of the first leg's notional."""
    return pair_cost_bp(legs, resting=resting, weights=(1.0, fit.beta))


def _enter(
    state: CorrelationState,
    pair: Pair,
    legs: tuple[PairDesk, PairDesk],
    now: int,
    section: CorrelationSettings,
) -> Outputs:
    """Publish the group: the rich leg sold, the cheap one bought, notionals 1 to beta."""
    fit = pair.fit
    if fit is None:
        return NOTHING
    resting = resting_leg(legs, coarse=state.coarse)
    leads = max(0, resting)
    order = (legs[leads], legs[1 - leads])
    first, hedge = order[0].quote, order[1].quote
    if first is None or hedge is None:
        return refuse(state, legs[0], now, ReasonCode.STALE)
    largest, far = max(1.0, fit.beta), abs(pair.score)
    scales = (1.0 / largest, fit.beta / largest)
    common = _plan_of(state, pair, fit, _cost_bp(legs, fit, resting), section)
    if leads:
        common = msgspec.structs.replace(common, sign=-common.sign)
    plans = pair_plans(
        (first, hedge),
        common,
        rests=resting >= 0,
        wait_ns=int(section.maker_seconds * SECOND_NS),
        scales=(scales[leads], scales[1 - leads]),
    )
    loss = ((_STOP_Z - far) * fit.deviation * 1e4 + common.cost_bp) / largest / plans[0].scale
    day = now // DAY_NS
    if day != state.day:
        state.day, state.attempts = day, 0
    state.attempts += 1
    pair.pace.attempt(now)
    pair.frozen, pair.opened_at = fit, now
    return enter_pair(state, order, now, plans, group_stop_bp=loss)


def _plan_of(
    state: CorrelationState, pair: Pair, fit: PairFit, cost: float, section: CorrelationSettings
) -> Plan:
    """Return what both legs share; the sign is that of the pair's first."""
    far = abs(pair.score)
    strength = min(1.0, (far - 1.5) / 1.5) * min(1.0, abs(fit.t) / 5.0)
    return Plan(
        sign=-1 if pair.score > 0.0 else 1,
        style=OrderStyle.LIMIT_IOC,
        limit=None,
        time_stop_ns=int(3.0 * fit.half_life * state.bar_ns),
        strength=max(0.0, strength),
        edge_bp=(far - section.exit_z) * fit.deviation * 1e4,
        cost_bp=cost,
        reason=f"z {pair.score:.2f}, t {fit.t:.2f}, half-life {fit.half_life:.1f} bars",
    )


def _on_beat(state: CorrelationState, now: int, section: CorrelationSettings) -> Outputs:
    outputs = NOTHING
    for pair in state.pairs.values():
        legs = _legs(state, pair)
        if pair.frozen is not None:
            outputs += leave_orphan(state, legs, now)
            if holds_pair(legs):
                outputs += _exit(state, pair, legs, now, section)
        elif pair.fit is None and not state.coarse and idle_pair(legs):
            have, need = float(len(pair.window.first)), float(pair.window.size)
            outputs += refuse(state, legs[0], now, ReasonCode.WARMING_UP, have, need)
    return outputs


def _exit(
    state: CorrelationState,
    pair: Pair,
    legs: tuple[PairDesk, PairDesk],
    now: int,
    section: CorrelationSettings,
) -> Outputs:
    """Leave at the mean, at four deviations, or after three half-lives, by the frozen fit."""
    fit, first, second = pair.frozen, legs[0].quote, legs[1].quote
    holding = legs[0].holding
    if fit is None or first is None or second is None or holding is None:
        return NOTHING
    score = fit.score(mid(first), mid(second)) * -holding.sign
    if score <= section.exit_z:
        return leave_pair(state, legs, now, "back at the mean")
    if score >= _STOP_Z:
        return leave_pair(state, legs, now, "four deviations away", style=OrderStyle.MARKET)
    if now - pair.opened_at >= 3.0 * fit.half_life * state.bar_ns:
        return leave_pair(state, legs, now, "three half-lives")
    return NOTHING


class CorrelationArbitrage(Strategy[CorrelationState, CorrelationSettings]):
    """Pairs of the majors, BTC and ETH first."""

    row = CORRELATION_ARB
    listens = (Quote, Bar, FundingRate, Heartbeat)
    at_least = 2
    section_type = CorrelationSettings
    state_type = CorrelationState
    step = staticmethod(step)

    @classmethod
    def initial(cls, parameters: Parameters[CorrelationSettings]) -> CorrelationState:
        markets = tuple(parameters.markets.values())
        interval = max((one.bar_ns for one in markets), default=_MINUTE_NS)
        size = max(30, int(parameters.section.window_days * DAY_NS) // interval)
        pairs = {
            f"{one.instrument}|{other.instrument}": Pair(
                first=one.instrument,
                second=other.instrument,
                window=PairWindow(size=size),
                long_window=PairTotals(size=5 * DAY_NS // interval),
            )
            for one, other in combinations(markets, 2)
            if one.bar_ns == other.bar_ns
        }
        return CorrelationState(
            strategy=cls.row.strategy,
            desks={
                one.instrument: PairDesk(instrument=one.instrument, specification=one.specification)
                for one in markets
            },
            pairs=pairs,
            bar_ns=interval,
            coarse=any(one.coarse for one in markets),
        )
