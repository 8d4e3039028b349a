"""Tick logs made from a price path: each second a book, its touch, and what was traded.

The flow of a second leans with the move that second brought, never with the next one, unless a lean
is planted. Everything is a whole number of ticks and lots, at any price and scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import tanh

import msgspec
import numpy as np

from hean.core.events import BookUpdate, Event, Quote, Side, Trade
from hean.core.instruments import Instrument
from hean.core.synthetic.ladder import grid

SECOND_NS = 1_000_000_000
_LEVELS = 5
_QUOTE_AFTER_NS = 1_000_000
_TRADE_AFTER_NS = 300_000_000
_PRINTS = 4


class Second(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One second of a market: its price, and what is unusual about it.

    `lean` from -1 to 1 fills the bid and empties the ask, and turns takers to buying; `volume` is a
    multiple of what is usually traded.
    """

    price: float
    lean: float = 0.0
    volume: float = 1.0


def seconds_of(prices: Sequence[float]) -> list[Second]:
    """Return a path as ordinary seconds."""
    return [Second(price=price) for price in prices]


def tick_log(
    instrument: Instrument,
    seconds: Sequence[Second],
    *,
    begin: int,
    seed: int,
    spread_bp: float = 0.02,
    depth_value: float = 200_000.0,
    typical_bp: float = 0.9,
    lean_times: float = 4.0,
) -> list[Event]:
    """Return the events of a path, a price a second from `begin` on.

    The spread is at least a tick; `depth_value` is what rests on the best level, in quote currency;
    `typical_bp` is the move at which takers lean with price; a lean of 1 adds `lean_times` a size.
    """
    tick, lot = float(instrument.tick_size), float(instrument.lot_step)
    first = seconds[0].price if seconds else 1.0
    width = max(1, round(first * spread_bp / 1e4 / tick))
    usual = max(4, round(depth_value / first / lot))
    draws = np.random.default_rng([seed, 7]).random((len(seconds), 2 * _LEVELS + 2))
    events: list[Event] = []
    before = first
    for number, (one, drawn) in enumerate(zip(seconds, draws.tolist(), strict=True)):
        at = begin + number * SECOND_NS
        bid = round(one.price / tick - width / 2.0)
        sizes = _sizes(usual, drawn[: 2 * _LEVELS], lean_times * one.lean)
        bids = tuple((grid(bid - level, tick), grid(sizes[level], lot)) for level in range(_LEVELS))
        asks = tuple(
            (grid(bid + width + level, tick), grid(sizes[_LEVELS + level], lot))
            for level in range(_LEVELS)
        )
        moved_bp = 1e4 * (one.price / before - 1.0)
        before = one.price
        events += (
            BookUpdate(ts_event=at, ts_init=at, instrument=instrument.id, bids=bids, asks=asks),
            Quote(
                ts_event=at + _QUOTE_AFTER_NS,
                ts_init=at + _QUOTE_AFTER_NS,
                instrument=instrument.id,
                bid=bids[0][0],
                ask=asks[0][0],
                bid_size=bids[0][1],
                ask_size=asks[0][1],
            ),
        )
        share = 0.5 + 0.35 * tanh(moved_bp / typical_bp) + 0.45 * one.lean
        events.append(
            _traded(
                instrument.id,
                (bids[0][0], asks[0][0]),
                at + _TRADE_AFTER_NS,
                lots=usual * 0.1 * one.volume * (0.5 + drawn[-2]),
                lot=lot,
                buying=min(0.95, max(0.05, share + 0.4 * (drawn[-1] - 0.5))),
                prints=max(1, round(_PRINTS * one.volume)),
            )
        )
    return events


def _sizes(usual: int, drawn: Sequence[float], more: float) -> list[int]:
    """Return lots of five bids, then five asks; the leaning side's best level has `more` times."""
    sizes = [max(1, round(usual * (0.5 + draw))) for draw in drawn]
    sizes[0] = max(1, round(sizes[0] * (1.0 + max(0.0, more))))
    sizes[_LEVELS] = max(1, round(sizes[_LEVELS] * (1.0 + max(0.0, -more))))
    return sizes


def _traded(
    instrument: str,
    touch: tuple[float, float],
    at: int,
    *,
    lots: float,
    lot: float,
    buying: float,
    prints: int,
) -> Trade:
    bought, sold = max(1, round(lots * buying)), max(1, round(lots * (1.0 - buying)))
    side = Side.BUY if bought >= sold else Side.SELL
    return Trade(
        ts_event=at,
        ts_init=at,
        instrument=instrument,
        price=touch[1] if side is Side.BUY else touch[0],
        quantity=grid(bought + sold, lot),
        taker_side=side,
        count=prints,
        buy_volume=grid(bought, lot),
        sell_volume=grid(sold, lot),
        largest=grid(max(1, (bought + sold) // max(2, prints)), lot),
    )
