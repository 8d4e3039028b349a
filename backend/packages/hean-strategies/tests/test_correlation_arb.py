from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import msgspec
import numpy as np
import pytest

from hean.core.events import (
    Bar,
    BarSource,
    Event,
    Intent,
    Need,
    OrderStyle,
    Phase,
    Quote,
    ReasonCode,
    Regime,
    RegimeChanged,
    Side,
)
from hean.core.synthetic.paths import bar_log, merged, reversion, walk
from hean.core.testing import (
    BTC,
    ETH,
    HOUR,
    MINUTE,
    START,
    btc_perpetual,
    eth_perpetual,
    funding,
)
from hean.strategies.bench import Bench, Log, build
from hean.strategies.correlation_arb import CorrelationArbitrage, CorrelationSettings, undercut
from hean.strategies.testing import check_strategy

INTERVAL = 5 * MINUTE
DAY_BARS = 288
KEY = f"{BTC}|{ETH}"


def _pair(
    days: float, *, beta: float = 1.0, sd_bp: float = 60.0, half_life: float = 6.0,
    broken_after: float = 99.0, drift: float = 12.0, sigma_bp: float = 20.0, seed: int = 11,
) -> tuple[list[float], list[float]]:  # fmt: skip
    """Two prices whose log distance reverts; from `broken_after` days on it runs away."""
    count = int(days * DAY_BARS)
    second = walk(seed, count, start=3_000.0, sigma_bp=sigma_bp)
    gap = reversion(seed + 1, count, start=1.0, half_life=half_life, sd_bp=sd_bp)
    first: list[float] = []
    broken = int(broken_after * DAY_BARS)
    for number in range(count):
        apart = log(gap[min(number, broken)])
        away = max(0, number - broken) * drift / 1e4
        first.append(exp(log(60_000.0) + beta * log(second[number] / 3_000.0) + apart + away))
    return first, second


def _events(
    pair: tuple[list[float], list[float]], *, spare: Sequence[int] = (), dropped: int = 0
) -> list[Event]:
    logs = [
        bar_log(name, prices, begin=START, interval=INTERVAL, wick_bp=3.0)
        for name, prices in zip((BTC, ETH), pair, strict=True)
    ]
    events = merged(*logs)
    if dropped:
        return [
            one
            for number, one in enumerate(events)
            if not (isinstance(one, Bar) and (number * 7919) % 100 < dropped)
        ]
    return [one for number, one in enumerate(events) if number not in spare]


def _log(events: Sequence[Event]) -> Log:
    needs = (Need.QUOTES, Need.BARS, Need.FUNDING)
    return Log(
        instruments=(btc_perpetual(), eth_perpetual()),
        carries={BTC: needs, ETH: needs},
        events=events,
        bar_intervals={BTC: INTERVAL, ETH: INTERVAL},
    )


def _bench(events: Sequence[Event]) -> Bench:
    log_ = _log(events)
    return Bench(build(CorrelationArbitrage, log_), log_).run(events)


def _told(instrument: str, regime: Regime, phase: Phase | None = None) -> RegimeChanged:
    return RegimeChanged(
        ts_event=START, ts_init=START, instrument=instrument, ready=True, regime=regime,
        phase=phase, cycle=None, regime_confidence=1.0, phase_confidence=1.0,
        cycle_confidence=0.0, moved=("regime",),
    )  # fmt: skip


def _ticks(minutes: int) -> Log:
    """The planted pair where trades come: minute bars from frames, quotes that are real."""
    pair = _pair(minutes / DAY_BARS, half_life=30.0, sigma_bp=20.0)
    logs = [
        bar_log(name, prices, begin=START, interval=MINUTE, wick_bp=3.0)
        for name, prices in zip((BTC, ETH), pair, strict=True)
    ]
    events: list[Event] = []
    for one in merged(*logs):
        if isinstance(one, Bar):
            events.append(msgspec.structs.replace(one, source=BarSource.FRAMES))
        elif isinstance(one, Quote):
            events.append(msgspec.structs.replace(one, synthetic=False))
        else:
            events.append(one)
    needs = (Need.QUOTES, Need.TRADES, Need.FUNDING)
    return Log(
        instruments=(btc_perpetual(), eth_perpetual()),
        carries={BTC: needs, ETH: needs},
        events=events,
    )


