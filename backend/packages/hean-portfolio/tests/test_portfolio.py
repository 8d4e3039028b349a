from __future__ import annotations

import hean.portfolio as facade
from hean.core.testing import MiniSystem
from hean.portfolio import PortfolioSettings, build_portfolio


def _place(name: str) -> tuple[bool, bool, str]:
    return (not name.isupper(), name.islower(), name)


def test_the_facade_is_complete_and_sorted() -> None:
    """Every public name is there, once, in order."""
    assert facade.__all__ == sorted(facade.__all__, key=_place)
    assert all(hasattr(facade, one) for one in facade.__all__)


def test_components_come_in_the_declared_order_and_survive_a_restart() -> None:
    """The books come before what reads them, and every component restores its own bytes."""
    system = MiniSystem()
    portfolio = build_portfolio(
        system.settings, PortfolioSettings(), system.bus, system.agenda, system.view
    )
    assert [one.name for one in portfolio.components] == [
        "ledger",
        "reconciler",
        "equity",
        "shadow_book",
        "performance",
        "kinship",
        "autopilot",
        "allocator",
    ]
    for one in portfolio.components:
        one.attach(system.bus)
        state = one.snapshot()
        one.restore(state)
        assert one.snapshot() == state
