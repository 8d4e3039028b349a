from decimal import Decimal

import msgspec

from hean.app.execution import HOLD_NS, Execution
from hean.app.venues.paper import PaperVenue
from hean.app.venues.settings import VenueSettings
from hean.core.events import (
    Intent,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRequest,
    OrderStyle,
    OrderSubmitted,
    PositionChange,
    PositionChanged,
    Side,
    SignalWithdrawn,
    VenueOrder,
    VenueSnapshot,
)
from hean.core.ids import protective_order_id, sliced_request
from hean.core.testing import (
    BTC,
    ETH,
    SECOND,
    START,
    MiniSystem,
    btc_perpetual,
    cancelled,
    eth_perpetual,
    filled,
    instrument_updated,
    order_request,
    position_closed,
    quote,
    rejected,
    trade,
    unknown,
)

D = Decimal
REST = OrderStyle.POST_ONLY


class Outside:
    """A venue that keeps what it is told and answers only what the test says."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.answer = VenueSnapshot(
            ts_event=START, ts_init=START, positions=(), orders=(), wallet=D(0)
        )

    def submit(self, request: OrderRequest) -> None:
        self.told.append(("submit", request.client_order_id, str(request.quantity)))

    def cancel(self, client_order_id: str) -> None:
        self.told.append(("cancel", client_order_id, ""))

    def amend(self, client_order_id: str, quantity: Decimal) -> None:
        self.told.append(("amend", client_order_id, str(quantity)))

    def account(self) -> VenueSnapshot:
        self.told.append(("account", "", ""))
        return self.answer


def build() -> tuple[MiniSystem, Execution, Outside]:
    """Build a system with execution in front of a venue that says nothing by itself."""
    system = MiniSystem()
    venue = Outside()
    execution = Execution(bus=system.bus, agenda=system.agenda, venue=venue)
    system.add(execution)
    system.take(instrument_updated(btc_perpetual()), instrument_updated(eth_perpetual()))
    return system, execution, venue


def entry(quantity: str = "0.1", *, number: int = 1, stop: str | None = "59700") -> OrderRequest:
    """Build an entry with a protective stop."""
    return order_request(quantity=quantity, number=number, stop=stop)


def close(quantity: str = "0.1", *, number: int = 9, intent: Intent = Intent.CLOSE) -> OrderRequest:
    """Build a market order against a long."""
    return order_request(
        number=number,
        side=Side.SELL,
        intent=intent,
        style=OrderStyle.MARKET,
        price=None,
        quantity=quantity,
        stop=None,
    )


def stop_gone(request: OrderRequest) -> OrderCancelled:
    """Report that a request's protective stop is cancelled."""
    gone = cancelled(request)
    stop_id = protective_order_id(request.client_order_id)
    return msgspec.structs.replace(gone, client_order_id=stop_id, protective=True)


def stop_filled(request: OrderRequest, quantity: str) -> OrderFilled:
    """Report that a request's protective stop executed."""
    fill = filled(request, quantity=quantity, fill="stop")
    stop_id = protective_order_id(request.client_order_id)
    return msgspec.structs.replace(fill, client_order_id=stop_id, protective=True, side=Side.SELL)


def test_a_request_is_sent_once() -> None:
    """The same request twice is one submission and one report of it."""
    system, execution, venue = build()
    request = entry()
    system.take(request, request)
    assert venue.told == [("submit", request.client_order_id, "0.1")]
    assert len(system.of(OrderSubmitted)) == 1
    assert list(execution.orders) == [request.client_order_id]
    system.take(rejected(request))
    assert not execution.orders


def test_cancels_and_replacements_go_first() -> None:
    """What a request cancels or replaces is cancelled before it is sent, each once."""
    system, _, venue = build()
    old = order_request(style=REST, number=1)
    system.take(old)
    new = msgspec.structs.replace(
        order_request(style=REST, number=2), cancels=("x",), replaces=old.client_order_id
    )
    system.take(new)
    assert [one[:2] for one in venue.told[1:]] == [
        ("cancel", "x"),
        ("cancel", old.client_order_id),
        ("submit", new.client_order_id),
    ]


