from random import Random

from hypothesis import given
from hypothesis import strategies as st

from hean.core.synthetic.ladder import LEVELS, Ladder, grid


@given(st.lists(st.floats(1000.0, 1100.0), min_size=1, max_size=40), st.floats(1.0, 5.0))
def test_the_book_never_crosses_and_is_always_complete(fairs: list[float], stress: float) -> None:
    """Whatever the fair price does, bid stays below ask and both sides have every level."""
    ladder, random = Ladder(100, 1), Random(1)
    for fair in fairs:
        ladder.move_to(random, fair, stress)
        bids, asks = ladder.image(0.1, 0.001)
        assert bids[0][0] < asks[0][0]
        assert len(bids) == len(asks) == LEVELS
        assert all(size > 0 for _, size in (*bids, *asks))
        assert list(bids) == sorted(bids, reverse=True)
        assert list(asks) == sorted(asks)


def test_a_taker_leaves_at_least_one_lot() -> None:
    """Eating more than the best level holds leaves one lot, so the book stays complete."""
    ladder = Ladder(10, 1)
    ladder.move_to(Random(2), 500.0, 1.0)
    ladder.take(buy=True, lots=10_000)
    assert ladder.state.asks[0] == 1


def test_grid_prices_are_the_nearest_doubles_of_their_text() -> None:
    """500001 ticks of 0.1 are 50000.1, not 50000.100000000006."""
    assert grid(500_001, 0.1) == 50000.1
    assert grid(7, 0.5) == 3.5
