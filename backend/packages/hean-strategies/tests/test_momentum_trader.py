from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from hean.core.events import (
    Bar,
    BarSource,
    Cycle,
    Event,
    Intent,
    Need,
    OrderStyle,
    ReasonCode,
    Regime,
    RegimeChanged,
    RunStarted,
    SentimentReading,
    Side,
    Signal,
)
from hean.core.synthetic.paths import bar_log, merged, quote_at, reversion, walk
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
from hean.strategies.momentum_trader import MomentumSettings, MomentumTrader, tilt_of
from hean.strategies.testing import check_strategy, mirror_log

DAY = 24 * HOUR
INTERVAL = 5 * MINUTE
BARS_A_DAY = DAY // INTERVAL


def _refuse_all(_: Signal) -> ReasonCode:
    return ReasonCode.KILL_SWITCH


def _trend(
    days: int, percent_a_day: float, *, start: float = 60_000.0, seed: int = 1
) -> list[float]:
    drift = percent_a_day * 100.0 / BARS_A_DAY
    return walk(seed, days * BARS_A_DAY, start=start, sigma_bp=8.0, drift_bp=drift)


def _bars(prices: Sequence[float], *, instrument: str = BTC) -> list[Event]:
    return bar_log(instrument, prices, begin=START, interval=INTERVAL, wick_bp=5.0)


def _log_of(events: Sequence[Event]) -> Log:
    carries = (Need.QUOTES, Need.BARS, Need.FUNDING, Need.SENTIMENT)
    return Log(
        instruments=(btc_perpetual(), eth_perpetual()),
        carries={BTC: carries, ETH: carries},
        events=events,
        bar_intervals={BTC: INTERVAL, ETH: INTERVAL},
    )


def _bench(events: Sequence[Event], section: MomentumSettings | None = None) -> Bench:
    log = _log_of(events)
    return Bench(build(MomentumTrader, log, section), log).run(events)


def _rise_and_fall() -> list[float]:
    up = _trend(9, 3.0)
    return up + _trend(2, -3.0, start=up[-1], seed=2)


def _regime(kind: Regime, *, instrument: str = BTC, cycle: Cycle | None = None) -> RegimeChanged:
    return RegimeChanged(
        ts_event=START,
        ts_init=START,
        instrument=instrument,
        ready=True,
        regime=kind,
        phase=None,
        cycle=cycle,
        regime_confidence=1.0,
        phase_confidence=0.0,
        cycle_confidence=0.0,
        moved=("regime",),
    )


def test_a_trend_is_bought_once_and_left_by_the_trail() -> None:
    """A drift of 3 % a day gives one long after the warm-up, left after the reversal."""
    found = _bench(_bars(_rise_and_fall()))
    first = found.outcomes[0]
    assert (first.sign, first.reason) == (1, "chandelier")
    assert first.opened_at >= START + 5 * DAY
    assert first.closed_at >= START + 9 * DAY
    assert [one.sign for one in found.outcomes].count(1) == 1


def test_a_mirrored_trend_is_sold_once() -> None:
    """The mirrored path gives the mirrored short."""
    events = mirror_log(_log_of(_bars(_rise_and_fall()))).events
    first = _bench(events).outcomes[0]
    assert (first.sign, first.reason) == (-1, "chandelier")


def test_mean_reversion_gives_at_most_one_false_entry_a_week() -> None:
    """On four weeks that revert within hours there are at most four attempts."""
    prices = reversion(3, 28 * BARS_A_DAY, start=60_000.0, half_life=36.0, sd_bp=80.0)
    attempts = [one for one in _bench(_bars(prices)).entries if one.style is OrderStyle.POST_ONLY]
    assert len(attempts) <= 4


def test_range_opens_nothing() -> None:
    """In RANGE every warm evaluation is refused with REGIME."""
    found = _bench([_regime(Regime.RANGE), *_bars(_rise_and_fall())])
    assert not found.entries
    assert set(found.codes()) == {ReasonCode.WARMING_UP, ReasonCode.REGIME}


