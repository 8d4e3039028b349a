"""`hean-app plan`: what an account of a given size can trade, worked out before it trades.

The arithmetic is `hean.core.planner`; this module brings it instruments, prices, the registered
strategies and the stress scenarios, and splits the capital among the largest set that fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import msgspec

from hean.app.feeds import FeedDescription
from hean.app.feeds.replay import DatasetFeed
from hean.app.feeds.sim import COINS, SimFeed
from hean.app.inspection import strategies_on
from hean.app.replay.instruments_file import read_instruments
from hean.app.settings import AppSettings
from hean.core.errors import DataError, SettingsError
from hean.core.events import Bar, Need, Quote, StrategyProfile
from hean.core.instruments import MONEY, ZERO, Instrument, decimal_of
from hean.core.kernel import SECOND_NS
from hean.core.planner import (
    Bars,
    Candidate,
    PlanLine,
    PlanTerms,
    Shape,
    Structure,
    Verdict,
    cents_up,
    largest_sets,
    plan_line,
    structures,
)
from hean.portfolio.projection import Group, project
from hean.risk.stress import Line, Sums, worst_loss
from hean.risk.tail import FALLBACK, LEAST_SIGMA
from hean.risk.tails import DEFAULT_HALF_SPREAD

_CENT: Final = Decimal("0.01")
_OPEN: Final = (Verdict.OK, Verdict.COSTLY)
_WINDOW_NS: Final = 7200 * SECOND_NS
_BARS_NS: Final = 300 * SECOND_NS


class PlanMarket(msgspec.Struct, frozen=True):
    """Where instruments and prices come from; `description` says what strategies may run there."""

    source: str
    description: FeedDescription
    prices: dict[str, Decimal]


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy's part of the recommended allocation: weight of equity, budget in USDT."""

    strategy: str
    weight: Decimal
    budget: Decimal
    needed: Decimal
    line: PlanLine


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What an account can trade. `idle` says, by strategy, why one has no line at all.

    `factors` are the measured size factors k that the lines were worked out with; others are 1.
    """

    capital: Decimal
    multiplier: Decimal
    factors: dict[str, Decimal]
    market: PlanMarket
    terms: PlanTerms
    lines: tuple[PlanLine, ...]
    idle: dict[str, str]
    sets: tuple[tuple[Candidate, ...], ...]
    shares: tuple[Share, ...]

    def verdict(self, line: PlanLine) -> tuple[Verdict, str]:
        """Return the verdict of a line at this capital, and the limit behind it."""
        return line.verdict(self.capital)


def simulated_market(settings: AppSettings, prices: Sequence[str]) -> PlanMarket:
    """Return the built-in market with the prices of its start, or those given."""
    description = SimFeed(seed=settings.random_seed, section=settings.sim).description
    given = parse_prices(prices)
    of_coin = {coin.perpetual.base: decimal_of(coin.price) for coin in COINS} | given
    return PlanMarket("sim", description, _priced(description.instruments, of_coin))


def market_of(path: Path, prices: Sequence[str]) -> PlanMarket:
    """Return the market of a dataset TOML, or of an instruments file with its prices given.

    Raises `DataError` for a file that cannot be read, `SettingsError` for a price that is missing.
    """
    given = parse_prices(prices)
    if path.suffix == ".toml":
        description, found = _last_prices(path)
        named = _priced(description.instruments, given)
        return PlanMarket(str(path), description, _completed(description, found | named))
    description = _described(path, tuple(read_instruments(path).values()))
    found = _priced(description.instruments, given)
    missing = sorted({one.base for one in description.instruments if one.id not in found})
    if missing:
        raise SettingsError(
            f"{path} has no price of {', '.join(missing)}; add --price {missing[0]}=<USDT> for each"
        )
    return PlanMarket(str(path), description, found)


def parse_prices(given: Sequence[str]) -> dict[str, Decimal]:
    """Return the prices of COIN=USDT arguments; raises `SettingsError` for one that is none."""
    found: dict[str, Decimal] = {}
    for text in given:
        coin, mark, number = text.partition("=")
        try:
            price = Decimal(number) if mark and coin else ZERO
        except InvalidOperation:
            price = ZERO
        if not price.is_finite() or price <= ZERO:
            raise SettingsError(f"--price {text!r} is not COIN=USDT; write --price BTC=100000")
        found[coin.strip().upper()] = price
    return found


def parse_share(text: str) -> Decimal:
    """Return the drawdown of an argument; raises `SettingsError` outside [0, 1)."""
    try:
        share = Decimal(text)
    except InvalidOperation:
        share = Decimal("NaN")
    if not share.is_finite() or not ZERO <= share < 1:
        raise SettingsError(f"--drawdown {text!r} is outside 0 to 1; give a fraction like 0.1")
    return share


def _priced(
    instruments: Sequence[Instrument], of_coin: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    return {one.id: of_coin[one.base] for one in instruments if one.base in of_coin}


def _completed(description: FeedDescription, prices: dict[str, Decimal]) -> dict[str, Decimal]:
    """Return the prices with those of spot and perpetual standing in for each other."""
    rules = {one.id: one for one in description.instruments}
    of_coin = {rules[name].base: price for name, price in prices.items()}
    return _priced(description.instruments, of_coin) | prices


def _described(path: Path, instruments: tuple[Instrument, ...]) -> FeedDescription:
    """Return what a venue with these instruments carries: everything, as a live feed does."""
    every = tuple(need for need in Need if need not in (Need.SPOT, Need.SENTIMENT))
    carries: dict[str, tuple[Need, ...]] = {one.id: every for one in instruments}
    return FeedDescription(
        name=path.name,
        instruments=instruments,
        carries={"": (Need.SENTIMENT,), **carries},
        first=0,
        last=None,
        bar_intervals={one.id: _BARS_NS for one in instruments},
        ticks_from=0,
    )


def _last_prices(path: Path) -> tuple[FeedDescription, dict[str, Decimal]]:
    whole = DatasetFeed(path).description
    assert whole.last is not None, "a dataset ends"
    window = max(_WINDOW_NS, *(2 * one for one in whole.bar_intervals.values()), 0)
    feed = DatasetFeed(path, start_ns=max(whole.first, whole.last - window))
    rules = {one.id: one for one in whole.instruments}
    found: dict[str, Decimal] = {}
    for event in feed.events():
        match event:
            case Bar():
                found[event.instrument] = rules[event.instrument].price(event.close)
            case Quote():
                middle = (event.bid + event.ask) / 2.0
                found[event.instrument] = rules[event.instrument].price(middle)
            case _:
                pass
    if not found:
        raise DataError(f"{path} has no price near its end; give them with --price COIN=USDT")
    return whole, {name: price for name, price in found.items() if price > ZERO}


def terms_of(settings: AppSettings, drawdown: Decimal) -> PlanTerms:
    """Return the planner's terms at a drawdown (a fraction of the high-water mark)."""
    floor = decimal_of(settings.risk.drawdown_floor)
    above = MONEY.divide(1 - floor, 1 - drawdown)
    return PlanTerms(
        risk_of_budget=decimal_of(settings.risk_of_budget),
        budget_leverage=decimal_of(settings.budget_leverage),
        trial_trade_risk=decimal_of(settings.trial_trade_risk),
        max_trade_risk=decimal_of(settings.max_trade_risk),
        min_weight=decimal_of(settings.min_strategy_weight),
        max_weight=decimal_of(settings.max_strategy_weight),
        deployable=1 - decimal_of(settings.cash_reserve_rate),
        max_instrument=decimal_of(settings.risk.max_instrument),
        cushion=max(ZERO, 1 - above),
        stop_slippage=decimal_of(settings.risk.stop_slippage_bp) / 10_000,
        multiplier=max(ZERO, 1 - MONEY.divide(drawdown, floor)),
        enter=decimal_of(settings.portfolio.bmin_enter),
        stay=decimal_of(settings.portfolio.bmin_stay),
    )


