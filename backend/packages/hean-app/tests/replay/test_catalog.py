"""The dataset TOML and everything that can be wrong in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hean.app.replay.catalog import SeriesKind, parse_interval, read_dataset
from hean.core.errors import DataError

from .dataset_files import (
    BEGIN,
    PERPETUAL,
    SPOT,
    bar_columns,
    series,
    write_dataset,
    write_parquet,
)

BARS = series("bars", "bars.parquet", instrument=PERPETUAL, interval="1m")


def test_a_dataset_says_what_its_toml_says(tmp_path: Path) -> None:
    """Names, range, instruments and series come as written, in order."""
    write_parquet(tmp_path / "bars.parquet", bar_columns([100.0]))
    funding = series("funding", "bars.parquet", instrument=PERPETUAL)
    head = 'start = "2025-01-01T00:00:00Z"\nend = 2025-01-02T00:00:00Z'
    dataset = read_dataset(write_dataset(tmp_path, BARS, funding, head=head))
    assert (dataset.name, dataset.about) == ("made", "made up")
    assert (dataset.start, dataset.end) == (BEGIN, BEGIN + 86_400_000_000_000)
    assert [one.kind for one in dataset.series] == [SeriesKind.BARS, SeriesKind.FUNDING]
    assert [one.order for one in dataset.series] == [0, 1]
    assert [one.id for one in dataset.instruments] == [PERPETUAL]
    assert dataset.series[0].interval_ns == 60_000_000_000
    assert dataset.series_of(SeriesKind.BARS, PERPETUAL) == dataset.series[0]
    assert dataset.series_of(SeriesKind.BARS, SPOT) is None


def test_files_of_one_series_are_joined_in_order(tmp_path: Path) -> None:
    """Two tables of the same kind, instrument and interval are one series of two files."""
    for name in ("bars", "more"):
        write_parquet(tmp_path / f"{name}.parquet", bar_columns([100.0]))
    more = series("bars", "more.parquet", instrument=PERPETUAL, interval="1m")
    dataset = read_dataset(write_dataset(tmp_path, BARS, more))
    assert [path.name for path in dataset.series[0].paths] == ["bars.parquet", "more.parquet"]
    assert len(dataset.series) == 1


@pytest.mark.parametrize(
    ("tables", "head", "said"),
    [
        ([BARS], "", "bars.parquet is missing"),
        (
            [series("bras", "x", instrument=PERPETUAL)],
            "",
            "kind 'bras' is unknown; nearest is bars",
        ),
        (
            [series("bars", "x", instrument="BTCUSDT-PREP.BYBIT", interval="1m")],
            "",
            f"'BTCUSDT-PREP.BYBIT' is unknown; nearest is {PERPETUAL}",
        ),
        (
            [series("funding", "x", instrument="QQQ")],
            "",
            f"'QQQ' is unknown; its instruments file has {PERPETUAL}",
        ),
        ([series("funding", "x", instrument=f"{SPOT} {PERPETUAL}")], "", "has one instrument"),
        ([series("funding", "x", instrument=SPOT)], "", "is spot and has no funding"),
        ([series("bars", "x", instrument=PERPETUAL)], "", "key 'interval' is missing"),
        ([BARS.replace("path", "pth")], "", "key 'pth' is unknown; nearest is path"),
        ([BARS.replace('"bars.parquet"', "3")], "", "path is 3; a text is needed"),
        ([], "", "has no [[series]]"),
        ([], "series = [3]", "series 1 is 3"),
        ([BARS], 'start = "soon"', "start is 'soon', which is no time"),
        (
            [BARS],
            'start = "2025-01-02"\nend = "2025-01-01"',
            "end 2025-01-01T00:00:00Z is not after start 2025-01-02T00:00:00Z",
        ),
        ([BARS], "strat = 3", "key 'strat' is unknown; nearest is start"),
        ([BARS], "end = ", "is not valid TOML"),
    ],
)
def test_a_wrong_dataset_is_refused_in_one_sentence(
    tmp_path: Path, tables: Sequence[str], head: str, said: str
) -> None:
    """Each mistake in a TOML is a `DataError` that names what is wrong."""
    if "start" in head:
        write_parquet(tmp_path / "bars.parquet", bar_columns([100.0]))
    with pytest.raises(DataError) as caught:
        read_dataset(write_dataset(tmp_path, *tables, head=head))
    assert said in str(caught.value)
    assert "dataset.toml" in str(caught.value)


def test_two_intervals_of_one_instrument_are_refused(tmp_path: Path) -> None:
    """Bars of one instrument cannot come at two intervals."""
    write_parquet(tmp_path / "bars.parquet", bar_columns([100.0]))
    other = series("bars", "bars.parquet", instrument=PERPETUAL, interval="5m")
    with pytest.raises(DataError, match="come with two intervals"):
        read_dataset(write_dataset(tmp_path, BARS, other))


def test_a_missing_dataset_is_refused(tmp_path: Path) -> None:
    """A path that is no file is a `DataError` with exit code 3."""
    with pytest.raises(DataError, match=r"none\.toml cannot be read") as caught:
        read_dataset(tmp_path / "none.toml")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("1m", 60), ("5m", 300), ("4h", 14_400), ("1d", 86_400)]
)
def test_intervals_are_read(text: str, seconds: int) -> None:
    """An interval is a whole number and a unit."""
    assert parse_interval(text, "here") == seconds * 1_000_000_000


@pytest.mark.parametrize("text", ["5x", "0m", "m", "-5m", "5 m", "1.5h", ""])
def test_bad_intervals_are_refused(text: str) -> None:
    """What is no interval is named in the error."""
    with pytest.raises(DataError, match=r"interval .* cannot be read"):
        parse_interval(text, "here")
