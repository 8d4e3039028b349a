"""I1 to I4: the venue, its streams or its memory are gone, and money is at stake."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.events import (
    Event,
    FeedGap,
    Intent,
    KillAction,
    KillSwitchTripped,
    OrderAccepted,
    OrderFilled,
    OrderRejected,
    OrderStyle,
    OrderUnknown,
    PositionClosed,
    ReasonCode,
    ReconciliationBreak,
    Regime,
    RegimeChanged,
    Side,
    SignalRejected,
)
from hean.core.testing import BTC, ETH, SECOND, SOL

from .composed import PRICES, Composed
from .outage import Outage, check_outcomes, check_protected, wind_up

SIDES = [Side.BUY, Side.SELL]
MILLISECOND = 10**6
BARRED = (ReasonCode.KILL_SWITCH, ReasonCode.STRATEGY_INACTIVE)


def drift(composed: Composed, instrument: str, share: float, seconds: int) -> None:
    """Let a price drift evenly."""
    start = composed.prices[instrument]
    for step in range(1, seconds + 1):
        composed.prices[instrument] = round(start * (1 + share * step / seconds), 1)
        composed.beat(1)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("share", [-0.03, 0.03])
@pytest.mark.parametrize("is_told", [True, False])
def test_the_venue_is_down_while_price_drifts(side: Side, share: float, is_told: bool) -> None:
    """I1: 120 s and 3 % later the stop has closed it, or rests; nothing opened in the dark."""
    outage = Outage()
    composed = outage.composed
    composed.take(composed.signal(BTC, side))
    composed.take(composed.signal(ETH, side, style=OrderStyle.POST_ONLY))
    composed.beat(2)
    outage.begin(is_told=is_told)
    composed.take(composed.signal(SOL, strategy="beta"))
    drift(composed, BTC, share, 120)
    composed.take(composed.signal(SOL, side, strategy="beta"))
    composed.take(composed.signal(BTC, side, Intent.CLOSE, strategy="beta"))
    trips = [one.action for one in composed.of(KillSwitchTripped)]
    assert trips == ([KillAction.HALT] if is_told else [])
    outage.end()
    composed.beat(200)
    check_protected(composed)
    lost = share * side.sign < 0
    closed = [one.exit_reason for one in composed.of(PositionClosed)]
    assert closed == (["stop"] if lost else [])
    assert composed.held(SOL, "beta") == 0
    wind_up(composed)


@settings(max_examples=12, deadline=None)
@given(delays=st.lists(st.integers(5_000, 30_000), min_size=12, max_size=12))
def test_reports_come_seconds_late(delays: list[int]) -> None:
    """I2: with 5 to 30 s of latency all comes to rest, protected and booked."""
    times = itertools.cycle(delays)
    slow = [True]

    def late(due: int, event: Event) -> list[tuple[int, Event]]:
        return [(due + next(times) * MILLISECOND if slow[0] else due, event)]

    composed = Composed(late)
    composed.take(composed.signal(BTC))
    composed.take(composed.signal(ETH, Side.SELL, strategy="beta"))
    composed.beat(20)
    composed.take(composed.signal(BTC, intent=Intent.CLOSE))
    composed.take(composed.signal(SOL))
    composed.beat(45)
    slow[0] = False
    composed.beat(120)
    check_protected(composed)
    wind_up(composed)


@pytest.mark.parametrize("count", [1, 5])
def test_a_burst_of_refused_connections(count: int) -> None:
    """I2: what 429 and 5xx kept from the venue is unknown, asked for, believed gone after two."""
    outage = Outage()
    composed = outage.composed
    for instrument, strategy in itertools.islice(
        itertools.product((BTC, ETH, SOL), ("alpha", "beta")), count
    ):
        outage.is_down = True
        composed.take(composed.signal(instrument, strategy=strategy, scale=0.2))
        outage.is_down = False
        assert composed.system.tracker.holds(strategy, instrument)
        composed.beat(1)
    composed.beat(25)
    assert composed.system.tracker.occupied == count
    composed.beat(120)
    assert {one.client_order_id for one in composed.of(OrderUnknown)} == {
        one.client_order_id for one in composed.requests()
    }
    composed.check_flat()
    check_outcomes(composed)
    composed.take(composed.signal(BTC))
    composed.beat(2)
    assert composed.held() > 0


@pytest.mark.parametrize("seconds", [10, 31, 50])
@pytest.mark.parametrize("style", [OrderStyle.LIMIT_IOC, OrderStyle.POST_ONLY])
def test_a_timeout_after_the_order_landed(seconds: int, style: OrderStyle) -> None:
    """I2: an order that landed and was not heard of keeps its slot, and never becomes a second."""
    outage = Outage()
    composed = outage.composed
    composed.take(msgspec.structs.replace(composed.signal(style=style), ttl_ns=300 * SECOND))
    outage.begin(is_told=False)
    composed.system.kernel.advance(composed.system.agenda.now + SECOND)
    composed.print_at(BTC, 59_999.0, 1.0, Side.SELL)
    composed.beat(seconds)
    assert composed.system.tracker.holds("alpha", BTC)
    assert composed.system.risk.exposure.open_risk > 0
    outage.end()
    composed.beat(150)
    check_protected(composed)
    assert composed.held() == composed.requests()[0].quantity
    assert len({one.client_order_id for one in composed.of(OrderAccepted)}) <= 2
    wind_up(composed)


@pytest.mark.parametrize("share", [-0.03, 0.03])
def test_the_public_stream_is_lost(share: float) -> None:
    """I3: blind for 90 s nothing opens; the first price after it works the stop and heals."""
    composed = Composed()
    composed.take(composed.signal(BTC))
    composed.beat(2)
    system = composed.system
    now = system.agenda.now
    system.take(FeedGap(ts_event=now, ts_init=now, instrument=BTC, reason="stream lost"))
    system.kernel.advance(now + 90 * SECOND)
    system.take(composed.signal(ETH, strategy="beta"))
    assert composed.of(SignalRejected)[-1].code is ReasonCode.ENVELOPE_STALE
    composed.prices[BTC] = round(PRICES[BTC] * (1 + share), 1)
    composed.beat(5)
    check_protected(composed)
    assert bool(composed.of(PositionClosed)) is (share < 0)
    composed.take(composed.signal(ETH, strategy="beta"))
    composed.beat(2)
    assert composed.held(ETH, "beta") > 0
    wind_up(composed)


@pytest.mark.parametrize("side", SIDES)
def test_the_private_stream_missed_a_stop(side: Side) -> None:
    """I3: a stop that filled unheard breaks the books; the account halts and counts its risk."""
    outage = Outage()
    composed = outage.composed
    composed.take(composed.signal(BTC, side))
    composed.beat(2)
    outage.begin()
    drift(composed, BTC, -0.03 * side.sign, 30)
    outage.end(losing=lambda event: isinstance(event, OrderFilled))
    composed.beat(120)
    assert composed.of(ReconciliationBreak)
    assert [one.action for one in composed.of(KillSwitchTripped)] == [KillAction.HALT]
    assert composed.at_venue() == 0
    composed.take(composed.signal(ETH, strategy="beta"))
    assert composed.of(SignalRejected)[-1].code in BARRED
    assert composed.held() != 0
    assert composed.system.risk.exposure.gross > 0
    assert composed.system.tracker.counts() == (1, 0, 0)
    check_outcomes(composed)


def test_the_snapshot_is_lost_with_positions_open() -> None:
    """I4: what a new start finds belongs to EXTERNAL, inside every limit; the operator closes."""
    composed = Composed()
    composed.take(composed.signal(BTC))
    composed.take(composed.signal(ETH, Side.SELL, strategy="beta"))
    composed.beat(2)
    assert composed.at_venue() > 0 > composed.at_venue(ETH)
    composed.forget_all_but_the_venue()
    composed.beat(70)
    composed.check()
    assert composed.held(BTC, "EXTERNAL") == composed.at_venue() > 0
    assert composed.held(ETH, "EXTERNAL") == composed.at_venue(ETH) < 0
    exposure = composed.system.risk.exposure
    assert exposure.gross > 0
    assert {one[0] for one in exposure.holdings} == {"EXTERNAL"}


def test_a_regime_may_be_hours_old() -> None:
    """I4: after three hours without frames a restart trades on the last regime it knew."""
    composed = Composed()
    now = composed.system.agenda.now
    composed.system.take(
        RegimeChanged(
            ts_event=now, ts_init=now, instrument=BTC, ready=True, regime=Regime.RANGE,
            phase=None, cycle=None, regime_confidence=0.9, phase_confidence=0.0,
            cycle_confidence=0.0, moved=("regime",),
        )
    )  # fmt: skip
    composed.system.kernel.advance(now + 3 * 3600 * SECOND)
    composed.restart()
    composed.beat(75)
    composed.take(composed.signal(BTC))
    composed.beat(2)
    factors = dict(composed.requests()[-1].size_factors)
    assert factors["regime"] == 0.7
    check_protected(composed)
    wind_up(composed)


def test_a_refused_order_is_not_unknown() -> None:
    """I2: a venue that says no frees the slot at once, however often it says it."""
    composed = Composed()
    desk = composed.system.venue._desk  # pyright: ignore[reportPrivateUsage]
    desk.account.wallet = desk.account.wallet / 10**6
    composed.take(composed.signal(BTC), composed.signal(ETH, strategy="beta"))
    composed.beat(1)
    assert len(composed.of(OrderRejected)) == 2
    assert composed.system.tracker.occupied == 0
    assert not composed.system.risk.exposure.orders
    check_outcomes(composed)
