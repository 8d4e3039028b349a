"""The parts of `report.html` that are words and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from html import escape
from typing import Any, Final

from hean.app.reports.trades import TradeTotals
from hean.core.events import ReasonCode

Summary = Mapping[str, Any]
_TOP_CODES: Final = 4
_TONES: Final = (0.95, 0.7, 0.5, 0.36, 0.25, 0.18)
_SENTENCES: Final = {code.value: code.sentence for code in ReasonCode}


def card(title: str, hint: str, body: str) -> str:
    """Return a box with a title, a sentence and its content."""
    said = f'<p class="hint">{escape(hint)}</p>' if hint else ""
    return f'<section class="card"><h2>{escape(title)}</h2>{said}{body}</section>'


def usdt(value: float) -> str:
    """Return an amount for an axis or a cell."""
    return f"{value:,.2f}"


def signed(value: float | Decimal | str, digits: int = 2) -> str:
    """Return a result, coloured by its sign."""
    number = float(value)
    text = f"{number:+,.{digits}f}"
    if float(text.replace(",", "")) == 0.0:
        return f"{0:.{digits}f}"
    return f'<span class="{"good" if number > 0 else "bad"}">{text}</span>'


def name_of(summary: Summary) -> str:
    """Return what the run was made on."""
    return str(summary["dataset"].get("name") or summary.get("mode", "run"))


def header(summary: Summary) -> str:
    """Return title, period and what kind of run this is."""
    return (
        f"<header><h1>{escape(name_of(summary))}</h1>"
        f'<p class="sub">{_when(summary["started"])} to {_when(summary["ended"])} UTC, '
        f"{escape(str(summary.get('mode', 'replay')))}, seed {summary['seed']}</p>"
        '<p class="sub">Orders were filled by the model of the paper venue, not by a market. '
        "Nothing here is annualised.</p></header>"
    )


def _when(text: str) -> str:
    return escape(text.replace("T", " ").removesuffix("Z").removesuffix(":00"))


def tiles(summary: Summary) -> str:
    """Return the figures one looks at first."""
    start, end = Decimal(summary["wallet_start"]), Decimal(summary["equity_end"])
    change = end - start
    share = f" ({100 * change / start:+.2f} %)" if start else ""
    balance = (
        '<span class="good">the books balance</span>'
        if summary["books_balance"]
        else '<span class="bad">the books do not balance</span>'
    )
    return (
        '<div class="tiles">'
        + _tile(usdt(float(end)), f"equity, from {start:,.2f}")
        + _tile(signed(change), f"net result{share}")
        + _tile(f"{100 * summary['max_drawdown']:.2f} %", "largest drawdown")
        + _tile(usdt(float(summary["fees"])), "fees paid")
        + _tile(signed(summary["funding"]), "funding, received positive")
        + f'<div class="tile"><b>{summary["fills"]:,}</b><span>fills; {balance}</span></div></div>'
    )


def _tile(figure: str, words: str) -> str:
    return f'<div class="tile"><b>{figure}</b><span>{escape(words)}</span></div>'


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], texts: Sequence[int] = (0,)) -> str:
    """Return a table of ready HTML cells; the columns in `texts` are aligned left."""
    head = "".join(
        f'<th class="text">{escape(one)}</th>' if place in texts else f"<th>{escape(one)}</th>"
        for place, one in enumerate(heads)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="text">{cell}</td>' if place in texts else f"<td>{cell}</td>"
            for place, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def total(counts: Mapping[str, int]) -> int:
    """Return the sum of the counts."""
    found = 0
    for count in counts.values():
        found += count
    return found


def mix(counts: Mapping[str, int]) -> str:
    """Return a bar of reasons by how often they decided, and the largest of them in words."""
    whole = total(counts)
    if not whole:
        return '<span class="sub">none</span>'
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    bar = "".join(
        f'<span style="flex:{count};opacity:{_TONES[min(place, len(_TONES) - 1)]}" '
        f'title="{escape(code)} {count:,}: {escape(_SENTENCES.get(code, ""), quote=True)}"></span>'
        for place, (code, count) in enumerate(ordered)
    )
    shown = ", ".join(f"{escape(code)} {count:,}" for code, count in ordered[:_TOP_CODES])
    more = f", {len(ordered) - _TOP_CODES} more" if len(ordered) > _TOP_CODES else ""
    return f'<div class="mix">{bar}</div><div class="codes">{shown}{more}</div>'


def funnel_card(summary: Summary) -> str:
    """Return what became of every evaluation and signal, strategy by strategy."""
    hint = (
        f"{summary['signals']:,} signals = {summary['order_requests']:,} order requests + "
        f"{summary['withdrawals']:,} withdrawals + {total(summary['rejections']):,} rejections. "
        "An evaluation is a moment at which a strategy was triggered and judged; most end in its "
        "own refusal."
    )
    rows: list[list[str]] = []
    idle: list[str] = []
    for name, one in summary["strategies"].items():
        if one.get("cannot_run_because"):
            idle.append(f"{escape(name)} did not run: {escape(one['cannot_run_because'])}.")
            continue
        rows.append(
            [
                escape(name) + ("" if one["active"] else ' <span class="sub">inactive</span>'),
                mix(one["evaluations_refused"]),
                f"{one['signals']:,}",
                mix(one["rejections"]),
                f"{one['order_requests']:,}",
                f"{one['fills']:,}",
            ]
        )
    heads = (
        "strategy",
        "evaluations it refused itself",
        "signals",
        "rejected by the gate",
        "orders",
        "fills",
    )
    body = table(heads, rows, (0, 1, 3)) if rows else ""
    lines = "".join(f'<p class="hint">{text}</p>' for text in idle)
    return card("From evaluation to fill", hint, body + lines)


def duration(nanoseconds: float) -> str:
    """Return a length of time in its largest fitting unit."""
    seconds = nanoseconds / 1e9
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def trades_card(found: Mapping[str, TradeTotals]) -> str:
    """Return the round trips of each strategy."""
    hint = (
        "A round trip is a position from flat to flat, its result after fees and before funding, "
        "in USDT. With few trips these figures say little."
    )
    if not found:
        return card("Round trips", hint, '<p class="sub">There was no fill.</p>')
    heads = (
        "strategy",
        "closed",
        "open",
        "won",
        "mean",
        "best",
        "worst",
        "gains / losses",
        "mean hold",
        "maker fills",
        "turnover",
        "fees",
    )
    return card("Round trips", hint, table(heads, [_trade_row(n, t) for n, t in found.items()]))


def _trade_row(name: str, one: TradeTotals) -> list[str]:
    if not one.closed:
        outcome = ["-"] * 6
    else:
        factor = one.profit_factor
        outcome = [
            f"{100 * one.won / one.closed:.0f} %",
            signed(one.net / one.closed, 3),
            signed(one.best, 3),
            signed(one.worst, 3),
            "no loss" if factor is None else f"{factor:.2f}",
            duration(one.held_ns / one.closed),
        ]
    return [
        escape(name),
        f"{one.closed:,}",
        f"{one.open:,}",
        *outcome,
        f"{100 * one.maker_fills / one.fills:.0f} %",
        f"{one.volume:,.0f}",
        f"{one.fees:,.2f}",
    ]


def slots_card(summary: Summary) -> str:
    """Return how tight slots and capital were, and what failed on the way."""
    slots, letters = summary["slots"], summary["dlq"]
    rows = [
        ["slots in use at most", f"{slots['peak']} of {slots['max']}"],
        ["slots contended", f"{slots['contended']:,}"],
    ]
    rows.extend(
        [f"refused a slot: {escape(name)}", f"{count:,}"]
        for name, count in slots["refused_by_strategy"].items()
        if count
    )
    rows += [
        ["least spare capital, USDT", usdt(float(summary["budgets"]["deployable_min_margin"]))],
        ["forced closes", f"{summary['forced_closes']:,}"],
        ["failed deliveries parked", f"{letters['parked']:,}"],
        ["of these cured by a retry", f"{letters['retried_ok']:,}"],
        ["left to a person", f"{letters['permanent']:,}"],
    ]
    return card("Slots and failures", "", table(("", ""), rows))


def settings_card(changed: Sequence[tuple[str, str, str]]) -> str:
    """Return the settings that were not at their default."""
    if not changed:
        return card("Settings", "Every setting was at its default.", "")
    rows = [
        [f"<code>{escape(name)}</code>", escape(value) or "-", escape(default) or "-"]
        for name, value, default in changed
    ]
    return card(
        "Settings",
        "Those that were not at their default.",
        table(("setting", "this run", "default"), rows, (0, 1, 2)),
    )


def notes_card(summary: Summary) -> str:
    """Return what the feed made up, left out or assumed; nothing without notes."""
    notes = summary.get("notes", ())
    if not notes:
        return ""
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return card("What the data assumes", "", f"<ul>{items}</ul>")


def proof_card(summary: Summary) -> str:
    """Return what identifies the run and lets anyone make it again."""
    versions = ", ".join(f"{name} {text}" for name, text in summary["versions"].items())
    rows = (
        ("run", summary["run_id"]),
        ("dataset", summary["dataset"].get("sha256", "")),
        ("settings", summary["settings_sha256"]),
        ("decisions", summary["decisions_sha256"]),
        ("journal", summary["journal_sha256"]),
        ("versions", versions),
        (
            "speed",
            f"{summary['events_in']:,} events in {summary['wall_seconds']:,.1f} s, "
            f"{summary['events_per_second']:,.0f} a second, {summary['peak_rss_mb']:,.0f} MB",
        ),
    )
    body = "".join(
        f'<tr><td class="text">{name}</td>'
        f'<td class="code text">{escape(str(text)) or "-"}</td></tr>'
        for name, text in rows
    )
    return card(
        "Proof",
        "SHA-256 digests; the same data, settings and seed give the same decisions and journal "
        "anywhere. Check with: hean-app replay RUN_DIR --verify.",
        f'<div class="scroll"><table><tbody>{body}</tbody></table></div>',
    )
