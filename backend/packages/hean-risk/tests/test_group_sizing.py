from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.core.events.market import Side
from hean.core.events.strategy import OrderStyle
from hean.core.instruments import Instrument
from hean.core.testing import btc_perpetual, eth_perpetual, sol_perpetual
from hean.risk.group_sizing import (
    GroupTerms,
    larger_side,
    leg_losses,
    lesser,
    round_legs,
    smallest_value,
    total_of,
    value_caps,
)
from hean.risk.sizing import Entry, GroupRules, Place, Room

COST = Decimal("0.0013")
HEDGE = GroupRules(stop=Decimal("0.01"))
QUOTES = GroupRules(is_quotes=True)


class Open:
    """Tail limits that let everything through."""

    def share(
        self, entries: Sequence[Entry], notionals: Sequence[Decimal], *, is_hedge: bool = False
    ) -> tuple[float, str]:
        """Return the whole."""
        return 1.0, ""


def entry(
    instrument: Instrument, price: str, side: Side = Side.BUY, *, stop: str | None = None
) -> Entry:
    """Return one leg."""
    return Entry(
        instrument=instrument,
        side=side,
        style=OrderStyle.LIMIT_IOC,
        price=Decimal(price),
        stop=None if stop is None else Decimal(stop),
        scale=1.0,
        cost=COST,
        weight=Decimal(1),
    )


def place(**changes: Decimal) -> Place:
    """Return an instrument with nothing used."""
    free = Place(
        left=Decimal(10**6),
        margin_rate=Decimal("0.25"),
        maintenance_rate=Decimal("0.005"),
        depth=None,
        venue_max=Decimal(10**6),
    )
    return replace(free, **changes)


def room(**changes: Decimal) -> Room:
    """Return plenty of room for one strategy."""
    much = Decimal(10**6)
    free = Room(
        equity=much,
        budget=much,
        multiplier=Decimal(1),
        trade_risk=much,
        notional_used=Decimal(0),
        bound_used=Decimal(0),
        risk_used=Decimal(0),
        open_risk_left=much,
        cluster_risk_left=much,
        gross_left=much,
        available=much,
        balance=much,
        smallest_only=False,
        tails=Open(),
    )
    return replace(free, **changes)


def terms(
    *legs: Entry,
    ratios: Sequence[str] = (),
    rules: GroupRules = HEDGE,
    places: Sequence[Place] = (),
) -> GroupTerms:
    """Return the terms of a group, by default of equal ratios and free places."""
    return GroupTerms(
        legs,
        [Decimal(one) for one in ratios] or [Decimal(1)] * len(legs),
        places or [place()] * len(legs),
        rules,
        Decimal(3),
        Decimal("0.5"),
        Decimal("0.05"),
    )


PAIR = (entry(btc_perpetual(), "100000"), entry(eth_perpetual(), "3500", Side.SELL))


def test_a_group_stop_is_a_loss_of_the_whole_group_by_its_first_leg() -> None:
    """Legs share stop x first ratio by value, so a 1:1 pair at 1 % loses half of it each."""
    losses = leg_losses(PAIR, [Decimal(1), Decimal(1)], HEDGE)
    assert losses == [Decimal("0.005") + COST] * 2
    lopsided = leg_losses(PAIR, [Decimal(1), Decimal(3)], HEDGE)
    assert lopsided == [Decimal("0.0025") + COST] * 2


def test_quotes_and_groups_without_a_group_stop_use_their_own_stops() -> None:
    """A leg's own stop is its distance; without one the group stop stands in, else no size."""
    own = entry(sol_perpetual(), "200", stop="196")
    bare = entry(sol_perpetual(), "200")
    ratios = [Decimal(1)]
    assert leg_losses((own,), ratios, GroupRules()) == [Decimal("0.02") + COST]
    stopped = GroupRules(stop=Decimal("0.03"), is_quotes=True)
    assert leg_losses((bare,), ratios, stopped) == [Decimal("0.03") + COST]
    assert leg_losses((own,), ratios, stopped) == [Decimal("0.02") + COST]
    assert leg_losses((bare,), ratios, GroupRules()) is None
    crossed = entry(sol_perpetual(), "200", stop="204")
    assert leg_losses((crossed,), ratios, GroupRules()) is None


def test_quotes_lose_one_whole_side() -> None:
    """The larger side's parts count, not the sum of both."""
    rungs = [
        entry(sol_perpetual(), "199"),
        entry(sol_perpetual(), "198"),
        entry(sol_perpetual(), "201", Side.SELL),
    ]
    assert larger_side(rungs, [Decimal(2), Decimal(3), Decimal(4)]) == 5
    assert larger_side(rungs[2:], [Decimal(4)]) == 4


