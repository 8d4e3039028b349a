from __future__ import annotations

from msgspec.structs import replace

from hean.core.bus import Bus
from hean.core.events.market import Regime
from hean.core.testing import ETH, SOL, position_closed, position_opened
from hean.risk.outcomes import OutcomeCollector


def collector() -> tuple[OutcomeCollector, Bus]:
    """Return a collector on a bus."""
    bus = Bus()
    found = OutcomeCollector()
    found.attach(bus, owner="test")
    return found, bus


def test_a_single_trade_is_an_outcome_at_once() -> None:
    """A position without a group is its own outcome."""
    found, bus = collector()
    bus.dispatch(position_opened(instrument=ETH))
    outcome = found.collect(position_closed(net="2", risk="1", instrument=ETH))
    assert outcome is not None
    assert (outcome.net, outcome.risk) == (2.0, 1.0)


def test_the_legs_of_a_group_are_one_outcome() -> None:
    """The first leg to close says nothing, the last one speaks for both."""
    found, bus = collector()
    for instrument in (ETH, SOL):
        bus.dispatch(replace(position_opened(instrument=instrument), group="g"))
    first = found.collect(replace(position_closed(net="3", instrument=ETH), group="g"))
    assert first is None
    restored = OutcomeCollector()
    restored.restore(found.snapshot())
    whole = restored.collect(replace(position_closed(net="-1", instrument=SOL), group="g"))
    assert whole is not None
    assert (whole.net, whole.risk) == (2.0, 2.0)


def test_a_group_is_where_its_first_leg_opened() -> None:
    """Instrument, regime and signal are the opening leg's, whichever leg closes last."""
    for order in ((ETH, SOL), (SOL, ETH)):
        found, bus = collector()
        for instrument in (ETH, SOL):
            bus.dispatch(replace(position_opened(instrument=instrument), group="g"))
        closes = {
            ETH: replace(position_closed(instrument=ETH), group="g", regime=Regime.RANGE),
            SOL: replace(position_closed(instrument=SOL), group="g", regime=Regime.IMPULSE),
        }
        found.collect(closes[order[0]])
        whole = found.collect(closes[order[1]])
        assert whole is not None
        assert (whole.instrument, whole.regime) == (ETH, "RANGE")
        assert whole.signal_id == closes[ETH].signal_id
