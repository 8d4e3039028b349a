"""Parquet columns in checked batches: the one place of the feeds that knows pyarrow.

A batch that passes has the wanted columns, no null, no NaN or infinity, prices above zero, high and
low around open and close, and times that never go back; what does not is a `DataError` that names
file, row, column, value and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from hean.app.replay.instants import instant_text
from hean.core.errors import DataError

BATCH_ROWS = 2048
_MS = 1_000_000
_Arrow: TypeAlias = Any
"""Something of pyarrow, which ships no types."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a kind of file: time first, then floats, the first `prices` of them prices.

    With `ohlc` the floats begin with open, high, low, close. `step_ms` is the least distance in
    time of two rows (0: times only must rise).
    """

    floats: tuple[str, ...]
    prices: int = 0
    ohlc: bool = False
    step_ms: int = 0


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a series of files: how many, and the first and last time in ns."""

    rows: int
    first: int
    last: int


def extent(paths: Sequence[Path], layout: Layout) -> Extent:
    """Check the files' columns and return their extent, cheaply; raises `DataError`."""
    rows, first, last = 0, 0, 0
    for path in paths:
        file = _open(path, layout)
        count = int(file.metadata.num_rows)
        if count == 0:
            raise DataError(f"{path} has no rows, so its range is empty; take it out or replace it")
        low, high = _time_range(file, path)
        if rows and low <= last:
            raise DataError(
                f"{path}: ts_ms begins at {instant_text(low * _MS)}, before {paths[0]} and the "
                f"files after it end ({instant_text(last * _MS)}); put the files in time order"
            )
        first = low if rows == 0 else first
        last = high
        rows += count
    return Extent(rows=rows, first=first * _MS, last=last * _MS)


def read_columns(
    paths: Sequence[Path], layout: Layout, *, first_ms: int, last_ms: int
) -> Iterator[list[list[Any]]]:
    """Yield checked batches of columns (times in ms, then the floats) with times in the range.

    All rows are checked, also those left out before the range; reading stops behind it.
    """
    previous: int | None = None
    for path in paths:
        file = _open(path, layout)
        row = 0
        names = ["ts_ms", *layout.floats]
        for batch in file.iter_batches(BATCH_ROWS, columns=names, use_threads=False):
            if batch.num_rows == 0:
                continue
            columns = _checked(batch, layout, path, row)
            times: list[int] = columns[0].to_pylist()
            _check_times(times, previous, layout, path, row)
            previous = times[-1]
            row += len(times)
            if times[0] > last_ms:
                return
            if times[-1] < first_ms:
                continue
            values = [times, *(column.to_pylist() for column in columns[1:])]
            yield _clip(values, first_ms, last_ms)


def _clip(values: list[list[Any]], first_ms: int, last_ms: int) -> list[list[Any]]:
    times = values[0]
    if times[0] >= first_ms and times[-1] <= last_ms:
        return values
    keep = [place for place, time in enumerate(times) if first_ms <= time <= last_ms]
    if not keep:
        return [[] for _ in values]
    return [column[keep[0] : keep[-1] + 1] for column in values]


def _open(path: Path, layout: Layout) -> _Arrow:
    arrow: _Arrow = import_module("pyarrow")
    parquet: _Arrow = import_module("pyarrow.parquet")
    try:
        file = parquet.ParquetFile(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); fetch the file again") from error
    except arrow.ArrowInvalid as error:
        raise DataError(f"{path} is no parquet file ({error}); fetch the file again") from error
    schema = file.schema_arrow
    for name in ("ts_ms", *layout.floats):
        if name not in schema.names:
            raise DataError(
                f"{path}: column {name!r} is missing (it has {', '.join(schema.names)}); "
                f"rename or add it, wanted are ts_ms, {', '.join(layout.floats)}"
            )
        kind = schema.field(name).type
        whole = arrow.types.is_integer(kind)
        if not whole and (name == "ts_ms" or not arrow.types.is_floating(kind)):
            wanted = "int64" if name == "ts_ms" else "float64"
            raise DataError(f"{path}: column {name!r} is {kind}; convert it to {wanted}")
    return file


