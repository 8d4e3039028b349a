"""The small-account arithmetic: which strategies and instruments an account can carry, and why.

The planner, the allocator and AutoPilot share it. A line is the smallest structure of a strategy
that the venue accepts: one order, two legs that match, or a ladder of rungs. Nothing here is a
table of capital tiers: what opens at which capital follows from lots, fees and stops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from itertools import combinations
from typing import Final

import msgspec

from hean.core.events import OrderStyle, StrategyProfile
from hean.core.instruments import MONEY, ZERO, Instrument, decimal_of

COSTLY_SHARE: Final = Decimal("0.15")
"""Costs above this share of the stop are worth a warning."""
UNPAYABLE_SHARE: Final = Decimal("0.5")
"""Costs above this share of the stop are what the guard refuses."""
MOST_RESIDUAL: Final = Decimal("0.1")
"""Legs may differ by this share of the smaller one."""
_MOST_LOTS: Final = 64
_MOST_SEARCHED: Final = 16
_BP: Final = Decimal(10_000)
_CENT: Final = Decimal("0.01")

_times = MONEY.multiply
_over = MONEY.divide


class Shape(StrEnum):
    """How a strategy holds what it trades."""

    SINGLE = "single"
    PAIR = "pair"
    HEDGED = "hedged"
    RUNGS = "rungs"


class Verdict(StrEnum):
    """What an account can do with a line, from worst to best."""

    UNPAYABLE = "UNPAYABLE"
    NO = "NO"
    FULL_ONLY = "FULL_ONLY"
    COSTLY = "COSTLY"
    OK = "OK"


class BudgetTerms(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What sets a smallest budget: `size_factor` is k, `multiplier` the drawdown multiplier m."""

    risk_of_budget: Decimal
    budget_leverage: Decimal
    size_factor: Decimal = Decimal(1)
    multiplier: Decimal = Decimal(1)

    @property
    def scaled(self) -> Decimal:
        """k*m."""
        return _times(self.size_factor, self.multiplier)


class PlanTerms(BudgetTerms, frozen=True, kw_only=True, gc=False):
    """What the account's settings say; shares are fractions of equity, `cushion` is (E - F)/E."""

    trial_trade_risk: Decimal
    max_trade_risk: Decimal
    min_weight: Decimal
    max_weight: Decimal
    deployable: Decimal
    max_instrument: Decimal
    cushion: Decimal
    stop_slippage: Decimal
    enter: Decimal = Decimal("1.2")
    stay: Decimal = Decimal(1)


