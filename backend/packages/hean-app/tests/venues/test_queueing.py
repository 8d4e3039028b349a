from hypothesis import given, settings
from hypothesis import strategies as st

from hean.app.venues.queueing import BehindDisplayedSize

QUEUE = BehindDisplayedSize()
SIZE = st.integers(0, 50).map(float)


def test_trades_consume_what_is_ahead_first() -> None:
    """Only what trades beyond the size ahead reaches the order."""
    ahead = QUEUE.advance(None, displayed=5.0, traded=0.0).ahead
    assert QUEUE.advance(ahead, displayed=None, traded=3.0) == (2.0, 0.0)
    assert QUEUE.advance(2.0, displayed=None, traded=3.0) == (0.0, 1.0)


def test_cancellations_happen_behind_unless_the_level_shrank() -> None:
    """A larger display changes nothing; a smaller one than what was ahead moves the order up."""
    assert QUEUE.advance(5.0, displayed=9.0, traded=0.0).ahead == 5.0
    assert QUEUE.advance(5.0, displayed=4.0, traded=0.0).ahead == 4.0


def test_a_level_never_displayed_is_never_reached() -> None:
    """Trades at a price whose size was never shown do not fill."""
    assert QUEUE.advance(None, displayed=None, traded=100.0) == (None, 0.0)


@given(first=SIZE, steps=st.lists(st.tuples(st.none() | SIZE, SIZE), max_size=30))
@settings(max_examples=200, deadline=None)
def test_nothing_reaches_the_order_before_the_size_ahead_traded(
    first: float, steps: list[tuple[float | None, float]]
) -> None:
    """While the level never shrinks below what is ahead, all of it trades before any reaches us."""
    ahead = QUEUE.advance(None, displayed=first, traded=0.0).ahead
    traded = reached = 0.0
    for shown, volume in steps:
        assert ahead is not None
        displayed = None if shown is None else max(shown, ahead)
        ahead, got = QUEUE.advance(ahead, displayed=displayed, traded=volume)
        traded, reached = traded + volume, reached + got
        assert reached == max(0.0, traded - first)
