"""The composition: every part once, in the declared order, with state that survives."""

from pathlib import Path

from hean.app.feeds.replay import DatasetFeed
from hean.app.testing import settings_with
from hean.core.events import CapitalAllocated, Event, RiskEnvelope, VenueSnapshot
from hean.core.journal import MemoryJournal
from hean.main import TradingSystem


def _system(bars: Path) -> TradingSystem:
    return TradingSystem(
        settings=settings_with(),
        description=DatasetFeed(bars).description,
        journal=MemoryJournal(),
    )


def test_names_are_unique(bars: Path) -> None:
    """Each component has a name of its own, under which its state is kept."""
    system = _system(bars)
    names = [one.name for one in system.components]
    assert len(set(names)) == len(names)
    assert set(names) < set(system.snapshot())


def test_handlers_run_in_the_declared_order(bars: Path) -> None:
    """Subscriptions of any event are in the order of their stages."""
    system = _system(bars)
    kinds: tuple[type[Event], ...] = (CapitalAllocated, VenueSnapshot, RiskEnvelope)
    for kind in kinds:
        stages = [one.stage for one in system.bus.subscriptions(kind)]
        assert stages == sorted(stages)


def test_the_start_allocates_before_any_market_data(bars: Path) -> None:
    """The start-up dispatch alone brings budgets and the first envelope."""
    system = _system(bars)
    system.start()
    delivered = system.bus.statistics().delivered
    for name in ("RunStarted", "VenueSnapshot", "CapitalAllocated", "RiskEnvelope"):
        assert delivered.get(name, 0) >= 1, name
    assert "Bar" not in delivered
    assert system.bus.statistics().failures == {}


def test_a_restored_system_has_the_same_state(bars: Path) -> None:
    """A snapshot restored into a new composition is its snapshot again, part by part."""
    system, again = _system(bars), _system(bars)
    system.start()
    for number, event in enumerate(DatasetFeed(bars).events()):
        if number == 4000:
            break
        system.take(event)
    states = system.snapshot()
    again.restore(states)
    found = again.snapshot()
    assert [name for name in states if states[name] != found[name]] == []


def test_run_ids_tell_runs_apart(bars: Path) -> None:
    """The run's id depends on settings and data, and on nothing else."""
    assert _system(bars).run_id == _system(bars).run_id
    other = TradingSystem(
        settings=settings_with(RISK__MAX_POSITIONS="2"),
        description=DatasetFeed(bars).description,
        journal=MemoryJournal(),
    )
    assert other.run_id != _system(bars).run_id
