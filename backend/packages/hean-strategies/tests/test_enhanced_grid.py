from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from math import sqrt

import msgspec
import numpy as np
import pytest

from hean.core.events import (
    Event,
    Frame,
    FrameFeatures,
    Heartbeat,
    Intent,
    Liquidity,
    Need,
    OrderExpired,
    OrderFilled,
    OrderStyle,
    PositionOpened,
    Quote,
    ReasonCode,
    Regime,
    RegimeChanged,
    Side,
    Signal,
)
from hean.core.features import RegimeInputs, RegimeMachine
from hean.core.features.batch_series import reversion_batch, trend_batch, volatility_batch
from hean.core.ids import client_order_id
from hean.core.synthetic.paths import merged, reversion, walk
from hean.core.testing import BTC, MINUTE, SECOND, START, bar, book, btc_perpetual
from hean.strategies.bench import Log, Position, build
from hean.strategies.enhanced_grid import EnhancedGrid
from hean.strategies.quote_bench import QuoteBench
from hean.strategies.testing import check_strategy

PRICE = 60_000.0
BEGIN = START - START % MINUTE
WARM = 35 * 60
LIKELY = FrameFeatures(variance_ratio=0.7, half_life=180.0, sigma_percentile=0.3)


class GridBench(QuoteBench):
    """Also counts what orders cost and earn, and the largest inventory."""

    def __init__(self, log: Log) -> None:
        super().__init__(build(EnhancedGrid, log), log)
        self.fills: list[OrderFilled] = []
        self.cash = self.fees = self.largest = 0.0
        self.deployed = 0

    @property
    def inventory(self) -> float:
        position = self.positions.get(BTC)
        return position.sign * position.size if position is not None else 0.0

    def tell(self, event: Event) -> None:
        if isinstance(event, OrderFilled):
            self.fills.append(event)
        super().tell(event)
        if isinstance(event, Frame):
            self.deployed += self.strategy.state.desks[BTC].ladder is not None

    def _pay(self, size: float, price: float, *, maker: bool) -> None:
        self.cash -= size * price
        self.fees += abs(size) * price * (0.0002 if maker else 0.00055)
        self.largest = max(self.largest, abs(self.inventory))

    def _open(self, signal: Signal, price: float, now: int) -> None:
        self._pay(signal.side.sign * signal.scale, price, maker=True)
        super()._open(signal, price, now)

    def _grow(self, signal: Signal, position: Position, price: float, now: int) -> None:
        super()._grow(signal, position, price, now)
        self._pay(signal.side.sign * signal.scale, price, maker=True)

    def _shrink(self, signal: Signal, position: Position, price: float, now: int) -> None:
        super()._shrink(signal, position, price, now)
        self._pay(signal.side.sign * signal.scale, price, maker=True)

    def _close(
        self, instrument: str, price: float, now: int, reason: str, *,
        maker: bool = False, signal: Signal | None = None,
    ) -> None:  # fmt: skip
        self._pay(-self.inventory, price, maker=maker)
        super()._close(instrument, price, now, reason, maker=maker, signal=signal)

    def net_bp(self, price: float, *, fees: bool = True) -> float:
        """Return the money made, in bp of a clip at `PRICE`."""
        total = self.cash + self.inventory * price - (self.fees if fees else 0.0)
        return 1e4 * total / PRICE


def _told(regime: Regime, at: int) -> RegimeChanged:
    return RegimeChanged(
        ts_event=at, ts_init=at, instrument=BTC, ready=True, regime=regime, phase=None, cycle=None,
        regime_confidence=1.0, phase_confidence=0.0, cycle_confidence=0.0, moved=("regime",),
    )  # fmt: skip


def _second(number: int, price: float, features: FrameFeatures) -> list[Event]:
    at = BEGIN + number * SECOND
    events: list[Event] = [Heartbeat(ts_event=at, ts_init=at, interval_ns=SECOND)]
    half = price * 0.1 / 1e4
    events.append(
        Quote(
            ts_event=at, ts_init=at, instrument=BTC, bid=price - half, ask=price + half,
            bid_size=1.0, ask_size=1.0,
        )
    )  # fmt: skip
    events.append(
        Frame(
            ts_event=at, ts_init=at, instrument=BTC, second=at // SECOND - 1, bid=0, ask=0, mid=0,
            high=0, low=0, return_e9=0, features=features,
        )
    )  # fmt: skip
    if at % MINUTE == 0:
        events.append(bar(price, at=at))
    return events


