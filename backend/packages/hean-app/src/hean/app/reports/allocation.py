"""`hean-app why --allocation RUN_DIR`: each weight of an allocation as a sentence."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hean.app.reports.run_facts import read_summary
from hean.app.reports.schemas import SCHEMAS
from hean.app.reports.series import Row, rows_of
from hean.app.timespan import format_instant, parse_instant
from hean.config import nearest
from hean.core.errors import SettingsError, StateError

BOUNDS: Final[Mapping[str, str]] = {
    "TARGET": "it got its target",
    "FLOOR": "the floor of {floor} holds it up; its target is {target}",
    "CAP": "the cap of {cap} holds it down; its target is {target}",
    "SHIFT_UP": "one step may lift it to {cap} at most; its target is {target}",
    "SHIFT_DOWN": "one step may cut it to {floor} at least; its target is {target}",
    "ROOM": "it was cut faster than a step, to make room for the others' lower bounds",
    "CLUSTER": "it shares the cap of its cluster {cluster}; its target is {target}",
    "SUM": "all weights together fill just what the reserve leaves; its target is {target}",
    "B_MIN": "it needs {minimum} USDT to trade at all; its target is {target}",
    "ACCUMULATING": "it is saved for, step by step, until it reaches {minimum} USDT: no entry yet",
    "NEGATIVE_EVIDENCE": "its results speak against it (t {evidence}), so nothing is added",
    "COOLDOWN": "it may rise to its target of {target} when the cooldown is over",
    "INACTIVE": "it is not active, or has no live cell under an enforced guard",
}
"""What each bound of an allocation line means, with that line's own numbers."""

_REASONS: Final[Mapping[str, str]] = {
    "ACTIVE_SET": "the active set changed",
    "GUARD": "the edge guard withdrew a cell",
    "WITHDRAWAL": "money was withdrawn",
}
_METHODS: Final[Mapping[str, str]] = {
    "COLD_START": "too few outcomes to tell anybody apart, so all are equal",
    "EMPTY": "nobody is active",
    "EQUAL": "equal shares, as set",
    "HYBRID": "performance and phase, as set",
    "PERFORMANCE": "performance alone, as set",
    "PHASE_MATCHED": "phase alone, as set",
    "RISK_PARITY": "equal contributions to risk, as set",
    "HRP": "hierarchical risk parity, as set",
}


def print_allocation(
    directory: Path, *, strategy: str | None, at: str | None, as_json: bool
) -> None:
    """Print the allocation in force at a UTC time, at the run's end without one.

    Raises `SettingsError` for a strategy the run does not know, `StateError` where nothing was
    allocated by then.
    """
    read_summary(directory)
    rows = allocation_rows(directory, None if at is None else parse_instant(at, "--at"))
    if strategy is not None:
        rows = _of(rows, strategy)
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    sys.stdout.write("\n".join(allocation_lines(rows)) + "\n")


def allocation_rows(directory: Path, at_ns: int | None) -> list[Row]:
    """Return the lines of the allocation in force at `at_ns`, the largest weight first."""
    found: list[Row] = []
    for row in rows_of(directory, "allocations", SCHEMAS["allocations"].names):
        if at_ns is not None and row["ts_ns"] > at_ns:
            break
        if found and found[0]["version"] != row["version"]:
            found = []
        found.append(row)
    if not found:
        when = "" if at_ns is None else f" by {format_instant(at_ns)}"
        raise StateError(
            f"{directory} holds no allocation{when}; budgets were an equal split of what the "
            "reserve leaves, as with STRATEGY_CAPITAL_ALLOCATION=false"
        )
    return sorted(found, key=lambda row: (-row["weight"], row["strategy"]))


def _of(rows: list[Row], strategy: str) -> list[Row]:
    chosen = [row for row in rows if row["strategy"] == strategy]
    if not chosen:
        close = nearest(strategy, {row["strategy"].upper(): "" for row in rows}).lower()
        raise SettingsError(f"this run has no strategy {strategy!r}; nearest is {close}")
    return chosen


def allocation_lines(rows: list[Row]) -> list[str]:
    """Return an allocation as sentences: why it was made, then a line for every strategy."""
    first = rows[0]
    lines = [
        f"Allocation {first['version']} of {format_instant(first['ts_ns'])}, for active set "
        f"{first['active_version']}: {_why(first['reason'])}.",
        "",
    ]
    return [*lines, *(_sentence(row) for row in rows)]


def _why(reason: str) -> str:
    cause, _, method = reason.rpartition(":")
    made = _REASONS.get(cause, "the hourly examination found it worth a change")
    return f"{made}; {_METHODS.get(method, method)}"


def _sentence(row: Mapping[str, Any]) -> str:
    numbers = {name: _share(row[name]) for name in ("floor", "cap", "target")}
    meaning = BOUNDS.get(row["bound"], str(row["bound"]))
    bound = meaning.format(
        **numbers,
        cluster=row["cluster"],
        minimum=f"{row['minimum_budget']:,.2f}",
        evidence=f"{row['evidence']:+.2f}",
    )
    return (
        f"{row['strategy']}: {_share(row['weight'])} of equity (before: {_share(row['previous'])}; "
        f"performance share {_share(row['performance'])}, phase share {_share(row['phase'])}, "
        f"evidence t {row['evidence']:+.2f} with an error of {row['evidence_error']:.3f}, "
        f"{row['tier']}): {bound}."
    )


def _share(value: float) -> str:
    return f"{100 * value:.2f} %"
