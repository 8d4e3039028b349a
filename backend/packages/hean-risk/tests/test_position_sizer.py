from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.config import HEANSettings
from hean.core.events.market import Side
from hean.core.events.strategy import OrderStyle
from hean.core.instruments import Instrument, minimum_viable_budget
from hean.core.testing import BTC, btc_perpetual, eth_perpetual, perpetual, sol_perpetual
from hean.risk import Entry, Factors, GroupRules, Place, PositionSizer, RiskSettings, Room

SIZER = PositionSizer(settings=HEANSettings(), section=RiskSettings())
KELLY = PositionSizer(settings=HEANSettings(), section=RiskSettings(kelly_enabled=True))
COST = Decimal("0.0013")
FULL = Factors(regime=1.0, confidence=1.0)
PLENTY = Decimal(10**9)
DOGE = perpetual("DOGE", "0.00001", "1", "1000000", "0.0002")


class Open:
    """Tail limits that let everything through."""

    def share(
        self, entries: Sequence[Entry], notionals: Sequence[Decimal], *, is_hedge: bool = False
    ) -> tuple[float, str]:
        """Return the whole."""
        return 1.0, ""


class Half:
    """Tail limits that let half through."""

    def share(
        self, entries: Sequence[Entry], notionals: Sequence[Decimal], *, is_hedge: bool = False
    ) -> tuple[float, str]:
        """Return half, for stress."""
        return 0.5, "stress"


def room(budget: str, *, equity: str = "300", tier: str = "0.01") -> Room:
    """Return a room with nothing used."""
    money = Decimal(equity)
    return Room(
        equity=money,
        budget=Decimal(budget),
        multiplier=Decimal(1),
        trade_risk=money * Decimal(tier),
        notional_used=Decimal(0),
        bound_used=Decimal(0),
        risk_used=Decimal(0),
        open_risk_left=money * Decimal("0.05"),
        cluster_risk_left=money * Decimal("0.05"),
        gross_left=money * 2,
        available=money,
        balance=money,
        smallest_only=False,
        tails=Open(),
    )


def place(left: str = "225") -> Place:
    """Return an instrument with nothing used."""
    return Place(
        left=Decimal(left),
        margin_rate=Decimal("0.335"),
        maintenance_rate=Decimal("0.005"),
        depth=None,
        venue_max=PLENTY,
    )


def entry(
    instrument: Instrument, price: str, stop: str, *, side: Side = Side.BUY, scale: float = 1.0
) -> Entry:
    """Return a long whose stop is a fraction below."""
    at = Decimal(price)
    distance = at * Decimal(stop)
    return Entry(
        instrument=instrument,
        side=side,
        style=OrderStyle.LIMIT_IOC,
        price=at,
        stop=at - distance if side is Side.BUY else at + distance,
        scale=scale,
        cost=COST,
        weight=Decimal(1),
    )


def test_a_small_budget_says_what_would_have_sufficed() -> None:
    """F5: 15 USDT risk 0.375, afford 0.000176 BTC, and the sentence names 85.20."""
    found = SIZER.size(entry(btc_perpetual(), "100000", "0.02"), room("15"), place(), FULL)
    assert (found.quantity, found.cap) == (0, "min_quantity")
    assert round(found.affordable, 6) == Decimal("0.000176")
    assert found.sentence == "needs 85.20"


@pytest.mark.parametrize(
    ("instrument", "price", "quantity"),
    [
        (eth_perpetual(), "3500", "0.01"),
        (sol_perpetual(), "200", "0.1"),
        (DOGE, "0.20", "176"),
    ],
)
def test_a_budget_of_thirty_trades_small_lots(
    instrument: Instrument, price: str, quantity: str
) -> None:
    """F6: 30 USDT at a 2 % stop buy 0.01 ETH, 0.1 SOL or 176 DOGE."""
    found = SIZER.size(entry(instrument, price, "0.02"), room("30"), place(), FULL)
    assert found.quantity == Decimal(quantity)
    assert found.risk <= Decimal("0.75")


