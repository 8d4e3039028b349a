from decimal import Decimal

import msgspec

from hean.app.protection import ProtectiveStops
from hean.core.events import Intent, OrderRequest, OrderStyle, Side, VenueSnapshot
from hean.core.testing import BTC, START, order_request
from hean.core.timers import Agenda

D = Decimal


class Outside:
    """A venue that keeps what is asked of stops."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Decimal | None]] = []

    def submit(self, request: OrderRequest) -> None:
        raise AssertionError(request)

    def cancel(self, client_order_id: str) -> None:
        self.told.append((client_order_id, None))

    def amend(self, client_order_id: str, quantity: Decimal) -> None:
        self.told.append((client_order_id, quantity))

    def account(self) -> VenueSnapshot:
        return VenueSnapshot(ts_event=START, ts_init=START, positions=(), orders=(), wallet=D(0))


def with_two_stops() -> tuple[ProtectiveStops, Outside]:
    """Keep stops of 0.3 and 0.2 under the ids a-S and b-S."""
    venue = Outside()
    stops = ProtectiveStops(venue, Agenda())
    for order_id, quantity in (("a", "0.3"), ("b", "0.2")):
        request = msgspec.structs.replace(order_request(), client_order_id=order_id)
        stops.expect(request, D(quantity))
    return stops, venue


def test_the_oldest_stop_is_kept_longest() -> None:
    """A position of 0.4 keeps the first stop whole and lowers the second; each is asked once."""
    stops, venue = with_two_stops()
    stops.fit("alpha", BTC, D("0.4"))
    stops.fit("alpha", BTC, D("0.4"))
    assert venue.told == [("b-S", D("0.1"))]
    stops.fit("alpha", BTC, D(0))
    assert venue.told[1:] == [("a-S", None), ("b-S", None)]


def test_stops_on_the_wrong_side_go() -> None:
    """A position that turned short leaves no stop that sells."""
    stops, venue = with_two_stops()
    stops.fit("alpha", BTC, D("-0.5"))
    assert [one[0] for one in venue.told] == ["a-S", "b-S"]


def test_only_a_taking_close_makes_room() -> None:
    """An entry, a passive exit and another strategy's close leave the stops alone."""
    stops, venue = with_two_stops()
    exit_ = order_request(side=Side.SELL, intent=Intent.CLOSE, quantity="0.5")
    passive = msgspec.structs.replace(exit_, style=OrderStyle.POST_ONLY)
    other = msgspec.structs.replace(exit_, strategy="beta")
    assert [stops.lower_for(one) for one in (order_request(), passive, other)] == [{}, {}, {}]
    assert venue.told == []
    assert stops.lower_for(exit_) == {"a-S": D(0), "b-S": D(0)}
