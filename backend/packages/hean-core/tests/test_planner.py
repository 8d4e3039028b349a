from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.core.events import OrderStyle, StrategyProfile
from hean.core.instruments import Instrument
from hean.core.planner import (
    Candidate,
    PlanLine,
    PlanTerms,
    Shape,
    Verdict,
    cents_up,
    largest_sets,
    plan_line,
    shape_of,
    stamps_to_pay,
    structures,
)
from hean.core.testing import btc_perpetual, eth_perpetual, perpetual, profile, sol_perpetual, spot

TERMS = PlanTerms(
    risk_of_budget=Decimal("0.025"),
    budget_leverage=Decimal(3),
    trial_trade_risk=Decimal("0.005"),
    max_trade_risk=Decimal("0.01"),
    min_weight=Decimal("0.05"),
    max_weight=Decimal("0.40"),
    deployable=Decimal("0.80"),
    max_instrument=Decimal("0.75"),
    cushion=Decimal("0.20"),
    stop_slippage=Decimal("0.0002"),
)
DOGE = perpetual("DOGE", "0.00001", "1", "1000000", "0.0002")
XRP = perpetual("XRP", "0.0001", "0.1", "1000000", "0.0002")
ETH_SPOT = spot("ETH", "0.01", "0.00001")
PRICES = {
    "BTC": (btc_perpetual(), "100000"),
    "ETH": (eth_perpetual(), "3500"),
    "SOL": (sol_perpetual(), "200"),
    "XRP": (XRP, "2.50"),
    "DOGE": (DOGE, "0.20"),
}
E = Decimal(300)


def taking(stop_bp: float, *, legs: int = 1) -> StrategyProfile:
    """Return a profile that takes liquidity, at 13 bp a round trip."""
    one = profile(stop_bp=stop_bp, legs=legs, directional=legs == 1)
    return replace(one, styles=(OrderStyle.LIMIT_IOC,))


def lines(
    one: StrategyProfile, *coins: str, terms: PlanTerms = TERMS, more: tuple[Instrument, ...] = ()
) -> list[PlanLine]:
    """Return the lines of a profile on coins at the documented prices."""
    rules = {PRICES[coin][0].id: PRICES[coin][0] for coin in coins}
    prices = {PRICES[coin][0].id: Decimal(PRICES[coin][1]) for coin in coins}
    for other in more:
        rules[other.id] = other
        prices[other.id] = Decimal(PRICES[other.base][1])
    one = replace(one, instruments=tuple(PRICES[coin][0].id for coin in coins))
    found = structures(one, rules, prices, terms.stop_slippage)
    return [plan_line(structure, terms) for structure in found]


TABLE = [
    ("BTC", 100, ["33.33", "33.33", "45.20", "85.20", "125.20"]),
    ("ETH", 35, ["11.67", "11.67", "15.82", "29.82", "43.82"]),
    ("SOL", 20, ["6.67", "6.67", "9.04", "17.04", "25.04"]),
    ("XRP", 5, ["1.67", "1.67", "2.26", "4.26", "6.26"]),
    ("DOGE", 5, ["1.67", "1.67", "2.26", "4.26", "6.26"]),
]
STOPS = [15.0, 30.0, 100.0, 200.0, 300.0]


@pytest.mark.parametrize(("coin", "smallest", "budgets"), TABLE)
def test_the_documented_table(coin: str, smallest: int, budgets: list[str]) -> None:
    """Every B_min of the table at 300 USDT comes out to the cent."""
    for stop, expected in zip(STOPS, budgets, strict=True):
        (line,) = lines(taking(stop), coin)
        assert line.structure.smallest == smallest
        assert line.minimum_budget.quantize(Decimal("0.01")) == Decimal(expected)
        assert line.needed_budget == line.minimum_budget


@pytest.mark.parametrize(
    ("coin", "stop", "verdict", "limit"),
    [
        ("BTC", 15.0, Verdict.UNPAYABLE, "cost"),
        ("ETH", 30.0, Verdict.COSTLY, "cost"),
        ("BTC", 100.0, Verdict.OK, ""),
        ("BTC", 200.0, Verdict.FULL_ONLY, "trade_risk"),
        ("BTC", 300.0, Verdict.NO, "trade_risk"),
        ("ETH", 300.0, Verdict.OK, ""),
        ("DOGE", 300.0, Verdict.OK, ""),
    ],
)
def test_the_documented_verdicts(coin: str, stop: float, verdict: Verdict, limit: str) -> None:
    """The verdicts of the table at 300 USDT, each with the limit that decides."""
    (line,) = lines(taking(stop), coin)
    assert line.verdict(E) == (verdict, limit)


