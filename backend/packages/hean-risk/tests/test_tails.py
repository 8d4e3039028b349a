from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hean.core.events.market import Side
from hean.core.events.strategy import Intent, OrderStyle
from hean.core.instruments import Instrument
from hean.core.testing import (
    BTC_SPOT,
    HOUR,
    SOL,
    btc_perpetual,
    btc_spot,
    eth_perpetual,
    order_request,
    position_opened,
    quote,
    sol_perpetual,
)
from hean.risk.sizing import Entry
from hean.risk.tails import DEFAULT_HALF_SPREAD, BookTails
from hean.risk.testing import RiskSystem


def entry(
    instrument: Instrument, price: str, side: Side = Side.BUY, *, stop: str | None = None
) -> Entry:
    """Return a candidate."""
    return Entry(
        instrument=instrument,
        side=side,
        style=OrderStyle.LIMIT_IOC,
        price=Decimal(price),
        stop=None if stop is None else Decimal(stop),
        scale=1.0,
        cost=Decimal("0.0013"),
        weight=Decimal(1),
    )


LONG_SOL = entry(sol_perpetual(), "200", stop="196")
SHORT_SOL = entry(sol_perpetual(), "200", Side.SELL, stop="204")


def measured(*, stress: float = 45.0, tail: float = 1e9) -> tuple[RiskSystem, BookTails]:
    """Return a system of 300 USDT with these limits on its book."""
    system = RiskSystem("alpha", "beta", instruments=(eth_perpetual(), sol_perpetual()))
    system.take(quote(199.99, 200.01, instrument=SOL, at=system.now))
    tails = system.risk.sentinel.tails
    tails.stress_limit, tails.tail_limit = stress, tail
    return system, tails


def share(tails: BookTails, *candidates: tuple[Entry, str]) -> tuple[float, str]:
    """Return the share of candidates given with their values."""
    entries = [one for one, _ in candidates]
    return tails.share(entries, [Decimal(value) for _, value in candidates])


def test_small_orders_pass_whole_and_unnamed() -> None:
    """What no scenario could make dangerous is let through, and no cap is named."""
    _, tails = measured()
    assert share(tails, (LONG_SOL, "50")) == (1.0, "")


def test_the_stress_limit_cuts_to_what_still_fits() -> None:
    """G5: with 45 to lose and M1b taking 45 %, half of a long of 200 in SOL fits."""
    _, tails = measured()
    found, cap = share(tails, (LONG_SOL, "200"))
    assert (found, cap) == (pytest.approx(0.5, abs=1e-6), "stress")
    assert found <= 0.5


def test_the_tail_limit_cuts_to_what_still_fits() -> None:
    """With 2.82 x 3 % of each USDT at risk and 4.23 to lose, half of a long of 100 fits."""
    _, tails = measured(stress=1e9, tail=4.23)
    assert share(tails, (LONG_SOL, "100")) == (pytest.approx(0.5), "cvar")


def test_books_twice_long_and_twice_short_both_fail() -> None:
    """G-7: of a long, or a short, of twice the equity only what M1b leaves of the cushion fits."""
    for one in (LONG_SOL, SHORT_SOL):
        _, tails = measured()
        found, cap = share(tails, (one, "600"))
        assert (found, cap) == (pytest.approx(100 / 600, abs=1e-6), "stress")


def test_a_hedged_pair_is_bounded_by_its_legs_moving_apart() -> None:
    """G-7: 200 of spot against its perpetual pass M1b; 3 % apart (M6) they cost 6, which binds."""
    system = RiskSystem("alpha", instruments=(btc_perpetual(), btc_spot()))
    system.take(
        quote(60_000.0, 60_000.1, at=system.now),
        quote(60_000.0, 60_000.1, instrument=BTC_SPOT, at=system.now),
    )
    tails = system.risk.sentinel.tails
    tails.stress_limit, tails.tail_limit = 6.0, 1e9
    short = entry(btc_perpetual(), "60000", Side.SELL, stop="60300")
    legs = [short, entry(btc_spot(), "60000", stop="59700")]
    values = [Decimal(200), Decimal(200)]
    assert tails.share(legs, values, is_hedge=True) == (1.0, "")
    assert tails.share(legs, values)[1] == "stress"
    assert tails.share(legs[:1], values[:1]) == (pytest.approx(0.1, abs=1e-6), "stress")
    tails.stress_limit = 3.0
    assert tails.share(legs, values, is_hedge=True) == (pytest.approx(0.5, abs=1e-6), "stress")


def test_what_works_counts_as_if_it_filled() -> None:
    """P8: an entry at work, or of unknown outcome, takes its whole value out of the limits."""
    system, tails = measured()
    system.take(
        order_request(
            "beta", quantity="0.25", price="200", stop="196", instrument=SOL, at=system.now
        )
    )
    found, _ = share(tails, (LONG_SOL, "200"))
    assert found == pytest.approx(0.25, abs=1e-6)


def test_a_candidate_that_mends_the_book_passes() -> None:
    """A short against a long that alone breaks the limit is let through in full."""
    system, tails = measured(stress=20.0)
    system.take(position_opened("beta", quantity="0.5", price="200", instrument=SOL, at=system.now))
    assert share(tails, (LONG_SOL, "100"))[0] == 0.0
    assert share(tails, (SHORT_SOL, "100"))[0] == 1.0


