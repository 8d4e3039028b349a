from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from hean.core.events.decision import OrderRequest, SignalWithdrawn
from hean.core.events.market import Side
from hean.core.events.strategy import Intent
from hean.core.events.system import OperatorCommand
from hean.core.events.venue import FillKind, OrderFilled
from hean.core.testing import (
    ETH,
    SOL,
    cancelled,
    expired,
    filled,
    position_closed,
    position_opened,
    signal,
)
from hean.risk import RiskSettings
from hean.risk.testing import RiskSystem


def entry(system: RiskSystem, strategy: str = "alpha", instrument: str = ETH) -> OrderRequest:
    """Have an entry minted and return it."""
    price = 3_500.0 if instrument == ETH else 200.0
    system.take(
        signal(
            strategy,
            limit=price,
            stop=price * 0.98,
            targets=(),
            instrument=instrument,
            at=system.now,
        )
    )
    return system.orders()[-1]


def pair(system: RiskSystem) -> tuple[OrderRequest, OrderRequest]:
    """Have a hedged pair minted: long ETH, short SOL released by it."""
    for leg, (name, side, price) in enumerate(((ETH, Side.BUY, 3_500.0), (SOL, Side.SELL, 200.0))):
        one = signal("alpha", side, intent=Intent.LEG, instrument=name, at=system.now)
        system.bus.publish(
            replace(
                one,
                limit=price,
                stop=price * (1 - 0.02 * side.sign),
                targets=(),
                group="g",
                leg=leg,
                legs=2,
                release_leg=0,
                group_stop_bp=100.0,
            )
        )
    system.bus.settle()
    first, second = system.orders()
    return first, second


def test_a_leg_without_its_partner_is_unwound_after_two_seconds() -> None:
    """Two seconds after the fill the hedge is cancelled and the filled leg closed, with cause."""
    system = RiskSystem("alpha", capital="900")
    first, second = pair(system)
    system.open(first)
    system.advance(1.9)
    assert len(system.orders()) == 2
    system.advance(0.1)
    close = system.orders()[2]
    assert (close.cause, close.instrument, close.side) == ("unwinding", ETH, Side.SELL)
    assert close.quantity == first.quantity
    assert close.signal_id == ""
    assert system.of(SignalWithdrawn)[-1].cancels == (second.client_order_id,)


def test_a_hedged_pair_is_left_alone() -> None:
    """Both legs filled within two seconds: nothing is unwound."""
    system = RiskSystem("alpha", capital="900")
    first, second = pair(system)
    system.open(first)
    system.advance(1)
    system.open(second)
    system.advance(10)
    assert len(system.orders()) == 2


def test_a_close_in_flight_is_not_sent_twice() -> None:
    """While the unwinding close works no second one is minted; after its end another one is."""
    system = RiskSystem("alpha", capital="900")
    first, _ = pair(system)
    system.open(first)
    system.advance(9)
    assert len(system.orders()) == 3
    system.take(expired(system.orders()[2], at=system.now))
    system.advance(2)
    assert len(system.orders()) == 4
    assert system.orders()[3].client_order_id != system.orders()[2].client_order_id


def test_a_leg_that_ends_unfilled_takes_its_partner_along() -> None:
    """When the maker leg expires without a fill the waiting hedge is withdrawn."""
    system = RiskSystem("alpha", capital="900")
    first, second = pair(system)
    system.take(expired(first, at=system.now))
    assert system.of(SignalWithdrawn)[-1].cancels == (second.client_order_id,)


def test_quarantine_cancels_resting_entries_of_the_others() -> None:
    """In QUARANTINE entries outside the protective set go, in HARD_STOP all do."""
    section = RiskSettings(kill_day_loss=0.25, max_daily_loss=0.15)
    system = RiskSystem("alpha", "basis_arbitrage", capital="600", section=section)
    other = entry(system)
    kept = entry(system, "basis_arbitrage", SOL)
    system.equity(nav=0.84)
    assert [one.cancels for one in system.of(SignalWithdrawn)] == [(other.client_order_id,)]
    system.equity(nav=0.79)
    assert system.of(SignalWithdrawn)[-1].cancels == (kept.client_order_id,)