def test_a_withdrawal_pulls_its_orders_once() -> None:
    """A withdrawn signal's orders are cancelled; asking again while it lasts tells nothing new."""
    system, _, venue = build()
    quoted = order_request(style=REST)
    system.take(quoted)
    pull = SignalWithdrawn(
        ts_event=START,
        ts_init=START,
        signal_id="s",
        strategy="alpha",
        instrument=BTC,
        side=Side.BUY,
        intent=Intent.QUOTE,
        cancels=(quoted.client_order_id,),
    )
    system.take(pull, pull)
    assert venue.told[1:] == [("cancel", quoted.client_order_id, "")]


def test_a_passive_order_lives_as_long_as_its_ttl() -> None:
    """A resting order is cancelled when its time is over, one that ended is not."""
    system, _, venue = build()
    first = order_request(style=REST, ttl=5 * SECOND)
    second = order_request(style=REST, ttl=5 * SECOND, number=2)
    system.take(first, second, cancelled(second))
    system.advance(6)
    assert [one for one in venue.told if one[0] == "cancel"] == [
        ("cancel", first.client_order_id, "")
    ]


def test_an_order_that_stands_for_a_new_quote_lives_on() -> None:
    """A quote declared anew as it rests is not sent again; its order gets the new TTL."""
    system, _, venue = build()
    resting = order_request(style=REST, ttl=5 * SECOND)
    system.take(resting)
    system.advance(3)
    stands = SignalWithdrawn(
        ts_event=system.now,
        ts_init=system.now,
        signal_id="s",
        strategy="alpha",
        instrument=BTC,
        side=Side.BUY,
        intent=Intent.QUOTE,
        stands=resting.client_order_id,
        ttl_ns=5 * SECOND,
    )
    system.take(stands)
    system.advance(4)
    assert len(venue.told) == 1
    system.advance(2)
    assert venue.told[1:] == [("cancel", resting.client_order_id, "")]


def test_a_close_waits_for_its_stop_to_be_gone() -> None:
    """The stop is cancelled first; the close leaves when that is confirmed."""
    system, execution, venue = build()
    request, exit_ = entry(), close()
    system.take(request, filled(request), exit_)
    stop_id = protective_order_id(request.client_order_id)
    assert venue.told[1:] == [("cancel", stop_id, "")]
    assert list(execution.closes) == [exit_.client_order_id]
    system.take(stop_gone(request))
    assert venue.told[-1] == ("submit", exit_.client_order_id, "0.1")
    assert not execution.closes


def test_a_stop_that_fills_first_takes_the_place_of_the_close() -> None:
    """The position is closed once: the held close ends as cancelled, or shrinks by the part."""
    system, _, venue = build()
    request, exit_ = entry(), close()
    system.take(request, filled(request), exit_, stop_filled(request, "0.1"))
    assert system.recorder.last(OrderCancelled).client_order_id == exit_.client_order_id
    assert ("submit", exit_.client_order_id, "0.1") not in venue.told
    second, later = entry(number=2), close(number=10)
    system.take(second, filled(second, fill="b"), later)
    part = msgspec.structs.replace(stop_filled(second, "0.04"), remaining=D("0.06"))
    system.take(part, stop_gone(second))
    assert venue.told[-1] == ("submit", later.client_order_id, "0.06")


def test_a_reduction_lowers_the_stop_first() -> None:
    """A partial close waits until the stop covers only what stays."""
    system, _, venue = build()
    request = entry()
    part = close("0.03", intent=Intent.REDUCE)
    system.take(request, filled(request), part)
    stop_id = protective_order_id(request.client_order_id)
    assert venue.told[-1] == ("amend", stop_id, "0.07")
    lowered = OrderAccepted(
        ts_event=START,
        ts_init=START,
        client_order_id=stop_id,
        venue_order_id="1",
        strategy="alpha",
        instrument=BTC,
        side=Side.SELL,
        quantity=D("0.07"),
        price=D(59_700),
        protective=True,
    )
    system.take(lowered)
    assert venue.told[-1] == ("submit", part.client_order_id, "0.03")


