from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.app.planning import (
    cushion_needed,
    make_plan,
    market_of,
    parse_factors,
    parse_prices,
    parse_share,
    simulated_market,
    terms_of,
)
from hean.app.testing import make_bar_dataset, settings_with, write_instruments
from hean.core.errors import DataError, SettingsError
from hean.core.events import OrderStyle, Side
from hean.core.instruments import Instrument
from hean.core.planner import (
    PlanLine,
    PlanTerms,
    Shape,
    Verdict,
    cents_up,
    plan_line,
    structures,
)
from hean.core.testing import (
    btc_perpetual,
    btc_spot,
    eth_perpetual,
    eth_spot,
    perpetual,
    profile,
    sol_perpetual,
)
from hean.risk import Entry, Factors, GroupRules, Place, PositionSizer, Room

SETTINGS = settings_with()
SIZER = PositionSizer(settings=SETTINGS, section=SETTINGS.risk)
DOGE = perpetual("DOGE", "0.00001", "1", "1000000", "0.0002")
RULES: tuple[Instrument, ...] = (
    btc_perpetual(),
    eth_perpetual(),
    sol_perpetual(),
    DOGE,
    btc_spot(),
    eth_spot(),
)


class Open:
    """Tail limits that let everything through."""

    def share(
        self, entries: Sequence[Entry], notionals: Sequence[Decimal], *, is_hedge: bool = False
    ) -> tuple[float, str]:
        """Return the whole."""
        return 1.0, ""


def room(terms: PlanTerms, budget: Decimal, equity: Decimal, tier: Decimal) -> Room:
    """Return an account with nothing in use."""
    return Room(
        equity=equity,
        budget=budget,
        multiplier=terms.multiplier,
        trade_risk=tier * equity,
        notional_used=Decimal(0),
        bound_used=Decimal(0),
        risk_used=Decimal(0),
        open_risk_left=equity * terms.multiplier / 20,
        cluster_risk_left=equity * terms.multiplier / 40,
        gross_left=2 * equity,
        available=equity,
        balance=equity,
        smallest_only=False,
        tails=Open(),
    )


def sized(
    line: PlanLine, terms: PlanTerms, budget: Decimal, equity: Decimal, tier: Decimal
) -> list[Decimal]:
    """Return the quantities that the sizer gives the line with a budget, all legs or one zero."""
    structure = line.structure
    entries: list[Entry] = []
    places: list[Place] = []
    for place, leg in enumerate(structure.legs):
        for rung in range(leg.count):
            odd = rung % 2 if structure.shape is Shape.RUNGS else place % 2
            side = Side.SELL if odd else Side.BUY
            sign = 1 if odd else -1
            entries.append(
                Entry(
                    instrument=leg.instrument,
                    side=side,
                    style=OrderStyle.LIMIT_IOC,
                    price=leg.price,
                    stop=leg.price * (1 + sign * structure.stop),
                    scale=1.0,
                    cost=leg.cost,
                    weight=terms.budget_leverage if leg.instrument.is_spot else Decimal(1),
                )
            )
            places.append(
                Place(
                    left=terms.max_instrument * equity,
                    margin_rate=Decimal("1.002") if leg.instrument.is_spot else Decimal("0.335"),
                    maintenance_rate=Decimal(0),
                    depth=None,
                    venue_max=Decimal(10**9),
                )
            )
    left = room(terms, budget, equity, tier)
    factors = Factors(regime=float(terms.size_factor), confidence=1.0)
    if len(entries) == 1:
        return [SIZER.size(entries[0], left, places[0], factors).quantity]
    is_quotes = structure.shape is Shape.RUNGS
    rules = GroupRules(stop=structure.stop, is_quotes=is_quotes)
    found = SIZER.size_group(entries, left, places, factors, rules)
    return [one.quantity for one in found]


