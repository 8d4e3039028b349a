"""Seeded relations between series: a pair, a premium with its funding, news that knows a move."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import exp, log

import numpy as np

from hean.core.events import Event, FundingRate, MarkPrice, SentimentReading
from hean.core.ids import digest_of
from hean.core.synthetic.paths import reversion, walk

_BP = 1e4
_EIGHT_HOURS_NS = 8 * 3600 * 1_000_000_000


def linked_pair(
    seed: int,
    count: int,
    *,
    starts: tuple[float, float],
    sigma_bp: float,
    beta: float = 1.0,
    half_life: float,
    sd_bp: float,
    broken_from: int | None = None,
) -> tuple[list[float], list[float]]:
    """Return two paths whose log distance reverts with a half-life in steps.

    From the step `broken_from` on the distance is a walk with the same steps: the pair is broken.
    """
    second = walk(2 * seed, count, start=starts[1], sigma_bp=sigma_bp)
    around = reversion(2 * seed + 1, count, start=1.0, half_life=half_life, sd_bp=sd_bp)
    gap = [log(one) for one in around]
    if broken_from is not None:
        kept = 0.5 ** (1.0 / half_life)
        steps = [now - kept * before for before, now in pairwise(gap)]
        for place in range(broken_from + 1, count):
            gap[place] = gap[place - 1] + steps[place - 1]
    first = [
        starts[0] * exp(beta * log(price / starts[1]) + apart)
        for price, apart in zip(second, gap, strict=True)
    ]
    return first, second


def spiked(
    seed: int,
    count: int,
    *,
    noise_bp: float,
    spikes: Sequence[int],
    size_bp: float,
    half_life: float,
    rise: int = 3,
    two_sided: bool = True,
) -> list[float]:
    """Return a basis in bp: reverting noise, and spikes that rise in steps and decay."""
    draws = np.random.default_rng([seed, 6])
    base = [
        _BP * log(one) for one in reversion(seed, count, start=1.0, half_life=10.0, sd_bp=noise_bp)
    ]
    kept, pushes = 0.5 ** (1.0 / half_life), [0.0] * count
    for at in spikes:
        sign = -1.0 if two_sided and draws.random() < 0.5 else 1.0
        for place in range(at, min(count, at + rise)):
            pushes[place] += sign * size_bp / rise
    away, basis = 0.0, list[float]()
    for place in range(count):
        away = (away if pushes[place] else kept * away) + pushes[place]
        basis.append(base[place] + away)
    return basis


def premium_of(prices: Sequence[float], basis_bp: Sequence[float]) -> list[float]:
    """Return the perpetual's path: the spot's, moved by the basis."""
    return [price * exp(gap / _BP) for price, gap in zip(prices, basis_bp, strict=True)]


def mark_log(
    instrument: str, marks: Sequence[float], indices: Sequence[float], *, begin: int, interval: int
) -> list[Event]:
    """Return mark and index at each step's end."""
    events: list[Event] = []
    for number, (mark, index) in enumerate(zip(marks, indices, strict=True)):
        at = begin + (number + 1) * interval
        events.append(
            MarkPrice(ts_event=at, ts_init=at, instrument=instrument, mark=mark, index=index)
        )
    return events


def settlement_log(
    instrument: str, rates: Sequence[float], *, begin: int, interval: int = _EIGHT_HOURS_NS
) -> list[Event]:
    """Return settled rates, one a stamp, from the first stamp after `begin`."""
    first = (begin // interval + 1) * interval
    return [
        FundingRate(
            ts_event=first + number * interval,
            ts_init=first + number * interval,
            instrument=instrument,
            rate=rate,
            next_funding_time=first + (number + 1) * interval,
            interval_ns=interval,
            settled=True,
        )
        for number, rate in enumerate(rates)
    ]


def news_log(
    times: Sequence[int],
    scores: Sequence[float],
    *,
    sources: Sequence[str] = ("newswire", "social"),
    confidence: float = 0.9,
    readings: int = 12,
) -> list[Event]:
    """Return a reading of each source at each time; all sources say the same."""
    return [
        SentimentReading(
            ts_event=at + number,
            ts_init=at + number,
            source=source,
            score=score,
            confidence=confidence,
            readings=readings,
            content_hash=digest_of("news", source, at),
        )
        for at, score in zip(times, scores, strict=True)
        for number, source in enumerate(sources)
    ]
