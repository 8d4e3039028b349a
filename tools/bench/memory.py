"""Memory over a year of 5-minute bars of two symbols, and its growth with the run's length.

    python tools/bench/memory.py

Runs `hean-app backtest` on made bars of three months and of twelve; one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

LIMIT_MB: Final = 400
_START_MS: Final = 1_735_689_600_000
_STEP_MS: Final = 300_000
_PER_MONTH: Final = 8_640
_SYMBOLS: Final = (("BTCUSDT", 60_000.0, "0.10", "0.001"), ("ETHUSDT", 2_500.0, "0.01", "0.01"))


def write_dataset(folder: Path, months: int) -> Path:
    """Write seeded bars and return the dataset's TOML."""
    count = months * _PER_MONTH
    series, rules = list[str](), list[dict[str, Any]]()
    for seed, (symbol, price, tick, lot) in enumerate(_SYMBOLS):
        name = f"{symbol}-PERP.BYBIT"
        _write_bars(folder / f"{symbol}.parquet", count, seed, price, float(tick))
        series.append(
            f'[[series]]\nkind = "bars"\ninstrument = "{name}"\n'
            f'interval = "5m"\npath = "{symbol}.parquet"\n'
        )
        rules.append(_rules(name, symbol, tick, lot))
    (folder / "instruments.json").write_text(json.dumps(rules))
    end = np.datetime64(_START_MS + count * _STEP_MS, "ms")
    path = folder / "memory.toml"
    path.write_text(
        'name = "memory"\nabout = "made bars"\ninstruments = "instruments.json"\n'
        f'start = "2025-01-01T00:00:00Z"\nend = "{np.datetime_as_string(end, unit="s")}Z"\n\n'
        + "\n".join(series)
    )
    return path


def _rules(name: str, symbol: str, tick: str, lot: str) -> dict[str, Any]:
    return {
        "id": name,
        "symbol": symbol,
        "kind": "linear_perpetual",
        "base": symbol.removesuffix("USDT"),
        "quote": "USDT",
        "tick_size": tick,
        "lot_step": lot,
        "min_qty": lot,
        "max_qty": "1500",
        "max_market_qty": "150",
        "min_notional": "5",
        "max_leverage": "100",
        "funding_interval_minutes": 480,
        "maker_fee": "0.0002",
        "taker_fee": "0.00055",
        "source": "made for the memory benchmark",
    }


def _write_bars(path: Path, count: int, seed: int, price: float, tick: float) -> None:
    generator = np.random.default_rng(seed)
    steps = generator.normal(0.0, 0.0015, count)
    closes = np.round(price * np.exp(np.cumsum(steps - 0.0015**2 / 2)) / tick) * tick
    opens = np.concatenate([[price], closes[:-1]])
    reach = np.abs(generator.normal(0.0, 0.0007, (2, count)))
    highs = np.ceil(np.maximum(opens, closes) * (1 + reach[0]) / tick) * tick
    lows = np.floor(np.minimum(opens, closes) * (1 - reach[1]) / tick) * tick
    times = _START_MS + np.arange(count, dtype=np.int64) * _STEP_MS
    columns = {
        "ts_ms": times,
        "open": opens,
        "high": highs,
        "low": lows,
        "close": closes,
        "volume": generator.uniform(10.0, 1000.0, count),
    }
    arrow: Any = import_module("pyarrow")  # it ships no types
    import_module("pyarrow.parquet").write_table(arrow.table(columns), path)


def peak_mb(months: int) -> tuple[float, int]:
    """Return the peak memory of a backtest of so many months, and its events."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
        dataset = write_dataset(Path(folder), months)
        process = subprocess.Popen(
            [sys.executable, "-m", "hean.app", "backtest", str(dataset), "--json"],
            stdout=output,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"the backtest of {months} months ended with {process.returncode}")
        output.seek(0)
        return usage.ru_maxrss / 1024, json.loads(output.read())["events_in"]


def main() -> None:
    """Print the row; end with status 1 above the limit."""
    short, few = peak_mb(3)
    long, many = peak_mb(12)
    row = {
        "work": "memory",
        "events": many,
        "rss_mb": round(long),
        "rss_mb_of_three_months": round(short),
        "growth_bytes_per_event": round((long - short) * 2**20 / (many - few)),
        "limit_mb": LIMIT_MB,
        "agrees": long < LIMIT_MB,
        "python": sys.version.split()[0],
    }
    print(json.dumps(row))
    if long >= LIMIT_MB:
        sys.exit(f"{long:.0f} MB is above {LIMIT_MB} MB")


if __name__ == "__main__":
    main()
