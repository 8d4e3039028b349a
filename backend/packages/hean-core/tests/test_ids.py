from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hean.core.ids import (
    MAX_SLICES,
    client_order_id,
    digest_of,
    minted_order_id,
    protective_order_id,
    signal_id,
    slice_order_id,
    sliced_request,
)


def test_ids_are_the_same_in_every_process() -> None:
    """A signal's id is a fixed function of its four parts."""
    assert signal_id("alpha", "BTC", 1, 2) == "be31c937e1be4ff0ac9caa356495725e"
    assert digest_of("a", 1) == digest_of("a", "1")


@given(st.text(max_size=40), st.text(max_size=40), st.integers(0, 2**62), st.integers(0, 10**9))
def test_client_order_ids_fit_the_venue(strategy: str, where: str, ts: int, number: int) -> None:
    """Client order ids, protective ones too, keep to 36 characters whatever they derive from."""
    order = client_order_id(signal_id(strategy, where, ts, number))
    minted = minted_order_id(strategy, where, strategy, number)
    assert len(order) == len(minted) == 33
    assert len(protective_order_id(slice_order_id(order, number % MAX_SLICES))) <= 36


@given(st.integers(0, 10**9), st.integers(0, MAX_SLICES - 1))
def test_a_slice_names_its_request_and_nothing_else_does(number: int, part: int) -> None:
    """Only a slice's own id, not a request's or a stop's, leads back to a request."""
    order = client_order_id(signal_id("a", "b", 0, number))
    assert sliced_request(slice_order_id(order, part)) == order
    assert sliced_request(order) == ""
    assert sliced_request(protective_order_id(order)) == ""
    assert sliced_request(protective_order_id(slice_order_id(order, part))) == ""


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_different_evaluations_get_different_ids(first: int, second: int) -> None:
    """Two evaluations share an id only when they are the same one."""
    same = signal_id("a", "b", 0, first) == signal_id("a", "b", 0, second)
    assert same == (first == second)
