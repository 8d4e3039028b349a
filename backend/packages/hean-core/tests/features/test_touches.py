from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hean.core.features import LevelMoments, TouchChain
from hean.core.features.book import micro_state
from hean.core.features.touches import PAIRS, STATES

TOUCHES = st.lists(
    st.tuples(st.integers(5, 9), st.integers(1, 5), st.integers(0, 30), st.integers(0, 30)),
    min_size=1,
    max_size=40,
)
FLOWS = st.lists(st.lists(st.integers(-99, 99), min_size=5, max_size=5), max_size=30)


@given(TOUCHES)
def test_every_change_of_state_or_mid_is_counted_once(
    touches: list[tuple[int, int, int, int]],
) -> None:
    """Counts are those of a plain walk over neighbouring touches and their places in the table."""
    chain = TouchChain.of()
    stay, leave, gain = [0] * STATES**2, [0] * STATES**2, [0] * STATES
    before: tuple[int, int] | None = None
    for bid, width, bids, asks in touches:
        row, column = micro_state(bid, bid + width, bids, asks)
        now = (row * 3 + column, 2 * bid + width)
        if before is not None and now[1] != before[1]:
            leave[before[0] * STATES + now[0]] += 1
            gain[before[0]] += now[1] - before[1]
        elif before is not None and now[0] != before[0]:
            stay[before[0] * STATES + now[0]] += 1
        before = now
        chain.take(bid, bid + width, bids, asks)
    assert (chain.stay, chain.leave, chain.gain) == (stay, leave, gain)


def test_after_lost_touches_the_next_follows_none() -> None:
    """A move over a gap is not counted; the one after it is."""
    chain = TouchChain.of()
    chain.take(10, 11, 5, 5)
    chain.forget()
    chain.take(20, 21, 5, 5)
    assert sum(chain.leave) == 0
    chain.take(21, 22, 5, 5)
    assert (sum(chain.leave), sum(chain.gain)) == (1, 2)


@given(FLOWS)
def test_moments_are_the_plain_sums_of_flows_and_their_products(flows: list[list[int]]) -> None:
    """Every pair of levels has the sum of its products, every level that of its flows."""
    moments = LevelMoments.of()
    for one in flows:
        moments.update(one)
    assert moments.count == len(flows)
    assert moments.sums == [sum(one[level] for one in flows) for level in range(5)]
    assert moments.products == [sum(one[a] * one[b] for one in flows) for a, b in PAIRS]
