"""Who got the capital of a run and why, and what the refusals saved or cost."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, groupby
from pathlib import Path
from typing import Any, Final

import msgspec

from hean.app.reports.run_facts import read_capital, read_summary
from hean.app.reports.series import Row, capital_stack, equity_curves, rows_of
from hean.app.timespan import parse_instant
from hean.core.events import ReasonCode
from hean.portfolio.shadow_book import FOLLOWED

NORMAL_95: Final = 1.959963985
_POINTS: Final = 60
_MOMENTS: Final = 12


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """What AutoPilot last believed of a strategy: mean result per 8 h bin in R, 95 % interval."""

    strategy: str
    active: bool
    eligible: bool
    reason: str
    mean: float
    low: float
    high: float
    bins: float
    propensity: float


class ActiveSet(msgspec.Struct, frozen=True, kw_only=True):
    """Who was active from a kernel time on."""

    ts_ns: int
    version: int
    mode: str
    epoch: int
    active: tuple[str, ...]


class GateCost(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the signals one code refused: net bp each, and the 95 % interval of the mean.

    `followed` of `refused` reached an end in the shadow book. A mean above 0 is what refusing cost,
    below 0 what it saved. The interval takes outcomes as independent; None below two.
    """

    code: str
    refused: int
    followed: int
    mean_bp: float
    low_bp: float | None
    high_bp: float | None
    mean_r: float

    @property
    def total_r(self) -> float:
        """What all that were followed made together, in R."""
        return self.mean_r * self.followed

    @property
    def verdict(self) -> str:
        """The interval in a word."""
        if self.low_bp is None or self.high_bp is None:
            return "too few"
        if self.high_bp < 0.0:
            return "saved"
        return "cost" if self.low_bp > 0.0 else "not told from nothing"


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The account at a kernel time: equity in USDT, drawdown and weights, the largest first."""

    ts_ns: int
    equity: float
    drawdown: float
    weights: tuple[tuple[str, float], ...]


class Likeness(msgspec.Struct, frozen=True, kw_only=True):
    """How two strategies with results move together: believed, by results alone, and used."""

    strategy: str
    other: str
    prior: float
    measured: float
    in_force: float


class Weight(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the last allocation; `evidence` is t with its standard error of z*."""

    strategy: str
    weight: float
    tier: str
    cluster: str
    evidence: float
    evidence_error: float
    target: float
    floor: float
    cap: float
    minimum_budget: float
    bound: str


def activations(directory: Path) -> tuple[list[ActiveSet], list[Arm]]:
    """Return every active set in order, and the arms of the last one."""
    sets: list[ActiveSet] = []
    rows: list[Row] = []
    columns = (
        "ts_ns",
        "version",
        "mode",
        "epoch",
        "strategy",
        "active",
        "eligible",
        "reason",
        "posterior_mean",
        "posterior_error",
        "bins",
        "propensity",
    )
    for _, found in _by_version(rows_of(directory, "activations", columns)):
        rows = list(found)
        first = rows[0]
        active = tuple(row["strategy"] for row in rows if row["active"])
        if sets and sets[-1].active == active and sets[-1].mode == first["mode"]:
            continue
        sets.append(
            ActiveSet(
                ts_ns=first["ts_ns"],
                version=first["version"],
                mode=first["mode"],
                epoch=first["epoch"],
                active=active,
            )
        )
    return sets, [_arm(row) for row in rows]


def _by_version(rows: Iterable[Row]) -> Iterator[tuple[Any, Iterator[Row]]]:
    return groupby(rows, key=lambda row: (row["ts_ns"], row["version"]))


def _arm(row: Row) -> Arm:
    mean, error = row["posterior_mean"], row["posterior_error"]
    return Arm(
        strategy=row["strategy"],
        active=row["active"],
        eligible=row["eligible"],
        reason=row["reason"],
        mean=mean,
        low=mean - NORMAL_95 * error,
        high=mean + NORMAL_95 * error,
        bins=row["bins"],
        propensity=row["propensity"],
    )


