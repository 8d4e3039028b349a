"""M7: what a shock costs a strategy that holds a position of its kind, through the paper venue."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from hean.core.events import Event, Intent, Need, OrderStyle, Side, Signal, StrategyProfile
from hean.core.testing import BTC, BTC_SPOT, ETH, SECOND
from hean.strategies.registry import load_strategies

from .composed import PRICES, Composed, as_told
from .outage import Outage

Path = Sequence[tuple[int, float]]
"""Knots: (second, price relative to the start); straight between them."""
SPOT_PRICES = {**PRICES, BTC_SPOT: PRICES[BTC]}
LIMIT, OUTAGE_LIMIT = 0.20, 0.30
"""Largest loss, as a fraction of the strategy's budget."""


@dataclass(frozen=True)
class Shock:
    """A path that all instruments take, how thin the market is, and what the line does."""

    name: str
    path: Path
    spread: int = 1
    size: float = 50.0
    is_outage: bool = False
    is_late: bool = False

    @property
    def limit(self) -> float:
        """The largest loss that passes, of the budget."""
        return OUTAGE_LIMIT if self.is_outage else LIMIT


SHOCKS = (
    Shock("crash", [(60, 0.85)]),
    Shock("pump", [(60, 1.15)]),
    Shock("thin", [(60, 0.95)], spread=50, size=0.5),
    Shock("high volatility", [(15, 1.02), (30, 0.96), (45, 0.99), (75, 0.92)]),
    Shock("news", [(10, 0.90)]),
    Shock("reversal", [(30, 1.03), (60, 0.93)]),
    Shock("chop", [(n, 1.0 if n % 40 == 0 else 0.97) for n in range(20, 201, 20)]),
    Shock("low volume", [(240, 0.96)], spread=5, size=1.0),
    Shock("outage", [(120, 0.95)], is_outage=True),
    Shock("latency", [(60, 0.97)], is_late=True),
)
PAIRS = {
    "funding_harvester": (BTC_SPOT, BTC),
    "basis_arbitrage": (BTC_SPOT, BTC),
    "correlation_arb": (BTC, ETH),
}
QUOTING = {"inventory_neutral_mm": 1, "rebate_farmer": 1, "enhanced_grid": 3}
"""Orders a side of those that quote."""


def profiles() -> tuple[StrategyProfile, ...]:
    """Return the rows of the shipped strategies as this feed can carry them."""
    return tuple(
        StrategyProfile(
            strategy=name, version="1", frequency=kind.row.frequency, needs=(Need.QUOTES,),
            regimes=kind.row.regimes, cooldown_seconds=kind.row.cooldown_seconds, daily_cap=100,
            time_stop_seconds=kind.row.time_stop_seconds, styles=kind.row.styles,
            legs=kind.row.legs, typical_stop_bp=kind.row.typical_stop_bp,
            cluster=kind.row.cluster, carry=kind.row.carry,
        )
        for name, kind in sorted(load_strategies().items())
    )  # fmt: skip


ROWS = {one.strategy: one for one in profiles()}


@dataclass(frozen=True)
class Outcome:
    """What a strategy lost at worst, in USDT, of what budget, and whether it held anything."""

    loss: float
    budget: float
    held: bool
    composed: Composed

    @property
    def share(self) -> float:
        """The loss as a fraction of the budget."""
        return self.loss / self.budget


def late(due: int, event: Event) -> list[tuple[int, Event]]:
    """Report 5 to 30 s late, in turn."""
    return [(due + next(_SECONDS) * SECOND, event)]


_SECONDS = itertools.cycle((5, 30, 12, 21))


def build(shock: Shock) -> tuple[Composed, Outage | None]:
    """Compose a system of eleven strategies that all have a budget."""
    rows = tuple(ROWS.values())
    if shock.is_outage:
        outage = Outage(profiles=rows, prices=SPOT_PRICES, PORTFOLIO__AUTOPILOT_MAX_ACTIVE="11")
        return outage.composed, outage
    composed = Composed(profiles=rows, prices=SPOT_PRICES, PORTFOLIO__AUTOPILOT_MAX_ACTIVE="11")
    return composed, None


def enter(composed: Composed, strategy: str, side: Side) -> None:
    """Have a strategy hold what it would hold: one position, a pair, or one side of its quotes."""
    stop = ROWS[strategy].typical_stop_bp / 1e4
    if strategy in PAIRS:
        asked = _pair(composed, strategy, side, stop)
    elif strategy in QUOTING:
        asked = _quotes(composed, strategy, stop, QUOTING[strategy])
    else:
        asked = [composed.signal(BTC, side, strategy=strategy, stop_share=stop)]
    composed.take(*asked)
    composed.beat(2)
    if strategy in QUOTING:
        price = composed.prices[BTC] * (1 - 0.001 * side.sign)
        composed.print_at(BTC, round(price, 1), 1e6, side.opposite)
        composed.beat(2)


def _pair(composed: Composed, strategy: str, side: Side, stop: float) -> list[Signal]:
    first, second = PAIRS[strategy]
    bought = Side.BUY if first == BTC_SPOT else side
    legs = ((first, bought), (second, bought.opposite))
    return [
        msgspec.structs.replace(
            composed.signal(
                where, which, Intent.LEG, strategy=strategy, stop_share=None,
                group="pair", leg=leg, legs=2,
            ),
            group_stop_bp=stop * 1e4,
        )
        for leg, (where, which) in enumerate(legs)
    ]  # fmt: skip


def _quotes(composed: Composed, strategy: str, stop: float, rungs: int) -> list[Signal]:
    price = composed.prices[BTC]
    wanted = [(rung, which) for rung in range(rungs) for which in (Side.BUY, Side.SELL)]
    return [
        composed.signal(
            BTC, which, Intent.QUOTE, strategy=strategy, style=OrderStyle.POST_ONLY,
            limit=round(price * (1 - 0.0002 * (rung + 1) * which.sign), 1), stop_share=stop,
            group="quotes", leg=leg, legs=len(wanted), group_stop_bp=stop * 1e4,
        )
        for leg, (rung, which) in enumerate(wanted)
    ]  # fmt: skip


def run(strategy: str, shock: Shock, side: Side = Side.BUY) -> Outcome:
    """Play a shock on a strategy that holds a position and does nothing itself."""
    composed, outage = build(shock)
    system = composed.system
    enter(composed, strategy, side)
    budget = float(system.risk.sentinel.budget(strategy))
    start = worst = float(system.risk.sentinel.state.equity)
    held = any(one.strategy == strategy for one in system.portfolio.ledger.positions())
    composed.spread, composed.size = shock.spread, shock.size
    if outage is not None:
        outage.begin()
    if shock.is_late:
        composed.tamper = late
    for _ in follow(composed, shock.path):
        worst = min(worst, float(system.risk.sentinel.state.equity))
    if outage is not None:
        outage.end()
    if shock.is_late:
        composed.tamper = as_told
    composed.beat(130)
    worst = min(worst, float(system.risk.sentinel.state.equity))
    return Outcome(start - worst, budget, held, composed)


def follow(composed: Composed, path: Path) -> Iterator[None]:
    """Let all prices take a path, half a second at a time."""
    start = dict(composed.prices)
    second, level = 0, 1.0
    for until, to in path:
        steps = 2 * (until - second)
        for step in range(1, steps + 1):
            share = level + (to - level) * step / steps
            for name, price in start.items():
                composed.prices[name] = round(price * share, 1)
            composed.beat(0.5)
            yield
        second, level = until, to
