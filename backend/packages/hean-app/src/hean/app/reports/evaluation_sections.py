"""The evaluation's part of `report.html`: its table and two pictures of net results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

from hean.app.reports.charts import WIDTH, colour, net_chart, svg, value_ticks
from hean.app.reports.evaluation import ALL
from hean.app.reports.evaluation_view import (
    cells_of,
    heads_of,
    interval_text,
    reading_lines,
    short_name,
    silent_lines,
)
from hean.app.reports.sections import card, table
from hean.app.reports.series import Curve, thin

Values = dict[str, Any]
_LEFT: Final = 230
_RIGHT: Final = 20
_ROW: Final = 34
_FOOT: Final = 24
_DOTS: Final = 400


def evaluation_cards(directory: Path, places: Mapping[str, int]) -> list[str]:
    """Return the cards of a run that was evaluated; none without `evaluation.json`."""
    path = directory / "evaluation.json"
    if not path.is_file():
        return []
    found: Values = json.loads(path.read_text(encoding="utf-8"))
    return [
        cells_card(found),
        spread_card(found, places),
        *(cumulative_card(found, places, kind) for kind in _kinds(found)),
    ]


def _kinds(found: Values) -> list[str]:
    return list(dict.fromkeys(one["kind"] for one in found["trades"]))


def cells_card(found: Values) -> str:
    """Return the table of all cells and how to read it."""
    rows = [row for one in found["strategies"] for row in one["rows"]]
    figures = heads_of(found)
    heads = ("strategy and instrument", "regime", *figures, "guard")
    cells = [
        [
            _label(row), row["regime"],
            *(escape(text) for text in cells_of(row)[: len(figures)]), row["guard"],
        ]
        for row in rows
    ]  # fmt: skip
    body = '<p class="sub">No trade closed.</p>'
    if rows:
        body = f'<div class="dense">{table(heads, cells, (0, 1, len(heads) - 1))}</div>'
    lines = [*silent_lines(found), *reading_lines(found)]
    body += "".join(f'<p class="hint">{escape(line)}</p>' for line in lines)
    return card("Edge, cell by cell", "Each strategy by instrument and regime at entry.", body)


def _label(row: Values) -> str:
    """Return a total's strategy and book, or a cell's instrument below it."""
    if row["instrument"] == ALL:
        return f'<b>{escape(row["strategy"])}</b> <span class="sub">{row["kind"]}</span>'
    return f"&emsp;{escape(short_name(row['instrument']))}"


def spread_card(found: Values, places: Mapping[str, int]) -> str:
    """Return each strategy's trades as dots on one scale, with mean and interval."""
    totals = [row for one in found["strategies"] for row in one["rows"] if row["instrument"] == ALL]
    title, hint = "Net bp of each trade", (
        "A dot is a trade; the bar is the 95 % interval of the mean, the notch the mean. Trades "
        "beyond the middle 98 % stand at the edge."
    )  # fmt: skip
    if not totals:
        return card(title, hint, '<p class="sub">No trade was closed.</p>')
    nets = {
        (row["strategy"], row["kind"]): sorted(
            one["net_bp"]
            for one in found["trades"]
            if one["strategy"] == row["strategy"] and one["kind"] == row["kind"]
        )
        for row in totals
    }
    low, high = _bounds(sorted(value for values in nets.values() for value in values))
    height = _ROW * len(totals) + _FOOT
    parts = [_scale(low, high, height)]
    for place, row in enumerate(totals):
        key = (row["strategy"], row["kind"])
        middle = _ROW * place + _ROW / 2
        parts.append(_strip(row, nets[key], middle, (low, high), places))
    return card(title, hint, svg(height, "".join(parts), "net bp of each trade by strategy"))


def _bounds(values: list[float]) -> tuple[float, float]:
    cut = len(values) // 100
    low, high = min(0.0, values[cut]), max(0.0, values[-cut - 1])
    room = 0.04 * (high - low) or 1.0
    return low - room, high + room


def _x(value: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    share = (min(high, max(low, value)) - low) / (high - low)
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * share


def _scale(low: float, high: float, height: int) -> str:
    parts: list[str] = []
    for value in value_ticks(low, high, 8):
        x, kind = _x(value, (low, high)), "zero" if value == 0 else "grid"
        parts.append(
            f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - _FOOT}"/>'
            f'<text class="tick" x="{x:.1f}" y="{height - 7}" text-anchor="middle">{value:g}</text>'
        )
    return "".join(parts)


def _strip(
    row: Values,
    nets: list[float],
    middle: float,
    bounds: tuple[float, float],
    places: Mapping[str, int],
) -> str:
    step = max(1, -(-len(nets) // _DOTS))
    dots = "".join(
        f'<circle cx="{_x(value, bounds):.1f}" cy="{middle - 4:.1f}" r="3" fill="currentColor" '
        'opacity="0.35"/>'
        for value in nets[::step]
    )
    net = row["net"]
    bar = ""
    if net["low"] is not None:
        left, right = _x(net["low"], bounds), _x(net["high"], bounds)
        bar = (
            f'<rect x="{left:.1f}" y="{middle + 5:.1f}" width="{max(1.0, right - left):.1f}" '
            'height="4" fill="currentColor" opacity="0.7"/>'
        )
    mean = _x(net["mean"], bounds)
    name = f"{row['strategy']}, {row['kind']}, {row['trades']:,}"
    return (
        f'<text class="tick" x="0" y="{middle + 4:.1f}">{escape(name)}</text>'
        f'<g class="{colour(places.get(row["strategy"], len(places)))}">'
        f"<title>{escape(interval_text(net))}</title>{dots}{bar}"
        f'<rect x="{mean - 1:.1f}" y="{middle + 2:.1f}" width="2" height="10" fill="currentColor"/>'
        "</g>"
    )


def cumulative_card(found: Values, places: Mapping[str, int], kind: str) -> str:
    """Return the running sum of net bp of each strategy's trades of one kind."""
    curves: dict[str, Curve] = {}
    for one in found["trades"]:
        if one["kind"] == kind:
            curve = curves.setdefault(one["strategy"], Curve(one["strategy"], [], []))
            curve.values.append(curve.last + one["net_bp"])
            curve.times.append(one["closed_ns"])
    placed = [
        (thin(curve), places.get(name, len(places))) for name, curve in sorted(curves.items())
    ]
    first = min(curve.times[0] for curve, _ in placed)
    last = max(curve.times[-1] for curve, _ in placed)
    legend = "".join(
        f'<span><i class="{colour(place)}"></i>{escape(curve.name)}'
        f"<em>{curve.last:+,.0f}</em></span>"
        for curve, place in placed
    )
    hint = (
        "The sum of net bp over closed trades, each counted alike whatever its size: not the "
        "account's result."
    )
    chart = net_chart(placed, first, last, lambda value: f"{value:,.6g}")
    return card(f"Cumulative net bp, {kind}", hint, f'{chart}<div class="legend">{legend}</div>')
