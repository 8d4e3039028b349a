"""Bars and the synthetic quotes around them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hean.app.feeds.replay import DatasetFeed
from hean.core.events import Bar, Event, Quote

from .dataset_files import (
    BEGIN,
    MINUTE,
    PERPETUAL,
    bar_columns,
    series,
    specification,
    write_dataset,
    write_parquet,
)

BARS = series("bars", "bars", instrument=PERPETUAL, interval="1m")


def _events(
    folder: Path, closes: list[float], *, start: int | None = None, end: int | None = None
) -> list[Event]:
    write_parquet(folder / "bars", bar_columns(closes))
    path = write_dataset(folder, BARS, instruments=[specification(PERPETUAL)])
    return list(DatasetFeed(path, start_ns=start, end_ns=end).events())


def test_a_bar_is_an_opening_quote_then_at_its_close_a_quote_and_the_bar(tmp_path: Path) -> None:
    """Of each bar the open comes when it opens, the rest at its close, before the next open."""
    events = _events(tmp_path, [50_000.0, 50_100.0])
    told = [(type(event), event.ts_init - BEGIN) for event in events]
    assert told == [
        (Quote, 0),
        (Quote, MINUTE),
        (Bar, MINUTE),
        (Quote, MINUTE),
        (Quote, 2 * MINUTE),
        (Bar, 2 * MINUTE),
    ]
    mids = [(one.bid + one.ask) / 2 for one in events if isinstance(one, Quote)]
    assert mids == pytest.approx([50_000.0, 50_000.0, 50_000.0, 50_100.0])
    bar = events[-1]
    assert isinstance(bar, Bar)
    assert (bar.open_time, bar.interval_ns) == (BEGIN + MINUTE, MINUTE)
    assert (bar.open, bar.high, bar.low, bar.close) == (50_000.0, 50_101.0, 49_999.0, 50_100.0)
    assert all(event.ts_event == event.ts_init for event in events)


@pytest.mark.parametrize(("price", "half"), [(50_000.0, 5.0), (100.0, 0.05)])
def test_the_synthetic_spread_is_a_bp_or_half_a_tick(
    tmp_path: Path, price: float, half: float
) -> None:
    """Half the spread is 1 bp of the price, or half a tick where that is more."""
    quote = _events(tmp_path, [price])[0]
    assert isinstance(quote, Quote)
    assert (quote.ask - price, price - quote.bid) == pytest.approx((half, half))
    assert quote.synthetic
    assert (quote.bid_size, quote.ask_size) == (0.0, 0.0)


def test_a_range_keeps_the_bars_that_lie_wholly_in_it(tmp_path: Path) -> None:
    """A bar that opens before the start or closes after the end is left out whole."""
    events = _events(
        tmp_path, [100.0] * 6, start=BEGIN + MINUTE // 2, end=BEGIN + 3 * MINUTE + MINUTE // 2
    )
    bars = [event.open_time for event in events if isinstance(event, Bar)]
    assert bars == [BEGIN + MINUTE, BEGIN + 2 * MINUTE]
    assert len(events) == 6
