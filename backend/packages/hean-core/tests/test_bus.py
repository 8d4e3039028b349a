from __future__ import annotations

from collections.abc import Callable

import pytest

from hean.core.bus import Bus, Stage, Subscription
from hean.core.errors import EventError, JournalError
from hean.core.events.base import Event
from hean.core.events.market import Quote, Trade
from hean.core.events.portfolio import PositionOpened
from hean.core.events.strategy import Signal
from hean.core.events.system import Heartbeat
from hean.core.events.union import DURABLE
from hean.core.testing import BTC, ETH, position_opened, quote, signal, trade


def _note(seen: list[str], name: str) -> Callable[[Event], None]:
    return lambda _: seen.append(name)


def _raise(error: Exception) -> Callable[[Event], None]:
    def fail(_: Event) -> None:
        raise error

    return fail


def test_handlers_run_by_stage_then_by_subscription() -> None:
    """The declared stage decides; within one, who subscribed first."""
    bus = Bus()
    seen: list[str] = []
    for name, stage in (("r", Stage.REPORTS), ("l1", Stage.LEDGER), ("l2", Stage.LEDGER)):
        bus.subscribe(Quote, _note(seen, name), stage=stage, owner=name)
    bus.subscribe(Quote, _note(seen, "key"), stage=Stage.VENUE, owner="k", key=BTC)
    bus.dispatch(quote())
    assert seen == ["key", "l1", "l2", "r"]
    assert [one.owner for one in bus.subscriptions(Quote)] == ["k", "l1", "l2", "r"]


def test_a_key_hears_only_its_own() -> None:
    """A subscription by key gets that instrument's events, a general one gets all."""
    bus = Bus()
    seen: list[str] = []
    bus.subscribe(Quote, _note(seen, "btc"), stage=Stage.RISK, owner="a", key=BTC)
    bus.subscribe(Quote, _note(seen, "all"), stage=Stage.RISK, owner="b")
    bus.dispatch(quote(instrument=ETH))
    bus.dispatch(quote())
    assert seen == ["all", "btc", "all"]
    assert bus.wanted(Quote, ETH)
    assert not bus.wanted(Trade)


def test_critical_goes_before_normal_before_low() -> None:
    """What one handler publishes is delivered by priority, first in first out within one."""
    bus = Bus()
    seen: list[str] = []
    published = [trade(), signal(), position_opened("x"), trade(), position_opened("y")]

    def burst(_: Heartbeat) -> None:
        for event in published:
            bus.publish(event)
        seen.append("returned")

    bus.subscribe(Heartbeat, burst, stage=Stage.RISK, owner="a")
    bus.subscribe(Trade, _note(seen, "trade"), stage=Stage.RISK, owner="a")
    bus.subscribe(Signal, _note(seen, "signal"), stage=Stage.RISK, owner="a")
    bus.subscribe(
        PositionOpened, lambda event: seen.append(event.strategy), stage=Stage.RISK, owner="a"
    )
    bus.dispatch(Heartbeat(ts_event=0, ts_init=0, interval_ns=1))
    assert seen == ["returned", "x", "y", "signal", "trade", "trade"]
    assert bus.statistics().queued == {"CRITICAL": 2, "NORMAL": 1, "LOW": 2}
    assert bus.statistics().deepest == 5


def test_an_event_reaches_all_handlers_before_what_they_publish() -> None:
    """A published event waits until every handler of the present one has run."""
    bus = Bus()
    seen: list[str] = []
    bus.subscribe(Quote, lambda _: bus.publish(trade()), stage=Stage.LEDGER, owner="a")
    bus.subscribe(Quote, _note(seen, "quote"), stage=Stage.REPORTS, owner="b")
    bus.subscribe(Trade, _note(seen, "trade"), stage=Stage.JOURNAL, owner="c")
    bus.dispatch(quote())
    assert seen == ["quote", "trade"]


def test_a_failing_handler_harms_nobody_and_leaves_nothing() -> None:
    """The others still run, what the failing one published is dropped, the failure is counted."""
    bus = Bus()
    seen: list[str] = []

    def half(_: Quote) -> None:
        bus.publish(trade())
        raise ValueError("broken")

    bus.subscribe(Quote, half, stage=Stage.LEDGER, owner="bad")
    bus.subscribe(Quote, _note(seen, "good"), stage=Stage.RISK, owner="good")
    bus.subscribe(Trade, _note(seen, "trade"), stage=Stage.RISK, owner="good")
    bus.dispatch(quote())
    assert seen == ["good"]
    assert bus.statistics().failures == {"bad:Quote": 1}
    assert bus.statistics().delivered == {"Quote": 1}


