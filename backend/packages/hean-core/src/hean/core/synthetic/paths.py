"""Small seeded price paths and the bar logs made from them, for tests that need one shape only."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import numpy as np

from hean.core.events import Bar, Event, Heartbeat, Quote

SECOND_NS = 1_000_000_000


def walk(
    seed: int, count: int, *, start: float, sigma_bp: float, drift_bp: float = 0.0
) -> list[float]:
    """Return a geometric walk of `count` prices: Gaussian steps of `sigma_bp`, and a drift."""
    steps = np.random.default_rng(seed).standard_normal(count)
    level, prices = log(start), list[float]()
    for step in steps.tolist():
        level += (drift_bp + sigma_bp * step) / 1e4
        prices.append(exp(level))
    return prices


def reversion(
    seed: int, count: int, *, start: float, half_life: float, sd_bp: float
) -> list[float]:
    """Return prices that revert to `start` with a half-life in steps and a long-run deviation."""
    steps = np.random.default_rng(seed).standard_normal(count)
    kept = 0.5 ** (1.0 / half_life)
    shock = sd_bp * (1.0 - kept * kept) ** 0.5
    away, prices = 0.0, list[float]()
    for step in steps.tolist():
        away = kept * away + shock * step
        prices.append(start * exp(away / 1e4))
    return prices


def quote_at(instrument: str, price: float, at: int, *, half_bp: float = 1.0) -> Quote:
    """Return the synthetic quote a bar feed gives for a price."""
    half = price * half_bp / 1e4
    return Quote(
        ts_event=at,
        ts_init=at,
        instrument=instrument,
        bid=price - half,
        ask=price + half,
        bid_size=1.0,
        ask_size=1.0,
        synthetic=True,
    )


def bar_log(
    instrument: str,
    prices: Sequence[float],
    *,
    begin: int,
    interval: int,
    wick_bp: float = 0.0,
    first: float | None = None,
    bridge_bp: float = 0.0,
    seed: int = 0,
) -> list[Event]:
    """Return a bar feed's events for closing prices: opening quote, closing quote, bar, beat.

    The first bar closes at `begin + interval`; `wick_bp` widens each bar beyond open and close.
    With `bridge_bp`, the volatility of a bar, highs and lows are drawn as those of a Brownian
    bridge, so that what is left at a level inside a bar has no edge either.
    """
    events: list[Event] = []
    before = prices[0] if first is None else first
    luck: list[list[float]] = []
    if bridge_bp:
        luck = np.random.default_rng([seed, 5]).random((len(prices), 2)).tolist()
    for number, price in enumerate(prices):
        opened = begin + number * interval
        closed = opened + interval
        wick = max(before, price) * wick_bp / 1e4
        high, low = max(before, price) + wick, min(before, price) - wick
        if bridge_bp:
            high = max(high, before * exp(_bridge(log(price / before), bridge_bp, luck[number][0])))
            low = min(low, before / exp(_bridge(log(before / price), bridge_bp, luck[number][1])))
        events += [
            quote_at(instrument, before, opened),
            quote_at(instrument, price, closed),
            Bar(
                ts_event=closed,
                ts_init=closed,
                instrument=instrument,
                open_time=opened,
                interval_ns=interval,
                open=before,
                high=high,
                low=low,
                close=price,
                volume=1.0,
            ),
        ]
        events.append(Heartbeat(ts_event=closed, ts_init=closed, interval_ns=interval))
        before = price
    return events


def _bridge(moved: float, sigma_bp: float, luck: float) -> float:
    """Return the highest point of a Brownian bridge from 0 to `moved`, as `luck` in 0..1 has it."""
    return (moved + (moved * moved - 2.0 * (sigma_bp / 1e4) ** 2 * log(1.0 - luck)) ** 0.5) / 2.0


def merged(*logs: Sequence[Event]) -> list[Event]:
    """Return several logs as one, by kernel time, keeping the order within equal times."""
    events = [event for log_ in logs for event in log_]
    return sorted(events, key=lambda event: event.ts_init)
