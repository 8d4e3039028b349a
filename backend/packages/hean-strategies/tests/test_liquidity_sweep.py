from __future__ import annotations

from collections.abc import Callable, Sequence
from math import fsum, sqrt
from statistics import stdev

import msgspec

from hean.core import edge
from hean.core.events import (
    Event,
    Frame,
    FrameFeatures,
    GuardMode,
    Heartbeat,
    Intent,
    Liquidation,
    MarkPrice,
    Need,
    OrderStyle,
    Quote,
    ReasonCode,
    Regime,
    RegimeChanged,
    Side,
    Signal,
)
from hean.core.instruments import Instrument
from hean.core.synthetic.paths import walk
from hean.core.testing import BTC, SECOND, START, book, btc_perpetual, perpetual
from hean.strategies.bench import Bench, Log, build
from hean.strategies.liquidity_sweep import LiquiditySweep
from hean.strategies.sweep_levels import LevelBook, PokeRules, Second
from hean.strategies.testing import check_strategy

DAY = 86_400 * SECOND
MINUTE = 60 * SECOND
PRICE = 60_000.0
HIGH = 60_180.0
ATR = 100.0
MIDNIGHT = (START // DAY + 1) * DAY
POKE = MIDNIGHT + DAY + 40 * MINUTE
Path = Callable[[float], float]


def _told(regime: Regime, *, at: int = MIDNIGHT, instrument: str = BTC) -> RegimeChanged:
    return RegimeChanged(
        ts_event=at, ts_init=at, instrument=instrument, ready=True, regime=regime, phase=None,
        cycle=None, regime_confidence=1.0, phase_confidence=0.0, cycle_confidence=0.0,
        moved=("regime",),
    )  # fmt: skip


class Scene(msgspec.Struct, kw_only=True):
    """What stands behind the poke, and at which scale it is played."""

    volume: float = 3.0
    outward: int = 50
    flip: float = 0.8
    liquidations: bool = True
    trend: float = 0.0
    rules: Instrument = msgspec.field(default_factory=btc_perpetual)
    scale: float = 1.0
    atr: float = ATR


def _moment(at: int, price: float, scene: Scene, *, out: bool = False) -> list[Event]:
    """Return a second at a price (unscaled); `out` says that it lies beyond the level."""
    rules, k = scene.rules, scene.scale
    half = 0.5 * k
    market = Quote(
        ts_event=at, ts_init=at, instrument=rules.id, bid=price * k - half, ask=price * k + half,
        bid_size=1.0, ask_size=1.0,
    )  # fmt: skip
    sign = 1 if price >= PRICE else -1
    frame = Frame(
        ts_event=at, ts_init=at, instrument=rules.id, second=at // SECOND - 1, bid=0, ask=0, mid=0,
        high=0, low=0, return_e9=0, book_ready=True,
        buy_lots=scene.outward if out and sign > 0 else 10,
        sell_lots=scene.outward if out and sign < 0 else 10,
        features=FrameFeatures(
            atr_60=scene.atr * k, volume_burst=scene.volume if out else 1.0,
            ofi_10=0.0 if out else -sign * scene.flip, zeta_3600=sign * scene.trend,
            vwap_3600=PRICE * k, spread_mean_bp=0.2, z_30=2.0,
        ),
    )  # fmt: skip
    beat = Heartbeat(ts_event=at, ts_init=at, interval_ns=SECOND)
    return [beat, market, book(market.bid, market.ask, at=at, instrument=rules.id), frame]


def _yesterday(scene: Scene) -> list[Event]:
    """Return a whole UTC day, sparsely, whose high was made at noon and whose low at one."""
    events: list[Event] = [_told(Regime.NORMAL, instrument=scene.rules.id)]
    for minute in range(1440 + 40):
        price = PRICE
        if 720 <= minute < 722:
            price = HIGH
        elif 780 <= minute < 782:
            price = 2.0 * PRICE - HIGH
        events += _moment(MIDNIGHT + (minute * 60 + 1) * SECOND, price, scene)
    return events


def _poke(
    path: Path, seconds: int, scene: Scene | None = None, *, at: int = POKE, level: float = HIGH
) -> list[Event]:
    """Return the seconds of a poke; `path` gives the price by second."""
    scene = scene or Scene()
    side = 1.0 if level > PRICE else -1.0
    events: list[Event] = []
    for second in range(seconds):
        price = path(second)
        out = (price - level) * side > 0.0
        events += _moment(at + second * SECOND, price, scene, out=out)
        if out and scene.liquidations:
            now = at + second * SECOND + 1
            events.append(
                Liquidation(
                    ts_event=now, ts_init=now, instrument=scene.rules.id, side=Side.SELL,
                    price=price * scene.scale, quantity=5.0,
                )
            )  # fmt: skip
    return events


def _gradual(second: float) -> float:
    """Up to 100 beyond the high in 20 s, and back below it in the next ten."""
    if second < 10:
        return PRICE + 17.0 * second
    if second < 30:
        return HIGH + 5.0 * (second - 9)
    return max(HIGH - 60.0, HIGH + 100.0 - 20.0 * (second - 29))


def _jump(second: float) -> float:
    """One print 100 beyond the high, and straight back."""
    return HIGH + 100.0 if second == 15 else (HIGH - 60.0 if second > 15 else PRICE)


def _log(events: Sequence[Event], rules: Instrument | None = None) -> Log:
    rules = rules or btc_perpetual()
    needs = (Need.QUOTES, Need.TRADES, Need.DEPTH, Need.LIQUIDATIONS)
    ordered = sorted(events, key=lambda one: one.ts_init)
    return Log(instruments=(rules,), carries={rules.id: needs}, events=ordered)


def _bench(events: Sequence[Event], rules: Instrument | None = None) -> Bench:
    log = _log(events, rules)
    return Bench(build(LiquiditySweep, log), log).run(log.events)


def _whole(path: Path, seconds: int = 60, scene: Scene | None = None) -> list[Event]:
    scene = scene or Scene()
    return [*_yesterday(scene), *_poke(path, seconds, scene)]


def test_a_swept_high_is_sold_once() -> None:
    """A poke of 1 ATR over 20 s that flips and is reclaimed: one sell, stop above the extreme."""
    found = _bench(_whole(_gradual))
    assert [one.side for one in found.entries] == [Side.SELL]
    signal = found.entries[0]
    assert signal.reason.startswith("day level")
    assert signal.style is OrderStyle.LIMIT_IOC
    assert (signal.stop or 0.0) > HIGH + 100.0
    assert POKE + 30 * SECOND <= signal.ts_init <= POKE + 45 * SECOND


def test_a_single_jump_is_found_too() -> None:
    """A poke of one print within a second counts as much as a gradual one."""
    found = _bench(_whole(_jump))
    assert [one.side for one in found.entries] == [Side.SELL]


def test_a_swept_low_is_bought() -> None:
    """The mirrored poke under the prior day's low is bought."""
    low = 2.0 * PRICE - HIGH
    scene = Scene()
    events = [
        *_yesterday(scene),
        *_poke(lambda second: 2.0 * PRICE - _gradual(second), 60, scene, level=low),
    ]
    found = _bench(events)
    assert [one.side for one in found.entries] == [Side.BUY]


def test_a_hold_beyond_is_accepted() -> None:
    """Price that stays beyond for 90 s is refused with ACCEPTED; nothing is sold."""
    found = _bench(_whole(lambda second: PRICE if second < 5 else HIGH + 80.0, 95))
    assert not found.entries
    assert ReasonCode.ACCEPTED in found.codes()


def test_a_poke_without_volume_or_flip_is_refused() -> None:
    """No volume gives PARTICIPATION; flow that is still outward gives FLOW."""
    quiet = _bench(_whole(_gradual, scene=Scene(volume=1.2)))
    assert not quiet.entries
    assert ReasonCode.PARTICIPATION in quiet.codes()
    outward = _bench(_whole(_gradual, scene=Scene(flip=-0.8)))
    assert not outward.entries
    assert ReasonCode.FLOW in outward.codes()
    inward = _bench(_whole(_gradual, scene=Scene(outward=5)))
    assert not inward.entries
    assert ReasonCode.FLOW in inward.codes()


def test_nobody_forced_out_is_refused() -> None:
    """Without liquidations and with steady open interest the code is FLOW."""
    found = _bench(_whole(_gradual, scene=Scene(liquidations=False)))
    assert not found.entries
    assert ReasonCode.FLOW in found.codes()


def test_falling_open_interest_stands_for_liquidations() -> None:
    """Open interest that falls by 0.2 % during the poke counts as a burst."""
    told: list[Event] = [
        MarkPrice(ts_event=at, ts_init=at, instrument=BTC, mark=PRICE, open_interest=amount)
        for at, amount in ((POKE, 1000.0), (POKE + 20 * SECOND, 997.0))
    ]
    found = _bench([*_whole(_gradual, scene=Scene(liquidations=False)), *told])
    assert [one.side for one in found.entries] == [Side.SELL]


def test_two_near_levels_give_one_signal() -> None:
    """A round number near the day's high is swept with it, and one signal comes."""
    found = _bench(_whole(_gradual, 300))
    answers = [one for one in found.said if one.ts_init > POKE]
    assert len([one for one in answers if isinstance(one, Signal)]) >= 1
    assert len(found.entries) == 1


def test_a_range_opens_nothing() -> None:
    """The same sweep in RANGE is refused with REGIME."""
    found = _bench([*_whole(_gradual), _told(Regime.RANGE, at=POKE - SECOND)])
    assert not found.entries
    assert ReasonCode.REGIME in found.codes()


def test_a_young_impulse_opens_nothing() -> None:
    """An IMPULSE younger than 20 s is refused."""
    found = _bench([*_whole(_gradual), _told(Regime.IMPULSE, at=POKE + 25 * SECOND)])
    assert not found.entries
    assert ReasonCode.REGIME in found.codes()


def test_an_hours_trend_against_it_is_respected() -> None:
    """A trend of 2.5 against the trade is refused with HORIZONS."""
    found = _bench(_whole(_gradual, scene=Scene(trend=2.5)))
    assert not found.entries
    assert ReasonCode.HORIZONS in found.codes()


def test_a_second_sweep_waits_a_quarter_of_an_hour() -> None:
    """The next sweep at 14:59 min is blocked by COOLDOWN, at 15:01 it is sold."""
    answers: list[bool] = []
    for seconds in (899, 901):
        log = _log(_whole(_gradual))
        bench = Bench(build(LiquiditySweep, log), log)
        first = _bench(log.events).entries[0].ts_init
        bench.strategy.state.desks[BTC].pace.last_attempt = first - seconds * SECOND
        bench.run(log.events)
        answers.append(bool(bench.entries))
        assert answers[-1] or ReasonCode.COOLDOWN in bench.codes()
    assert answers == [False, True]


def test_a_thin_stop_is_no_plan() -> None:
    """A stop nearer than 20 bp is refused with PLAN."""
    scene = Scene(atr=60.0)

    def small(second: float) -> float:
        return HIGH + (_gradual(second) - HIGH) * 0.6 if second >= 10 else PRICE

    found = _bench(_whole(small, 60, scene))
    assert not found.entries
    assert ReasonCode.PLAN in found.codes()


def test_scales_of_ten_give_the_same_signals() -> None:
    """A $0.6 symbol gives what one of $60,000 gives: a factor of a hundred thousand."""
    small = perpetual("XRP", "0.000001", "0.1", "1000000", "0.0002")
    scene = Scene(rules=small, scale=1e-5)
    one, other = _bench(_whole(_gradual)), _bench(_whole(_gradual, scene=scene), small)
    told = [[(signal.ts_init, signal.side) for signal in bench.entries] for bench in (one, other)]
    assert told[0] == told[1]
    assert len(one.entries) == 1
    stops = [(bench.entries[0].stop or 0.0) for bench in (one, other)]
    assert abs(stops[1] * 1e5 / stops[0] - 1.0) < 1e-6


def test_half_is_taken_and_the_rest_goes_to_the_average() -> None:
    """At 1.5 R half is bought back, the rest at the hour's VWAP or 3 R."""

    def falling(second: float) -> float:
        return _gradual(second) if second < 45 else HIGH - 60.0 - 4.0 * (second - 45)

    found = _bench(_whole(falling, 240))
    kinds = [one.intent for one in found.signals]
    assert kinds == [Intent.OPEN, Intent.REDUCE, Intent.CLOSE]
    assert all(one.gross_bp > 0.0 for one in found.outcomes)


def test_a_quarter_of_an_hour_ends_it() -> None:
    """What reaches neither stop nor target is left after 15 minutes."""
    found = _bench(_whole(_gradual, 960))
    left = [one for one in found.signals if one.intent is Intent.CLOSE]
    assert [one.reason for one in left] == ["time stop of 15 min"]
    assert not found.positions


def _walked(seed: int, days: int) -> tuple[int, list[float]]:
    """Return the reclaims of a walk that price alone would trade, and their gross in bp."""
    prices = walk(seed, days * 86_400, start=PRICE, sigma_bp=1.5)
    levels, rules = LevelBook(), PokeRules(penetration=0.5, reclaim=0.25, window_ns=MINUTE)
    atr = bars = last = 0.0
    high = low = before = prices[0]
    gross: list[float] = []
    for number, price in enumerate(prices):
        high, low = max(high, price), min(low, price)
        if number % 60 == 59:
            bars += 1
            span = max(high, before) - min(low, before)
            atr = span if bars == 1 else (span + 13.0 * atr) / 14.0
            before = high = low = price
        sweep = levels.push(
            Second(
                now=MIDNIGHT + (number + 1) * SECOND, high=price, low=price, mid=price,
                atr=atr if bars > 14 else 0.0, volume=1.0, flow=1, liquidated=False, interest=1.0,
            ),
            rules,
        )  # fmt: skip
        if sweep is None or sweep.accepted or number - last < 900:
            continue
        risk = abs(sweep.extreme + 0.25 * sweep.poke * atr - price)
        if 1e4 * risk / price < 20.0:
            continue
        last = number
        gross.append(_outcome_bp(prices[number : number + 901], -sweep.poke, risk))
    return days, gross


def _outcome_bp(path: Sequence[float], sign: int, risk: float) -> float:
    """Return what a trade from the path's start earns: stop, 3 R, or the quarter of an hour."""
    price = entry = path[0]
    for price in path:
        move = (price - entry) * sign
        if move <= -risk or move >= 3.0 * risk:
            break
    return 1e4 * sign * (price / entry - 1.0)


def test_a_random_walk_gives_few_signals_and_no_promotion() -> None:
    """Price alone gives at most 4 a day on a walk, earns zero within 3 errors, is never ACTIVE."""
    days, gross = 0, list[float]()
    for seed in (1, 2, 3):
        some, found = _walked(seed, 3)
        days += some
        gross += found
    assert 10 <= len(gross) <= 4 * days
    error = stdev(gross) / sqrt(len(gross))
    assert abs(fsum(gross) / len(gross)) <= 3.0 * error
    mode, cell = GuardMode.SHADOW, edge.Cell()
    for one in gross:
        cell = cell.with_outcome(one - 11.0)
        mode = edge.next_mode(mode, cell, 11.0)
        assert mode is not GuardMode.ACTIVE


def test_the_invariants_hold() -> None:
    """LiquiditySweep passes the kit every strategy must pass; prices scale by powers of ten."""
    check_strategy(LiquiditySweep, _log(_whole(_gradual, 70)), price_scale=10.0)
