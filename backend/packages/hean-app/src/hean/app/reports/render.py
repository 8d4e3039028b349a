"""A summary on the terminal: money first, then the funnel, the strategies and the proof."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

Summary = dict[str, Any]
_PIPE_WIDTH = 140
_CENT = Decimal("0.01")
_TENTH = Decimal("0.1")


def print_summary(summary: Summary, directory: Path | None, *, as_json: bool) -> None:
    """Print a run's summary to stdout; JSON is the summary itself and nothing else."""
    if as_json:
        sys.stdout.write(json.dumps(summary, indent=2) + "\n")
        return
    terminal = sys.stdout.isatty()
    console = Console(
        file=sys.stdout, highlight=False, width=None if terminal else _PIPE_WIDTH, soft_wrap=False
    )
    show_summary(summary, directory, console)


def show_summary(summary: Summary, directory: Path | None, console: Console) -> None:
    """Draw the summary on a console."""
    console.print(title(summary))
    console.print()
    console.print(money_table(summary))
    console.print()
    for line in funnel_lines(summary):
        console.print(line, soft_wrap=True)
    console.print()
    console.print(strategies_table(summary))
    for line in idle_lines(summary):
        console.print(line, soft_wrap=True)
    console.print()
    for label, text in fact_lines(summary):
        console.print(_fact(label, text), soft_wrap=True)
    for line in next_lines(summary, directory):
        console.print(line, soft_wrap=True)


def title(summary: Summary) -> Text:
    """Return what was run and when."""
    line = Text()
    line.append(str(summary["dataset"].get("name") or summary.get("mode", "run")), "bold")
    line.append(f"  {summary['started']} to {summary['ended']}", "dim")
    line.append(f"  seed {summary['seed']}", "dim")
    return line


def amount(text: str | None, *, sign: bool = False) -> Text:
    """Return a decimal string with thousands and at least two digits; results coloured."""
    if text is None:
        return Text("-", "dim")
    value = Decimal(text)
    plain = f"{_shown(value):+,f}" if sign and value else f"{_shown(value):,f}"
    if not sign or value == 0:
        return Text(plain)
    return Text(plain, "green" if value > 0 else "red")


def _shown(value: Decimal) -> Decimal:
    """Round to cents, or to three digits where cents would show next to nothing."""
    if abs(value) >= _TENTH or value == 0:
        return value.quantize(_CENT)
    return value.quantize(Decimal(1).scaleb(value.adjusted() - 2)).normalize()


