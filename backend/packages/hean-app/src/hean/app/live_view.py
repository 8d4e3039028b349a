"""The live terminal view: account, positions, what strategies wait for, last decisions."""

from __future__ import annotations

from decimal import Decimal

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hean.app.view import Pace, clock_text
from hean.app.view_state import (
    DecisionLine,
    PositionLine,
    StrategyLine,
    ViewState,
    age_text,
    coin_of,
)
from hean.core.clock import Clock

_FRAME_LINES = 8
_LEAST_ROWS = 3
_OUTCOMES = {"order": "green", "refused": "yellow", "withdrawn": "cyan"}
_RISK = {"NORMAL": "green", "SOFT_BRAKE": "yellow", "QUARANTINE": "dark_orange"}
_BAR = 40
_WAITING = "waiting because "
_SPACIOUS = 36


class LiveView:
    """Draws in place below the first line; what is noted scrolls away above."""

    def __init__(self, clock: Clock, console: Console | None = None) -> None:
        self._pace = Pace(clock)
        self._console = console or Console()
        self._live: Live | None = None

    def warming(self, share: float, events_per_second: float) -> None:
        """Show how far the past has been played."""
        self._draw(warming_line(share, events_per_second))

    def update(self, state: ViewState) -> None:
        """Show the present picture."""
        rate = self._pace.of(state.events)
        self._draw(picture(state, rate, self._console.width, self._console.height))

    def note(self, text: str) -> None:
        """Print a sentence above the view."""
        self._console.print(Text(text, style="dim"))

    def close(self) -> None:
        """Stop drawing; the last picture stays."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _draw(self, what: RenderableType) -> None:
        if self._live is None:
            self._live = Live(
                what, console=self._console, auto_refresh=False, vertical_overflow="crop"
            )
            self._live.start()
        self._live.update(what, refresh=True)


def warming_line(share: float, events_per_second: float) -> Text:
    """Return the bar of the warm-up."""
    done = round(_BAR * min(1.0, max(0.0, share)))
    line = Text("warming up  ")
    line.append("━" * done, "green")
    line.append("━" * (_BAR - done), "bright_black")
    line.append(f"  {100 * share:3.0f} %", "bold")
    line.append(f"  {events_per_second:,.0f} events/s of the market's own past", "dim")
    return line


def picture(state: ViewState, events_per_second: float, width: int, height: int) -> RenderableType:
    """Return the whole view, cut to the terminal's height."""
    spacing = (Text(),) if height >= _SPACIOUS else ()
    rows = max(3 * _LEAST_ROWS, height - _FRAME_LINES - 3 - 2 * len(spacing))
    positions = max(1, min(len(state.positions), max(_LEAST_ROWS, rows // 3)))
    strategies = max(1, min(len(state.strategies), max(_LEAST_ROWS, rows - positions - 4)))
    decisions = max(1, rows - positions - strategies)
    return Group(
        account_lines(state, events_per_second),
        Text(),
        positions_table(state, positions, width),
        *spacing,
        strategies_table(state, strategies, width),
        *spacing,
        decisions_table(state, decisions, width),
    )


def money(value: Decimal | float, *, sign: bool = False) -> Text:
    """Return an amount with two digits; results in green and red."""
    text = f"{value:+,.2f}" if sign else f"{value:,.2f}"
    if not sign or text in ("+0.00", "-0.00"):
        return Text(text.replace("-0.00", "+0.00") if sign else text)
    return Text(text, "green" if value > 0 else "red")


def account_lines(state: ViewState, events_per_second: float) -> Text:
    """Return the two header lines: the money, and what may happen now."""
    line = Text()
    line.append("equity ", "dim")
    line.append(f"{state.equity:,.2f} USDT", "bold")
    for label, value in (("today", state.day_pnl), ("unrealised", state.unrealised)):
        line.append(f"   {label} ", "dim")
        line.append_text(money(value, sign=True))
    line.append("   wallet ", "dim")
    line.append(f"{state.wallet:,.2f}")
    line.append("   drawdown ", "dim")
    line.append(f"{100 * state.drawdown:.2f} %\n")
    line.append(state.risk_state, _RISK.get(state.risk_state, "bold red"))
    if state.entries_allowed:
        line.append("  entries open", "green")
    else:
        line.append(f"  no entries: {state.entries_reason}", "yellow")
    line.append("   slots ", "dim")
    line.append(f"{state.slots_used}/{state.slots_max}")
    pace = "as fast as it goes" if state.speed is None else f"{state.speed:g}x"
    line.append(f"   {clock_text(state.now_ns)} UTC", "dim")
    line.append(f"  {state.mode} {state.feed} seed {state.seed}  {pace}", "dim")
    line.append(f"  {events_per_second:,.0f} ev/s", "dim")
    return line


def _table(title: str, columns: tuple[tuple[str, str], ...], width: int) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        width=width,
    )
    for place, (name, kind) in enumerate(columns):
        wide = place == len(columns) - 1
        table.add_column(
            name,
            justify="right" if kind == "number" else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if wide else None,
        )
    return table


def positions_table(state: ViewState, rows: int, width: int) -> Table:
    """Return the open positions, the newest last, at most `rows` of them."""
    table = _table(
        f"Positions {len(state.positions)}",
        (
            ("instrument", ""),
            ("side", ""),
            ("quantity", "number"),
            ("entry", "number"),
            ("mark", "number"),
            ("unrealised", "number"),
            ("age", "number"),
            ("strategy", ""),
        ),
        width,
    )
    for one in state.positions[:rows]:
        table.add_row(*_position_cells(one))
    if not state.positions:
        table.add_row(Text("none open", "dim"))
    _more(table, len(state.positions) - rows)
    return table


def _position_cells(one: PositionLine) -> tuple[RenderableType, ...]:
    return (
        one.instrument.removesuffix(".BYBIT"),
        Text(one.side, "green" if one.side == "long" else "red"),
        f"{one.quantity}",
        f"{float(one.entry):,.6g}",
        "-" if one.mark is None else f"{one.mark:,.6g}",
        Text("-") if one.unrealised is None else money(one.unrealised, sign=True),
        age_text(one.age_ns),
        Text(one.strategy, "dim"),
    )


def strategies_table(state: ViewState, rows: int, width: int) -> Table:
    """Return the strategies: budget, counts, net result, and what each does or waits for."""
    active = len([one for one in state.strategies if one.active])
    table = _table(
        f"Strategies {active} active of {len(state.strategies)}",
        (
            ("strategy", ""),
            ("budget", "number"),
            ("sig", "number"),
            ("ord", "number"),
            ("fill", "number"),
            ("net", "number"),
            ("doing, or waiting because", ""),
        ),
        width,
    )
    for one in state.strategies[:rows]:
        table.add_row(*_strategy_cells(one))
    _more(table, len(state.strategies) - rows)
    return table


def _strategy_cells(one: StrategyLine) -> tuple[RenderableType, ...]:
    faint = not one.runs or not one.active
    text = one.text.replace(_WAITING + "the strategy ", "", 1).replace(_WAITING, "", 1)
    style = "dim" if faint else ("cyan" if one.warming else "")
    if "holding" in text or "closing" in text:
        style = "bold"
    if one.runs and not one.active:
        text = f"inactive: {text}"
    name = Text()
    name.append("● " if one.active else "○ ", "green" if one.active else "dim")
    name.append(one.strategy, "dim" if faint else "")
    return (
        name,
        f"{one.budget:,.2f}" if one.budget else Text("-", "dim"),
        str(one.signals),
        str(one.orders),
        str(one.fills),
        money(one.net, sign=True) if one.fills or one.net else Text("-", "dim"),
        Text(text, style),
    )


def decisions_table(state: ViewState, rows: int, width: int) -> Table:
    """Return the last decisions, the newest first."""
    table = _table(
        f"Last decisions of {state.decisions_made:,}",
        (("time", ""), ("decision", ""), ("strategy", ""), ("instrument", ""), ("what", "")),
        width,
    )
    for one in state.decisions[::-1][:rows]:
        table.add_row(*_decision_cells(one))
    if not state.decisions:
        table.add_row(Text("none yet", "dim"))
    return table


def _decision_cells(one: DecisionLine) -> tuple[RenderableType, ...]:
    side = f"{one.side.lower()} " if one.side else ""
    return (
        Text(clock_text(one.ts_ns)[11:], "dim"),
        Text(one.outcome, _OUTCOMES.get(one.outcome, "")),
        one.strategy,
        coin_of(one.instrument),
        f"{side}{one.text}",
    )


def _more(table: Table, hidden: int) -> None:
    if hidden > 0:
        table.add_row(Text(f"and {hidden} more", "dim"))
