"""The same features over columns of rows: bit for bit what `FeatureSet` answers second by second.

Funding and basis have no column form: their inputs come on their own grid, and at most 480 minutes
make a rate.
"""

from __future__ import annotations

import numpy as np

from hean.core.features.batch_series import (
    micro_price_batch,
    reversion_batch,
    spread_batch,
    trend_batch,
    volatility_batch,
)
from hean.core.features.book import MicroPriceTable
from hean.core.features.columns import (
    Floats,
    Integers,
    after,
    ewma_batch,
    rolling_maximum_batch,
    rolling_sum_batch,
    weighted_mean_batch,
)
from hean.core.features.exact import NAN
from hean.core.features.flow import (
    BURST_HALF_LIFE,
    BURST_WINDOW,
    CELL_SECONDS,
    CELLS,
    DEPTH_HALF_LIFE,
    IMBALANCE_WINDOWS,
    OFI_WINDOWS,
    SLOPE_HALF_LIFE,
    SLOPE_HORIZONS,
    VWAP_WINDOWS,
    Toxicity,
    disorder_of,
)
from hean.core.features.frame_batch import average_true_range_batch, minute_bars_batch


def features_batch(
    columns: dict[str, Integers], tick: float, table: MicroPriceTable | None = None
) -> dict[str, Floats]:
    """Return the columns of `FrameFeatures` for consecutive rows, by name.

    `columns` are those of `FrameRow`; the rows are whole seconds without a gap, each with a book.
    `table` is the micro-price table, None where none is fitted.
    """
    second, change = columns["second"], columns["return_e9"]
    result = volatility_batch(second, change)
    result |= trend_batch(change, result["sigma_slow"])
    result |= spread_batch(second, columns["bid"], columns["ask"])
    result["micro_bp"] = _micro_price(columns, table)
    result |= _flow(columns, tick)
    result |= _slopes(result["ofi_5"], change)
    result["beta_0"] = _response(result["ofi_1"], change)
    result |= _toxicity(columns)
    result["half_life"] = reversion_batch(second, change)
    result["entropy"] = _disorder(columns)
    result["atr_60"] = _true_range(columns) * tick * 0.5
    return result


def _micro_price(columns: dict[str, Integers], table: MicroPriceTable | None) -> Floats:
    bid, ask, bid_lots = columns["bid"], columns["ask"], columns["bid_lots"]
    if table is None:
        return np.full(len(bid), NAN)
    return micro_price_batch(bid, ask, bid_lots, columns["top_lots"] - bid_lots, table)


def _share(numerator: Integers, denominator: Integers) -> Floats:
    result = np.zeros(len(numerator))
    np.divide(
        numerator.astype(np.float64),
        denominator.astype(np.float64),
        out=result,
        where=denominator > 0,
    )
    return result


def _flow(columns: dict[str, Integers], tick: float) -> dict[str, Floats]:
    warm = int(DEPTH_HALF_LIFE)
    buys, sells = columns["buy_lots"], columns["sell_lots"]
    depth = after(ewma_batch(columns["top_lots"] * 0.5, DEPTH_HALF_LIFE)[0], warm)
    result: dict[str, Floats] = {
        "depth_mean": depth,
        "depth_5": columns["depth_lots"].astype(np.float64),
    }
    result["depth_5_mean"] = after(ewma_batch(columns["depth_lots"], DEPTH_HALF_LIFE)[0], warm)
    result["cvd"] = np.cumsum(buys - sells).astype(np.float64)
    for n in OFI_WINDOWS:
        result[f"ofi_{n}"] = rolling_sum_batch(columns["ofi"], n) / depth
    result["ofi_levels_10"] = rolling_sum_batch(columns["ofi_levels"], 10) * 0.001 / depth
    for n in IMBALANCE_WINDOWS:
        bought, sold = rolling_sum_batch(buys, n), rolling_sum_batch(sells, n)
        result[f"trade_imbalance_{n}"] = after(_share(bought - sold, bought + sold), n)
    volume = rolling_sum_batch(buys + sells, BURST_WINDOW)
    usual = ewma_batch(volume, BURST_HALF_LIFE)[0]
    burst = np.zeros(len(volume))
    np.divide(volume, usual, out=burst, where=usual > 0.0)
    result["volume_burst"] = after(burst, int(BURST_HALF_LIFE))
    prints = rolling_sum_batch(columns["trades"], BURST_WINDOW).astype(np.float64)
    result["trades_30"] = after(prints, BURST_WINDOW)
    largest = rolling_maximum_batch(columns["largest_lots"], BURST_WINDOW)
    result["largest_share_30"] = after(_share(largest, volume), BURST_WINDOW)
    for n in VWAP_WINDOWS:
        lots = rolling_sum_batch(buys + sells, n)
        price = np.full(len(lots), NAN)
        notional = rolling_sum_batch(columns["traded_ticks"], n).astype(np.float64)
        np.divide(notional, lots.astype(np.float64), out=price, where=lots > 0)
        result[f"vwap_{n}"] = after(price * tick, n)
    return result


