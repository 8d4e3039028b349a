"""What a kept book tells."""

from __future__ import annotations

from hean.app.replay.book_keeping import BookTeller
from hean.core.events import BookUpdate, Event, FeedGap, Quote

BIDS = [(99.0, 1.0), (98.0, 2.0)]
ASKS = [(101.0, 1.0)]


def _teller(*, quotes: bool = True) -> BookTeller:
    teller = BookTeller("BTCUSDT-PERP.BYBIT", levels=20, quotes=quotes)
    teller.start(BIDS, ASKS)
    return teller


def test_a_quote_comes_only_when_the_touch_moved() -> None:
    """Each telling is an image; a quote stands before it when price or size at the top changed."""
    teller = _teller()
    events: list[Event] = []
    teller.tell(1, 2, 5, events)
    teller.book.apply([(98.0, 3.0)], [])
    teller.tell(3, 4, 6, events)
    teller.book.apply([(99.0, 4.0)], [])
    teller.tell(5, 6, 7, events)
    assert [type(event) for event in events] == [Quote, BookUpdate, BookUpdate, Quote, BookUpdate]
    assert [(event.ts_event, event.ts_init) for event in events[:3]] == [(1, 2), (1, 2), (3, 4)]


def test_a_capture_with_quotes_of_its_own_gets_images_only() -> None:
    """Without `quotes` the touch is not told."""
    events: list[Event] = []
    _teller(quotes=False).tell(1, 2, 5, events)
    assert [type(event) for event in events] == [BookUpdate]


def test_a_one_sided_book_tells_nothing() -> None:
    """Without a bid or an ask there is neither touch nor image."""
    teller = _teller()
    teller.book.apply([], [(101.0, 0.0)])
    events: list[Event] = []
    teller.tell(1, 2, 5, events)
    assert events == []
    assert teller.ready


def test_a_crossed_book_is_given_up() -> None:
    """A crossed book tells one gap, is cleared and no longer ready; the next start tells anew."""
    teller = _teller()
    events: list[Event] = []
    teller.tell(1, 2, 5, events)
    teller.book.apply([(102.0, 1.0)], [])
    teller.tell(3, 4, 6, events)
    assert isinstance(events[-1], FeedGap)
    assert not teller.ready
    assert len(teller.book) == 0
    teller.start(BIDS, ASKS)
    teller.tell(5, 6, 7, events)
    assert [type(event) for event in events[-2:]] == [Quote, BookUpdate]
