from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.events.market import Side
from hean.core.testing import (
    ETH,
    SOL,
    cancelled,
    expired,
    filled,
    order_request,
    position_opened,
    rejected,
    unknown,
)
from hean.risk.testing import RiskSystem


def test_an_order_counts_in_full_until_the_venue_says() -> None:
    """Working, unknown and being cancelled it keeps its risk; only its end frees it."""
    system = RiskSystem("alpha")
    exposure = system.risk.exposure
    order = order_request(risk="2", at=system.now)
    system.take(order)
    assert (exposure.open_risk, exposure.gross, exposure.entries) == (2, 60, 1)
    system.take(unknown(order, at=system.now))
    exposure.leave((order.client_order_id,))
    assert (exposure.open_risk, exposure.entries) == (2, 1)
    system.take(rejected(order, at=system.now))
    assert (exposure.open_risk, exposure.gross, exposure.entries) == (0, 0, 0)


def test_a_partial_fill_carries_its_share_of_risk() -> None:
    """After a quarter filled three quarters of R still work."""
    system = RiskSystem("alpha")
    order = order_request(quantity="0.004", risk="2", at=system.now)
    system.take(order, filled(order, quantity="0.001", at=system.now))
    assert system.risk.exposure.open_risk == Decimal("1.5")


def test_a_position_risks_what_lies_between_mark_and_stop() -> None:
    """Risk falls as price runs away from the stop and is never negative."""
    system = RiskSystem("alpha")
    order = order_request(risk="1", at=system.now)
    system.take(order)
    system.open(order)
    first = system.risk.exposure.open_risk
    assert Decimal("0.3") < first < Decimal("0.4")
    system.tick(btc=61_000.0)
    system.risk.exposure.revalue()
    assert system.risk.exposure.open_risk > first
    system.tick(btc=59_000.0)
    system.risk.exposure.revalue()
    assert system.risk.exposure.open_risk == 0


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["order", "fill", "end", "unknown", "close", "mark"]),
        st.sampled_from(["alpha", "beta"]),
        st.sampled_from([ETH, SOL]),
        st.sampled_from(list(Side)),
    ),
    max_size=30,
)


def play(system: RiskSystem, events: list[tuple[str, str, str, Side]], first: int = 0) -> None:
    """Let orders, fills, ends, closes and marks happen."""
    for number, (kind, name, instrument, side) in enumerate(events, start=first):
        orders = [
            one for one in system.orders() if one.client_order_id in system.risk.exposure.orders
        ]
        match kind:
            case "order":
                system.take(
                    order_request(
                        name,
                        side,
                        number=number,
                        instrument=instrument,
                        price="200",
                        stop="190",
                        at=system.now,
                    )
                )
            case "fill" if orders:
                system.open(orders[0])
            case "end" if orders:
                end = expired if number % 2 else cancelled
                system.take(end(orders[0], at=system.now))
            case "unknown" if orders:
                system.take(unknown(orders[0], at=system.now))
            case "close":
                if (name, instrument) in system.risk.exposure.holdings:
                    system.flat(name, instrument)
            case _:
                system.tick(eth=3_500.0 + number, sol=200.0 - number / 10)
                system.risk.exposure.revalue()


@settings(max_examples=60, deadline=None)
@given(EVENTS)
def test_totals_equal_the_sum_of_their_parts(events: list[tuple[str, str, str, Side]]) -> None:
    """After any sequence the totals kept by difference are the sums over what is held and works."""
    system = RiskSystem("alpha", "beta")
    play(system, events)
    kept = system.risk.exposure
    entries = [one for one in kept.orders.values() if one.is_entry]
    parts = [*kept.holdings.values(), *entries]
    assert kept.open_risk == sum((one.at_risk for one in parts), Decimal(0))
    assert kept.gross == sum((abs(one.notional) for one in parts), Decimal(0))
    assert kept.entries == len(entries)
    for name, tally in kept.by_strategy.items():
        mine = [one for one in parts if one.strategy == name]
        assert tally.risk == sum((one.at_risk for one in mine), Decimal(0))
        assert tally.notional == sum((abs(one.notional) for one in mine), Decimal(0))
        bound = sum((abs(one.notional) * one.weight for one in mine), Decimal(0))
        assert tally.bound == bound
    for name, place in kept.by_instrument.items():
        held = [one for one in kept.holdings.values() if one.instrument == name]
        assert place.net == sum((one.notional for one in held), Decimal(0))
        assert place.quantity == sum((one.quantity for one in held), Decimal(0))
        for side, value in ((Side.BUY, place.buys), (Side.SELL, place.sells)):
            mine = [one for one in entries if one.instrument == name and one.side is side]
            assert value == sum((one.notional for one in mine), Decimal(0))


@settings(max_examples=40, deadline=None)
@given(EVENTS, EVENTS)
def test_a_snapshot_restores_to_the_digit(
    events: list[tuple[str, str, str, Side]], more: list[tuple[str, str, str, Side]]
) -> None:
    """P10: the restored book has the same bytes, and has them still after the same events."""
    system = RiskSystem("alpha", "beta")
    play(system, events)
    again = system.resumed()
    assert again.risk.exposure.snapshot() == system.risk.exposure.snapshot()
    again.recorder.events.extend(system.recorder.events)
    play(system, more, len(events))
    play(again, more, len(events))
    assert again.risk.exposure.snapshot() == system.risk.exposure.snapshot()
    assert again.risk.sentinel.envelope() == system.risk.sentinel.envelope()


def test_positions_nobody_here_opened_count_too() -> None:
    """A position of EXTERNAL is inside gross value and open risk."""
    system = RiskSystem("alpha")
    system.take(position_opened("EXTERNAL", quantity="0.01", risk="5", at=system.now))
    assert system.risk.exposure.gross == Decimal("600.0005")
    assert system.risk.exposure.open_risk == 5
