"""Order flow from one-second rows: imbalance, trades, volume, toxicity, entropy, slopes.

Sources: Cont, Kukanov, Stoikov 2014, The price impact of order book events; Easley, López de Prado,
O'Hara 2012, Flow toxicity and liquidity; Bandt, Pompe 2002, Permutation entropy.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hean.core.features.exact import (
    NAN,
    Ewma,
    HourlyHistogram,
    RollingMaximum,
    RollingSum,
    WeightedMean,
    shannon_entropy,
)
from hean.core.features.frame import FrameRow

DAY: Final = 86_400
OFI_WINDOWS: Final = (1, 5, 10, 30)
IMBALANCE_WINDOWS: Final = (10, 30)
VWAP_WINDOWS: Final = (60, 900, 3600)
DEPTH_HALF_LIFE: Final = 600.0
BURST_WINDOW: Final = 30
BURST_HALF_LIFE: Final = 900.0
SLOPE_HORIZONS: Final = (5, 15, 30)
SLOPE_HALF_LIFE: Final = 600.0
BUCKETS: Final = 50
VPIN_EDGES: Final = tuple(round(one / 64, 6) for one in range(1, 64))
CELLS: Final = 60
CELL_SECONDS: Final = 5
THIN_CELLS: Final = 20
"""With fewer traded cells than this the entropy is that of the order of returns."""


def share(numerator: int, denominator: int) -> float:
    """Return numerator/denominator, each first a float as in a column; 0 over nothing."""
    return float(numerator) / float(denominator) if denominator > 0 else 0.0


class Flow(msgspec.Struct):
    """Windows over a second's order-flow imbalance, volumes and prints, all in integers.

    Imbalances are per mean depth of the touch (half-life 10 min, mean of both sides, in lots).
    `cvd` is the running sum of buys less sells.
    """

    ofi: RollingSum
    levels: RollingSum
    buys: RollingSum
    sells: RollingSum
    prints: RollingSum
    notional: RollingSum
    largest: RollingMaximum
    depth: Ewma
    depth_levels: Ewma
    burst: Ewma
    cvd: int = 0
    volume_burst: float = NAN
    depth_now: float = NAN

    @classmethod
    def of(cls) -> Flow:
        longest = VWAP_WINDOWS[-1]
        return cls(
            RollingSum.of(OFI_WINDOWS[-1]),
            RollingSum.of(10),
            RollingSum.of(longest),
            RollingSum.of(longest),
            RollingSum.of(BURST_WINDOW),
            RollingSum.of(longest),
            RollingMaximum(BURST_WINDOW),
            Ewma.of(DEPTH_HALF_LIFE),
            Ewma.of(DEPTH_HALF_LIFE),
            Ewma.of(BURST_HALF_LIFE),
        )

    def update(self, row: FrameRow) -> None:
        """Take a closed second."""
        self.ofi.push(row.ofi)
        self.levels.push(row.ofi_levels)
        self.buys.push(row.buy_lots)
        self.sells.push(row.sell_lots)
        self.cvd += row.buy_lots - row.sell_lots
        self.prints.push(row.trades)
        self.notional.push(row.traded_ticks)
        self.largest.push(row.largest_lots)
        self.depth.update(row.top_lots * 0.5)
        if row.depth_lots >= 0:
            self.depth_now = float(row.depth_lots)
            self.depth_levels.update(self.depth_now)
        else:
            self.depth_now = NAN
        volume = self.buys.over(BURST_WINDOW) + self.sells.over(BURST_WINDOW)
        usual = self.burst.update(volume)
        if self.burst.ready:
            self.volume_burst = volume / usual if usual > 0.0 else 0.0

    def imbalance(self, n: int) -> float:
        """Return the order-flow imbalance of n seconds per mean depth; NaN while that warms up."""
        depth = self.depth.read()
        return self.ofi.over(n) / depth if depth > 0.0 else depth

    def level_imbalance(self) -> float:
        """Return the five-level imbalance of 10 s per mean depth; NaN while that warms up."""
        depth = self.depth.read()
        return self.levels.over(10) * 0.001 / depth if depth > 0.0 else depth

    def trade_imbalance(self, n: int) -> float:
        """Return (buys - sells)/(buys + sells) over n seconds, 0 without trades."""
        if self.buys.count < n:
            return NAN
        buys, sells = self.buys.over(n), self.sells.over(n)
        return share(buys - sells, buys + sells)

    def vwap(self, n: int, tick: float) -> float:
        """Return the volume-weighted price of n seconds; NaN before n came or without trades."""
        lots = self.buys.over(n) + self.sells.over(n)
        if self.buys.count < n or lots <= 0:
            return NAN
        return float(self.notional.over(n)) / float(lots) * tick

    def largest_share(self) -> float:
        """Return the largest print of 30 s as a share of their volume, 0 without trades."""
        if self.buys.count < BURST_WINDOW:
            return NAN
        volume = self.buys.over(BURST_WINDOW) + self.sells.over(BURST_WINDOW)
        return share(self.largest.values[self.largest.head], volume)

    def prints_30(self) -> float:
        """Return the number of trades of 30 s."""
        return float(self.prints.over(BURST_WINDOW)) if self.prints.count >= BURST_WINDOW else NAN


class Slope(msgspec.Struct):
    """A slope EW(xy)/EW(xx), half-life 10 min: bp per unit of order-flow imbalance.

    Forecasting with a horizon above 0: x at t is paired with the return over (t, t + horizon], so
    the contemporaneous response never enters. That is another slope, of horizon 0.
    """

    horizon: int
    product: WeightedMean
    square: WeightedMean
    value: float = NAN

    @classmethod
    def of(cls, horizon: int) -> Slope:
        return cls(horizon, WeightedMean.of(SLOPE_HALF_LIFE), WeightedMean.of(SLOPE_HALF_LIFE))

    def update(self, x: float, return_e9: int) -> None:
        """Take an imbalance and the return that is paired with it, in 1e-9."""
        product = self.product.update(x * (return_e9 * 1e-5))
        square = self.square.update(x * x)
        if self.square.count >= self.square.ready_after:
            self.value = product / square if square > 0.0 else 0.0


class Slopes(msgspec.Struct):
    """The forecasting slopes over 5, 15 and 30 s of the five-second imbalance."""

    slopes: tuple[Slope, Slope, Slope]
    past: list[float]
    count: int = 0

    @classmethod
    def of(cls) -> Slopes:
        five, fifteen, thirty = (Slope.of(horizon) for horizon in SLOPE_HORIZONS)
        return cls((five, fifteen, thirty), [NAN] * 32)

    def update(self, x: float, returns: RollingSum) -> None:
        """Take the five-second imbalance of a second (NaN: not ready) and the returns so far."""
        count, past = self.count, self.past
        for slope in self.slopes:
            before = past[(count - slope.horizon) & 31]
            if before == before:
                slope.update(before, returns.over(slope.horizon))
        past[count & 31] = x
        self.count = count + 1


class Toxicity(msgspec.Struct):
    """VPIN: the mean |buys - sells|/volume over 50 buckets of a fiftieth of yesterday's volume.

    A bucket closes with the second that fills it. Yesterday must have been seen whole. The
    percentile is that of the newest seven days' buckets.
    """

    imbalances: RollingSum
    volumes: RollingSum
    histogram: HourlyHistogram
    day: int = -1
    is_whole: bool = False
    day_volume: int = 0
    bucket_size: int = 0
    buys: int = 0
    sells: int = 0
    value: float = NAN
    percentile: float = NAN

    @classmethod
    def of(cls) -> Toxicity:
        return cls(
            RollingSum.of(BUCKETS),
            RollingSum.of(BUCKETS),
            HourlyHistogram.of(VPIN_EDGES, BUCKETS),
        )

    def update(self, second: int, buy_lots: int, sell_lots: int) -> None:
        """Take a second's taker volumes."""
        day = second // DAY
        if day != self.day:
            if self.is_whole and day == self.day + 1:
                self.bucket_size = self.day_volume // BUCKETS
            self.is_whole = second % DAY == 0
            self.day = day
            self.day_volume = 0
        volume = buy_lots + sell_lots
        if volume == 0:
            return
        self.day_volume += volume
        if self.bucket_size <= 0:
            return
        self.buys += buy_lots
        self.sells += sell_lots
        if self.buys + self.sells >= self.bucket_size:
            self._close(second)

    def _close(self, second: int) -> None:
        self.imbalances.push(abs(self.buys - self.sells))
        self.volumes.push(self.buys + self.sells)
        self.buys = self.sells = 0
        if self.volumes.count >= BUCKETS:
            self.value = share(self.imbalances.over(BUCKETS), self.volumes.over(BUCKETS))
            self.percentile = self.histogram.update(second // 3600, self.value)


def pattern(first: int, second: int, third: int) -> int:
    """Return the order pattern 0..5 of three values; equal ones count as rising."""
    if first <= second:
        if second <= third:
            return 0
        return 1 if first <= third else 2
    if first <= third:
        return 3
    return 4 if second <= third else 5


class Disorder(msgspec.Struct):
    """Entropy 0..1: of volume over sixty 5-s cells, of the order of returns where that is thin."""

    cells: list[int]
    patterns: list[int]
    counts: list[int]
    open_cell: int = 0
    seconds: int = 0
    before: int = 0
    last: int = 0
    value: float = NAN

    @classmethod
    def of(cls) -> Disorder:
        return cls([0] * CELLS, [-1] * (CELLS * CELL_SECONDS), [0] * 6)

    def update(self, second: int, volume: int, return_e9: int) -> None:
        """Take a second; the value moves when a cell of the epoch grid closes."""
        place = self.seconds % len(self.patterns)
        old = self.patterns[place]
        if old >= 0:
            self.counts[old] -= 1
        new = pattern(self.before, self.last, return_e9) if self.seconds >= 2 else -1
        self.patterns[place] = new
        if new >= 0:
            self.counts[new] += 1
        self.before, self.last = self.last, return_e9
        self.seconds += 1
        self.open_cell += volume
        if second % CELL_SECONDS == CELL_SECONDS - 1:
            self.cells[second // CELL_SECONDS % CELLS] = self.open_cell
            self.open_cell = 0
            if self.seconds >= CELLS * CELL_SECONDS:
                self.value = disorder_of(self.cells, self.counts)


def disorder_of(cells: list[int], patterns: list[int]) -> float:
    """Return the entropy of volume, or of return patterns where fewer than 20 cells traded."""
    traded = len(cells) - cells.count(0)
    return shannon_entropy(cells if traded >= THIN_CELLS else patterns)
