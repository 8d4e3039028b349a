from __future__ import annotations

from typing import Any

from hean.core.events import Event, Intent, Need, OrderStyle, Quote, Side, Signal
from hean.core.testing import BTC, SECOND, START, btc_perpetual, quote
from hean.strategies.bench import Log, build
from hean.strategies.quote_bench import QuoteBench
from hean.strategies.rebate_farmer import RebateFarmer


def _bench() -> QuoteBench:
    needs = (Need.QUOTES, Need.TRADES, Need.DEPTH)
    log = Log(instruments=(btc_perpetual(),), carries={BTC: needs}, events=())
    return QuoteBench(build(RebateFarmer, log), log)


def _market(bid: float, ask: float, second: int) -> Quote:
    return quote(instrument=BTC, bid=bid, ask=ask, at=START + second * SECOND)


def _wish(number: int, side: Side, limit: float, *, leg: int = 0, legs: int = 1) -> Signal:
    at = START + number * SECOND
    return Signal(
        ts_event=at, ts_init=at, signal_id=f"s{number}{leg}", strategy="rebate_farmer",
        instrument=BTC, side=side, intent=Intent.QUOTE, style=OrderStyle.POST_ONLY, limit=limit,
        group=f"g{number}", leg=leg, legs=legs,
    )  # fmt: skip


def _say(bench: QuoteBench, *signals: Signal) -> None:
    """Let the bench decide signals as if its strategy had just said them."""
    said = iter(signals)

    def step(state: Any, _: Event, __: Any) -> tuple[Any, tuple[Event, ...]]:  # noqa: ANN401
        one = next(said, None)
        return state, () if one is None else (one,)

    bench.strategy.step = step  # pyright: ignore[reportAttributeAccessIssue]
    for one in signals:
        bench.tell(_market(59_990.0, 60_010.0, (one.ts_init - START) // SECOND))


def test_the_newest_group_replaces_the_one_before() -> None:
    """A second group of two leaves two quotes at work, not four."""
    bench = _bench()
    bench.feed(_market(59_990.0, 60_010.0, 0))
    pair = [_wish(1, Side.BUY, 59_980.0, legs=2), _wish(1, Side.SELL, 60_020.0, leg=1, legs=2)]
    again = [_wish(2, Side.BUY, 59_970.0, legs=2), _wish(2, Side.SELL, 60_030.0, leg=1, legs=2)]
    _say(bench, *pair, *again)
    assert {one.limit for one in bench.resting[BTC]} == {59_970.0, 60_030.0}
    assert bench.most == 2


def test_an_empty_group_pulls_the_quotes() -> None:
    """A QUOTE without legs leaves nothing at work."""
    bench = _bench()
    bench.feed(_market(59_990.0, 60_010.0, 0))
    _say(bench, _wish(1, Side.BUY, 59_980.0), _wish(2, Side.BUY, 59_980.0, legs=0))
    assert not bench.resting[BTC]


def test_a_quote_that_would_take_is_rejected() -> None:
    """A bid at the ask crosses: it never rests, as POST_ONLY demands."""
    bench = _bench()
    bench.feed(_market(59_990.0, 60_010.0, 0))
    _say(bench, _wish(1, Side.BUY, 60_010.0))
    assert bench.crossed == 1
    assert not bench.resting.get(BTC)
