"""Bars: one-minute bars from frame rows, quarter hours from bars, and plain bars from trades.

Prices are integers throughout: half-ticks where a bar comes from mids, ticks where from trades.
Source of the average true range: Wilder 1978.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hean.core.errors import DataError
from hean.core.features.exact import NAN, RollingMaximum
from hean.core.features.frame import FrameRow

MINUTE: Final = 60
QUARTER_NS: Final = 900 * 1_000_000_000
ATR_BARS: Final = 14
ATR_A: Final = 1.0 / ATR_BARS
ATR_B: Final = 1.0 - ATR_A


class WholeBar(msgspec.Struct, frozen=True, gc=False):
    """One closed bar in integers; `start` counts whole intervals since the epoch.

    `delta` is bought minus sold lots, as takers.
    """

    start: int
    open: int
    high: int
    low: int
    close: int
    lots: int
    delta: int


class MinuteBars(msgspec.Struct):
    """Gathers frame rows into minutes; the first minute counts only if seen from its beginning."""

    previous: int = 0
    opened: int = 0
    high: int = 0
    low: int = 0
    lots: int = 0
    delta: int = 0

    def update(self, row: FrameRow) -> WholeBar | None:
        """Take a row and return the minute that it closes; its open is the mid it began with."""
        place = row.second % MINUTE
        if place == 0:
            self.opened = self.previous or row.mid
            self.high, self.low = row.high, row.low
            self.lots = self.delta = 0
        self.previous = row.mid
        if self.opened == 0:
            return None
        if row.high > self.high:
            self.high = row.high
        if row.low < self.low:
            self.low = row.low
        self.lots += row.buy_lots + row.sell_lots
        self.delta += row.buy_lots - row.sell_lots
        if place != MINUTE - 1:
            return None
        opened = self.opened
        self.opened = 0
        return WholeBar(
            row.second // MINUTE, opened, self.high, self.low, row.mid, self.lots, self.delta
        )


class AverageTrueRange(msgspec.Struct):
    """Wilder's ATR, a = 1/14, that starts at the first true range; ready after 14 bars."""

    close: int = 0
    value: float = NAN
    count: int = 0

    def update(self, high: int, low: int, close: int) -> float:
        """Take a bar and return the ATR in its units, NaN while warming up."""
        if self.count:
            high, low = max(high, self.close), min(low, self.close)
            true_range = high - low
        else:
            true_range = high - low
            self.value = float(true_range)
        self.close = close
        self.count += 1
        self.value = ATR_A * true_range + ATR_B * self.value
        return self.read()

    def read(self) -> float:
        """Return the ATR, NaN while it is warming up."""
        return self.value if self.count >= ATR_BARS else NAN


class Donchian(msgspec.Struct):
    """The highest high and lowest low of the newest n bars, and where the close stands between."""

    highs: RollingMaximum
    lows: RollingMaximum
    high: int = 0
    low: int = 0

    @classmethod
    def of(cls, bars: int) -> Donchian:
        return cls(RollingMaximum(bars), RollingMaximum(bars))

    @property
    def ready(self) -> bool:
        return self.highs.count >= self.highs.size

    def update(self, high: int, low: int) -> None:
        """Take a bar."""
        self.high = self.highs.push(high)
        self.low = -self.lows.push(-low)

    def location(self, close: int) -> float:
        """Return (close - low)/(high - low), a half where the channel has no width."""
        width = self.high - self.low
        return (close - self.low) / width if width > 0 else 0.5


class QuarterBars(msgspec.Struct):
    """Joins bars that divide a quarter of an hour; only one seen whole counts."""

    start: int = -1
    next_open: int = 0
    opened: int = 0
    high: int = 0
    low: int = 0
    lots: int = 0
    delta: int = 0

    def update(self, open_time: int, interval_ns: int, bar: WholeBar) -> WholeBar | None:
        """Take a bar with its opening time in ns and return the quarter hour that it closes."""
        if interval_ns > QUARTER_NS or QUARTER_NS % interval_ns:
            return None
        quarter, into = divmod(open_time, QUARTER_NS)
        if into == 0:
            self.start, self.opened = quarter, bar.open
            self.high, self.low = bar.high, bar.low
            self.lots = self.delta = 0
        elif quarter != self.start or open_time != self.next_open:
            self.start = -1
            return None
        self.next_open = open_time + interval_ns
        self.high = max(self.high, bar.high)
        self.low = min(self.low, bar.low)
        self.lots += bar.lots
        self.delta += bar.delta
        if into + interval_ns != QUARTER_NS:
            return None
        return WholeBar(quarter, self.opened, self.high, self.low, bar.close, self.lots, self.delta)


class TradeBars(msgspec.Struct):
    """Builds bars from trades by the exchange's time; an interval without trades gives no bar."""

    interval_ns: int
    start: int = -1
    opened: int = 0
    high: int = 0
    low: int = 0
    close: int = 0
    lots: int = 0
    delta: int = 0

    def add(self, ts_event: int, ticks: int, lots: int, *, is_buy: bool) -> WholeBar | None:
        """Take a trade and return the bar that it closes by being later.

        Raises `DataError` for a trade of an interval that is closed already.
        """
        start = ts_event // self.interval_ns
        if start < self.start:
            raise DataError(f"trade at {ts_event} ns is older than the open bar {self.start}")
        done = None
        if start > self.start:
            done = self.flush()
            self.start = start
            self.opened = self.high = self.low = ticks
        self.high = max(self.high, ticks)
        self.low = min(self.low, ticks)
        self.close = ticks
        self.lots += lots
        self.delta += lots if is_buy else -lots
        return done

    def flush(self) -> WholeBar | None:
        """Close and return the bar in hand, or None where no trade came."""
        if self.start < 0:
            return None
        bar = WholeBar(
            self.start, self.opened, self.high, self.low, self.close, self.lots, self.delta
        )
        self.start = -1
        self.lots = self.delta = 0
        return bar
