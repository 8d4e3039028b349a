from __future__ import annotations

import msgspec

from hean.core.events import (
    Intent,
    OrderCancelled,
    OrderStyle,
    ReasonCode,
    RefusedBy,
    Side,
    Signal,
    SignalRejected,
    SignalWithdrawn,
)
from hean.core.ids import client_order_id
from hean.core.instruments import ZERO
from hean.core.testing import BTC, START, btc_perpetual, btc_spot
from hean.strategies.decisions import Outputs, Plan, State
from hean.strategies.desk import Holding, may_open_short
from hean.strategies.quoting import (
    QuoteDesk,
    ended_quote,
    flatten,
    pull_quotes,
    quote,
    rest_exit,
)


def _desk() -> QuoteDesk:
    return QuoteDesk(instrument=BTC, specification=btc_perpetual())


def _state() -> State:
    return State(strategy="maker")


def _pair() -> list[Plan]:
    return [
        Plan(sign=sign, style=OrderStyle.POST_ONLY, limit=60_000.0 - 30.0 * sign)
        for sign in (1, -1)
    ]


def _signals(outputs: Outputs) -> list[Signal]:
    return [one for one in outputs if isinstance(one, Signal)]


def test_a_pair_is_one_group() -> None:
    """Both legs carry one group, their number and their count, and are kept until they end."""
    desk = _desk()
    found = _signals(quote(_state(), desk, START, _pair()))
    assert {one.intent for one in found} == {Intent.QUOTE}
    assert len({one.group for one in found}) == 1
    assert [(one.leg, one.legs, one.side) for one in found] == [
        (0, 2, Side.BUY),
        (1, 2, Side.SELL),
    ]
    assert [one.signal_id for one in desk.live] == [one.signal_id for one in found]


def test_the_newest_group_replaces_and_the_old_is_kept_until_it_ends() -> None:
    """Replaced quotes are leaving, not gone: they may still fill."""
    desk, state = _desk(), _state()
    quote(state, desk, START, _pair())
    quote(state, desk, START + 1, _pair()[:1])
    assert len(desk.live) == 1
    assert len(desk.quotes) == 3
    old = desk.quotes[0]
    event = OrderCancelled(
        ts_event=START, ts_init=START, client_order_id=old.order_id, strategy="maker",
        instrument=BTC, filled=ZERO,
    )  # fmt: skip
    assert ended_quote(desk, event) is old
    assert len(desk.quotes) == 2


def test_an_empty_group_pulls_once() -> None:
    """Pulling is one QUOTE without legs; with nothing quoted it is nothing."""
    desk, state = _desk(), _state()
    assert pull_quotes(state, desk, START, "why") == ()
    quote(state, desk, START, _pair())
    (signal,) = _signals(pull_quotes(state, desk, START, "why"))
    assert (signal.intent, signal.legs) == (Intent.QUOTE, 0)
    assert pull_quotes(state, desk, START, "why") == ()


def test_a_quote_that_stands_keeps_its_order() -> None:
    """Declared anew as it rests, a quote goes on under the order it had, in the group's order."""
    desk, state = _desk(), _state()
    quote(state, desk, START, _pair())
    old_bid = desk.quotes[0]
    bid, ask = _signals(quote(state, desk, START + 1, _pair()))
    event = SignalWithdrawn(
        ts_event=START, ts_init=START, signal_id=bid.signal_id, strategy="maker",
        instrument=BTC, side=bid.side, intent=bid.intent, stands=old_bid.order_id,
    )  # fmt: skip
    asked = ended_quote(desk, event)
    assert asked is not None
    assert asked.order_id == client_order_id(bid.signal_id)
    assert [one.order_id for one in desk.live] == [
        old_bid.order_id, client_order_id(ask.signal_id),
    ]  # fmt: skip
    assert desk.live[0].published == START + 1


def test_only_the_gates_refusal_ends_a_quote() -> None:
    """A refusal in the strategy's own name ends nothing."""
    desk = _desk()
    (first, _) = _signals(quote(_state(), desk, START, _pair()))
    refusal = SignalRejected(
        ts_event=START, ts_init=START, signal_id=first.signal_id, strategy="maker",
        instrument=BTC, layer="SIZER", code=ReasonCode.POSITION_SIZER_ZERO,
        refused_by=RefusedBy.STRATEGY,
    )  # fmt: skip
    assert ended_quote(desk, refusal) is None
    by_gate = msgspec.structs.replace(refusal, refused_by=RefusedBy.GATE)
    ended = ended_quote(desk, by_gate)
    assert ended is not None
    assert ended.signal_id == first.signal_id


def test_a_position_is_flattened_or_rested_once() -> None:
    """Flattening closes and leaves the quotes; a resting exit is asked for once."""
    desk, state = _desk(), _state()
    quote(state, desk, START, _pair())
    desk.holding = Holding(sign=1, quantity=1.0, entry=60_000.0, opened_at=START)
    (exit_signal,) = _signals(rest_exit(state, desk, START, 60_030.0, 5, "target"))
    assert (exit_signal.intent, exit_signal.style) == (Intent.CLOSE, OrderStyle.POST_ONLY)
    assert not desk.live
    assert rest_exit(state, desk, START, 60_030.0, 5, "target") == ()
    (firmer,) = _signals(flatten(state, desk, START, "impulse"))
    assert firmer.intent is Intent.CLOSE
    assert firmer.style is OrderStyle.MARKET


def test_spot_is_not_sold_short_without_borrowing() -> None:
    """Perpetuals may open short; spot only with the borrow flag."""
    assert may_open_short(btc_perpetual())
    assert may_open_short(btc_spot(borrowable=True))
    assert not may_open_short(btc_spot())
