"""Groups by one common value: the caps on it, and legs rounded down until they fit each other."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from hean.core.events.market import Side
from hean.core.instruments import MONEY, ZERO
from hean.risk.sizing import Entry, GroupRules, Place, Room, stop_is_usable

MOST_RESIDUAL: Final = Decimal("0.1")
"""Legs may differ by this share of the smaller one."""
MOST_STEPS: Final = 64
"""How many lower common values are tried before the group is refused."""

_times = MONEY.multiply
_over = MONEY.divide


class GroupTerms(msgspec.Struct, frozen=True, gc=False):
    """The legs with their ratios and places; `ratios` are values per unit of common value."""

    entries: Sequence[Entry]
    ratios: Sequence[Decimal]
    places: Sequence[Place]
    rules: GroupRules
    leverage: Decimal
    margin_share: Decimal
    depth_share: Decimal


def lesser(value: Decimal, cap: str, other: Decimal, name: str) -> tuple[Decimal, str]:
    """Return the smaller value with its name."""
    return (other, name) if other < value else (value, cap)


def total_of(values: Sequence[Decimal]) -> Decimal:
    """Return the exact sum."""
    total = ZERO
    for value in values:
        total += value
    return total


def leg_losses(
    entries: Sequence[Entry], ratios: Sequence[Decimal], rules: GroupRules
) -> list[Decimal] | None:
    """Return each leg's loss per USDT of its own value; None where no stop is usable.

    A group stop is a loss of the whole group in terms of its first leg, shared by value.
    """
    if rules.stop > ZERO and not rules.is_quotes:
        whole = total_of(ratios)
        if not whole:
            return [entry.cost for entry in entries]
        share = _over(_times(rules.stop, ratios[0]), whole)
        return [share + entry.cost for entry in entries]
    losses: list[Decimal] = []
    for entry in entries:
        stop = entry.stop
        if stop is not None and stop_is_usable(entry):
            losses.append(_over(abs(entry.price - stop), entry.price) + entry.cost)
        elif rules.stop > ZERO:
            losses.append(rules.stop + entry.cost)
        else:
            return None
    return losses


def larger_side(entries: Sequence[Entry], parts: Sequence[Decimal]) -> Decimal:
    """Return the larger side's part."""
    buys = total_of([p for e, p in zip(entries, parts, strict=True) if e.side is Side.BUY])
    sells = total_of([p for e, p in zip(entries, parts, strict=True) if e.side is Side.SELL])
    return max(buys, sells)


def value_caps(terms: GroupTerms, room: Room, value: Decimal, cap: str) -> tuple[Decimal, str]:
    """Return the common value that the caps on value let through, and the cap that decided."""
    entries, ratios, places = terms.entries, terms.ratios, terms.places
    whole = total_of(ratios)
    bound, budget = whole, room.budget - room.notional_used
    if not terms.rules.is_quotes:
        bound = total_of([_times(r, one.weight) for r, one in zip(ratios, entries, strict=True)])
        budget = _times(terms.leverage, room.budget) - room.bound_used
    value, cap = lesser(value, cap, _over(budget, bound), "budget")
    value, cap = lesser(value, cap, _over(room.gross_left, whole), "gross")
    margin = total_of([_times(r, one.margin_rate) for r, one in zip(ratios, places, strict=True)])
    free = _times(terms.margin_share, room.available)
    value, cap = lesser(value, cap, _over(free, margin), "margin")
    sides: dict[tuple[str, Side], Decimal] = {}
    for entry, ratio in zip(entries, ratios, strict=True):
        side = (entry.instrument.id, entry.side)
        sides[side] = sides.get(side, ZERO) + ratio
    for entry, ratio, place in zip(entries, ratios, places, strict=True):
        shared = sides[entry.instrument.id, entry.side]
        value, cap = lesser(value, cap, _over(place.left, shared), "instrument")
        per_unit = _over(entry.price, ratio)
        if place.depth is not None:
            depth = _times(_times(terms.depth_share, place.depth), per_unit)
            value, cap = lesser(value, cap, depth, "depth")
        value, cap = lesser(value, cap, _times(place.venue_max, per_unit), "venue_max")
    return value, cap


def smallest_value(terms: GroupTerms, room: Room, value: Decimal, cap: str) -> tuple[Decimal, str]:
    """Return the least common value that trades every leg, where only that is wanted."""
    if not room.smallest_only:
        return value, cap
    least = ZERO
    for entry, ratio in zip(terms.entries, terms.ratios, strict=True):
        smallest = _times(entry.instrument.smallest_quantity(entry.price), entry.price)
        least = max(least, _over(smallest, ratio))
    least = _times(least, 1 + MOST_RESIDUAL)
    return (least, "probe") if least < value else (value, cap)


def round_legs(terms: GroupTerms, value: Decimal) -> list[Decimal] | None:
    """Return the legs' quantities, each rounded down, at the largest value where they match.

    Only lower values are tried, so every cap still holds. None where no leg structure fits.
    """
    for _ in range(MOST_STEPS):
        quantities: list[Decimal] = []
        levels: list[Decimal] = []
        steps: list[Decimal] = []
        for entry, ratio in zip(terms.entries, terms.ratios, strict=True):
            instrument, price = entry.instrument, entry.price
            wanted = _over(_times(value, ratio), price)
            rounded = instrument.quantity_floor(wanted) if wanted > ZERO else ZERO
            if rounded < instrument.smallest_quantity(price):
                return None
            quantities.append(rounded)
            levels.append(_over(_times(rounded, price), ratio))
            steps.append(_over(_times(instrument.lot_step, price), ratio))
        low, high = min(levels), max(levels)
        if terms.rules.is_quotes or high - low <= _times(MOST_RESIDUAL, low):
            return quantities
        value = max(
            level if level < value else level - step
            for level, step in zip(levels, steps, strict=True)
        )
    return None
