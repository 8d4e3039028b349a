"""The batch forms of frames and bars: columns of quotes and trades in, columns of rows out."""

from __future__ import annotations

import msgspec
import numpy as np

from hean.core.features.bars import ATR_A, ATR_B, ATR_BARS, MINUTE
from hean.core.features.columns import (
    Floats,
    Integers,
    filter_batch,
    quantised_log_batch,
    rolling_maximum_batch,
)
from hean.core.features.exact import NAN


class QuoteColumns(msgspec.Struct, frozen=True):
    """Columns of quotes: receipt in ns, touch in ticks, sizes in lots."""

    ts_init: Integers
    bid: Integers
    ask: Integers
    bid_lots: Integers
    ask_lots: Integers


class TradeColumns(msgspec.Struct, frozen=True):
    """Columns of trades: receipt in ns, ticks, lots, and whether takers bought (1 or 0)."""

    ts_init: Integers
    ticks: Integers
    lots: Integers
    is_buy: Integers


def frames_batch(quotes: QuoteColumns, trades: TradeColumns) -> dict[str, Integers]:
    """Return the columns of the rows that `FrameBuilder` closes from quotes and trades.

    The first quote must not come after the first trade; the last second is left open.
    """
    second = quotes.ts_init // 1_000_000_000
    first = int(second[0])
    last_input = max(int(quotes.ts_init[-1]), int(trades.ts_init[-1]) if len(trades.lots) else 0)
    count = last_input // 1_000_000_000 - first
    kept = second < first + count
    place = (second - first)[kept]
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    filled = place[starts]
    newest = np.searchsorted(filled, np.arange(count), side="right") - 1
    ends = np.append(starts[1:], len(place)) - 1
    mids = (quotes.bid + quotes.ask)[kept]
    mid = mids[ends][newest]
    before = np.concatenate((mid[:1], mid[:-1]))
    high, low = before.copy(), before.copy()
    high[filled] = np.maximum(np.maximum.reduceat(mids, starts), before[filled])
    low[filled] = np.minimum(np.minimum.reduceat(mids, starts), before[filled])
    high[0] = mids[: ends[0] + 1].max()
    low[0] = mids[: ends[0] + 1].min()
    flow = np.concatenate(([0], _flow_batch(quotes)))[kept]
    ofi = np.zeros(count, dtype=np.int64)
    ofi[filled] = np.add.reduceat(flow, starts)
    columns = {
        "second": first + np.arange(count),
        "bid": quotes.bid[kept][ends][newest],
        "ask": quotes.ask[kept][ends][newest],
        "mid": mid,
        "high": high,
        "low": low,
        "return_e9": quantised_log_batch(mid, before),
        "ofi": ofi,
        "top_lots": (quotes.bid_lots + quotes.ask_lots)[kept][ends][newest],
    }
    return columns | _traded_batch(trades, first, count)


def _flow_batch(quotes: QuoteColumns) -> Integers:
    bid, ask, bids, asks = quotes.bid, quotes.ask, quotes.bid_lots, quotes.ask_lots
    up = (bid[1:] >= bid[:-1]) * bids[1:] - (bid[1:] <= bid[:-1]) * bids[:-1]
    down = (ask[1:] <= ask[:-1]) * asks[1:] - (ask[1:] >= ask[:-1]) * asks[:-1]
    return up - down


def level_flow_batch(price: Integers, lots: Integers, *, is_bid: bool) -> Integers:
    """Return the flow of each level between neighbouring book images, one side: rows x levels.

    `price` and `lots` hold a row an image and a column a level, best first; the first row is zero.
    """
    before, now, old, new = price[:-1], price[1:], lots[:-1], lots[1:]
    gains, loses = (now >= before, now <= before) if is_bid else (now <= before, now >= before)
    flow = np.zeros_like(lots)
    flow[1:] = (gains * new - loses * old) * (1 if is_bid else -1)
    return flow


def _traded_batch(trades: TradeColumns, first: int, count: int) -> dict[str, Integers]:
    place = trades.ts_init // 1_000_000_000 - first
    kept = (place >= 0) & (place < count)
    place, lots, is_buy = place[kept], trades.lots[kept], trades.is_buy[kept]
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    filled = place[starts]

    def per_second(values: Integers) -> Integers:
        result = np.zeros(count, dtype=np.int64)
        if len(starts):
            result[filled] = np.add.reduceat(values, starts)
        return result

    largest = np.zeros(count, dtype=np.int64)
    if len(starts):
        largest[filled] = np.maximum.reduceat(lots, starts)
    return {
        "buy_lots": per_second(lots * is_buy),
        "sell_lots": per_second(lots * (1 - is_buy)),
        "trades": per_second(np.ones(len(lots), dtype=np.int64)),
        "largest_lots": largest,
        "traded_ticks": per_second(trades.ticks[kept] * lots),
    }


def minute_bars_batch(columns: dict[str, Integers]) -> dict[str, Integers]:
    """Return the columns of the bars that `MinuteBars` closes from consecutive rows."""
    first = int(-columns["second"][0] % MINUTE)
    count = (len(columns["second"]) - first) // MINUTE
    rows = {
        name: columns[name][first : first + count * MINUTE].reshape(count, MINUTE)
        for name in ("second", "mid", "high", "low", "buy_lots", "sell_lots")
    }
    opened = columns["mid"][np.maximum(first + np.arange(count) * MINUTE - 1, 0)]
    bought, sold = rows["buy_lots"].sum(axis=1), rows["sell_lots"].sum(axis=1)
    return {
        "start": rows["second"][:, 0] // MINUTE,
        "open": opened,
        "high": rows["high"].max(axis=1),
        "low": rows["low"].min(axis=1),
        "close": rows["mid"][:, -1],
        "lots": bought + sold,
        "delta": bought - sold,
    }


def average_true_range_batch(high: Integers, low: Integers, close: Integers) -> Floats:
    """Return the column of `AverageTrueRange`."""
    ranges = high - low
    ranges[1:] = np.maximum(high[1:], close[:-1]) - np.minimum(low[1:], close[:-1])
    values = filter_batch(ranges, ATR_A, ATR_B)[0]
    values[: ATR_BARS - 1] = NAN
    return values


def donchian_batch(
    high: Integers, low: Integers, close: Integers, bars: int
) -> tuple[Floats, Floats, Floats]:
    """Return the columns of `Donchian`: highest, lowest, and where each close stands between."""
    highest = rolling_maximum_batch(high, bars).astype(np.float64)
    lowest = -rolling_maximum_batch(-low, bars).astype(np.float64)
    place = np.full(len(close), 0.5)
    np.divide(close - lowest, highest - lowest, out=place, where=highest > lowest)
    return highest, lowest, place