def test_the_budget_cap_is_named_when_it_decides() -> None:
    """F7: at a 0.3 % stop R allows 0.0017 BTC, the budget 0.0009, so nothing."""
    found = SIZER.size(entry(btc_perpetual(), "100000", "0.003"), room("30"), place(), FULL)
    assert (found.quantity, found.cap) == (0, "budget")
    assert found.affordable == Decimal("0.0009")


TABLE = [
    (btc_perpetual(), "100000", ("33.3", "33.3", "45.2", "85.2", "")),
    (eth_perpetual(), "3500", ("11.7", "11.7", "15.8", "29.8", "43.8")),
    (sol_perpetual(), "200", ("6.7", "6.7", "9.0", "17.0", "25.0")),
    (DOGE, "0.20", ("1.7", "1.7", "2.3", "4.3", "6.3")),
]
STOPS = ("0.0015", "0.003", "0.01", "0.02", "0.03")


@pytest.mark.parametrize(("instrument", "price", "row"), TABLE)
def test_the_planner_table_and_the_sizer_agree(
    instrument: Instrument, price: str, row: tuple[str, ...]
) -> None:
    """H1: each printed smallest budget trades exactly the smallest quantity; a cent less, none."""
    for stop, printed in zip(STOPS, row, strict=True):
        needed = minimum_viable_budget(
            instrument,
            Decimal(price),
            stop_fraction=Decimal(stop),
            cost_fraction=COST,
            risk_of_budget=Decimal("0.025"),
            budget_leverage=Decimal(3),
        )
        wanted = entry(instrument, price, stop)
        if not printed:
            none = SIZER.size(wanted, room("120"), place(), FULL)
            assert none.quantity == 0
            continue
        assert abs(needed - Decimal(printed)) <= Decimal("0.05")
        exact = needed + Decimal("0.000001")
        enough = SIZER.size(wanted, room(str(exact)), place(), FULL)
        assert enough.quantity == instrument.smallest_quantity(Decimal(price))
        short = needed - Decimal("0.01")
        less = SIZER.size(wanted, room(str(short)), place(), FULL)
        assert less.quantity == 0


MONEY = st.decimals("0.01", "5000", places=2)
FRACTION = st.decimals("0.0005", "0.3", places=4)


@settings(max_examples=150, deadline=None)
@given(MONEY, MONEY, FRACTION, st.floats(0.01, 1.2), st.floats(0.01, 1.0), st.booleans())
def test_a_size_is_zero_or_keeps_every_promise(
    budget: Decimal, equity: Decimal, stop: Decimal, scale: float, confidence: float, short: bool
) -> None:
    """F2: q is 0, or a multiple of the step, above the minimum, with R within the allowed."""
    side = Side.SELL if short else Side.BUY
    wanted = entry(sol_perpetual(), "200", str(stop), side=side, scale=scale)
    left = room(str(budget), equity=str(equity))
    found = SIZER.size(wanted, left, place("100000"), Factors(regime=1.0, confidence=confidence))
    if not found.quantity:
        assert found.cap
        return
    assert found.quantity % Decimal("0.1") == 0
    assert found.quantity * 200 >= 5
    assert found.risk <= min(Decimal("0.0301") * budget, left.trade_risk, left.open_risk_left)
    assert found.quantity * 200 <= 3 * budget


@settings(max_examples=80, deadline=None)
@given(
    FRACTION,
    FRACTION,
    st.sampled_from(["stop", "cost", "drawdown", "open_risk", "lot", "budget", "equity",
                     "confidence", "available"]),
)  # fmt: skip
def test_size_never_rises_with_worse_terms(one: Decimal, other: Decimal, term: str) -> None:
    """F1: more stop, cost, dd, open risk or lot, or less B, E, confidence, margin: q falls."""
    low, high = sorted((one, other))
    assume(low != high)

    def size(bad: Decimal) -> Decimal:
        wanted = entry(sol_perpetual(), "200", "0.02")
        left, here, factors = room("120"), place(), FULL
        good = 1 - 3 * bad
        match term:
            case "stop":
                wanted = entry(sol_perpetual(), "200", str(bad))
            case "cost":
                wanted = replace(wanted, cost=bad)
            case "drawdown":
                left = replace(left, multiplier=good)
            case "open_risk":
                left = replace(left, open_risk_left=left.open_risk_left * good)
            case "lot":
                step = Decimal("0.1") if bad == low else Decimal("0.2")
                rules = replace(sol_perpetual(), lot_step=step, min_quantity=step)
                wanted = replace(wanted, instrument=rules)
            case "budget":
                left = replace(left, budget=left.budget * good)
            case "equity":
                left = room("120", equity=str(300 * good))
            case "confidence":
                factors = Factors(regime=1.0, confidence=float(good))
            case _:
                left = replace(left, available=left.available * good)
        return SIZER.size(wanted, left, here, factors).quantity

    assert size(high) <= size(low)


