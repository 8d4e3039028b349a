from __future__ import annotations

import pytest

from hean.core.events import Intent, OrderStyle, ReasonCode, RefusedBy, Side, Signal, SignalRejected
from hean.core.testing import BTC, SECOND, START, btc_perpetual, position_opened, quote
from hean.strategies import desk as desks
from hean.strategies.decisions import (
    Plan,
    State,
    capped,
    enter,
    guard_stop,
    leave,
    pull,
    reduce,
    refuse,
    round_trip_bp,
    wish,
)
from hean.strategies.desk import Desk

PLAN = Plan(sign=1, style=OrderStyle.POST_ONLY, limit=60_000.0, stop=59_000.0, strength=0.5)


def _desk(*, open_: bool = False) -> tuple[State, Desk]:
    desk = Desk(instrument=BTC, specification=btc_perpetual(), quote=quote())
    if open_:
        desks.on_opened(desk, position_opened())
    return State(strategy="alpha"), desk


def test_every_answer_has_an_id_of_its_own() -> None:
    """Signals and refusals of one instant never share an id."""
    state, desk = _desk()
    first = refuse(state, desk, START, ReasonCode.STALE)[0]
    second = wish(state, desk, START, PLAN)
    assert isinstance(first, SignalRejected)
    assert first.signal_id != second.signal_id
    assert state.sequence == 2


@pytest.mark.parametrize(
    ("code", "layer"),
    [
        (ReasonCode.WARMING_UP, "DATA"),
        (ReasonCode.SESSION, "SESSION"),
        (ReasonCode.PHASE, "REGIME"),
        (ReasonCode.DAILY_CAP, "PACE"),
        (ReasonCode.FLOW, "FLOW"),
    ],
)
def test_a_refusal_names_its_layer(code: ReasonCode, layer: str) -> None:
    """A code of a layer carries the layer's name, a lone one its own."""
    state, desk = _desk()
    said = refuse(state, desk, START, code, 1.234567890123, 2.0)[0]
    assert isinstance(said, SignalRejected)
    assert (said.layer, said.refused_by) == (layer, RefusedBy.STRATEGY)
    assert said.number == 1.23456789
    assert desk.refused is not None
    assert desk.refused.code is code


def test_a_refusal_in_history_is_remembered_and_not_told() -> None:
    """Before history ends a refusal is no event, though the desk knows it; ids go on counting."""
    state, desk = _desk()
    state.history_until = START + SECOND
    assert refuse(state, desk, START, ReasonCode.WARMING_UP, 3.0, 30.0) == ()
    assert desk.refused is not None
    assert (desk.refused.code, desk.refused.limit) == (ReasonCode.WARMING_UP, 30.0)
    assert state.sequence == 1
    assert len(refuse(state, desk, START + SECOND, ReasonCode.WARMING_UP)) == 1


def test_only_a_first_order_is_an_attempt() -> None:
    """The second order of an attempt is kept as the entry but not counted."""
    state, desk = _desk()
    enter(state, desk, START, PLAN)
    enter(state, desk, START + SECOND, PLAN, stage=1)
    assert desk.pace.attempts == 1
    assert desk.entry is not None
    assert desk.entry.stage == 1


def test_confidence_is_strength_times_quality() -> None:
    """Confidence is u times the quality of the data."""
    state, desk = _desk()
    assert wish(state, desk, START, PLAN).confidence == 0.5


def test_a_flat_desk_leaves_nothing() -> None:
    """Without a position there is nothing to close, and nothing to reduce."""
    state, desk = _desk()
    assert leave(state, desk, START, "any") == ()
    assert reduce(state, desk, START, 0.5, "any") == ()
    assert pull(state, desk, START, "any") == ()


def test_an_exit_is_asked_for_once_and_then_firmer() -> None:
    """A working exit is not repeated; a firmer style overtakes it; a failed IOC becomes MARKET."""
    state, desk = _desk(open_=True)
    passive = leave(state, desk, START, "target", style=OrderStyle.POST_ONLY)
    assert len(passive) == 1
    assert leave(state, desk, START, "target", style=OrderStyle.POST_ONLY) == ()
    taking = leave(state, desk, START, "time", style=OrderStyle.LIMIT_IOC)
    assert isinstance(taking[0], Signal)
    assert (taking[0].intent, taking[0].side) == (Intent.CLOSE, Side.SELL)
    desk.exit = None
    market = leave(state, desk, START + SECOND, "time", style=OrderStyle.LIMIT_IOC)
    assert isinstance(market[0], Signal)
    assert market[0].style is OrderStyle.MARKET
    assert market[0].limit is None


def test_a_reduction_takes_a_fraction() -> None:
    """REDUCE carries the fraction of the position as its scale."""
    state, desk = _desk(open_=True)
    half = reduce(state, desk, START, 0.5, "target")[0]
    assert isinstance(half, Signal)
    assert (half.intent, half.scale) == (Intent.REDUCE, 0.5)
    assert desk.holding is not None
    assert desk.holding.taken == 1


def test_a_stop_that_the_venue_missed_is_closed() -> None:
    """Price beyond the stop for five seconds closes at market; coming back forgets it."""
    state, desk = _desk(open_=True)
    assert desk.holding is not None
    desk.holding.stop = 60_500.0
    assert guard_stop(state, desk, START) == ()
    assert guard_stop(state, desk, START + 4 * SECOND) == ()
    closed = guard_stop(state, desk, START + 5 * SECOND)[0]
    assert isinstance(closed, Signal)
    assert closed.style is OrderStyle.MARKET
    desk.holding.stop = 59_000.0
    assert guard_stop(state, desk, START + 6 * SECOND) == ()
    assert desk.holding.breached_at == 0


def test_costs_are_fees_and_half_spreads() -> None:
    """Both ways taker cost 11 bp and one spread, both ways maker 4 bp."""
    rules = btc_perpetual()
    assert round_trip_bp(rules, 2.0, maker_entry=False, maker_exit=False) == pytest.approx(13.0)
    assert round_trip_bp(rules, 2.0, maker_entry=True, maker_exit=False) == pytest.approx(8.5)
    assert round_trip_bp(rules, 2.0, maker_entry=True, maker_exit=True) == pytest.approx(4.0)


def test_a_cap_lies_beyond_the_touch() -> None:
    """The cap of a taking order allows 5 bp beyond the price it meets."""
    assert capped(100.0, 1) == pytest.approx(100.05)
    assert capped(100.0, -1) == pytest.approx(99.95)
