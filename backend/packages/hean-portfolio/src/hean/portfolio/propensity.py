"""Propensities: how often AutoPilot's rule makes each arm active, over many draws at once.

The same rule as `selection.choose`, for all rows together; rows in which too few are wanted go
through the rule itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hean.portfolio.selection import Arms, Rules, choose

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
    Numbers = NDArray[np.float64]


def frequencies(rows: Sequence[Sequence[float]], arms: Arms, rules: Rules) -> list[float]:
    """Return each arm's share of rows in which the rule makes it active."""
    import numpy as np

    size = len(arms.names)
    if not rows or not size:
        return [0.0] * size
    scores = np.array(rows, dtype=np.float64)
    wanted, rank, penalties = _pick_all(scores, arms, rules)
    active = _pace_all(scores - penalties, wanted, rank, arms, rules)
    least = min(rules.least, size)
    scarce = (active.sum(axis=1) < least) | (wanted.sum(axis=1) < least)
    for index in np.flatnonzero(scarce).tolist():
        active[index] = choose(rows[index], arms, rules).active
    return [count / len(rows) for count in active.sum(axis=0).tolist()]


def _pick_all(scores: Numbers, arms: Arms, rules: Rules) -> tuple[Flags, Numbers, Numbers]:
    """Return who is wanted, each one's turn, and the penalties at the end, per row."""
    import numpy as np

    count, size = scores.shape
    every: NDArray[np.intp] = np.arange(count, dtype=np.intp)
    bonus = np.where(np.array(arms.active), rules.hysteresis, 0.0)
    likeness = rules.diversity * np.maximum(np.array(arms.correlation), 0.0)
    wanted = np.zeros((count, size), dtype=np.bool_)
    rank = np.full((count, size), np.inf)
    penalties = np.zeros((count, size))
    forced = [index for index in range(size) if arms.forced[index]][: rules.most]
    for turn in range(min(size, rules.most)):
        if turn < len(forced):
            best = np.full(count, forced[turn])
            picked = np.ones(count, dtype=np.bool_)
        else:
            found = np.where(wanted, -np.inf, scores - penalties + bonus)
            best = found.argmax(axis=1)
            picked = found[every, best] > 0.0
        chosen, which = every[picked], best[picked]
        wanted[chosen, which] = True
        rank[chosen, which] = turn
        penalties[chosen] += np.where(wanted[chosen], 0.0, likeness[which])
    return wanted, rank, penalties


def _pace_all(worth: Numbers, wanted: Flags, rank: Numbers, arms: Arms, rules: Rules) -> Flags:
    """Return who is active per row after at most the allowed changes."""
    import numpy as np

    count, size = worth.shape
    now, movable = np.array(arms.active), np.array(arms.movable)
    active = np.tile(now, (count, 1))
    drops = active & ~wanted & movable
    adds = wanted & ~active & (movable | np.array(arms.forced))
    least, held = min(rules.least, size), active.sum(axis=1)
    after_drop = np.zeros(count, dtype=np.bool_)
    going = np.ones(count, dtype=np.bool_)
    for left in range(rules.changes, 0, -1):
        any_add = adds.any(axis=1)
        may_add = any_add & (held < rules.most)
        may_drop = drops.any(axis=1) & ((held > least) | (any_add & (left > 1)))
        drop = going & may_drop & ~(after_drop & may_add)
        add = going & ~drop & may_add
        going = drop | add
        rows = np.flatnonzero(drop)
        which = np.where(drops[rows], worth[rows], np.inf).argmin(axis=1)
        active[rows, which] = drops[rows, which] = False
        rows = np.flatnonzero(add)
        which = np.where(adds[rows], rank[rows], np.inf).argmin(axis=1)
        active[rows, which] = True
        adds[rows, which] = False
        held = held + add - drop
        after_drop = drop
    return active
