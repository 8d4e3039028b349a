"""Curves of a run, read from its tables and thinned to what a screen can show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import msgspec

from hean.core.errors import DataError

POINTS: Final = 1500
_EMPTY: Final = 1e-12

Row = dict[str, Any]


class Curve(msgspec.Struct, frozen=True):
    """A named curve: kernel times in ns, rising, and a value at each."""

    name: str
    times: list[int]
    values: list[float]

    @property
    def last(self) -> float:
        return self.values[-1] if self.values else 0.0


class Stack(msgspec.Struct, frozen=True):
    """Shares that are piled up: for each name a value at each time, held until the next."""

    names: list[str]
    times: list[int]
    shares: list[list[float]]


def rows_of(directory: Path, table: str, columns: Sequence[str]) -> Iterator[Row]:
    """Yield rows of a table in order, in bounded memory; raises `DataError` when it is missing."""
    path = directory / f"{table}.parquet"
    if not path.is_file():
        raise DataError(f"{path} is missing; a run directory holds it")
    parquet: Any = import_module("pyarrow.parquet")  # it ships no types
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=list(columns)):
            yield from batch.to_pylist()


def thin(curve: Curve, points: int = POINTS) -> Curve:
    """Return at most about `points` points that keep each stretch's lowest and highest value."""
    count = len(curve.times)
    if count <= points:
        return curve
    stretch = 2 * count / (points - 2)
    times, values = [curve.times[0]], [curve.values[0]]
    start = 1
    place = 1
    while start < count - 1:
        end = min(count - 1, max(start + 1, round(1 + place * stretch)))
        place += 1
        low = min(range(start, end), key=curve.values.__getitem__)
        high = max(range(start, end), key=curve.values.__getitem__)
        for index in sorted({low, high}):
            times.append(curve.times[index])
            values.append(curve.values[index])
        start = end
    times.append(curve.times[-1])
    values.append(curve.values[-1])
    return Curve(curve.name, times, values)


def equity_curves(directory: Path) -> tuple[Curve, Curve, Curve]:
    """Return equity, wallet and drawdown (a fraction, 0 or below) over time, thinned."""
    times: list[int] = []
    columns: tuple[list[float], list[float], list[float]] = ([], [], [])
    for row in rows_of(directory, "equity", ("ts_ns", "equity", "wallet", "drawdown")):
        times.append(row["ts_ns"])
        for values, value in zip(
            columns, (row["equity"], row["wallet"], -row["drawdown"]), strict=True
        ):
            values.append(float(value))
    equity, wallet, drawdown = columns
    return (
        thin(Curve("equity", times, equity)),
        thin(Curve("wallet", times, wallet)),
        thin(Curve("drawdown", times, drawdown)),
    )


def capital_stack(directory: Path, points: int = POINTS // 2) -> Stack:
    """Return the weights of each allocation, as fractions of equity, thinned evenly."""
    times: list[int] = []
    tables: list[dict[str, float]] = []
    names: dict[str, float] = {}
    version: int | None = None
    for row in rows_of(directory, "allocations", ("ts_ns", "version", "strategy", "weight")):
        if row["version"] != version or row["ts_ns"] != times[-1]:
            version = row["version"]
            times.append(row["ts_ns"])
            tables.append({})
        tables[-1][row["strategy"]] = row["weight"]
        names[row["strategy"]] = max(names.get(row["strategy"], 0.0), row["weight"])
    kept = [name for name, largest in names.items() if largest > _EMPTY]
    chosen = _spread(len(times), points)
    return Stack(
        kept,
        [times[index] for index in chosen],
        [[tables[index].get(name, 0.0) for index in chosen] for name in kept],
    )


def _spread(count: int, points: int) -> list[int]:
    if count <= points:
        return list(range(count))
    return sorted({round(place * (count - 1) / (points - 1)) for place in range(points)})