def parse_factors(found: Mapping[str, float]) -> dict[str, Decimal]:
    """Return measured size factors as decimals, without those of 1; `DataError` for one below 0."""
    wrong = [name for name, one in found.items() if not 0.0 <= one < float("inf")]
    if wrong:
        raise DataError(f"the size factor {found[wrong[0]]} of {wrong[0]} is no number from 0 up")
    return {name: decimal_of(one) for name, one in sorted(found.items()) if one != 1.0}


def make_plan(
    settings: AppSettings,
    market: PlanMarket,
    *,
    drawdown: Decimal = ZERO,
    factors: Mapping[str, Decimal] | None = None,
) -> Plan:
    """Return the plan of the settings' capital on a market, at a drawdown in [0, 1).

    `factors` are size factors k by strategy, as a run measured them; who is not named has 1.
    """
    capital, terms = settings.initial_capital, terms_of(settings, drawdown)
    measured = factors or {}
    lines: list[PlanLine] = []
    idle: dict[str, str] = {}
    clusters: dict[str, str] = {}
    for strategy in strategies_on(settings, market.description).strategies:
        if not strategy.section.enabled:
            idle[strategy.name] = "it is switched off by setting"
        elif strategy.cannot_run_because:
            idle[strategy.name] = strategy.cannot_run_because
        else:
            factor = measured.get(strategy.name, Decimal(1))
            own = msgspec.structs.replace(terms, size_factor=factor)
            found = _lines(strategy.profile, settings, market, own)
            lines.extend(found)
            clusters[strategy.name] = strategy.profile.cluster
            if not found:
                idle[strategy.name] = "no price or no structure of matching lots is known"
    sets = _sets(lines, clusters, settings, capital, terms)
    return Plan(
        capital=capital,
        multiplier=terms.multiplier,
        factors=dict(measured),
        market=market,
        terms=terms,
        lines=tuple(lines),
        idle=idle,
        sets=tuple(sets),
        shares=_shares(_least_costly(sets, lines, capital), lines, settings, capital, terms)
        if sets
        else (),
    )


