"""EnhancedGrid through gate, slots, execution and paper venue, where its evidence is planted."""

from pathlib import Path

import msgspec
import pytest

from hean.app.feeds.sim import START_NS
from hean.app.strategy_selection import enabling
from hean.app.testing import finish_run, open_simulation, settings_with
from hean.core.bus import Stage
from hean.core.events import (
    Event,
    Frame,
    Intent,
    OrderFilled,
    OrderRequest,
    Regime,
    RegimeChanged,
)
from hean.main import TradingSystem
from hean.strategies import EnhancedGrid, Parameters
from hean.strategies.decisions import Outputs
from hean.strategies.grid_desk import GridSettings, GridState

END_NS = START_NS + 45 * 60 * 10**9


def _with_evidence(event: Event) -> Event:
    """Return the event as it would be in a calm, proved range."""
    if isinstance(event, RegimeChanged):
        return msgspec.structs.replace(event, regime=Regime.RANGE, ready=True)
    if isinstance(event, Frame):
        features = msgspec.structs.replace(
            event.features, variance_ratio=0.6, half_life=300.0, sigma_percentile=0.3
        )
        return msgspec.structs.replace(event, features=features)
    return event


def test_every_filled_rung_gets_its_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rungs rest six at most, and each fill is followed at once by a resting exit of its size."""
    real = EnhancedGrid.step

    def step(
        state: GridState, event: Event, parameters: Parameters[GridSettings]
    ) -> tuple[GridState, Outputs]:
        return real(state, _with_evidence(event), parameters)

    monkeypatch.setattr(EnhancedGrid, "step", staticmethod(step))
    orders: dict[str, OrderRequest] = {}
    fills: list[OrderFilled] = []

    def watch(system: TradingSystem) -> None:
        def on_order(order: OrderRequest) -> None:
            orders[order.client_order_id] = order

        bus, stage = system.bus, Stage.REPORTS
        bus.subscribe(OrderRequest, on_order, stage=stage, owner="witness")
        bus.subscribe(OrderFilled, fills.append, stage=stage, owner="witness")

    settings = settings_with(
        **enabling(("enhanced_grid",)),
        SIM__HISTORY_DAYS="0.2",
        SIM__HISTORY_TICK_HOURS="1.1",
        INITIAL_CAPITAL="5000",
    )
    finish_run(open_simulation(tmp_path, settings, watch=watch), END_NS)
    groups: dict[str, int] = {}
    for one in orders.values():
        if one.intent is Intent.QUOTE:
            groups[one.group] = groups.get(one.group, 0) + 1
    assert groups
    assert max(groups.values()) <= 6
    rungs = [
        one
        for one in fills
        if one.client_order_id in orders and orders[one.client_order_id].intent is Intent.QUOTE
    ]
    assert rungs
    aimed = [one for one in orders.values() if one.intent is Intent.REDUCE]
    for fill in rungs:
        assert any(
            one.instrument == fill.instrument
            and one.side is fill.side.opposite
            and one.quantity == fill.quantity
            and 0 <= one.ts_init - fill.ts_init <= 10**9
            for one in aimed
        )
