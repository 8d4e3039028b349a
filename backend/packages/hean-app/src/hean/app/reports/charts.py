"""Charts as inline SVG: axes, lines, areas and stacks, coloured by the page's own style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from math import floor, log10
from typing import Final

import msgspec

from hean.app.reports.series import Curve, Stack

WIDTH: Final = 1040
COLOURS: Final = 8
_LEFT: Final = 64
_RIGHT: Final = 16
_TOP: Final = 10
_BOTTOM: Final = 24
_SECOND: Final = 1_000_000_000
_STEPS: Final = (
    60,
    300,
    900,
    1800,
    3600,
    2 * 3600,
    4 * 3600,
    6 * 3600,
    12 * 3600,
    86_400,
    2 * 86_400,
    7 * 86_400,
    14 * 86_400,
    28 * 86_400,
    56 * 86_400,
    91 * 86_400,
    182 * 86_400,
    364 * 86_400,
)
Label = Callable[[float], str]


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """Where data lands: time `first`..`last` in ns, value `low`..`high`, inside the margins."""

    first: int
    last: int
    low: float
    high: float
    height: int

    def x(self, ts_ns: int) -> float:
        """Return the horizontal place of a time."""
        span = max(1, self.last - self.first)
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (ts_ns - self.first) / span

    def y(self, value: float) -> float:
        """Return the vertical place of a value."""
        span = (self.high - self.low) or 1.0
        inner = self.height - _TOP - _BOTTOM
        return _TOP + inner * (1.0 - (value - self.low) / span)


def value_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round values that cover low..high, about `count` of them."""
    span = high - low
    if span <= 0.0:
        return [low]
    raw = span / count
    power = 10.0 ** floor(log10(raw))
    step = next((power * one for one in (1, 2, 2.5, 5) if power * one >= raw), power * 10)
    first = floor(low / step)
    ticks = [round(step * (first + place), 12) for place in range(count * 2 + 3)]
    return [tick for tick in ticks if low - step * 1e-9 <= tick <= high + step * 1e-9]


def padded(values: Sequence[float], *, zero: bool = False) -> tuple[float, float]:
    """Return bounds around values with a little room; `zero` keeps 0 in sight."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    room = (high - low) * 0.06 or abs(high) * 0.01 or 1.0
    return low - room, high + room


def time_ticks(first: int, last: int, count: int = 8) -> list[tuple[int, str]]:
    """Return round UTC times with labels, about `count` of them."""
    seconds = max(1, (last - first) // _SECOND)
    step = next((one for one in _STEPS if seconds / one <= count), _STEPS[-1])
    start = -(-first // (step * _SECOND)) * step * _SECOND
    style = "%d %b" if step >= 86_400 else "%H:%M"
    if step >= 56 * 86_400:
        style = "%b %Y"
    found: list[tuple[int, str]] = []
    at = start
    while at <= last:
        moment = datetime.fromtimestamp(at // _SECOND, UTC)
        midnight = step < 86_400 and moment.hour == 0 and moment.minute == 0
        found.append((at, moment.strftime("%d %b" if midnight else style)))
        at += step * _SECOND
    return found


def axes(plot: Plot, label: Label, *, ticks: Sequence[float] | None = None) -> str:
    """Return grid, value labels and time labels."""
    parts: list[str] = []
    for value in value_ticks(plot.low, plot.high) if ticks is None else ticks:
        y = plot.y(value)
        kind = "zero" if value == 0 else "grid"
        across = f'x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
        parts.append(f'<line class="{kind}" {across}/>')
        parts.append(_text(_LEFT - 8, y + 4, "end", label(value)))
    base = plot.height - _BOTTOM
    for ts_ns, text in time_ticks(plot.first, plot.last):
        x = plot.x(ts_ns)
        parts.append(f'<line class="notch" x1="{x:.1f}" x2="{x:.1f}" y1="{base}" y2="{base + 4}"/>')
        anchor = "end" if x > WIDTH - _RIGHT - 20 else "middle"
        parts.append(_text(x, base + 17, anchor, text))
    return "".join(parts)


def _text(x: float, y: float, anchor: str, text: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="tick" {place}>{escape(text)}</text>'


def path(plot: Plot, curve: Curve, *, steps: bool = False) -> str:
    """Return the curve as an SVG path; `steps` holds each value until the next."""
    parts: list[str] = []
    for ts_ns, value in zip(curve.times, curve.values, strict=True):
        x, y = plot.x(ts_ns), plot.y(value)
        if not parts:
            parts.append(f"M{x:.1f} {y:.1f}")
        elif steps:
            parts.append(f"H{x:.1f}V{y:.1f}")
        else:
            parts.append(f"L{x:.1f} {y:.1f}")
    return "".join(parts)


def svg(height: int, body: str, title: str) -> str:
    """Return a chart that scales with the page."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">'
        f"{body}</svg>"
    )


