"""`hean-app capital`: who got the capital of a run, on a terminal or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hean.app.reports.capital import (
    activations,
    capital_data,
    capital_over_time,
    gate_costs,
    is_followed,
    last_weights,
    likenesses,
    slot_rows,
)
from hean.app.reports.run_facts import read_capital, read_summary
from hean.app.timespan import format_instant, parse_instant

_PIPE_WIDTH: Final = 150
_SETS: Final = 12
_PAIRS: Final = 10


def print_capital(directory: Path, *, as_json: bool) -> None:
    """Print the capital report of a run directory; raises `StateError` where there is none."""
    if as_json:
        sys.stdout.write(json.dumps(capital_data(directory), indent=2) + "\n")
        return
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    show_capital(directory, Console(file=sys.stdout, highlight=False, width=width))


def show_capital(directory: Path, console: Console) -> None:
    """Draw the report on a console."""
    summary, extra = read_summary(directory), read_capital(directory)
    name = str(summary["dataset"].get("name") or summary["mode"])
    console.print(Text.assemble((name, "bold"), f"  capital of {directory}"), soft_wrap=True)
    first = parse_instant(summary["started"], "started")
    last = parse_instant(summary["ended"], "ended")
    for title, table in (
        ("Capital over time (weights of equity; the rest is cash)",
         moments_table(directory, first, last)),
        ("Weights at the end", weights_table(directory)),
        ("What AutoPilot believes (R per 8 h bin, 95 % interval)", arms_table(directory)),
        (f"Active sets (the last {_SETS}; all are in activations.parquet)", sets_table(directory)),
        ("What refusals saved or cost (net bp a signal, 95 % interval)", gates_table(directory)),
        (_correlation_title(extra["correlation"]), correlation_table(extra["correlation"])),
        (f"Pairs that results moved most (at most {_PAIRS}; measured is without the prior)",
         likenesses_table(extra["correlation"])),
        (_slots_title(extra["slots"]), slots_table(extra["slots"])),
    ):  # fmt: skip
        console.print()
        console.print(Text(title, "bold"), soft_wrap=True)
        if table.row_count:
            console.print(table)
        else:
            console.print(Text("none", "dim"))


def moments_table(directory: Path, first_ns: int, last_ns: int) -> Table:
    """Return equity, drawdown and who had which weight, at even times."""
    table = _table(("at",), ("equity", "drawdown"), "weights")
    for one in capital_over_time(directory, first_ns, last_ns):
        table.add_row(
            format_instant(one.ts_ns),
            f"{one.equity:,.2f}",
            f"{100 * one.drawdown:.2f} %",
            ", ".join(f"{name} {100 * weight:.1f} %" for name, weight in one.weights) or "-",
        )
    return table


def _table(texts: Sequence[str], numbers: Sequence[str], last: str = "") -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in texts:
        table.add_column(name, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    if last:
        table.add_column(last)
    return table


def weights_table(directory: Path) -> Table:
    """Return the last allocation: weight, evidence with its error, target and what decided."""
    table = _table(
        ("strategy", "tier"), ("weight", "target", "evidence t", "error", "B_min"), "decided by"
    )
    for one in last_weights(directory):
        table.add_row(
            one.strategy,
            one.tier,
            f"{100 * one.weight:.2f} %",
            f"{100 * one.target:.2f} %",
            f"{one.evidence:+.2f}",
            f"{one.evidence_error:.3f}",
            f"{one.minimum_budget:,.2f}",
            one.bound,
        )
    return table


def arms_table(directory: Path) -> Table:
    """Return each arm's posterior at the last active set."""
    table = _table(("strategy", "active"), ("mean", "low", "high", "bins", "picked in"), "because")
    for one in activations(directory)[1]:
        table.add_row(
            one.strategy,
            "yes" if one.active else "no",
            f"{one.mean:+.4f}",
            f"{one.low:+.4f}",
            f"{one.high:+.4f}",
            f"{one.bins:.1f}",
            f"{100 * one.propensity:.0f} %",
            one.reason,
        )
    return table


def sets_table(directory: Path) -> Table:
    """Return the last changes of the active set."""
    table = _table(("since", "mode"), ("size",), "active")
    sets = activations(directory)[0]
    for one in sets[-_SETS:]:
        table.add_row(
            format_instant(one.ts_ns), one.mode, str(len(one.active)), ", ".join(one.active)
        )
    return table


def gates_table(directory: Path) -> Table:
    """Return what each refusal saved or cost."""
    numbers = ("refused", "followed", "mean", "low", "high", "mean R", "all, R")
    table = _table(("refusal",), numbers, "")
    for one in gate_costs(directory):
        if not one.followed:
            said = "none reached an end" if is_followed(one.code) else "not followed"
            table.add_row(one.code, f"{one.refused:,}", "0", "-", "-", "-", "-", "-", said)
            continue
        table.add_row(
            one.code,
            f"{one.refused:,}",
            f"{one.followed:,}",
            f"{one.mean_bp:+.2f}",
            _bp(one.low_bp),
            _bp(one.high_bp),
            f"{one.mean_r:+.3f}",
            f"{one.total_r:+.1f}",
            one.verdict,
        )
    return table


def _bp(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"


def _correlation_title(found: dict[str, Any]) -> str:
    return (
        f"Correlation: below the diagonal the prior, above it what {found['bins']} bins and a "
        f"prior worth {found['prior_bins']} say"
    )


def correlation_table(found: dict[str, Any]) -> Table:
    """Return one matrix that holds two: the prior below, the one in force above."""
    names: list[str] = found["names"]
    table = _table(("",), [str(place + 1) for place in range(len(names))])
    for i, name in enumerate(names):
        mark = "" if name in found["moved"] else " (no results)"
        cells = [
            "1" if i == j else f"{found['in_force' if j > i else 'prior'][i][j]:+.2f}"
            for j in range(len(names))
        ]
        table.add_row(f"{i + 1} {name}{mark}", *cells)
    return table


def likenesses_table(found: dict[str, Any]) -> Table:
    """Return the pairs with results: believed, by results alone, and in force."""
    table = _table(("strategy", "and"), ("believed", "measured", "in force"))
    for one in likenesses(found)[:_PAIRS]:
        values = (one.prior, one.measured, one.in_force)
        table.add_row(one.strategy, one.other, *(f"{value:+.2f}" for value in values))
    return table


def _slots_title(slots: dict[str, Any]) -> str:
    used = f"at most {slots['peak']} of {slots['max']} in use"
    if not slots["contended"]:
        return f"Slots: never scarce, {used}"
    return f"Slots, {used}: who won the last one, who was refused, to whom"


def slots_table(slots: dict[str, Any]) -> Table:
    """Return who won and lost when slots were scarce."""
    table = _table(("strategy",), ("won", "refused"), "lost to")
    for name, won, refused, words in slot_rows(slots):
        table.add_row(name, f"{won:,}", f"{refused:,}", words or "-")
    return table
