from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.core.events.base import Event
from hean.core.events.decision import OrderRequest, SignalRejected, SignalWithdrawn
from hean.core.events.market import Side
from hean.core.events.risk import RiskEnvelope, RiskStateChanged
from hean.core.events.strategy import Intent, OrderStyle
from hean.core.events.union import encode
from hean.core.testing import BTC, ETH, SOL, cancelled, mark, order_request, signal, trade
from hean.risk.testing import RiskSystem

DECISIONS = (OrderRequest, SignalRejected, SignalWithdrawn, RiskEnvelope, RiskStateChanged)


def test_a_risk_system_is_ready_to_trade() -> None:
    """It is reconciled, priced and funded, its strategies are active, and no order is out."""
    system = RiskSystem("alpha", "beta", capital="900")
    sentinel = system.risk.sentinel
    assert sentinel.is_ready
    assert (sentinel.budget("alpha"), sentinel.budget("beta")) == (360, 360)
    for instrument in (BTC, ETH, SOL):
        assert sentinel.barred("alpha", instrument) is None
    assert system.orders() == []


def test_opening_and_closing_moves_books_and_slots() -> None:
    """An opened order is held and counted, and the close that fills leaves neither."""
    system = RiskSystem("alpha", capital="900")
    system.take(signal(limit=3_500.0, stop=3_430.0, targets=(), instrument=ETH, at=system.now))
    (order,) = system.orders()
    system.open(order)
    assert system.risk.exposure.holdings["alpha", ETH].quantity == order.quantity
    assert system.tracker.counts()[0] == 1
    ask_exit(system, 2, ETH)
    system.close_with(system.orders()[1])
    assert system.risk.exposure.holdings == {}
    assert system.tracker.counts() == (0, 0, 0)


def ask_exit(system: RiskSystem, number: int, instrument: str) -> None:
    """Ask to be flat."""
    system.take(
        signal(
            number=number,
            intent=Intent.CLOSE,
            style=OrderStyle.MARKET,
            limit=None,
            instrument=instrument,
            at=system.now,
        )
    )


def working_orders(system: RiskSystem) -> list[OrderRequest]:
    """Return what is at work as it was ordered."""
    return [
        replace(
            order_request(
                one.strategy,
                one.side,
                intent=one.intent,
                quantity=str(one.quantity),
                price=str(one.price or 200),
                instrument=one.instrument,
                at=system.now,
            ),
            client_order_id=one.client_order_id,
        )
        for one in system.risk.exposure.orders.values()
    ]


def move(system: RiskSystem, step: str, number: int) -> None:
    """Let one thing happen."""
    instrument, price = (ETH, 3_500.0) if number % 2 else (SOL, 200.0)
    side = Side.BUY if number % 3 else Side.SELL
    match step:
        case "ask":
            system.take(
                signal(
                    "alpha" if number % 4 else "beta",
                    side,
                    number=number,
                    limit=price,
                    stop=price * (1 - 0.02 * side.sign),
                    targets=(),
                    instrument=instrument,
                    at=system.now,
                )
            )
        case "exit":
            ask_exit(system, number, instrument)
        case "fill":
            for one in working_orders(system)[:1]:
                system.open(one)
        case "cancel":
            for one in working_orders(system)[:1]:
                system.take(cancelled(one, at=system.now))
        case "equity":
            system.equity(nav=1.0 - 0.013 * number)
        case "jump":
            system.take(mark(price * 1.07, instrument=instrument, at=system.now))
            system.take(trade(price * 1.07, instrument=instrument, at=system.now))
        case "activate":
            system.activate(*(("alpha",) if number % 2 else ("alpha", "beta")))
        case "allocate":
            system.allocate({"alpha": 0.3, "beta": 0.1 + number / 100}, version=number + 2)
        case _:
            system.advance(1 + number % 3)
            system.tick(60_000.0 + 7 * number, 3_500.0 + number / 3, 200.0 - number / 7)
            system.beat()


STEPS = st.lists(
    st.sampled_from(
        ["ask", "ask", "exit", "fill", "cancel", "equity", "jump", "activate", "allocate", "beat",
         "beat"]
    ),
    max_size=15,
)  # fmt: skip


def told(system: RiskSystem) -> list[bytes]:
    """Return every decision and envelope on record, as bytes."""
    events: list[Event] = [one for kind in DECISIONS for one in system.of(kind)]
    return [encode(one) for one in events]


@settings(max_examples=80, deadline=None)
@given(STEPS, STEPS)
def test_a_resumed_system_goes_on_to_the_digit(first: list[str], then: list[str]) -> None:
    """P10: after a restart every state has the same bytes, and every next decision does too."""
    system = RiskSystem("alpha", "beta", capital="900")
    for number, step in enumerate(first):
        move(system, step, number)
    again = system.resumed()
    assert told(again) == []
    system.recorder.clear()
    for number, step in enumerate(then, start=len(first)):
        move(system, step, number)
        move(again, step, number)
    assert told(again) == told(system)
    for one, other in zip(system.risk.components, again.risk.components, strict=True):
        assert other.snapshot() == one.snapshot(), one.name


def test_a_resumed_system_shares_nothing_with_its_model() -> None:
    """What happens in the one does not show in the other."""
    system = RiskSystem("alpha", capital="900")
    again = system.resumed()
    before = system.risk.exposure.snapshot(), system.risk.sentinel.snapshot()
    move(again, "ask", 1)
    again.equity("500")
    assert len(again.orders()) == 1
    assert (system.risk.exposure.snapshot(), system.risk.sentinel.snapshot()) == before
    assert system.risk.sentinel.budget("alpha") == Decimal(360)