def test_a_passive_exit_leaves_the_stop_resting() -> None:
    """A resting target is sent at once; its fills lower the stop."""
    system, _, venue = build()
    request = entry()
    target = msgspec.structs.replace(close(), style=REST, price=D(61_000))
    system.take(request, filled(request), target)
    assert venue.told[-1] == ("submit", target.client_order_id, "0.1")
    stop_id = protective_order_id(request.client_order_id)
    shrunk = PositionChanged(
        ts_event=START,
        ts_init=START,
        strategy="alpha",
        instrument=BTC,
        change=PositionChange.FILL,
        quantity=D("0.06"),
        entry_price=D(60_000),
        risk=D(1),
    )
    system.take(shrunk)
    assert venue.told[-1] == ("amend", stop_id, "0.06")
    system.take(position_closed())
    assert venue.told[-1] == ("cancel", stop_id, "")


def test_a_close_is_not_held_for_ever() -> None:
    """Without word on the stop the venue is asked, and its absence lets the close go."""
    system, execution, venue = build()
    request, exit_ = entry(), close()
    system.take(request, filled(request), exit_)
    venue.answer = msgspec.structs.replace(venue.answer, ts_event=START + 2 * HOLD_NS)
    system.advance(HOLD_NS / SECOND)
    assert venue.told[-2:] == [("account", "", ""), ("submit", exit_.client_order_id, "0.1")]
    assert not execution.stops.resting


def hedge(parent: OrderRequest, quantity: str = "3") -> OrderRequest:
    """Build the leg that follows another leg's fills."""
    leg = order_request(
        number=7, side=Side.SELL, quantity=quantity, price="3000", stop=None, instrument=ETH
    )
    return msgspec.structs.replace(leg, release_order=parent.client_order_id)


def test_a_leg_follows_the_fills_of_another_in_proportion() -> None:
    """Slices have ids of their own that name their request, and add up to the whole leg."""
    system, execution, venue = build()
    maker = order_request(style=REST, quantity="0.1")
    leg = hedge(maker)
    system.take(maker, leg)
    assert len(venue.told) == 1
    system.take(filled(maker, quantity="0.04"))
    first = msgspec.structs.replace(leg, client_order_id=venue.told[-1][1], quantity=D("1.2"))
    system.take(filled(first))
    system.take(filled(maker, quantity="0.06", before="0.04", fill="b"))
    sent = [one for one in venue.told if one[0] == "submit"][1:]
    assert [D(one[2]) for one in sent] == [D("1.2"), D("1.8")]
    assert len({leg.client_order_id, *(one[1] for one in sent)}) == 3
    assert {sliced_request(one[1]) for one in sent} == {leg.client_order_id}
    assert system.of(OrderCancelled) == []
    second = msgspec.structs.replace(leg, client_order_id=sent[1][1], quantity=D("1.8"))
    system.take(filled(second, quantity="1.5", fill="c"), cancelled(second, filled="1.5"))
    end = system.recorder.last(OrderCancelled)
    assert (end.client_order_id, end.filled) == (leg.client_order_id, D("2.7"))
    assert not execution.legs


def test_a_leg_released_at_once_goes_under_its_own_id() -> None:
    """A request that needs no slices is one order, ended by its own reports."""
    system, execution, venue = build()
    maker = order_request(style=REST, quantity="0.1")
    leg = hedge(maker)
    system.take(maker, leg, filled(maker))
    assert venue.told[-1] == ("submit", leg.client_order_id, "3")
    assert not execution.legs
    assert leg.client_order_id in execution.orders


def test_cancelling_a_leg_cancels_its_slices_at_work() -> None:
    """What was sent of a leg is cancelled with it, and the request ends with the last of them."""
    system, _, venue = build()
    maker = order_request(style=REST, quantity="0.1")
    leg = hedge(maker)
    system.take(maker, leg, filled(maker, quantity="0.04"))
    part = msgspec.structs.replace(leg, client_order_id=venue.told[-1][1], quantity=D("1.2"))
    pull = SignalWithdrawn(
        ts_event=START,
        ts_init=START,
        signal_id="s",
        strategy="alpha",
        instrument=ETH,
        side=Side.BUY,
        intent=Intent.CLOSE,
        cancels=(leg.client_order_id,),
    )
    system.take(pull)
    assert venue.told[-1] == ("cancel", part.client_order_id, "")
    assert system.of(OrderCancelled) == []
    system.take(cancelled(part))
    assert system.recorder.last(OrderCancelled).client_order_id == leg.client_order_id


