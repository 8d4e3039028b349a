"""Market events: what a feed carries, and what the features make of it.

Prices and sizes are float64 as delivered; nothing here is money.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import msgspec

from hean.core.events.base import Event
from hean.core.instruments import Instrument

NOT_READY: float = float("nan")
"""The value of a frame's feature that is still warming up; compare with `x == x`."""


class Side(StrEnum):
    """The direction of an order, a trade's taker or a position's entry."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class Regime(StrEnum):
    """How an instrument moves now."""

    RANGE = "RANGE"
    NORMAL = "NORMAL"
    IMPULSE = "IMPULSE"


class Phase(StrEnum):
    """The slow axis beside the regime: how hot the instrument is."""

    ICE = "ice"
    WATER = "water"
    WATER_BULL = "water_bull"
    WATER_BEAR = "water_bear"
    VAPOR = "vapor"


class Cycle(StrEnum):
    """Where in its day-long cycle the instrument stands."""

    ACCUMULATION = "accumulation"
    MARKUP = "markup"
    DISTRIBUTION = "distribution"
    MARKDOWN = "markdown"


class BarSource(StrEnum):
    """Who made a bar: the feed, or the features from frames."""

    FEED = "FEED"
    FRAMES = "FRAMES"


class Quote(Event, frozen=True, kw_only=True):
    """The best bid and ask.

    `synthetic` marks one made from a bar; `conflated` counts what it replaced.
    """

    key_field: ClassVar[str] = "instrument"

    instrument: str
    bid: float
    ask: float
    bid_size: float
    ask_size: float
    synthetic: bool = False
    conflated: int = 0


class Trade(Event, frozen=True, kw_only=True):
    """A print, or an aggregate of `count` prints.

    For one print `buy_volume`, `sell_volume` and `largest` are 0 and follow from side and quantity.
    """

    key_field: ClassVar[str] = "instrument"

    instrument: str
    price: float
    quantity: float
    taker_side: Side
    count: int = 1
    buy_volume: float = 0.0
    sell_volume: float = 0.0
    largest: float = 0.0


class BookUpdate(Event, frozen=True, kw_only=True):
    """The complete image of the top N levels, best first, as (price, size)."""

    key_field: ClassVar[str] = "instrument"

    instrument: str
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    sequence: int = 0
    conflated: int = 0


class Bar(Event, frozen=True, kw_only=True):
    """Open, high, low, close and volume, published at the close (`ts_event`)."""

    key_field: ClassVar[str] = "instrument"

    instrument: str
    open_time: int
    interval_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    source: BarSource = BarSource.FEED


class FundingRate(Event, frozen=True, kw_only=True):
    """The predicted rate for `next_funding_time`, or with `settled` the rate paid at `ts_event`.

    `rate` is a fraction of position value for the interval; positive means longs pay.
    `next_funding_time` is 0 when the source does not say.
    """

    key_field: ClassVar[str] = "instrument"

    instrument: str
    rate: float
    next_funding_time: int
    interval_ns: int
    lower: float | None = None
    upper: float | None = None
    settled: bool = False


class MarkPrice(Event, frozen=True, kw_only=True):
    """Mark and index price, open interest in base coin. `coarse` marks values derived from bars."""

    key_field: ClassVar[str] = "instrument"

    instrument: str
    mark: float
    index: float | None = None
    open_interest: float | None = None
    coarse: bool = False


class Liquidation(Event, frozen=True, kw_only=True):
    """A forced execution. As Bybit delivers it: side BUY means a long was liquidated."""

    key_field: ClassVar[str] = "instrument"

    instrument: str
    side: Side
    price: float
    quantity: float


class SentimentReading(Event, frozen=True, kw_only=True):
    """A reading of mood: score -1..1 from `readings` texts or a 0..100 index `value`."""

    source: str
    score: float
    confidence: float
    readings: int
    content_hash: str
    value: float | None = None


class InstrumentUpdated(Event, frozen=True, kw_only=True):
    """An instrument is known, or its rules changed."""

    key_field: ClassVar[str] = "instrument"

    instrument: str
    specification: Instrument


class FeedGap(Event, frozen=True, kw_only=True):
    """Events of one instrument were lost; books are not to be trusted until rebuilt."""

    key_field: ClassVar[str] = "instrument"

    instrument: str
    reason: str


class FrameFeatures(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Features at a frame's close; NaN while not ready. Windows in s, prices in bp of mid."""

    z_30: float = NOT_READY
    """Impulse |Σr over 30 s| in slow sigmas."""
    sigma_fast: float = NOT_READY
    """Volatility per second as a fraction, half-life 60 s."""
    sigma_slow: float = NOT_READY
    """Volatility per second as a fraction, half-life 3,600 s."""
    sigma_percentile: float = NOT_READY
    """T: percentile of volatility (half-life 5 min) in the last 7 days, 0..1."""
    jump_share: float = NOT_READY
    """J: max(0, 1 - bipower/realised variance)."""
    zeta_60: float = NOT_READY
    zeta_300: float = NOT_READY
    zeta_900: float = NOT_READY
    zeta_3600: float = NOT_READY
    zeta_14400: float = NOT_READY
    range_ratio: float = NOT_READY
    """R over 3,600 s: (high - low)/√Σr²."""
    variance_ratio: float = NOT_READY
    """VR of 60 s over 3,600 s."""
    spread_bp: float = NOT_READY
    spread_mean_bp: float = NOT_READY
    """EW of the spread, half-life 60 s."""
    spread_percentile: float = NOT_READY
    """Hour-of-week percentile of the spread, 0..1."""
    micro_bp: float = NOT_READY
    """How far the micro-price lies above the mid; unknown without a fitted table."""
    ofi_1: float = NOT_READY
    ofi_5: float = NOT_READY
    ofi_10: float = NOT_READY
    ofi_30: float = NOT_READY
    """Order-flow imbalance over n seconds, per EW depth."""
    ofi_levels_10: float = NOT_READY
    """The same over five levels with fixed weights, 10 s."""
    trade_imbalance_10: float = NOT_READY
    trade_imbalance_30: float = NOT_READY
    cvd: float = NOT_READY
    """Running sum of taker buys less sells, in lots, since the instrument is followed."""
    volume_burst: float = NOT_READY
    """30-s volume over its EW (half-life 15 min)."""
    trades_30: float = NOT_READY
    largest_share_30: float = NOT_READY
    """Largest print of 30 s as a share of their volume."""
    depth_mean: float = NOT_READY
    """EW of top-of-book depth in lots, half-life 10 min."""
    depth_5: float = NOT_READY
    """Both sides' top five levels in lots, now."""
    depth_5_mean: float = NOT_READY
    vpin: float = NOT_READY
    vpin_percentile: float = NOT_READY
    vwap_60: float = NOT_READY
    vwap_900: float = NOT_READY
    vwap_3600: float = NOT_READY
    atr_60: float = NOT_READY
    """ATR of one-minute bars, in price."""
    beta_0: float = NOT_READY
    """Contemporaneous slope: bp of a second per unit of its own `ofi_1`. It forecasts nothing."""
    beta_5: float = NOT_READY
    beta_15: float = NOT_READY
    beta_30: float = NOT_READY
    """Forecasting slopes: bp of the next h seconds per unit of `ofi_5` before them."""
    half_life: float = NOT_READY
    """Half-life of the mid's mean reversion in seconds; infinite when there is none."""
    entropy: float = NOT_READY
    funding_now_cast: float = NOT_READY
    basis_bp: float = NOT_READY
    basis_mean_bp: float = NOT_READY
    basis_sd_bp: float = NOT_READY


