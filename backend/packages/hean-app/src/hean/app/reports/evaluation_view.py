"""An evaluation on the terminal: one row a cell, then who did not run, and who never traded."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hean.app.reports.evaluation import ALL, BOOTSTRAP_FROM
from hean.app.reports.render import counts_text

Values = dict[str, Any]
_HEADS: Final = (
    "trades", "gross bp, 95 %", "net bp, 95 %", "by", "hit %", "needs %", "fee", "spread",
    "impact", "funding",
)  # fmt: skip
_MARKOUTS: Final = ("10 s", "60 s")
_WORTH_A_LINE: Final = 10
"""From so many trades on it is said what they were without their best day."""


def heads_of(found: Values) -> tuple[str, ...]:
    """Return the names of a row's figures; markouts only where the data has real quotes."""
    return (*_HEADS, *_MARKOUTS) if found["has_ticks"] else _HEADS


def show_evaluation(found: Values, console: Console, directory: Path | None) -> None:
    """Draw an evaluation on a console."""
    head = Text(str(found["dataset"]["name"]), "bold")
    head.append(f"  {found['started']} to {found['ended']}  seed {found['seed']}", "dim")
    head.append(f"  edge guard {found['edge_guard']}s", "dim")
    console.print(head)
    console.print()
    rows = [row for one in found["strategies"] for row in one["rows"]]
    if rows:
        console.print(cells_table(rows, heads_of(found)))
    else:
        console.print("No trade was closed, in the account or in the shadow book.")
    console.print()
    notes = [f"note: {note}" for note in (*found["notes"], *found["guard"]["evidence_lines"])]
    for line in (*silent_lines(found), *reading_lines(found), *notes):
        console.print(line, soft_wrap=True)
    if directory is not None:
        console.print(f"kept in: {directory}", soft_wrap=True)
        console.print(f"next: open {directory / 'report.html'}", soft_wrap=True)


