"""The exact Euclidean projection onto a box with capped groups and a given sum.

w = clip(y + lambda - nu_g, l, u): nu_g >= 0 holds a group at its cap, lambda makes the sum. Both
are found to the last bits; nothing is rescaled, so nothing leaves its box.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec

_STEPS: Final = 200
_CLOSE: Final = 1e-14


class Group(msgspec.Struct, frozen=True, gc=False):
    """Indices that together may have at most `cap`."""

    members: tuple[int, ...]
    cap: float


def project(
    target: Sequence[float],
    lower: Sequence[float],
    upper: Sequence[float],
    groups: Sequence[Group],
    total: float,
) -> list[float]:
    """Return the nearest point to `target` inside the box, the caps and, where they allow, `total`.

    Groups do not overlap and their lower bounds fit under their caps; who is in none stands alone.
    """
    count = len(target)
    if not count:
        return []
    grouped = {index for one in groups for index in one.members}
    free = tuple(index for index in range(count) if index not in grouped)

    def clipped(index: int, shift: float) -> float:
        return min(upper[index], max(lower[index], target[index] + shift))

    def sum_of(members: Sequence[int], shift: float) -> float:
        found = 0.0
        for index in members:
            found += clipped(index, shift)
        return found

    def whole(shift: float) -> float:
        found = sum_of(free, shift)
        for one in groups:
            found += min(one.cap, sum_of(one.members, shift))
        return found

    low = min(lower[index] - target[index] for index in range(count))
    high = max(upper[index] - target[index] for index in range(count))
    shift = _reach(whole, total, low, high)
    found = [clipped(index, shift) for index in range(count)]
    for one in groups:
        if sum_of(one.members, shift) > one.cap:
            held = _reach(partial(sum_of, one.members), one.cap, low, shift)
            for index in one.members:
                found[index] = clipped(index, held)
    return found


def _reach(function: Callable[[float], float], goal: float, low: float, high: float) -> float:
    """Return where a piecewise linear function that never falls reaches `goal`, in [low, high].

    Halving finds the piece, interpolation the point on it.
    """
    at_low, at_high = function(low), function(high)
    if at_high <= goal:
        return high
    if at_low >= goal:
        return low
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        found = function(middle)
        if found < goal:
            low, at_low = middle, found
        else:
            high, at_high = middle, found
        guess = low + (goal - at_low) * (high - low) / (at_high - at_low)
        if abs(function(guess) - goal) <= _CLOSE:
            return guess
    return high