def _time_range(file: _Arrow, path: Path) -> tuple[int, int]:
    """First and last `ts_ms`, from the statistics where the file has them."""
    metadata = file.metadata
    column = file.schema_arrow.names.index("ts_ms")
    lows: list[int] = []
    highs: list[int] = []
    for group in range(metadata.num_row_groups):
        found = metadata.row_group(group).column(column)
        if found.path_in_schema != "ts_ms" or not found.is_stats_set:
            break
        if not found.statistics.has_min_max:
            break
        lows.append(int(found.statistics.min))
        highs.append(int(found.statistics.max))
    if len(lows) == metadata.num_row_groups:
        return min(lows), max(highs)
    times: list[int | None] = file.read(columns=["ts_ms"]).column(0).to_pylist()
    known = [time for time in times if time is not None]
    if not known:
        raise DataError(f"{path}: column 'ts_ms' has only nulls; replace the file")
    return min(known), max(known)


def _checked(batch: _Arrow, layout: Layout, path: Path, row: int) -> list[Any]:
    """Return the batch's columns as int64 and float64, or say what is wrong with them."""
    arrow: _Arrow = import_module("pyarrow")
    compute: _Arrow = import_module("pyarrow.compute")
    times = batch.column(0)
    if times.null_count:
        raise DataError(f"{path}: ts_ms is null between row {row} and {row + len(times) - 1}")
    found = [times]
    for place, name in enumerate(layout.floats):
        column = batch.column(place + 1)
        if column.type != arrow.float64():
            column = column.cast(arrow.float64())
        finite = compute.all(compute.is_finite(column), min_count=0).as_py()
        low = compute.min(column).as_py()
        if column.null_count or not finite:
            _refuse_value(column, name, times, path, row)
        if place < layout.prices and low <= 0.0:
            _refuse_price(column, name, times, path, row)
        if name == "volume" and low < 0.0:
            raise DataError(f"{path}: volume {low} after row {row} is below 0; repair that row")
        found.append(column)
    if layout.ohlc:
        _check_ohlc(compute, found, path, row)
    return found


def _check_ohlc(compute: _Arrow, columns: list[Any], path: Path, row: int) -> None:
    opened, high, low, closed = columns[1:5]
    top = compute.max_element_wise(opened, closed, low)
    bottom = compute.min_element_wise(opened, closed)
    bad = compute.or_(compute.less(high, top), compute.greater(low, bottom))
    if not compute.any(bad).as_py():
        return
    place = bad.to_pylist().index(True)
    one = [column[place].as_py() for column in columns[:5]]
    said = (
        f"high {one[2]} is below low {one[3]}"
        if one[2] < one[3]
        else f"open {one[1]} and close {one[4]} do not lie between low {one[3]} and high {one[2]}"
    )
    raise DataError(
        f"{path}, row {row + place} ({instant_text(one[0] * _MS)}): {said}; correct that bar"
    )


def _refuse_value(column: _Arrow, name: str, times: _Arrow, path: Path, row: int) -> None:
    for place, value in enumerate(column.to_pylist()):
        if value is None or value - value != 0.0:
            shown = "null" if value is None else "NaN" if value != value else value
            raise DataError(
                f"{path}, row {row + place} ({instant_text(times[place].as_py() * _MS)}): "
                f"{name} is {shown}; remove or repair that row"
            )


def _refuse_price(column: _Arrow, name: str, times: _Arrow, path: Path, row: int) -> None:
    for place, value in enumerate(column.to_pylist()):
        if value <= 0.0:
            raise DataError(
                f"{path}, row {row + place} ({instant_text(times[place].as_py() * _MS)}): "
                f"{name} is {value}; a price must be above 0, remove or repair that row"
            )


def _check_times(
    times: list[int], previous: int | None, layout: Layout, path: Path, row: int
) -> None:
    least = max(layout.step_ms, 1)
    before = previous
    for place, time in enumerate(times):
        if before is not None and time - before < least:
            said = "goes backwards or stands still" if time <= before else "comes too soon"
            raise DataError(
                f"{path}, row {row + place}: ts_ms {said} "
                f"({instant_text(time * _MS)} after {instant_text(before * _MS)}); "
                f"sort the rows, drop doubles or correct the interval"
            )
        before = time
