from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.core.events.base import Event
from hean.core.events.decision import OrderRequest, SignalRejected, SignalWithdrawn
from hean.core.events.market import Side
from hean.core.events.strategy import Intent, OrderStyle
from hean.core.testing import ETH, SECOND, cancelled, filled, signal, unknown
from hean.risk.exposure import WorkingOrder
from hean.risk.testing import RiskSystem

Rung = tuple[Side, float]
PAIR: tuple[Rung, ...] = ((Side.BUY, 3_490.0), (Side.SELL, 3_510.0))


def declare(
    system: RiskSystem, number: int, rungs: Sequence[Rung], *, scale: float = 1.0
) -> list[OrderRequest]:
    """Declare one group of quotes; return the orders minted for it."""
    before, group = len(system.orders()), list[Event]()
    for leg, (side, price) in enumerate(rungs):
        one = signal(
            "alpha",
            side,
            number=10 * number + leg,
            intent=Intent.QUOTE,
            limit=price,
            stop=price * (1 - 0.02 * side.sign),
            targets=(),
            instrument=ETH,
            at=system.now,
        )
        group.append(
            replace(
                one, style=OrderStyle.POST_ONLY, group=f"g{number}", leg=leg, legs=len(rungs),
                scale=scale, ttl_ns=60 * SECOND,
            )
        )  # fmt: skip
    for one in group[:-1]:
        system.bus.publish(one)
    system.take(group[-1])
    return list(system.orders()[before:])


def at_work(system: RiskSystem) -> list[WorkingOrder]:
    """Return the quotes whose cancel was not sent."""
    found = system.risk.exposure.orders_of(("alpha", ETH))
    return [one for one in found if not one.is_leaving]


def test_an_unchanged_pair_keeps_both_orders() -> None:
    """Declared again as it rests, a pair mints nothing; each answer names the order that stands."""
    system = RiskSystem("alpha", capital="3000")
    first = declare(system, 1, PAIR)
    assert declare(system, 2, PAIR) == []
    answers = system.of(SignalWithdrawn)
    assert [one.stands for one in answers] == [one.client_order_id for one in first]
    assert [one.ttl_ns for one in answers] == [60 * SECOND, 60 * SECOND]
    assert not any(one.cancels for one in answers)
    statistics = system.risk.gate.statistics()
    assert (statistics.signals, statistics.orders, statistics.withdrawn) == (4, 2, 2)
    assert statistics.passed["SLOT"] == 4
    assert system.tracker.counts()[2] == 1
    assert system.tracker.statistics().expired == 0


def test_only_the_side_that_moved_is_replaced() -> None:
    """Of a pair whose ask moved only the ask is minted anew; the bid stays what it was."""
    system = RiskSystem("alpha", capital="3000")
    bid, ask = declare(system, 1, PAIR)
    (moved,) = declare(system, 2, (PAIR[0], (Side.SELL, 3_515.0)))
    assert (moved.side, moved.replaces) == (Side.SELL, ask.client_order_id)
    assert [one.client_order_id for one in at_work(system)] == [
        bid.client_order_id, moved.client_order_id,
    ]  # fmt: skip


def test_what_is_no_longer_declared_is_cancelled() -> None:
    """The answer for a rung that stands carries the cancels of the rungs that are gone."""
    system = RiskSystem("alpha", capital="3000")
    bid, ask = declare(system, 1, PAIR)
    assert declare(system, 2, PAIR[:1]) == []
    (answer,) = system.of(SignalWithdrawn)
    assert (answer.stands, answer.cancels) == (bid.client_order_id, (ask.client_order_id,))


def test_a_smaller_size_replaces_a_larger_order() -> None:
    """An order larger than the layers would now allow never stands; a smaller one does."""
    system = RiskSystem("alpha", capital="3000")
    large = declare(system, 1, PAIR)
    small = declare(system, 2, PAIR, scale=0.4)
    assert [one.replaces for one in small] == [one.client_order_id for one in large]
    assert small[0].quantity < large[0].quantity
    for one in large:
        system.take(cancelled(one, at=system.now))
    assert declare(system, 3, PAIR) == []


def test_a_rung_that_filled_in_part_keeps_its_rest() -> None:
    """What is left of a partly filled quote is the same order, with its place in the queue."""
    system = RiskSystem("alpha", capital="3000")
    bid, _ = declare(system, 1, PAIR)
    part = bid.quantity - Decimal("0.01")
    system.take(filled(bid, quantity=str(part), at=system.now))
    declare(system, 2, PAIR)
    assert system.of(SignalWithdrawn)[0].stands == bid.client_order_id


def test_an_order_nobody_is_sure_of_is_replaced() -> None:
    """An order of unknown outcome stands for nothing: a new one is minted in its place."""
    system = RiskSystem("alpha", capital="3000")
    bid, _ = declare(system, 1, PAIR)
    system.take(unknown(bid, at=system.now))
    assert declare(system, 2, PAIR)[0].replaces == bid.client_order_id


PRICES = st.sampled_from([3_480.0, 3_485.0, 3_490.0])
RUNGS = st.lists(
    st.tuples(st.sampled_from(list(Side)), PRICES), min_size=1, max_size=5
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(RUNGS, min_size=1, max_size=6))
def test_what_works_is_what_was_declared_last(groups: list[list[Rung]]) -> None:
    """After any declarations each rung of the newest has one order at its price, and no more."""
    system = RiskSystem("alpha", capital="30000")
    for number, rungs in enumerate(groups):
        rungs = [(side, price + 30.0 * (side is Side.SELL)) for side, price in rungs]
        declare(system, number, rungs)
        for one in system.orders():
            working = system.risk.exposure.orders.get(one.client_order_id)
            if working is not None and working.is_leaving:
                system.take(cancelled(one, at=system.now))
        assert not system.of(SignalRejected)
        found = Counter((one.side, float(one.price)) for one in at_work(system))
        assert found == Counter(rungs)
