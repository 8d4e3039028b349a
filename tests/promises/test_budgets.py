"""Promise 9: the sum of budgets never exceeds equity x (1 - cash reserve), whoever is active."""

from decimal import Decimal
from pathlib import Path

import pytest

from hean.app.testing import FinishedRun, finish_run, open_dataset, settings_with
from hean.core.bus import Stage
from hean.core.events import Event, RiskEnvelope
from hean.main import TradingSystem

TOLERANCE = Decimal("1E-9")


def _hold(envelopes: list[RiskEnvelope], reserve: str) -> None:
    assert envelopes
    for one in envelopes:
        total = Decimal(0)
        for line in one.strategies:
            total += line.budget
        ceiling = max(Decimal(0), one.equity * (1 - Decimal(reserve)))
        assert one.budgets_sum == total
        assert total <= one.deployable <= ceiling + TOLERANCE


def test_every_envelope_keeps_the_reserve(
    bar_run: FinishedRun, witnessed: dict[type[Event], list[Event]]
) -> None:
    """At every envelope of a run the budgets fit into the deployable capital."""
    assert Decimal(bar_run.summary["budgets"]["deployable_min_margin"]) >= 0
    found = [one for one in witnessed[RiskEnvelope] if isinstance(one, RiskEnvelope)]
    _hold(found, "0.2")


@pytest.mark.parametrize(
    ("method", "reserve", "capital"),
    [("equal", "0", "40"), ("risk_parity", "0.6", "100000"), ("performance", "0.35", "333.33")],
)
def test_it_holds_under_any_method(
    bars: Path, tmp_path: Path, method: str, reserve: str, capital: str
) -> None:
    """The same holds for other methods, reserves and capitals."""
    found: list[RiskEnvelope] = []

    def watch(system: TradingSystem) -> None:
        system.bus.subscribe(RiskEnvelope, found.append, stage=Stage.REPORTS, owner="witness")

    settings = settings_with(
        CAPITAL_ALLOCATION_METHOD=method, CASH_RESERVE_RATE=reserve, INITIAL_CAPITAL=capital
    )
    run = finish_run(open_dataset(bars, tmp_path, settings, watch=watch))
    assert Decimal(run.summary["budgets"]["deployable_min_margin"]) >= 0
    _hold(found, reserve)
