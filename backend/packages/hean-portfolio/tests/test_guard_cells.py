from __future__ import annotations

from hean.core.events import EdgeGuardChanged, GuardMode
from hean.portfolio.guard_cells import GuardCells


def changed(cell: str, mode: GuardMode) -> EdgeGuardChanged:
    """Return a change of a cell of `s`."""
    return EdgeGuardChanged(
        ts_event=0,
        ts_init=0,
        strategy="s",
        cell=cell,
        mode=mode,
        previous=GuardMode.SHADOW,
        outcomes=0,
        posterior_mean_bp=0.0,
        posterior_error_bp=0.0,
        last_mean_bp=0.0,
        cost_bp=0.0,
    )


def test_one_live_cell_makes_a_strategy_live() -> None:
    """A strategy is live while any cell is PROBE or ACTIVE, and only such moves are told."""
    cells = GuardCells()
    assert not cells.is_live("s")
    assert cells.learn(changed("a", GuardMode.PROBE))
    assert not cells.learn(changed("b", GuardMode.ACTIVE))
    assert not cells.learn(changed("a", GuardMode.SHADOW))
    assert cells.is_live("s")
    assert cells.learn(changed("b", GuardMode.SHADOW))
    assert not cells.is_live("s")