def capital_over_time(directory: Path, first_ns: int, last_ns: int) -> list[Moment]:
    """Return the account at twelve even times from first to last, each with what was in force."""
    times = sorted({first_ns + (last_ns - first_ns) * n // (_MOMENTS - 1) for n in range(_MOMENTS)})
    values: list[Row] = []
    at: list[int] = []
    for row in rows_of(directory, "equity", ("ts_ns", "equity", "drawdown")):
        at.append(row["ts_ns"])
        values.append(row)
    weights: list[dict[str, float]] = []
    since: list[int] = []
    rows = rows_of(directory, "allocations", ("ts_ns", "version", "strategy", "weight"))
    for (ts_ns, _), found in _by_version(rows):
        since.append(ts_ns)
        weights.append({row["strategy"]: row["weight"] for row in found if row["weight"]})
    moments: list[Moment] = []
    for one in times:
        place, held = bisect_right(at, one), bisect_right(since, one)
        if not place:
            continue
        given = weights[held - 1] if held else {}
        moments.append(
            Moment(
                ts_ns=one,
                equity=float(values[place - 1]["equity"]),
                drawdown=values[place - 1]["drawdown"],
                weights=tuple(sorted(given.items(), key=lambda it: (-it[1], it[0]))),
            )
        )
    return moments


def likenesses(found: Mapping[str, Any]) -> list[Likeness]:
    """Return every pair of strategies with results, those that results moved most first."""
    names: list[str] = found["names"]
    places = [place for place, name in enumerate(names) if name in found["moved"]]
    pairs = [
        Likeness(
            strategy=names[i],
            other=names[j],
            prior=found["prior"][i][j],
            measured=found["measured"][i][j],
            in_force=found["in_force"][i][j],
        )
        for i, j in combinations(places, 2)
    ]
    return sorted(pairs, key=lambda one: (-abs(one.measured - one.prior), one.strategy, one.other))


def last_weights(directory: Path) -> list[Weight]:
    """Return the lines of the last allocation, the largest weight first."""
    columns = msgspec.structs.fields(Weight)
    names = ("ts_ns", "version", *(one.name for one in columns))
    rows: list[Row] = []
    for _, found in _by_version(rows_of(directory, "allocations", names)):
        rows = list(found)
    lines = [Weight(**{one.name: row[one.name] for one in columns}) for row in rows]
    return sorted(lines, key=lambda one: (-one.weight, one.strategy))


def gate_costs(directory: Path) -> list[GateCost]:
    """Return, by refusal code, what the shadow book says of the signals refused."""
    refused: dict[str, int] = {}
    for row in rows_of(directory, "decisions", ("outcome", "reason")):
        if row["outcome"] == "rejected":
            refused[row["reason"]] = refused.get(row["reason"], 0) + 1
    outcomes: dict[str, list[tuple[float, float]]] = {}
    for row in rows_of(directory, "shadow", ("refusal", "net_bp", "r_multiple")):
        outcomes.setdefault(row["refusal"], []).append((row["net_bp"], row["r_multiple"]))
    codes = [one.value for one in ReasonCode if one.value in refused or one.value in outcomes]
    return [_gate_cost(code, refused.get(code, 0), outcomes.get(code, [])) for code in codes]


def _gate_cost(code: str, refused: int, found: list[tuple[float, float]]) -> GateCost:
    count = len(found)
    mean = math.fsum(net for net, _ in found) / count if count else 0.0
    low = high = None
    if count > 1:
        squares = math.fsum((net - mean) ** 2 for net, _ in found)
        half = NORMAL_95 * math.sqrt(squares / (count - 1) / count)
        low, high = mean - half, mean + half
    return GateCost(
        code=code,
        refused=refused,
        followed=count,
        mean_bp=mean,
        low_bp=low,
        high_bp=high,
        mean_r=math.fsum(r for _, r in found) / count if count else 0.0,
    )


def is_followed(code: str) -> bool:
    """Return whether the shadow book follows what this code refuses."""
    return any(one.value == code for one in FOLLOWED)


def capital_data(directory: Path) -> dict[str, Any]:
    """Return everything as plain values; weights are fractions of equity, times ns UTC."""
    summary, extra = read_summary(directory), read_capital(directory)
    sets, arms = activations(directory)
    first = parse_instant(summary["started"], "started")
    equity = equity_curves(directory, first)[0]
    stack = capital_stack(directory, first, _POINTS)
    return {
        "run_id": summary["run_id"],
        "equity_start": summary["wallet_start"],
        "equity_end": summary["equity_end"],
        "equity": [[at, value] for at, value in zip(equity.times, equity.values, strict=True)],
        "weights_over_time": {
            "times_ns": stack.times,
            "weights": dict(zip(stack.names, stack.shares, strict=True)),
        },
        "weights": msgspec.to_builtins(last_weights(directory)),
        "arms": msgspec.to_builtins(arms),
        "active_sets": msgspec.to_builtins(sets),
        "gates": [
            msgspec.to_builtins(one)
            | {
                "total_r": one.total_r,
                "verdict": one.verdict,
                "is_followed": is_followed(one.code),
            }
            for one in gate_costs(directory)
        ],
        "correlation": extra["correlation"],
        "slots": extra["slots"],
    }


def slot_rows(slots: Mapping[str, Any]) -> list[tuple[str, int, int, str]]:
    """Return, by strategy, last slots won, refusals, and to whom they were lost."""
    names = sorted({*slots["won"], *slots["refused"], *(one["loser"] for one in slots["lost_to"])})
    rows: list[tuple[str, int, int, str]] = []
    for name in names:
        lost = [one for one in slots["lost_to"] if one["loser"] == name]
        lost.sort(key=lambda one: (-one["count"], one["to"]))
        words = ", ".join(f"{one['to']} {one['count']:,}" for one in lost)
        rows.append((name, slots["won"].get(name, 0), slots["refused"].get(name, 0), words))
    return [row for row in rows if row[1] or row[2] or row[3]]
