from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.core.bus import Bus, Stage
from hean.core.events import (
    Bar,
    BarSource,
    Cycle,
    Event,
    FeedGap,
    Frame,
    FundingRate,
    MarkPrice,
    Quote,
    Regime,
    RegimeChanged,
    Trade,
)
from hean.core.events.market import BookUpdate
from hean.core.features.book import LEVEL_WEIGHTS
from hean.core.features.tables import FeatureTables, InstrumentTables
from hean.core.features.track import Track, TrackState
from hean.core.testing import (
    BTC,
    MINUTE,
    SECOND,
    START,
    MiniSystem,
    bar,
    book,
    btc_perpetual,
    mark,
    quote,
    trade,
)


class Followed(MiniSystem):
    """A small system with one track, driven by hand; what it publishes is recorded."""

    def __init__(self, *, is_full: bool = True, bus: Bus | None = None) -> None:
        super().__init__()
        self.track = Track.of(self.agenda, bus or self.bus, btc_perpetual(), is_full=is_full)

    def feed(self, *events: Event) -> None:
        """Hand events to the track at their time, and deliver what it publishes."""
        for event in events:
            self.agenda.now = max(self.agenda.now, event.ts_init)
            match event:
                case Quote():
                    self.track.on_quote(event)
                case Trade():
                    self.track.on_trade(event)
                case BookUpdate():
                    self.track.on_book(event)
                case MarkPrice():
                    self.track.on_mark(event)
                case FundingRate():
                    self.track.on_funding(event)
                case FeedGap():
                    self.track.on_gap(event)
                case Bar():
                    self.track.on_bar(event)
                case _:
                    raise AssertionError(event)
            self.bus.settle()

    def beat(self, seconds: int) -> None:
        """Let seconds end without any input."""
        for _ in range(seconds):
            self.agenda.now += SECOND - self.agenda.now % SECOND
            self.track.close_seconds()
            self.bus.settle()

    def seconds(self) -> list[int]:
        """Return the seconds of every frame, counted from the start."""
        return [one.second - START // SECOND for one in self.of(Frame)]


def session(seed: int, seconds: int) -> Iterator[Event]:
    """Yield seeded quotes, trades and books with silent seconds."""
    chance = random.Random(seed)
    mid = 600_000
    for second in range(seconds):
        if chance.random() < 0.15:
            continue
        for part in range(3):
            at = START + second * SECOND + 1 + part * 250_000_000
            mid += chance.choice((-9, -2, 0, 2, 9))
            size = chance.randrange(1, 900) * 0.001
            yield quote(mid * 0.1, (mid + 1) * 0.1, size=size, at=at)
            if part == 1:
                yield trade(mid * 0.1, size, at=at)
                yield book(mid * 0.1, (mid + 1) * 0.1, size=size, at=at)


def test_a_second_closes_at_the_first_input_of_the_next() -> None:
    """The input that comes later belongs to the new second; its frame is stamped with now."""
    made = Followed()
    made.feed(quote(at=START + 5), quote(60_001.0, 60_001.1, at=START + SECOND + 7))
    (frame,) = made.of(Frame)
    assert (frame.second, frame.mid) == (START // SECOND, 1_200_001)
    assert (frame.ts_event, frame.ts_init) == (START + SECOND, START + SECOND + 7)


def test_silence_is_closed_second_by_second() -> None:
    """After three silent seconds the next input closes all four, with the mid carried forward."""
    made = Followed()
    made.feed(quote(at=START + 5), quote(60_001.0, 60_001.1, at=START + 4 * SECOND))
    assert made.seconds() == [0, 1, 2, 3]
    assert {one.mid for one in made.of(Frame)} == {1_200_001}
    assert [one.quotes for one in made.of(Frame)] == [1, 0, 0, 0]


def test_nothing_is_closed_before_the_first_price() -> None:
    """Seconds without any price are no frames, however many pass."""
    made = Followed()
    made.beat(5)
    assert made.of(Frame) == []
    made.feed(quote(at=made.now + 1))
    made.beat(1)
    assert made.seconds() == [5]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 59), max_size=20))
def test_heartbeats_move_no_number(seed: int, beats: list[int]) -> None:
    """Frames have the same content whether beats close their seconds or the next input does."""
    events = list(session(seed, 60))
    plain, beaten = Followed(), Followed()
    plain.feed(*events)
    due = sorted(START + (second + 1) * SECOND for second in set(beats))
    for event in events:
        while due and due[0] <= event.ts_init:
            beaten.agenda.now = max(beaten.now, due.pop(0))
            beaten.track.close_seconds()
            beaten.bus.settle()
        beaten.feed(event)
    frames = [[replace(one, ts_init=0) for one in made.of(Frame)] for made in (plain, beaten)]
    assert repr(frames[0]) == repr(frames[1])


def test_frames_are_made_only_where_somebody_reads_them() -> None:
    """Without a reader the features still advance: a later reader gets the same numbers."""
    events, bus = list(session(3, 200)), Bus()
    read, unread = Followed(), Followed(bus=bus)
    read.feed(*events)
    unread.feed(*events)
    assert len(read.of(Frame)) > 190
    states = [msgspec.msgpack.encode(made.track.state) for made in (read, unread)]
    assert states[0] == states[1]
    bus.subscribe(Frame, unread.recorder.events.append, stage=Stage.REPORTS, owner="late", key=BTC)
    bus.settle()
    assert unread.of(Frame) == []
    for made in (read, unread):
        made.recorder.clear()
        made.beat(3)
    bus.settle()
    assert repr(unread.of(Frame)) == repr(read.of(Frame))
    assert len(read.of(Frame)) == 3


