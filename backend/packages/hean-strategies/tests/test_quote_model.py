from __future__ import annotations

from math import exp, log1p

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.core.testing import SECOND, START
from hean.strategies.quote_model import (
    DEPTHS_BP,
    WINDOW_SECONDS,
    Intensity,
    Markouts,
    finite_horizon,
    fit_intensity,
    half_spread_bp,
    width_terms,
)

GAMMAS = st.floats(1e-3, 1.0)
DECLINES = st.floats(0.05, 2.0)


@given(arrival=st.floats(0.2, 2.0), decline=st.floats(0.1, 0.6))
def test_a_planted_intensity_is_found(arrival: float, decline: float) -> None:
    """Counts that follow A·exp(-k·depth) give A and k back."""
    seconds = 10_000_000
    counts = [round(seconds * arrival * exp(-decline * depth)) for depth in DEPTHS_BP]
    found = fit_intensity(counts, seconds)
    assert found is not None
    assert found == pytest.approx((arrival, decline), rel=0.01)


def test_counts_that_do_not_decline_give_no_fit() -> None:
    """One depth alone, or as many trades far as near, say nothing of k."""
    assert fit_intensity([5, 0, 0, 0, 0, 0, 0], 100) is None
    assert fit_intensity([5] * 7, 100) is None


def test_an_intensity_is_fitted_every_half_hour() -> None:
    """Both sides count; the first fit comes with the 1,801st second, not before."""
    model = Intensity()
    for number in range(WINDOW_SECONDS + 1):
        model.on_trade(100.0 * (1.0 + (1.2 if number % 2 else 2.2) / 1e4))
        model.on_trade(100.0 * (1.0 - 0.6 / 1e4))
        assert model.on_second(100.0) is (number == WINDOW_SECONDS)
    assert model.decline > 0.0
    assert model.counts == [0] * len(DEPTHS_BP)


@given(gamma=GAMMAS, decline=DECLINES, arrival=st.floats(0.1, 2.0))
def test_more_aversion_skews_more(gamma: float, decline: float, arrival: float) -> None:
    """The skew a clip grows with aversion; the first term falls from 1/k."""
    first, second = width_terms(gamma, arrival, decline)
    more = width_terms(2.0 * gamma, arrival, decline)
    assert more[1] > second
    assert more[0] < first <= 1.0 / decline * (1.0 + 1e-9)


@given(gamma=GAMMAS, decline=DECLINES, clips=st.floats(-4.0, 4.0))
def test_the_finite_horizon_agrees(gamma: float, decline: float, clips: float) -> None:
    """With no time left both forms keep the same first term, and no skew."""
    shift, half = finite_horizon(gamma, 0.9, 0.0, decline, clips)
    assert shift == 0.0
    assert half == pytest.approx(log1p(gamma / decline) / gamma)
    assert half == pytest.approx(width_terms(gamma, 1.0, decline)[0])


@given(fee=st.floats(-2.0, 5.0), more=st.floats(0.0, 5.0))
def test_a_fee_widens_by_itself(fee: float, more: float) -> None:
    """A higher maker fee widens the half-spread by exactly the difference."""
    terms = width_terms(0.1, 0.5, 0.5)
    one = half_spread_bp(maker_bp=fee, adverse_bp=1.0, terms=terms, sigma_bp=0.9)
    other = half_spread_bp(maker_bp=fee + more, adverse_bp=1.0, terms=terms, sigma_bp=0.9)
    assert other - one == pytest.approx(more, abs=1e-9)


def test_markouts_are_taken_at_each_horizon() -> None:
    """A buy that loses 2 bp by both horizons has an adverse selection of 2 bp; a gain is none."""
    found = Markouts()
    assert found.adverse_bp(1, 1.5) == 1.5
    found.on_fill(START, 1, 100.0)
    found.on_fill(START, -1, 100.0)
    for seconds in (9, 10, 11, 59, 60, 61):
        found.on_second(START + seconds * SECOND, 99.98)
    assert found.bought.count == found.sold.count == 2
    assert found.adverse_bp(1, 1.5) == pytest.approx(2.0)
    assert found.adverse_bp(-1, 1.5) == 0.0
    assert not found.waiting