def _slopes(imbalance: Floats, change: Integers) -> dict[str, Floats]:
    result: dict[str, Floats] = {}
    ready = int(np.count_nonzero(np.isnan(imbalance)))
    for horizon in SLOPE_HORIZONS:
        column = np.full(len(change), NAN)
        x = imbalance[ready : len(change) - horizon]
        if len(x):
            column[ready + horizon :] = _slope(
                x, rolling_sum_batch(change, horizon)[ready + horizon :]
            )
        result[f"beta_{horizon}"] = column
    return result


def _response(imbalance: Floats, change: Integers) -> Floats:
    ready = int(np.count_nonzero(np.isnan(imbalance)))
    column = np.full(len(change), NAN)
    if ready < len(change):
        column[ready:] = _slope(imbalance[ready:], change[ready:])
    return column


def _slope(x: Floats, return_e9: Integers) -> Floats:
    product = weighted_mean_batch(x * (return_e9 * 1e-5), SLOPE_HALF_LIFE)[0]
    square = weighted_mean_batch(x * x, SLOPE_HALF_LIFE)[0]
    slope = np.zeros(len(x))
    np.divide(product, square, out=slope, where=square > 0.0)
    return after(slope, int(SLOPE_HALF_LIFE))


def _toxicity(columns: dict[str, Integers]) -> dict[str, Floats]:
    """Step the machine over the seconds with trades or a new day; the rest repeat it."""
    second, buys, sells = columns["second"], columns["buy_lots"], columns["sell_lots"]
    machine = Toxicity.of()
    is_day = np.diff(second // 86_400, prepend=-1) != 0
    steps = np.flatnonzero((buys + sells > 0) | is_day)
    vpin, percentile = list[float](), list[float]()
    for at in steps.tolist():
        machine.update(int(second[at]), int(buys[at]), int(sells[at]))
        vpin.append(machine.value)
        percentile.append(machine.percentile)
    newest = np.searchsorted(steps, np.arange(len(second)), side="right") - 1
    return {"vpin": np.array(vpin)[newest], "vpin_percentile": np.array(percentile)[newest]}


def _disorder(columns: dict[str, Integers]) -> Floats:
    second, change = columns["second"], columns["return_e9"]
    volume = columns["buy_lots"] + columns["sell_lots"]
    span = CELLS * CELL_SECONDS
    first, middle, last = change[:-2], change[1:-1], change[2:]
    codes = np.where(
        first <= middle,
        np.where(middle <= last, 0, np.where(first <= last, 1, 2)),
        np.where(first <= last, 3, np.where(middle <= last, 4, 5)),
    )
    hot = np.zeros((len(change), 6), dtype=np.int64)
    hot[np.arange(2, len(change)), codes] = 1
    patterns = np.stack([rolling_sum_batch(hot[:, one], span) for one in range(6)], axis=1)
    ends = np.flatnonzero(second % CELL_SECONDS == CELL_SECONDS - 1)
    totals = np.concatenate(([0], np.cumsum(volume)))
    cells = np.diff(totals[np.concatenate(([0], ends + 1))])
    values = np.full(len(ends), NAN)
    for place, end in enumerate(ends.tolist()):
        if end + 1 >= span:
            values[place] = disorder_of(
                cells[max(0, place + 1 - CELLS) : place + 1].tolist(), patterns[end].tolist()
            )
    newest = np.searchsorted(ends, np.arange(len(second)), side="right") - 1
    return np.where(newest >= 0, values[np.maximum(newest, 0)], NAN)


def _true_range(columns: dict[str, Integers]) -> Floats:
    bars = minute_bars_batch(columns)
    values = average_true_range_batch(bars["high"], bars["low"], bars["close"])
    closes = bars["start"] * 60 + 59 - columns["second"][0]
    newest = np.searchsorted(closes, np.arange(len(columns["second"])), side="right") - 1
    return np.where(newest >= 0, values[np.maximum(newest, 0)], NAN)
