"""What a run says of each strategy's edge: trades by instrument and regime, with their doubt.

Pure functions over closed trades. Everything is in bp of entry notional a trade; nothing is
annualised, for days do not make a year.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from math import ceil, fsum, isfinite, sqrt
from typing import Any, Final

import msgspec

from hean.app.reports.trade_records import UNKNOWN, Kind, Trade, TradeRecords
from hean.core.edge import break_even_rate
from hean.core.events import GuardMode, Regime
from hean.core.ids import digest_of

ALL: Final = "all"
BOOTSTRAP_FROM: Final = 30
"""From so many trades on the interval is a block bootstrap; below, Student's t."""
RESAMPLES: Final = 2000
HORIZONS: Final = ("10 s", "60 s")
_DAY_NS: Final = 86_400_000_000_000
_NORMAL: Final = 1.959964
_STUDENT: Final = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010,
    2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739,
    2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452,
)  # fmt: skip
"""Student's t at 97.5 % for 1..29 degrees of freedom."""


class Interval(msgspec.Struct, frozen=True):
    """A mean with its two-sided 95 % bounds; None below two trades. `method` says how."""

    mean: float
    low: float | None
    high: float | None
    method: str


class Markout(msgspec.Struct, frozen=True):
    """What maker fills gained on average by a later mid, in bp, and over how many fills."""

    mean: float
    fills: int