def trip(system: RiskSystem, command: str = "flatten") -> None:
    """Have the operator trip the kill switch."""
    at = system.now
    system.take(
        OperatorCommand(ts_event=at, ts_init=at, command=command, operator="me", reason="test")
    )


def test_flatten_cancels_entries_and_closes_every_net_position() -> None:
    """FLATTEN pulls the resting entry and closes the position at market, worst first."""
    system = RiskSystem("alpha", "beta", "gamma", capital="900")
    resting = entry(system, "gamma")
    held = entry(system, "alpha", SOL)
    system.open(held)
    trip(system)
    assert resting.client_order_id in system.of(SignalWithdrawn)[-1].cancels
    close = system.orders()[-1]
    assert (close.cause, close.quantity, close.side) == ("kill_switch", held.quantity, Side.SELL)
    assert close.reduce_only


def test_flatten_retries_until_flat_and_never_twice_at_once() -> None:
    """An unanswered close is not repeated; one that ended unfilled is, with a new id."""
    system = RiskSystem("alpha", capital="900")
    system.open(entry(system))
    trip(system)
    system.advance(30)
    assert len(system.orders()) == 2
    system.take(cancelled(system.orders()[1], at=system.now))
    system.advance(60)
    assert len(system.orders()) == 3
    close = system.orders()[2]
    system.take(filled(close, price="3500", at=system.now))
    system.take(position_closed("alpha", instrument=ETH, at=system.now))
    system.advance(300)
    assert len(system.orders()) == 3


def test_opposing_positions_close_the_net_and_cross_the_rest() -> None:
    """+0.05 and -0.02 close 0.03 of the long, then cross 0.02 at one mark without fee."""
    system = RiskSystem("alpha", "beta", capital="900")
    for name, quantity in (("alpha", "0.05"), ("beta", "-0.02")):
        system.take(
            position_opened(name, quantity=quantity, price="3500", instrument=ETH, at=system.now)
        )
    trip(system)
    (close,) = system.orders()
    assert (close.strategy, close.quantity) == ("alpha", Decimal("0.03"))
    system.take(filled(close, price="3500", at=system.now))
    system.take(
        position_opened("alpha", quantity="0.02", price="3500", instrument=ETH, at=system.now)
    )
    system.advance(1)
    crosses = [one for one in system.of(OrderFilled) if one.kind is FillKind.CROSS]
    assert sorted((one.strategy, one.side, one.quantity, one.fee) for one in crosses) == [
        ("alpha", Side.SELL, Decimal("0.02"), 0),
        ("beta", Side.BUY, Decimal("0.02"), 0),
    ]
    assert crosses[0].price == crosses[1].price


def test_halt_closes_nothing() -> None:
    """HALT pulls entries and leaves positions on their stops."""
    system = RiskSystem("alpha", capital="900")
    system.open(entry(system))
    trip(system, "halt")
    system.advance(100)
    assert len(system.orders()) == 1


def test_the_operator_closes_one_position() -> None:
    """`close_position` mints a close with the operator as its cause."""
    system = RiskSystem("alpha", capital="900")
    held = entry(system)
    system.open(held)
    at = system.now
    system.take(
        OperatorCommand(
            ts_event=at,
            ts_init=at,
            command="close_position",
            operator="me",
            reason="test",
            arguments=(("strategy", "alpha"), ("instrument", ETH)),
        )
    )
    close = system.orders()[-1]
    assert (close.cause, close.quantity) == ("operator", held.quantity)


def test_a_snapshot_keeps_groups_and_attempts() -> None:
    """Restored between fill and unwinding, the group is unwound all the same."""
    system = RiskSystem("alpha", capital="900")
    first, _ = pair(system)
    system.open(first)
    other = RiskSystem("alpha", capital="900")
    for mine, theirs in zip(system.risk.components, other.risk.components, strict=True):
        theirs.restore(mine.snapshot())
    other.agenda.restore(system.agenda.snapshot())
    other.advance(2)
    assert other.orders()[-1].cause == "unwinding"
