"""The depth book against the plainest possible one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.app.replay.depth import DepthBook

_LEVEL = st.tuples(st.integers(1, 12).map(float), st.integers(0, 3).map(float))
_CHANGES = st.lists(_LEVEL, max_size=6)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_CHANGES, _CHANGES), max_size=8), st.integers(1, 5))
def test_images_equal_those_of_a_plain_dict(
    updates: list[tuple[list[tuple[float, float]], list[tuple[float, float]]]], levels: int
) -> None:
    """After any updates the image is the sorted dict's best levels, and the touch its first."""
    book = DepthBook()
    plain: tuple[dict[float, float], dict[float, float]] = ({}, {})
    for update in updates:
        book.apply(*update)
        for sizes, changes in zip(plain, update, strict=True):
            for price, size in changes:
                sizes[price] = size
                if size == 0.0:
                    del sizes[price]
        bids, asks = book.image(levels)
        assert list(bids) == sorted(plain[0].items(), reverse=True)[:levels]
        assert list(asks) == sorted(plain[1].items())[:levels]
        assert len(book) == len(plain[0]) + len(plain[1])
        assert book.two_sided == (bool(plain[0]) and bool(plain[1]))
        if book.two_sided:
            assert book.touch() == (*(bids[0][0], asks[0][0]), *(bids[0][1], asks[0][1]))
            assert book.crossed == (bids[0][0] >= asks[0][0])


def test_a_snapshot_replaces_everything() -> None:
    """Levels of before are gone after a snapshot, and after clearing there are none."""
    book = DepthBook()
    book.apply([(1.0, 1.0)], [(2.0, 1.0)])
    book.image(5)
    book.replace([(5.0, 1.0), (4.0, 0.0)], [(6.0, 2.0)])
    assert book.image(5) == (((5.0, 1.0),), ((6.0, 2.0),))
    book.clear()
    assert not book.two_sided
    assert book.image(5) == ((), ())
