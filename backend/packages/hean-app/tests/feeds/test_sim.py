from itertools import islice, takewhile

from hean.app.feeds.settings import SimSettings
from hean.app.feeds.sim import START_NS, SimFeed
from hean.core.events import Bar, Event, Need

SHORT = SimSettings(history_days=0.1, history_tick_hours=0.05)


def _feed(seed: int = 0) -> SimFeed:
    return SimFeed(seed=seed, section=SHORT)


def test_history_comes_as_bars_then_ticks_and_ends_on_a_monday_noon() -> None:
    """The clock of `sim` is fixed: bars to `ticks_from`, then ticks, live from a Monday noon."""
    description = _feed().description
    assert description.history_until == START_NS
    assert START_NS % (86_400 * 10**9) == 43_200 * 10**9
    assert (START_NS // (86_400 * 10**9) + 4) % 7 == 1
    history = takewhile(lambda event: event.ts_init < START_NS, _feed().events())
    bars = [event for event in history if isinstance(event, Bar)]
    assert bars[0].open_time == description.first
    assert bars[-1].ts_init == description.ticks_from


def test_events_never_go_back_in_time() -> None:
    """The merged stream of all coins is in kernel order."""
    times = [event.ts_init for event in islice(_feed().events(), 20_000)]
    assert times == sorted(times)


def test_a_restored_cursor_hands_out_the_same_remainder() -> None:
    """A snapshot taken inside a second, restored in a new feed, loses and repeats nothing."""
    feed = _feed(3)
    events = feed.events()
    for count in (0, 1, 777, 5000):
        for _ in range(count):
            next(events)
        twin = SimFeed(seed=3, section=SHORT)
        twin.restore(feed.snapshot())
        expected: list[Event] = list(islice(events, 300))
        assert list(islice(twin.events(), 300)) == expected


def test_it_declares_what_it_carries() -> None:
    """Perpetuals have every need but spot, spot is marked as such, sentiment is for all."""
    carries = _feed().description.carries
    assert carries[""] == (Need.SENTIMENT,)
    assert Need.DEPTH in carries["BTCUSDT-PERP.BYBIT"]
    assert Need.SPOT in carries["BTCUSDT-SPOT.BYBIT"]
