from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.portfolio.allocation import Candidate, Limits, quantised, solve
from hean.portfolio.allocation_methods import performance_shares

LIMITS = Limits(spend=0.8, floor=0.05, cap=0.4, shift=0.1)


def cap_of(cluster: str) -> float:
    """Return the default cap of every cluster."""
    return 0.4


def weights(*candidates: Candidate) -> dict[str, float]:
    """Return the solved weights by name."""
    return {name: one.weight for name, one in solve(candidates, LIMITS, cap_of).items()}


def wants(name: str, target: float, previous: float, **more: object) -> Candidate:
    """Return a candidate."""
    return Candidate(strategy=name, target=target, previous=previous, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("count", "each"), [(1, 0.4), (2, 0.4), (3, 0.2666), (8, 0.1), (11, 0.0727)]
)
def test_without_data_capital_is_split_equally(count: int, each: float) -> None:
    """C2: 1, 2, 3, 8 and 11 equal strategies get 40, 40, 26.66, 10 and 7.27 % each."""
    before = quantised(min(0.8 / count, 0.4))
    found = weights(*(wants(f"s{n:02d}", 0.8 / count, before) for n in range(count)))
    assert set(found.values()) == {each}


def test_evidence_moves_capital_in_one_step() -> None:
    """C3: of eight equals in a neutral phase one reaches t = 2: 19.8 and seven times 8.6 %."""
    evidence = [2.0] + [0.0] * 7
    shares = performance_shares(evidence, 1.0)
    found = weights(
        *(
            wants(f"s{n}", 0.8 * (0.7 * share + 0.3 / 8), 0.1, evidence=evidence[n])
            for n, share in enumerate(shares)
        )
    )
    assert [found[f"s{n}"] for n in range(8)] == [0.198] + [0.086] * 7


def test_proven_losers_have_no_performance_share() -> None:
    """B5: where every t is at most -1 every performance share is 0, not equal."""
    assert performance_shares([-1.0, -1.5, -4.0], 1.0) == [0.0, 0.0, 0.0]


def test_newcomers_get_room_at_once_and_the_rest_step_by_step() -> None:
    """C4: two at 40 % and six newcomers go 25 and 5, then 15 and 8.33, then 10 each."""
    now = {f"s{n}": 0.4 if n < 2 else 0.0 for n in range(8)}
    seen: list[tuple[float, float]] = []
    for _ in range(3):
        now = weights(*(wants(name, 0.1, before) for name, before in now.items()))
        seen.append((now["s0"], now["s7"]))
    assert seen == [(0.25, 0.05), (0.15, 0.0833), (0.1, 0.1)]


def test_a_voluntary_exit_takes_four_steps() -> None:
    """C6: a strategy with proven losses goes from 40 to the floor of 5 % in four steps."""
    now = 0.4
    path: list[float] = []
    while len(path) < 5:
        now = weights(wants("bad", 0.0, now, evidence=-2.0), wants("good", 0.4, 0.4))["bad"]
        path.append(now)
    assert path == [0.3, 0.2, 0.1, 0.05, 0.05]


def test_proven_losers_get_nothing_pushed_at_them() -> None:
    """B5: where every t is at most -1 the weights only fall, and cash is what remains."""
    found = weights(*(wants(f"s{n}", 0.03, 0.1, evidence=-1.5) for n in range(8)))
    assert set(found.values()) == {0.05}


def test_a_budget_below_the_smallest_viable_one_is_none() -> None:
    """B_min: a weight is 0 or viable; the set nearest to the targets wins."""
    found = solve(
        [
            wants("dear", 0.1, 0.0, minimum=0.2),
            wants("near", 0.15, 0.15, minimum=0.12),
            wants("cheap", 0.15, 0.15),
        ],
        LIMITS,
        cap_of,
    )
    assert found["dear"].weight == 0.0
    assert found["dear"].bound == "B_MIN"
    assert found["near"].weight >= 0.12


def test_a_distant_target_is_saved_for() -> None:
    """A target above B_min that one step cannot reach is granted step by step."""
    found = solve([wants("dear", 0.35, 0.0, minimum=0.2), wants("other", 0.4, 0.4)], LIMITS, cap_of)
    assert (found["dear"].weight, found["dear"].bound) == (0.1, "ACCUMULATING")


CANDIDATES = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.sampled_from([0, 500, 700, 1000, 2000, 3000, 4000]),
        st.sampled_from([-2.0, -1.0, 0.0, 1.5]),
        st.sampled_from([0.0, 0.03, 0.08, 0.15, 0.5]),
        st.sampled_from(["", "", "a", "b"]),
    ),
    min_size=1,
    max_size=10,
)


@given(CANDIDATES)
@settings(max_examples=150, deadline=None)
def test_weights_keep_every_bound(
    rows: list[tuple[int, int, float, float, str]],
) -> None:
    """C1, J4: sum, floor, cap, step and cluster hold for any candidates; renaming only renames."""
    total = 0
    for row in rows:
        total += row[0]
    total = max(total, 1)

    def build(prefix: str) -> list[Candidate]:
        return [
            Candidate(
                strategy=f"{prefix}{n}",
                target=0.8 * row[0] / total,
                previous=row[1] / 10_000,
                evidence=row[2],
                minimum=row[3],
                cluster=row[4],
            )
            for n, row in enumerate(rows)
        ]

    found = solve(build("s"), LIMITS, cap_of)
    added, clusters = 0, {"a": 0, "b": 0}
    for n, row in enumerate(rows):
        units = round(found[f"s{n}"].weight * 10_000)
        assert units == 0 or 500 <= units <= 4000
        assert units <= row[1] + 1000
        added += units
        if row[4]:
            clusters[row[4]] += units
    assert added <= 8000
    assert max(clusters.values()) <= 4000
    renamed = solve(build("t"), LIMITS, cap_of)
    assert {name[1:]: one.weight for name, one in renamed.items()} == {
        name[1:]: one.weight for name, one in found.items()
    }
