from __future__ import annotations

import json
from pathlib import Path

import pytest

from hean.app.reports.capital import (
    activations,
    capital_data,
    capital_over_time,
    gate_costs,
    is_followed,
    last_weights,
    likenesses,
    slot_rows,
)

START = 1_759_276_800_000_000_000
HOUR = 3_600_000_000_000


def test_what_a_refusal_saved_has_its_interval(capital_directory: Path) -> None:
    """Four ends at -15 bp on average: the mean lies in -19.67 to -10.33, so refusing saved."""
    by_code = {one.code: one for one in gate_costs(capital_directory)}
    edge = by_code["EDGE"]
    assert (edge.refused, edge.followed, edge.mean_bp) == (6, 4, -15.0)
    assert (edge.low_bp, edge.high_bp) == (
        pytest.approx(-19.666, abs=1e-3),
        pytest.approx(-10.334, abs=1e-3),
    )
    assert edge.verdict == "saved"
    assert edge.total_r == pytest.approx(-0.6)
    assert by_code["STRATEGY_INACTIVE"].verdict == "too few"
    assert is_followed("STRATEGY_INACTIVE")
    assert not is_followed("RISK_STATE")


def test_arms_carry_their_interval(capital_directory: Path) -> None:
    """The last beliefs have 95 % intervals, and an active set that repeats is told once."""
    sets, arms = activations(capital_directory)
    assert [one.version for one in sets] == [1, 3]
    assert sets[-1].active == ("funding_harvester", "momentum_trader")
    funding = arms[0]
    assert (funding.low, funding.high) == (
        pytest.approx(0.0108, abs=1e-4),
        pytest.approx(0.0892, abs=1e-4),
    )


def test_only_the_last_allocation_is_the_weights(
    capital_directory: Path,
) -> None:
    """The weights are those of the newest allocation, the largest first."""
    weights = last_weights(capital_directory)
    assert weights
    assert [one.weight for one in weights] == sorted((one.weight for one in weights), reverse=True)


def test_capital_over_time_is_what_was_in_force(run_directory: Path) -> None:
    """At twelve even times stand the equity of then and the weights of the newest allocation."""
    rows = capital_over_time(run_directory, START, START + 220 * HOUR)
    assert [one.ts_ns for one in rows] == [START + 20 * HOUR * n for n in range(12)]
    assert [one.equity for one in rows[:3]] == [
        300.0,
        pytest.approx(300 + 20 / 48),
        pytest.approx(300 + 40 / 48),
    ]
    even = (("funding_harvester", 0.4), ("momentum_trader", 0.4))
    assert [one.weights for one in rows[:5]] == [even] * 5
    assert rows[5].weights == (("funding_harvester", 0.4), ("momentum_trader", 0.3))
    assert rows[-1].drawdown > 0.0


def test_only_strategies_with_results_are_compared() -> None:
    """Pairs need results on both sides; those that results moved furthest come first."""
    found = {
        "names": ["a", "b", "c", "d"],
        "moved": ["a", "b", "d"],
        "prior": [[0.1] * 4] * 4,
        "measured": [[0.0, 0.2, 0.0, 0.9]] * 4,
        "in_force": [[0.0, 0.15, 0.0, 0.5]] * 4,
    }
    pairs = [(one.strategy, one.other, one.measured) for one in likenesses(found)]
    assert pairs == [("a", "d", 0.9), ("b", "d", 0.9), ("a", "b", 0.2)]


def test_slots_lost_name_to_whom(capital_directory: Path) -> None:
    """Who won a last slot and who was refused one, and to whom, are one row each."""
    slots = json.loads((capital_directory / "capital.json").read_text())["slots"]
    assert slot_rows(slots) == [
        ("funding_harvester", 0, 3, "momentum_trader 3"),
        ("momentum_trader", 2, 0, ""),
    ]


def test_the_report_is_plain_data(capital_directory: Path) -> None:
    """Everything in the report survives JSON, with weights over time and the correlation."""
    data = json.loads(json.dumps(capital_data(capital_directory)))
    assert data["correlation"]["in_force"][0][1] == 0.6
    assert len(data["active_sets"]) == 2
    assert data["equity"][0][0] <= data["equity"][-1][0]
    assert set(data["weights_over_time"]["weights"]) <= {
        one["strategy"] for one in data["weights"]
    } | {"momentum_trader", "funding_harvester"}
