"""A walk-forward: parameters chosen on one stretch of bars, judged on the next, again and again.

Each candidate is run once over the dataset, its strategy alone and with capital enough that no
size is refused. A fold takes the candidate that did best in its training window and keeps that
one's trades of the window after; only these count. Trades of one week stand or fall together, so t
is reckoned over weeks (Cameron, Miller 2015, A practitioner's guide to cluster-robust inference).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from math import fsum, inf, sqrt
from pathlib import Path
from typing import Any, Final

import msgspec

from hean.app.backtest import replay_dataset, run_directory
from hean.app.reports.trade_records import RECORDS, Kind, TradeRecords
from hean.app.settings import AppSettings
from hean.config import Loaded
from hean.core.edge import check_walk_forward
from hean.core.errors import DataError
from hean.core.events import Evidence, StrategyProfile, WalkForward
from hean.core.journal import SqliteJournal
from hean.main import TradingSystem

DAY_NS: Final = 86_400_000_000_000
WEEK_NS: Final = 7 * DAY_NS
LEAST_TRAINED: Final = 10
"""Fewer trades than these in a training window choose nothing: the first candidate stays."""
_SOURCE: Final = "walk-forward"

Result = tuple[int, float]
"""When a trade closed (ns) and its net in bp."""
Span = tuple[str | None, str | None]
"""The UTC times between which the dataset is used; None: its own begin or end."""


class Fold(msgspec.Struct, frozen=True):
    """A training window from `begin` and its test window from `split` to `end`, in ns."""

    begin: int
    split: int
    end: int


class Walked(msgspec.Struct, frozen=True, kw_only=True):
    """One fold as it went: who was chosen, and what its test window held."""

    fold: Fold
    chosen: int
    tested: tuple[Result, ...]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One set of parameters and every trade it made."""

    name: str
    results: tuple[Result, ...]
    profile: StrategyProfile
    first: int
    last: int


def folds_of(first: int, last: int, train_ns: int, test_ns: int) -> list[Fold]:
    """Return folds whose test windows follow one another; the last one may be short."""
    found: list[Fold] = []
    split = first + train_ns
    while split < last:
        found.append(Fold(split - train_ns, split, min(last, split + test_ns)))
        split += test_ns
    return found


