"""Bars built from real trades against bars of the same minutes from another download."""

from __future__ import annotations

import gzip
import os
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hean.core.features import TradeBars, WholeBar

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
