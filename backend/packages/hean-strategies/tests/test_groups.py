from __future__ import annotations

from decimal import Decimal

import pytest

from hean.core.events import Intent, OrderExpired, OrderStyle, Signal
from hean.core.ids import client_order_id
from hean.core.testing import (
    BTC,
    BTC_SPOT,
    SECOND,
    START,
    btc_perpetual,
    btc_spot,
    position_closed,
    position_opened,
    quote,
)
from hean.strategies import desk as desks
from hean.strategies.decisions import Plan, State
from hean.strategies.desk import Desk
from hean.strategies.groups import (
    NONE_RESTS,
    end_group,
    enter_pair,
    holds_pair,
    idle_pair,
    leave_last,
    leave_orphan,
    leave_pair,
    pair_cost_bp,
    pair_plans,
    resting_leg,
)
from hean.strategies.pace import PaceRules


def _legs() -> tuple[State, tuple[Desk, Desk]]:
    first = Desk(instrument=BTC, specification=btc_perpetual(), quote=quote())
    second = Desk(instrument=BTC_SPOT, specification=btc_spot(), quote=quote(instrument=BTC_SPOT))
    return State(strategy="alpha"), (first, second)


def _plans() -> tuple[Plan, Plan]:
    maker = Plan(sign=-1, style=OrderStyle.POST_ONLY, limit=60_000.0)
    return maker, Plan(sign=1, style=OrderStyle.LIMIT_IOC, limit=60_001.0)


def test_both_legs_share_a_group_and_count_once() -> None:
    """Two LEG signals with one group; the second is released by the first; one attempt."""
    state, legs = _legs()
    first, second = enter_pair(state, legs, START, _plans(), group_stop_bp=40.0)
    assert isinstance(first, Signal)
    assert isinstance(second, Signal)
    assert first.group == second.group != ""
    assert (first.leg, second.leg, first.legs, second.release_leg) == (0, 1, 2, 0)
    assert first.intent is second.intent is Intent.LEG
    assert (legs[0].pace.attempts, legs[1].pace.attempts) == (1, 0)
    assert not idle_pair(legs)


def test_an_ended_first_leg_forgets_the_hedge() -> None:
    """When the first leg ends unfilled, the hedge's entry is forgotten too."""
    state, legs = _legs()
    enter_pair(state, legs, START, _plans(), group_stop_bp=40.0)
    ended = legs[0].entry
    assert ended is not None
    end_group(legs, ended)
    assert idle_pair(legs)


def test_a_leg_alone_is_left_after_two_seconds() -> None:
    """An open leg without partner or order for it is closed, not before its two seconds."""
    state, legs = _legs()
    desks.on_opened(legs[0], position_opened(quantity="-0.001"))
    assert leave_orphan(state, legs, START + 2 * SECOND - 1) == ()
    (closed,) = leave_orphan(state, legs, START + 2 * SECOND)
    assert isinstance(closed, Signal)
    assert (closed.instrument, closed.intent) == (BTC, Intent.CLOSE)


def test_a_pair_is_left_as_a_pair() -> None:
    """Both legs are asked to be flat in one breath."""
    state, legs = _legs()
    desks.on_opened(legs[0], position_opened(quantity="-0.001"))
    desks.on_opened(legs[1], position_opened(instrument=BTC_SPOT))
    assert holds_pair(legs)
    said = leave_pair(state, legs, START, "done")
    assert [one.instrument for one in said if isinstance(one, Signal)] == [BTC, BTC_SPOT]


def _expired(one: Signal) -> OrderExpired:
    at = START + SECOND
    return OrderExpired(
        ts_event=at,
        ts_init=at,
        client_order_id=client_order_id(one.signal_id),
        strategy=one.strategy,
        instrument=one.instrument,
        filled=Decimal(0),
    )


def _held() -> tuple[State, tuple[Desk, Desk]]:
    state, legs = _legs()
    desks.on_opened(legs[0], position_opened(quantity="-0.001"))
    desks.on_opened(legs[1], position_opened(instrument=BTC_SPOT))
    return state, legs


