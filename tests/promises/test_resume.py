"""Promises 1 and 10: a snapshot restored in a new system goes on exactly like the one it left."""

from collections.abc import Iterator
from itertools import islice
from random import Random

import pytest

from hean.app.feeds.sim import START_NS, SimFeed
from hean.app.settings import AppSettings
from hean.config import load
from hean.core.events import Event
from hean.core.journal import MemoryJournal
from hean.main import TradingSystem

from .crash_child import SETTINGS

ROUNDS = 5
EVENTS_AFTER = 12_000


class _Run:
    """A system on `sim` with its feed and journal, driven by hand."""

    def __init__(self) -> None:
        settings = load(AppSettings, arguments=SETTINGS, environ={}).settings
        self.feed = SimFeed(seed=4, section=settings.sim)
        self.journal = MemoryJournal()
        self.system = TradingSystem(
            settings=settings,
            description=self.feed.description,
            journal=self.journal,
            mode="paper",
        )
        self.events: Iterator[Event] = self.feed.events()

    def take(self, count: int) -> None:
        for event in islice(self.events, count):
            self.system.take(event)


@pytest.fixture(scope="module")
def warm() -> _Run:
    """Play a run's history and hand it over."""
    run = _Run()
    run.system.start()
    for event in run.events:
        run.system.take(event)
        if event.ts_init > START_NS:
            return run
    raise AssertionError("the simulated market is endless")


def _different(left: dict[str, bytes], right: dict[str, bytes]) -> list[str]:
    return [name for name in left if left[name] != right.get(name)]


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_restored_system_is_and_stays_the_same(warm: _Run, turn: int) -> None:
    """Every component's state is equal right after a restore, and after the same next events."""
    warm.take(Random(turn).randrange(2_000, 40_000))
    state, cursor = warm.system.snapshot(), warm.feed.snapshot()
    twin = _Run()
    twin.system.restore(state)
    twin.feed.restore(cursor)
    twin.events = twin.feed.events()
    assert _different(state, twin.system.snapshot()) == []
    known = len(warm.journal.records)
    warm.take(EVENTS_AFTER)
    twin.take(EVENTS_AFTER)
    assert _different(warm.system.snapshot(), twin.system.snapshot()) == []
    remade = [record.payload for record in twin.journal.records]
    assert remade == [record.payload for record in warm.journal.records[known:]]