def clustered_t(results: Sequence[Result]) -> float:
    """Return t of the mean net with errors that hold together within a week; 0 below two weeks."""
    if not results:
        return 0.0
    mean = fsum(net for _, net in results) / len(results)
    weeks: dict[int, float] = {}
    for at, net in results:
        weeks[at // WEEK_NS] = weeks.get(at // WEEK_NS, 0.0) + net - mean
    count = len(weeks)
    if count < 2:
        return 0.0
    square = fsum(value * value for value in weeks.values()) * count / (count - 1)
    if square <= 0.0:
        return 0.0 if mean == 0.0 else inf if mean > 0.0 else -inf
    return mean * len(results) / sqrt(square)


def _within(results: Sequence[Result], begin: int, end: int) -> tuple[Result, ...]:
    return tuple(one for one in results if begin <= one[0] < end)


def walk(candidates: Sequence[Sequence[Result]], folds: Sequence[Fold]) -> list[Walked]:
    """Return each fold with the candidate its training window chose."""
    found: list[Walked] = []
    for fold in folds:
        chosen = _choice(candidates, fold.begin, fold.split)
        tested = _within(candidates[chosen], fold.split, fold.end)
        found.append(Walked(fold=fold, chosen=chosen, tested=tested))
    return found


def _choice(candidates: Sequence[Sequence[Result]], begin: int, end: int) -> int:
    best, best_t = 0, -inf
    for number, results in enumerate(candidates):
        trained = _within(results, begin, end)
        t = clustered_t(trained) if len(trained) >= LEAST_TRAINED else -inf
        if t > best_t:
            best, best_t = number, t
    return best


def summary_of(walked: Sequence[Walked], trials: int) -> WalkForward:
    """Return what the test windows say together; `days` spans training and tests."""
    results = [one for fold in walked for one in fold.tested]
    days = (walked[-1].fold.end - walked[0].fold.begin) / DAY_NS if walked else 0.0
    mean = fsum(net for _, net in results) / len(results) if results else 0.0
    return WalkForward(
        days=round(days, 3),
        trades=len(results),
        mean_bp=round(mean, 6),
        t=round(clustered_t(results), 6),
        trials=trials,
    )


def walk_dataset(
    candidates: Mapping[str, Loaded[AppSettings]],
    dataset: Path,
    strategy: str,
    *,
    out: Path | None,
    span: Span = (None, None),
    train_days: float,
    test_days: float,
) -> dict[str, Any]:
    """Return the walk-forward of a strategy on a dataset; with `out` a run that is evidence stays.

    That run is made with the parameters the newest training window chooses, and carries the figure.
    Raises `DataError` where the strategy cannot run or the dataset is shorter than a fold.
    """
    with run_directory(out) as directory:
        found = [
            _run_candidate(name, loaded, dataset, span, strategy)
            for name, loaded in candidates.items()
        ]
        first, last = found[0].first, found[0].last
        train, test = round(train_days * DAY_NS), round(test_days * DAY_NS)
        folds = folds_of(first, last, train, test)
        if not folds:
            raise DataError(
                f"{dataset} spans {(last - first) / DAY_NS:.0f} days, which is no more than the "
                f"{train_days:g} of one training window; give a longer dataset or fewer days"
            )
        walked = walk([one.results for one in found], folds)
        chosen = _choice([one.results for one in found], last - train, last)
        figure = summary_of(walked, len(found))
        if out is not None:
            loaded = list(candidates.values())[chosen]
            evidence = Evidence(source=_SOURCE, walk_forward=figure)
            _keep(loaded, dataset, span, directory, {strategy: evidence})
    return _told(strategy, found, walked, chosen, figure)


def _run_candidate(
    name: str, loaded: Loaded[AppSettings], dataset: Path, span: Span, strategy: str
) -> Candidate:
    """Run one set of parameters; what came of it in the account is its results."""
    systems: list[TradingSystem] = []
    with tempfile.TemporaryDirectory(prefix="hean-walk-") as folder:
        directory = Path(folder)
        replay_dataset(loaded, dataset, directory, *span, html=False, watch=systems.append)
        journal = SqliteJournal(directory / "journal.db", durable=False)
        try:
            records = TradeRecords().take_all(one.event() for one in journal.records(RECORDS))
        finally:
            journal.close()
    system = systems[0]
    registered = records.registered[strategy]
    if registered.cannot_run_because:
        raise DataError(f"{strategy} does not run on {dataset}: {registered.cannot_run_because}")
    results = sorted(
        (one.closed_ns, one.net_bp)
        for one in records.trades
        if one.strategy == strategy and one.kind is Kind.REAL
    )
    return Candidate(
        name=name,
        results=tuple(results),
        profile=registered.profile,
        first=system.description.first,
        last=system.kernel.now,
    )


def _keep(
    loaded: Loaded[AppSettings],
    dataset: Path,
    span: Span,
    directory: Path,
    evidence: Mapping[str, Evidence],
) -> None:
    def bring(system: TradingSystem) -> None:
        system.take_evidence(evidence)

    replay_dataset(loaded, dataset, directory, *span, html=True, watch=bring)


def _told(
    strategy: str,
    found: Sequence[Candidate],
    walked: Sequence[Walked],
    chosen: int,
    figure: WalkForward,
) -> dict[str, Any]:
    fault = check_walk_forward(found[chosen].profile.walk_forward_days, figure)
    return {
        "strategy": strategy,
        "version": found[chosen].profile.version,
        "parameters_sha256": found[chosen].profile.parameters_sha256,
        "chosen": found[chosen].name,
        "walk_forward": msgspec.structs.asdict(figure),
        "lacks": None if fault is None else msgspec.structs.asdict(fault),
        "candidates": [
            {
                "name": one.name,
                "trades": len(one.results),
                "mean_bp": fsum(net for _, net in one.results) / max(1, len(one.results)),
                "t": clustered_t(one.results),
            }
            for one in found
        ],
        "folds": [
            {
                "from_ns": one.fold.split,
                "to_ns": one.fold.end,
                "chosen": found[one.chosen].name,
                "trades": len(one.tested),
                "mean_bp": fsum(net for _, net in one.tested) / max(1, len(one.tested)),
            }
            for one in walked
        ],
    }
