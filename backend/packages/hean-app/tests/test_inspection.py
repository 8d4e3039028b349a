from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from hean.app.feeds import FeedDescription
from hean.app.inspection import as_data, show_inspection, span_text, strategies_on
from hean.app.replay.inspect import DatasetReport, Gap, SeriesReport
from hean.app.settings import AppSettings
from hean.config import load
from hean.core.events import Need
from hean.core.testing import START, btc_perpetual

DAY = 86_400_000_000_000
MINUTE = 60_000_000_000


def _report(*needs: Need) -> DatasetReport:
    instrument = btc_perpetual()
    description = FeedDescription(
        name="made",
        instruments=(instrument,),
        carries={instrument.id: needs},
        first=START,
        last=START + DAY,
        bar_intervals={instrument.id: 5 * MINUTE},
        digest="ab" * 32,
        notes=("quotes are synthetic",),
    )
    bars = SeriesReport(
        kind="bars",
        instruments=(instrument.id,),
        source="somewhere",
        files=("a.parquet",),
        interval_ns=5 * MINUTE,
        rows=281,
        first=START,
        last=START + DAY,
        in_range=True,
        gap_count=7,
        gaps=(Gap(after=START, until=START + 40 * MINUTE, missing=7),),
        idle_bars=3,
    )
    return DatasetReport(
        path=Path("made.toml"),
        about="A made dataset.",
        description=description,
        series=(bars,),
        events={"Bar": 281},
        feed_gaps=((instrument.id, START, "sequence"),),
    )


def _settings(**arguments: str) -> AppSettings:
    return load(AppSettings, arguments=arguments, environ={}).settings


def _shown(report: DatasetReport, settings: AppSettings) -> str:
    stream = io.StringIO()
    runs = strategies_on(settings, report.description)
    show_inspection(report, runs, Console(file=stream, width=160))
    return stream.getvalue()


def test_who_can_run_and_who_cannot_is_said_by_name() -> None:
    """On bars momentum can run, and a strategy that needs more is told what is missing."""
    text = _shown(_report(Need.QUOTES, Need.BARS), _settings())
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "can run" in rows["momentum_trader"]
    assert "does not run" in rows["funding_harvester"]
    assert "which the feed does not carry" in rows["funding_harvester"]


def test_a_dataset_nobody_can_run_on_says_so() -> None:
    """The reader is warned before a backtest refuses."""
    assert "No strategy can run on this dataset." in _shown(_report(), _settings())


def test_a_strategy_that_is_switched_off_is_not_blamed_on_the_data() -> None:
    """The reason is the setting."""
    off = _settings(STRATEGIES__MOMENTUM_TRADER__ENABLED="false")
    report = _report(Need.QUOTES, Need.BARS)
    found = as_data(report, strategies_on(off, report.description))
    told = found["strategies"]["momentum_trader"]
    assert told["runs"] is False
    assert told["cannot_run_because"] == "it is switched off by setting"


def test_gaps_and_idle_bars_are_shown() -> None:
    """Holes are named with where they are and how much is missing."""
    text = _shown(_report(Need.QUOTES, Need.BARS), _settings())
    assert "7 missing after" in text
    assert "and 2 shorter gaps in bars" in text
    assert "breaks" in text


def test_the_data_is_plain_json() -> None:
    """What --json prints holds ranges, rows and carried kinds."""
    report = _report(Need.QUOTES, Need.BARS)
    found = json.loads(json.dumps(as_data(report, strategies_on(_settings(), report.description))))
    assert found["carries"] == {"BTCUSDT-PERP.BYBIT": ["quotes", "bars"]}
    assert found["series"][0]["interval"] == "5 min"
    assert found["series"][0]["rows"] == 281


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, ""),
        (5 * MINUTE, "5 min"),
        (8 * 60 * MINUTE, "8 h"),
        (90_000_000_000, "90 s"),
        (DAY, "1 d"),
    ],
)
def test_intervals_are_written_in_their_largest_whole_unit(nanoseconds: int, text: str) -> None:
    """Nothing is rounded away."""
    assert span_text(nanoseconds) == text
