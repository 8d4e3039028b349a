"""The arithmetic of the edge guard: what a trade costs, what it is believed to earn, what follows.

Pure functions over floats in bp of entry notional. The gate applies them; strategies' tests run
them. A model's claim counts as 0 until outcomes exist: belief starts at minus the cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import fsum, inf, sqrt
from statistics import NormalDist
from typing import Final

import msgspec

from hean.core.events.decision import GuardMode
from hean.core.events.evidence import FeeShare, PlanFault, WalkForward

PRIOR_OUTCOMES: Final = 30
"""n0: how many outcomes at minus the cost the belief starts with."""
PROBE_OUTCOMES: Final = 30
ACTIVE_OUTCOMES: Final = 50
POOL_OUTCOMES: Final = 20
"""Below so many outcomes a cell is judged by the wider one it belongs to."""
LAST_OUTCOMES: Final = 20
"""The newest outcomes, whose average below minus the cost ends the trust."""
CONFIDENCE: Final = 1.64
SHADOW_LATENCY_NS: Final = 150_000_000
"""From a signal to its order being at the venue, in the shadow."""
ROUNDING_BP: Final = 1e-3
"""Prices carry nine digits: a plan made to the limit may miss it by that, and is no fault."""
STOP_COSTS: Final = 2.0
TARGET_COSTS: Final = 3.0
WALK_FORWARD_T: Final = 2.0
"""The t that a walk-forward of one set of parameters must reach."""


class Fees(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one leg costs in bp; a negative maker fee is a rebate."""

    maker_bp: float
    taker_bp: float


