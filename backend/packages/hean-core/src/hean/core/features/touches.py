"""What is counted live for the next fitted tables: how touches follow each other, how levels flow.

Integers only, so the counts of a run are those of its columns. Sources: Stoikov 2018, The
micro-price; Cont, Cucuringu, Zhang 2023, Cross-impact of order flow imbalance in equity markets.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hean.core.features.book import IMBALANCE_BUCKETS, LEVELS

SPREAD_BUCKETS: Final = 3
STATES: Final = IMBALANCE_BUCKETS * SPREAD_BUCKETS
PAIRS: Final = tuple((one, other) for one in range(LEVELS) for other in range(one, LEVELS))
"""The places of `LevelMoments.products`."""

_MOST_LOTS: Final = 1 << 30
_MOST_PRODUCT: Final = 1 << 62


class TouchChain(msgspec.Struct):
    """Counts of one state of the touch following another; a state is 3·row + column of the table.

    `stay` counts changes of state with the mid unmoved and `leave` those with it, both at 30·from +
    to; `gain` sums the mid's moves in half-ticks by the state they began in. A touch that changes
    neither state nor mid is not counted: the fit does not depend on how long a state lasts.
    """

    stay: list[int]
    leave: list[int]
    gain: list[int]
    state: int = -1
    mid: int = 0

    @classmethod
    def of(cls) -> TouchChain:
        return cls([0] * (STATES * STATES), [0] * (STATES * STATES), [0] * STATES)

    def take(self, bid: int, ask: int, bid_lots: int, ask_lots: int) -> None:
        """Take a touch in ticks and lots."""
        # `micro_state`, written out: this runs on every touch
        if bid_lots < ask_lots:
            row = IMBALANCE_BUCKETS * bid_lots // (bid_lots + ask_lots)
        elif bid_lots > ask_lots:
            row = IMBALANCE_BUCKETS - 1 - IMBALANCE_BUCKETS * ask_lots // (bid_lots + ask_lots)
        else:
            row = IMBALANCE_BUCKETS // 2
        width = ask - bid
        state = row * SPREAD_BUCKETS + (2 if width >= 3 else 1 if width == 2 else 0)
        before, mid = self.state, bid + ask
        if mid == self.mid:
            if state == before:
                return
            if before >= 0:
                self.stay[before * STATES + state] += 1
        else:
            if before >= 0:
                self.leave[before * STATES + state] += 1
                self.gain[before] += mid - self.mid
            self.mid = mid
        self.state = state

    def forget(self) -> None:
        """Touches were lost: the next one follows none."""
        self.state = -1


class LevelMoments(msgspec.Struct):
    """Sums and products of the five levels' order flow in lots, over seconds with a book update.

    Kept inside 64 bits: a flow beyond 2^30 lots a second counts as that, and before a product could
    leave them everything is halved, which lets the oldest fade.
    """

    sums: list[int]
    products: list[int]
    count: int = 0

    @classmethod
    def of(cls) -> LevelMoments:
        return cls([0] * LEVELS, [0] * len(PAIRS))

    def update(self, flows: list[int]) -> None:
        """Take a second's flow of each level."""
        self.count += 1
        bounded = [max(-_MOST_LOTS, min(_MOST_LOTS, flow)) for flow in flows]
        for level, flow in enumerate(bounded):
            self.sums[level] += flow
        products = self.products
        for place, (one, other) in enumerate(PAIRS):
            products[place] += bounded[one] * bounded[other]
        if max(products) > _MOST_PRODUCT:
            self.count >>= 1
            self.sums = [one >> 1 for one in self.sums]
            self.products = [one >> 1 for one in products]


class TouchCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What one instrument's touches and levels were counted to be, at this tick and lot size."""

    tick: float
    lot: float
    touches: TouchChain
    levels: LevelMoments