def _events(
    prices: Sequence[float], features: FrameFeatures = LIKELY, regime: Regime = Regime.RANGE
) -> list[Event]:
    """Return a warm-up around `PRICE` that moves 12 bp a minute, then the prices by second."""
    events: list[Event] = [_told(regime, BEGIN)]
    for number in range(WARM):
        away = 6.0 if number // 60 % 2 else -6.0
        events += _second(number, PRICE * (1.0 + away / 1e4), FrameFeatures())
    for number, price in enumerate(prices):
        events += _second(WARM + number, price, features)
    return events


def _log(events: Sequence[Event]) -> Log:
    needs = (Need.QUOTES, Need.TRADES)
    return Log(instruments=(btc_perpetual(),), carries={BTC: needs}, events=events)


def _bench(events: Sequence[Event]) -> GridBench:
    bench = GridBench(_log(events))
    bench.run(events)
    return bench


def _path(*points: tuple[int, float]) -> list[float]:
    """Return prices by second, straight between (second, bp) points."""
    prices: list[float] = []
    for (left, start), (right, end) in pairwise(points):
        span = right - left
        prices += [PRICE * (1.0 + (start + (end - start) * n / span) / 1e4) for n in range(span)]
    return prices


def _step_bp(bench: GridBench) -> float:
    ladder = bench.strategy.state.desks[BTC].ladder
    assert ladder is not None
    return float(ladder.step_bp)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_proved_range_pays(seed: int) -> None:
    """Reversion of 3 min and 25 bp for 4 h: many rungs, net above zero, five clips at most."""
    prices = reversion(seed, 4 * 3600, start=PRICE, half_life=180.0, sd_bp=25.0)
    found = _bench(_events(prices))
    rungs = [one for one in found.fills if one.liquidity is Liquidity.MAKER]
    assert len(rungs) >= 2 * 20
    assert found.net_bp(prices[-1]) > 0.0
    assert found.largest <= 5.0 * max(one.scale for one in found.entries) + 1e-6
    assert all(one.style is OrderStyle.POST_ONLY for one in found.entries)
    assert found.most <= 6


def _measured(prices: Sequence[float]) -> list[Event]:
    """Return the events of a path with features and regime as they are measured."""
    level = np.log(np.array(prices))
    change = np.concatenate(([0], np.rint(np.diff(level) * 1e9).astype(np.int64)))
    second = np.arange(len(prices), dtype=np.int64) + BEGIN // SECOND
    calm = volatility_batch(second, change)
    trend = trend_batch(change, calm["sigma_slow"])
    half_life = reversion_batch(second, change).tolist()
    ratio = (calm["sigma_fast"] / calm["sigma_slow"]).tolist()
    columns = [trend[name].tolist() for name in ("z_30", "range_ratio", "variance_ratio")]
    zeta = trend["zeta_3600"].tolist()
    machine, events = RegimeMachine(), list[Event]()
    for number, price in enumerate(prices):
        z, spread, variance = (column[number] for column in columns)
        if machine.step(RegimeInputs(z, ratio[number], spread, variance, zeta[number])):
            events.append(_told(machine.regime, BEGIN + number * SECOND))
        features = FrameFeatures(
            variance_ratio=variance, half_life=half_life[number], sigma_percentile=0.3
        )
        events += _second(number, price, features)
    return events


def test_a_walk_is_rarely_taken_for_a_range() -> None:
    """By the measured evidence a ladder stands on walks a fifth of the time at most."""
    deployed = seconds = 0
    for seed in range(3):
        prices = walk(seed, 6 * 3600, start=PRICE, sigma_bp=0.9)
        deployed += _bench(_measured(prices)).deployed
        seconds += len(prices)
    assert deployed / seconds <= 0.2


def test_a_walk_earns_minus_its_fees() -> None:
    """Where evidence lies, ladders on walks earn nothing within 3 SE before fees, and pay these."""
    gross: list[float] = []
    fees = 0.0
    for seed in range(16):
        prices = walk(seed, 1800, start=PRICE, sigma_bp=0.9)
        found = _bench(_events(prices))
        gross.append(found.net_bp(prices[-1], fees=False))
        fees += found.fees
    error = float(np.std(gross, ddof=1)) / sqrt(len(gross))
    assert error > 0.0
    assert abs(float(np.mean(gross))) <= 3.0 * error
    assert fees > 0.0