class ExitMix(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a trade gets in and out: maker entry or not, and the share of exits that are maker."""

    maker_entry: bool
    maker_exits: float


TAKER_TAKER: Final = ExitMix(maker_entry=False, maker_exits=0.0)
MAKER_TAKER: Final = ExitMix(maker_entry=True, maker_exits=0.0)
MAKER_MAKER: Final = ExitMix(maker_entry=True, maker_exits=1.0)


class Frictions(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What comes on top of fees, in bp: per taker leg, per maker leg, and over the hold."""

    half_spread_bp: float = 0.0
    impact_bp: float = 0.0
    adverse_bp: float = 0.0
    """Adverse selection of one maker fill: minus its mean markout."""
    funding_bp: float = 0.0
    """Expected funding paid over the hold; negative when received."""


_NO_FRICTIONS: Final = Frictions()


def round_trip_bp(fees: Fees, mix: ExitMix, frictions: Frictions = _NO_FRICTIONS) -> float:
    """Return c, the cost of getting in and out once."""
    maker_legs = (1.0 if mix.maker_entry else 0.0) + mix.maker_exits
    taker_legs = 2.0 - maker_legs
    per_maker = fees.maker_bp + frictions.adverse_bp
    per_taker = fees.taker_bp + frictions.half_spread_bp + frictions.impact_bp
    return maker_legs * per_maker + taker_legs * per_taker + frictions.funding_bp


def fees_bp(shares: Iterable[FeeShare], fees: Mapping[str, Fees]) -> float:
    """Return what dealing in these shares costs in bp of entry notional, at `fees` by instrument.

    Raises `KeyError` for an instrument without fees.
    """
    total = 0.0
    for one in shares:
        rates = fees[one.instrument]
        total += one.maker * rates.maker_bp + one.taker * rates.taker_bp
    return total


def impact_bp(quantity: float, depth: float, spread_bp: float) -> float:
    """Return the impact of taking `quantity` against the top five levels' `depth`, in bp."""
    return quantity / depth * spread_bp if depth > 0.0 else inf


def markout_bp(sign: int, fill_price: float, later_mid: float) -> float:
    """Return what a fill gained by a later mid, in bp; `sign` is 1 for a buy, -1 for a sale."""
    return sign * (later_mid - fill_price) / fill_price * 10_000.0


def luck_rate(target_bp: float, stop_bp: float) -> float:
    """Return p0, the share of wins that luck alone gives between a target and a stop."""
    return stop_bp / (target_bp + stop_bp)


def break_even_rate(
    target_bp: float, stop_bp: float, *, win_cost_bp: float, loss_cost_bp: float
) -> float:
    """Return the share of wins at which a trade earns nothing; above 1 it never pays."""
    won = target_bp - win_cost_bp
    lost = stop_bp + loss_cost_bp
    return lost / (won + lost) if won > 0.0 else inf


class Cell(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The outcomes of one strategy x symbol group x regime, net of costs, in bp.

    `mean` and `squares` (sum of squared deviations) run over all, `last` holds the newest twenty.
    """

    outcomes: int = 0
    mean: float = 0.0
    squares: float = 0.0
    last: tuple[float, ...] = ()

    def with_outcome(self, net_bp: float) -> Cell:
        """Return the cell with one more outcome; a group's legs are one outcome."""
        count = self.outcomes + 1
        delta = net_bp - self.mean
        mean = self.mean + delta / count
        return Cell(
            outcomes=count,
            mean=mean,
            squares=self.squares + delta * (net_bp - mean),
            last=(*self.last, net_bp)[-LAST_OUTCOMES:],
        )

    @property
    def last_mean(self) -> float:
        """The mean of the newest outcomes; 0 when there are none."""
        return fsum(self.last) / len(self.last) if self.last else 0.0


class Belief(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is believed of a cell: posterior mean, its error, and from how many outcomes."""

    mean_bp: float
    error_bp: float
    outcomes: int

    @property
    def lower_bp(self) -> float:
        """The one-sided 95 % bound from below."""
        return self.mean_bp - CONFIDENCE * self.error_bp


def cell_of(nets_bp: Iterable[float]) -> Cell:
    """Return the cell of outcomes in their order."""
    cell = Cell()
    for net in nets_bp:
        cell = cell.with_outcome(net)
    return cell


def first_sufficient(levels: Sequence[Cell]) -> Cell:
    """Return the narrowest cell with enough outcomes, else the widest; `levels` go from narrow."""
    for cell in levels:
        if cell.outcomes >= POOL_OUTCOMES:
            return cell
    return levels[-1]


def belief_of(cell: Cell, cost_bp: float) -> Belief:
    """Return m = (n0·(-c) + Σnet)/(n0 + n) and its error s/√(n0 + n); infinite below two."""
    weight = PRIOR_OUTCOMES + cell.outcomes
    mean = (cell.outcomes * cell.mean - PRIOR_OUTCOMES * cost_bp) / weight
    if cell.outcomes < 2:
        return Belief(mean_bp=mean, error_bp=inf, outcomes=cell.outcomes)
    deviation = sqrt(cell.squares / (cell.outcomes - 1))
    return Belief(mean_bp=mean, error_bp=deviation / sqrt(weight), outcomes=cell.outcomes)


def has_lost_trust(cell: Cell, belief: Belief, cost_bp: float) -> bool:
    """Return whether a cell belongs in SHADOW: m < 0, or the last twenty average below -c."""
    is_bad_run = len(cell.last) == LAST_OUTCOMES and cell.last_mean < -cost_bp
    return belief.mean_bp < 0.0 or is_bad_run


def next_mode(mode: GuardMode, cell: Cell, cost_bp: float) -> GuardMode:
    """Return the mode after the newest outcome: one step up at a time, down to SHADOW at once."""
    belief = belief_of(cell, cost_bp)
    if has_lost_trust(cell, belief, cost_bp):
        return GuardMode.SHADOW
    if mode is GuardMode.SHADOW:
        is_ready = cell.outcomes >= PROBE_OUTCOMES and belief.mean_bp > 0.0
        return GuardMode.PROBE if is_ready else mode
    if mode is GuardMode.PROBE:
        is_proven = cell.outcomes >= ACTIVE_OUTCOMES and belief.lower_bp > 0.0
        return GuardMode.ACTIVE if is_proven else mode
    return mode


def guard_confidence(
    strength: float, *, mean_bp: float, cost_bp: float, data_quality: float = 1.0
) -> float:
    """Return clip(u·x/(1 + x), 0, 1)·q with x = max(0, m)/c: no edge means 0.

    Where trading costs nothing (c <= 0) any positive m counts in full.
    """
    edge = max(0.0, mean_bp)
    share = edge / (edge + max(0.0, cost_bp)) if edge > 0.0 else 0.0
    return min(1.0, max(0.0, strength * share)) * data_quality


def check_plan(stop_bp: float, target_bp: float | None, cost_bp: float) -> PlanFault | None:
    """Return why a directional plan does not pay: stop below 2c, or first target below 3c.

    A plan without a target is judged by its stop alone.
    """
    if stop_bp < STOP_COSTS * cost_bp - ROUNDING_BP:
        return PlanFault("stop", stop_bp, STOP_COSTS * cost_bp)
    if target_bp is not None and target_bp < TARGET_COSTS * cost_bp - ROUNDING_BP:
        return PlanFault("target", target_bp, TARGET_COSTS * cost_bp)
    return None


def check_claim(edge_bp: float, cost_bp: float) -> PlanFault | None:
    """Return why a forecast does not pay by its own words: it must exceed the cost."""
    return None if edge_bp > cost_bp else PlanFault("edge", edge_bp, cost_bp)


def needed_t(trials: int) -> float:
    """Return the t that is as rare by luck as `WALK_FORWARD_T` when so many sets were tried.

    Bonferroni: the tail beyond it is shared among the trials.
    """
    normal = NormalDist()
    tail = normal.cdf(-WALK_FORWARD_T) / max(1, trials)
    return round(-normal.inv_cdf(tail), 9)


def check_walk_forward(days: float, found: WalkForward | None) -> PlanFault | None:
    """Return what a strategy that needs `days` of walk-forward lacks: the days, or the t."""
    if days <= 0.0:
        return None
    walked = 0.0 if found is None else found.days
    if found is None or walked < days:
        return PlanFault("days of walk-forward", walked, days)
    least = needed_t(found.trials)
    return None if found.t >= least else PlanFault("t of the walk-forward", found.t, least)
