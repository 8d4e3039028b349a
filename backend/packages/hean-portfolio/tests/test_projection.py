from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import linalg, optimize  # pyright: ignore[reportMissingTypeStubs] - scipy ships none

from hean.portfolio.projection import Group, project

Numbers = NDArray[np.float64]
_BINDS = 1e-6


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[float], list[float], list[float], list[Group], float]:
    """Draw a box with one or two capped groups that its lower bounds fit into."""
    count = draw(st.integers(1, 8))
    number = st.integers(0, 400).map(lambda one: one / 1000)
    target = [draw(number) for _ in range(count)]
    lower = [draw(st.integers(0, 100)) / 1000 for _ in range(count)]
    upper = [low + draw(st.integers(0, 300)) / 1000 for low in lower]
    groups: list[Group] = []
    for members in (tuple(range(min(2, count))), tuple(range(2, min(4, count)))):
        if len(members) == 2:
            least = math.fsum(lower[index] for index in members)
            groups.append(Group(members, least + draw(st.integers(0, 200)) / 1000))
    return target, lower, upper, groups, draw(st.integers(0, 1200)) / 1000


@given(problems())
@settings(max_examples=150, deadline=None)
def test_projection_meets_its_conditions_of_optimality(
    problem: tuple[list[float], list[float], list[float], list[Group], float],
) -> None:
    """The result is feasible and no exchange between two free weights comes nearer: it is exact."""
    target, lower, upper, groups, total = problem
    found = project(target, lower, upper, groups, total)
    count = len(target)
    for index in range(count):
        assert lower[index] - 1e-12 <= found[index] <= upper[index] + 1e-12
    room = math.fsum(upper[i] for i in range(count) if not any(i in one.members for one in groups))
    for one in groups:
        assert math.fsum(found[i] for i in one.members) <= one.cap + 1e-12
        room += min(one.cap, math.fsum(upper[i] for i in one.members))
    wanted = min(max(total, math.fsum(lower)), room)
    assert math.fsum(found) == pytest.approx(wanted, abs=1e-9)
    full = {
        i: place
        for place, one in enumerate(groups)
        for i in one.members
        if math.fsum(found[j] for j in one.members) >= one.cap - 1e-10
    }
    for giver in range(count):
        for taker in range(count):
            if giver == taker or found[giver] <= lower[giver] + 1e-9:
                continue
            if found[taker] >= upper[taker] - 1e-9:
                continue
            if taker in full and full[taker] != full.get(giver):
                continue
            gain = (found[giver] - target[giver]) - (found[taker] - target[taker])
            assert gain <= 2e-9


def reference(
    target: Numbers, lower: Numbers, upper: Numbers, groups: list[Group], total: float
) -> Numbers:
    """Return the projection as scipy finds it: SLSQP says what binds, `linalg.solve` the rest.

    SLSQP alone stops near 1e-8. What binds in its answer gives the linear system of Lagrange; its
    solution is exact, and optimal because every multiplier has the sign it must have.
    """
    count = len(target)

    def distance(w: Numbers) -> float:
        return float(((w - target) ** 2).sum())

    def slope(w: Numbers) -> Numbers:
        return 2.0 * (w - target)

    def spare(w: Numbers, group: Group) -> float:
        return group.cap - float(w[list(group.members)].sum())

    def missing(w: Numbers) -> float:
        return float(w.sum()) - total

    solver: Any = optimize
    answer: Any = solver.minimize(
        distance,
        np.clip(target, lower, upper),
        jac=slope,
        method="SLSQP",
        bounds=list(zip(lower, upper, strict=True)),
        constraints=[
            {"type": "eq", "fun": missing},
            *({"type": "ineq", "fun": partial(spare, group=one)} for one in groups),
        ],
        options={"ftol": 1e-16, "maxiter": 1000},
    )
    rows, sides, signs = [np.ones(count)], [total], [0]
    for index in range(count):
        for bound, sign in ((lower, 1), (upper, -1)):
            if abs(answer.x[index] - bound[index]) < _BINDS:
                rows.append(np.eye(count)[index])
                sides.append(float(bound[index]))
                signs.append(sign)
    for one in groups:
        if spare(answer.x, one) < _BINDS:
            rows.append(np.array([float(index in one.members) for index in range(count)]))
            sides.append(one.cap)
            signs.append(-1)
    held = np.array(rows)
    system = np.block([[np.eye(count), -held.T], [held, np.zeros((len(held), len(held)))]])
    algebra: Any = linalg
    solved = np.array(algebra.solve(system, np.concatenate([target, sides])))
    for sign, multiplier in zip(signs, solved[count:], strict=True):
        assert sign * multiplier >= -1e-12, "SLSQP named a bound that does not bind"
    return solved[:count]


@pytest.mark.parametrize("seed", range(60))
def test_projection_equals_a_scipy_reference_to_1e_9(seed: int) -> None:
    """Weights, group caps and sum of random problems are those of scipy's solution to 1e-9."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(4, 12))
    target = rng.uniform(0.0, 0.4, count)
    lower, upper = rng.uniform(0.0, 0.05, count), rng.uniform(0.1, 0.4, count)
    groups = [Group((0, 1), rng.uniform(0.12, 0.4)), Group((2, 3), rng.uniform(0.12, 0.4))]
    room = upper[4:].sum() + sum(min(one.cap, upper[list(one.members)].sum()) for one in groups)
    total = min(0.8, rng.uniform(0.55, 0.95) * room)
    found = project(list(target), list(lower), list(upper), groups, total)
    expected = reference(target, lower, upper, groups, total)
    assert np.abs(np.array(found) - expected).max() < 1e-9


def test_nothing_to_project_is_nothing() -> None:
    """An empty problem has an empty answer."""
    assert project([], [], [], [], 0.8) == []