class Frame(Event, frozen=True, kw_only=True):
    """One second of one instrument in integer ticks and lots, closed at its end.

    `second` is the epoch second it covers; prices `mid`, `high`, `low` count half-ticks (bid +
    ask). An empty second carries the mid forward with zero volume. `return_e9` is
    rint(1e9·ln(mid/previous)).
    """

    key_field: ClassVar[str] = "instrument"

    instrument: str
    second: int
    bid: int
    ask: int
    mid: int
    high: int
    low: int
    return_e9: int
    buy_lots: int = 0
    sell_lots: int = 0
    trades: int = 0
    largest_lots: int = 0
    traded_ticks: int = 0
    """Σ price ticks x lots of the second's trades, for VWAP."""
    ofi: int = 0
    quotes: int = 0
    books: int = 0
    conflated: int = 0
    book_ready: bool = False
    features: FrameFeatures


class RegimeChanged(Event, frozen=True, kw_only=True):
    """Regime, phase or cycle of an instrument moved; `moved` names the axes. None is unknown."""

    key_field: ClassVar[str] = "instrument"

    instrument: str
    ready: bool
    regime: Regime
    phase: Phase | None
    cycle: Cycle | None
    regime_confidence: float
    phase_confidence: float
    cycle_confidence: float
    moved: tuple[str, ...]
