from __future__ import annotations

from hean.core.events import Intent, OrderStyle, Signal
from hean.core.testing import (
    BTC,
    BTC_SPOT,
    SECOND,
    START,
    btc_perpetual,
    btc_spot,
    position_opened,
    quote,
)
from hean.strategies import desk as desks
from hean.strategies.decisions import Plan, State
from hean.strategies.desk import Desk
from hean.strategies.groups import (
    end_group,
    enter_pair,
    holds_pair,
    idle_pair,
    leave_orphan,
    leave_pair,
)


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
