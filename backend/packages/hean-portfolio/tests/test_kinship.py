from __future__ import annotations

import pytest

from hean.core.testing import profile, registered
from hean.portfolio.performance import Bin

from .scenes import booted


def test_documented_and_declared_twins_are_clusters_before_any_data() -> None:
    """At the start clusters are the documented pairs and those that profiles declare."""
    system, portfolio = booted()
    for name in ("hf_scalping", "inventory_neutral_mm", "enhanced_grid"):
        system.take(registered(profile(name)))
    for name in ("mine", "yours"):
        system.take(registered(profile(name, cluster="family")))
    found = portfolio.kinship.clusters()
    assert found == {
        "enhanced_grid": "",
        "hf_scalping": "hf_scalping+inventory_neutral_mm",
        "inventory_neutral_mm": "hf_scalping+inventory_neutral_mm",
        "mine": "mine+yours",
        "yours": "mine+yours",
    }
    assert portfolio.kinship.between(["yours", "mine"]) == [[1.0, 0.6], [0.6, 1.0]]


def test_what_was_measured_is_told_apart_from_what_was_believed() -> None:
    """Two strategies that moved in step show it; one without results keeps its prior row."""
    system, portfolio = booted()
    for name in ("a", "b", "c"):
        system.take(registered(profile(name)))
    kinship = portfolio.kinship
    assert kinship.names == ("a", "b", "c")
    matrix, moved, bins = kinship.measured()
    assert (matrix, moved, bins) == (kinship.prior(), (), 0)
    series = portfolio.performance.series
    for number in range(20):
        x = (-1.0) ** number * (1.0 + number % 3)
        series["a"].bins.append(Bin(number, x, 1.0, True))
        series["b"].bins.append(Bin(number, x + number * 7 % 5 - 2.0, 1.0, True))
    matrix, moved, bins = kinship.measured()
    assert (moved, bins) == (("a", "b"), 20)
    assert matrix[0][1] == pytest.approx(0.8, abs=0.1)
    assert matrix[2] == kinship.prior()[2]
