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
_PLACES: Final = tuple(range(LEVELS))
LEVEL_WEIGHTS: Final = (200, 200, 200, 200, 200)
"""Weights of the levels in the multi-level imbalance, in thousandths, where none are fitted."""
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

    Fitted offline (`fit_micro_price`), frozen and versioned.
    """

    version: str
    corrections: tuple[tuple[float, float, float], ...]


def micro_state(bid: int, ask: int, bid_lots: int, ask_lots: int) -> tuple[int, int]:
    """Return the table's row and column for a touch in ticks and lots.

    The thinner side picks its tenth, so that a mirrored touch is in the mirrored row; with equal
    sides, which mirror themselves, it is the row above the middle.
    """
    if bid_lots < ask_lots:
        row = IMBALANCE_BUCKETS * bid_lots // (bid_lots + ask_lots)
    elif bid_lots > ask_lots:
        row = IMBALANCE_BUCKETS - 1 - IMBALANCE_BUCKETS * ask_lots // (bid_lots + ask_lots)
    else:
        row = IMBALANCE_BUCKETS // 2
    return row, min(max(ask - bid, 1), 3) - 1


def _correction(bid: int, ask: int, bid_lots: int, ask_lots: int, table: MicroPriceTable) -> float:
    if bid_lots == ask_lots:
        return 0.0
    row, column = micro_state(bid, ask, bid_lots, ask_lots)
    return table.corrections[row][column]


def micro_price(bid: int, ask: int, bid_lots: int, ask_lots: int, table: MicroPriceTable) -> float:
    """Return the micro-price in ticks: the mid plus the table's correction, none on equal sides."""
    return (bid + ask) / 2.0 + _correction(bid, ask, bid_lots, ask_lots, table)


def micro_lean_bp(
    bid: int, ask: int, bid_lots: int, ask_lots: int, table: MicroPriceTable
) -> float:
    """Return how far the micro-price lies above the mid, in bp of the mid."""
    return 2e4 * _correction(bid, ask, bid_lots, ask_lots, table) / (bid + ask)


def depth_within(bids: Levels, asks: Levels, per_lot: float) -> int:
    """Return the lots of the top five levels of both sides."""
    lots = 0
    for _, size in bids[:LEVELS]:
        lots += int(size * per_lot + 0.5)
    for _, size in asks[:LEVELS]:
        lots += int(size * per_lot + 0.5)
    return lots


def add_level_flow(
    flows: list[float], old_bids: Levels, old_asks: Levels, bids: Levels, asks: Levels
) -> None:
    """Add what two consecutive book images say of each level's order flow, in base coin."""
    if bids != old_bids:
        for level, (price, size), (old_price, old_size) in zip(
            _PLACES, bids, old_bids, strict=False
        ):
            if price == old_price:
                flows[level] += size - old_size
            elif price > old_price:
                flows[level] += size
            else:
                flows[level] -= old_size
    if asks != old_asks:
        for level, (price, size), (old_price, old_size) in zip(
            _PLACES, asks, old_asks, strict=False
        ):
            if price == old_price:
                flows[level] -= size - old_size
            elif price < old_price:
                flows[level] -= size
            else:
                flows[level] += old_size


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
