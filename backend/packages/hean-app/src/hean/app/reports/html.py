"""`report.html`: a run on one page that needs nothing else; its charts and style are its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from hean.app.reports import sections
from hean.app.reports.capital_sections import capital_cards
from hean.app.reports.charts import (
    colour,
    drawdown_chart,
    equity_chart,
    net_chart,
    stack_chart,
)
from hean.app.reports.evaluation_sections import evaluation_cards
from hean.app.reports.guard import guard_card
from hean.app.reports.run_facts import changed_settings, run_settings
from hean.app.reports.sections import card, signed, usdt
from hean.app.reports.series import Curve, Stack, capital_stack, equity_curves
from hean.app.reports.style import CSS
from hean.app.reports.trades import net_curves, trade_totals
from hean.app.timespan import parse_instant

Summary = Mapping[str, Any]


def write_report(directory: Path, summary: Summary) -> None:
    """Write `report.html` from the tables in a run directory and its summary."""
    (directory / "report.html").write_text(page(directory, summary), encoding="utf-8")


def page(directory: Path, summary: Summary) -> str:
    """Return the whole page."""
    first = parse_instant(summary["started"], "started")
    curves = equity_curves(directory, first)
    places = {name: place for place, name in enumerate(summary["strategies"])}
    last = curves[0].times[-1] if curves[0].times else None
    parts = [
        sections.header(summary),
        sections.tiles(summary),
        *money_cards(curves),
        net_card(net_curves(directory, last), places, curves[0]),
        capital_card(capital_stack(directory, first), places, curves[0]),
        *capital_cards(directory, places, first, first if last is None else last),
        sections.funnel_card(summary),
        sections.trades_card(trade_totals(directory)),
        guard_card(summary["guard"]),
        *evaluation_cards(directory, places),
        '<div class="pair">',
        sections.slots_card(summary),
        sections.settings_card(changed_settings(run_settings(directory))),
        "</div>",
        sections.notes_card(summary),
        sections.proof_card(summary),
    ]
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(sections.name_of(summary))} - HEAN</title><style>{CSS}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def money_cards(curves: tuple[Curve, Curve, Curve]) -> list[str]:
    """Return the cards of equity and drawdown."""
    equity, wallet, drawdown = curves
    if len(equity.times) < 2:
        return [card("Equity", "The run was too short to draw.", "")]
    legend = (
        '<div class="legend"><span><i class="c0"></i>equity: wallet and open positions at their '
        'marks</span><span class="sub"><i></i>wallet: what is realised and paid</span></div>'
    )
    return [
        card("Equity", "USDT over time (UTC).", equity_chart(equity, wallet, usdt) + legend),
        card(
            "Drawdown",
            "How far equity stood below its highest value so far.",
            drawdown_chart(drawdown, lambda value: f"{100 * value:.3g} %"),
        ),
    ]


def net_card(curves: Sequence[Curve], places: Mapping[str, int], equity: Curve) -> str:
    """Return the card of each strategy's net result."""
    title = "Net result by strategy"
    hint = "Realised result minus fees plus funding, in USDT; open positions are not marked here."
    if not curves or len(equity.times) < 2:
        return card(title, hint, '<p class="sub">No strategy had a fill.</p>')
    placed = [(curve, places.get(curve.name, len(places))) for curve in curves]
    first = min(equity.times[0], *(curve.times[0] for curve in curves))
    last = max(equity.times[-1], *(curve.times[-1] for curve in curves))
    ordered = sorted(placed, key=lambda one: -one[0].last)
    legend = "".join(
        f'<span><i class="{colour(place)}"></i>{escape(curve.name)}'
        f"<em>{signed(curve.last)}</em></span>"
        for curve, place in ordered
    )
    chart = net_chart(placed, first, last, lambda value: f"{value:,.6g}")
    return card(title, hint, f'{chart}<div class="legend">{legend}</div>')


def capital_card(stack: Stack, places: Mapping[str, int], equity: Curve) -> str:
    """Return the card of capital over time."""
    title = "Capital by strategy"
    hint = (
        "Share of equity each strategy may use; the empty rest is the cash reserve and capital "
        "nobody got."
    )
    if not stack.names or not equity.times:
        return card(title, hint, '<p class="sub">No capital was allocated to anyone.</p>')
    order = [places.get(name, len(places)) for name in stack.names]
    first = min(equity.times[0], stack.times[0])
    last = max(equity.times[-1], stack.times[-1])
    chart = stack_chart(stack, order, first, last, lambda value: f"{100 * value:.0f} %")
    legend = "".join(
        f'<span><i class="block c{place % 8}{" second" if place >= 8 else ""}"></i>'
        f"{escape(name)}<em>{100 * shares[-1]:.1f} %</em></span>"
        for name, place, shares in zip(stack.names, order, stack.shares, strict=True)
    )
    return card(title, hint, f'{chart}<div class="legend">{legend}</div>')