def test_a_leg_whose_order_ends_unfilled_ends_too() -> None:
    """Without a fill nothing is sent, and the leg is reported as cancelled."""
    system, execution, venue = build()
    maker = order_request(style=REST, quantity="0.1")
    leg = hedge(maker)
    system.take(maker, leg, cancelled(maker))
    assert system.recorder.last(OrderCancelled).client_order_id == leg.client_order_id
    assert [one[0] for one in venue.told] == ["submit"]
    assert not execution.legs


def test_a_leg_without_an_order_to_follow_ends_at_once() -> None:
    """A leg is never left waiting for an order that is not at work."""
    system, execution, _ = build()
    leg = hedge(order_request())
    system.take(leg)
    assert system.recorder.last(OrderCancelled).client_order_id == leg.client_order_id
    assert not execution.legs


def test_an_unknown_order_is_asked_for_and_believed_gone_after_two_answers() -> None:
    """One answer without it changes nothing; the second, later one ends it."""
    system, execution, venue = build()
    request = entry()
    system.take(request)
    venue.answer = msgspec.structs.replace(venue.answer, ts_event=START + 9 * SECOND)
    system.take(unknown(request))
    assert venue.told[-1] == ("account", "", "")
    assert system.of(OrderCancelled) == []
    system.advance(3)
    assert system.recorder.last(OrderCancelled).client_order_id == request.client_order_id
    assert not execution.orders


def test_an_unknown_order_that_the_venue_lists_works() -> None:
    """What the venue has is at work, and nothing is sent again."""
    system, execution, venue = build()
    request = order_request(style=REST)
    system.take(request)
    listed = VenueOrder(
        client_order_id=request.client_order_id,
        strategy="alpha",
        instrument=BTC,
        side=Side.BUY,
        price=request.price,
        quantity=request.quantity,
        filled=D(0),
        style=REST,
    )
    venue.answer = msgspec.structs.replace(venue.answer, ts_event=START + 9, orders=(listed,))
    system.take(unknown(request))
    system.advance(1)
    assert execution.orders[request.client_order_id].state == "WORKING"
    assert [one[0] for one in venue.told] == ["submit", "account"]


def test_after_a_restart_nothing_is_sent_twice() -> None:
    """A restored state knows what was sent, asks for what was never answered, and goes on."""
    system, execution, _ = build()
    maker = order_request(style=REST, quantity="0.1")
    request, exit_ = entry(number=2), close()
    system.take(maker, hedge(maker), request, filled(request), exit_)
    other, again, venue = build()
    again.restore(execution.snapshot())
    assert again.snapshot() == execution.snapshot()
    other.take(maker, hedge(maker), exit_)
    assert venue.told == []
    again.resume()
    other.advance(0)
    assert venue.told == [("account", "", "")]
    other.take(stop_gone(request))
    assert venue.told[-1] == ("submit", exit_.client_order_id, "0.1")


def test_a_round_trip_with_the_paper_venue_closes_once() -> None:
    """Entry, stop and close over real latencies: flat, with no order left."""
    system = MiniSystem()
    venue = PaperVenue(
        bus=system.bus,
        agenda=system.agenda,
        view=system.view,
        section=VenueSettings(),
        initial_wallet=D(10_000),
    )
    system.add(venue)
    execution = Execution(bus=system.bus, agenda=system.agenda, venue=venue)
    system.add(execution)
    system.take(instrument_updated(btc_perpetual()), trade(60_000.0), quote())
    request = order_request(price="60010", quantity="0.1")
    system.take(request)
    system.advance(1)
    system.take(close())
    system.advance(1)
    assert venue.account().positions == ()
    assert venue.account().orders == ()
    assert not execution.orders
    assert not execution.stops.resting
    assert len(system.of(OrderFilled)) == 2
