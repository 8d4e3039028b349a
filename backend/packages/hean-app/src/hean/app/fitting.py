"""`hean-app data fit`: micro-price tables and level weights from a dataset, or from a run's counts.

Both ways count the same events by the same code: a dataset is sent through the features once, a run
has counted while it ran. Run it as often as the tables should follow the market, daily say; a run
takes new ones when it is started with them.
"""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

from hean.app.backtest import open_dataset
from hean.app.feature_counts import SourceCounts, read_counts
from hean.app.progress import Progress
from hean.app.timespan import format_instant
from hean.core.bus import Bus, Stage
from hean.core.clock import WallClock
from hean.core.errors import DataError, SettingsError
from hean.core.events import Bar, Event, InstrumentUpdated
from hean.core.features import (
    FeaturePipeline,
    FeatureTables,
    InstrumentTables,
    TouchCounts,
    encode_tables,
)
from hean.core.kernel import Kernel
from hean.core.market_view import MarketView
from hean.core.timers import Agenda

_OWNER: Final = "fit"
_PROGRESS_EVENTS: Final = 4096
_PIPE_WIDTH: Final = 140


def print_fit(
    source: Path, out: Path, *, start: str | None, end: str | None, as_json: bool
) -> None:
    """Fit tables to a dataset TOML or a run directory, write them and print what they are.

    Raises `DataError` where nothing was counted, `SettingsError` where `out` cannot be written.
    """
    tables = fit_tables(read_counts(source) if source.is_dir() else count(source, start, end))
    content = encode_tables(tables)
    try:
        out.write_bytes(content)
    except OSError as error:
        raise SettingsError(f"--out {out} cannot be written ({error.strerror})") from None
    data: dict[str, Any] = msgspec.to_builtins(tables)
    data["sha256"] = sha256(content).hexdigest()
    if as_json:
        sys.stdout.write(json.dumps(data, indent=2) + "\n")
        return
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    show_tables(tables, Console(file=sys.stdout, highlight=False, width=width))
    sys.stdout.write(f"{out} holds the tables; FEATURE_TABLES={out} uses them\n")


def count(dataset: Path, start: str | None = None, end: str | None = None) -> SourceCounts:
    """Send a dataset through the features alone and return what they counted."""
    feed = open_dataset(dataset, start, end)
    description = feed.description
    bus, agenda, view = Bus(), Agenda(), MarketView()
    kernel = Kernel(bus, agenda, pulse_from=description.ticks_from)
    pipeline = FeaturePipeline(bus=bus, agenda=agenda, view=view)
    view.attach(bus)
    pipeline.attach(bus)
    for one in description.instruments:
        # minute bars are the least that can be asked for, and make the pipeline follow
        bus.subscribe(Bar, _ignore, stage=Stage.REPORTS, owner=_OWNER, key=one.id)
    for one in description.instruments:
        first = description.first
        kernel.take(
            InstrumentUpdated(ts_event=first, ts_init=first, instrument=one.id, specification=one)
        )
    with Progress(WallClock(), description.first, description.last, "counting") as progress:
        for number, event in enumerate(feed.events()):
            kernel.take(event)
            if number % _PROGRESS_EVENTS == 0:
                progress.update(number, agenda.now)
    return SourceCounts(
        source=description.name,
        source_sha256=description.digest,
        first=description.first,
        last=agenda.now,
        instruments=pipeline.counts(),
    )


def _ignore(_: Event) -> None:
    return


def fit_tables(counts: SourceCounts) -> FeatureTables:
    """Fit every instrument whose mid was seen to move; raises `DataError` where none was."""
    digest = sha256(msgspec.json.encode(counts)).hexdigest()
    version = f"{counts.source}-{digest[:12]}"
    fitted = {
        name: _fit(version, one)
        for name, one in counts.instruments.items()
        if any(one.touches.leave)
    }
    if not fitted:
        raise DataError(f"{counts.source} has no quotes or books from which tables could be fitted")
    return FeatureTables(
        version=version,
        source=counts.source,
        source_sha256=counts.source_sha256,
        first=counts.first,
        last=counts.last,
        instruments=fitted,
    )


def _fit(version: str, counts: TouchCounts) -> InstrumentTables:
    from hean.core.features.level_weights_fit import fit_level_weights
    from hean.core.features.micro_price_fit import departures_of, fit_micro_price

    moves = 0
    for one in counts.touches.leave:
        moves += one
    departures: list[list[int]] = departures_of(counts.touches).tolist()
    weights, share = fit_level_weights(counts.levels)
    return InstrumentTables(
        tick=counts.tick,
        lot=counts.lot,
        micro_price=fit_micro_price(version, counts.touches),
        departures=tuple((row[0], row[1], row[2]) for row in departures),
        mid_moves=moves,
        level_weights=weights,
        level_share=share,
        level_seconds=counts.levels.count,
    )


def show_tables(tables: FeatureTables, console: Console) -> None:
    """Draw the tables: corrections in ticks, in brackets how often a place was left."""
    console.print(
        f"{tables.version}: {format_instant(tables.first)} to {format_instant(tables.last)}"
    )
    for name, one in tables.instruments.items():
        share = "not fitted" if one.level_share is None else f"{one.level_share:.0%} of variance"
        weights = " ".join(f"{weight / 1000:.3f}" for weight in one.level_weights)
        console.print(f"\n{name}: {one.mid_moves} moves of the mid; tick {one.tick:g}")
        console.print(f"level weights {weights} ({share}, {one.level_seconds} s with a book)")
        table = Table("bid share", "1 tick", "2 ticks", "3 or more", box=None)
        if one.micro_price is None:
            continue
        for row, (values, left) in enumerate(
            zip(one.micro_price.corrections, one.departures, strict=True)
        ):
            cells = [f"{value:+.3f} ({many})" for value, many in zip(values, left, strict=True)]
            table.add_row(f"{row / 10:.1f} to {(row + 1) / 10:.1f}", *cells)
        console.print(table)
