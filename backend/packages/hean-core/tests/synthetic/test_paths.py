from __future__ import annotations

import itertools
from math import log, pi
from statistics import pstdev

import pytest

from hean.core.events import Bar, Heartbeat, Quote
from hean.core.synthetic.paths import bar_log, merged, quote_at, reversion, walk
from hean.core.testing import BTC, ETH, MINUTE, START


def test_a_seed_names_its_path() -> None:
    """The same seed gives the same walk, another seed another."""
    first = walk(1, 100, start=100.0, sigma_bp=5.0)
    assert first == walk(1, 100, start=100.0, sigma_bp=5.0)
    assert first != walk(2, 100, start=100.0, sigma_bp=5.0)


def test_a_walk_has_its_volatility_and_drift() -> None:
    """Steps deviate by sigma, and a pure drift is exact."""
    prices = walk(3, 20_000, start=100.0, sigma_bp=5.0)
    steps = [1e4 * log(b / a) for a, b in itertools.pairwise(prices)]
    assert pstdev(steps) == pytest.approx(5.0, rel=0.05)
    drift = walk(1, 100, start=100.0, sigma_bp=0.0, drift_bp=10.0)
    assert log(drift[-1] / 100.0) == pytest.approx(0.1)


def test_a_reverting_path_stays_near_its_start() -> None:
    """Its long-run deviation is the one asked for."""
    away = [
        1e4 * log(one / 50.0) for one in reversion(4, 50_000, start=50.0, half_life=20, sd_bp=30)
    ]
    assert pstdev(away) == pytest.approx(30.0, rel=0.1)
    assert max(map(abs, away)) < 200.0


def test_a_bar_log_is_in_time_order() -> None:
    """Each bar comes after its opening and closing quote, and a beat after it."""
    events = bar_log(BTC, [100.0, 101.0], begin=START, interval=MINUTE, wick_bp=10.0)
    assert [type(one) for one in events[:4]] == [Quote, Quote, Bar, Heartbeat]
    assert [one.ts_init for one in events] == sorted(one.ts_init for one in events)
    second = events[6]
    assert isinstance(second, Bar)
    assert (second.open, second.close, second.open_time) == (100.0, 101.0, START + MINUTE)
    assert second.high == pytest.approx(101.101)
    assert second.low == pytest.approx(99.899)


def test_a_bridge_reaches_as_far_as_a_walk_would() -> None:
    """Highs above the open are on average those of a walk: 0.8 deviations, on either side."""
    prices = walk(5, 4000, start=100.0, sigma_bp=10.0)
    log_ = bar_log(BTC, prices, begin=START, interval=MINUTE, bridge_bp=10.0, seed=5)
    bars = [one for one in log_ if isinstance(one, Bar)]
    highs = [1e4 * log(one.high / one.open) for one in bars]
    lows = [1e4 * log(one.open / one.low) for one in bars]
    for found in (highs, lows):
        assert sum(found) / len(found) == pytest.approx(10.0 * (2.0 / pi) ** 0.5, rel=0.05)
    assert all(one.low <= min(one.open, one.close) for one in bars)
    assert all(one.high >= max(one.open, one.close) for one in bars)


def test_merged_logs_keep_time_and_order() -> None:
    """Two logs become one by time; at equal times the first log's events come first."""
    one, other = quote_at(BTC, 100.0, START), quote_at(ETH, 10.0, START)
    late = quote_at(BTC, 100.0, START + MINUTE)
    assert merged([one, late], [other]) == [one, other, late]
