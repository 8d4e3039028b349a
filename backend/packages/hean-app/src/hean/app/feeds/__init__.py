"""Feeds: where market events come from, and what each declares that it carries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec

from hean.core.events import Event, Need
from hean.core.instruments import Instrument

__all__ = ["Feed", "FeedDescription"]


class FeedDescription(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed carries, declared before its first event.

    `carries` has the letters of `Need` for each instrument id (under "" SENTIMENT, which has none).
    `ticks_from` is the kernel time from which quotes or trades come (None: bars only),
    `history_until` the time up to which events only warm up. `digest` identifies the data: SHA-256
    over the files for a dataset, empty for `sim`. `last` is None for an endless feed. `notes` are
    sentences to tell the user (coarse index, assumed funding, ...).
    """

    name: str
    instruments: tuple[Instrument, ...]
    carries: dict[str, tuple[Need, ...]]
    first: int
    last: int | None
    bar_intervals: dict[str, int] = {}
    ticks_from: int | None = None
    history_until: int = 0
    digest: str = ""
    notes: tuple[str, ...] = ()


class Feed(Protocol):
    """A source of market events in time order, each with `ts_event` and `ts_init` set.

    `snapshot` returns the cursor after the last event handed out, `restore` goes on from there.
    """

    @property
    def description(self) -> FeedDescription: ...

    def events(self) -> Iterator[Event]: ...

    def snapshot(self) -> bytes: ...

    def restore(self, state: bytes) -> None: ...
