"""The scalper's forecast against its cost, held at the gate of a whole system."""

from pathlib import Path

from hean.app.feeds.sim import START_NS
from hean.app.strategy_selection import enabling
from hean.app.testing import finish_run, open_simulation, settings_with
from hean.core.bus import Stage
from hean.core.events import Intent, OrderRequest
from hean.main import TradingSystem

END_NS = START_NS + 5 * 60 * 10**9
MAKER_ROUND_TRIP_BP = 4.0


def test_entry_tier_fees_do_not_pay_for_a_forecast(tmp_path: Path) -> None:
    """On the simulated market each order of the scalper says that live would have refused it."""
    orders: list[OrderRequest] = []

    def watch(system: TradingSystem) -> None:
        system.bus.subscribe(OrderRequest, orders.append, stage=Stage.REPORTS, owner="witness")

    settings = settings_with(
        **enabling(("hf_scalping",)),
        EDGE_GUARD="observe",
        SIM__HISTORY_DAYS="0.2",
        SIM__HISTORY_TICK_HOURS="1.1",
        INITIAL_CAPITAL="1000",
    )
    finish_run(open_simulation(tmp_path, settings, watch=watch), END_NS)
    opening = [one for one in orders if one.intent is Intent.OPEN]
    assert opening
    for one in opening:
        told = dict(one.size_factors)
        assert told["would_refuse.EDGE"] < MAKER_ROUND_TRIP_BP
