"""Curves of a run, read from its tables and thinned to what a screen can show."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import msgspec

from hean.core.errors import DataError

POINTS: Final = 2000
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
    """Return at most about `points` points that draw alike on a screen.

    Of each stretch of time the first, lowest, highest and last value stay (Jugel et al. 2014, M4).
    """
    count = len(curve.times)
    if count <= points:
        return curve
    first, span = curve.times[0], max(1, curve.times[-1] - curve.times[0])
    stretches = max(1, points // 4)
    kept: list[int] = []
    start = 0
    while start < count:
        stretch = min(stretches - 1, (curve.times[start] - first) * stretches // span)
        end = start + 1
        if stretch == stretches - 1:
            end = count
        else:
            edge = first + -(-span * (stretch + 1) // stretches)
            end = max(end, bisect_left(curve.times, edge, start))
        inside = range(start, end)
        low = min(inside, key=curve.values.__getitem__)
        high = max(inside, key=curve.values.__getitem__)
        kept.extend(sorted({start, low, high, end - 1}))
        start = end
    return Curve(curve.name, [curve.times[at] for at in kept], [curve.values[at] for at in kept])


def since(curve: Curve, first_ns: int) -> Curve:
    """Return the curve from a time on; the value in force then comes first."""
    place = bisect_right(curve.times, first_ns)
    if place == 0:
        return curve
    return Curve(
        curve.name,
        [first_ns, *curve.times[place:]],
        [curve.values[place - 1], *curve.values[place:]],
    )


def equity_curves(directory: Path, first_ns: int = 0) -> tuple[Curve, Curve, Curve]:
    """Return equity, wallet and drawdown (a fraction, 0 or below) from a time on, thinned."""
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
        thin(since(Curve("equity", times, equity), first_ns)),
        thin(since(Curve("wallet", times, wallet), first_ns)),
        thin(since(Curve("drawdown", times, drawdown), first_ns)),
    )


def capital_stack(directory: Path, first_ns: int = 0, points: int = POINTS // 2) -> Stack:
    """Return the weights of each allocation from a time on, of equity, thinned evenly."""
    times: list[int] = []
    tables: list[dict[str, float]] = []
    names: dict[str, float] = {}
    version: tuple[int, int] | None = None
    for row in rows_of(directory, "allocations", ("ts_ns", "version", "strategy", "weight")):
        key = (row["version"], row["ts_ns"])
        if key != version:
            version = key
            if row["ts_ns"] <= first_ns:
                times.clear()
                tables.clear()
                names.clear()
            times.append(row["ts_ns"])
            tables.append({})
        tables[-1][row["strategy"]] = row["weight"]
        names[row["strategy"]] = max(names.get(row["strategy"], 0.0), row["weight"])
    kept = [name for name, largest in names.items() if largest > _EMPTY]
    if times:
        times[0] = max(times[0], first_ns)
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
