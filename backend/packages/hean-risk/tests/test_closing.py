from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.events.market import Side
from hean.core.events.strategy import Intent, OrderStyle
from hean.core.testing import (
    BTC,
    BTC_SPOT,
    ETH,
    SOL,
    btc_spot,
    eth_perpetual,
    order_request,
    position_opened,
)
from hean.risk.closing import (
    closable,
    exit_side,
    flat_quantity,
    is_flat,
    own_orders,
    plan_cross,
    plan_flat,
    shrinks_net,
)
from hean.risk.exposure import EXTERNAL
from hean.risk.testing import RiskSystem

ETH_LOT = Decimal("0.01")
KEY = ("alpha", ETH)


def holding(*positions: tuple[str, str, str]) -> RiskSystem:
    """Return a system whose strategies hold signed quantities, given as (name, instrument, q)."""
    system = RiskSystem("alpha", "beta")
    for name, instrument, quantity in positions:
        system.take(position_opened(name, quantity=quantity, price="100", instrument=instrument))
    return system


def works(
    system: RiskSystem,
    quantity: str,
    number: int,
    *,
    intent: Intent = Intent.CLOSE,
    style: OrderStyle = OrderStyle.LIMIT_IOC,
    strategy: str = "alpha",
) -> str:
    """Have an order of this intent at work on ETH and return its id."""
    order = order_request(
        strategy,
        Side.SELL,
        number=number,
        intent=intent,
        style=style,
        quantity=quantity,
        price="3500",
        instrument=ETH,
        at=system.now,
    )
    system.take(order)
    return order.client_order_id


def test_a_long_is_closed_by_selling() -> None:
    """The exit side is opposite to the sign of the quantity."""
    assert (exit_side(Decimal("0.1")), exit_side(Decimal("-0.1"))) == (Side.SELL, Side.BUY)


def test_what_an_exit_at_work_covers_is_not_closed_again() -> None:
    """Closable is the position less exits at work in whole lots; one that leaves covers nothing."""
    system = holding(("alpha", ETH, "0.105"))
    exposure, rules = system.risk.exposure, eth_perpetual()
    assert closable(exposure, KEY, rules) == Decimal("0.10")
    first = works(system, "0.04", 1)
    assert closable(exposure, KEY, rules) == Decimal("0.06")
    works(system, "0.08", 2)
    assert closable(exposure, KEY, rules) == 0
    exposure.leave((first,))
    assert closable(exposure, KEY, rules) == Decimal("0.02")
    assert closable(exposure, ("beta", ETH), rules) == 0


def test_a_flat_wish_counts_the_exits_it_cancels_as_open() -> None:
    """What is cancelled with the close is closable again, never more than the position."""
    system = holding(("alpha", ETH, "-0.10"))
    exposure, rules = system.risk.exposure, eth_perpetual()
    first, second = works(system, "0.04", 1), works(system, "0.03", 2)
    assert flat_quantity(exposure, KEY, rules, ()) == Decimal("0.03")
    assert flat_quantity(exposure, KEY, rules, (first,)) == Decimal("0.07")
    assert flat_quantity(exposure, KEY, rules, (first, second)) == Decimal("0.10")
    exposure.leave((first,))
    assert flat_quantity(exposure, KEY, rules, (first, second)) == Decimal("0.10")


def test_a_flat_wish_cancels_entries_and_exits_that_only_rest() -> None:
    """Own entries and post-only exits are cancelled; an exit that takes, or leaves, is not."""
    system = holding(("alpha", ETH, "0.10"))
    entry = works(system, "0.02", 1, intent=Intent.OPEN)
    resting = works(system, "0.03", 2, style=OrderStyle.POST_ONLY)
    works(system, "0.04", 3)
    leaving = works(system, "0.01", 4, intent=Intent.QUOTE)
    works(system, "0.01", 5, intent=Intent.OPEN, strategy="beta")
    system.risk.exposure.leave((leaving,))
    assert own_orders(system.risk.exposure, KEY) == (entry, resting)


