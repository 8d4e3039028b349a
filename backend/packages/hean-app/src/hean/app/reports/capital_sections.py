"""The parts of `report.html` that say who got the capital and what the refusals were worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from hean.app.reports.capital import (
    ActiveSet,
    Arm,
    GateCost,
    activations,
    gate_costs,
    is_followed,
    last_weights,
    likenesses,
    slot_rows,
)
from hean.app.reports.charts import WIDTH, Plot, colour, svg, time_ticks
from hean.app.reports.run_facts import read_capital
from hean.app.reports.sections import card, signed, table

_ROW: Final = 22
_LEFT, _RIGHT, _FOOT = 190, 12, 26
_PAIRS: Final = 10


def capital_cards(directory: Path, places: Mapping[str, int], first: int, last: int) -> list[str]:
    """Return the cards of weights, arms, active sets, gates, correlation and slots."""
    sets, arms = activations(directory)
    extra = read_capital(directory)
    return [
        weights_card(directory),
        arms_card(arms),
        sets_card(sets, [one.strategy for one in arms], places, first, last),
        gates_card(gate_costs(directory)),
        correlation_card(extra["correlation"]),
        contention_card(extra["slots"]),
    ]


def weights_card(directory: Path) -> str:
    """Return the last allocation line by line."""
    hint = (
        "The last allocation: evidence t with the error of the estimate behind it, the "
        "target it led to, and the bound that decided the weight. Shares of equity."
    )
    rows = [
        [
            escape(one.strategy), one.tier,
            f"{100 * one.weight:.2f} %", f"{100 * one.target:.2f} %",
            f"{one.evidence:+.2f}", f"{one.evidence_error:.3f}", f"{one.minimum_budget:,.2f}",
            one.bound,
        ]
        for one in last_weights(directory)
    ]  # fmt: skip
    heads = ("strategy", "tier", "weight", "target", "t", "error", "B_min", "decided by")
    body = table(heads, rows, (0, 1, 7)) if rows else '<p class="sub">Nobody was given any.</p>'
    return card("Weights at the end", hint, body)


def arms_card(arms: Sequence[Arm]) -> str:
    """Return each arm's posterior with its interval, drawn on one scale."""
    hint = (
        "AutoPilot's belief at its last decision: mean result per 8 hours in R with its 95 % "
        "interval, the bins it rests on, and the share of 1,000 replays of the draw that pick it."
    )
    reach = max((max(abs(one.low), abs(one.high)) for one in arms), default=0.0) or 1.0
    rows = [
        [
            escape(one.strategy), "yes" if one.active else "no", signed(one.mean, 4),
            f"{one.low:+.3f} to {one.high:+.3f}", _whisker(one, reach), f"{one.bins:.1f}",
            f"{100 * one.propensity:.0f} %", escape(one.reason),
        ]
        for one in arms
    ]  # fmt: skip
    heads = ("strategy", "active", "mean", "95 % interval", "", "bins", "picked in", "because")
    body = table(heads, rows, (0, 1, 7)) if rows else '<p class="sub">It never decided.</p>'
    return card("What AutoPilot believes", hint, body)


def _whisker(one: Arm, reach: float) -> str:
    """Return the interval as a line around zero."""

    def x(value: float) -> float:
        return 70.0 + 64.0 * value / reach

    return (
        '<svg viewBox="0 0 140 14" style="width:140px" role="img" aria-hidden="true">'
        '<line class="zero" x1="70" x2="70" y1="0" y2="14"/>'
        f'<path class="line c0" d="M{x(one.low):.1f} 7H{x(one.high):.1f}"/>'
        f'<circle class="c0" fill="currentColor" cx="{x(one.mean):.1f}" cy="7" r="3"/></svg>'
    )


def sets_card(
    sets: Sequence[ActiveSet],
    names: Sequence[str],
    places: Mapping[str, int],
    first: int,
    last: int,
) -> str:
    """Return who was active when: one bar a strategy."""
    hint = f"Who might open positions, over time; {max(0, len(sets) - 1):,} changes."
    if not sets or last <= first:
        return card("Active sets", hint, '<p class="sub">The run was too short to draw.</p>')
    return card("Active sets", hint, active_chart(sets, names, places, first, last))


