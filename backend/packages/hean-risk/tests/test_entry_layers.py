from __future__ import annotations

from msgspec.structs import replace

from hean.core.events.decision import SignalRejected, SignalWithdrawn
from hean.core.events.market import Side
from hean.core.events.reasons import ReasonCode
from hean.core.events.strategy import Intent, OrderStyle, Signal
from hean.core.testing import ETH, SOL, cancelled, signal
from hean.risk import RiskSettings
from hean.risk.testing import RiskSystem


def want(
    system: RiskSystem,
    strategy: str = "alpha",
    side: Side = Side.BUY,
    *,
    instrument: str = ETH,
    number: int = 1,
    intent: Intent = Intent.OPEN,
    **changes: object,
) -> Signal:
    """Take an entry of 3,500 (ETH), 200 (SOL) or 60,000 with a 2 % stop; return its signal."""
    price = {ETH: 3_500.0, SOL: 200.0}.get(instrument, 60_000.0)
    away = 0.02 * side.sign
    found = signal(
        strategy,
        side,
        number=number,
        intent=intent,
        limit=price,
        stop=price * (1 - away),
        targets=(price * (1 + 3 * away),),
        instrument=instrument,
        at=system.now,
    )
    found = replace(found, **changes)
    system.take(found)
    return found


def last_code(system: RiskSystem) -> ReasonCode:
    """Return the code of the newest refusal."""
    return system.of(SignalRejected)[-1].code


def legs(system: RiskSystem, *, count: int = 2, stop: float = 100.0) -> list[Signal]:
    """Take a pair ETH long, SOL short; return its signals."""
    found: list[Signal] = []
    for leg, (instrument, side) in enumerate(((ETH, Side.BUY), (SOL, Side.SELL))):
        if leg < count:
            found.append(
                want(
                    system,
                    side=side,
                    instrument=instrument,
                    number=leg,
                    intent=Intent.LEG,
                    group="g",
                    leg=leg,
                    legs=2,
                    release_leg=0,
                    group_stop_bp=stop,
                )
            )
    return found


def test_a_group_is_decided_by_its_last_leg() -> None:
    """Legs are minted together by the last one; the hedge waits for the first's fills."""
    system = RiskSystem("alpha", capital="900")
    for one in _pair_signals(system):
        system.bus.publish(one)
    system.bus.settle()
    first, second = system.orders()
    assert second.release_order == first.client_order_id
    assert first.release_order == ""
    assert system.tracker.occupied == 2


def _pair_signals(system: RiskSystem) -> list[Signal]:
    scratch = RiskSystem("alpha")
    return [replace(one, ts_event=system.now) for one in legs(scratch)]


def test_a_group_without_its_last_leg_is_refused_at_once() -> None:
    """A leg whose partner does not come in its dispatch is GROUP_INCOMPLETE."""
    system = RiskSystem("alpha")
    legs(system, count=1)
    assert last_code(system) is ReasonCode.GROUP_INCOMPLETE
    assert system.orders() == []


def test_a_group_is_refused_as_one() -> None:
    """Where one leg cannot be had none is minted and each signal gets its own decision."""
    system = RiskSystem("alpha", capital="900", section=RiskSettings(max_positions=1))
    for one in _pair_signals(system):
        system.bus.publish(one)
    system.bus.settle()
    assert system.orders() == []
    assert [one.code for one in system.of(SignalRejected)] == [ReasonCode.MAX_POSITIONS] * 2
    assert system.tracker.occupied == 0


def quotes(system: RiskSystem, number: int, *, legs: int = 2) -> None:
    """Publish a two-sided quote group on ETH in one dispatch."""
    for leg in range(max(legs, 1)):
        side = Side.BUY if leg == 0 else Side.SELL
        price = 3_500.0 - (5.0 + number / 100.0) * side.sign
        system.bus.publish(
            replace(
                signal("alpha", side, number=number + leg, intent=Intent.QUOTE, at=system.now),
                instrument=ETH,
                style=OrderStyle.POST_ONLY,
                limit=price,
                stop=price * (1 - 0.02 * side.sign),
                targets=(),
                group=f"q{number}",
                leg=leg,
                legs=legs,
            )
        )
    system.bus.settle()


def test_the_newest_quotes_replace_the_ones_before() -> None:
    """A quote group names what it replaces side by side, shares one slot, and counts once."""
    system = RiskSystem("alpha")
    quotes(system, 1)
    quotes(system, 11)
    old, new = system.orders()[:2], system.orders()[2:]
    assert [one.replaces for one in new] == [one.client_order_id for one in old]
    assert system.tracker.occupied == 1
    for one in old:
        system.take(cancelled(one, at=system.now))
    assert system.risk.exposure.entries == 2


def test_an_empty_group_pulls_the_quotes() -> None:
    """One QUOTE signal of count 0 is answered by a withdrawal of everything quoted."""
    system = RiskSystem("alpha")
    quotes(system, 1)
    quotes(system, 11, legs=0)
    (withdrawn,) = system.of(SignalWithdrawn)
    assert set(withdrawn.cancels) == {one.client_order_id for one in system.orders()}


def test_refused_quotes_do_not_leave_old_ones_behind() -> None:
    """When new quotes are refused the old ones are pulled, without a signal's id."""
    system = RiskSystem("alpha")
    quotes(system, 1)
    system.activate("nobody")
    quotes(system, 11)
    assert last_code(system) in (ReasonCode.STRATEGY_INACTIVE, ReasonCode.GROUP_INCOMPLETE)
    (withdrawn,) = system.of(SignalWithdrawn)
    assert withdrawn.signal_id == ""
    assert len(withdrawn.cancels) == 2