def test_a_measured_range_is_found() -> None:
    """On a reverting path the measured evidence deploys ladders, and they pay."""
    prices = reversion(4, 4 * 3600, start=PRICE, half_life=240.0, sd_bp=25.0)
    found = _bench(_measured(prices))
    assert found.deployed >= 1800
    assert found.net_bp(prices[-1]) > 0.0


@pytest.mark.parametrize("sign", [1, -1])
def test_a_trend_out_is_cut(sign: int) -> None:
    """Out by 400 bp: five fills at most, a kill, flat within 70 s of it, a bounded loss."""
    prices = _path((0, 0.0), (60, 0.0), (660, sign * 400.0))
    found = _bench(_events(prices))
    entries = {client_order_id(one.signal_id) for one in found.entries}
    rungs = [one for one in found.fills if one.client_order_id in entries]
    assert 1 <= len(rungs) <= 5
    assert abs(found.inventory) < 1e-9
    left = [one for one in found.signals if one.intent is Intent.CLOSE]
    assert left
    assert found.outcomes[-1].closed_at - left[0].ts_init <= 70 * SECOND
    step = max(12.0, 0.8 * 12.0 * sqrt(3.0))
    assert found.net_bp(prices[-1]) >= -(15.0 * step + 6.0 * step + 5 * 7.5)


def test_a_lost_range_ends_the_life() -> None:
    """A minute after RANGE ended the inventory goes, as a maker first and taken 10 s later."""
    prices = _path((0, 0.0), (60, 0.0), (120, -26.0), (400, -30.0))
    lost = BEGIN + (WARM + 150) * SECOND
    events = sorted([*_events(prices), _told(Regime.NORMAL, lost)], key=lambda one: one.ts_init)
    found = _bench(events)
    left = [one for one in found.signals if one.intent is Intent.CLOSE]
    assert [one.style for one in left[:2]] == [OrderStyle.POST_ONLY, OrderStyle.LIMIT_IOC]
    assert left[0].ts_init - lost == 60 * SECOND
    assert left[1].ts_init - left[0].ts_init == 10 * SECOND
    assert abs(found.inventory) < 1e-9
    assert not [one for one in found.entries if one.ts_init > lost]


def test_a_rising_variance_ratio_ends_the_life() -> None:
    """A variance ratio above 1.05 pulls the rungs."""
    changed = _events(_path((0, 0.0), (60, 0.0)))
    for number in range(60, 90):
        features = msgspec.structs.replace(LIKELY, variance_ratio=1.06)
        changed += _second(WARM + number, PRICE, features)
    found = _bench(changed)
    assert found.strategy.state.desks[BTC].ladder is None
    assert not found.resting[BTC]


@pytest.mark.parametrize("regime", [Regime.NORMAL, Regime.IMPULSE])
def test_no_ladder_outside_a_range(regime: Regime) -> None:
    """In NORMAL and IMPULSE nothing is built, and REGIME is said."""
    found = _bench(_events(_path((0, 0.0), (60, 0.0)), regime=regime))
    assert not found.entries
    assert ReasonCode.REGIME in found.codes()


def test_a_range_must_have_lasted() -> None:
    """Nothing is built in the first ten minutes of a RANGE."""
    begun = BEGIN + WARM * SECOND
    events = [one for one in _events(_path((0, 0.0), (700, 0.0))) if one.ts_init >= BEGIN][1:]
    told = [_told(Regime.NORMAL, BEGIN), *events, _told(Regime.RANGE, begun)]
    found = _bench(sorted(told, key=lambda one: one.ts_init))
    assert found.entries[0].ts_init == begun + 600 * SECOND


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"variance_ratio": 0.9}, ReasonCode.INELIGIBLE),
        ({"half_life": 60.0}, ReasonCode.INELIGIBLE),
        ({"half_life": float("inf")}, ReasonCode.INELIGIBLE),
        ({"sigma_percentile": 0.6}, ReasonCode.PHASE),
        ({"sigma_percentile": float("nan")}, ReasonCode.WARMING_UP),
    ],
)
def test_lacking_evidence_refuses(changes: dict[str, float], code: ReasonCode) -> None:
    """Each missing piece of evidence ends every evaluation with its code."""
    found = _bench(_events(_path((0, 0.0), (30, 0.0)), msgspec.structs.replace(LIKELY, **changes)))
    assert not found.entries
    assert found.codes()[code] >= 30