def test_another_instruments_impulse_changes_nothing() -> None:
    """An IMPULSE on ETH leaves BTC's signals as they are."""
    events = _bars(_rise_and_fall())
    assert _bench([_regime(Regime.IMPULSE, instrument=ETH), *events]).said == _bench(events).said


def test_an_impulse_without_frames_is_not_entered() -> None:
    """In IMPULSE an unknown burst size fails closed."""
    found = _bench([_regime(Regime.IMPULSE), *_bars(_rise_and_fall())])
    assert not found.entries


def test_a_regime_from_the_wire_acts_like_the_enum() -> None:
    """A regime decoded from its text gives the same words as the enum."""
    told = _regime(Regime.RANGE)
    wired = msgspec.json.decode(msgspec.json.encode(told), type=RegimeChanged)
    events = _bars(_rise_and_fall())
    assert _bench([wired, *events]).said == _bench([told, *events]).said


def test_longs_need_markup_or_an_unknown_cycle() -> None:
    """In markdown a rising trend is refused with PHASE, in markup it is bought."""
    events = _bars(_rise_and_fall())
    against = _bench([_regime(Regime.NORMAL, cycle=Cycle.MARKDOWN), *events])
    assert all(one.side is Side.SELL for one in against.entries)
    assert ReasonCode.PHASE in against.codes()
    for_us = _bench([_regime(Regime.NORMAL, cycle=Cycle.MARKUP), *events])
    assert for_us.entries[0].side is Side.BUY


