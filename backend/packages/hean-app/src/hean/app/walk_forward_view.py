"""A walk-forward on the terminal: its windows, who was tried, and whether it is enough."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

Values = dict[str, Any]


def show_walk_forward(found: Values, console: Console, directory: Path | None) -> None:
    """Draw a walk-forward on a console."""
    console.print(Text(f"{found['strategy']}, walked forward", "bold"))
    console.print(folds_table(found["folds"]))
    console.print()
    for line in walk_lines(found):
        console.print(line, soft_wrap=True)
    if directory is not None:
        console.print(f"kept in: {directory}", soft_wrap=True)
        console.print(f"next: set EDGE_EVIDENCE={directory}", soft_wrap=True)


def folds_table(folds: list[Values]) -> Table:
    """Return a row a test window."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("tested from", "to", "parameters"):
        table.add_column(name, no_wrap=True)
    for name in ("trades", "net bp a trade"):
        table.add_column(name, justify="right")
    for one in folds:
        mean = f"{one['mean_bp']:+.1f}" if one["trades"] else "-"
        table.add_row(
            day_of(one["from_ns"]), day_of(one["to_ns"]), one["chosen"], f"{one['trades']:,}", mean
        )
    return table


def day_of(ts_ns: int) -> str:
    """Return the UTC day of a time."""
    return datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).date().isoformat()


def walk_lines(found: Values) -> list[str]:
    """Return the figure, what each candidate did in sample, and what is lacking."""
    figure, lacks = found["walk_forward"], found["lacks"]
    lines = [
        f"out of sample: {figure['trades']:,} trades, net {figure['mean_bp']:+.1f} bp a trade, "
        f"t {figure['t']:+.2f} over weeks, {figure['days']:.0f} days walked, "
        f"{figure['trials']} sets of parameters tried",
    ]
    lines += [
        f"in sample, which proves nothing: {one['name']}: {one['trades']:,} trades, "
        f"net {one['mean_bp']:+.1f} bp, t {one['t']:+.2f}"
        for one in found["candidates"]
    ]
    lines.append(f"parameters for what comes next: {found['chosen']}")
    if lacks is None:
        lines.append("the guard asks for no more than this before PROBE")
    else:
        lines.append(
            f"not enough before PROBE: {lacks['subject']} {lacks['number']:.4g}, "
            f"needed {lacks['limit']:.4g}"
        )
    return lines
