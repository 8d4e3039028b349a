"""The plan of a small account on a terminal and as JSON."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hean.app.planning import Plan, Share
from hean.core.planner import UNPAYABLE_SHARE, PlanLine, Verdict, cents_up

_PIPE_WIDTH: Final = 150
_MOST_SETS: Final = 5
_COLOURS: Final = {
    Verdict.OK: "green",
    Verdict.COSTLY: "yellow",
    Verdict.FULL_ONLY: "yellow",
    Verdict.NO: "red",
    Verdict.UNPAYABLE: "red",
}
_LIMITS: Final = {
    "cost": "costs",
    "trade_risk": "trade risk",
    "max_weight": "weight cap",
    "instrument": "instrument",
    "stress": "stress",
    "cvar": "CVaR",
    "lot": "lot",
    "risk": "stop",
    "rungs": "rungs",
    "drawdown": "drawdown",
    "floor": "weight floor",
}
_MEANING: Final = (
    "smallest: N_min, the least the venue takes; at risk: its loss at the typical stop with costs; "
    "budget: B_min, set by the stop, the lot or the rungs; a line opens at 1.2 B_min under the "
    "weight cap and stays above B_min. OK and COSTLY trade, FULL_ONLY needs the FULL tier. "
    "CVaR is that of the first 250 hours; a known history asks for less where legs hedge."
)


def print_plan(plan: Plan, *, as_json: bool) -> None:
    """Print a plan to stdout; JSON is the plan and nothing else."""
    if as_json:
        sys.stdout.write(json.dumps(as_data(plan), indent=2) + "\n")
        return
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    show_plan(plan, Console(file=sys.stdout, highlight=False, width=width))


def as_data(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain values; money as decimal strings, null where no capital opens it."""
    equity, terms = plan.capital, plan.terms
    return {
        "capital": str(equity),
        "deployable": _money(equity * terms.deployable),
        "reserve": _money(equity * (1 - terms.deployable)),
        "cap": _money(equity * terms.max_weight),
        "floor": _money(equity * terms.min_weight),
        "drawdown_multiplier": str(plan.multiplier),
        "size_factors": {name: str(one) for name, one in plan.factors.items()},
        "market": plan.market.source,
        "prices": {name: str(price) for name, price in sorted(plan.market.prices.items())},
        "lines": [_line_data(plan, one) for one in plan.lines],
        "idle": plan.idle,
        "sets": [
            {
                "strategies": sorted(one.strategy for one in chosen),
                "needed": _money(_total(chosen)),
            }
            for chosen in plan.sets
        ],
        "allocation": [
            {
                "strategy": one.strategy,
                "weight": f"{one.weight:.6f}",
                "budget": _money(one.budget),
                "needed": _money(one.needed),
                "set_by": _set_by(one),
                "on": one.line.name,
            }
            for one in plan.shares
        ],
        "cash": _money(equity - _budgets(plan.shares)),
    }


def _line_data(plan: Plan, line: PlanLine) -> dict[str, Any]:
    verdict, limit = plan.verdict(line)
    return {
        "strategy": line.strategy,
        "instruments": [leg.instrument.id for leg in line.structure.legs],
        "shape": line.structure.shape.value,
        "smallest": _money(line.structure.smallest),
        "stop": str(line.structure.stop),
        "cost": str(line.structure.cost),
        "cost_share": float(round(line.cost_share, 6)),
        "loss": str(line.structure.loss),
        "minimum_budget": _money(line.minimum_budget),
        "needed_budget": _money(line.needed_budget),
        "set_by": line.set_by,
        "verdict": verdict.value,
        "limit": limit,
        "opening_set_by": line.opening_set_by,
        "opens_at": _money(line.opens_at) if line.payable else None,
        "opens_full_at": _money(line.opens_full_at) if line.payable else None,
        "closes_below": _money(line.closes_at) if line.payable else None,
    }


def _money(value: Decimal) -> str | None:
    return f"{cents_up(value):f}" if value.is_finite() else None


def _total(chosen: tuple[Any, ...]) -> Decimal:
    total = Decimal(0)
    for one in chosen:
        total += one.needed
    return total


def _budgets(shares: tuple[Share, ...]) -> Decimal:
    total = Decimal(0)
    for one in shares:
        total += one.budget
    return total


def show_plan(plan: Plan, console: Console) -> None:
    """Draw the plan on a console."""
    console.print(_title(plan), soft_wrap=True)
    console.print()
    console.print(_lines_table(plan))
    console.print(Text(_MEANING, "dim"), soft_wrap=True)
    for name, reason in plan.idle.items():
        console.print(Text(f"{name} has no line: {reason}", "dim"), soft_wrap=True)
    console.print()
    for text in _set_lines(plan):
        console.print(text, soft_wrap=True)
    if plan.shares:
        console.print()
        console.print(_shares_table(plan))
    for text in _closed_lines(plan):
        console.print(text, soft_wrap=True)