def cells_table(rows: list[Values], heads: tuple[str, ...]) -> Table:
    """Return the figures of each cell, totals first."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("strategy", no_wrap=True)
    table.add_column("book", no_wrap=True)
    table.add_column("instrument", no_wrap=True, max_width=36)
    table.add_column("regime", no_wrap=True)
    for name in heads:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("guard", no_wrap=True)
    last = ""
    for row in rows:
        is_total = row["instrument"] == ALL
        table.add_row(
            row["strategy"] if is_total else "",
            row["kind"] if is_total else "",
            short_name(row["instrument"]),
            row["regime"],
            *cells_of(row)[: len(heads)],
            row["guard"],
            style="bold" if is_total else "",
            end_section=last != row["strategy"],
        )
        last = row["strategy"]
    return table


def short_name(instrument: str) -> str:
    """Return the instruments without venue and quote coin: BTC-PERP + BTC-SPOT."""
    return " + ".join(
        one.partition(".")[0].replace("USDT-", "-") for one in instrument.split(" + ")
    )


def cells_of(row: Values) -> list[str]:
    """Return the figures of a row as the columns show them, unknown ones as a dash."""
    hits, net = row["hits"], row["net"]
    needs = "-" if hits["break_even"] is None else f"{100 * hits['break_even']:.0f}"
    return [
        f"{row['trades']:,}",
        interval_text(row["gross"]),
        interval_text(net),
        method_text(net["method"]),
        f"{100 * hits['rate']:.0f}",
        needs + {"plan": "p", "payoff": "o"}.get(hits["basis"] if needs != "-" else "", ""),
        f"{row['fee_bp']:.1f}",
        spread_text(row),
        "-" if row["impact_bp"] is None else f"{row['impact_bp']:.1f}",
        f"{row['funding_bp']:+.1f}" if row["funding_bp"] else "0",
        *(markout_text(one) for one in row["markouts"]),
    ]


def interval_text(interval: Values) -> str:
    """Return a mean and its bounds, the mean alone where there are none."""
    mean = bp_text(interval["mean"])
    if interval["low"] is None:
        return f"{mean} [-]"
    return f"{mean} [{bp_text(interval['low'])}, {bp_text(interval['high'])}]"


def bp_text(value: float) -> str:
    """Return bp with their sign, whole ones from a hundred on."""
    return f"{value:+.1f}" if abs(value) < 100.0 else f"{value:+,.0f}"


def method_text(method: str) -> str:
    """Return how bounds were found, in one short word."""
    return {"t": "t", "b": "boot"}.get(method[0], "-")


def spread_text(row: Values) -> str:
    """Return the spread paid, and over how many trades where not all are known."""
    if row["spread_bp"] is None:
        return "-"
    known = row["priced_trades"]
    return f"{row['spread_bp']:.1f}" + ("" if known == row["trades"] else f" ({known})")


def markout_text(markout: Values | None) -> str:
    """Return a markout with its number of fills."""
    return "-" if markout is None else f"{markout['mean']:+.1f} ({markout['fills']})"


def silent_lines(found: Values) -> list[str]:
    """Return a line for each strategy that did not run, never closed a trade, or holds on."""
    idle: dict[str, list[str]] = {}
    silent: list[str] = []
    held: list[str] = []
    for one in found["strategies"]:
        name = one["strategy"]
        if not one["enabled"]:
            idle.setdefault("switched off by setting", []).append(name)
        elif one["cannot_run_because"]:
            idle.setdefault(one["cannot_run_because"], []).append(name)
        elif not one["rows"]:
            silent.append(f"no closed trade: {name}: {silence_text(one)}")
        if one["open_positions"]:
            held.append(
                f"still open: {name}: {one['open_positions']} positions, in no figure above; "
                "stops end trades sooner than trends do, so what is closed looks worse"
            )
    lines = [f"not run: {', '.join(names)}: {reason}" for reason, names in idle.items()]
    return [*held, *silent, *lines]


def silence_text(one: Values) -> str:
    """Return why a strategy that ran has no closed trade."""
    refused = counts_text(one["evaluations_refused"]) or "none"
    parts = [f"{one['signals']:,} signals", f"evaluations it refused: {refused}"]
    if one["rejections"]:
        parts.append(f"signals the gate rejected: {counts_text(one['rejections'])}")
    return "; ".join(parts)


def reading_lines(found: Values) -> list[str]:
    """Return how to read the figures, and what this data cannot tell."""
    rows = [row for one in found["strategies"] for row in one["rows"]]
    bounded = [row["net"] for row in rows if row["net"]["low"] is not None]
    above = [one for one in bounded if one["low"] > 0.0]
    below = [one for one in bounded if one["high"] < 0.0]
    lines = [
        "Figures are bp of entry notional a trade, a group counted once; nothing is annualised. "
        "Gross has spread and impact in it: what fills cost against the mid, up to the touch and "
        "beyond; in brackets over how many trades they are known (not where a stop filled inside "
        "a bar).",
        "Shadow rows follow a refused signal by its stop, targets and time stop alone: a "
        "strategy's own exits (trail, thesis, mean) are not in them.",
        f"Bounds: Student's t below {BOOTSTRAP_FROM} trades (taken as independent), from there a "
        "block bootstrap. needs %: hits at which a trade earns nothing, p from planned target and "
        "stop, o from the outcomes themselves (then it only repeats the sign of the net).",
    ]
    lines += [best_day_line(row) for row in rows if _leans_on_a_day(row)]
    if bounded:
        lines.append(
            f"Of {len(bounded)} net intervals {len(above)} lie above 0 and {len(below)} below; "
            f"without any edge or cost about {len(bounded) / 20:.1f} would leave out 0 by luck, "
            "and totals share the trades of their cells."
        )
    if not found["has_ticks"]:
        lines.append(
            "Markouts: not available, the data has no real quotes. Spread and impact are against "
            "synthetic quotes: what the venue's model assumes, not a measurement."
        )
    return lines


def _leans_on_a_day(row: Values) -> bool:
    """Whether a total's gain is gone without its best day."""
    enough = row["instrument"] == ALL and row["trades"] >= _WORTH_A_LINE
    return enough and row["rest_bp"] is not None and row["net"]["mean"] > 0.0 >= row["rest_bp"]


def best_day_line(row: Values) -> str:
    """Return what is left of a total without the day that brought most."""
    day = datetime.fromtimestamp(row["best_day_ns"] // 1_000_000_000, UTC).date().isoformat()
    return (
        f"{row['strategy']} {row['kind']} earned on one day: net {bp_text(row['net']['mean'])} bp "
        f"a trade, {bp_text(row['rest_bp'])} without {day}."
    )