def test_reduce_only_is_set_only_where_the_net_shrinks() -> None:
    """When positions oppose, closing the smaller side enlarges the venue's net: no reduce-only."""
    system = holding(("alpha", ETH, "0.10"), ("beta", ETH, "-0.04"))
    exposure, rules = system.risk.exposure, eth_perpetual()
    assert shrinks_net(exposure, rules, Side.SELL, Decimal("0.06"))
    assert not shrinks_net(exposure, rules, Side.SELL, Decimal("0.07"))
    assert not shrinks_net(exposure, rules, Side.BUY, ETH_LOT)
    assert not shrinks_net(exposure, btc_spot(), Side.SELL, Decimal("0.000001"))


def test_the_worst_stress_loss_is_closed_first() -> None:
    """SOL at 45 % of 100 goes before BTC at 30 % of 120; what nobody here opened stays."""
    system = holding(("alpha", BTC, "0.002"), ("alpha", SOL, "-0.5"), (EXTERNAL, ETH, "1"))
    closes = plan_flat(system.risk.exposure, system.view)
    assert [(one.instrument, one.side, one.quantity) for one in closes] == [
        (SOL, Side.BUY, Decimal("0.5")),
        (BTC, Side.SELL, Decimal("0.002")),
    ]


def test_the_net_is_split_over_the_side_that_carries_it_pro_rata() -> None:
    """Longs of 0.09 and 0.03 against a short of 0.04 close 0.06 and 0.02 and leave the short."""
    system = holding(("alpha", ETH, "0.09"), ("beta", ETH, "0.03"), ("gamma", ETH, "-0.04"))
    closes = plan_flat(system.risk.exposure, system.view)
    assert [(one.strategy, one.quantity) for one in closes] == [
        ("alpha", Decimal("0.06")),
        ("beta", Decimal("0.02")),
    ]


SIZES = st.lists(st.integers(-200_000, 200_000).filter(bool), min_size=1, max_size=5)


@settings(max_examples=80, deadline=None)
@given(SIZES, st.integers(0, 5000))
def test_a_plan_never_closes_more_than_the_net(sizes: list[int], covered: int) -> None:
    """Closes shrink the net to less than a lot a strategy, nobody past zero, in venue slices."""
    system = holding(*((f"s{at}", ETH, str(size * ETH_LOT)) for at, size in enumerate(sizes)))
    exposure, view = system.risk.exposure, system.view
    net = sum(sizes) * ETH_LOT
    closes = plan_flat(exposure, view)
    total = sum((one.quantity for one in closes), Decimal(0))
    assert total <= abs(net)
    assert abs(net) - total < len(sizes) * ETH_LOT
    for at, size in enumerate(sizes):
        mine = [one for one in closes if one.strategy == f"s{at}"]
        assert sum((one.quantity for one in mine), Decimal(0)) <= abs(size * ETH_LOT)
        assert [one.slice for one in mine] == list(range(len(mine)))
        assert all(one.side is exit_side(net) for one in mine)
        assert all(ETH_LOT <= one.quantity <= eth_perpetual().max_market_quantity for one in mine)
    if closes:
        first = closes[0]
        worked = min(first.quantity, covered * ETH_LOT)
        if worked:
            works(system, str(worked), 9, strategy=first.strategy)
        again = sum((one.quantity for one in plan_flat(exposure, view)), Decimal(0))
        assert again + worked == total


def test_what_opposes_on_a_flat_net_is_crossed_once_no_exit_works() -> None:
    """Holdings that sum to zero are crossed; while an exit works, or a net is left, none is."""
    system = holding(("alpha", ETH, "0.05"), ("beta", ETH, "-0.05"), ("alpha", SOL, "1"))
    exposure = system.risk.exposure
    assert [(one.strategy, one.instrument) for one in plan_cross(exposure)] == [
        ("alpha", ETH),
        ("beta", ETH),
    ]
    works(system, "0.05", 1)
    assert plan_cross(exposure) == []


def test_only_our_own_positions_keep_the_account_from_being_flat() -> None:
    """EXTERNAL is the operator's to close: without our own positions the account is flat."""
    system = holding((EXTERNAL, BTC, "0.1"))
    assert is_flat(system.risk.exposure)
    system.take(position_opened("alpha", instrument=ETH))
    assert not is_flat(system.risk.exposure)


def test_an_instrument_without_rules_is_not_planned() -> None:
    """A holding whose instrument the venue never described is in no plan, as no lot is known."""
    system = holding(("alpha", BTC_SPOT, "0.1"))
    assert plan_flat(system.risk.exposure, system.view) == []
