from __future__ import annotations

from decimal import Decimal

import pytest

from hean.core.events.market import FeedGap
from hean.core.events.risk import RiskEnvelope
from hean.core.events.venue import VenueStateChanged
from hean.core.testing import ETH, order_request, position_opened, rejected
from hean.risk.published import MOVED, Published
from hean.risk.testing import RiskSystem


def published(system: RiskSystem) -> int:
    """Return how many envelopes were published."""
    return len(system.of(RiskEnvelope))


def second(system: RiskSystem) -> None:
    """Let a second pass with prices and a beat."""
    system.advance(1)
    system.tick()
    system.beat()


def test_nothing_is_published_before_the_first_equity() -> None:
    """A system that knows no equity publishes no envelope, whatever else arrives."""
    system = RiskSystem("alpha")
    system.risk.sentinel.state.has_equity = False
    before = published(system)
    system.activate("alpha", "beta")
    second(system)
    assert published(system) == before


@pytest.mark.parametrize(
    ("equity", "repeated"), [("300.3", 0), ("300.31", 1), ("299.7", 0), ("299.69", 1)]
)
def test_equity_is_told_again_when_it_moved_by_a_thousandth(equity: str, repeated: int) -> None:
    """At the interval 0.1 % of equity is what readers already know, and a bit more is not."""
    system = RiskSystem("alpha")
    second(system)
    before = published(system)
    system.equity(equity)
    assert published(system) == before
    second(system)
    assert published(system) == before + repeated
    assert Decimal("0.001") == MOVED


def test_equity_that_came_back_after_a_telling_is_told() -> None:
    """Equity told at once with a state and back at the next beat is news again."""
    system = RiskSystem("alpha")
    second(system)
    system.equity(nav=0.89)
    assert system.of(RiskEnvelope)[-1].equity == 267
    system.equity(nav=1.0)
    second(system)
    assert system.of(RiskEnvelope)[-1].equity == 300


def test_what_is_material_is_told_at_once() -> None:
    """A lost venue, a new active set and a new allocation are published in their own dispatch."""
    system = RiskSystem("alpha", "beta")
    at = system.now
    steps = (
        lambda: system.take(VenueStateChanged(ts_event=at, ts_init=at, connected=False)),
        lambda: system.take(VenueStateChanged(ts_event=at, ts_init=at, connected=True)),
        lambda: system.activate("alpha"),
        lambda: system.allocate({"alpha": 0.3}),
        lambda: system.equity(nav=0.94),
        lambda: system.equity(nav=0.89),
    )
    for step in steps:
        before = published(system)
        step()
        assert published(system) > before


def test_what_is_not_material_waits() -> None:
    """A gap, an order or a reconciliation publish nothing by themselves."""
    system = RiskSystem("alpha")
    second(system)
    before = published(system)
    at = system.now
    system.take(FeedGap(ts_event=at, ts_init=at, instrument=ETH, reason="lost"))
    system.take(order_request(at=at))
    system.reconcile()
    assert published(system) == before


def test_positions_and_entries_are_told_at_the_interval() -> None:
    """An entry that works, its end, and a position are each told once at the next beat."""
    system = RiskSystem("alpha")
    second(system)
    order = order_request(at=system.now)
    position = position_opened(at=system.now)
    for event in (order, rejected(order, at=system.now), position):
        before = published(system)
        system.take(event)
        second(system)
        assert published(system) == before + 1
        second(system)
        assert published(system) == before + 1


def test_a_note_makes_the_present_old_news() -> None:
    """Before any note everything is material; after one nothing is until something changes."""
    system = RiskSystem("alpha")
    told = Published(system.risk.sentinel)
    assert told.is_material()
    assert told.has_moved()
    told.note()
    assert not told.is_material()
    assert not told.has_moved()
    system.risk.sentinel.failed = True
    assert told.is_material()


def test_a_resumed_sentinel_does_not_repeat_itself() -> None:
    """What was published before a restart is not published again after it."""
    system = RiskSystem("alpha")
    system.take(position_opened(at=system.now))
    second(system)
    again = system.resumed()
    second(again)
    assert published(again) == 0
    again.equity("310")
    second(again)
    assert published(again) == 1