def active_chart(
    sets: Sequence[ActiveSet],
    names: Sequence[str],
    places: Mapping[str, int],
    first: int,
    last: int,
) -> str:
    """Return a lane for each strategy with a bar while it was active."""
    height = _ROW * len(names) + _FOOT
    plot = Plot(first=first, last=last, low=0.0, high=1.0, height=height)
    span = (WIDTH - _LEFT - _RIGHT) / (last - first)
    ends = [*(one.ts_ns for one in sets[1:]), last]
    parts: list[str] = []
    for row, name in enumerate(names):
        y = row * _ROW
        parts.append(f'<text class="tick" x="0" y="{y + 14}">{escape(name)}</text>')
        for one, end in zip(sets, ends, strict=True):
            begin = max(first, one.ts_ns)
            if name in one.active and end > begin:
                kind = colour(places.get(name, len(places))).split()[0]
                parts.append(
                    f'<rect class="{kind}" fill="currentColor" opacity="0.8" '
                    f'x="{_LEFT + (begin - first) * span:.1f}" y="{y + 4}" '
                    f'width="{max(1.0, (end - begin) * span):.1f}" height="{_ROW - 8}"/>'
                )
    for ts_ns, text in time_ticks(plot.first, plot.last):
        x = _LEFT + (ts_ns - first) * span
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{height - 6}" text-anchor="middle">{text}</text>'
        )
    return svg(height, "".join(parts), "active strategies over time")


def gates_card(found: Sequence[GateCost]) -> str:
    """Return what each refusal saved or cost."""
    hint = (
        "Refused signals followed to their end in a pessimistic shadow book: mean net result in "
        "bp of entry value with its 95 % interval, outcomes taken as independent. Above 0 the "
        "refusal cost money, below it saved some."
    )
    rows: list[list[str]] = []
    for one in found:
        if not one.followed:
            said = "none reached an end" if is_followed(one.code) else "not followed"
            rows.append([escape(one.code), f"{one.refused:,}", "0", "-", "-", "-", "-", said])
            continue
        bounds = "-"
        if one.low_bp is not None and one.high_bp is not None:
            bounds = f"{one.low_bp:+.2f} to {one.high_bp:+.2f}"
        rows.append(
            [
                escape(one.code), f"{one.refused:,}", f"{one.followed:,}", signed(one.mean_bp),
                bounds, f"{one.mean_r:+.3f}", f"{one.total_r:+.1f}", one.verdict,
            ]
        )  # fmt: skip
    heads = ("refusal", "refused", "followed", "mean bp", "95 % interval", "mean R", "all, R", "")
    body = table(heads, rows, (0, 7)) if rows else '<p class="sub">Nothing was refused.</p>'
    return card("What the refusals saved or cost", hint, body)


def correlation_card(found: Mapping[str, Any]) -> str:
    """Return prior correlation and that in force in one square, and what results alone say."""
    names: list[str] = found["names"]
    hint = (
        f"Below the diagonal what was believed before any result, above it what {found['bins']} "
        f"bins of 8 hours make of it, the prior being worth {found['prior_bins']}. Without "
        "results of its own a strategy keeps its prior row."
    )
    rows: list[list[str]] = []
    for i, name in enumerate(names):
        cells = [
            "1" if i == j else f"{found['in_force' if j > i else 'prior'][i][j]:+.2f}"
            for j in range(len(names))
        ]
        idle = "" if name in found["moved"] else ' <span class="sub">no results</span>'
        rows.append([f"{i + 1} {escape(name)}{idle}", *cells])
    heads = ("", *(str(place + 1) for place in range(len(names))))
    body = table(heads, rows) + _measured(found)
    return card("How strategies move together", hint, body)


def _measured(found: Mapping[str, Any]) -> str:
    """Return the pairs that results moved most, with what the results alone say."""
    pairs = likenesses(found)
    if not pairs:
        return '<p class="sub">No two strategies have results of their own.</p>'
    said = f"Measured alone, without the prior: {len(pairs)} pairs with results"
    said += f", the {_PAIRS} that results moved most." if len(pairs) > _PAIRS else "."
    rows = [
        [escape(one.strategy), escape(one.other)]
        + [f"{value:+.2f}" for value in (one.prior, one.measured, one.in_force)]
        for one in pairs[:_PAIRS]
    ]
    heads = ("strategy", "and", "believed", "measured", "in force")
    return f'<p class="sub">{said}</p>' + table(heads, rows, (0, 1))


def contention_card(slots: Mapping[str, Any]) -> str:
    """Return who won and who lost when slots were scarce."""
    hint = f"At most {slots['peak']} of {slots['max']} slots were in use."
    rows = [
        [escape(name), f"{won:,}", f"{refused:,}", escape(words) or "-"]
        for name, won, refused, words in slot_rows(slots)
    ]
    heads = ("strategy", "last slots won", "refused", "lost to")
    body = table(heads, rows, (0, 3)) if rows else '<p class="sub">No slot was ever scarce.</p>'
    return card("Slot contention", hint, body)
