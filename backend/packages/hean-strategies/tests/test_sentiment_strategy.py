from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from hean.core.events import (
    Event,
    Intent,
    Need,
    OrderStyle,
    ReasonCode,
    Regime,
    RegimeChanged,
    SentimentReading,
    Side,
    Signal,
    SignalRejected,
)
from hean.core.synthetic.paths import bar_log, merged, walk
from hean.core.testing import BTC, HOUR, MINUTE, START, btc_perpetual
from hean.strategies.bench import Bench, Log, build
from hean.strategies.sentiment_strategy import SentimentStrategy
from hean.strategies.testing import check_strategy

DAY = 24 * HOUR
INTERVAL = 5 * MINUTE
NOON = START + 36 * HOUR


def _news(
    source: str, at: int, *, score: float = 0.8, text: str = "", published: int = 0,
    confidence: float = 0.9, readings: int = 8,
) -> SentimentReading:  # fmt: skip
    return SentimentReading(
        ts_event=published or at, ts_init=at, source=source, score=score, confidence=confidence,
        readings=readings, content_hash=text or f"{source}{at}",
    )  # fmt: skip


def _index(value: float, at: int) -> SentimentReading:
    return SentimentReading(
        ts_event=at, ts_init=at, source="fear_greed", score=0.0, confidence=0.8, readings=1,
        content_hash=f"index{at}", value=value,
    )  # fmt: skip


def _bars(prices: Sequence[float]) -> list[Event]:
    return bar_log(BTC, prices, begin=START, interval=INTERVAL, wick_bp=5.0)


def _calm(days: int = 2) -> list[Event]:
    return _bars(walk(1, days * 288, start=60_000.0, sigma_bp=8.0))


def _log(events: Sequence[Event]) -> Log:
    return Log(
        instruments=(btc_perpetual(),),
        carries={BTC: (Need.QUOTES, Need.BARS), "": (Need.SENTIMENT,)},
        events=events,
        bar_intervals={BTC: INTERVAL},
    )


def _bench(*logs: Sequence[Event]) -> Bench:
    events = merged(*logs)
    log = _log(events)
    return Bench(build(SentimentStrategy, log), log).run(events)


def _impulse(at: int) -> RegimeChanged:
    return RegimeChanged(
        ts_event=at, ts_init=at, instrument=BTC, ready=True, regime=Regime.IMPULSE, phase=None,
        cycle=None, regime_confidence=1.0, phase_confidence=0.0, cycle_confidence=0.0,
        moved=("regime",),
    )  # fmt: skip


def _fear(*, stable: bool) -> list[Event]:
    """Return a fall of five days and, if stable, a slow recovery after it."""
    fall = walk(3, 5 * 288, start=60_000.0, sigma_bp=5.0, drift_bp=-1.5)
    drift = 0.5 if stable else -1.5
    rest = walk(4, 3 * 288, start=fall[-1], sigma_bp=5.0, drift_bp=drift)
    days = [_index(15.0, START + day * DAY + HOUR) for day in range(3, 8)]
    return merged(_bars([*fall, *rest]), days)


def test_two_agreeing_fresh_readings_are_bought_once() -> None:
    """Two bullish sources give one buy; a third reading with a known hash gives nothing."""
    readings = [
        _news("a", NOON, text="one"),
        _news("b", NOON + MINUTE, text="two"),
        _news("c", NOON + 2 * MINUTE, text="two"),
    ]
    found = _bench(_calm(), readings)
    (entry,) = found.entries
    assert (entry.side, entry.intent, entry.style) == (Side.BUY, Intent.OPEN, OrderStyle.POST_ONLY)
    assert entry.stop == pytest.approx(0.99 * (entry.limit or 0.0))
    assert entry.targets[0] == pytest.approx(1.02 * (entry.limit or 0.0))


def test_one_source_or_disagreement_is_refused() -> None:
    """A single source, or two that differ, end in CONFIRM."""
    alone = _bench(_calm(), [_news("a", NOON), _news("a", NOON + MINUTE)])
    assert not alone.entries
    assert ReasonCode.CONFIRM in alone.codes()
    split = _bench(_calm(), [_news("a", NOON, score=0.9), _news("b", NOON, score=-0.9)])
    assert not split.entries
    assert ReasonCode.CONFIRM in split.codes()


def test_an_old_reading_is_stale() -> None:
    """A reading published over half an hour before it was received is STALE."""
    old = [_news(name, NOON, published=NOON - HOUR) for name in ("a", "b")]
    found = _bench(_calm(), old)
    assert not found.entries
    assert found.codes()[ReasonCode.STALE] == 2


def test_an_outage_gives_nothing() -> None:
    """Without readings the strategy neither signals nor refuses."""
    assert not _bench(_calm()).said