def money_table(summary: Summary) -> Table:
    """Return the account from wallet to equity, as a sum that can be checked by hand."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("what")
    table.add_column("USDT", justify="right")
    table.add_column("note", style="dim")
    start, end = Decimal(summary["wallet_start"]), Decimal(summary["equity_end"])
    fees = -Decimal(summary["fees"])
    change = f"{100 * (end - start) / start:+.2f} % of the start" if start else ""
    books = "" if summary["books_balance"] else "THE BOOKS DO NOT BALANCE"
    for label, value, note in (
        ("wallet at the start", amount(summary["wallet_start"]), ""),
        ("realised", amount(summary["realised_pnl"], sign=True), ""),
        ("fees", amount(str(fees), sign=True), ""),
        ("funding", amount(summary["funding"], sign=True), ""),
        ("wallet at the end", amount(summary["wallet_end"]), books or "the books balance"),
        ("unrealised", amount(summary["unrealised_pnl"], sign=True), "positions still open"),
        ("equity", _bold(amount(summary["equity_end"])), change),
    ):
        table.add_row(label, value, note)
    table.add_row("largest drawdown", f"{100 * summary['max_drawdown']:.2f} %", "from its high")
    return table


def _bold(text: Text) -> Text:
    text.stylize("bold")
    return text


def counts_text(counts: dict[str, int]) -> str:
    """Return {A: 3, B: 1} as `A 3, B 1`, the largest first."""
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{code} {count:,}" for code, count in ordered)


def total(counts: dict[str, int]) -> int:
    """Return the sum of the counts."""
    found = 0
    for count in counts.values():
        found += count
    return found


def funnel_lines(summary: Summary) -> list[Text]:
    """Return the funnel: what was refused by the strategies, and what became of each signal."""
    evaluations, rejections = summary["evaluations_refused"], summary["rejections"]
    refused = total(rejections)
    chain = Text()
    chain.append(f"{summary['signals']:,} signals", "bold")
    chain.append(
        f" = {summary['order_requests']:,} order requests + {summary['withdrawals']:,} withdrawals"
        f" + {refused:,} rejections"
    )
    after = Text(f"{summary['orders']:,} orders sent, {summary['fills']:,} fills")
    if summary["forced_closes"]:
        after.append(f", {summary['forced_closes']:,} forced closes")
    lines = [chain, after]
    if rejections:
        lines.append(_fact("rejected by the gate", counts_text(rejections)))
    if evaluations:
        text = f"{total(evaluations):,}: {counts_text(evaluations)}"
        lines.append(_fact("evaluations that became no signal", text))
    return lines


def strategies_table(summary: Summary) -> Table:
    """Return one row a strategy that could run."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("strategy", no_wrap=True)
    for name in ("signals", "orders", "refused", "fills", "realised", "fees", "funding"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("net", justify="right", no_wrap=True)
    table.add_column("budget", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, style="dim")
    for name, one in summary["strategies"].items():
        if one.get("cannot_run_because"):
            continue
        table.add_row(
            name,
            f"{one['signals']:,}",
            f"{one['order_requests']:,}",
            f"{total(one['rejections']):,}",
            f"{one['fills']:,}",
            amount(one["realised_pnl"], sign=True),
            amount(str(-Decimal(one["fees"])), sign=True),
            amount(one["funding"], sign=True),
            amount(one["net_pnl"], sign=True),
            amount(one["budget_end"]),
            "active" if one["active"] else "inactive",
        )
    return table


def idle_lines(summary: Summary) -> list[Text]:
    """Return a line for each strategy that could not run."""
    return [
        _fact(f"not run: {name}", one["cannot_run_because"])
        for name, one in summary["strategies"].items()
        if one.get("cannot_run_because")
    ]


def fact_lines(summary: Summary) -> list[tuple[str, str]]:
    """Return slots, capital, dead letters, speed and digests."""
    slots, letters = summary["slots"], summary["dlq"]
    contended = f", contended {slots['contended']:,} times" if slots["contended"] else ""
    who = counts_text({k: v for k, v in slots["refused_by_strategy"].items() if v})
    lines = [
        (
            "slots",
            f"at most {slots['peak']} of {slots['max']} in use{contended}"
            + (f"; refused: {who}" if who else ""),
        ),
        (
            "least spare capital",
            f"{_plain(summary['budgets']['deployable_min_margin'])} USDT "
            "between deployable capital and the sum of budgets",
        ),
        (
            "dead letters",
            f"{letters['parked']} parked, {letters['retried_ok']} cured by a retry, "
            f"{letters['permanent']} left to a person",
        ),
        (
            "speed",
            f"{summary['events_in']:,} events in {summary['wall_seconds']:,.1f} s, "
            f"{summary['events_per_second']:,.0f} events/s, {summary['peak_rss_mb']:,.0f} MB",
        ),
        ("decisions sha256", summary["decisions_sha256"]),
        ("journal sha256", summary["journal_sha256"]),
    ]
    brought = summary.get("guard", {}).get("evidence_lines", ())
    lines.extend(("note", note) for note in (*summary.get("notes", ()), *brought))
    return lines


def _plain(text: str) -> str:
    return amount(text).plain


def _fact(label: str, text: str) -> Text:
    line = Text()
    line.append(f"{label}: ", "dim")
    line.append(text)
    return line


def next_lines(summary: Summary, directory: Path | None) -> list[Text]:
    """Return where the run is kept and what to ask it next."""
    if directory is None:
        return [_fact("next", "add --out DIR to keep tables, journal and report of a run")]
    lines = [
        _fact("kept in", f"{directory}"),
        _fact("next", f"open {directory / 'report.html'}"),
    ]
    quiet = _most_refused(summary)
    if quiet:
        lines.append(_fact("next", f"hean-app why {quiet} {directory}"))
    lines.append(_fact("next", f"hean-app replay {directory} --verify"))
    return lines


def _most_refused(summary: Summary) -> str:
    """Return the running strategy with the most refusals for each order, for `why`."""
    best, most = "", -1.0
    for name, one in summary["strategies"].items():
        if one.get("cannot_run_because"):
            continue
        refused = total(one["rejections"]) + total(one["evaluations_refused"])
        score = refused / (1 + one["order_requests"])
        if score > most:
            best, most = name, score
    return best
