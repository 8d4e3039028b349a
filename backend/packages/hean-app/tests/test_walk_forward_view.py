from __future__ import annotations

from typing import Any

from hean.app.walk_forward_view import day_of, folds_table, walk_lines

DAY_NS = 86_400_000_000_000


def _found(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 (a record's values)
    return {
        "chosen": "as set",
        "walk_forward": {"days": 404.0, "trades": 276, "mean_bp": 9.3, "t": 0.49, "trials": 1},
        "lacks": {"subject": "days of walk-forward", "number": 404.0, "limit": 730.0},
        "candidates": [{"name": "as set", "trades": 351, "mean_bp": 4.8, "t": 0.31}],
        **changed,
    }


def test_what_is_lacking_is_named_with_its_limit() -> None:
    """The lines tell the figure out of sample, what in sample proves nothing, and what lacks."""
    lines = walk_lines(_found())
    assert "276 trades" in lines[0]
    assert "t +0.49" in lines[0]
    assert lines[1].startswith("in sample, which proves nothing")
    assert lines[-1] == "not enough before PROBE: days of walk-forward 404, needed 730"
    assert "no more" in walk_lines(_found(lacks=None))[-1]


def test_a_window_without_trades_has_no_mean() -> None:
    """Windows stand by their UTC days; an empty one shows a dash."""
    assert day_of(DAY_NS) == "1970-01-02"
    fold = {"from_ns": 0, "to_ns": DAY_NS, "chosen": "as set", "trades": 0, "mean_bp": 0.0}
    cells = [next(iter(column.cells)) for column in folds_table([fold]).columns]
    assert cells == ["1970-01-01", "1970-01-02", "as set", "0", "-"]