def test_a_touch_that_the_book_confirms_is_fresh() -> None:
    """Without news of the touch for minutes nothing is built, unless book images show it as is."""
    events = _events(_path((0, 0.0), (60, 0.0)))
    cut = BEGIN + (WARM - 30) * SECOND
    silent = [one for one in events if not (isinstance(one, Quote) and one.ts_init > cut)]
    assert set(_bench(silent).codes()) >= {ReasonCode.STALE}
    last = [one for one in silent if isinstance(one, Quote)][-1]
    beats = [one.ts_init for one in silent if isinstance(one, Heartbeat) and one.ts_init > cut]
    images = [book(last.bid, last.ask, at=at) for at in beats]
    assert not _bench(silent).entries
    assert _bench(merged(silent, images)).entries


def test_an_unchanged_rung_keeps_its_order() -> None:
    """After a fill only the rung that comes in new is placed; the others rest as they did."""
    found = _bench(_events(_path((0, 0.0), (60, 0.0), (120, -26.0))))
    first, second = sorted({one.ts_init for one in found.entries})
    before = [one for one in found.entries if one.ts_init == first]
    after = [one for one in found.entries if one.ts_init == second]
    ladder = found.strategy.state.desks[BTC].ladder
    assert ladder is not None
    at_work = {order for one in ladder.rungs for order in one.orders}
    kept = [one for one in before if client_order_id(one.signal_id) in at_work]
    fresh = [one for one in after if client_order_id(one.signal_id) in at_work]
    assert [one.reason.split(",")[0] for one in kept] == [
        "rung 2", "rung 3", "rung 1", "rung 2", "rung 3",
    ]  # fmt: skip
    assert [one.reason.split(",")[0] for one in fresh] == ["rung 4"]
    assert {client_order_id(one.signal_id) for one in found.resting[BTC]} == at_work


def test_a_rung_refills_only_after_its_target() -> None:
    """Between two buys of the same rung lies the fill of its target."""
    down_up = (0.0, -26.0, 6.0, -26.0, 6.0)
    prices = _path((0, 0.0), *[(60 * (n + 1), away) for n, away in enumerate(down_up)])
    found = _bench(_events(prices))
    step = _step_bp(found)
    first = [one for one in found.entries if one.reason.startswith("rung 1,")]
    bought = [
        one for one in found.fills
        if one.client_order_id in {client_order_id(e.signal_id) for e in first}
        and one.side is Side.BUY
    ]  # fmt: skip
    assert len(bought) == 2
    between = [
        one for one in found.fills if bought[0].ts_init < one.ts_init < bought[1].ts_init
        and one.side is Side.SELL
    ]  # fmt: skip
    assert between
    gained = float(between[0].price) / float(bought[0].price) - 1.0
    assert 1e4 * gained == pytest.approx(step, abs=0.1)
    targets = [one for one in found.signals if one.intent is Intent.REDUCE]
    assert all(one.style is OrderStyle.POST_ONLY for one in targets)


def _fill(signal: Signal, quantity: str, whole: str, at: int, number: int) -> OrderFilled:
    filled = Decimal(quantity) * number
    return OrderFilled(
        ts_event=at, ts_init=at, fill_id=f"p{number}",
        client_order_id=client_order_id(signal.signal_id), strategy=signal.strategy,
        instrument=BTC, side=signal.side, price=Decimal(repr(signal.limit)),
        quantity=Decimal(quantity), fee=Decimal(0), liquidity=Liquidity.MAKER, filled=filled,
        remaining=Decimal(whole) - filled,
    )  # fmt: skip


def _opened(signal: Signal, quantity: str, at: int) -> PositionOpened:
    return PositionOpened(
        ts_event=at, ts_init=at, strategy=signal.strategy, instrument=BTC,
        quantity=Decimal(quantity), entry_price=Decimal(repr(signal.limit)), risk=Decimal(1),
        stop=None, client_order_id=client_order_id(signal.signal_id), fill_id="p1", group="",
    )  # fmt: skip


def _begun() -> tuple[GridBench, Signal, int]:
    """Return a bench with a fresh ladder, its first buying rung, and the time."""
    events = _events(_path((0, 0.0), (5, 0.0)))
    bench = _bench(events)
    rung = next(one for one in bench.entries if one.side is Side.BUY)
    return bench, rung, events[-1].ts_init + SECOND


