from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.features import Basis, FundingNowCast, impact_price, premium
from hean.core.features.carry import MINUTE_NS
from hean.core.testing import START, funding, mark

HOUR_NS = 60 * MINUTE_NS


def now_cast(hours: int = 8) -> tuple[FundingNowCast, int]:
    """Return a now-cast at the beginning of an interval, and that beginning."""
    found, length = FundingNowCast.of(), hours * HOUR_NS
    begin = START // length * length
    found.follow(funding(at=begin, interval=length))
    return found, begin


def test_a_constant_premium_of_12_bp_is_7_bp_at_every_minute() -> None:
    """The clamp takes 5 bp off whatever the minute is."""
    found, begin = now_cast()
    for minute in range(1, 481):
        found.update(begin + minute * MINUTE_NS, 12e-4)
        assert found.rate == pytest.approx(7e-4, abs=1e-12)


@pytest.mark.parametrize(("hours", "interest"), [(8, 1e-4), (4, 5e-5), (2, 2.5e-5), (1, 1.25e-5)])
def test_a_small_premium_gives_the_interest(hours: int, interest: float) -> None:
    """Within 5 bp of the interest part the rate is that part, in proportion to the interval."""
    found, begin = now_cast(hours)
    found.update(begin + MINUTE_NS, 4e-4)
    assert found.rate == pytest.approx(interest, abs=1e-12)


@pytest.mark.parametrize(
    ("left", "fixed"), [(240, 0.25), (120, 0.56), (60, 0.77), (30, 0.88), (20, 0.92)]
)
def test_the_rate_is_fixed_step_by_step(left: int, fixed: float) -> None:
    """The share of the weights that is past is 25 % four hours and 92 % twenty minutes before."""
    found, begin = now_cast()
    for minute in range(1, 481 - left):
        found.update(begin + minute * MINUTE_NS, 12e-4)
    assert found.weights / (480 * 481 / 2) == pytest.approx(fixed, abs=0.006)


def test_a_flip_of_sign_twenty_minutes_before_barely_moves_the_rate() -> None:
    """With 92 % fixed a premium turned over for a minute changes the rate by less than 1 bp."""
    found, begin = now_cast()
    for minute in range(1, 461):
        found.update(begin + minute * MINUTE_NS, 12e-4)
    found.update(begin + 461 * MINUTE_NS, -12e-4)
    assert found.rate == pytest.approx(7e-4, abs=1e-4)


def test_minutes_missed_before_the_start_count_as_the_mean_premium() -> None:
    """A now-cast that begins mid-interval gives the same rate for a constant premium."""
    found, begin = now_cast()
    found.update(begin + 300 * MINUTE_NS, 12e-4)
    assert found.rate == pytest.approx(7e-4, abs=1e-12)


def test_the_rate_is_unknown_without_a_next_stamp_and_kept_inside_its_bounds() -> None:
    """Without a next time there is no rate; with bounds it is clipped to them."""
    found = FundingNowCast.of()
    found.update(START, 12e-4)
    assert math.isnan(found.rate)
    event = funding(at=START)
    found.follow(
        type(event)(
            ts_event=START,
            ts_init=START,
            instrument=event.instrument,
            rate=0.0,
            next_funding_time=event.next_funding_time,
            interval_ns=event.interval_ns,
            upper=3e-4,
        )
    )
    found.update(START + MINUTE_NS, 12e-4)
    assert found.rate == 3e-4


def test_a_new_interval_starts_at_the_stamp() -> None:
    """Past its stamp the now-cast forgets the interval's minutes and moves one interval on."""
    found, begin = now_cast(1)
    for minute in range(1, 61):
        found.update(begin + minute * MINUTE_NS, 12e-4)
    found.update(begin + 61 * MINUTE_NS, 12e-4)
    assert (found.weights, found.stamp) == (1, begin + 2 * HOUR_NS)


def test_impact_price_walks_the_book() -> None:
    """A taker of 300 USDT eats 100 at 10 and 200 at 20: 20 coins, 15 each."""
    assert impact_price(((10.0, 10.0), (20.0, 50.0)), 300.0) == 15.0
    assert impact_price(((10.0, 10.0),), 300.0) == 10.0


def test_premium_is_zero_while_the_index_lies_inside_the_touch() -> None:
    """Bids above the index are a premium, asks below it a discount, between them nothing."""
    assert premium(99.0, 101.0, 100.0) == 0.0
    assert premium(101.0, 102.0, 100.0) == pytest.approx(0.01)
    assert premium(98.0, 99.0, 100.0) == pytest.approx(-0.01)


def test_basis_is_unknown_while_the_index_is_old() -> None:
    """A minute after the newest index the basis is NaN, with a fresh one it is in bp again."""
    found = Basis.of()
    found.follow(mark(100.1, index=100.0, at=START))
    found.update(START + MINUTE_NS)
    assert found.now == pytest.approx(1e4 * math.log(1.001), abs=1e-4)
    found.update(START + MINUTE_NS + 1)
    assert math.isnan(found.now)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([1, 2, 4, 8]),
    st.lists(st.floats(-2e-3, 2e-3), min_size=1, max_size=480),
)
def test_any_minutes_of_any_interval_are_weighed_as_the_venue_does(
    hours: int, premiums: list[float]
) -> None:
    """The rate is that of the plain formula: minute i weighs i, what is to come is the mean."""
    found, begin = now_cast(hours)
    n = hours * 60
    premiums = premiums[:n]
    for minute, value in enumerate(premiums, start=1):
        found.update(begin + minute * MINUTE_NS, value)
    known, rest = len(premiums), found.average.value
    weighed = math.fsum(minute * value for minute, value in enumerate(premiums, start=1))
    to_come = n * (n + 1) // 2 - known * (known + 1) // 2
    average = (weighed + rest * to_come) / (n * (n + 1) // 2)
    expected = average + min(5e-4, max(-5e-4, 1e-4 * hours / 8 - average))
    assert found.rate == pytest.approx(expected, abs=1e-12)
    assert found.weights == known * (known + 1) // 2