@settings(max_examples=600, deadline=None)
@given(
    first=st.integers(0, 3),
    second=st.integers(0, 3),
    price=st.decimals("0.05", "200000", places=2),
    other=st.decimals("0.05", "200000", places=2),
    stop=st.floats(2.0, 900.0),
    shape=st.sampled_from(["single", "pair", "rungs", "hedged"]),
    legs=st.integers(2, 10),
    equity=st.decimals(1, 20_000, places=2),
    drawdown=st.sampled_from(["0", "0", "0.05", "0.13"]),
    factor=st.sampled_from(["1", "1", "0.35", "0.7", "1.2"]),
)
def test_the_sizer_agrees_with_every_verdict(
    first: int,
    second: int,
    price: Decimal,
    other: Decimal,
    stop: float,
    shape: str,
    legs: int,
    equity: Decimal,
    drawdown: str,
    factor: str,
) -> None:
    """H1: an OK line trades on its budget in TRIAL, a FULL_ONLY one only in FULL, a NO nowhere."""
    terms = replace(terms_of(SETTINGS, Decimal(drawdown)), size_factor=Decimal(factor))
    names = (RULES[first].id,)
    one = profile(stop_bp=stop, legs=1)
    if shape == "pair":
        assume(first != second)
        names = (RULES[first].id, RULES[second].id)
        one = profile(stop_bp=stop, legs=2)
    elif shape == "rungs":
        one = replace(profile(stop_bp=stop, legs=legs), styles=(OrderStyle.POST_ONLY,))
    elif shape == "hedged":
        one = profile(stop_bp=stop, legs=2, carry=True)
    prices = {RULES[second].id: other, RULES[first].id: price}
    for rules in RULES[4:]:
        prices[rules.id] = price
    known = {rules.id: rules for rules in RULES}
    wanted = replace(one, instruments=names)
    for structure in structures(wanted, known, prices, terms.stop_slippage):
        line = plan_line(structure, terms)
        verdict, limit = line.verdict(equity)
        budget = cents_up(line.needed_budget)
        most = terms.max_weight * equity
        tiers = terms.trial_trade_risk, terms.max_trade_risk
        if verdict in (Verdict.OK, Verdict.COSTLY):
            assert all(sized(line, terms, budget, equity, tiers[0])), line
        elif verdict is Verdict.FULL_ONLY:
            assert not any(sized(line, terms, most, equity, tiers[0])), line
            assert all(sized(line, terms, budget, equity, tiers[1])), line
        elif shape in ("single", "rungs"):
            assert not any(sized(line, terms, most, equity, tiers[1])), (line, limit)


def documented() -> dict[str, Decimal]:
    """Return the prices of the documented example."""
    return parse_prices(["BTC=100000", "ETH=3500", "SOL=200"])


def test_the_plan_of_three_hundred_adds_up() -> None:
    """At 300 USDT 240 are deployable; the shares fit, each at least what it needs, twins capped."""
    market = simulated_market(SETTINGS, ["BTC=100000", "ETH=3500", "SOL=200"])
    plan = make_plan(SETTINGS, market)
    spent = Decimal(0)
    for share in plan.shares:
        spent += share.budget
        assert share.needed <= share.budget <= 120
        assert share.needed >= max(Decimal(15), share.line.needed_budget)
        assert plan.verdict(share.line)[0] in (Verdict.OK, Verdict.COSTLY)
    assert 0 < spent <= 240
    assert market.prices["BTCUSDT-SPOT.BYBIT"] == 100_000
    trend = ("impulse_engine", "momentum_trader")
    twins = [one.budget for one in plan.shares if one.strategy in trend]
    assert twins[0] + twins[1] <= 120
    assert len(plan.shares) == len(plan.sets[0])


def test_more_capital_opens_more_and_drawdown_less() -> None:
    """The largest set never shrinks with capital, and a drawdown never opens a line."""
    sizes: list[int] = []
    for capital in ("20", "100", "300", "1000", "10000"):
        loaded = settings_with(INITIAL_CAPITAL=capital)
        plan = make_plan(loaded, simulated_market(loaded, []))
        sizes.append(len(plan.shares))
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    market = simulated_market(SETTINGS, [])
    calm = make_plan(SETTINGS, market)
    down = make_plan(SETTINGS, market, drawdown=Decimal("0.1"))
    assert down.multiplier == Decimal("0.5")
    for before, after in zip(calm.lines, down.lines, strict=True):
        assert after.needed_budget >= before.needed_budget
        assert after.opens_at >= before.opens_at


def test_the_recommended_set_has_the_fewest_costly_lines() -> None:
    """Of the largest sets none has fewer lines whose costs eat over 15 % of their stop."""
    loaded = settings_with(INITIAL_CAPITAL="1000")
    plan = make_plan(loaded, simulated_market(loaded, []))
    cheapest: dict[str, PlanLine] = {}
    for line in plan.lines:
        if plan.verdict(line)[0] in (Verdict.OK, Verdict.COSTLY):
            known = cheapest.setdefault(line.strategy, line)
            if line.needed_budget < known.needed_budget:
                cheapest[line.strategy] = line

    def costly(names: Sequence[str]) -> int:
        return [plan.verdict(cheapest[name])[0] for name in names].count(Verdict.COSTLY)

    fewest = min(costly([one.strategy for one in chosen]) for chosen in plan.sets)
    assert costly([one.strategy for one in plan.shares]) == fewest
    assert fewest < max(costly([one.strategy for one in chosen]) for chosen in plan.sets)


