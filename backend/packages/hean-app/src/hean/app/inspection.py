"""`hean-app data inspect`: what a dataset carries, its holes, and who can run on it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hean.app.feeds import FeedDescription
from hean.app.replay.inspect import DatasetReport, SeriesReport, inspect_dataset
from hean.app.settings import AppSettings
from hean.app.timespan import format_instant
from hean.core.bus import Bus
from hean.core.events import Need
from hean.core.market_view import MarketView
from hean.core.timers import Agenda
from hean.strategies import StrategySet, build_strategies

NEED_WORDS: Final = {
    Need.QUOTES: "quotes",
    Need.TRADES: "trades",
    Need.DEPTH: "depth",
    Need.FUNDING: "funding",
    Need.INDEX: "index",
    Need.SPOT: "spot",
    Need.LIQUIDATIONS: "liquidations",
    Need.SENTIMENT: "sentiment",
    Need.BARS: "bars",
}
_PIPE_WIDTH: Final = 140
_GAPS: Final = 5
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def print_inspection(settings: AppSettings, dataset: Path, *, as_json: bool) -> None:
    """Read a dataset from end to end and print the report; raises `DataError` as a run would."""
    report = inspect_dataset(dataset)
    runs = strategies_on(settings, report.description)
    if as_json:
        sys.stdout.write(json.dumps(as_data(report, runs), indent=2) + "\n")
        return
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    show_inspection(report, runs, Console(file=sys.stdout, highlight=False, width=width))


def strategies_on(settings: AppSettings, description: FeedDescription) -> StrategySet:
    """Return every installed strategy set up on a feed, none of them attached to anything."""
    return build_strategies(
        settings=settings,
        section=settings.strategies,
        bus=Bus(),
        agenda=Agenda(),
        view=MarketView(),
        carries=description.carries,
        instruments=description.instruments,
        bar_intervals=description.bar_intervals,
    )


def as_data(report: DatasetReport, runs: StrategySet) -> dict[str, Any]:
    """Return the report as plain values; times in ISO 8601 UTC."""
    description = report.description
    return {
        "path": str(report.path),
        "name": description.name,
        "about": report.about,
        "sha256": description.digest,
        "first": format_instant(description.first),
        "last": _instant(description.last),
        "carries": {name: list(_words(needs)) for name, needs in description.carries.items()},
        "series": [_series_data(one) for one in report.series],
        "events": report.events,
        "feed_gaps": [
            {"instrument": name, "at": format_instant(ts_ns), "reason": reason}
            for name, ts_ns, reason in report.feed_gaps
        ],
        "strategies": {
            one.name: {
                "runs": one.runs,
                "instruments": list(one.instruments),
                "cannot_run_because": why_not(one.section.enabled, one.cannot_run_because),
            }
            for one in runs.strategies
        },
        "notes": list(description.notes),
    }


def _series_data(one: SeriesReport) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "instruments": list(one.instruments),
        "source": one.source,
        "files": list(one.files),
        "interval": span_text(one.interval_ns),
        "rows": one.rows,
        "first": format_instant(one.first),
        "last": format_instant(one.last),
        "in_range": one.in_range,
        "gaps": one.gap_count,
        "longest_gaps": [
            {
                "after": format_instant(gap.after),
                "until": format_instant(gap.until),
                "missing": gap.missing,
            }
            for gap in one.gaps
        ],
        "idle_bars": one.idle_bars,
        "carries": list(one.carries),
    }


def why_not(enabled: bool, reason: str) -> str:
    """Return why a strategy does not run, or nothing when it does."""
    return reason or ("" if enabled else "it is switched off by setting")


def _instant(ts_ns: int | None) -> str:
    return "" if ts_ns is None else format_instant(ts_ns)


def _words(needs: Sequence[Need]) -> tuple[str, ...]:
    return tuple(NEED_WORDS[need] for need in needs)


def span_text(nanoseconds: int) -> str:
    """Return a length of time in whole units: 5 min, 8 h; empty for 0."""
    seconds = nanoseconds // 1_000_000_000
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{nanoseconds / 1e9:g} s" if nanoseconds else ""


def show_inspection(report: DatasetReport, runs: StrategySet, console: Console) -> None:
    """Draw the report on a console."""
    description = report.description
    head = Text()
    head.append(description.name, "bold")
    head.append(f"  {format_instant(description.first)} to {_instant(description.last)}", "dim")
    console.print(head)
    if report.about:
        console.print(Text(" ".join(report.about.split())), soft_wrap=True)
    console.print(_labelled("sha256", description.digest), soft_wrap=True)
    console.print()
    console.print(series_table(report.series))
    for line in gap_lines(report):
        console.print(line, soft_wrap=True)
    console.print()
    for name, needs in description.carries.items():
        console.print(_labelled(name or "whole feed", ", ".join(_words(needs)) or "nothing"))
    events = ", ".join(f"{name} {count:,}" for name, count in report.events.items())
    console.print(_labelled("events", events), soft_wrap=True)
    console.print()
    console.print(strategies_table(runs))
    if not any(one.runs for one in runs.strategies):
        console.print(Text("No strategy can run on this dataset.", "bold red"))
    if description.notes:
        console.print()
    for note in description.notes:
        console.print(_labelled("note", note), soft_wrap=True)


def _labelled(label: str, text: str) -> Text:
    line = Text()
    line.append(f"{label}: ", "dim")
    line.append(text)
    return line


def series_table(series: Sequence[SeriesReport]) -> Table:
    """Return one row a series: what, how much, from when to when, how whole."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("series", no_wrap=True)
    table.add_column("instrument")
    for name in ("interval", "rows"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("first", "last"):
        table.add_column(name, no_wrap=True)
    for name in ("gaps", "idle bars"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in series:
        table.add_row(
            one.kind if one.in_range else f"{one.kind} (out of range)",
            ", ".join(one.instruments) or "-",
            span_text(one.interval_ns) or "-",
            f"{one.rows:,}",
            format_instant(one.first),
            format_instant(one.last),
            f"{one.gap_count:,}",
            f"{one.idle_bars:,}",
        )
    return table


def gap_lines(report: DatasetReport) -> list[Text]:
    """Return what captures hold, the longest holes of each series, and where depth broke."""
    lines: list[Text] = []
    for one in report.series:
        if one.carries:
            lines.append(_labelled(f"{one.kind} has", "; ".join(one.carries)))
        for gap in one.gaps[:_GAPS]:
            where = f" of {', '.join(one.instruments)}" if one.instruments else ""
            lines.append(
                _labelled(
                    f"gap in {one.kind}{where}",
                    f"{gap.missing:,} missing after {format_instant(gap.after)}, "
                    f"next {format_instant(gap.until)}",
                )
            )
        if one.gap_count > _GAPS:
            lines.append(Text(f"and {one.gap_count - _GAPS:,} shorter gaps in {one.kind}", "dim"))
    for name, ts_ns, reason in report.feed_gaps[:_GAPS]:
        lines.append(_labelled(f"depth of {name} breaks", f"{format_instant(ts_ns)}: {reason}"))
    if len(report.feed_gaps) > _GAPS:
        lines.append(Text(f"and {len(report.feed_gaps) - _GAPS:,} more breaks of depth", "dim"))
    return lines


def strategies_table(runs: StrategySet) -> Table:
    """Return who can run, on what, and why the others cannot."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("strategy", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("on, or why not")
    for one in runs.strategies:
        reason = why_not(one.section.enabled, one.cannot_run_because)
        table.add_row(
            one.name,
            Text("does not run", "yellow") if reason else Text("can run", "green"),
            reason or ", ".join(one.instruments),
        )
    return table