def _least_costly(
    sets: Sequence[tuple[Candidate, ...]], lines: Sequence[PlanLine], capital: Decimal
) -> tuple[Candidate, ...]:
    """Return the set with the fewest lines that are COSTLY, then the cheapest."""
    cheapest = _cheapest_open(lines, capital)
    costly = {name for name, one in cheapest.items() if one.verdict(capital)[0] is Verdict.COSTLY}
    return min(sets, key=lambda chosen: len(costly.intersection(one.strategy for one in chosen)))


def _lines(
    profile: StrategyProfile, settings: AppSettings, market: PlanMarket, terms: PlanTerms
) -> list[PlanLine]:
    rules = {one.id: one for one in market.description.instruments}
    found = [
        plan_line(one, terms, lambda it: cushion_needed(it, settings))
        for one in structures(profile, rules, market.prices, terms.stop_slippage)
    ]
    if profile.needs_rebate:
        found = [_without_rebate(one) for one in found]
    return sorted(found, key=lambda one: (one.needed_budget, one.name))


def _without_rebate(line: PlanLine) -> PlanLine:
    """Return the line closed where the account pays to make: the plan lives on a rebate."""
    pays = any(leg.instrument.maker_fee >= ZERO for leg in line.structure.legs)
    return msgspec.structs.replace(line, payable=False) if pays else line


def cushion_needed(structure: Structure, settings: AppSettings) -> Bars:
    """Return the cushions E - F in USDT with which the structure alone passes stress and CVaR.

    CVaR is the one in force until enough history is known; of a ladder one side counts as filled.
    """
    sums, gross = Sums(), 0.0
    for place, leg in enumerate(structure.legs):
        value = structure.on_one_side if structure.shape is Shape.RUNGS else leg.value
        signed = float(value) * (1.0 if place % 2 == 0 else -1.0)
        gross += abs(signed)
        one, stop = leg.instrument, float(structure.stop)
        sums.add(Line(one.id, one.base, signed, stop, DEFAULT_HALF_SPREAD, 0.0, not one.is_spot))
    stress = worst_loss(sums, float("inf"))
    tail = FALLBACK * LEAST_SIGMA * gross
    return (
        ("stress", _over_share(stress, settings.risk.stress_cushion)),
        ("cvar", _over_share(tail, settings.risk.cvar_cushion)),
    )


def _over_share(loss: float, share: float) -> Decimal:
    if share <= 0.0:
        return Decimal("Infinity") if loss > 0.0 else ZERO
    return decimal_of(round(loss / share, 6))


def _cheapest_open(lines: Sequence[PlanLine], capital: Decimal) -> dict[str, PlanLine]:
    found: dict[str, PlanLine] = {}
    for line in lines:
        if line.verdict(capital)[0] in _OPEN:
            known = found.get(line.strategy)
            if known is None or line.needed_budget < known.needed_budget:
                found[line.strategy] = line
    return found


def _sets(
    lines: Sequence[PlanLine],
    clusters: Mapping[str, str],
    settings: AppSettings,
    capital: Decimal,
    terms: PlanTerms,
) -> list[tuple[Candidate, ...]]:
    floor = MONEY.multiply(terms.min_weight, capital)
    candidates = [
        Candidate(
            strategy=name,
            needed=cents_up(max(floor, line.needed_budget)),
            cluster=clusters[name],
        )
        for name, line in _cheapest_open(lines, capital).items()
    ]
    caps = {
        name: MONEY.multiply(decimal_of(settings.portfolio.cap_of(name)), capital)
        for name in {one.cluster for one in candidates}
        if name
    }
    return largest_sets(
        candidates,
        most=settings.portfolio.autopilot_max_active,
        total=MONEY.multiply(terms.deployable, capital),
        cluster_caps=caps,
    )


def _shares(
    chosen: Sequence[Candidate],
    lines: Sequence[PlanLine],
    settings: AppSettings,
    capital: Decimal,
    terms: PlanTerms,
) -> tuple[Share, ...]:
    """Return the equal split moved into the set's boxes: each at least what it needs."""
    names = sorted({one.cluster for one in chosen if one.cluster})
    groups = [
        Group(
            tuple(place for place, one in enumerate(chosen) if one.cluster == name),
            settings.portfolio.cap_of(name),
        )
        for name in names
    ]
    total = float(terms.deployable)
    most = float(terms.max_weight)
    lower = [min(most, float(MONEY.divide(one.needed, capital))) for one in chosen]
    equal = [total / len(chosen)] * len(chosen)
    weights = project(equal, lower, [most] * len(chosen), groups, total)
    cheapest = _cheapest_open(lines, capital)
    found: list[Share] = []
    for one, weight in zip(chosen, weights, strict=True):
        exact = MONEY.multiply(decimal_of(round(weight, 9)), capital)
        budget = max(one.needed, exact.quantize(_CENT, rounding=ROUND_DOWN))
        found.append(
            Share(
                strategy=one.strategy,
                weight=MONEY.divide(budget, capital),
                budget=budget,
                needed=one.needed,
                line=cheapest[one.strategy],
            )
        )
    return tuple(found)