def test_partial_fills_arm_partial_targets() -> None:
    """Two of five parts bought: one target for just these; the rest of the rung stays at work."""
    bench, rung, at = _begun()
    bench.tell(_fill(rung, "0.004", "0.010", at, 1))
    bench.tell(_opened(rung, "0.004", at))
    aims = bench.strategy.state.desks[BTC].aims
    assert [one.left for one in aims] == [pytest.approx(0.004)]
    target = bench.signals[-1]
    assert target.intent is Intent.REDUCE
    assert target.scale == pytest.approx(1.0, abs=1e-6)
    assert target.limit == pytest.approx(PRICE, rel=1e-6)
    assert client_order_id(rung.signal_id) in bench.strategy.state.desks[BTC].ladder.rungs[0].orders


def test_a_restart_restores_rungs_and_replaces_what_is_gone() -> None:
    """A restored ladder knows its rungs; orders found gone are quoted anew in one group."""
    bench, _, at = _begun()
    fresh = build(EnhancedGrid, _log([]))
    fresh.restore(bench.strategy.snapshot())
    ladder = fresh.state.desks[BTC].ladder
    assert ladder == bench.strategy.state.desks[BTC].ladder
    bench.strategy = fresh
    for quoted in tuple(fresh.state.desks[BTC].quotes):
        bench.tell(
            OrderExpired(
                ts_event=at, ts_init=at, client_order_id=quoted.order_id,
                strategy="enhanced_grid", instrument=BTC, filled=Decimal(0),
            )
        )  # fmt: skip
    before = len(bench.entries)
    bench.run(_second((at - BEGIN) // SECOND, PRICE, LIKELY))
    again = bench.entries[before:]
    assert len(again) == 6
    assert len({one.group for one in again}) == 1
    assert sorted(one.limit or 0.0 for one in again) == sorted(
        one.limit or 0.0 for one in bench.entries[:6]
    )


def test_a_refused_ladder_waits_a_minute() -> None:
    """A group the gate refuses is dropped and not offered again for a minute."""
    events = _events(_path((0, 0.0), (70, 0.0)))
    log = _log(events)
    bench = QuoteBench(
        build(EnhancedGrid, log), log, verdict=lambda _: ReasonCode.POSITION_SIZER_ZERO
    )
    bench.run(events)
    times = [one.ts_init for one in bench.entries if one.leg == 0]
    assert len(times) == 2
    assert times[1] - times[0] == 60 * SECOND


def test_a_kill_waits_half_an_hour() -> None:
    """After a kill the next ladder is built thirty minutes later at the earliest."""
    away = _path((0, 0.0), (30, 0.0), (90, 150.0), (150, 0.0), (2100, 0.0))
    found = _bench(_events(away))
    starts = [one for one in found.entries if one.leg == 0 and one.legs == 6]
    killed = next(one for one in found.signals if one.intent is Intent.CLOSE).ts_init
    later = [one.ts_init for one in starts if one.ts_init > killed]
    assert later
    assert 1800 * SECOND <= later[0] - killed <= 1815 * SECOND
    assert ReasonCode.COOLDOWN in found.codes()


def test_the_day_has_its_cap() -> None:
    """At the day's cap of orders no ladder is built, and DAILY_CAP is said."""
    events = _events(_path((0, 0.0), (5, 0.0)))
    bench = GridBench(_log(events))
    bench.strategy.state.day, bench.strategy.state.orders = BEGIN // (86_400 * SECOND), 145
    bench.run(events)
    assert not bench.entries
    assert ReasonCode.DAILY_CAP in bench.codes()


def test_a_life_ends_after_four_hours() -> None:
    """A quiet ladder is pulled after four hours, and the next one follows at once."""
    found = _bench(_events(_path((0, 0.0), (4 * 3600 + 30, 0.0))))
    starts = [one.ts_init for one in found.entries if one.leg == 0]
    assert len(starts) == 2
    assert 4 * 3600 * SECOND <= starts[1] - starts[0] <= (4 * 3600 + 5) * SECOND


def test_the_invariants_hold() -> None:
    """EnhancedGrid passes the kit every strategy must pass."""
    down_up = (0.0, -26.0, 6.0, 30.0, -6.0)
    prices = _path((0, 0.0), *[(60 * (n + 1), away) for n, away in enumerate(down_up)])
    check_strategy(EnhancedGrid, _log(_events(prices)))