def test_quotes_about_to_be_replaced_still_count() -> None:
    """Until the venue says a quote is gone it may fill: both measures keep it, whoever's it is."""
    system, tails = measured()
    for name in ("alpha", "beta"):
        system.take(
            order_request(
                name,
                intent=Intent.QUOTE,
                quantity="0.25",
                price="200",
                stop=None,
                instrument=SOL,
                at=system.now,
            )
        )
    wanted = ([LONG_SOL], [Decimal(200)])
    assert tails.share(*wanted)[0] == 0.0
    tails.stress_limit, tails.tail_limit = 1e9, 8.46
    assert tails.share(*wanted) == (pytest.approx(0.0, abs=1e-9), "cvar")


CANDIDATES = st.lists(
    st.tuples(st.sampled_from([LONG_SOL, SHORT_SOL]), st.integers(1, 500)), min_size=1, max_size=4
)


@settings(max_examples=60, deadline=None)
@given(CANDIDATES, st.floats(1.0, 100.0), st.floats(0.5, 30.0), st.integers(-20, 20))
def test_the_share_that_is_let_through_keeps_both_limits(
    wanted: list[tuple[Entry, int]], stress: float, tail: float, held: int
) -> None:
    """After filling the share, worst scenario and CVaR are in their limits or no worse than now."""
    system, tails = measured(stress=stress, tail=tail)
    if held:
        system.take(
            position_opened(
                "beta", quantity=f"{held / 10}", price="200", instrument=SOL, at=system.now
            )
        )
    before = tails.worst(), tails.tail()
    found, cap = share(tails, *((one, str(value)) for one, value in wanted))
    assert 0.0 <= found <= 1.0
    assert cap in (("stress", "cvar") if found < 1.0 else ("",))
    quantity = Decimal(0)
    for one, value in wanted:
        quantity += one.side.sign * Decimal(value) * Decimal(found) / 200
    held_now = Decimal(held) / 10 + quantity
    if held_now:
        system.take(
            position_opened(
                "beta", quantity=str(held_now), price="200", instrument=SOL, at=system.now
            )
        )
        assert tails.worst() <= max(stress, before[0]) + 1e-6
        assert tails.tail() <= max(tail, before[1]) + 1e-6


def test_an_hour_keeps_its_half_spreads() -> None:
    """Spreads are read once an hour: a spread that widens counts from the next hour on."""
    system, tails = measured(stress=1e9, tail=1e9)
    system.take(
        position_opened("alpha", quantity="0.5", price="200", instrument=SOL, at=system.now)
    )
    quiet = tails.worst()
    wide = quote(190.0, 210.0, instrument=SOL, at=system.now)
    system.take(wide)
    assert tails.worst() == quiet
    system.agenda.now += HOUR
    system.beat()
    tails.share([LONG_SOL], [Decimal(1)])
    assert tails.worst() > 2 * quiet


def walk(system: RiskSystem, tails: BookTails, steps: Sequence[str]) -> None:
    """Let things happen that the measures depend on."""
    for number, step in enumerate(steps):
        match step:
            case "hour":
                system.agenda.now += HOUR
                system.beat()
            case "wide":
                half = 2.0 * (number + 1)
                system.take(quote(200 - half, 200 + half, instrument=SOL, at=system.now))
            case "hold":
                quantity = f"{(number + 1) / 10}"
                system.take(
                    position_opened(
                        "beta", quantity=quantity, price="200", instrument=SOL, at=system.now
                    )
                )
            case "work":
                system.take(
                    order_request(
                        number=number, quantity="0.1", price="200", instrument=SOL, at=system.now
                    )
                )
            case _:
                share(tails, (LONG_SOL, "40"), (SHORT_SOL, "25"))


STEPS = st.lists(st.sampled_from(["hour", "wide", "hold", "work", "ask"]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(STEPS, STEPS)
@example(["hold", "ask", "wide", "hour", "ask"], ["ask"])
def test_a_restart_leaves_no_trace_in_the_measures(first: list[str], then: list[str]) -> None:
    """Restored, the same state comes out, and what follows is measured to the last bit alike."""
    system, tails = measured(stress=20.0, tail=5.0)
    walk(system, tails, first)
    again = system.resumed()
    other = again.risk.sentinel.tails
    assert other.state() == tails.state()
    walk(system, tails, then)
    walk(again, other, then)
    assert other.state() == tails.state()
    assert (other.worst(), other.tail()) == (tails.worst(), tails.tail())
    wanted = ([LONG_SOL, SHORT_SOL], [Decimal(90), Decimal(10)])
    assert other.share(*wanted) == tails.share(*wanted)


def test_an_instrument_without_a_quote_has_the_stand_in_for_the_hour() -> None:
    """A book without quotes counts a half-spread of one basis point, and keeps it over a quote."""
    system, tails = measured()
    system.take(position_opened("alpha", quantity="1", price="0.5", instrument="X-PERP.BYBIT"))
    tails.worst()
    assert tails.state().spreads["X-PERP.BYBIT"] == DEFAULT_HALF_SPREAD
    system.take(quote(0.4, 0.6, instrument="X-PERP.BYBIT", at=system.now))
    tails.worst()
    assert tails.state().spreads["X-PERP.BYBIT"] == DEFAULT_HALF_SPREAD
