"""Seeded price paths with something in them: fat tails, bursts, pokes, wicks, flow that leads.

Each is a walk to which one thing was added, so that a test knows what a strategy could have found.
Sizes are in basis points, times in seconds; the sides of what is added are drawn by the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, sqrt

import numpy as np

from hean.core.synthetic.tape import Second

_BP = 1e4


def fat_walk(
    seed: int, count: int, *, start: float, sigma_bp: float, degrees: float = 4.0
) -> list[float]:
    """Return a walk whose steps follow Student's t, scaled to a deviation of `sigma_bp`."""
    scale = sigma_bp / sqrt(degrees / (degrees - 2.0))
    steps = np.random.default_rng(seed).standard_t(degrees, count) * scale
    return _path(steps.tolist(), start)


def stochastic(
    seed: int,
    count: int,
    *,
    start: float,
    sigma_bp: float = 0.9,
    half_life: float = 600.0,
    spread: float = 0.6,
) -> list[Second]:
    """Return a walk whose log volatility is an Ornstein-Uhlenbeck process of deviation `spread`.

    The mean variance is that of `sigma_bp`; the side of a step does not depend on the past, only
    its size does. Volume grows with volatility.
    """
    draws = np.random.default_rng(seed).standard_normal((count, 2)).tolist()
    kept = 0.5 ** (1.0 / half_life)
    noise = spread * sqrt(1.0 - kept * kept)
    usual = sigma_bp * exp(-spread * spread)
    heat, steps, volumes = 0.0, list[float](), list[float]()
    for shock, step in draws:
        heat = kept * heat + noise * shock
        steps.append(usual * exp(heat) * step)
        volumes.append(exp(heat - spread * spread / 2.0))
    return _seconds(_path(steps, start), [0.0] * count, volumes)


def moments(seed: int, count: int, *, every: float, apart: float, first: float = 0.0) -> list[int]:
    """Return Poisson moments in steps, `every` on average and at least `apart` from each other."""
    draw = np.random.default_rng([seed, 3])
    found, at = list[int](), first
    while True:
        at += apart + draw.exponential(max(0.0, every - apart))
        if at >= count:
            return found
        found.append(int(at))


def flow_driven(
    seed: int,
    count: int,
    *,
    start: float,
    sigma_bp: float = 0.9,
    drift_bp: float = 1.0,
    half_life: float = 5.0,
) -> list[Second]:
    """Return seconds whose order flow persists: a hidden drift of deviation `drift_bp` a second.

    The drift reverts with a half-life; book and takers follow the moves it makes, so that the flow
    of a few seconds forecasts the next few.
    """
    hidden = np.random.default_rng([seed, 2]).standard_normal(count).tolist()
    kept = 0.5 ** (1.0 / half_life)
    noise, drift, drifts = drift_bp * sqrt(1.0 - kept * kept), 0.0, list[float]()
    for shock in hidden:
        drift = kept * drift + noise * shock
        drifts.append(drift)
    return [Second(price=price) for price in _drifting(seed, start, sigma_bp, drifts)]


def bursts(
    seed: int,
    count: int,
    *,
    start: float,
    sigma_bp: float = 0.9,
    size_bp: float,
    lasts: int = 30,
    every: float = 300.0,
    after_bp: float = 0.0,
    after_lasts: int = 60,
    volume: float = 5.0,
) -> list[Second]:
    """Return a walk with bursts: fast one-way moves on high volume, each followed by `after_bp`.

    What follows goes the burst's way if `after_bp` is positive, against it if negative.
    """
    leans, volumes, drifts = [0.0] * count, [1.0] * count, [0.0] * count
    signs = np.random.default_rng([seed, 4])
    apart = 2.0 * (lasts + after_lasts)
    for at in moments(seed, count, every=max(every, apart), apart=apart):
        sign = 1.0 if signs.random() < 0.5 else -1.0
        _push(drifts, at, lasts, sign * size_bp)
        _push(drifts, at + lasts, after_lasts, sign * after_bp)
        for place in range(at, min(count, at + lasts)):
            leans[place], volumes[place] = 0.5 * sign, volume
    prices = _drifting(seed, start, sigma_bp, drifts)
    return _seconds(prices, leans, volumes)


