"""What tests and users' own trials share: datasets of the simulated market, and runs in process.

Nothing real is needed: the files have the same shapes as recorded ones.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from hean.app.evidence import bring_evidence
from hean.app.feature_tables import load_tables
from hean.app.feeds.replay import DatasetFeed
from hean.app.feeds.sim import COINS, START_NS, SimFeed
from hean.app.reports.summary import summarise, write_run
from hean.app.session import Session
from hean.app.settings import AppSettings
from hean.config import load
from hean.core.events import Bar, Event, FundingRate, SentimentReading
from hean.core.instruments import Instrument
from hean.core.journal import SqliteJournal
from hean.core.synthetic.market import DAY_NS, MINUTE_NS, SimulatedMarket
from hean.main import TradingSystem

# pyarrow ships no types: one Any here instead of one unknown a line
pa: Any = import_module("pyarrow")
pq: Any = import_module("pyarrow.parquet")

_MILLISECOND = 1_000_000
_COLUMNS = ("ts_ms", "open", "high", "low", "close", "volume")


def write_instruments(path: Path, instruments: list[Instrument]) -> None:
    """Write an instruments file as datasets refer to it."""
    rows = [
        {
            "id": one.id,
            "symbol": one.symbol,
            "kind": one.kind.value,
            "base": one.base,
            "quote": one.quote,
            "tick_size": str(one.tick_size),
            "lot_step": str(one.lot_step),
            "min_qty": str(one.min_quantity),
            "max_qty": str(one.max_quantity),
            "max_market_qty": str(one.max_market_quantity),
            "min_notional": str(one.min_notional),
            "max_leverage": str(one.max_leverage),
            "funding_interval_minutes": one.funding_interval_ns // MINUTE_NS or None,
            "maker_fee": str(one.maker_fee),
            "taker_fee": str(one.taker_fee),
            "source": "simulated market",
        }
        for one in instruments
    ]
    path.write_text(json.dumps(rows, indent=1))


def make_bar_dataset(
    directory: Path,
    *,
    days: int = 10,
    minutes: int = 5,
    seed: int = 0,
    coins: int = 2,
    spot: bool = False,
    funding: bool = True,
) -> Path:
    """Write bars, funding and sentiment of the simulated market; return the dataset's TOML."""
    chosen = COINS[:coins]
    market = SimulatedMarket(chosen, seed)
    instruments = [coin.perpetual for coin in chosen]
    if spot:
        instruments += [coin.spot for coin in chosen if coin.spot is not None]
    bars: dict[str, list[list[float]]] = {one.id: [] for one in instruments}
    rates: dict[str, list[tuple[int, float]]] = {one.id: [] for one in instruments}
    moods: list[tuple[int, float]] = []
    for minute in range(days * 1440):
        at = START_NS - START_NS % DAY_NS + minute * MINUTE_NS
        for event in market.minute(at):
            match event:
                case Bar(instrument=name) if name in bars:
                    _add_bar(bars[name], event, minutes)
                case FundingRate(instrument=name, settled=True) if name in rates:
                    rates[name].append((event.ts_event // _MILLISECOND, event.rate))
                case SentimentReading(source="fear_greed", value=float() as value):
                    moods.append((event.ts_event // _MILLISECOND, value))
                case _:
                    pass
    write_instruments(directory / "instruments.json", instruments)
    lines = ['name = "simulated"', 'about = "the simulated market as bars"']
    lines.append('instruments = "instruments.json"')
    for name, rows in bars.items():
        lines += _series(directory, "bars", name, rows, _COLUMNS, f'interval = "{minutes}m"')
    for name, pairs in rates.items():
        if pairs and funding:
            lines += _series(directory, "funding", name, pairs, ("ts_ms", "funding_rate"))
    if moods:
        lines += _series(directory, "sentiment", "", moods, ("ts_ms", "value"))
    target = directory / "dataset.toml"
    target.write_text("\n".join(lines) + "\n")
    return target


def _add_bar(rows: list[list[float]], bar: Bar, minutes: int) -> None:
    opened = bar.open_time - bar.open_time % (minutes * MINUTE_NS)
    if rows and rows[-1][0] == opened // _MILLISECOND:
        row = rows[-1]
        row[2], row[3] = max(row[2], bar.high), min(row[3], bar.low)
        row[4], row[5] = bar.close, row[5] + bar.volume
    else:
        rows.append([opened // _MILLISECOND, bar.open, bar.high, bar.low, bar.close, bar.volume])


def _series(
    directory: Path,
    kind: str,
    instrument: str,
    rows: list[list[float]] | list[tuple[int, float]],
    columns: tuple[str, ...],
    *more: str,
) -> list[str]:
    file = f"{kind}-{instrument or 'fear_greed'}.parquet"
    table = pa.table({name: [row[place] for row in rows] for place, name in enumerate(columns)})
    pq.write_table(table, directory / file, compression="zstd")
    owner = f'instrument = "{instrument}"' if instrument else 'source = "fear_greed"'
    return ["", "[[series]]", f'kind = "{kind}"', owner, *more, f'path = "{file}"']


def read_columns(path: Path) -> dict[str, list[Any]]:
    """Return the columns of a series' parquet file, to be changed and written back."""
    return pq.read_table(path).to_pydict()


def write_columns(path: Path, columns: dict[str, list[Any]]) -> None:
    """Write a series' parquet file anew."""
    pq.write_table(pa.table(columns), path)


@dataclass(frozen=True)
class FinishedRun:
    """A run directory and what its summary says."""

    directory: Path
    summary: dict[str, Any]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of `<table>.parquet`."""
        return pq.read_table(self.directory / f"{table}.parquet").to_pylist()

    def events(self, *types: str) -> list[Event]:
        """Return the journaled events of these types (all without any), in order."""
        journal = SqliteJournal(self.directory / "journal.db")
        try:
            return [record.event() for record in journal.records(types)]
        finally:
            journal.close()


def settings_with(**values: str) -> AppSettings:
    """Return settings made of the defaults and these values alone, by their outside names."""
    return load(AppSettings, arguments=values, environ={}).settings


def open_dataset(
    dataset: Path,
    directory: Path,
    settings: AppSettings,
    *,
    watch: Callable[[TradingSystem], None] | None = None,
) -> Session:
    """Return the opened session of a backtest whose journal is `directory/journal.db`.

    `watch` is called with the system before its first event.
    """
    feed = DatasetFeed(dataset)
    journal = SqliteJournal(directory / "journal.db", durable=False)
    system = TradingSystem(
        settings=settings,
        description=feed.description,
        journal=journal,
        tables=load_tables(settings.feature_tables),
    )
    bring_evidence(system, journal)
    if watch is not None:
        watch(system)
    session = Session(system, feed, journal)
    session.open(session.facts(dataset=str(dataset), start="", end=""))
    return session


def open_simulation(
    directory: Path,
    settings: AppSettings,
    *,
    watch: Callable[[TradingSystem], None] | None = None,
) -> Session:
    """Return the opened session of a paper run on `sim`, fresh or resumed."""
    feed = SimFeed(seed=settings.random_seed, section=settings.sim)
    journal = SqliteJournal(directory / "journal.db", durable=False)
    system = TradingSystem(
        settings=settings,
        description=feed.description,
        journal=journal,
        mode="paper",
        tables=load_tables(settings.feature_tables),
    )
    bring_evidence(system, journal)
    if watch is not None:
        watch(system)
    session = Session(system, feed, journal)
    session.open(session.facts())
    return session


def finish_run(session: Session, until_ns: int | None = None) -> FinishedRun:
    """Take all events (up to `until_ns`), end the run, write its directory and close it."""
    session.pull(sys.maxsize, 1 << 62 if until_ns is None else until_ns)
    if until_ns is None:
        session.finish("end of data")
    session.checkpoint()
    directory = session.journal.path.parent
    summary = summarise(session, wall_seconds=1.0, peak_rss_mb=0.0)
    write_run(session, directory, summary, html=False)
    session.journal.close()
    return FinishedRun(directory, summary)
