"""Many series in, one stream in time order out, a block of each in memory at a time.

A block is keys and events of equal length, keys never going back within a series. A key packs
kernel time, rank and the series' place, so that ties fall as declared: marks, closing quotes, bars,
funding, sentiment, opening quotes, ticks; then the dataset's order; then the series' own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import TypeAlias

from hean.core.events import Event

_RANK_BITS = 3
_ORDER_BITS = 10
SHIFT = _RANK_BITS + _ORDER_BITS
"""A key is `(kernel time << SHIFT) | low`, with `low` from `key_low`."""

Block: TypeAlias = tuple[list[int], list[Event]]


class Rank(IntEnum):
    """What comes first at one kernel time."""

    MARK = 0
    CLOSING_QUOTE = 1
    BAR = 2
    FUNDING = 3
    SENTIMENT = 4
    OPENING_QUOTE = 5
    TICK = 6


def key_low(rank: Rank, order: int) -> int:
    """Return the low bits of a key; `order` is the series' place in the dataset, below 1024."""
    return (rank << _ORDER_BITS) | order


class _Head:
    """The block of a source in hand, and how far it is used up."""

    __slots__ = ("events", "keys", "position", "source")

    def __init__(self, source: Iterator[Block]) -> None:
        self.source = source
        self.keys: list[int] = []
        self.events: list[Event] = []
        self.position = 0

    def fill(self) -> bool:
        """Have something in hand; False once the source is exhausted."""
        while self.position >= len(self.keys):
            block = next(self.source, None)
            if block is None:
                return False
            self.keys, self.events = block
            self.position = 0
        return True

    def take(self, until: int, keys: list[int], events: list[Event]) -> int:
        """Move everything up to `until` onto the lists; return how many."""
        start = self.position
        stop = bisect_right(self.keys, until, start)
        keys += self.keys[start:stop]
        events += self.events[start:stop]
        self.position = stop
        return stop - start


def merge(sources: Sequence[Iterator[Block]]) -> Iterator[list[Event]]:
    """Yield runs of events in key order; at most one block of each source is held."""
    heads = [_Head(source) for source in sources]
    while True:
        heads = [head for head in heads if head.fill()]
        if not heads:
            return
        horizon = min(head.keys[-1] for head in heads)
        keys: list[int] = []
        events: list[Event] = []
        parts = 0
        for head in heads:
            parts += head.take(horizon, keys, events) > 0
        if parts == 1:
            yield events
        else:
            order = sorted(range(len(keys)), key=keys.__getitem__)
            yield [events[place] for place in order]