@pytest.mark.parametrize(
    ("stop", "share"),
    [(15.0, "0.87"), (30.0, "0.43"), (100.0, "0.13"), (200.0, "0.065"), (300.0, "0.043")],
)
def test_the_share_that_costs_take_of_the_stop(stop: float, share: str) -> None:
    """13 bp take 0.87 of a 15 bp stop and 0.043 of a 3 % stop."""
    (line,) = lines(taking(stop), "BTC")
    assert line.cost_share.quantize(Decimal(share)) == Decimal(share)


def test_a_cheaper_lot_opens_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """BTC at 65,000 with a 2 % stop puts 1.38 at risk, needs 55.38 and is open in TRIAL."""
    monkeypatch.setitem(PRICES, "BTC", (btc_perpetual(), "65000"))
    (line,) = lines(taking(200.0), "BTC")
    assert line.structure.loss == Decimal("1.3845")
    assert line.minimum_budget == Decimal("55.38")
    assert line.verdict(E)[0] is Verdict.OK


def test_a_lot_the_venue_changes_changes_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a lot of 0.0001 the 2 % stop on BTC needs a tenth."""
    finer = replace(btc_perpetual(), lot_step=Decimal("0.0001"), min_quantity=Decimal("0.0001"))
    monkeypatch.setitem(PRICES, "BTC", (finer, "100000"))
    (line,) = lines(taking(200.0), "BTC")
    assert line.minimum_budget == Decimal("8.52")
    assert line.verdict(E)[0] is Verdict.OK


def test_drawdown_doubles_what_risk_needs() -> None:
    """In SOFT_BRAKE, m = 0.5, ETH at a 2 % stop needs 59.64; at m = 0 nothing is open."""
    (line,) = lines(taking(200.0), "ETH", terms=replace(TERMS, multiplier=Decimal("0.5")))
    assert line.minimum_budget == Decimal("59.64")
    (closed,) = lines(taking(200.0), "ETH", terms=replace(TERMS, multiplier=Decimal(0)))
    assert closed.verdict(Decimal(10**9))[0] is Verdict.NO


def test_who_fits_into_eight_and_eleven_budgets() -> None:
    """Eight budgets of 30 carry every 2 % stop but BTC's, eleven of 21.82 SOL, XRP and DOGE."""
    needed = {coin: lines(taking(200.0), coin)[0].minimum_budget for coin in PRICES}
    assert [coin for coin in needed if needed[coin] <= 30] == ["ETH", "SOL", "XRP", "DOGE"]
    assert [coin for coin in needed if needed[coin] <= Decimal("21.82")] == ["SOL", "XRP", "DOGE"]


def test_a_pair_needs_matching_lots() -> None:
    """One lot of BTC, 100, is matched by 0.03 ETH, 105: B_min 205/3, and the sizer asks for 70."""
    (line,) = lines(taking(60.0, legs=2), "BTC", "ETH")
    assert line.structure.shape is Shape.PAIR
    assert [leg.value for leg in line.structure.legs] == [100, 105]
    assert line.minimum_budget.quantize(Decimal("0.1")) == Decimal("68.3")
    assert (line.needed_budget, line.set_by) == (70, "lot")


