"""OutsideFade: bets against a bar that moved several deviations, for a few hours."""

from __future__ import annotations

from math import nan

import msgspec

from hean.core.events import (
    Bar,
    Event,
    FrequencyClass,
    Heartbeat,
    Need,
    OrderStyle,
    Quote,
    ReasonCode,
    Regime,
)
from hean.strategies import (
    Desk,
    DeskState,
    Parameters,
    SpecRow,
    Strategy,
    StrategyNote,
    StrategySection,
    Tunable,
    hear,
    tunable,
)
from hean.strategies.decisions import (
    NOTHING,
    Outputs,
    Plan,
    capped,
    enter,
    guard_stop,
    leave,
    refuse,
    round_trip_bp,
)
from hean.strategies.desk import mid, spread_bp, touch
from hean.strategies.pace import SECOND_NS, PaceRules
from hean.strategies.windows import Average, ReturnWindow

HOURS = 3600 * SECOND_NS
ROW = SpecRow(
    strategy="outside_fade",
    frequency=FrequencyClass.MEDIUM,
    needs=(Need.QUOTES, Need.BARS),
    regimes=(Regime.RANGE, Regime.NORMAL),
    cooldown_seconds=3600,
    daily_cap=6,
    capped_per_symbol=True,
    time_stop_seconds=14_400,
    styles=(OrderStyle.LIMIT_IOC,),
    tunables=(Tunable("move", 1.5, 5), Tunable("stop_bp", 50, 300)),
    max_bar_interval_seconds=900,
    universe=("BTC", "ETH"),
    typical_stop_bp=100,
    directional=True,
)
PACE = PaceRules(cooldown_ns=HOURS, exit_cooldown_ns=HOURS, daily_cap=ROW.daily_cap)
WARM_UP = 48


class FadeSettings(StrategySection):
    """Tunables of OutsideFade."""

    move: float = tunable(ROW, "move", 2)
    """Size of a bar in its own deviations from which it is faded, 1.5 to 5."""
    stop_bp: float = tunable(ROW, "stop_bp", 100)
    """Distance of the stop in bp, 50 to 300."""


class FadeDesk(Desk, kw_only=True):
    """The deviation of bars and the last close."""

    returns: ReturnWindow = msgspec.field(default_factory=lambda: ReturnWindow.of(1))
    size: Average = msgspec.field(default_factory=lambda: Average(half_life=24.0))
    moved: float = nan


class FadeState(DeskState[FadeDesk], kw_only=True):
    """A desk for each instrument."""


_Run = Parameters[FadeSettings]


def step(state: FadeState, event: Event, parameters: _Run) -> tuple[FadeState, Outputs]:
    """Take one event."""
    match event:
        case Quote():
            desk = state.desks[event.instrument]
            desk.quote = event
            return state, _manage(state, desk, event.ts_init)
        case Bar():
            return state, _on_bar(state, event, parameters.section)
        case Heartbeat():
            outputs = NOTHING
            for desk in state.desks.values():
                outputs += _manage(state, desk, event.ts_init)
            return state, outputs
        case _:
            return state, hear(state, event, PACE).outputs


def _on_bar(state: FadeState, event: Bar, section: FadeSettings) -> Outputs:
    desk = state.desks[event.instrument]
    desk.returns.push(event.close)
    move = desk.returns.total(0)
    deviation = desk.size.square**0.5 if desk.size.count >= WARM_UP else nan
    desk.moved = move / deviation if deviation > 0.0 else nan
    if move == move:
        desk.size.push(move)
    return _judge(state, desk, event, section) if desk.idle else NOTHING


def _judge(state: FadeState, desk: FadeDesk, event: Bar, section: FadeSettings) -> Outputs:
    now, market = event.ts_init, desk.quote
    if now < state.history_until or desk.moved != desk.moved or market is None:
        return refuse(state, desk, now, ReasonCode.WARMING_UP, float(desk.size.count), WARM_UP)
    if now - market.ts_init > 3 * event.interval_ns:
        return refuse(state, desk, now, ReasonCode.STALE)
    if desk.regime not in ROW.regimes:
        return refuse(state, desk, now, ReasonCode.REGIME)
    paced = desk.pace.refusal(now, PACE)
    if paced is not None:
        return refuse(state, desk, now, *paced)
    if abs(desk.moved) < section.move:
        return refuse(state, desk, now, ReasonCode.SIZE, abs(desk.moved), section.move)
    return (enter(state, desk, now, _plan(desk, market, -1 if desk.moved > 0.0 else 1, section)),)


def _plan(desk: FadeDesk, market: Quote, sign: int, section: FadeSettings) -> Plan:
    price = touch(market, sign, passive=False)
    factor = 1.0 + section.stop_bp / 1e4
    return Plan(
        sign=sign,
        style=OrderStyle.LIMIT_IOC,
        limit=capped(price, sign),
        stop=price / factor if sign > 0 else price * factor,
        targets=(price * factor if sign > 0 else price / factor,),
        time_stop_ns=int(ROW.time_stop_seconds) * SECOND_NS,
        strength=min(1.0, abs(desk.moved) / 4.0),
        cost_bp=round_trip_bp(
            desk.specification, spread_bp(market), maker_entry=False, maker_exit=False
        ),
        reason=f"bar of {desk.moved:.2f} deviations",
    )


def _manage(state: FadeState, desk: FadeDesk, now: int) -> Outputs:
    holding, market = desk.holding, desk.quote
    if holding is None or market is None:
        return NOTHING
    if now - holding.opened_at >= int(ROW.time_stop_seconds) * SECOND_NS:
        return leave(state, desk, now, "time")
    if holding.targets and (mid(market) - holding.targets[0]) * holding.sign >= 0.0:
        return leave(state, desk, now, "target", style=OrderStyle.LIMIT_IOC)
    return guard_stop(state, desk, now)


class OutsideFade(Strategy[FadeState, FadeSettings]):
    """Bets against a bar that moved several deviations."""

    row = ROW
    note = StrategyNote(
        purpose="Bets against a bar that moved several of its own deviations.",
        orders="LIMIT_IOC at the touch with a price cap.",
        exits="A stop, a target as far away, four hours.",
        expected="None; it stands for a stranger's strategy.",
    )
    listens = (Quote, Bar, Heartbeat)
    section_type = FadeSettings
    state_type = FadeState
    desk_type = FadeDesk
    step = staticmethod(step)