class PlanLeg(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One leg at its smallest: `cost` is a fraction of its value, `count` how many such orders."""

    instrument: Instrument
    price: Decimal
    quantity: Decimal
    cost: Decimal
    count: int = 1

    @property
    def value(self) -> Decimal:
        """Value in USDT of one order."""
        return _times(self.quantity, self.price)


class Structure(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The smallest structure of a strategy; `stop` is a fraction of the first leg's value.

    `directional` ones must pay their costs out of the distance to their stop.
    """

    strategy: str
    shape: Shape
    legs: tuple[PlanLeg, ...]
    stop: Decimal
    directional: bool = False

    @property
    def smallest(self) -> Decimal:
        """N_min: the value of everything it holds, in USDT."""
        total = ZERO
        for leg in self.legs:
            total += leg.value * leg.count
        return total

    @property
    def level(self) -> Decimal:
        """Value of the largest leg: the sizer gives all legs this value and rounds each down."""
        return max(leg.value for leg in self.legs)

    @property
    def cost(self) -> Decimal:
        """Entry, exit and slippage as a fraction of the first leg's value."""
        if self.shape is Shape.RUNGS:
            return self.legs[0].cost
        total = ZERO
        for leg in self.legs:
            total += leg.cost
        return total

    @property
    def loss(self) -> Decimal:
        """Loss at the stop with costs, in USDT: of a ladder one whole side, else of all legs."""
        if self.shape is Shape.RUNGS:
            side = -(-self.legs[0].count // 2)
            return _times(self.legs[0].value * side, self.stop + self.cost)
        if len(self.legs) == 1:
            return _times(self.legs[0].value, self.stop + self.cost)
        total = _times(self.stop, _over(self.smallest, Decimal(len(self.legs))))
        for leg in self.legs:
            total += _times(leg.value, leg.cost)
        return total

    @property
    def sized_loss(self) -> Decimal:
        """The same where every leg has the level value, as the sizer reckons."""
        if self.shape is Shape.RUNGS or len(self.legs) == 1:
            return self.loss
        return _times(self.level, self.stop + self.cost)

    @property
    def on_one_side(self) -> Decimal:
        """Most value it puts on one side of one instrument."""
        if self.shape is Shape.RUNGS:
            return self.legs[0].value * -(-self.legs[0].count // 2)
        return self.level


class PlanLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A structure and what it asks of the account, in USDT.

    `minimum_budget` is B_min of what is held; `needed_budget` what the sizer needs to reach it,
    more only where legs are rounded apart. `set_by` names the constraint that sets the budget.
    The line opens at `opens_at` and closes again below `closes_at`; in the FULL tier at
    `opens_full_at`.
    """

    structure: Structure
    minimum_budget: Decimal
    needed_budget: Decimal
    set_by: str
    cost_share: Decimal
    opens_at: Decimal
    opens_full_at: Decimal
    closes_at: Decimal
    opening_set_by: str
    payable: bool
    bars: tuple[tuple[str, Decimal], ...]
    """Capital that each limit asks for in the TRIAL tier, by its name."""
    full_bars: tuple[tuple[str, Decimal], ...]
    """The same in the FULL tier."""

    @property
    def strategy(self) -> str:
        return self.structure.strategy

    @property
    def name(self) -> str:
        """The instruments, joined by a plus."""
        return " + ".join(leg.instrument.id for leg in self.structure.legs)

    def verdict(self, capital: Decimal) -> tuple[Verdict, str]:
        """Return what the account can do with it, and the limit that says no (or nothing)."""
        if not self.payable:
            return Verdict.UNPAYABLE, "cost"
        for name, needed in self.full_bars:
            if needed > capital:
                return Verdict.NO, name
        for name, needed in self.bars:
            if needed > capital:
                return Verdict.FULL_ONLY, name
        if self.cost_share > COSTLY_SHARE:
            return Verdict.COSTLY, "cost"
        return Verdict.OK, ""

    def is_open(self, capital: Decimal, *, was_open: bool) -> bool:
        """Return whether it trades in TRIAL: hysteresis keeps a day at the threshold calm."""
        return self.payable and capital >= (self.closes_at if was_open else self.opens_at)


Bars = tuple[tuple[str, Decimal], ...]
CushionOf = Callable[[Structure], Bars]
"""Cushions E - F in USDT that the scenarios ask for when a structure is held, by limit."""


def no_cushion(_: Structure) -> Bars:
    """Ask for none: no scenario is looked at."""
    return ()


def plan_line(
    structure: Structure, terms: PlanTerms, cushion_of: CushionOf = no_cushion
) -> PlanLine:
    """Return the line of a structure; a size factor or multiplier of 0 opens it at no capital."""
    minimum, set_by = minimum_budget(structure, terms)
    needed, _ = minimum_budget(structure, terms, levelled=True)
    cushions = cushion_of(structure)
    bars = _bars(structure, terms, needed, cushions, terms.trial_trade_risk)
    full = _bars(structure, terms, needed, cushions, terms.max_trade_risk)
    share = _over(structure.cost, structure.stop) if structure.stop else Decimal("Infinity")
    highest = max(bars, key=_by_capital)
    return PlanLine(
        structure=structure,
        minimum_budget=minimum,
        needed_budget=needed,
        set_by=set_by,
        cost_share=share,
        opens_at=_raised(bars, terms.enter),
        opens_full_at=_raised(full, terms.enter),
        closes_at=_raised(bars, terms.stay),
        opening_set_by=highest[0],
        payable=share <= UNPAYABLE_SHARE or not structure.directional,
        bars=bars,
        full_bars=full,
    )


def minimum_budget(
    structure: Structure, terms: BudgetTerms, *, levelled: bool = False
) -> tuple[Decimal, str]:
    """Return B_min and what sets it: the risk at the stop, the lot, or the unlevered rungs.

    `levelled` gives every leg the level value, as the sizer does before it rounds them down.
    """
    if terms.scaled <= ZERO:
        return Decimal("Infinity"), "drawdown"
    loss = structure.sized_loss if levelled else structure.loss
    by_risk = _over(loss, _times(terms.risk_of_budget, terms.scaled))
    by_value, name = ZERO, "lot"
    if structure.shape is Shape.RUNGS:
        by_value, name = structure.smallest, "rungs"
    else:
        for leg in structure.legs:
            value = structure.level if levelled else leg.value
            spot = leg.instrument.is_spot  # paid in full
            by_value += value if spot else _over(value, terms.budget_leverage)
    return (by_risk, "risk") if by_risk >= by_value else (by_value, name)


def _bars(
    structure: Structure, terms: PlanTerms, needed: Decimal, cushions: Bars, trade_risk: Decimal
) -> Bars:
    infinite = Decimal("Infinity")
    risk = _times(trade_risk, terms.multiplier)
    return (
        ("trade_risk", _over(structure.sized_loss, risk) if risk else infinite),
        ("max_weight", _over(needed, terms.max_weight)),
        ("instrument", _over(structure.on_one_side, terms.max_instrument)),
        *(
            (name, _over(cushion, terms.cushion) if terms.cushion > ZERO else infinite)
            for name, cushion in cushions
        ),
    )


def _by_capital(bar: tuple[str, Decimal]) -> Decimal:
    return bar[1]


def _raised(bars: Sequence[tuple[str, Decimal]], factor: Decimal) -> Decimal:
    """Return the capital that meets every bar, rounded up to the cent; B_min times `factor`."""
    highest = ZERO
    for name, needed in bars:
        highest = max(highest, _times(needed, factor) if name == "max_weight" else needed)
    return cents_up(highest)


def cents_up(value: Decimal) -> Decimal:
    """Round an amount up to the cent."""
    if not value.is_finite():
        return value
    return value.quantize(_CENT, rounding=ROUND_CEILING, context=MONEY)


def shape_of(profile: StrategyProfile) -> Shape:
    """Return the shape a profile implies: quotes are post-only, carry is hedged with spot."""
    if profile.legs <= 1:
        return Shape.SINGLE
    if set(profile.styles) == {OrderStyle.POST_ONLY}:
        return Shape.RUNGS
    return Shape.HEDGED if profile.carry else Shape.PAIR


def structures(
    profile: StrategyProfile,
    instruments: Mapping[str, Instrument],
    prices: Mapping[str, Decimal],
    slippage: Decimal,
) -> Iterator[Structure]:
    """Yield the smallest structures of a strategy on its instruments that have a price.

    A hedged strategy without a spot market is planned as a single perpetual.
    """
    shape = shape_of(profile)
    stop = _over(decimal_of(profile.typical_stop_bp), _BP)
    maker = OrderStyle.POST_ONLY in profile.styles
    names = profile.instruments or tuple(instruments)
    legs = {
        name: _leg(instruments[name], prices[name], maker, slippage)
        for name in names
        if name in instruments and prices.get(name, ZERO) > ZERO
    }
    found: Iterable[tuple[Shape, tuple[PlanLeg, ...]]]
    if shape is Shape.PAIR:
        found = ((shape, two) for two in combinations(legs.values(), 2))
    elif shape is Shape.RUNGS:
        found = (
            (shape, (msgspec.structs.replace(one, count=profile.legs),)) for one in legs.values()
        )
    elif shape is Shape.HEDGED:
        found = (_hedged(one, instruments, prices, slippage) for one in _perpetuals(legs))
    else:
        found = ((shape, (one,)) for one in legs.values())
    for kind, chosen in found:
        matched = _matched(chosen)
        if matched:
            yield Structure(
                strategy=profile.strategy,
                shape=kind,
                legs=matched,
                stop=stop,
                directional=profile.directional,
            )


def stamps_to_pay(structure: Structure, rate: Decimal, *, maker: bool) -> Decimal:
    """Return how many funding stamps at `rate` (of value) pay the round trip of all legs."""
    fees = ZERO
    for leg in structure.legs:
        fees += 2 * leg.instrument.fee_rate(maker=maker)
    return _over(fees, rate).to_integral_value(ROUND_CEILING)


def _perpetuals(legs: Mapping[str, PlanLeg]) -> list[PlanLeg]:
    perpetuals = [one for one in legs.values() if not one.instrument.is_spot]
    return perpetuals or list(legs.values())


def _hedged(
    leg: PlanLeg,
    instruments: Mapping[str, Instrument],
    prices: Mapping[str, Decimal],
    slippage: Decimal,
) -> tuple[Shape, tuple[PlanLeg, ...]]:
    own = leg.instrument
    for name, other in instruments.items():
        price = prices.get(name, ZERO)
        if other.is_spot and not own.is_spot and other.base == own.base and price > ZERO:
            return Shape.HEDGED, (leg, _leg(other, price, True, slippage))
    return Shape.SINGLE, (leg,)


def _leg(instrument: Instrument, price: Decimal, maker: bool, slippage: Decimal) -> PlanLeg:
    return PlanLeg(
        instrument=instrument,
        price=price,
        quantity=instrument.smallest_quantity(price),
        cost=instrument.fee_rate(maker=maker) + instrument.taker_fee + slippage,
    )


def _matched(legs: tuple[PlanLeg, ...]) -> tuple[PlanLeg, ...]:
    """Return the legs at the smallest value where they match within the residual; () if none."""
    if len(legs) < 2:
        return legs
    level = max(leg.value for leg in legs)
    for _ in range(_MOST_LOTS):
        sized = tuple(_at_least(leg, level) for leg in legs)
        values = [leg.value for leg in sized]
        if max(values) - min(values) <= _times(MOST_RESIDUAL, min(values)):
            return sized
        level = max(values)
    return ()


def _at_least(leg: PlanLeg, level: Decimal) -> PlanLeg:
    """Return the leg with the most lots up to `level` if the residual allows, else one more."""
    step = leg.instrument.lot_step
    below = leg.instrument.quantity_floor(_over(level, leg.price))
    near = _times(_times(below, leg.price), 1 + MOST_RESIDUAL) >= level
    quantity = max(leg.quantity, below if near else below + step)
    return msgspec.structs.replace(leg, quantity=quantity)


class Candidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A strategy with the budget its cheapest open line needs, floor included, in USDT."""

    strategy: str
    needed: Decimal
    cluster: str = ""


def largest_sets(
    candidates: Sequence[Candidate],
    *,
    most: int,
    total: Decimal,
    cluster_caps: Mapping[str, Decimal],
) -> list[tuple[Candidate, ...]]:
    """Return the sets of the most strategies that fit together, the cheapest first, then by name.

    Beyond sixteen candidates the cheapest sixteen are searched.
    """
    ordered = sorted(candidates, key=_by_need)[:_MOST_SEARCHED]
    for size in range(min(most, len(ordered)), 0, -1):
        found = [
            chosen for chosen in combinations(ordered, size) if _fits(chosen, total, cluster_caps)
        ]
        if found:
            return sorted(found, key=_by_total)
    return []


def _by_need(one: Candidate) -> tuple[Decimal, str]:
    return one.needed, one.strategy


def _by_total(chosen: Sequence[Candidate]) -> tuple[Decimal, tuple[str, ...]]:
    return _needed(chosen), tuple(sorted(one.strategy for one in chosen))


def _needed(chosen: Iterable[Candidate]) -> Decimal:
    total = ZERO
    for one in chosen:
        total += one.needed
    return total


def _fits(chosen: Sequence[Candidate], total: Decimal, cluster_caps: Mapping[str, Decimal]) -> bool:
    if _needed(chosen) > total:
        return False
    return all(
        _needed(one for one in chosen if one.cluster == cluster) <= cap
        for cluster, cap in cluster_caps.items()
        if cluster
    )
