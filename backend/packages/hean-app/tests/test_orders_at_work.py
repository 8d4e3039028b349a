from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.app.orders_at_work import HeldLeg, released_part
from hean.core.testing import ETH, eth_perpetual, order_request

D = Decimal


@given(fills=st.lists(st.integers(1, 30), min_size=1, max_size=12), lots=st.integers(1, 400))
@settings(max_examples=200, deadline=None)
def test_slices_never_run_ahead_and_add_up_to_the_leg(fills: list[int], lots: int) -> None:
    """At every fill the leg has sent at most its proportion, in lots, and all of it at the end."""
    ordered, filled = D(0), D(0)
    for part in fills:
        ordered += part
    quantity = lots * D("0.01")
    request = order_request(instrument=ETH, quantity=str(quantity), price="3000")
    leg = HeldLeg(request)
    for part in fills:
        filled += part
        leg.released += released_part(leg, ordered, filled, eth_perpetual())
        assert leg.released * ordered <= quantity * filled
        assert leg.released % D("0.01") == 0
    assert leg.released == quantity
