"""Merging blocks in time order."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.app.replay.merging import SHIFT, Block, Rank, key_low, merge
from hean.core.events import Event, Heartbeat

Row = tuple[int, int]
Series = list[list[Row]]


def _blocks(series: Series, order: int) -> Iterator[Block]:
    """Blocks of a series whose rows are (time, rank); each event carries its place as causation."""
    place = 0
    rows = sorted(row for block in series for row in block)
    sizes = [len(block) for block in series]
    for size in sizes:
        keys: list[int] = []
        events: list[Event] = []
        for time, rank in rows[place : place + size]:
            keys.append((time << SHIFT) | key_low(Rank(rank), order))
            name = f"{order}/{place}/{rank}"
            events.append(Heartbeat(ts_event=time, ts_init=time, interval_ns=1, causation_id=name))
            place += 1
        yield keys, events


_ROW = st.tuples(st.integers(0, 6), st.integers(0, 6))
_SERIES = st.lists(st.lists(_ROW, max_size=4), max_size=4)


@settings(max_examples=300, deadline=None)
@given(st.lists(_SERIES, max_size=5))
def test_events_come_by_time_rank_series_and_place(many: list[Series]) -> None:
    """Whatever the blocks, the order is that of one sort over everything, and nothing is lost."""
    merged = [
        event
        for run in merge([_blocks(one, order) for order, one in enumerate(many)])
        for event in run
    ]
    found: list[tuple[int, int, int, int]] = []
    for event in merged:
        order, place, rank = (int(part) for part in event.causation_id.split("/"))
        found.append((event.ts_init, rank, order, place))
    assert found == sorted(found)
    assert len(found) == len([row for one in many for block in one for row in block])


def test_ties_fall_as_declared() -> None:
    """At one time: marks, closing quotes, bars, funding, sentiment, opening quotes, ticks."""
    names = [rank.name for rank in sorted(Rank)]
    assert names == [
        "MARK",
        "CLOSING_QUOTE",
        "BAR",
        "FUNDING",
        "SENTIMENT",
        "OPENING_QUOTE",
        "TICK",
    ]


def test_only_one_block_of_each_source_is_held() -> None:
    """A source is asked for its next block only when the one before is used up."""
    asked: list[tuple[int, int]] = []

    def counted(order: int) -> Iterator[Block]:
        for number in range(50):
            asked.append((order, number))
            time = number * 10
            beat = Heartbeat(ts_event=time, ts_init=time, interval_ns=1)
            yield [(time << SHIFT) | key_low(Rank.TICK, order)], [beat]

    runs = merge([counted(0), counted(1)])
    for _ in range(5):
        next(runs)
    assert max(number for _, number in asked) <= 6
