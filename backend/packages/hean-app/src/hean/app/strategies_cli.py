"""`hean-app strategies`: who is installed, what each needs, what to expect of it, and its state.

The state is judged on a feed (the built-in market, or a dataset), or read from a run's directory.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hean.app.feeds.replay import DatasetFeed
from hean.app.feeds.sim import SimFeed
from hean.app.inspection import strategies_on, why_not
from hean.app.reports.guard import guard_of_run, guard_table
from hean.app.session import settings_of_facts
from hean.app.settings import AppSettings
from hean.app.strategy_skeleton import write_skeleton
from hean.config import Loaded
from hean.core.errors import DataError
from hean.core.journal import SqliteJournal
from hean.strategies import StrategySet, note_of
from hean.strategies.registry import GROUP, AnyStrategy

_PIPE_WIDTH: Final = 180
_COMPONENT: Final = "strategies"


def print_strategies(
    settings: AppSettings,
    *,
    dataset: Path | None = None,
    run_dir: Path | None = None,
    as_json: bool = False,
) -> None:
    """List every installed strategy; raises `DataError` for a dataset or run that is none."""
    guard: dict[str, Any] | None = None
    if run_dir is not None:
        title, (built, guard) = f"as {run_dir} left them", set_of_run(run_dir)
        states = _states_of_run(built)
    else:
        feed = SimFeed(seed=settings.random_seed, section=settings.sim) if dataset is None else None
        carried = feed.description if feed is not None else DatasetFeed(_given(dataset)).description
        title, built = f"on {carried.name}", strategies_on(settings, carried)
        states = {one.name: _state(one) for one in built.strategies}
    rows = [row_of(one, states[one.name]) for one in built.strategies]
    if as_json:
        found = {"state": title, "strategies": rows, "guard": guard}
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = Console(file=sys.stdout, highlight=False, width=width)
    console.print(strategies_table(rows, title))
    console.print(
        Text("Needs: Q quotes, T trades, D depth, F funding, I index, S spot, X liquidations, "
             "N sentiment, B bars; in brackets: used where there.", "dim"),
        soft_wrap=True,
    )  # fmt: skip
    if guard is not None:
        _show_guard(guard, console)


def _show_guard(guard: dict[str, Any], console: Console) -> None:
    console.print()
    if guard["cells"]:
        console.print(guard_table(guard))
    else:
        console.print("The edge guard has seen no outcome.")
    for line in guard["evidence_lines"]:
        console.print(line, soft_wrap=True)


def _given(dataset: Path | None) -> Path:
    assert dataset is not None
    return dataset


def set_of_run(run_dir: Path) -> tuple[StrategySet, dict[str, Any]]:
    """Return the strategies of a run with their newest saved state, and its edge guard."""
    path = run_dir / "journal.db"
    if not path.is_file():
        raise DataError(f"{run_dir} holds no journal.db; give a run's directory")
    journal = SqliteJournal(path, durable=False)
    try:
        segments, snapshot = journal.segments(), journal.snapshot()
        if not segments or snapshot is None or _COMPONENT not in snapshot.states:
            raise DataError(f"{run_dir} holds no saved state yet; ask again later")
        guard = guard_of_run(journal, snapshot)
    finally:
        journal.close()
    facts = segments[-1].facts
    settings = settings_of_facts(facts)
    if facts["dataset"]:
        description = DatasetFeed(Path(facts["dataset"])).description
    else:
        description = SimFeed(seed=settings.random_seed, section=settings.sim).description
    built = strategies_on(settings, description)
    built.restore(snapshot.states[_COMPONENT])
    return built, guard


def _states_of_run(built: StrategySet) -> dict[str, str]:
    """Return each strategy's words, one for all its instruments where they agree."""
    states: dict[str, str] = {}
    for name, by_instrument in built.status().items():
        words = list(dict.fromkeys(by_instrument.values()))
        if len(words) == 1:
            states[name] = words[0]
        else:
            states[name] = "; ".join(f"{key}: {text}" for key, text in by_instrument.items())
    return states


def _state(strategy: AnyStrategy) -> str:
    reason = why_not(strategy.section.enabled, strategy.cannot_run_because)
    if reason:
        return f"does not run: {reason}"
    return "runs on " + ", ".join(strategy.instruments)


def row_of(strategy: AnyStrategy, state: str) -> dict[str, Any]:
    """Return one strategy as plain values."""
    row, note = strategy.row, note_of(type(strategy))
    return {
        "id": row.strategy,
        "package": package_of(row.strategy),
        "enabled": strategy.section.enabled,
        "class": row.frequency.value,
        "needs": [need.value for need in row.needs],
        "optional_needs": [need.value for need in row.optional_needs],
        "regimes": [regime.value for regime in row.regimes],
        "runs_on_bars": row.runs_on_bars,
        "place": row.place,
        "purpose": note.purpose,
        "edge": note.expected,
        "instruments": list(strategy.instruments),
        "state": state,
    }


def package_of(name: str) -> str:
    """Return the package that offers a strategy."""
    for point in entry_points(group=GROUP, name=name):
        if point.dist is not None:
            return point.dist.name
    return ""


def strategies_table(rows: list[dict[str, Any]], title: str) -> Table:
    """Return one row a strategy."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("strategy", "on", "class", "needs", "opens in", "bars"):
        table.add_column(name, no_wrap=True)
    table.add_column("place", max_width=18)
    table.add_column("edge, honestly", max_width=36)
    table.add_column(f"state {title}")
    for row in rows:
        optional = f" ({' '.join(row['optional_needs'])})" if row["optional_needs"] else ""
        runs = not row["state"].startswith(("does not", "not running", "switched off"))
        table.add_row(
            row["id"],
            "yes" if row["enabled"] else "no",
            row["class"],
            " ".join(row["needs"]) + optional,
            " ".join(row["regimes"]),
            "yes" if row["runs_on_bars"] else "no",
            row["place"],
            row["edge"],
            Text(row["state"], "" if runs else "yellow"),
        )
    return table


def print_new(name: str, directory: Path) -> None:
    """Write a package with a strategy and say what to do with it."""
    for path in write_skeleton(name, directory):
        sys.stdout.write(f"{path}\n")
    target = directory / name
    sys.stdout.write(
        f"\nTry it:     cd {target} && python -m pytest\nInstall it: uv pip install -e {target}\n"
    )


def print_evaluation(
    loaded: Loaded[AppSettings],
    dataset: Path,
    *,
    out: Path | None,
    start: str | None = None,
    end: str | None = None,
    as_json: bool = False,
) -> None:
    """Run a dataset once and print each strategy's evaluation; `out` keeps the run."""
    from hean.app.evaluate import evaluate_dataset
    from hean.app.reports.evaluation_view import show_evaluation

    found = evaluate_dataset(loaded, dataset, out=out, start=start, end=end)
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    show_evaluation(found, Console(file=sys.stdout, highlight=False, width=width), out)


def print_walk_forward(
    candidates: Mapping[str, Loaded[AppSettings]],
    dataset: Path,
    strategy: str,
    *,
    out: Path | None,
    span: tuple[str | None, str | None],
    days: tuple[float, float],
    as_json: bool = False,
) -> None:
    """Walk a strategy forward over a dataset and print each window; `out` keeps the evidence."""
    from hean.app.walk_forward import walk_dataset
    from hean.app.walk_forward_view import show_walk_forward

    train, test = days
    found = walk_dataset(
        candidates, dataset, strategy, out=out, span=span, train_days=train, test_days=test
    )
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    show_walk_forward(found, Console(file=sys.stdout, highlight=False, width=width), out)
