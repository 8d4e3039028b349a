"""The feed of a dataset: everything its TOML names, merged in time order with bounded memory.

Ties at one kernel time fall as `hean.app.replay.merging` declares. What is made rather than read is
declared in the description's notes: synthetic quotes, coarse marks, predicted funding, the delay of
sentiment. The cursor is the number of events handed out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from hean.app.feeds import FeedDescription
from hean.app.replay.book_keeping import DEFAULT_LEVELS
from hean.app.replay.carries import carries_of, notes_of
from hean.app.replay.catalog import SeriesKind, read_dataset
from hean.app.replay.digest import dataset_digest
from hean.app.replay.merging import merge
from hean.app.replay.sources import OpenDataset, open_dataset
from hean.core.errors import DataError, StateError
from hean.core.events import Event
from hean.core.snapshot import pack, unpack


class _Cursor(msgspec.Struct, frozen=True):
    digest: str
    handed_out: int


class DatasetFeed:
    """Replays a dataset TOML; `start_ns` and `end_ns` (UTC) narrow its range.

    The range includes both ends; a bar belongs to it when it lies wholly inside. Building it reads
    and checks the TOML, the instruments, and each file's presence, shape and range; rows as they
    stream. Both raise `DataError`. `depth_levels` is the N of the complete top-N images in
    `BookUpdate`.
    """

    name = "dataset_feed"

    def __init__(
        self,
        path: Path,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        depth_levels: int = DEFAULT_LEVELS,
    ) -> None:
        if depth_levels < 1:
            raise DataError(f"depth_levels is {depth_levels}; at least 1 is needed")
        self._opened = open_dataset(read_dataset(path), start=start_ns, end=end_ns)
        self._levels = depth_levels
        self._handed_out = 0
        self._description = self._describe()

    @property
    def description(self) -> FeedDescription:
        return self._description

    @property
    def opened(self) -> OpenDataset:
        """The dataset with its files measured, for those who report on it."""
        return self._opened

    @property
    def handed_out(self) -> int:
        """How many events were handed out: the cursor."""
        return self._handed_out

    def events(self) -> Iterator[Event]:
        """Yield the events from the cursor on, in time order."""
        for event in islice(self._all(), self._handed_out, None):
            self._handed_out += 1
            yield event

    def snapshot(self) -> bytes:
        """Return the cursor after the last event handed out."""
        return pack(self.name, 1, _Cursor(self._description.digest, self._handed_out))

    def restore(self, state: bytes) -> None:
        """Go on after the event at which the snapshot was taken; raises `StateError` elsewhere."""
        cursor = unpack(state, self.name, 1, _Cursor)
        if cursor.digest != self._description.digest:
            raise StateError(
                f"the state was made on dataset {cursor.digest[:12]}, "
                f"but {self._description.name} is {self._description.digest[:12]}; "
                "replay the same files and range"
            )
        self._handed_out = cursor.handed_out

    def _all(self) -> Iterator[Event]:
        for run in merge(self._opened.sources(self._levels)):
            yield from run

    def _describe(self) -> FeedDescription:
        opened, dataset = self._opened, self._opened.dataset
        head = next(self._all(), None)
        if head is None:
            raise DataError(
                f"dataset {dataset.path} yields no event in its range; choose a start and an end "
                "within its files"
            )
        bars = [one for one in dataset.series if one.kind is SeriesKind.BARS]
        return FeedDescription(
            name=dataset.name,
            instruments=opened.instruments,
            carries=carries_of(opened),
            first=head.ts_init,
            last=opened.last,
            bar_intervals={one.instrument.id: one.interval_ns for one in bars},
            ticks_from=_ticks_from(opened),
            digest=dataset_digest(
                dataset, opened.instruments, start=opened.span.start, end=opened.span.end
            ),
            notes=notes_of(opened),
        )


def _ticks_from(opened: OpenDataset) -> int | None:
    raw = [one for one in opened.dataset.series if one.kind.is_raw and opened.in_range(one)]
    if not raw:
        return None
    return max(opened.span.start, min(opened.content[one.order].first for one in raw))
