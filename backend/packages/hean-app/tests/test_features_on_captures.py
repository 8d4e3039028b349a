"""Features on real captures: bars against published ones, live frames against their batch form."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from hean.core.bus import Bus, Stage
from hean.core.events import Frame, Quote, Side, Trade
from hean.core.features import FeaturePipeline, TradeBars, WholeBar
from hean.core.features.columns import Integers
from hean.core.features.frame_batch import QuoteColumns, TradeColumns, frames_batch
from hean.core.kernel import Kernel
from hean.core.market_view import MarketView
from hean.core.testing import BTC, btc_perpetual, instrument_updated
from hean.core.timers import Agenda

MINUTE_MS = 60_000
FIRST = 1_723_161_300_000
"""2024-08-08 23:55 UTC in ms; five whole minutes follow."""
TICK = Decimal("0.01")
LOT = Decimal("0.00001")


class _Trade(msgspec.Struct):
    p: str
    q: str
    time: int = msgspec.field(name="T", default=0)
    is_sell: bool = msgspec.field(name="m", default=False)


class _Line(msgspec.Struct):
    data: _Trade


def data_folder() -> Path:
    """Return the folder of market data; skips where there is none."""
    beside = Path(__file__).resolve().parents[4].parent / "shared" / "data"
    found = Path(os.environ.get("HEAN_DATA", beside))
    if not (found / "nkaz001_hftbacktest").is_dir():
        pytest.skip(f"no market data at {found}")
    return found


def bars_from_trades(capture: Path) -> list[WholeBar]:
    """Return the one-minute bars of a raw capture, in ticks and lots."""
    bars, found = TradeBars(MINUTE_MS * 1_000_000), list[WholeBar]()
    decoder = msgspec.json.Decoder(_Line)
    with gzip.open(capture) as lines:
        for line in lines:
            if b'"e":"trade"' not in line:
                continue
            trade = decoder.decode(line.partition(b" ")[2]).data
            closed = bars.add(
                trade.time * 1_000_000,
                int(Decimal(trade.p) / TICK),
                int(Decimal(trade.q) / LOT),
                is_buy=not trade.is_sell,
            )
            if closed is not None:
                found.append(closed)
    return found


def test_trades_rebuild_the_exchange_bars_exactly() -> None:
    """Five whole minutes of trades give the published open, high, low, close and volume exactly."""
    folder = data_folder()
    built = {
        one.start * MINUTE_MS: one
        for one in bars_from_trades(
            folder / "nkaz001_hftbacktest" / "binance_spot_btcusdt_20240808.gz"
        )
    }
    parquet: Any = import_module("pyarrow.parquet")
    table = parquet.read_table(
        folder / "mintanam_ftrade" / "binance_spot_BTCUSDT_1m.parquet",
        filters=[("ts_ms", ">=", FIRST), ("ts_ms", "<", FIRST + 5 * MINUTE_MS)],
    )
    published: list[dict[str, Any]] = table.to_pylist()
    assert [row["ts_ms"] for row in published] == [FIRST + MINUTE_MS * place for place in range(5)]
    for row in published:
        bar = built[row["ts_ms"]]
        prices = [Decimal(repr(row[name])) / TICK for name in ("open", "high", "low", "close")]
        assert prices == [bar.open, bar.high, bar.low, bar.close]
        assert Decimal(repr(row["volume"])) / LOT == bar.lots


class _Message(msgspec.Struct):
    stream: str
    data: dict[str, Any]


def events_of(capture: Path) -> list[Quote | Trade]:
    """Return the quotes and trades of a raw futures capture, by local receive time."""
    decoder, found = msgspec.json.Decoder(_Message), list[Quote | Trade]()
    with gzip.open(capture) as lines:
        for line in lines:
            if b"@bookTicker" not in line and b"@trade" not in line:
                continue
            local, _, text = line.partition(b" ")
            data, at = decoder.decode(text).data, int(local)
            if data["e"] == "bookTicker":
                found.append(
                    Quote(
                        ts_event=at,
                        ts_init=at,
                        instrument=BTC,
                        bid=float(data["b"]),
                        ask=float(data["a"]),
                        bid_size=float(data["B"]),
                        ask_size=float(data["A"]),
                    )
                )
            else:
                found.append(
                    Trade(
                        ts_event=at,
                        ts_init=at,
                        instrument=BTC,
                        price=float(data["p"]),
                        quantity=float(data["q"]),
                        taker_side=Side.SELL if data["m"] else Side.BUY,
                    )
                )
    found.sort(key=lambda event: event.ts_init)
    first = next(at for at, event in enumerate(found) if isinstance(event, Quote))
    return found[first:]


def counts(values: list[float], unit: float) -> Integers:
    """Return whole numbers of ticks or lots."""
    return np.rint(np.array(values) / unit).astype(np.int64)


def times(events: Sequence[Quote | Trade]) -> Integers:
    """Return when the events were received."""
    return np.array([event.ts_init for event in events], dtype=np.int64)


def test_live_frames_equal_the_batch_form_on_a_real_session() -> None:
    """Five minutes of a real perpetual give the same rows live and as columns, bit for bit."""
    capture = data_folder() / "nkaz001_hftbacktest" / "binance_usdm_btcusdt_20240719.gz"
    events = events_of(capture)
    start = events[0].ts_init // 1_000_000_000 * 1_000_000_000
    bus, agenda, view, frames = Bus(), Agenda(), MarketView(), list[Frame]()
    kernel = Kernel(bus, agenda, pulse_from=start)
    view.attach(bus)
    FeaturePipeline(bus=bus, agenda=agenda, view=view).attach(bus)
    bus.subscribe(Frame, frames.append, stage=Stage.STRATEGIES, owner="test", key=BTC)
    kernel.take(instrument_updated(btc_perpetual(), at=start))
    for event in events:
        kernel.take(event)
    quotes = [event for event in events if isinstance(event, Quote)]
    trades = [event for event in events if isinstance(event, Trade)]
    batch = frames_batch(
        QuoteColumns(
            times(quotes),
            counts([one.bid for one in quotes], 0.1),
            counts([one.ask for one in quotes], 0.1),
            counts([one.bid_size for one in quotes], 0.001),
            counts([one.ask_size for one in quotes], 0.001),
        ),
        TradeColumns(
            times(trades),
            counts([one.price for one in trades], 0.1),
            counts([one.quantity for one in trades], 0.001),
            np.array([one.taker_side is Side.BUY for one in trades], dtype=np.int64),
        ),
    )
    del batch["top_lots"]
    assert len(frames) > 250
    for name, column in batch.items():
        assert np.array_equal(column, [getattr(frame, name) for frame in frames]), name
