from __future__ import annotations

import io

from rich.console import Console

from hean.app.plan_view import show_plan
from hean.app.planning import make_plan, parse_factors, simulated_market
from hean.app.testing import settings_with


def shown(factors: dict[str, float] | None = None, **values: str) -> str:
    """Return what the terminal shows of a plan on the simulated market."""
    loaded = settings_with(**values)
    stream = io.StringIO()
    market = simulated_market(loaded, ["BTC=100000", "ETH=3500"])
    plan = make_plan(loaded, market, factors=parse_factors(factors or {}))
    show_plan(plan, Console(file=stream, width=150))
    return stream.getvalue()


def test_the_plan_says_what_opens_when() -> None:
    """The text names the deployable sum, the largest set, the split and where closed lines open."""
    text = shown()
    assert "240.00 may be deployed" in text
    assert "Largest sets that fit together" in text
    assert "Recommended allocation" in text
    assert "FULL_ONLY" in text
    assert "rebate_farmer: no capital opens it; it lives on a maker rebate" in text
    assert "weight floor" in text


def test_measured_size_factors_are_named() -> None:
    """A plan of a run says which size factors it measured, and nothing where all are 1."""
    said = "Measured size factors k: momentum_trader 0.476; 1 for the others."
    assert said in shown({"momentum_trader": 0.475546479, "enhanced_grid": 1.0})
    assert "size factors" not in shown()


def test_an_account_too_small_for_anything_says_so() -> None:
    """With 5 USDT no strategy can be carried, and each is told the capital that opens it."""
    text = shown(INITIAL_CAPITAL="5")
    assert "No strategy can be carried by this capital." in text
    assert "momentum_trader opens at" in text