def test_the_ninth_attempt_of_a_day_is_refused_until_midnight() -> None:
    """Eight attempts a UTC day and symbol; the count starts again at 00:00 kernel time."""
    events = _bars(_rise_and_fall())
    log = _log_of(events)
    found = Bench(build(MomentumTrader, log), log)
    first = _bench(events).entries[0].ts_init
    found.run([one for one in events if one.ts_init < first])
    pace = found.strategy.state.desks[BTC].pace
    pace.day, pace.attempts = first // DAY, 8
    found.run([one for one in events if one.ts_init >= first])
    midnight = (first // DAY + 1) * DAY
    assert ReasonCode.DAILY_CAP in found.codes()
    assert found.entries[0].ts_init >= midnight


def test_adverse_funding_is_deducted_exactly() -> None:
    """Funding of 5 bp per 8 h against the long raises its cost by exactly 5 bp."""
    events = _bars(_rise_and_fall())
    free = _bench([funding(0.0, at=START), *events]).entries[0]
    paying = _bench([funding(0.0005, at=START), *events]).entries[0]
    assert paying.cost_bp - free.cost_bp == pytest.approx(5.0)
    assert paying.expected_edge_bp == free.expected_edge_bp


def test_a_position_lives_past_fifteen_minutes() -> None:
    """The position of a trend is held for days, and at most five."""
    first = _bench(_bars(_rise_and_fall())).outcomes[0]
    assert 15 * MINUTE < first.closed_at - first.opened_at <= 5 * DAY


def _ticks(prices: Sequence[float]) -> Log:
    """The same path where trades come: minute bars from frames, and a quote a minute."""
    events = bar_log(BTC, prices, begin=START, interval=MINUTE, wick_bp=2.0)
    needs = (Need.QUOTES, Need.TRADES, Need.FUNDING, Need.SENTIMENT)
    return Log(
        instruments=(btc_perpetual(),),
        carries={BTC: needs},
        events=[
            msgspec.structs.replace(one, source=BarSource.FRAMES) if isinstance(one, Bar) else one
            for one in events
        ],
    )


def test_on_bars_the_first_order_takes() -> None:
    """A rest of a minute cannot be seen on bars: one IOC an attempt, at the cost of both taken."""
    found = _bench(_bars(_rise_and_fall()))
    for one in found.entries:
        assert one.style is OrderStyle.LIMIT_IOC
        assert one.cost_bp == pytest.approx(11.0 + 2.0 + one.side.sign, abs=1e-3)


def test_the_maker_order_is_followed_by_one_taking_order() -> None:
    """A POST_ONLY that does not fill in 60 s is followed by an IOC of the same attempt."""
    log = _ticks(walk(1, 6 * 1440, start=60_000.0, sigma_bp=3.0, drift_bp=0.2))
    found = Bench(build(MomentumTrader, log), log, unfillable=BTC).run(log.events)
    first, second = found.entries[:2]
    assert (first.style, second.style) == (OrderStyle.POST_ONLY, OrderStyle.LIMIT_IOC)
    assert second.ts_init == first.ts_init + 60 * 1_000_000_000
    assert first.signal_id != second.signal_id
    assert found.strategy.state.desks[BTC].pace.last_attempt != second.ts_init


def test_the_stop_is_three_ranges_and_at_least_a_hundred_bp_away() -> None:
    """The protective stop of a quiet trend lies on its floor of 100 bp."""
    first = _bench(_bars(_rise_and_fall())).entries[0]
    assert first.stop is not None
    assert first.limit is not None
    assert 1.0 - first.stop / first.limit >= 0.01 - 1e-9


def test_history_gives_no_signals() -> None:
    """While history runs nothing is said; the status remembers that it is warming up."""
    events = _bars(_rise_and_fall())
    started = RunStarted(
        ts_event=START,
        ts_init=START,
        run_id="r",
        mode="replay",
        feed="test",
        seed=0,
        settings_sha256="",
        history_until=START + 30 * DAY,
    )
    found = _bench([started, *events])
    assert not found.said
    assert "has not seen enough data" in found.strategy.status(BTC)


def test_a_stale_quote_bars_entries() -> None:
    """Without fresh quotes nothing is opened, with code STALE."""
    events = [one for one in _bars(_rise_and_fall()) if type(one).__name__ != "Quote"]
    found = _bench([quote_at(BTC, 60_000.0, START), *events])
    assert not found.entries
    assert ReasonCode.STALE in found.codes()


def test_the_mood_tilts_the_size_against_the_crowd() -> None:
    """Greed shrinks longs and grows shorts by at most a fifth; an old reading does nothing."""
    greed = SentimentReading(
        ts_event=START, ts_init=START, source="fear_greed", score=0.9, confidence=1.0,
        readings=1, content_hash="a", value=95.0,
    )  # fmt: skip
    assert 0.8 <= tilt_of(greed, 1, START) < 0.9
    assert 1.1 < tilt_of(greed, -1, START) <= 1.2
    assert tilt_of(greed, 1, START + 27 * HOUR) == 1.0


def test_two_instruments_keep_apart() -> None:
    """A trend on ETH is traded on ETH alone while BTC stands still."""
    flat = walk(7, 9 * BARS_A_DAY, start=60_000.0, sigma_bp=0.1)
    events = merged(_bars(flat), _bars(_trend(9, 3.0, start=3_000.0), instrument=ETH))
    assert {one.instrument for one in _bench(events).entries} == {ETH}


def test_the_invariants_hold() -> None:
    """MomentumTrader passes the kit every strategy must pass."""
    check_strategy(MomentumTrader, _log_of(_bars(_rise_and_fall())))


def test_exits_are_published_while_the_gate_refuses_entries() -> None:
    """A position opened earlier is left although every entry is refused."""
    events = _bars(_rise_and_fall())
    log = _log_of(events)
    found = Bench(build(MomentumTrader, log), log)
    opened = START + 6 * DAY
    found.run([one for one in events if one.ts_init <= opened])
    found.verdict = _refuse_all
    found.run([one for one in events if one.ts_init > opened])
    assert [one.intent for one in found.signals if one.intent is Intent.CLOSE]
    assert not found.positions
