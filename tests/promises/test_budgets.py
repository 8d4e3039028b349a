"""Promise 9: the sum of budgets never exceeds equity x (1 - cash reserve), whoever is active."""

from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from hean.app.testing import FinishedRun, finish_run, open_dataset, settings_with
from hean.core.bus import Stage
from hean.core.events import (
    ActiveStrategiesChanged,
    CapitalAllocated,
    Event,
    OperatorCommand,
    RiskEnvelope,
    WalletUpdated,
)
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


def _command(system: TradingSystem, word: str, strategy: str) -> OperatorCommand:
    now = system.agenda.now
    return OperatorCommand(
        ts_event=now, ts_init=now, command=word, operator="o", reason="r",
        arguments=(("strategy", strategy),),
    )  # fmt: skip


def _flow(system: TradingSystem, amount: int) -> WalletUpdated:
    now, wallet = system.agenda.now, system.wallet
    return WalletUpdated(
        ts_event=now, ts_init=now, wallet=wallet, available=wallet, transfer=Decimal(amount)
    )


@pytest.mark.parametrize(("seed", "allocates"), [(1, "true"), (2, "false")])
def test_budgets_never_exceed_deployable_whatever_joins_or_leaves(
    bars: Path, tmp_path: Path, seed: int, allocates: str
) -> None:
    """Strategies and money come and go, old objects arrive late or none at all: budgets fit."""
    seen: list[ActiveStrategiesChanged | CapitalAllocated] = []

    def watch(system: TradingSystem) -> None:
        for kind in (ActiveStrategiesChanged, CapitalAllocated):
            system.bus.subscribe(kind, seen.append, stage=Stage.REPORTS, owner="witness")

    settings = settings_with(STRATEGY_CAPITAL_ALLOCATION=allocates)
    session = open_dataset(bars, tmp_path, settings, watch=watch)
    system, draw = session.system, Random(seed)
    sizes: set[int] = set()
    for turn in range(6000):
        event = session.next_event()
        assert event is not None
        session.take(event)
        if turn % 20 or not seen:
            continue
        word = draw.choice(("strategy_off", "strategy_on", "strategy_auto", "strategy_auto"))
        amount = draw.choice((-60, -20, 20, 70)) if system.wallet > 150 else 100
        system.kernel.take(
            draw.choice(
                (
                    _command(system, word, draw.choice(system.portfolio.kinship.names)),
                    _flow(system, amount),
                    draw.choice(seen),
                )
            )
        )
        found = system.risk.sentinel.envelope()
        _hold([found], "0.2")
        assert all(one.active or one.budget == 0 for one in found.strategies)
        sizes.add(sum(one.budget > 0 for one in found.strategies))
    session.journal.close()
    assert len(sizes) > 2
