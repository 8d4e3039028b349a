"""What a sizer is asked and what it answers; any `Sizer` may stand in for the shipped one."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from hean.core.events.market import Side
from hean.core.events.strategy import OrderStyle
from hean.core.instruments import ZERO, Instrument


class TailLimits(Protocol):
    """Says which share of candidate values the stress and CVaR limits let through."""

    def share(
        self, entries: Sequence[Entry], notionals: Sequence[Decimal], *, is_hedge: bool = False
    ) -> tuple[float, str]:
        """Return a share in 0..1 and the cap that set it, `stress` or `cvar` (1 and "" if none).

        The entries of a hedge count together; others may fill one without another.
        """
        ...


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One wanted order: prices on the grid, `cost` as a fraction of price, `weight` of spot in B.

    `cost` is the entry fee by style, the taker fee at the stop and slippage there.
    """

    instrument: Instrument
    side: Side
    style: OrderStyle
    price: Decimal
    stop: Decimal | None
    scale: float
    cost: Decimal
    weight: Decimal


def stop_is_usable(entry: Entry) -> bool:
    """Return whether the stop exists and lies on the losing side of the price."""
    stop = entry.stop
    if stop is None or stop <= ZERO or entry.price <= ZERO:
        return False
    return stop < entry.price if entry.side is Side.BUY else stop > entry.price


class Factors(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What shrinks R, each once; `probability`, `payoff`, `error` feed Kelly (payoff 0: none)."""

    regime: float
    confidence: float
    probability: float = 0.0
    payoff: float = 0.0
    error: float = 0.0


class Room(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is left for one strategy, in USDT, before the candidate.

    `smallest_only` asks for the smallest tradable quantity (a probing or cautious strategy).
    """

    equity: Decimal
    budget: Decimal
    multiplier: Decimal
    trade_risk: Decimal
    notional_used: Decimal
    bound_used: Decimal
    risk_used: Decimal
    open_risk_left: Decimal
    cluster_risk_left: Decimal
    gross_left: Decimal
    available: Decimal
    balance: Decimal
    smallest_only: bool
    tails: TailLimits


class Place(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is left on one instrument and side; `depth` is None when the book is not known."""

    left: Decimal
    margin_rate: Decimal
    maintenance_rate: Decimal
    depth: Decimal | None
    venue_max: Decimal


class GroupRules(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a group is sized: its stop as a fraction of the first leg, and whether it only quotes."""

    stop: Decimal = ZERO
    is_quotes: bool = False


class Sizing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A quantity with its R, or zero with the cap that made it so.

    `affordable` and `smallest` are quantities; `factors` are what sized it, for the record.
    """

    quantity: Decimal
    risk: Decimal = ZERO
    cap: str = ""
    affordable: Decimal = ZERO
    smallest: Decimal = ZERO
    sentence: str = ""
    factors: tuple[tuple[str, float], ...] = ()
    factor: float = 0.0
    """k: what shrank R apart from drawdown; 0 where it never came to that."""


class Sizer(Protocol):
    """Turns a wish and what is left into a quantity; it must never round up."""

    def size(self, entry: Entry, room: Room, place: Place, factors: Factors) -> Sizing:
        """Size one order."""
        ...

    def size_group(
        self,
        entries: Sequence[Entry],
        room: Room,
        places: Sequence[Place],
        factors: Factors,
        rules: GroupRules,
    ) -> tuple[Sizing, ...]:
        """Size the legs of a group as one: all positive, or one zero that speaks for all."""
        ...
