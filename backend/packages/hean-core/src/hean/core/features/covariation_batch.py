"""The batch form of `Covariation`: columns of prices in, the sums of its steps out."""

from __future__ import annotations

import numpy as np

from hean.core.features.columns import (
    Floats,
    Integers,
    after,
    quantised_log_batch,
    rolling_sum_batch,
)
from hean.core.features.covariation import STEP_NS


def covariation_batch(
    first_at: Integers,
    first: Integers,
    second_at: Integers,
    second: Integers,
    apart_ns: int = 0,
) -> dict[str, Integers]:
    """Return cross, first_square and second_square of each step that `Covariation` closes.

    Times ascend in each column; of equal ones the last counts, and of those less than `apart_ns`
    after the one taken before none. Steps begin with the first price of
    either and end before the step of the last.
    """
    one_at, one, one_path = _moves(first_at, first, apart_ns)
    other_at, other, other_path = _moves(second_at, second, apart_ns)
    together = np.isin(one_at, other_at, assume_unique=True)
    products = (
        (one_at, one * _since(one_at, other_at, other_path)),
        (other_at, other * _since(other_at, one_at, one_path)),
        (one_at[together], one[together] * other[np.isin(other_at, one_at, assume_unique=True)]),
    )
    begin = min(int(one_at[0]), int(other_at[0])) // STEP_NS
    count = max(int(one_at[-1]), int(other_at[-1])) // STEP_NS - begin
    cross = np.zeros(count, dtype=np.int64)
    for at, product in products:
        cross += _per_step(at, product, begin, count)
    return {
        "cross": cross,
        "first_square": _per_step(one_at, one * one, begin, count),
        "second_square": _per_step(other_at, other * other, begin, count),
    }


def correlation_batch(sums: dict[str, Integers], n: int) -> Floats:
    """Return the column of `Covariation.correlation` over n steps, as each step closes."""
    cross, one, other = (
        rolling_sum_batch(sums[name], n).astype(np.float64)
        for name in ("cross", "first_square", "second_square")
    )
    below, result = one * other, np.zeros(len(cross))
    np.divide(cross, np.sqrt(below), out=result, where=below > 0.0)
    return after(result, n)


def _moves(at: Integers, price: Integers, apart_ns: int) -> tuple[Integers, Integers, Integers]:
    """Return instants, the move that ends at each, and the path; equal instants become one."""
    last = np.append(np.diff(at) > 0, True)
    at, price = at[last], price[last]
    if apart_ns > 0:
        taken = _taken(at, apart_ns)
        at, price = at[taken], price[taken]
    move = np.zeros(len(price), dtype=np.int64)
    move[1:] = quantised_log_batch(price[1:], price[:-1])
    return at, move, np.cumsum(move)


def _taken(at: Integers, apart_ns: int) -> list[int]:
    """Return the places of the instants taken, each the first that is far enough from the last."""
    found, place = list[int](), 0
    while place < len(at):
        found.append(place)
        place = int(np.searchsorted(at, int(at[place]) + apart_ns, side="left"))
    return found


def _since(at: Integers, other_at: Integers, path: Integers) -> Integers:
    """Return, for the interval that ends at each time, the other's move until just before it."""
    padded = np.concatenate(([0], path))
    end = np.searchsorted(other_at, at, side="left")
    start = np.concatenate(([0], np.searchsorted(other_at, at[:-1], side="right")))
    return padded[end] - padded[start]


def _per_step(at: Integers, value: Integers, begin: int, count: int) -> Integers:
    result = np.zeros(count + 1, dtype=np.int64)
    np.add.at(result, at // STEP_NS - begin, value)
    return result[:count]