def _title(plan: Plan) -> Text:
    equity, terms = plan.capital, plan.terms
    line = Text()
    line.append(f"Plan for {equity:,f} USDT", "bold")
    line.append(
        f" on {plan.market.source}: {_shown(equity * terms.deployable)} may be deployed, "
        f"{_shown(equity * terms.max_weight)} by one strategy at most, "
        f"{_shown(equity * terms.min_weight)} at least; all of equity."
    )
    if plan.multiplier != 1:
        line.append(f" In drawdown every risk is multiplied by {plan.multiplier:.3g}.", "yellow")
    used = [name for name in plan.factors if any(one.strategy == name for one in plan.lines)]
    if used:
        said = ", ".join(f"{name} {plan.factors[name]:.3g}" for name in used)
        line.append(f" Measured size factors k: {said}; 1 for the others.", "yellow")
    return line


def _shown(value: Decimal) -> str:
    return f"{cents_up(value):,.2f}" if value.is_finite() else "never"


def _lines_table(plan: Plan) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("strategy", no_wrap=True)
    table.add_column("on", no_wrap=True)
    for name in ("smallest", "at risk", "cost/stop", "budget"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("set by", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("by", no_wrap=True)
    for name in ("opens at", "stays above"):
        table.add_column(name, justify="right", no_wrap=True)
    last = ""
    for line in plan.lines:
        verdict, limit = plan.verdict(line)
        table.add_row(
            "" if line.strategy == last else line.strategy,
            line.name.replace(".BYBIT", ""),
            _shown(line.structure.smallest),
            f"{line.structure.loss:,.3f}",
            f"{line.cost_share:.2f}",
            _shown(line.needed_budget),
            _LIMITS[line.set_by],
            Text(verdict.value, _COLOURS[verdict]),
            "no rebate" if _lacks_rebate(line) else _LIMITS.get(limit, ""),
            _shown(line.opens_at) if line.payable else "-",
            _shown(line.closes_at) if line.payable else "-",
        )
        last = line.strategy
    return table


def _lacks_rebate(line: PlanLine) -> bool:
    """Return whether it is closed though its costs would fit: it lives on a maker rebate."""
    return not line.payable and line.cost_share <= UNPAYABLE_SHARE


def _set_lines(plan: Plan) -> list[Text]:
    if not plan.sets:
        return [Text("No strategy can be carried by this capital.", "bold red")]
    lines = [
        Text(
            f"Largest sets that fit together: {len(plan.sets[0])} strategies, "
            f"{len(plan.sets)} way{'' if len(plan.sets) == 1 else 's'}."
        )
    ]
    for chosen in plan.sets[:_MOST_SETS]:
        names = ", ".join(sorted(one.strategy for one in chosen))
        lines.append(Text(f"  {_shown(_total(chosen))} USDT: {names}"))
    if len(plan.sets) > _MOST_SETS:
        lines.append(Text(f"  and {len(plan.sets) - _MOST_SETS} more", "dim"))
    return lines


def _shares_table(plan: Plan) -> Table:
    table = Table(
        box=None,
        header_style="dim",
        pad_edge=False,
        padding=(0, 2, 0, 0),
        title="Recommended allocation (of the largest sets the one with the fewest costly lines)",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("strategy", no_wrap=True)
    for name in ("weight", "budget", "needs"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("set by", no_wrap=True)
    table.add_column("cheapest on", no_wrap=True)
    for one in plan.shares:
        table.add_row(
            one.strategy,
            f"{100 * one.weight:.2f} %",
            f"{one.budget:,.2f}",
            _shown(one.needed),
            _LIMITS[_set_by(one)],
            one.line.name.replace(".BYBIT", ""),
        )
    cash = plan.capital - _budgets(plan.shares)
    table.add_row(Text("cash", "dim"), "", f"{cash:,.2f}", "", "", "")
    return table


def _set_by(share: Share) -> str:
    """Return what sets the need of a share: the floor of every weight, or its line's B_min."""
    return share.line.set_by if share.needed <= cents_up(share.line.needed_budget) else "floor"


def _closed_lines(plan: Plan) -> list[Text]:
    """Return the capital at which each strategy without an open line gets its first."""
    first: dict[str, PlanLine] = {}
    closed: dict[str, bool] = {}
    for line in plan.lines:
        verdict = plan.verdict(line)[0]
        is_open = verdict in (Verdict.OK, Verdict.COSTLY)
        closed[line.strategy] = closed.get(line.strategy, True) and not is_open
        known = first.get(line.strategy)
        if line.payable and (known is None or line.opens_at < known.opens_at):
            first[line.strategy] = line
    lines: list[Text] = []
    for name, is_closed in closed.items():
        if not is_closed:
            continue
        line = first.get(name)
        if line is None:
            rebate = any(_lacks_rebate(one) for one in plan.lines if one.strategy == name)
            why = (
                "it lives on a maker rebate that this account does not get"
                if rebate
                else "costs eat more than half its stop"
            )
            lines.append(Text(f"{name}: no capital opens it; {why}."))
        else:
            lines.append(
                Text(
                    f"{name} opens at {_shown(line.opens_at)} USDT on {line.name}, "
                    f"in the FULL tier at {_shown(line.opens_full_at)}."
                )
            )
    return [Text(""), *lines] if lines else []