@pytest.mark.parametrize(
    ("name", "wanted", "left", "factors"),
    [
        ("scale", {"scale": 0.0}, {}, FULL),
        ("regime", {}, {}, Factors(regime=0.0, confidence=1.0)),
        ("confidence", {}, {}, Factors(regime=1.0, confidence=0.0)),
        ("drawdown", {}, {"multiplier": Decimal(0)}, FULL),
        ("budget", {}, {"budget": Decimal(0)}, FULL),
        ("equity", {}, {"equity": Decimal(0)}, FULL),
        ("strategy_risk", {}, {"risk_used": Decimal(100)}, FULL),
        ("open_risk", {}, {"open_risk_left": Decimal(-1)}, FULL),
        ("cluster_risk", {}, {"cluster_risk_left": Decimal(0)}, FULL),
        ("gross", {}, {"gross_left": Decimal(3)}, FULL),
        ("margin", {}, {"available": Decimal(0)}, FULL),
        ("trade_risk", {}, {"trade_risk": Decimal("0.01")}, FULL),
        ("liquidation", {}, {"balance": Decimal("0.2")}, FULL),
    ],
)
def test_every_zero_has_a_name(
    name: str, wanted: dict[str, float], left: dict[str, Decimal], factors: Factors
) -> None:
    """F3: whatever is zero or used up gives zero under its own name, and nothing lifts it."""
    order = replace(entry(sol_perpetual(), "200", "0.02"), **wanted)
    found = SIZER.size(order, replace(room("120"), **left), place(), factors)
    assert (found.quantity, found.cap) == (0, name)


@pytest.mark.parametrize("stop", [None, Decimal("-1"), Decimal(0), Decimal(200), Decimal(201)])
def test_a_missing_or_crossed_stop_is_refused(stop: Decimal | None) -> None:
    """F4: without a stop on the losing side there is no size."""
    wanted = replace(entry(sol_perpetual(), "200", "0.02"), stop=stop)
    assert SIZER.size(wanted, room("120"), place(), FULL).cap == "no_stop"


def test_instrument_depth_venue_and_stress_caps_have_names() -> None:
    """The caps of the place and of the tail limits are named when they decide."""
    wanted = entry(sol_perpetual(), "200", "0.02")
    left = room("120")
    assert SIZER.size(wanted, left, place("3"), FULL).cap == "instrument"
    thin = replace(place(), depth=Decimal(1))
    assert SIZER.size(wanted, left, thin, FULL).cap == "depth"
    small = replace(place(), venue_max=Decimal("0.3"))
    found = SIZER.size(wanted, left, small, FULL)
    assert (found.quantity, found.cap) == (Decimal("0.3"), "venue_max")
    half = SIZER.size(wanted, replace(left, tails=Half()), place(), FULL)
    assert half.cap == "stress"
    assert 0 < half.quantity < SIZER.size(wanted, left, place(), FULL).quantity


def test_probing_takes_the_smallest_quantity_or_nothing() -> None:
    """A probing strategy gets the minimum, and zero where even its loss does not fit."""
    wanted = entry(sol_perpetual(), "200", "0.02")
    small = replace(room("120"), smallest_only=True)
    assert SIZER.size(wanted, small, place(), FULL).quantity == Decimal("0.1")
    poor = replace(room("5"), smallest_only=True)
    assert SIZER.size(wanted, poor, place(), FULL).cap == "min_quantity"


