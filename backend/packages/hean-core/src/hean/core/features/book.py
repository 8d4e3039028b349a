"""What the book says: spread, weighted mid, micro-price, depth, multi-level imbalance.

Sources: Stoikov 2018, The micro-price; Cont, Cucuringu, Zhang 2023, Cross-impact of order flow
imbalance in equity markets.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from hean.core.features.exact import (
    NAN,
    Ewma,
    HourOfWeekHistogram,
    WeightedMean,
    log_edges,
)

Levels = tuple[tuple[float, float], ...]

LEVELS: Final = 5
IMBALANCE_BUCKETS: Final = 10
SPREAD_EDGES: Final = log_edges(0.005, 500.0)
LEARNT_HOURS: Final = 14 * 24
SPREAD_HALF_LIFE: Final = 60.0
DEVIATION_HALF_LIFE: Final = 600.0


def weighted_mid(bid: float, ask: float, bid_size: float, ask_size: float) -> float:
    """Return (a·q_b + b·q_a)/(q_b + q_a), the plain mid where both sizes are 0."""
    size = bid_size + ask_size
    if size <= 0.0:
        return (bid + ask) / 2.0
    return (ask * bid_size + bid * ask_size) / size


class MicroPriceTable(msgspec.Struct, frozen=True, kw_only=True):
    """Corrections of the mid in ticks by imbalance bucket (10) and spread bucket (1, 2, 3+ ticks).

    Fitted offline (`fit_micro_price`), frozen and versioned; version "none" corrects nothing.
    """

    version: str
    corrections: tuple[tuple[float, float, float], ...]


NO_CORRECTION: Final = MicroPriceTable(
    version="none", corrections=((0.0, 0.0, 0.0),) * IMBALANCE_BUCKETS
)


def micro_state(bid: int, ask: int, bid_lots: int, ask_lots: int) -> tuple[int, int]:
    """Return the table's row and column for a touch in ticks and lots."""
    size = bid_lots + ask_lots
    bucket = IMBALANCE_BUCKETS * bid_lots // size if size > 0 else IMBALANCE_BUCKETS // 2
    return min(bucket, IMBALANCE_BUCKETS - 1), min(max(ask - bid, 1), 3) - 1


def micro_price(bid: int, ask: int, bid_lots: int, ask_lots: int, table: MicroPriceTable) -> float:
    """Return the micro-price in ticks: the mid plus the table's correction."""
    row, column = micro_state(bid, ask, bid_lots, ask_lots)
    return (bid + ask) / 2.0 + table.corrections[row][column]


def depth_within(bids: Levels, asks: Levels, per_lot: float) -> int:
    """Return the lots of the top five levels of both sides."""
    lots = 0
    for _, size in bids[:LEVELS]:
        lots += int(size * per_lot + 0.5)
    for _, size in asks[:LEVELS]:
        lots += int(size * per_lot + 0.5)
    return lots


def level_imbalance(
    old_bids: Levels,
    old_asks: Levels,
    bids: Levels,
    asks: Levels,
    weights: tuple[int, ...],
    per_lot: float,
) -> int:
    """Return the weighted order-flow imbalance over five levels, in weight x lots.

    The sizes of one update are added as floats and become lots once: sizes on the lot grid give the
    exact integer.
    """
    flow = 0.0
    if bids != old_bids:
        flow = _bid_flow(bids, old_bids, weights)
    if asks != old_asks:
        flow -= _ask_flow(asks, old_asks, weights)
    return round(flow * per_lot)


def _bid_flow(new: Levels, old: Levels, weights: tuple[int, ...]) -> float:
    flow = 0.0
    for weight, (price, size), (old_price, old_size) in zip(weights, new, old, strict=False):
        if price == old_price:
            flow += weight * (size - old_size)
        elif price > old_price:
            flow += weight * size
        else:
            flow -= weight * old_size
    return flow


def _ask_flow(new: Levels, old: Levels, weights: tuple[int, ...]) -> float:
    flow = 0.0
    for weight, (price, size), (old_price, old_size) in zip(weights, new, old, strict=False):
        if price == old_price:
            flow += weight * (size - old_size)
        elif price < old_price:
            flow += weight * size
        else:
            flow -= weight * old_size
    return flow


class Spread(msgspec.Struct):
    """The spread in bp: mean (half-life 60 s), score (600 s), percentile in its hour of week."""

    mean: Ewma
    slow: WeightedMean
    square: WeightedMean
    hours: HourOfWeekHistogram
    now: float = NAN
    percentile: float = NAN

    @classmethod
    def of(cls) -> Spread:
        return cls(
            Ewma.of(SPREAD_HALF_LIFE),
            WeightedMean.of(DEVIATION_HALF_LIFE),
            WeightedMean.of(DEVIATION_HALF_LIFE),
            HourOfWeekHistogram.of(SPREAD_EDGES, LEARNT_HOURS),
        )

    def update(self, second: int, bid: int, ask: int) -> None:
        """Take a second's closing touch in ticks."""
        self.now = now = 20_000 * (ask - bid) / (ask + bid)
        self.mean.update(now)
        self.slow.update(now)
        self.square.update(now * now)
        self.percentile = self.hours.update(second // 3600, now)

    def score(self) -> float:
        """Return how many deviations the spread is above its mean; NaN while warming up."""
        mean = self.slow.read()
        variance = self.square.read() - mean * mean
        return (self.now - mean) / math.sqrt(variance) if variance > 0.0 else 0.0 * mean
