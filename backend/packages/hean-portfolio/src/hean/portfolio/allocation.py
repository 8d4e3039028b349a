"""From targets to weights: boxes, room, viability, projection. A pure function.

Weights are fractions of equity. Each is 0 or inside its box; which strategies too small to trade
are left out is decided by trying, the set nearest to the targets wins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Final

import msgspec

from hean.portfolio.evidence import rounded
from hean.portfolio.projection import Group, project

QUANTUM: Final = 1e-4
"""Weights are quantised down to this."""

_DOUBTFUL: Final = 8
_EPSILON: Final = 1e-9


class Candidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An active strategy: what it should get, had, and needs (`minimum`, B_min as a fraction)."""

    strategy: str
    target: float
    previous: float
    evidence: float = 0.0
    minimum: float = 0.0
    cluster: str = ""


class Limits(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What binds every weight; `spend` is 1 - reserve, `enter` and `stay` multiply B_min."""

    spend: float
    floor: float
    cap: float
    shift: float
    enter: float = 1.2
    stay: float = 1.0


class Share(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A weight with its box and the bound that decided."""

    strategy: str
    weight: float
    lower: float
    upper: float
    bound: str


class _Box(msgspec.Struct, kw_only=True, gc=False):
    who: Candidate
    needed: float
    upper: float
    is_losing: bool
    is_saving: bool
    lower: float = 0.0

    def widen(self, limits: Limits, by: float) -> None:
        self.lower = max(self.needed, self.who.previous - limits.shift - by)


def quantised(weight: float) -> float:
    """Return a weight rounded down to the quantum."""
    return math.floor(weight / QUANTUM + 1e-5) / round(1.0 / QUANTUM)


def solve(
    candidates: Sequence[Candidate], limits: Limits, cap_of: Callable[[str], float]
) -> dict[str, Share]:
    """Return every candidate's share; `cap_of` gives a cluster's cap."""
    ordered = sorted(candidates, key=lambda one: one.strategy)
    total = min(limits.spend, math.fsum(one.target for one in ordered))
    boxes = [box for one in ordered if (box := _box(one, limits)) is not None]
    boxes = _fitting(boxes, limits, cap_of)
    best: tuple[tuple[float, int, tuple[str, ...]], list[_Box], list[float]] | None = None
    for kept in _sets(boxes, limits):
        if best is not None and _least(kept, boxes, total) > best[0][0] + _EPSILON:
            continue
        if not _make_room(kept, limits, cap_of):
            continue
        lower = [one.lower for one in kept]
        upper = [one.lower if one.is_losing else max(one.lower, one.upper) for one in kept]
        weights = project(
            [one.who.target for one in kept], lower, upper, _groups(kept, cap_of), total
        )
        rank = _rank(kept, weights, ordered)
        if best is None or rank < best[0]:
            best = (rank, [msgspec.structs.replace(one) for one in kept], weights)
    found = {
        one.strategy: Share(strategy=one.strategy, weight=0.0, lower=0.0, upper=0.0, bound="B_MIN")
        for one in ordered
    }
    if best is not None:
        held = _held_groups(best[1], best[2], cap_of)
        for box, weight in zip(best[1], best[2], strict=True):
            found[box.who.strategy] = _share(box, weight, limits, held)
    return found


def _box(one: Candidate, limits: Limits) -> _Box | None:
    """Return a candidate's box, or None where it cannot be given anything it could use."""
    upper = min(limits.cap, one.previous + limits.shift)
    stays = one.previous > 0.0 and one.previous >= one.minimum * limits.stay - _EPSILON
    needed = one.minimum * (limits.stay if stays else limits.enter)
    needed = math.ceil(needed / QUANTUM - 1e-6) * QUANTUM if math.isfinite(needed) else needed
    is_losing = one.evidence <= -1.0
    if needed <= limits.floor:
        needed = limits.floor
    elif needed > upper + _EPSILON:
        if is_losing or needed > limits.cap + _EPSILON or one.target < needed - _EPSILON:
            return None
        return _Box(who=one, needed=limits.floor, upper=upper, is_losing=False, is_saving=True)
    return _Box(
        who=one, needed=needed, upper=max(upper, needed), is_losing=is_losing, is_saving=False
    )


def _fitting(boxes: list[_Box], limits: Limits, cap_of: Callable[[str], float]) -> list[_Box]:
    """Drop the smallest targets until all smallest weights could fit into sum and clusters."""
    kept = list(boxes)
    clusters = sorted({one.who.cluster for one in kept if one.who.cluster})
    for cluster, cap in [*((name, cap_of(name)) for name in clusters), ("", limits.spend)]:
        inside = [one for one in kept if not cluster or one.who.cluster == cluster]
        inside.sort(key=lambda one: (one.who.target, one.who.strategy))
        while inside and limits.floor * len(inside) > cap + _EPSILON:
            kept.remove(inside.pop(0))
    return kept


def _sets(boxes: list[_Box], limits: Limits) -> Iterator[list[_Box]]:
    """Yield the sets to try: all that are safely viable, with each choice of the doubtful ones."""
    doubtful = [one for one in boxes if one.needed > limits.floor + _EPSILON]
    doubtful.sort(key=lambda one: (-one.who.target / one.needed, one.who.strategy))
    doubtful = doubtful[:_DOUBTFUL]
    tried = {one.who.strategy for one in doubtful}
    for choice in product((True, False), repeat=len(doubtful)):
        chosen = {one.who.strategy for one, kept in zip(doubtful, choice, strict=True) if kept}
        yield [
            one
            for one in boxes
            if one.who.strategy in chosen
            or (one.who.strategy not in tried and one.needed <= limits.floor + _EPSILON)
        ]


def _least(kept: list[_Box], boxes: list[_Box], total: float) -> float:
    """Return a distance that no solution of this set can beat, to skip what cannot win."""
    names = {one.who.strategy for one in kept}
    out = math.fsum(one.who.target**2 for one in boxes if one.who.strategy not in names)
    if not kept:
        return out
    up = math.fsum(max(0.0, one.needed - one.who.target) ** 2 for one in kept)
    reachable = min(total, math.fsum(one.upper for one in kept))
    spare = max(0.0, reachable - math.fsum(one.who.target for one in kept))
    return out + max(up, spare * spare / len(kept)) if spare > 0.0 else out + up


def _make_room(kept: list[_Box], limits: Limits, cap_of: Callable[[str], float]) -> bool:
    """Set lower bounds; widen all cut allowances equally by the least that lets them fit."""
    needs = [(limits.spend, kept)]
    needs += [
        (cap_of(name), [one for one in kept if one.who.cluster == name])
        for name in sorted({one.who.cluster for one in kept if one.who.cluster})
    ]

    def fits(by: float) -> bool:
        for one in kept:
            one.widen(limits, by)
        return all(
            math.fsum(one.lower for one in members) <= cap + _EPSILON for cap, members in needs
        )

    if fits(0.0):
        return True
    if not fits(1.0):
        return False
    low, high = 0.0, 1.0
    while high - low > 1e-12:
        middle = 0.5 * (low + high)
        if fits(middle):
            high = middle
        else:
            low = middle
    return fits(high)


def _groups(kept: list[_Box], cap_of: Callable[[str], float]) -> list[Group]:
    names = sorted({one.who.cluster for one in kept if one.who.cluster})
    return [
        Group(
            tuple(index for index, one in enumerate(kept) if one.who.cluster == name),
            cap_of(name),
        )
        for name in names
    ]


def _rank(
    kept: list[_Box], weights: list[float], ordered: list[Candidate]
) -> tuple[float, int, tuple[str, ...]]:
    given = {one.who.strategy: weight for one, weight in zip(kept, weights, strict=True)}
    away, changes = 0.0, 0
    for one in ordered:
        weight = given.get(one.strategy, 0.0)
        away += (weight - one.target) ** 2
        changes += abs(weight - one.previous) >= QUANTUM
    missing = tuple(one.strategy for one in ordered if one.strategy not in given)
    return rounded(away), changes, missing


def _held_groups(
    kept: list[_Box], weights: list[float], cap_of: Callable[[str], float]
) -> set[str]:
    held: set[str] = set()
    for one in _groups(kept, cap_of):
        if math.fsum(weights[index] for index in one.members) >= one.cap - QUANTUM:
            held.add(kept[one.members[0]].who.cluster)
    return held


def _share(box: _Box, weight: float, limits: Limits, held: set[str]) -> Share:
    lower, upper = box.lower, box.lower if box.is_losing else max(box.lower, box.upper)
    return Share(
        strategy=box.who.strategy,
        weight=quantised(weight),
        lower=rounded(lower),
        upper=rounded(upper),
        bound=_bound(box, weight, lower, upper, limits, held),
    )


def _bound(
    box: _Box, weight: float, lower: float, upper: float, limits: Limits, held: set[str]
) -> str:
    """Name what decided a weight."""
    who = box.who
    if box.is_saving:
        return "ACCUMULATING"
    if box.is_losing:
        return "NEGATIVE_EVIDENCE"
    if abs(weight - who.target) < QUANTUM:
        return "TARGET"
    if weight >= upper - QUANTUM and weight < who.target:
        return "CAP" if upper >= limits.cap - QUANTUM else "SHIFT_UP"
    if weight <= lower + QUANTUM and weight > who.target:
        if lower > limits.floor + QUANTUM and lower <= box.needed + QUANTUM:
            return "B_MIN"
        if lower <= limits.floor + QUANTUM:
            return "FLOOR"
        return "SHIFT_DOWN" if lower >= who.previous - limits.shift - QUANTUM else "ROOM"
    if who.cluster in held:
        return "CLUSTER"
    return "SUM"
