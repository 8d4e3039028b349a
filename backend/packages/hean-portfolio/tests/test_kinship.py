from __future__ import annotations

from hean.core.testing import profile, registered

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
