"""`why --allocation`: each weight as a sentence, with the bound that decided."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hean.app.reports.allocation import BOUNDS, allocation_lines, allocation_rows, print_allocation
from hean.core.errors import SettingsError, StateError


def _row(**changes: object) -> dict[str, Any]:
    return {
        "ts_ns": 0,
        "version": 7,
        "active_version": 3,
        "method": "hybrid",
        "reason": "ACTIVE_SET:HYBRID",
        "strategy": "momentum_trader",
        "weight": 0.198,
        "tier": "TRIAL",
        "cluster": "impulse_engine+momentum_trader",
        "performance": 0.3,
        "phase": 0.125,
        "evidence": 2.0,
        "evidence_error": 0.1,
        "target": 0.25,
        "floor": 0.05,
        "cap": 0.2,
        "previous": 0.1,
        "minimum_budget": 12.3,
        "bound": "SHIFT_UP",
        **changes,
    }


@pytest.mark.parametrize("bound", sorted(BOUNDS))
def test_every_bound_is_a_sentence_with_its_numbers(bound: str) -> None:
    """No bound leaves a placeholder open, and each sentence ends with a full stop."""
    lines = allocation_lines([_row(bound=bound)])
    assert lines[0] == (
        "Allocation 7 of 1970-01-01T00:00:00Z, for active set 3: the active set changed; "
        "performance and phase, as set."
    )
    assert lines[2].endswith(".")
    assert "{" not in lines[2]
    assert bound not in lines[2]


def test_a_step_limit_names_what_it_allowed_and_the_target() -> None:
    """A weight held by its step says how far it may go and where it wants to."""
    assert "may lift it to 20.00 % at most; its target is 25.00 %" in allocation_lines([_row()])[2]


def test_the_allocation_in_force_at_a_time_is_told(run_directory: Path) -> None:
    """At 99 hours the first allocation is in force, at the end the second."""
    early = allocation_rows(run_directory, allocation_rows(run_directory, None)[0]["ts_ns"] - 1)
    assert [row["version"] for row in early] == [1, 1, 1]
    assert {row["version"] for row in allocation_rows(run_directory, None)} == {2}


def test_lines_come_largest_first(run_directory: Path) -> None:
    """The strategy with most capital is told first, those without last."""
    names = [row["strategy"] for row in allocation_rows(run_directory, None)]
    assert names == ["funding_harvester", "momentum_trader", "idle"]


def test_one_strategy_alone_as_json(
    run_directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`why momentum_trader --allocation DIR --json` prints just that line's numbers."""
    print_allocation(run_directory, strategy="momentum_trader", at=None, as_json=True)
    rows = json.loads(capsys.readouterr().out)
    assert [(row["strategy"], row["weight"]) for row in rows] == [("momentum_trader", 0.3)]


def test_an_unknown_strategy_is_told_the_nearest(run_directory: Path) -> None:
    """A mistyped name is one sentence with the name that exists."""
    with pytest.raises(SettingsError, match="no strategy 'momentum'; nearest is momentum_trader"):
        print_allocation(run_directory, strategy="momentum", at=None, as_json=False)


def test_a_run_without_allocations_says_what_held_instead(
    run_directory: Path, allocations: Callable[[Path, int], None]
) -> None:
    """Where nothing was ever allocated, the sentence says that budgets were an equal split."""
    allocations(run_directory, 0)
    with pytest.raises(StateError, match="holds no allocation; budgets were an equal split"):
        print_allocation(run_directory, strategy=None, at=None, as_json=False)