class _Letters:
    """Keeps what is parked, and holds back one owner's events once it holds any."""

    def __init__(self) -> None:
        self.parked = 0
        self.kept: list[tuple[str, Exception | None]] = []

    def park(self, event: Event, subscription: Subscription, error: Exception | None) -> None:
        self.parked += 1
        self.kept.append((subscription.name, error))

    def holds(self, event: Event, subscription: Subscription) -> bool:
        return subscription.owner == "bad"


def test_only_durable_events_are_parked_and_only_for_the_failing_handler() -> None:
    """A durable event waits for its failing handler, and later ones queue behind it."""
    bus, letters = Bus(), _Letters()
    seen: list[str] = []
    bus.use_dead_letters(letters)
    error = ValueError("broken")
    for kind in (Quote, PositionOpened):
        bus.subscribe(kind, _raise(error), stage=Stage.LEDGER, owner="bad")
        bus.subscribe(kind, _note(seen, "good"), stage=Stage.RISK, owner="good")
    bus.dispatch(quote())
    assert letters.kept == []
    bus.dispatch(position_opened())
    bus.dispatch(position_opened())
    assert letters.kept == [("bad:PositionOpened", error), ("bad:PositionOpened", None)]
    assert seen == ["good"] * 3


def test_a_journal_that_fails_ends_the_run() -> None:
    """A `JournalError` passes through the bus; nothing may go on without its journal."""
    bus = Bus()
    bus.subscribe(Quote, _raise(JournalError("tail differs")), stage=Stage.JOURNAL, owner="j")
    with pytest.raises(JournalError, match="tail differs"):
        bus.dispatch(quote())


def test_redelivery_reaches_one_handler() -> None:
    """Redelivering calls that handler alone, queues its output, and returns a new failure."""
    bus = Bus()
    seen: list[str] = []
    bus.subscribe(Quote, lambda _: bus.publish(trade()), stage=Stage.RISK, owner="a")
    bus.subscribe(Quote, _note(seen, "other"), stage=Stage.RISK, owner="b")
    bus.subscribe(Trade, _note(seen, "trade"), stage=Stage.RISK, owner="b")
    error = ValueError("again")
    bus.subscribe(Trade, _raise(error), stage=Stage.REPORTS, owner="c")
    first, last = bus.find("a:Quote"), bus.find("c:Trade")
    assert first is not None
    assert last is not None
    assert bus.redeliver(quote(), first) is None
    assert seen == []
    bus.settle()
    assert seen == ["trade"]
    assert bus.redeliver(trade(), last) is error


def test_subscriptions_are_found_by_names_that_never_clash() -> None:
    """Two handlers of one owner and type, and one by key, have names of their own."""
    bus = Bus()
    for _ in range(2):
        bus.subscribe(Quote, _note([], ""), stage=Stage.RISK, owner="a")
    bus.subscribe(Quote, _note([], ""), stage=Stage.RISK, owner="a", key=BTC)
    names = [one.name for one in bus.subscriptions(Quote)]
    assert names == ["a:Quote", "a:Quote#2", f"a:Quote[{BTC}]"]
    assert [bus.find(name) for name in names] == list(bus.subscriptions(Quote))
    assert bus.find("nobody") is None


def test_wrong_subscriptions_are_refused() -> None:
    """A type outside the union and a key on a type without one raise `EventError`."""
    bus = Bus()
    with pytest.raises(EventError, match="not an event"):
        bus.subscribe(Event, _note([], ""), stage=Stage.RISK, owner="a")
    with pytest.raises(EventError, match="no key"):
        bus.subscribe(Heartbeat, _note([], ""), stage=Stage.RISK, owner="a", key="x")


def test_a_durable_event_without_a_subscriber_stops_the_start() -> None:
    """`check_durable` names the orphans, and is content when there are none."""
    bus = Bus()
    with pytest.raises(EventError, match="OrderFilled"):
        bus.check_durable()
    for kind in DURABLE:
        bus.subscribe(kind, _note([], ""), stage=Stage.REPORTS, owner="a")
    bus.check_durable()
    assert bus.statistics().subscriptions == len(DURABLE)