def wicks(
    seed: int,
    count: int,
    *,
    start: float,
    sigma_bp: float = 0.9,
    size_bp: float,
    every: float = 1200.0,
) -> list[Second]:
    """Return a walk with wicks: for one second price is `size_bp` away, then back where it was."""
    prices = _drifting(seed, start, sigma_bp, [0.0] * count)
    signs = np.random.default_rng([seed, 4])
    for at in moments(seed, count, every=every, apart=60.0):
        prices[at] *= exp((1.0 if signs.random() < 0.5 else -1.0) * size_bp / _BP)
    return _seconds(prices, [0.0] * count, [1.0] * count)


def pokes(
    seed: int,
    count: int,
    *,
    start: float,
    sigma_bp: float = 0.9,
    beyond_bp: float,
    back_bp: float,
    every: float = 1800.0,
    look_back: int = 2700,
    volume: float = 6.0,
) -> tuple[list[Second], list[int]]:
    """Return a walk that pokes through its highs and lows and turns, and when each poke began.

    In 20 s price goes `beyond_bp` past the extreme of the last `look_back` seconds (which is at
    least 15 min old), in 15 s back inside by a third of that, then within 5 min `back_bp` away.
    Volume and flow point outward in the poke and inward after it.
    """
    steps = (np.random.default_rng(seed).standard_normal(count) * sigma_bp).tolist()
    logs, leans, volumes = [0.0] * count, [0.0] * count, [1.0] * count
    begun, queue, level = list[int](), list[tuple[float, float, float]](), 0.0
    waiting = moments(seed, count, every=every, apart=1200.0, first=float(look_back))
    for place in range(count):
        if queue:
            drift, leans[place], volumes[place] = queue.pop(0)
            level += drift + 0.3 * steps[place]
        else:
            level += steps[place]
        logs[place] = level
        if waiting and place >= waiting[0] and not queue:
            waiting.pop(0)
            older = logs[max(0, place - look_back) : max(1, place - 900)]
            recent = logs[max(0, place - 900) : place + 1]
            up = max(older) - level <= level - min(older)
            edge, sign = (max(older), 1.0) if up else (min(older), -1.0)
            is_fresh = edge > max(recent) if up else edge < min(recent)
            if not is_fresh:
                edge = max(recent) if up else min(recent)
                edge += sign * 2.0
            begun.append(place)
            queue = _poke(edge - level, sign, beyond_bp, back_bp, volume)
    prices = [start * exp(one / _BP) for one in logs]
    return _seconds(prices, leans, volumes), begun


def _poke(
    gap_bp: float, sign: float, beyond_bp: float, back_bp: float, volume: float
) -> list[tuple[float, float, float]]:
    """Return drift, lean and volume of each second of a poke; the gap is the way to the level."""
    calm = max(10, round(abs(gap_bp) / 1.2))
    inside = beyond_bp * 4.0 / 3.0
    return [
        *[(gap_bp / calm, 0.0, 1.0)] * calm,
        *[(sign * beyond_bp / 20.0, 0.6 * sign, volume)] * 20,
        *[(-sign * inside / 15.0, -0.8 * sign, volume / 2.0)] * 15,
        *[(-sign * back_bp / 300.0, 0.0, 1.0)] * 300,
    ]


def _path(steps_bp: Sequence[float], start: float) -> list[float]:
    level, prices = log(start), list[float]()
    for step in steps_bp:
        level += step / _BP
        prices.append(exp(level))
    return prices


def _drifting(seed: int, start: float, sigma_bp: float, drifts: Sequence[float]) -> list[float]:
    steps = (np.random.default_rng(seed).standard_normal(len(drifts)) * sigma_bp).tolist()
    return _path([step + drift for step, drift in zip(steps, drifts, strict=True)], start)


def _push(drifts: list[float], at: int, lasts: int, size_bp: float) -> None:
    for place in range(at, min(len(drifts), at + lasts)):
        drifts[place] += size_bp / lasts


def _seconds(
    prices: Sequence[float], leans: Sequence[float], volumes: Sequence[float]
) -> list[Second]:
    return [
        Second(price=price, lean=lean, volume=volume)
        for price, lean, volume in zip(prices, leans, volumes, strict=True)
    ]