class Hits(msgspec.Struct, frozen=True, kw_only=True):
    """The share of trades with a net gain (Wilson's bounds), and what it takes to break even.

    `basis` is `plan` where each trade had a target and a stop, `payoff` where the rate comes from
    the wins and losses themselves (it then only repeats the sign of the mean), else empty.
    """

    rate: float
    low: float
    high: float
    break_even: float | None
    basis: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The trades of one strategy, kind, instrument and regime; means in bp a trade.

    `spread_bp` and `impact_bp` are already inside gross, known of `priced_trades` of the trades.
    `markouts` answers `HORIZONS`. `guard` is empty for totals. `rest_bp` is the mean net without
    the UTC day that brought most, `best_day_ns`; None where all closed on one day.
    """

    strategy: str
    kind: str
    instrument: str
    regime: str
    trades: int
    gross: Interval
    net: Interval
    hits: Hits
    fee_bp: float
    spread_bp: float | None
    impact_bp: float | None
    priced_trades: int
    funding_bp: float
    maker_fills: int
    markouts: tuple[Markout | None, ...]
    guard: str
    best_day_ns: int = 0
    rest_bp: float | None = None


def mean_of(values: Sequence[float]) -> float:
    """Return the mean; raises `ZeroDivisionError` without a value."""
    return fsum(values) / len(values)


def student_interval(values: Sequence[float]) -> Interval:
    """Return mean ± t·s/√n: trades are taken as independent; no bounds below two."""
    count, mean = len(values), mean_of(values)
    if count < 2:
        return Interval(mean, None, None, "none: one trade")
    variance = fsum((value - mean) ** 2 for value in values) / (count - 1)
    quantile = _STUDENT[count - 2] if count - 2 < len(_STUDENT) else _NORMAL
    half = quantile * sqrt(variance / count)
    return Interval(mean, mean - half, mean + half, f"t, n={count}")


def block_length(count: int) -> int:
    """Return how many neighbouring trades are drawn together: about n^(1/3)."""
    return max(1, round(count ** (1 / 3)))


def bootstrap_interval(values: Sequence[float], seed: int) -> Interval:
    """Return the percentile interval of the circular block bootstrap (Politis, Romano 1992)."""
    count, mean = len(values), mean_of(values)
    length = block_length(count)
    blocks = ceil(count / length)
    around = [*values, *values[: length - 1]]
    sums = [fsum(around[at : at + length]) for at in range(count)]
    draws = random.Random(seed)
    means = sorted(
        fsum(sums[int(draws.random() * count)] for _ in range(blocks)) / (blocks * length)
        for _ in range(RESAMPLES)
    )
    edge = round(0.025 * RESAMPLES)
    return Interval(mean, means[edge], means[-edge - 1], f"block bootstrap, block {length}")


def interval_of(values: Sequence[float], seed: int) -> Interval:
    """Return the mean with its 95 % interval: t for few values, bootstrap for many."""
    if len(values) < BOOTSTRAP_FROM:
        return student_interval(values)
    return bootstrap_interval(values, seed)


def wilson(wins: int, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % bounds of a share (Wilson 1927)."""
    share, square = wins / count, _NORMAL**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = sqrt(share * (1 - share) / count + square / (4 * count**2))
    half *= _NORMAL / (1 + square / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def hits_of(trades: Sequence[Trade]) -> Hits:
    """Return the hit rate and what it takes; by the plans if each trade had one."""
    won = [one for one in trades if one.net_bp > 0.0]
    lost = [one for one in trades if one.net_bp <= 0.0]
    low, high = wilson(len(won), len(trades))
    plans = [one.plan for one in trades if one.plan is not None]
    rate, basis = None, ""
    if len(plans) == len(trades):
        basis = "plan"
        rate = break_even_rate(
            mean_of([one.target_bp for one in plans]),
            mean_of([one.stop_bp for one in plans]),
            win_cost_bp=_cost(won or trades),
            loss_cost_bp=_cost(lost or trades),
        )
    elif won and lost:
        basis = "payoff"
        rate = break_even_rate(
            mean_of([one.gross_bp for one in won]),
            -mean_of([one.gross_bp for one in lost]),
            win_cost_bp=_cost(won),
            loss_cost_bp=_cost(lost),
        )
    if rate is not None and not isfinite(rate):
        rate = None
    return Hits(rate=len(won) / len(trades), low=low, high=high, break_even=rate, basis=basis)


def _cost(trades: Sequence[Trade]) -> float:
    return mean_of([one.fees_bp - one.funding_bp for one in trades])


def _markouts(trades: Sequence[Trade]) -> tuple[Markout | None, ...]:
    found: list[Markout | None] = []
    for place in range(len(HORIZONS)):
        values = [
            value for one in trades for value in (one.markouts[place] if one.markouts else ())
        ]
        found.append(Markout(mean_of(values), len(values)) if values else None)
    return tuple(found)


def without_best_day(trades: Sequence[Trade]) -> tuple[int, float | None]:
    """Return the UTC day (ns) whose trades brought most, and the mean net of all others."""
    days: dict[int, list[float]] = {}
    for one in trades:
        days.setdefault(one.closed_ns // _DAY_NS, []).append(one.net_bp)
    best = max(days, key=lambda day: (fsum(days[day]), -day))
    rest = [net for day, nets in days.items() if day != best for net in nets]
    return best * _DAY_NS, mean_of(rest) if rest else None


def row_of(trades: Sequence[Trade], key: tuple[str, str, str, str], guard: str, seed: int) -> Row:
    """Return the figures of trades in the order of their ends; there must be one at least."""
    strategy, kind, instrument, regime = key
    spreads = [one.spread_bp for one in trades if one.spread_bp is not None]
    impacts = [one.impact_bp for one in trades if one.impact_bp is not None]
    own_seed = int(digest_of(seed, *key)[:16], 16)
    makers = 0
    for one in trades:
        makers += one.maker_fills
    best, rest = without_best_day(trades)
    return Row(
        strategy=strategy,
        kind=kind,
        instrument=instrument,
        regime=regime,
        trades=len(trades),
        gross=interval_of([one.gross_bp for one in trades], own_seed),
        net=interval_of([one.net_bp for one in trades], own_seed),
        hits=hits_of(trades),
        fee_bp=mean_of([one.fees_bp for one in trades]),
        spread_bp=mean_of(spreads) if spreads else None,
        impact_bp=mean_of(impacts) if impacts else None,
        priced_trades=len(spreads),
        funding_bp=mean_of([one.funding_bp for one in trades]),
        maker_fills=makers,
        markouts=_markouts(trades),
        guard=guard,
        best_day_ns=best,
        rest_bp=rest,
    )


def rows_of_trades(trades: Iterable[Trade], modes: Mapping[str, GuardMode], seed: int) -> list[Row]:
    """Return one row for each strategy, kind, instrument and regime, after its strategy's total."""
    cells: dict[tuple[str, str, str, str], list[Trade]] = {}
    for one in sorted(trades, key=lambda trade: trade.closed_ns):
        total = (one.strategy, one.kind.value, ALL, ALL)
        regime = Regime.NORMAL.value if one.regime == UNKNOWN else one.regime
        narrow = (one.strategy, one.kind.value, one.instrument, regime)
        cells.setdefault(total, []).append(one)
        cells.setdefault(narrow, []).append(one)
    order = [kind.value for kind in Kind]
    keys = sorted(
        cells, key=lambda key: (key[0], order.index(key[1]), key[2] != ALL, key[2], key[3])
    )
    return [row_of(cells[key], key, _guard(cells[key], key, modes), seed) for key in keys]


def _guard(
    trades: Sequence[Trade], key: tuple[str, str, str, str], modes: Mapping[str, GuardMode]
) -> str:
    if key[2] == ALL:
        return ""
    found = {modes.get(one.cell, GuardMode.SHADOW).value: None for one in trades}
    return " ".join(sorted(found))


def evaluate_records(
    records: TradeRecords, summary: Mapping[str, Any], *, has_ticks: bool, edge_guard: str
) -> dict[str, Any]:
    """Return the evaluation of a run as plain values: what `evaluation.json` holds."""
    rows = rows_of_trades(records.trades, records.modes, summary["seed"])
    by_strategy: dict[str, list[Row]] = {}
    for row in rows:
        by_strategy.setdefault(row.strategy, []).append(row)
    left_open = records.open_positions
    return {
        "dataset": summary["dataset"],
        "started": summary["started"],
        "ended": summary["ended"],
        "seed": summary["seed"],
        "run_id": summary["run_id"],
        "edge_guard": edge_guard,
        "has_ticks": has_ticks,
        "guard": summary["guard"],
        "strategies": [
            {
                "strategy": name,
                "enabled": known.enabled,
                "cannot_run_because": known.cannot_run_because,
                "open_positions": left_open.get(name, 0),
                "signals": summary["strategies"][name]["signals"],
                "rejections": summary["strategies"][name]["rejections"],
                "evaluations_refused": summary["strategies"][name]["evaluations_refused"],
                "rows": json.loads(msgspec.json.encode(by_strategy.get(name, []))),
            }
            for name, known in records.registered.items()
        ],
        "trades": [
            {
                "strategy": one.strategy,
                "kind": one.kind.value,
                "instrument": one.instrument,
                "regime": one.regime,
                "closed_ns": one.closed_ns,
                "gross_bp": one.gross_bp,
                "net_bp": one.net_bp,
            }
            for one in sorted(records.trades, key=lambda trade: trade.closed_ns)
        ],
        "notes": summary["notes"],
    }