@given(st.lists(st.decimals(-100, 100, places=8), max_size=12))
def test_totals_are_exact_and_lesser_keeps_the_name_of_the_smaller(values: list[Decimal]) -> None:
    """The total does not depend on the order; ties keep the cap that came first."""
    assert total_of(values) == total_of(values[::-1])
    kept, name = Decimal(10**9), "first"
    for at, value in enumerate(values):
        kept, name = lesser(kept, name, value, str(at))
    if values:
        assert (kept, name) == (min(values), str(values.index(min(values))))


@pytest.mark.parametrize(
    ("cap", "left", "here", "value"),
    [
        ("budget", {"budget": Decimal(10)}, {}, Decimal(15)),
        ("gross", {"gross_left": Decimal(30)}, {}, Decimal(15)),
        ("margin", {"available": Decimal(15)}, {}, Decimal(15)),
        ("instrument", {}, {"left": Decimal(15)}, Decimal(15)),
        ("depth", {}, {"depth": Decimal("0.003")}, Decimal("0.525")),
        ("venue_max", {}, {"venue_max": Decimal("0.001")}, Decimal("3.5")),
    ],
)
def test_each_cap_on_value_has_its_name(
    cap: str, left: dict[str, Decimal], here: dict[str, Decimal], value: Decimal
) -> None:
    """F: a hedged pair of equal values binds 2 of B x leverage, gross and margin, 1 of a place."""
    found = value_caps(terms(*PAIR, places=[place(**here)] * 2), room(**left), Decimal(50), "")
    assert found == (value, cap)


def test_quotes_bind_the_budget_unlevered_and_a_place_once_a_side() -> None:
    """Rungs x clip fit B without leverage; two bids on one instrument share what is left there."""
    rungs = (
        entry(sol_perpetual(), "199"),
        entry(sol_perpetual(), "198"),
        entry(sol_perpetual(), "201", Side.SELL),
    )
    poor = room(budget=Decimal(60), notional_used=Decimal(30))
    assert value_caps(terms(*rungs, rules=QUOTES), poor, Decimal(99), "") == (10, "budget")
    tight = [place(left=Decimal(12)), place(left=Decimal(12)), place()]
    found = value_caps(terms(*rungs, rules=QUOTES, places=tight), room(), Decimal(99), "")
    assert found == (6, "instrument")


def test_spot_legs_bind_the_budget_by_their_weight() -> None:
    """A leg paid in full binds leverage times its value of a levered budget."""
    legs = (replace(PAIR[0], weight=Decimal(3)), PAIR[1])
    found = value_caps(terms(*legs), room(budget=Decimal(4)), Decimal(99), "")
    assert found == (3, "budget")


def test_the_smallest_group_trades_every_leg() -> None:
    """Probing takes the dearest leg's minimum and a tenth; never more than what was affordable."""
    group = terms(*PAIR)
    probing = replace(room(), smallest_only=True)
    assert smallest_value(group, room(), Decimal(500), "x") == (500, "x")
    assert smallest_value(group, probing, Decimal(500), "x") == (110, "probe")
    assert smallest_value(group, probing, Decimal(90), "x") == (90, "x")


@settings(max_examples=150, deadline=None)
@given(
    st.decimals("1", "5000", places=2),
    st.decimals("0.2", "3", places=2),
    st.decimals("50", "400", places=2),
    st.booleans(),
)
def test_rounded_legs_match_and_never_exceed_the_value(
    value: Decimal, ratio: Decimal, price: Decimal, quotes: bool
) -> None:
    """Each leg is whole lots of at most its share, above the minimum, and hedges stay in 10 %."""
    legs = (entry(eth_perpetual(), "3500"), entry(sol_perpetual(), str(price), Side.SELL))
    group = terms(*legs, ratios=("1", str(ratio)), rules=QUOTES if quotes else HEDGE)
    found = round_legs(group, value)
    if found is None:
        return
    levels: list[Decimal] = []
    for one, share, quantity in zip(legs, group.ratios, found, strict=True):
        assert quantity % one.instrument.lot_step == 0
        assert quantity >= one.instrument.smallest_quantity(one.price)
        assert quantity * one.price <= value * share
        levels.append(quantity * one.price / share)
    if not quotes:
        assert max(levels) - min(levels) <= Decimal("0.1000001") * min(levels)


def test_a_pair_that_no_lower_value_matches_is_refused() -> None:
    """With BTC lots of 100 and ETH lots of 35, 106 a leg gives 100 to 105; 99 gives no BTC."""
    assert round_legs(terms(*PAIR), Decimal(106)) == [Decimal("0.001"), Decimal("0.03")]
    assert round_legs(terms(*PAIR), Decimal(99)) is None
    assert round_legs(terms(*PAIR), Decimal(0)) is None