def test_a_ladder_is_unlevered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten rungs need 50 on DOGE and 200 on SOL, which is more than 40 % of 300."""
    ladder = replace(profile(stop_bp=100.0, legs=10), styles=(OrderStyle.POST_ONLY,))
    doge, sol = lines(ladder, "DOGE", "SOL")
    assert (doge.structure.shape, doge.minimum_budget, doge.set_by) == (Shape.RUNGS, 50, "rungs")
    assert (sol.minimum_budget, sol.verdict(E)) == (200, (Verdict.NO, "max_weight"))


def test_hedged_carry_pays_spot_in_full() -> None:
    """Funding on ETH binds 35 of spot and a third of 35 as margin, and pays in 24 to 31 stamps."""
    carry = profile(stop_bp=55.0, legs=2, carry=True)
    (line,) = lines(carry, "ETH", more=(ETH_SPOT,))
    assert line.structure.shape is Shape.HEDGED
    assert line.minimum_budget.quantize(Decimal("0.1")) == Decimal("46.7")
    rate = Decimal("0.0001")
    stamps = [stamps_to_pay(line.structure, rate, maker=maker) for maker in (True, False)]
    assert stamps == [24, 31]
    (alone,) = lines(carry, "ETH")
    assert alone.structure.shape is Shape.SINGLE


def test_shapes_follow_the_profile() -> None:
    """One leg is single, post-only legs are rungs, carry is hedged, other legs are a pair."""
    assert shape_of(taking(50.0)) is Shape.SINGLE
    assert shape_of(replace(profile(legs=6), styles=(OrderStyle.POST_ONLY,))) is Shape.RUNGS
    assert shape_of(profile(legs=2, carry=True)) is Shape.HEDGED
    assert shape_of(taking(50.0, legs=2)) is Shape.PAIR


def test_hysteresis_keeps_a_day_at_the_threshold_calm() -> None:
    """A line opens at 1.2 times B_min under the weight cap and stays open down to B_min."""
    ladder = replace(profile(stop_bp=100.0, legs=10), styles=(OrderStyle.POST_ONLY,))
    (line,) = lines(ladder, "SOL")
    assert (line.closes_at, line.opens_at) == (Decimal(500), Decimal(600))
    assert not line.is_open(Decimal(550), was_open=False)
    assert line.is_open(Decimal(550), was_open=True)
    assert line.is_open(Decimal(600), was_open=False)
    assert not line.is_open(Decimal("499.99"), was_open=True)


RANK = {Verdict.NO: 0, Verdict.FULL_ONLY: 1, Verdict.COSTLY: 2, Verdict.OK: 2}


@settings(max_examples=300, deadline=None)
@given(
    coin=st.sampled_from(sorted(PRICES)),
    stop=st.floats(5.0, 1000.0),
    legs=st.integers(1, 10),
    styles=st.sampled_from([(OrderStyle.POST_ONLY,), (OrderStyle.LIMIT_IOC,)]),
    one=st.decimals(1, 100_000, places=2),
    other=st.decimals(1, 100_000, places=2),
)
def test_more_capital_never_closes_a_line(
    coin: str, stop: float, legs: int, styles: tuple[OrderStyle, ...], one: Decimal, other: Decimal
) -> None:
    """Verdicts and what is open are monotone in capital, and the two thresholds are in order."""
    wanted = replace(profile(stop_bp=stop, legs=legs), styles=styles)
    low, high = sorted((one, other))
    for line in lines(wanted, coin, "ETH" if coin != "ETH" else "SOL"):
        worse, better = line.verdict(low)[0], line.verdict(high)[0]
        if line.payable:
            assert RANK[worse] <= RANK[better]
        else:
            assert worse is better is Verdict.UNPAYABLE
        assert line.closes_at <= line.opens_at
        assert line.is_open(high, was_open=False) >= line.is_open(low, was_open=False)
        assert line.is_open(low, was_open=True) >= line.is_open(low, was_open=False)
        if line.payable:
            assert line.verdict(line.opens_at)[0] in (Verdict.OK, Verdict.COSTLY)


@settings(max_examples=100, deadline=None)
@given(
    needs=st.lists(st.integers(1, 120), min_size=1, max_size=8),
    clusters=st.lists(st.sampled_from(["", "a", "b"]), min_size=8, max_size=8),
)
def test_the_largest_sets_fit_and_none_is_larger(needs: list[int], clusters: list[str]) -> None:
    """Every set offered fits with its clusters, and no other set of candidates has more members."""
    candidates = [
        Candidate(strategy=f"s{place}", needed=Decimal(need), cluster=clusters[place])
        for place, need in enumerate(needs)
    ]
    caps = {"a": Decimal(120), "b": Decimal(120)}
    found = largest_sets(candidates, most=8, total=Decimal(240), cluster_caps=caps)
    largest = 0
    for mask in range(1, 1 << len(candidates)):
        chosen = [one for place, one in enumerate(candidates) if mask >> place & 1]
        spent: dict[str, int] = {"": 0, "a": 0, "b": 0}
        for one in chosen:
            spent[one.cluster] += int(one.needed)
        if sum(spent.values()) <= 240 and max(spent["a"], spent["b"]) <= 120:
            largest = max(largest, len(chosen))
    assert {len(one) for one in found} == ({largest} if largest else set())


def test_cents_round_up() -> None:
    """An amount is rounded up to the cent, never down."""
    assert cents_up(Decimal("68.3333")) == Decimal("68.34")
    assert cents_up(Decimal("85.20")) == Decimal("85.20")