def test_on_ticks_the_leg_with_the_wider_spread_rests() -> None:
    """Where trades come a group is a POST_ONLY and an IOC hedge that its fill releases."""
    log_ = _ticks(4 * 1440)
    found = Bench(build(CorrelationArbitrage, log_), log_).run(log_.events)
    assert found.entries
    for first, hedge in zip(found.entries[::2], found.entries[1::2], strict=True):
        assert (first.style, hedge.style) == (OrderStyle.POST_ONLY, OrderStyle.LIMIT_IOC)
        assert (first.release_leg, hedge.release_leg) == (-1, 0)


def test_on_bars_both_legs_take_and_are_reckoned_so() -> None:
    """A group on bars is two IOCs; its cost is that of four taking legs, at 1 bp half-spread."""
    found = _bench(_events(_pair(5)))
    first, second = found.entries[:2]
    beta = max(first.scale, second.scale) / min(first.scale, second.scale)
    larger = BTC if first.scale == 1.0 else ETH
    weight = beta if larger == ETH else 1.0 / beta
    taken = 2.0 * (5.5 + 1.0)
    assert first.cost_bp == pytest.approx(taken * (1.0 + weight), rel=1e-4)


def test_a_cointegrated_pair_is_traded_as_groups() -> None:
    """A planted pair gives groups that sell the rich leg, buy the cheap, and end near the mean."""
    found = _bench(_events(_pair(5)))
    assert found.entries
    for first, second in zip(found.entries[::2], found.entries[1::2], strict=True):
        assert first.group == second.group
        assert {first.side, second.side} == {Side.BUY, Side.SELL}
        assert (first.intent, first.style, second.style) == (
            Intent.LEG,
            OrderStyle.LIMIT_IOC,
            OrderStyle.LIMIT_IOC,
        )
        assert first.ts_init >= START + 24 * HOUR
    assert "back at the mean" in {one.reason for one in found.outcomes}
    gross = [one.gross_bp for one in found.outcomes]
    assert sum(gross) > 0.0


def _arriving(seed: int, prices: Sequence[float], kept: float) -> list[float]:
    """Minute closes of a price that arrives in a share of its seconds only, the last one held."""
    arrives = np.random.default_rng(seed).random(len(prices)) < kept
    closes, last = list[float](), prices[0]
    for second, price in enumerate(prices):
        if arrives[second]:
            last = price
        if second % 60 == 59:
            closes.append(last)
    return closes


def test_asynchronous_arrival_leaves_the_correlation() -> None:
    """Of each coin's seconds 60 % are lost, each its own: minute closes still correlate 0.85."""
    seconds = 26 * 3600
    second = walk(41, seconds, start=3_000.0, sigma_bp=1.5)
    gap = reversion(42, seconds, start=20.0, half_life=1_800.0, sd_bp=20.0)
    first = [one * ratio for one, ratio in zip(second, gap, strict=True)]
    logs = [
        bar_log(name, _arriving(seed, prices, 0.4), begin=START, interval=MINUTE)
        for name, prices, seed in ((BTC, first, 1), (ETH, second, 2))
    ]
    log_ = msgspec.structs.replace(_log(merged(*logs)), bar_intervals={BTC: MINUTE, ETH: MINUTE})
    found = Bench(build(CorrelationArbitrage, log_), log_).run(log_.events)
    fit = found.strategy.state.pairs[KEY].window.fit()
    assert fit is not None
    assert 0.85 <= fit.correlation < 1.0


def test_missing_bars_leave_the_correlation() -> None:
    """With a fifth of the bars dropped the carried closes still correlate above 0.85."""
    found = _bench(_events(_pair(3, sd_bp=5.0), dropped=20))
    fit = found.strategy.state.pairs[KEY].window.fit()
    assert fit is not None
    assert fit.correlation >= 0.85


