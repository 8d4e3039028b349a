"""The report on a dataset."""

from __future__ import annotations

from pathlib import Path

from hean.app.replay.inspect import inspect_dataset

from .dataset_files import (
    BEGIN,
    BEGIN_MS,
    MINUTE,
    PERPETUAL,
    bar_columns,
    series,
    write_dataset,
    write_parquet,
)

HOUR_MS = 3_600_000


def test_rows_gaps_and_idle_bars_are_counted(tmp_path: Path) -> None:
    """A report has each series' range, holes with the rows missing, and bars without volume."""
    columns = bar_columns([100.0] * 600)
    for place in range(5, 600):
        columns["ts_ms"][place] += 180_000
    columns["volume"][3] = 0.0
    write_parquet(tmp_path / "bars", columns)
    times = [BEGIN_MS + hour * HOUR_MS for hour in (0, 4, 8)]
    write_parquet(tmp_path / "funding", {"ts_ms": times, "funding_rate": [0.0001] * 3})
    report = inspect_dataset(
        write_dataset(
            tmp_path,
            series("bars", "bars", instrument=PERPETUAL, interval="1m"),
            series("funding", "funding", instrument=PERPETUAL),
        )
    )
    bars, funding = report.series
    assert (bars.kind, bars.rows, bars.idle_bars, bars.gap_count) == ("bars", 600, 1, 1)
    gap = bars.gaps[0]
    assert (gap.after, gap.until) == (BEGIN + 4 * MINUTE, BEGIN + 8 * MINUTE)
    assert gap.missing == 3
    assert (bars.first, bars.last) == (BEGIN, BEGIN + 602 * MINUTE)
    assert (funding.rows, funding.gap_count, funding.in_range) == (3, 0, True)
    assert report.events == {"Bar": 600, "FundingRate": 6, "Quote": 1200}
    assert report.feed_gaps == ()
    assert report.description.name == "made"


def test_a_series_outside_the_range_is_reported_as_such(tmp_path: Path) -> None:
    """A series with nothing in the range carries nothing and is named in the notes."""
    write_parquet(tmp_path / "bars", bar_columns([100.0] * 10))
    times = [BEGIN_MS + 1000 * HOUR_MS]
    write_parquet(tmp_path / "funding", {"ts_ms": times, "funding_rate": [0.0001]})
    report = inspect_dataset(
        write_dataset(
            tmp_path,
            series("bars", "bars", instrument=PERPETUAL, interval="1m"),
            series("funding", "funding", instrument=PERPETUAL),
        )
    )
    assert not report.series[1].in_range
    assert f"funding of {PERPETUAL} has nothing in the range" in report.description.notes
