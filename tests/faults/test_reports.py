"""Reports of the venue that come twice, late, out of order, or never."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.app.venues.admission import Refusal
from hean.core.events import (
    Event,
    FundingRate,
    Intent,
    KillAction,
    KillSwitchTripped,
    MarkPrice,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderRequest,
    OrderStyle,
    OrderUnknown,
    PositionClosed,
    ReconciliationBreak,
    Side,
    SignalRejected,
    SignalWithdrawn,
)
from hean.core.testing import BTC, ETH, SECOND

from .composed import Composed

MILLISECOND = 10**6
REPORTS = (OrderAccepted, OrderFilled, OrderCancelled, OrderExpired, OrderRejected)
Told = list[tuple[int, Event]]


def twice(due: int, event: Event) -> Told:
    """Say every report of an order again, later."""
    later = due + 700 * MILLISECOND
    return [(due, event), (later, event)] if isinstance(event, REPORTS) else [(due, event)]


def round_trips(composed: Composed) -> None:
    """Take, rest, reduce, be stopped out and close, on two instruments, and wait for all of it."""
    composed.take(composed.signal(BTC))
    composed.take(composed.signal(ETH, Side.SELL, strategy="beta"))
    composed.beat(2)
    composed.take(composed.signal(BTC, Side.SELL, Intent.REDUCE, scale=0.4))
    composed.take(composed.signal(ETH, Side.SELL, style=OrderStyle.POST_ONLY))
    composed.beat(2)
    composed.print_at(ETH, 3_001.0, 1.0, Side.BUY)
    composed.beat(2)
    composed.move(ETH, 3_070.0)
    composed.beat(2)
    for strategy in ("alpha", "beta"):
        composed.take(
            composed.signal(BTC, Side.SELL, Intent.CLOSE, strategy=strategy),
            composed.signal(ETH, Side.BUY, Intent.CLOSE, strategy=strategy),
        )
    composed.beat(40)


def test_every_report_twice_is_every_report_once() -> None:
    """Duplicates change nothing: same wallet, nothing left over, no second order."""
    plain, doubled = Composed(), Composed(twice)
    for one in (plain, doubled):
        round_trips(one)
        one.check_flat()
    assert doubled.system.wallet == plain.system.wallet
    assert len(doubled.requests()) == len(plain.requests()) >= 5


@settings(max_examples=15, deadline=None)
@given(delays=st.lists(st.integers(0, 900), min_size=40, max_size=40))
def test_any_order_of_reports_ends_with_the_same_books(delays: list[int]) -> None:
    """Reports delayed at random overtake each other; books, slots and exposure come to rest."""
    left = list(delays)

    def late(due: int, event: Event) -> Told:
        return [(due + (left.pop() if left else 0) * MILLISECOND, event)]

    composed = Composed(late)
    round_trips(composed)
    composed.beat(5)
    for strategy in ("alpha", "beta"):
        composed.take(
            composed.signal(BTC, Side.SELL, Intent.CLOSE, strategy=strategy),
            composed.signal(ETH, Side.BUY, Intent.CLOSE, strategy=strategy),
        )
    composed.beat(40)
    composed.check_flat()


def losing(kind: type[Event], count: int = 1) -> Callable[[int, Event], Told]:
    """Lose the first reports of a type."""
    lost: list[Event] = []

    def tamper(due: int, event: Event) -> Told:
        if (
            isinstance(event, kind)
            and not getattr(event, "protective", False)
            and len(lost) < count
        ):
            lost.append(event)
            return []
        return [(due, event)]

    return tamper


def test_a_lost_acknowledgement_is_asked_for_and_found() -> None:
    """The order becomes unknown after its TTL, keeps its slot, is found at work, and can fill."""
    composed = Composed(losing(OrderAccepted))
    signal = composed.signal(style=OrderStyle.POST_ONLY)
    composed.take(msgspec.structs.replace(signal, ttl_ns=300 * SECOND))
    composed.beat(100)
    order = composed.requests()[-1]
    assert composed.system.tracker.holds("alpha", BTC)
    assert composed.system.tracker.statistics().unknown == 0
    assert len(composed.of(OrderUnknown)) == 1
    assert composed.system.execution.orders[order.client_order_id].state == "WORKING"
    assert composed.system.risk.exposure.open_risk == order.risk
    composed.print_at(BTC, 59_999.0, 1.0, Side.SELL)
    composed.beat(2)
    assert composed.held() == order.quantity
    composed.take(composed.signal(BTC, Side.SELL, Intent.CLOSE))
    composed.beat(40)
    composed.check_flat()


def test_a_lost_end_is_believed_after_two_answers() -> None:
    """An order whose cancel is never confirmed keeps its slot until the venue denies it twice."""
    composed = Composed(losing(OrderCancelled))
    composed.take(composed.signal(style=OrderStyle.POST_ONLY))
    composed.beat(11)
    assert composed.system.tracker.holds("alpha", BTC)
    composed.beat(200)
    composed.check_flat()


def test_a_cancel_that_never_arrived_is_sent_again() -> None:
    """An order that should be gone and is found at work is cancelled again; nothing works on."""
    composed = Composed()
    venue: Any = composed.system.venue
    cancel, asked = venue.cancel, list[str]()

    def losing_the_first(client_order_id: str) -> None:
        asked.append(client_order_id)
        if len(asked) > 1:
            cancel(client_order_id)

    venue.cancel = losing_the_first
    composed.take(composed.signal(style=OrderStyle.POST_ONLY))
    composed.beat(10)
    assert len(asked) == 1
    composed.beat(10)
    assert len(asked) == 2
    composed.check_flat()


def test_a_lost_fill_halts_the_account() -> None:
    """A fill nobody reported breaks the books: the kill switch halts and nothing new opens."""
    composed = Composed(losing(OrderFilled))
    composed.take(composed.signal())
    composed.beat(130)
    assert composed.of(ReconciliationBreak)
    assert [one.action for one in composed.of(KillSwitchTripped)] == [KillAction.HALT]
    composed.take(composed.signal(ETH))
    composed.beat(2)
    assert len(composed.of(SignalRejected)) == 1
    assert not composed.system.risk.sentinel.envelope().entries_allowed
    assert composed.at_venue() == composed.held(strategy="EXTERNAL") > 0


def rejecting(composed: Composed, instrument: str) -> None:
    """Let the venue refuse every order on one instrument from now on."""
    desk = composed.system.venue._desk  # pyright: ignore[reportPrivateUsage]
    admit = desk.admit

    def refuse(request: OrderRequest) -> None:
        if request.instrument == instrument:
            desk.reporter.rejected(request, Refusal("110007", "insufficient balance"))
        else:
            admit(request)

    desk.admit = refuse


def test_a_rejected_hedge_leg_is_unwound_within_two_seconds() -> None:
    """The filled leg of a pair whose hedge was refused is closed again at once after 2 s."""
    composed = Composed()
    rejecting(composed, ETH)
    resting, leg = OrderStyle.POST_ONLY, Intent.LEG
    composed.take(
        composed.signal(BTC, Side.BUY, leg, style=resting, group="pair", leg=0, legs=2),
        composed.signal(ETH, Side.SELL, leg, group="pair", leg=1, legs=2, release_leg=0),
    )
    composed.beat()
    composed.print_at(BTC, 59_999.0, 1.0, Side.SELL)
    at = composed.system.agenda.now
    composed.beat(5)
    unwound = [one for one in composed.requests() if one.cause == "unwinding"]
    assert [one.instrument for one in unwound] == [BTC]
    assert 0 < unwound[0].ts_init - at <= 2_100 * MILLISECOND
    composed.beat(5)
    composed.check_flat()
    assert composed.of(PositionClosed)[-1].exit_reason == "unwinding"


@pytest.mark.parametrize("after", range(0, 130, 10))
def test_a_fill_may_race_with_the_end_of_its_ttl(after: int) -> None:
    """Whether the cancel or the fill comes first at the venue, all sides agree afterwards."""
    composed = Composed()
    signal = composed.signal(style=OrderStyle.POST_ONLY)
    composed.take(signal)
    sent = composed.system.agenda.now
    composed.system.kernel.advance(sent + 10 * SECOND - 60 * MILLISECOND + after * MILLISECOND)
    composed.print_at(BTC, 59_999.0, 1.0, Side.SELL)
    composed.beat(3)
    composed.check()
    order = composed.requests()[0]
    assert composed.held() in (Decimal(0), order.quantity)
    assert not composed.system.risk.exposure.orders
    assert composed.system.tracker.counts() == (1 if composed.held() else 0, 0, 0)
    composed.take(composed.signal(BTC, Side.SELL, Intent.CLOSE))
    composed.beat(3)
    composed.check_flat()


@pytest.mark.parametrize("after", range(0, 160, 10))
def test_a_stop_may_fill_while_a_close_is_in_flight(after: int) -> None:
    """The position is closed once, by whichever comes first; nothing is opened by the other."""
    composed = Composed()
    composed.take(composed.signal())
    composed.beat(2)
    composed.take(composed.signal(BTC, Side.SELL, Intent.CLOSE))
    composed.system.kernel.advance(composed.system.agenda.now + after * MILLISECOND)
    composed.move(BTC, 58_000.0)
    composed.beat(10)
    composed.check_flat()
    assert len(composed.of(PositionClosed)) == 1
    assert len({one.fill_id for one in composed.of(OrderFilled)}) == 2


def test_a_reduction_below_one_lot_is_a_zero() -> None:
    """It is refused as POSITION_SIZER_ZERO, and the position and its stop stay as they are."""
    composed = Composed()
    composed.take(composed.signal())
    composed.beat(2)
    held = composed.held()
    composed.take(composed.signal(BTC, Side.SELL, Intent.REDUCE, scale=0.5 / float(held) * 0.001))
    composed.beat(2)
    refused = composed.of(SignalRejected)[-1]
    assert (refused.code.value, refused.layer) == ("POSITION_SIZER_ZERO", "sizer.min_quantity")
    assert composed.held() == held == composed.system.venue.account().orders[0].quantity
    composed.check()


def test_a_liquidation_is_booked_to_whom_it_took() -> None:
    """A forced execution ends the positions, their stops and slots; wallet and books agree."""
    composed = Composed()
    composed.take(composed.signal(BTC, stop_share=0.02), composed.signal(ETH, stop_share=0.02))
    composed.beat(2)
    assert composed.held(BTC) > 0
    desk = composed.system.venue._desk  # pyright: ignore[reportPrivateUsage]
    for order in composed.system.venue.account().orders:
        desk.cancel(order.client_order_id)
    desk.account.wallet = Decimal(200)
    desk.treasury.guard(desk.treasury.margin())
    composed.beat(1)
    composed.move(BTC, 57_000.0)
    composed.move(ETH, 2_850.0)
    composed.beat(5)
    forced = [one for one in composed.of(OrderFilled) if one.kind.value == "LIQUIDATION"]
    assert forced
    assert {one.strategy for one in forced} == {"alpha"}
    assert composed.held(BTC) == composed.at_venue(BTC) == 0
    assert composed.system.tracker.counts() == (0, 0, 0)
    assert {one.exit_reason for one in composed.of(PositionClosed)} == {"liquidation"}


@pytest.mark.parametrize("before", range(0, 90, 10))
def test_funding_may_fall_between_a_fill_and_its_report(before: int) -> None:
    """Books and venue charge the same quantity at a stamp, whatever was in flight."""
    composed = Composed()
    composed.take(composed.signal(ETH, strategy="beta"))
    composed.beat(2)
    composed.take(composed.signal(BTC))
    stamp = composed.system.agenda.now + before * MILLISECOND
    for price, instrument in ((60_000.0, BTC), (3_000.0, ETH)):
        composed.system.take(
            MarkPrice(ts_event=stamp, ts_init=stamp, instrument=instrument, mark=price)
        )
        composed.system.take(
            FundingRate(
                ts_event=stamp,
                ts_init=stamp,
                instrument=instrument,
                rate=0.0001,
                next_funding_time=stamp + 28_800 * SECOND,
                interval_ns=28_800 * SECOND,
                settled=True,
            )
        )
    composed.beat(3)
    composed.check()
    assert composed.system.portfolio.ledger.accounts.suspense == 0


@pytest.mark.parametrize("after", range(0, 130, 10))
def test_a_restart_between_a_request_and_its_report_loses_nothing(after: int) -> None:
    """From a snapshot taken while orders fly, the same fills follow and nothing is sent twice."""
    composed = Composed()
    composed.take(composed.signal(BTC))
    composed.take(composed.signal(ETH, Side.SELL, style=OrderStyle.POST_ONLY))
    composed.system.kernel.advance(composed.system.agenda.now + after * MILLISECOND)
    composed.restart()
    composed.beat(2)
    composed.check()
    assert composed.held() > 0
    assert composed.system.tracker.counts() == (1, 1, 0)
    composed.take(
        composed.signal(BTC, Side.SELL, Intent.CLOSE), composed.signal(ETH, Side.BUY, Intent.CLOSE)
    )
    composed.beat(3)
    composed.check_flat()
    assert [one for one in composed.of(SignalWithdrawn) if one.instrument == ETH]


def test_a_stop_whose_end_nobody_reported_is_forgotten() -> None:
    """After a close the venue is asked for the stop it should have lost; none is kept for ever."""
    lost: list[Event] = []

    def tamper(due: int, event: Event) -> Told:
        if isinstance(event, OrderCancelled) and event.protective:
            lost.append(event)
            return []
        return [(due, event)]

    composed = Composed(tamper)
    composed.take(composed.signal())
    composed.beat(2)
    composed.take(composed.signal(BTC, Side.SELL, Intent.CLOSE))
    composed.beat(15)
    assert lost
    composed.check_flat()