def colour(place: int) -> str:
    """Return the class of the series at a place; beyond the palette lines are dashed."""
    dashed = " dashed" if place >= COLOURS else ""
    return f"c{place % COLOURS}{dashed}"


def equity_chart(equity: Curve, wallet: Curve, label: Label) -> str:
    """Return equity with the wallet behind it."""
    low, high = padded([*equity.values, *wallet.values])
    plot = Plot(first=equity.times[0], last=equity.times[-1], low=low, high=high, height=280)
    fill = _closed(plot, equity, low)
    body = (
        f"{axes(plot, label)}"
        f'<path class="wash c0" d="{fill}"/>'
        f'<path class="line faint" d="{path(plot, wallet, steps=True)}"/>'
        f'<path class="line c0" d="{path(plot, equity, steps=True)}"/>'
    )
    return svg(plot.height, body, "equity and wallet over time")


def _closed(plot: Plot, curve: Curve, base: float) -> str:
    left, right, bottom = plot.x(curve.times[0]), plot.x(curve.times[-1]), plot.y(base)
    return f"{path(plot, curve, steps=True)}L{right:.1f} {bottom:.1f}L{left:.1f} {bottom:.1f}Z"


def drawdown_chart(drawdown: Curve, label: Label) -> str:
    """Return drawdown as an area that hangs from zero."""
    deepest = min(-1e-4, min(drawdown.values))
    plot = Plot(
        first=drawdown.times[0], last=drawdown.times[-1], low=deepest * 1.08, high=0.0, height=150
    )
    ticks = value_ticks(plot.low, 0.0, 3)
    body = (
        f"{axes(plot, label, ticks=ticks)}"
        f'<path class="wash bad" d="{_closed(plot, drawdown, 0.0)}"/>'
        f'<path class="line bad" d="{path(plot, drawdown, steps=True)}"/>'
    )
    return svg(plot.height, body, "drawdown over time")


def net_chart(curves: Sequence[tuple[Curve, int]], first: int, last: int, label: Label) -> str:
    """Return net results as steps from zero; each curve comes with its colour's place."""
    values = [value for curve, _ in curves for value in curve.values]
    low, high = padded(values, zero=True)
    plot = Plot(first=first, last=last, low=low, high=high, height=300)
    parts = [axes(plot, label)]
    for curve, place in curves:
        begun = Curve(curve.name, [first, *curve.times], [0.0, *curve.values])
        parts.append(
            f'<path class="line {colour(place)}" d="{path(plot, begun, steps=True)}">'
            f"<title>{escape(curve.name)}</title></path>"
        )
    return svg(plot.height, "".join(parts), "net result of each strategy over time")


def stack_chart(stack: Stack, places: Sequence[int], first: int, last: int, label: Label) -> str:
    """Return piled shares of equity, 0 to 100 %."""
    plot = Plot(first=first, last=last, low=0.0, high=1.0, height=260)
    base = [0.0] * len(stack.times)
    parts: list[str] = []
    for name, place, shares in zip(stack.names, places, stack.shares, strict=True):
        top = [below + share for below, share in zip(base, shares, strict=True)]
        area = _band(plot, stack.times, base, top, last)
        faded = " second" if place >= COLOURS else ""
        parts.append(
            f'<path class="band c{place % COLOURS}{faded}" d="{area}">'
            f"<title>{escape(name)}</title></path>"
        )
        base = top
    parts.append(axes(plot, label, ticks=[0.0, 0.25, 0.5, 0.75, 1.0]))
    return svg(plot.height, "".join(parts), "capital of each strategy over time")


def _band(
    plot: Plot, times: Sequence[int], base: Sequence[float], top: Sequence[float], last: int
) -> str:
    ends = [*times[1:], max(last, times[-1])]
    upper, lower = [f"M{plot.x(times[0]):.1f} {plot.y(top[0]):.1f}"], list[str]()
    for place, end in enumerate(ends):
        upper.append(f"V{plot.y(top[place]):.1f}H{plot.x(end):.1f}")
        lower.append(f"V{plot.y(base[place]):.1f}H{plot.x(times[place]):.1f}")
    return "".join([*upper, *reversed(lower), "Z"])