def test_an_exit_that_fails_after_its_partner_left_is_taken_at_market() -> None:
    """Both exits are IOCs; one fills, the other finds nothing: it goes out at once, at market."""
    state, legs = _held()
    first, second = leave_pair(state, legs, START, "done")
    assert isinstance(second, Signal)
    closed = position_closed(at=START + SECOND)
    desks.on_closed(legs[0], closed, PaceRules())
    assert leave_last(state, legs, BTC, closed) == ()
    ended = _expired(second)
    desks.on_order_end(legs[1], ended)
    (left,) = leave_last(state, legs, BTC_SPOT, ended)
    assert isinstance(left, Signal)
    assert (left.instrument, left.style, left.ts_init) == (
        BTC_SPOT,
        OrderStyle.MARKET,
        START + SECOND,
    )
    assert isinstance(first, Signal)


def test_an_exit_that_failed_before_its_partner_left_is_taken_too() -> None:
    """The same in the other order: the close of the partner is what sends it out."""
    state, legs = _held()
    _, second = leave_pair(state, legs, START, "done")
    assert isinstance(second, Signal)
    ended = _expired(second)
    desks.on_order_end(legs[1], ended)
    assert leave_last(state, legs, BTC_SPOT, ended) == ()
    closed = position_closed(at=START + SECOND)
    desks.on_closed(legs[0], closed, PaceRules())
    (left,) = leave_last(state, legs, BTC, closed)
    assert isinstance(left, Signal)
    assert (left.instrument, left.style) == (BTC_SPOT, OrderStyle.MARKET)


def test_the_wider_spread_rests_and_on_bars_none() -> None:
    """The leg with the wider spread rests; on bars both take."""
    _, legs = _legs()
    legs[1].quote = quote(59_990.0, 60_010.0, instrument=BTC_SPOT)
    assert resting_leg(legs, coarse=False) == 1
    assert resting_leg(legs, coarse=True) == NONE_RESTS


def test_resting_saves_the_taker_fee_and_half_a_spread_once() -> None:
    """Four taking legs cost their fees and half-spreads; a resting first leg saves its own once."""
    _, legs = _legs()
    for one in legs:
        one.quote = quote(59_994.0, 60_006.0, instrument=one.instrument)
    taken = pair_cost_bp(legs, resting=NONE_RESTS)
    assert taken == pytest.approx(2 * (5.5 + 1.0) + 2 * (10.0 + 1.0))
    assert pair_cost_bp(legs, resting=0) == pytest.approx(taken - (5.5 + 1.0) + 2.0)
    halved = pair_cost_bp(legs, resting=NONE_RESTS, weights=(1.0, 0.5))
    assert halved == pytest.approx(13.0 + 11.0)


def test_both_plans_carry_what_is_common() -> None:
    """Opposite signs, own scales and limits, one cost, edge and reason; the first may rest."""
    common = Plan(sign=-1, style=OrderStyle.MARKET, limit=None, edge_bp=40.0, reason="why")
    quotes = (quote(59_994.0, 60_006.0), quote(2_999.0, 3_001.0))
    first, hedge = pair_plans(quotes, common, rests=True, wait_ns=SECOND, scales=(1.0, 0.5))
    assert (first.style, first.limit, first.ttl_ns) == (OrderStyle.POST_ONLY, 60_006.0, SECOND)
    assert (hedge.sign, hedge.style, hedge.scale) == (1, OrderStyle.LIMIT_IOC, 0.5)
    assert hedge.limit == pytest.approx(3_001.0 * 1.001)
    assert (first.edge_bp, hedge.reason) == (40.0, "why")
    first, _ = pair_plans(quotes, common, rests=False, wait_ns=SECOND)
    assert (first.style, first.limit) == (OrderStyle.LIMIT_IOC, pytest.approx(59_994.0 * 0.999))
