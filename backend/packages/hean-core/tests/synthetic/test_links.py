from __future__ import annotations

import itertools
from math import log
from statistics import pstdev

import pytest

from hean.core.events import FundingRate, MarkPrice, SentimentReading
from hean.core.synthetic.links import (
    linked_pair,
    mark_log,
    news_log,
    premium_of,
    settlement_log,
    spiked,
)
from hean.core.testing import BTC, HOUR, MINUTE, START


def _gap(pair: tuple[list[float], list[float]], beta: float) -> list[float]:
    first, second = pair
    return [
        1e4 * (log(a / 60_000.0) - beta * log(b / 3_000.0))
        for a, b in zip(first, second, strict=True)
    ]


def test_a_linked_pair_reverts_and_a_broken_one_wanders() -> None:
    """The distance has the deviation asked for; broken, it goes several times as far."""
    starts = (60_000.0, 3_000.0)
    whole = linked_pair(
        1, 20_000, starts=starts, sigma_bp=10.0, beta=0.7, half_life=10.0, sd_bp=30.0
    )
    assert pstdev(_gap(whole, 0.7)) == pytest.approx(30.0, rel=0.1)
    broken = linked_pair(
        1, 20_000, starts=starts, sigma_bp=10.0, beta=0.7, half_life=10.0, sd_bp=30.0,
        broken_from=10_000,
    )  # fmt: skip
    assert _gap(broken, 0.7)[:10_000] == pytest.approx(_gap(whole, 0.7)[:10_000])
    assert pstdev(_gap(broken, 0.7)[10_000:]) > 120.0


def test_a_spike_rises_and_halves() -> None:
    """The basis is near its size where it was told to be, and half of it a half-life later."""
    basis = spiked(
        2, 400, noise_bp=0.5, spikes=(100, 300), size_bp=80.0, half_life=10.0, two_sided=False
    )
    for at in (100, 300):
        assert basis[at + 2] == pytest.approx(80.0, abs=4.0)
        assert basis[at + 12] == pytest.approx(40.0, abs=4.0)
    assert abs(basis[90]) < 3.0
    spot = [100.0] * 400
    assert 1e4 * log(premium_of(spot, basis)[102] / 100.0) == pytest.approx(basis[102])


def test_marks_settlements_and_news_are_events_at_their_times() -> None:
    """Marks come at each step's end, rates at the stamps, and news from every source."""
    (first, _) = mark_log(BTC, [101.0, 102.0], [100.0, 100.0], begin=START, interval=MINUTE)
    assert isinstance(first, MarkPrice)
    assert (first.ts_init, first.mark, first.index) == (START + MINUTE, 101.0, 100.0)
    rates = settlement_log(BTC, [0.001, -0.001], begin=START + 1, interval=HOUR)
    for number, one in enumerate(rates, start=1):
        assert isinstance(one, FundingRate)
        assert (one.settled, one.ts_init) == (True, START + number * HOUR)
        assert one.next_funding_time == START + (number + 1) * HOUR
    news = news_log([START, START + HOUR], [0.9, -0.9])
    assert [one.score for one in news if isinstance(one, SentimentReading)] == [
        0.9,
        0.9,
        -0.9,
        -0.9,
    ]
    hashes = [one.content_hash for one in news if isinstance(one, SentimentReading)]
    assert all(a != b for a, b in itertools.combinations(hashes, 2))
