"""The work every engine is given: seeded ticks and bars, the crossing rule, and its reference.

W1 is 1,000,000 trade ticks, W2 100,000 one-minute bars, both a geometric walk in whole ticks. The
rule: EMA(20) against EMA(100) from the first price on, no order before 100 prices; flat and fast
above slow buys 1, long and fast below slow sells 1, at the triggering price, fee 4 bp a fill.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

TICK: Final = 0.1
FEE: Final = 0.0004
CASH: Final = 100_000_000
FAST: Final = 20
SLOW: Final = 100
TICKS_FROM_NS: Final = 1_700_000_000_000_000_000
BARS_FROM_NS: Final = 1_699_999_980_000_000_000
MINUTE_NS: Final = 60_000_000_000
EXPECTED: Final = {"W1": (14_417, -287_704.21), "W2": (1_441, -31_314.64)}


@dataclass(frozen=True)
class Ticks:
    """Columns of W1: times in ns, prices in tenths, quantities in thousandths, side 1 or -1."""

    times: list[int]
    prices: list[int]
    quantities: list[int]
    sides: list[int]


@dataclass(frozen=True)
class Bars:
    """Columns of W2, prices in tenths; `times` are bar opens."""

    times: list[int]
    opens: list[int]
    highs: list[int]
    lows: list[int]
    closes: list[int]
    volumes: list[int]


def _walk(count: int, seed: int, sigma: float) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(0.0, sigma, count).tolist()
    level, levels = 0.0, np.empty(count)
    for position, step in enumerate(steps):
        level = level * 0.999999 + step
        levels[position] = level
    return np.rint(50_000.0 * np.exp(levels) / TICK).astype(np.int64)


def ticks(count: int = 1_000_000) -> Ticks:
    """Return the ticks of W1."""
    generator = np.random.default_rng(7)
    prices = _walk(count, 42, 2e-5)
    times = TICKS_FROM_NS + np.cumsum(generator.integers(1, 200, count)) * 1_000_000
    quantities = generator.integers(1, 2000, count)
    sides = np.where(generator.random(count) < 0.5, 1, -1)
    return Ticks(times.tolist(), prices.tolist(), quantities.tolist(), sides.tolist())


def bars(count: int = 100_000) -> Bars:
    """Return the bars of W2; each opens at the close before it."""
    generator = np.random.default_rng(11)
    closes = _walk(count, 43, 4e-4)
    opens = np.concatenate([[500_000], closes[:-1]])
    highs = np.maximum(opens, closes) + generator.integers(0, 50, count)
    lows = np.minimum(opens, closes) - generator.integers(0, 50, count)
    volumes = generator.integers(10_000, 1_000_000, count)
    times = BARS_FROM_NS + np.arange(count, dtype=np.int64) * MINUTE_NS
    return Bars(
        times.tolist(),
        opens.tolist(),
        highs.tolist(),
        lows.tolist(),
        closes.tolist(),
        volumes.tolist(),
    )


def reference(tenths: list[int], fast: int = FAST, slow: int = SLOW) -> tuple[int, float]:
    """Return fills and PnL of the rule in one plain loop: what every engine must agree with."""
    quick, lazy = 2.0 / (fast + 1), 2.0 / (slow + 1)
    fast_mean = slow_mean = tenths[0] / 10.0
    cash, held, fills, price = 0.0, 0, 0, 0.0
    for position, tenth in enumerate(tenths):
        price = tenth / 10.0
        if position:
            fast_mean += quick * (price - fast_mean)
            slow_mean += lazy * (price - slow_mean)
        if position + 1 < slow:
            continue
        if not held and fast_mean > slow_mean:
            cash -= price + price * FEE
            held, fills = 1, fills + 1
        elif held and fast_mean < slow_mean:
            cash += price - price * FEE
            held, fills = 0, fills + 1
    return fills, round(cash + held * price, 2)
