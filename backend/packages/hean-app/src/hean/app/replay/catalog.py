"""The dataset TOML: which files belong together, what they hold, and of which instruments."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import msgspec

from hean.app.replay.instants import instant_text, parse_instant
from hean.app.replay.instruments_file import find_instrument, nearest, read_instruments
from hean.core.errors import DataError
from hean.core.instruments import Instrument

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_INTERVAL = re.compile(r"([1-9]\d*)([smhd])")
_DATASET_KEYS = ("name", "about", "instruments", "start", "end", "series")


class SeriesKind(StrEnum):
    """What a series holds, and so how its files are read."""

    BARS = "bars"
    MARK_BARS = "mark_bars"
    FUNDING = "funding"
    SENTIMENT = "sentiment"
    RAW_BINANCE = "raw_binance"
    RAW_BYBIT_V5 = "raw_bybit_v5"

    @property
    def is_raw(self) -> bool:
        return self in (SeriesKind.RAW_BINANCE, SeriesKind.RAW_BYBIT_V5)

    @property
    def is_market(self) -> bool:
        """Whether the series moves prices, so that its range is the dataset's."""
        return self.is_raw or self is SeriesKind.BARS


_KEYS: dict[SeriesKind, tuple[str, ...]] = {
    SeriesKind.BARS: ("kind", "instrument", "interval", "path"),
    SeriesKind.MARK_BARS: ("kind", "instrument", "interval", "path"),
    SeriesKind.FUNDING: ("kind", "instrument", "path"),
    SeriesKind.SENTIMENT: ("kind", "source", "path"),
    SeriesKind.RAW_BINANCE: ("kind", "instrument", "path"),
    SeriesKind.RAW_BYBIT_V5: ("kind", "instrument", "path"),
}


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One series, its files joined in the order the dataset names them.

    `order` is its place in the dataset, which settles ties. `instruments` is empty for sentiment,
    `interval_ns` 0 where bars are not meant, `source` empty but for sentiment.
    """

    kind: SeriesKind
    order: int
    paths: tuple[Path, ...]
    instruments: tuple[Instrument, ...] = ()
    interval_ns: int = 0
    source: str = ""

    @property
    def instrument(self) -> Instrument:
        return self.instruments[0]

    @property
    def label(self) -> str:
        """The series as a person would name it."""
        return f"{self.kind} of {' '.join(one.id for one in self.instruments) or self.source}"


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """What a dataset TOML says. `start` and `end` are ns UTC, None where it leaves them open."""

    path: Path
    name: str
    about: str
    instruments: tuple[Instrument, ...]
    series: tuple[Series, ...]
    start: int | None = None
    end: int | None = None

    def series_of(self, kind: SeriesKind, instrument: str = "") -> Series | None:
        """Return the series of a kind, of one instrument if named, or None."""
        for series in self.series:
            names = [one.id for one in series.instruments]
            if series.kind is kind and (not instrument or instrument in names):
                return series
        return None


def read_dataset(path: Path) -> Dataset:
    """Read a dataset TOML and the specifications of its instruments; raises `DataError`.

    Its data files must exist; what they hold is looked at when the feed is opened.
    """
    content = _read_toml(path)
    _check_keys(content, _DATASET_KEYS, str(path))
    known = read_instruments(path.parent / _text(content, "instruments", str(path)))
    tables = content.get("series")
    if not isinstance(tables, list) or not tables:
        raise DataError(f"dataset {path} has no [[series]]; add one table for each file")
    series: list[Series] = []
    for number, table in enumerate(cast("list[object]", tables), start=1):
        where = f"dataset {path}, series {number}"
        if not isinstance(table, dict):
            raise DataError(f"{where} is {table!r}; a [[series]] table is needed")
        _join(series, _read_series(cast("dict[str, Any]", table), known, path.parent, where), where)
    used = {one.id: one for each in series for one in each.instruments}
    start = _instant(content, "start", path)
    end = _instant(content, "end", path)
    if start is not None and end is not None and end <= start:
        raise DataError(
            f"dataset {path}: end {instant_text(end)} is not after start {instant_text(start)}, "
            "so its range is empty; correct one of them"
        )
    return Dataset(
        path=path,
        name=_text(content, "name", str(path)),
        about=str(content.get("about", "")),
        instruments=tuple(used.values()),
        series=tuple(series),
        start=start,
        end=end,
    )


def parse_interval(text: str, where: str) -> int:
    """Return the ns of an interval such as 1m, 5m, 4h or 1d; raises `DataError`."""
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise DataError(
            f"{where}: interval {text!r} cannot be read; write a number and s, m, h or d, like 5m"
        )
    return int(match[1]) * _UNITS[match[2]] * 1_000_000_000


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"dataset {path} cannot be read ({error.strerror}); give the path of a dataset TOML"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"dataset {path} is not valid TOML: {error}") from error


def _read_series(
    table: dict[str, Any], known: Mapping[str, Instrument], folder: Path, where: str
) -> Series:
    name = _text(table, "kind", where)
    kinds = tuple(kind.value for kind in SeriesKind)
    if name not in kinds:
        raise DataError(f"{where}: kind {name!r} is unknown; {nearest(name, kinds, 'HEAN')}")
    kind = SeriesKind(name)
    _check_keys(table, _KEYS[kind], where)
    instruments = _instruments(table, kind, known, where)
    interval = _text(table, "interval", where) if "interval" in _KEYS[kind] else ""
    interval_ns = parse_interval(interval, where) if interval else 0
    file = folder / _text(table, "path", where)
    if not file.is_file():
        raise DataError(f"{where}: file {file} is missing; correct `path` or fetch the file")
    return Series(
        kind=kind,
        order=0,
        paths=(file,),
        instruments=instruments,
        interval_ns=interval_ns,
        source=_text(table, "source", where) if kind is SeriesKind.SENTIMENT else "",
    )


def _instruments(
    table: dict[str, Any], kind: SeriesKind, known: Mapping[str, Instrument], where: str
) -> tuple[Instrument, ...]:
    if kind is SeriesKind.SENTIMENT:
        return ()
    names = _text(table, "instrument", where).split()
    if len(names) != 1 and kind is not SeriesKind.RAW_BYBIT_V5:
        raise DataError(f"{where}: a series of kind {kind} has one instrument, not {names}")
    found = tuple(find_instrument(known, one, where) for one in names)
    if kind in (SeriesKind.FUNDING, SeriesKind.MARK_BARS) and found[0].is_spot:
        raise DataError(f"{where}: {names[0]} is spot and has no {kind}; name a perpetual")
    return found


def _join(series: list[Series], new: Series, where: str) -> None:
    """Add a series, or join its file to the one of the same kind and instruments."""
    for place, old in enumerate(series):
        same = (old.kind, old.instruments, old.source) == (new.kind, new.instruments, new.source)
        if not same:
            continue
        if old.interval_ns != new.interval_ns:
            raise DataError(
                f"{where}: {new.label} come with two intervals; keep one of them in a dataset"
            )
        series[place] = msgspec.structs.replace(old, paths=(*old.paths, *new.paths))
        return
    series.append(msgspec.structs.replace(new, order=len(series)))


def _instant(content: dict[str, Any], key: str, path: Path) -> int | None:
    return parse_instant(content[key], f"dataset {path}: {key}") if key in content else None


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if isinstance(value, str) and value:
        return value
    if key not in table:
        raise DataError(f"{where}: key {key!r} is missing; add it")
    raise DataError(f"{where}: {key} is {value!r}; a text is needed")


def _check_keys(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            raise DataError(f"{where}: key {key!r} is unknown; {nearest(key, known, 'it')}")
