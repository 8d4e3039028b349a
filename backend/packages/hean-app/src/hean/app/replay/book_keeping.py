"""What both captures share: a book kept in sequence, told as quotes and complete images."""

from __future__ import annotations

from collections.abc import Iterable

from hean.app.replay.depth import DepthBook
from hean.core.events import BookUpdate, Event, FeedGap, Quote

DEFAULT_LEVELS = 20
"""How many levels a side a `BookUpdate` carries unless asked otherwise."""


class BookTeller:
    """Turns the states of one instrument's book into events.

    With `quotes` it also tells the touch whenever its price or size changed: for captures that
    carry no quotes of their own.
    """

    __slots__ = ("_instrument", "_levels", "_quotes", "_touch", "book", "ready")

    def __init__(self, instrument: str, *, levels: int, quotes: bool) -> None:
        self.book = DepthBook()
        self.ready = False
        self._instrument = instrument
        self._levels = levels
        self._quotes = quotes
        self._touch: tuple[float, float, float, float] | None = None

    def start(
        self, bids: Iterable[tuple[float, float]], asks: Iterable[tuple[float, float]]
    ) -> None:
        """Take a snapshot: the book may be told from now on."""
        self.book.replace(bids, asks)
        self.ready = True

    def gap(self, event_time: int, now: int, reason: str) -> FeedGap:
        """Forget the book and say why."""
        self.book.clear()
        self.ready = False
        self._touch = None
        return FeedGap(ts_event=event_time, ts_init=now, instrument=self._instrument, reason=reason)

    def tell(self, event_time: int, now: int, sequence: int, events: list[Event]) -> None:
        """Add the book's quote (if its touch moved) and its image; a crossed book is a gap."""
        book = self.book
        if not book.two_sided:
            return
        if book.crossed:
            bid, ask, _, _ = book.touch()
            reason = f"book crossed at update {sequence}: bid {bid}, ask {ask}"
            events.append(self.gap(event_time, now, reason))
            return
        if self._quotes:
            touch = book.touch()
            if touch != self._touch:
                self._touch = touch
                events.append(
                    Quote(
                        ts_event=event_time,
                        ts_init=now,
                        instrument=self._instrument,
                        bid=touch[0],
                        ask=touch[1],
                        bid_size=touch[2],
                        ask_size=touch[3],
                    )
                )
        bids, asks = book.image(self._levels)
        events.append(
            BookUpdate(
                ts_event=event_time,
                ts_init=now,
                instrument=self._instrument,
                bids=bids,
                asks=asks,
                sequence=sequence,
            )
        )