def test_measured_size_factors_raise_what_risk_needs() -> None:
    """At k = 0.5 a budget set by the stop doubles, one set by the lot stays, others are k = 1."""
    market = simulated_market(SETTINGS, [])
    factors = parse_factors({"momentum_trader": 0.5, "hf_scalping": 0.5, "enhanced_grid": 1.0})
    assert set(factors) == {"momentum_trader", "hf_scalping"}
    plain, measured = make_plan(SETTINGS, market), make_plan(SETTINGS, market, factors=factors)
    seen: set[str] = set()
    for before, after in zip(plain.lines, measured.lines, strict=True):
        seen.add(before.strategy)
        if before.strategy == "momentum_trader":
            assert before.set_by == "risk"
            assert after.needed_budget == 2 * before.needed_budget
        else:
            assert after.needed_budget == before.needed_budget
    assert {"momentum_trader", "hf_scalping", "enhanced_grid"} <= seen
    with pytest.raises(DataError, match="size factor -1 of x is no number from 0 up"):
        parse_factors({"x": -1})


def test_a_plan_needs_the_prices_of_its_instruments(tmp_path: Path) -> None:
    """An instruments file without a price is refused by name, and planned with prices given."""
    path = tmp_path / "instruments.json"
    write_instruments(path, [btc_perpetual(), eth_perpetual(), eth_spot()])
    with pytest.raises(SettingsError, match="no price of ETH; add --price ETH=<USDT>"):
        market_of(path, ["BTC=100000"])
    plan = make_plan(SETTINGS, market_of(path, ["BTC=100000", "ETH=3500"]))
    ether = [one for one in plan.lines if one.strategy == "funding_harvester"]
    hedged = [one for one in ether if one.structure.shape is Shape.HEDGED]
    assert round(hedged[0].minimum_budget, 1) == Decimal("46.7")
    pair = [one for one in plan.lines if one.strategy == "correlation_arb"]
    assert round(pair[0].minimum_budget, 1) == Decimal("68.3")
    with pytest.raises(DataError):
        market_of(tmp_path / "absent.json", [])


def test_a_dataset_gives_its_last_prices(tmp_path: Path) -> None:
    """A dataset's last bars are the prices, and strategies it cannot carry are idle by name."""
    dataset = make_bar_dataset(tmp_path, days=2, spot=True)
    market = market_of(dataset, [])
    assert set(market.prices) == {one.id for one in market.description.instruments}
    plan = make_plan(SETTINGS, market)
    assert "needs trades" in plan.idle["hf_scalping"]
    given = market_of(dataset, ["BTC=100000"])
    assert given.prices["BTCUSDT-PERP.BYBIT"] == 100_000
    assert given.prices["ETHUSDT-PERP.BYBIT"] == market.prices["ETHUSDT-PERP.BYBIT"]


def test_the_cushion_is_that_of_the_worst_scenario() -> None:
    """One lot of BTC at 100,000 needs 30 % of 100 over 0.75 for M1b, and 8.46 over 0.2 for CVaR."""
    one = replace(profile(stop_bp=200.0), instruments=(btc_perpetual().id,))
    known = {btc_perpetual().id: btc_perpetual()}
    prices = {btc_perpetual().id: Decimal(100_000)}
    (structure,) = structures(one, known, prices, Decimal("0.0002"))
    needed = dict(cushion_needed(structure, SETTINGS))
    assert needed["stress"] == Decimal(40)
    assert needed["cvar"] == pytest.approx(Decimal("42.3"))


@pytest.mark.parametrize("text", ["BTC", "BTC=", "=5", "BTC=-1", "BTC=nan", "BTC=zero"])
def test_a_price_that_is_none_is_refused(text: str) -> None:
    """What is not COIN=USDT above zero is refused with an example."""
    with pytest.raises(SettingsError, match="write --price BTC=100000"):
        parse_prices([text])


@pytest.mark.parametrize("text", ["1", "-0.1", "much", "nan"])
def test_a_drawdown_is_a_fraction(text: str) -> None:
    """A drawdown outside 0 to 1 is refused."""
    with pytest.raises(SettingsError, match="outside 0 to 1"):
        parse_share(text)


def test_the_json_names_what_sets_a_budget() -> None:
    """The sums of the JSON add up, and a FULL_ONLY line names its limit and where it opens."""
    from hean.app.plan_view import as_data

    market = simulated_market(SETTINGS, ["BTC=100000", "ETH=3500", "SOL=200", "XRP=2.5"])
    data = json.loads(json.dumps(as_data(make_plan(SETTINGS, market))))
    assert (data["deployable"], data["cap"], data["floor"]) == ("240.00", "120.00", "15.00")
    spent = Decimal(0)
    for one in data["allocation"]:
        spent += Decimal(one["budget"])
    assert spent + Decimal(data["cash"]) == 300
    rows = {(one["strategy"], one["instruments"][0]): one for one in data["lines"]}
    momentum = rows["momentum_trader", "BTCUSDT-PERP.BYBIT"]
    assert (momentum["verdict"], momentum["limit"]) == ("FULL_ONLY", "trade_risk")
    assert (momentum["minimum_budget"], momentum["opens_at"]) == ("63.80", "319.00")