def test_fear_is_bought_only_after_price_has_settled() -> None:
    """Fear of 15 on falling days gives nothing; after a turn one small long."""
    falling = _bench(_fear(stable=False))
    assert not falling.entries
    assert ReasonCode.HORIZONS in falling.codes()
    entries = _bench(_fear(stable=True)).entries
    assert entries
    assert entries[0].side is Side.BUY
    assert entries[0].scale <= 0.2
    assert len({one.ts_init // DAY for one in entries}) == len(entries)


@pytest.mark.parametrize("interval", [INTERVAL, HOUR])
def test_on_bars_the_order_lives_through_a_whole_bar(interval: int) -> None:
    """Five minutes are less than two bars of five: the order waits two bars, and so can fill."""
    bars_a_day = DAY // interval
    fall = walk(3, 5 * bars_a_day, start=60_000.0, sigma_bp=5.0, drift_bp=-432.0 / bars_a_day)
    rest = walk(4, 3 * bars_a_day, start=fall[-1], sigma_bp=5.0, drift_bp=144.0 / bars_a_day)
    bars = bar_log(BTC, [*fall, *rest], begin=START, interval=interval, wick_bp=20.0)
    days = [_index(15.0, START + day * DAY + HOUR) for day in range(3, 8)]
    events = merged(bars, days)
    log = msgspec.structs.replace(_log(events), bar_intervals={BTC: interval})
    found = Bench(build(SentimentStrategy, log), log).run(events)
    first = found.entries[0]
    assert first.ttl_ns == 2 * interval
    assert BTC in found.positions
    assert found.positions[BTC].opened_at <= first.ts_init + 2 * interval


def test_a_neutral_index_makes_no_signal() -> None:
    """An index of 50 is refused each hour as no setup, and never becomes a signal."""
    days = [_index(50.0, START + day * DAY + HOUR) for day in range(7)]
    said = _bench(_calm(7), days).said
    assert {one.code for one in said if isinstance(one, SignalRejected)} == {ReasonCode.NO_SETUP}
    assert not [one for one in said if isinstance(one, Signal)]


def test_an_impulse_defers_for_five_minutes() -> None:
    """In an impulse two agreeing readings are bought five minutes after it began."""
    readings = [_news("a", NOON), _news("b", NOON + MINUTE)]
    found = _bench(_calm(), [_impulse(NOON - MINUTE)], readings)
    assert ReasonCode.REGIME in found.codes()
    (entry,) = found.entries
    assert entry.ts_init >= NOON + 4 * MINUTE


def test_only_the_received_time_counts() -> None:
    """A reading stamped in the future acts when received; a revised one never acts earlier."""
    plain = [_news("a", NOON), _news("b", NOON + MINUTE)]
    ahead = [msgspec.structs.replace(one, ts_event=one.ts_init + 5 * HOUR) for one in plain]
    first, second = _bench(_calm(), plain), _bench(_calm(), ahead)
    assert [one.ts_init for one in first.entries] == [one.ts_init for one in second.entries]


def test_weak_news_is_refused_by_what_it_lacks() -> None:
    """Too small a score, too little confidence, too few texts: each its own code."""
    cases = (
        ({"score": 0.5}, ReasonCode.SIZE),
        ({"confidence": 0.5}, ReasonCode.PARTICIPATION),
        ({"readings": 2}, ReasonCode.PARTICIPATION),
    )
    for change, code in cases:
        readings = [
            msgspec.structs.replace(_news(name, NOON), **change)  # pyright: ignore[reportArgumentType]
            for name in ("a", "b")
        ]
        found = _bench(_calm(), readings)
        assert not found.entries
        assert code in found.codes()


def test_news_that_price_has_taken_is_exhausted() -> None:
    """When price has run more than an hour's deviation since publication, it is too late."""
    path = walk(1, 2 * 288, start=60_000.0, sigma_bp=2.0)
    noon = 36 * 12
    prices = [
        one * (1.0 + 0.002 * max(0, min(number, noon) - noon + 6))
        for number, one in enumerate(path)
    ]
    readings = [_news(name, NOON + MINUTE, published=NOON - 25 * MINUTE) for name in ("a", "b")]
    found = _bench(_bars(prices), readings)
    assert not found.entries
    assert ReasonCode.EXHAUSTION in found.codes()


def test_a_fast_position_is_gone_after_six_hours() -> None:
    """A quiet market ends a news position by time."""
    quiet = _bars(walk(1, 3 * 288, start=60_000.0, sigma_bp=2.0))
    found = _bench(quiet, [_news("a", NOON), _news("b", NOON + MINUTE)])
    (outcome,) = found.outcomes
    assert outcome.reason == "time stop"
    assert 6 * HOUR <= outcome.closed_at - outcome.opened_at <= 6 * HOUR + 2 * INTERVAL


def test_the_invariants_hold() -> None:
    """SentimentStrategy passes the kit; a mirrored market does not mirror the news."""
    events = merged(_calm(), [_news("a", NOON), _news("b", NOON + MINUTE)])
    check_strategy(SentimentStrategy, _log(events), mirror=False)
