"""Datasets written into a folder, for the tests of what reads them."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import zstandard

MINUTE_MS = 60_000
MINUTE = 60_000_000_000
BEGIN_MS = 1_735_689_600_000
"""2025-01-01T00:00:00Z"""
BEGIN = BEGIN_MS * 1_000_000
PERPETUAL = "BTCUSDT-PERP.BYBIT"
SPOT = "BTCUSDT-SPOT.BYBIT"


def specification(name: str, **changes: object) -> dict[str, object]:
    """Return one row of an instruments file."""
    symbol, _, kind = name.partition(".")[0].partition("-")
    row: dict[str, object] = {
        "id": name,
        "symbol": symbol,
        "kind": "spot" if kind == "SPOT" else "linear_perpetual",
        "base": symbol.removesuffix("USDT"),
        "quote": "USDT",
        "tick_size": "0.1",
        "lot_step": "0.001",
        "min_qty": "0.001",
        "max_qty": "1000",
        "max_market_qty": "100",
        "min_notional": "5",
        "max_leverage": "100",
        "funding_interval_minutes": None if kind == "SPOT" else 480,
        "maker_fee": "0.0002",
        "taker_fee": "0.00055",
        "source": "test",
    }
    return row | changes


def write_parquet(path: Path, columns: Mapping[str, Sequence[object]]) -> Path:
    """Write columns as a parquet file."""
    arrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    parquet.write_table(arrow.table(dict(columns)), path)
    return path


def bar_columns(
    closes: Sequence[float], *, begin_ms: int = BEGIN_MS, step_ms: int = MINUTE_MS
) -> dict[str, list[Any]]:
    """Return bars that open at the close before (the first at its own) and trade 1 a bar."""
    opens = [closes[0], *closes[:-1]]
    pairs = list(zip(opens, closes, strict=True))
    return {
        "ts_ms": [begin_ms + place * step_ms for place in range(len(closes))],
        "open": opens,
        "high": [max(pair) + 1.0 for pair in pairs],
        "low": [min(pair) - 1.0 for pair in pairs],
        "close": list(closes),
        "volume": [1.0] * len(closes),
    }


def series(
    kind: str, path: str, *, instrument: str = "", interval: str = "", source: str = ""
) -> str:
    """Return one [[series]] table."""
    lines = ["[[series]]", f'kind = "{kind}"', f'path = "{path}"']
    given = {"instrument": instrument, "interval": interval, "source": source}
    lines += [f'{key} = "{value}"' for key, value in given.items() if value]
    return "\n".join(lines) + "\n"


def write_dataset(
    folder: Path,
    *tables: str,
    head: str = "",
    instruments: Sequence[Mapping[str, object]] | None = None,
) -> Path:
    """Write a dataset TOML of these tables and its instruments file."""
    rows = [specification(PERPETUAL), specification(SPOT)] if instruments is None else instruments
    (folder / "instruments.json").write_text(json.dumps(rows))
    path = folder / "dataset.toml"
    top = f'name = "made"\nabout = "made up"\ninstruments = "instruments.json"\n{head}\n'
    path.write_text(top + "\n".join(tables))
    return path


def write_gzip(path: Path, lines: Sequence[str]) -> Path:
    """Write lines as a gzip file."""
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    return path


def write_zstd(path: Path, lines: Sequence[str]) -> Path:
    """Write lines as a zstd file."""
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(zstandard.ZstdCompressor().compress(data))
    return path


def real_data() -> Path:
    """Return the folder of real market data, or skip the test."""
    beside = [parent / "shared" / "data" for parent in Path(__file__).resolve().parents]
    given = os.environ.get("HEAN_DATA")
    for folder in [Path(given)] if given else beside:
        if (folder / "datasets").is_dir():
            return folder
    pytest.skip("no real market data here: set HEAN_DATA to its folder")
