from __future__ import annotations

from collections.abc import Callable
from math import isclose
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.app.reports.series import Curve, capital_stack, equity_curves, rows_of, since, thin
from hean.core.errors import DataError

HOUR = 3_600_000_000_000


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=600), st.integers(min_value=8, max_value=60)
)
def test_thinning_keeps_extremes_ends_and_order(values: list[float], points: int) -> None:
    """A thinned curve is short, in order, and shows the same highest, lowest, first and last."""
    curve = Curve("x", list(range(len(values))), values)
    found = thin(curve, points)
    assert len(found.times) <= points + 4
    assert found.times == sorted(set(found.times))
    assert (min(found.values), max(found.values)) == (min(values), max(values))
    assert (found.values[0], found.values[-1]) == (values[0], values[-1])
    assert all(values[at] == value for at, value in zip(found.times, found.values, strict=True))


def test_a_short_curve_is_left_alone() -> None:
    """What fits the screen is not touched."""
    curve = Curve("x", [1, 2, 3], [1.0, 2.0, 3.0])
    assert thin(curve, 10) is curve


def test_equity_is_read_with_drawdown_below_zero(run_directory: Path) -> None:
    """Drawdown hangs from zero and its depth is the table's."""
    equity, wallet, drawdown = equity_curves(run_directory)
    assert equity.values[0] == 300.0
    assert wallet.values[0] == 299.5
    assert max(drawdown.values) <= 0.0
    assert isclose(min(drawdown.values), -(119 / 24) / 302.5, abs_tol=1e-9)


def test_the_stack_has_every_version_and_leaves_out_who_never_got_capital(
    run_directory: Path,
) -> None:
    """Two allocations are two times; a strategy at weight zero throughout is no band."""
    stack = capital_stack(run_directory)
    assert stack.names == ["momentum_trader", "funding_harvester"]
    assert stack.shares == [[0.4, 0.3], [0.4, 0.4]]
    assert len(stack.times) == 2


def test_many_allocations_are_thinned_to_the_points_asked_for(
    tmp_path: Path, allocations: Callable[[Path, int], None]
) -> None:
    """A thousand versions become as many points as fit, the newest among them."""
    allocations(tmp_path, 1_000)
    stack = capital_stack(tmp_path, points=100)
    assert len(stack.times) == 100
    assert stack.times[-1] - stack.times[0] == 999 * 3_600_000_000_000


def test_a_missing_table_is_one_sentence(tmp_path: Path) -> None:
    """The file that is missing is named."""
    with pytest.raises(DataError, match=r"fills\.parquet is missing"):
        list(rows_of(tmp_path, "fills", ("ts_ns",)))


def test_a_curve_from_a_time_on_begins_with_the_value_in_force(run_directory: Path) -> None:
    """The past that only warmed up is cut off; what held at the cut is kept."""
    curve = Curve("x", [10, 20, 30], [1.0, 2.0, 3.0])
    assert since(curve, 25) == Curve("x", [25, 30], [2.0, 3.0])
    assert since(curve, 20) == Curve("x", [20, 30], [2.0, 3.0])
    assert since(curve, 5) is curve
    equity, _, _ = equity_curves(run_directory, 1_759_276_800_000_000_000 + 100 * HOUR)
    assert len(equity.times) == 140


def test_the_stack_from_a_time_on_begins_with_the_allocation_in_force(run_directory: Path) -> None:
    """Of the allocations before the start only the newest is shown, from the start on."""
    first = 1_759_276_800_000_000_000 + 50 * HOUR
    stack = capital_stack(run_directory, first)
    assert stack.times == [first, first + 50 * HOUR]
    later = capital_stack(run_directory, first + 60 * HOUR)
    assert later.times == [first + 60 * HOUR]
    assert later.shares == [[0.3], [0.4]]


def test_what_holds_after_a_burst_is_what_was_last() -> None:
    """A spike does not stand for the quiet time after it: the value that held is kept."""
    values = [0.0] * 50 + [9.0, -9.0, 1.0] + [2.0] * 50
    times = [*range(53), *range(10_000, 10_050)]
    found = thin(Curve("x", times, values), 40)
    held = max(at for at in range(len(found.times)) if found.times[at] < 10_000)
    assert found.values[held] == 1.0
    assert max(found.values) == 9.0