def test_a_track_for_bars_alone_makes_bars_and_nothing_else() -> None:
    """Without features it publishes the mid's one-minute bars, once trades came, and no frame."""
    made = Followed(is_full=False)
    made.feed(quote(at=START + 5))
    made.beat(60)
    assert made.of(Bar) == []
    made.feed(trade(60_000.0, 0.5, at=made.now + 1))
    made.beat(60)
    (found,) = made.of(Bar)
    assert (found.open_time, found.volume) == (START + MINUTE, 0.5)
    assert found.source is BarSource.FRAMES
    assert made.of(Frame) == []


def test_a_gap_ends_the_seconds_before_it() -> None:
    """Lost events close what is over and clear the book; the touch adds no imbalance after it."""
    made = Followed()
    made.feed(quote(size=2.0, at=START + 1), book(at=START + 2))
    gap = FeedGap(ts_event=0, ts_init=START + SECOND + 1, instrument=BTC, reason="lost")
    made.feed(gap)
    assert [one.book_ready for one in made.of(Frame)] == [True]
    made.feed(quote(61_000.0, 61_000.1, size=9.0, at=START + SECOND + 2))
    made.beat(1)
    last = made.of(Frame)[-1]
    assert (last.book_ready, last.ofi) == (False, 0)


def test_coarse_marks_and_synthetic_quotes_are_left_alone() -> None:
    """What was made from a bar is no data of a second: no price, no basis."""
    made = Followed()
    made.feed(quote(at=START + 1, synthetic=True))
    coarse = replace(mark(60_060.0, index=60_000.0, at=START + 2), coarse=True)
    made.feed(coarse)
    made.beat(3)
    assert made.of(Frame) == []
    assert made.track.state.features.basis.index != 60_000.0


@pytest.mark.parametrize("source", [BarSource.FEED, BarSource.FRAMES])
def test_bars_of_the_feed_turn_the_cycle_while_no_frame_exists(source: BarSource) -> None:
    """A day of rising bars is MARKUP; bars made here, or beside ticks, are not counted twice."""
    made, beside = Followed(), Followed()
    beside.feed(quote(at=START + 1))
    for place in range(1, 3 * 97 + 1):
        close = 60_000.0 + 20.0 * place
        at = START + place * 5 * MINUTE
        one = replace(bar(close, open=close - 20.0, interval=5 * MINUTE, at=at), source=source)
        made.feed(one)
        beside.feed(one)
    found = made.of(RegimeChanged)
    if source is BarSource.FRAMES:
        assert found == []
        return
    assert [(one.cycle, one.moved, one.ready) for one in found] == [
        (Cycle.MARKUP, ("cycle",), False)
    ]
    assert (found[0].regime, found[0].phase, found[0].phase_confidence) == (
        Regime.NORMAL,
        None,
        0.0,
    )
    assert all("cycle" not in one.moved for one in beside.of(RegimeChanged))


def test_the_regime_is_announced_once_it_is_ready() -> None:
    """A second more than an hour and a minute of data, and one announcement with its confidence."""
    made = Followed()
    made.feed(*session(5, 3700))
    found = made.of(RegimeChanged)
    assert (found[0].ready, found[0].moved) == (True, ("regime",))
    assert (found[0].ts_init - START) // SECOND == 3659
    assert 0.0 <= found[0].regime_confidence <= 1.0


def test_a_new_grid_starts_anew_and_the_same_one_goes_on() -> None:
    """A new tick or lot empties the state; unchanged rules keep it, and may make it full."""
    made = Followed(is_full=False)
    made.feed(quote(at=START + 1))
    kept = made.track.state
    made.track.adopt(btc_perpetual(), is_full=True)
    assert made.track.state is kept
    assert kept.is_full
    made.track.adopt(replace(btc_perpetual(), lot_step=Decimal("0.01")), is_full=False)
    fresh = made.track.state
    assert (fresh.lot, fresh.is_full, fresh.builder.mid) == (0.01, True, 0)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 400))
def test_a_state_taken_over_in_mid_stream_gives_the_same_frames(seed: int, cut: int) -> None:
    """P10: decoded into a new track at any input, the rest of the session is the same bytes."""
    events = list(session(seed, 130))
    cut = min(cut, len(events) - 1)
    made = Followed()
    made.feed(*events[:cut])
    state = msgspec.msgpack.encode(made.track.state)
    again = Followed()
    again.agenda.now = made.now
    again.track.take(msgspec.msgpack.decode(state, type=TrackState))
    made.recorder.clear()
    made.feed(*events[cut:])
    again.feed(*events[cut:])
    assert repr(again.recorder.events) == repr(made.recorder.events)
    states = [msgspec.msgpack.encode(one.track.state) for one in (made, again)]
    assert states[0] == states[1]


def test_a_state_goes_on_with_the_level_weights_of_this_start() -> None:
    """Weights are those of the tables at hand, at the tick they were fitted at, else all alike."""
    rules = btc_perpetual()
    own = InstrumentTables(tick=rules.tick, lot=rules.lot, level_weights=(0, 0, 1000, 0, 0))
    tables = FeatureTables(
        version="v", source="", source_sha256="", first=0, last=0, instruments={BTC: own}
    )
    made = MiniSystem()
    track = Track.of(made.agenda, made.bus, rules, is_full=True, tables=tables)
    assert track.state.builder.level_weights == (0, 0, 1000, 0, 0)
    bare = Track(made.agenda, made.bus, track.state)
    assert bare.state.builder.level_weights == LEVEL_WEIGHTS
    again = Track(made.agenda, made.bus, bare.state, tables)
    assert again.state.builder.level_weights == (0, 0, 1000, 0, 0)
    again.adopt(replace(rules, tick_size=Decimal("0.5")), is_full=True)
    assert again.state.builder.level_weights == LEVEL_WEIGHTS