def test_kelly_only_lowers_the_risk() -> None:
    """A known edge never raises R, a doubtful one lowers it, none at all gives zero."""
    wanted, left = entry(sol_perpetual(), "200", "0.02"), room("120")
    plain = SIZER.size(wanted, left, place(), FULL).quantity
    sure = Factors(regime=1.0, confidence=1.0, probability=0.9, payoff=3.0)
    assert KELLY.size(wanted, left, place(), sure).quantity == plain
    doubtful = Factors(regime=1.0, confidence=1.0, probability=0.55, payoff=1.0, error=0.2)
    assert KELLY.size(wanted, left, place(), doubtful).quantity < plain
    none = Factors(regime=1.0, confidence=1.0, probability=0.4, payoff=1.0)
    assert KELLY.size(wanted, left, place(), none).cap == "kelly"


def pair(scale: float = 1.0) -> tuple[Entry, Entry]:
    """Return a long BTC and a short ETH leg."""
    first = entry(btc_perpetual(), "100000", "0.02")
    second = entry(eth_perpetual(), "3500", "0.02", side=Side.SELL, scale=scale)
    return first, second


def test_a_pair_is_sized_by_its_group_stop() -> None:
    """A 1:1 pair at 105 each is 0.001 BTC against 0.03 ETH, a residual of 5 %."""
    rules = GroupRules(stop=Decimal("0.01"))
    found = SIZER.size_group(pair(), room("105"), (place(), place()), FULL, rules)
    assert [one.quantity for one in found] == [Decimal("0.001"), Decimal("0.03")]
    assert sum((one.risk for one in found), Decimal(0)) <= Decimal("2.625")


def test_a_lopsided_pair_is_refused() -> None:
    """Where rounding leaves more than a tenth unhedged the group is refused as one."""
    rules = GroupRules(stop=Decimal("0.01"))
    left = replace(room("120"), gross_left=Decimal(202))
    (found,) = SIZER.size_group(pair(), left, (place(), place()), FULL, rules)
    assert (found.quantity, found.cap) == (0, "group")
    assert found.affordable < found.smallest
    assert BTC in found.sentence


def test_a_refused_pair_names_the_leg_that_comes_least_far() -> None:
    """The numbers of a refused group are of the leg that decided, whatever its place in it."""
    rules = GroupRules(stop=Decimal("0.01"))
    (found,) = SIZER.size_group(pair()[::-1], room("40"), (place(), place()), FULL, rules)
    assert found.quantity == 0
    assert found.smallest == Decimal("0.001")
    assert found.affordable < found.smallest
    assert BTC in found.sentence


def test_quotes_fit_the_budget_without_leverage() -> None:
    """Ten rungs share the budget: 50 USDT carry ten DOGE rungs of 5, a dollar less none."""
    rungs = [replace(entry(DOGE, "0.20", "0.02"), style=OrderStyle.POST_ONLY) for _ in range(10)]
    rules = GroupRules(is_quotes=True)
    places = [place("1000")] * 10
    left = room("50", equity="3000")
    found = SIZER.size_group(rungs, left, places, FULL, rules)
    assert [one.quantity for one in found] == [Decimal(25)] * 10
    (none,) = SIZER.size_group(rungs, room("49", equity="3000"), places, FULL, rules)
    assert (none.quantity, none.cap) == (0, "budget")


def test_a_scale_of_a_half_halves_quotes() -> None:
    """Quotes that keep room for those to follow: half the scale is half the size."""
    rungs = [replace(entry(DOGE, "0.20", "0.02"), style=OrderStyle.POST_ONLY) for _ in range(4)]
    rules, places, left = GroupRules(is_quotes=True), [place("1000")] * 4, room("50", equity="3000")
    whole = SIZER.size_group(rungs, left, places, FULL, rules)
    halved = [replace(one, scale=0.5) for one in rungs]
    half = SIZER.size_group(halved, left, places, FULL, rules)
    assert [one.quantity for one in whole] == [Decimal(62)] * 4
    assert [one.quantity for one in half] == [Decimal(31)] * 4


def test_a_group_without_any_stop_is_refused() -> None:
    """Neither a group stop nor stops of the legs: no stop."""
    legs = [replace(one, stop=None) for one in pair()]
    (found,) = SIZER.size_group(legs, room("120"), (place(), place()), FULL, GroupRules())
    assert found.cap == "no_stop"