def test_a_broken_relation_costs_one_loss_and_disqualifies() -> None:
    """A pair that runs away is stopped once, and is INELIGIBLE afterwards."""
    healthy = _bench(_events(_pair(5)))
    opened = (healthy.outcomes[0].opened_at - START) / (24 * HOUR)
    held = next(one for one in healthy.outcomes if one.instrument == BTC)
    found = _bench(_events(_pair(5, broken_after=opened, drift=-12.0 * held.sign)))
    late = [one for one in found.outcomes if one.closed_at > START + opened * 24 * HOUR]
    assert len({one.closed_at for one in late}) <= 2
    reasons = {one.reason for one in late}
    assert reasons & {"four deviations away", "three half-lives"}
    assert found.codes()[ReasonCode.INELIGIBLE] > 0


def test_correlation_without_cointegration_is_hardly_traded() -> None:
    """Two coins whose distance is a walk give at most one entry in five days."""
    count = 10 * DAY_BARS
    second = walk(31, count, start=3_000.0, sigma_bp=20.0)
    drift = walk(32, count, start=20.0, sigma_bp=4.0)
    first = [one * other for one, other in zip(second, drift, strict=True)]
    found = _bench(_events((first, second)))
    assert len(found.entries) // 2 <= 2
    assert ReasonCode.INELIGIBLE in found.codes()


@pytest.mark.parametrize("instrument", [BTC, ETH])
def test_vapor_on_either_leg_bars_both(instrument: str) -> None:
    """One leg in vapor is enough to stay out, with PHASE."""
    told = _told(instrument, Regime.NORMAL, Phase.VAPOR)
    found = _bench([told, *_events(_pair(4))])
    assert not found.entries
    assert ReasonCode.PHASE in found.codes()


@pytest.mark.parametrize("instrument", [BTC, ETH])
def test_an_impulse_on_either_leg_bars_both(instrument: str) -> None:
    """One leg in IMPULSE is enough to stay out, with REGIME."""
    found = _bench([_told(instrument, Regime.IMPULSE), *_events(_pair(4))])
    assert not found.entries
    assert ReasonCode.REGIME in found.codes()


def test_a_stale_leg_bars_the_pair() -> None:
    """Without fresh quotes of one leg nothing is opened: STALE."""
    events = [
        one
        for one in _events(_pair(4))
        if not (isinstance(one, Quote) and one.instrument == ETH and one.ts_init > START + HOUR)
    ]
    found = _bench(events)
    assert not found.entries
    assert ReasonCode.STALE in found.codes()


def test_a_close_allows_another_trade_after_half_an_hour() -> None:
    """Entries follow exits, each at least 30 min after the one before."""
    found = _bench(_events(_pair(8)))
    opened = sorted({one.ts_init for one in found.entries})
    closed = sorted({one.closed_at for one in found.outcomes})
    assert len(opened) >= 2
    for at in opened[1:]:
        before = max((one for one in closed if one <= at), default=0)
        assert at - before >= 30 * MINUTE


def test_the_notionals_are_one_to_beta() -> None:
    """A pair of beta 0.7 is sized 1 to 0.7."""
    found = _bench(_events(_pair(5, beta=0.7, sigma_bp=80.0)))
    first, second = found.entries[:2]
    scales = {first.instrument: first.scale, second.instrument: second.scale}
    assert scales[BTC] == 1.0
    assert scales[ETH] == pytest.approx(0.7, abs=0.05)


def test_more_pairs_must_undercut_more() -> None:
    """The limit of the test falls with the number of pairs tested."""
    section = CorrelationSettings()
    assert undercut(section, 1) == -3.34
    assert undercut(section, 10) == pytest.approx(-4.14)


def test_a_settlement_that_would_be_paid_for_is_left_out() -> None:
    """Ten minutes before a stamp, a pair that pays net funding is refused with SESSION."""
    rates = [funding(0.001, instrument=BTC, at=START), funding(-0.001, instrument=ETH, at=START)]
    rates = [msgspec.structs.replace(one, next_funding_time=0) for one in rates]
    found = _bench([*rates, *_events(_pair(3))])
    assert ReasonCode.SESSION in found.codes()


def test_the_invariants_hold() -> None:
    """CorrelationArbitrage passes the kit; a mirrored pair is told apart only by rounding."""
    check_strategy(CorrelationArbitrage, _log(_events(_pair(3.5))))
