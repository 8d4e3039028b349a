"""What an opened dataset says it carries."""

from __future__ import annotations

from pathlib import Path

from hean.app.feeds.replay import DatasetFeed
from hean.core.events import Need

from .dataset_files import (
    BEGIN_MS,
    PERPETUAL,
    SPOT,
    bar_columns,
    series,
    specification,
    write_dataset,
    write_parquet,
)

OTHER_SPOT = "BTCUSDT-SPOT.BINANCE"


def test_an_index_needs_spot_of_the_same_venue_and_coins(tmp_path: Path) -> None:
    """Spot of another venue is neither index nor hedge of a perpetual."""
    write_parquet(tmp_path / "bars", bar_columns([100.0] * 5))
    rows = [specification(name) for name in (PERPETUAL, OTHER_SPOT)]
    path = write_dataset(
        tmp_path,
        series("bars", "bars", instrument=PERPETUAL, interval="1m"),
        series("bars", "bars", instrument=OTHER_SPOT, interval="1m"),
        instruments=rows,
    )
    found = DatasetFeed(path).description
    assert found.carries == {
        PERPETUAL: (Need.QUOTES, Need.BARS),
        OTHER_SPOT: (Need.QUOTES, Need.BARS),
    }
    assert not any("coarse index" in note for note in found.notes)


def test_what_lies_outside_the_range_is_not_carried(tmp_path: Path) -> None:
    """Spot bars that end before the range begins make no index and no spot."""
    write_parquet(tmp_path / "spot", bar_columns([100.0] * 5))
    later = BEGIN_MS + 100 * 60_000
    write_parquet(tmp_path / "perp", bar_columns([100.0] * 5, begin_ms=later))
    path = write_dataset(
        tmp_path,
        series("bars", "perp", instrument=PERPETUAL, interval="1m"),
        series("bars", "spot", instrument=SPOT, interval="1m"),
        head='start = "2025-01-01T01:00:00Z"',
    )
    found = DatasetFeed(path).description
    assert found.carries == {PERPETUAL: (Need.QUOTES, Need.BARS), SPOT: ()}
    assert f"bars of {SPOT} has nothing in the range" in found.notes
