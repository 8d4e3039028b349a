"""Plans of what to close: one strategy's position, or the whole account worst first."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from hean.core.events.market import Side
from hean.core.events.strategy import OrderStyle
from hean.core.instruments import MONEY, ZERO, Instrument
from hean.core.market_view import MarketView
from hean.risk.exposure import EXTERNAL, Exposure, Holding, Key
from hean.risk.stress import M1B_MAJOR, M1B_OTHER, MAJORS

MOST_SLICES: Final = 50


class Close(msgspec.Struct, frozen=True, gc=False):
    """One order that shrinks one strategy's position; `slice` tells its siblings apart."""

    strategy: str
    instrument: str
    side: Side
    quantity: Decimal
    slice: int


def exit_side(quantity: Decimal) -> Side:
    """Return the side that closes a signed quantity."""
    return Side.SELL if quantity > ZERO else Side.BUY


def closable(exposure: Exposure, key: Key, instrument: Instrument) -> Decimal:
    """Return what of a position no exit at work covers, in whole lots."""
    holding = exposure.holdings.get(key)
    if holding is None:
        return ZERO
    left = abs(holding.quantity) - exposure.closing(key)
    return instrument.quantity_floor(left) if left > ZERO else ZERO


def flat_quantity(
    exposure: Exposure, key: Key, instrument: Instrument, cancels: tuple[str, ...]
) -> Decimal:
    """Return what may be closed now: exits that are cancelled with it cover nothing any more."""
    holding = exposure.holdings.get(key)
    if holding is None:
        return ZERO
    quantity = closable(exposure, key, instrument)
    for order in exposure.orders_of(key):
        if not order.is_entry and order.client_order_id in cancels:
            quantity += order.remaining
    return instrument.quantity_floor(min(quantity, abs(holding.quantity)))


def own_orders(exposure: Exposure, key: Key) -> tuple[str, ...]:
    """Return what a flat wish cancels: the key's working entries, and exits that only rest."""
    return tuple(
        order.client_order_id
        for order in exposure.orders_of(key)
        if not order.is_leaving and (order.is_entry or order.style is OrderStyle.POST_ONLY)
    )


def shrinks_net(exposure: Exposure, instrument: Instrument, side: Side, size: Decimal) -> bool:
    """Return whether an exit shrinks the venue's net position, so that reduce-only may be set."""
    if instrument.is_spot:
        return False
    net = exposure.instrument(instrument.id).quantity
    return net >= size if side is Side.SELL else -net >= size


def plan_flat(exposure: Exposure, view: MarketView) -> list[Close]:
    """Return the closes of every net position, worst stress loss first, pro rata by strategy.

    What exits at work already cover is left out; EXTERNAL belongs to the operator.
    """
    plans: list[Close] = []
    for instrument in _by_stress(exposure, view):
        rules = view.instruments.get(instrument)
        holdings = _ours(exposure, instrument)
        net = ZERO
        for one in holdings:
            net += one.quantity
        if rules is None or not net:
            continue
        side = [one for one in holdings if (one.quantity > ZERO) == (net > ZERO)]
        plans.extend(_shares(exposure, rules, side, abs(net)))
    return plans


def plan_cross(exposure: Exposure) -> list[Holding]:
    """Return the holdings that oppose each other on a flat net with no exit at work."""
    found: list[Holding] = []
    for instrument in exposure.by_instrument:
        holdings = _ours(exposure, instrument)
        net = ZERO
        for one in holdings:
            net += one.quantity
        works = any(exposure.closing((one.strategy, instrument)) for one in holdings)
        if holdings and not net and not works:
            found.extend(holdings)
    return found


def is_flat(exposure: Exposure) -> bool:
    """Return whether nothing of ours is left to close."""
    return not any(one.strategy != EXTERNAL for one in exposure.holdings.values())


def _ours(exposure: Exposure, instrument: str) -> list[Holding]:
    return [
        one
        for one in exposure.holdings.values()
        if one.instrument == instrument and one.strategy != EXTERNAL
    ]


def _by_stress(exposure: Exposure, view: MarketView) -> list[str]:
    def loss(instrument: str) -> float:
        rules = view.instruments.get(instrument)
        move = M1B_MAJOR if rules is not None and rules.base in MAJORS else M1B_OTHER
        return abs(float(exposure.by_instrument[instrument].net)) * move

    return sorted(exposure.by_instrument, key=lambda one: (-loss(one), one))


def _shares(
    exposure: Exposure, rules: Instrument, holdings: list[Holding], net: Decimal
) -> list[Close]:
    whole = ZERO
    for one in holdings:
        whole += abs(one.quantity)
    plans: list[Close] = []
    left = net
    for index, one in enumerate(holdings):
        size = abs(one.quantity)
        share = rules.quantity_floor(MONEY.divide(MONEY.multiply(size, net), whole))
        if index == len(holdings) - 1:
            share = min(left, size)
        left -= share
        covered = exposure.closing((one.strategy, one.instrument))
        plans.extend(_slices(one, rules, share - covered))
    return plans


def _slices(holding: Holding, rules: Instrument, quantity: Decimal) -> list[Close]:
    plans: list[Close] = []
    while quantity >= rules.lot_step and len(plans) < MOST_SLICES:
        size = rules.quantity_floor(min(quantity, rules.max_market_quantity))
        if size <= ZERO:
            break
        side = exit_side(holding.quantity)
        plans.append(Close(holding.strategy, holding.instrument, side, size, len(plans)))
        quantity -= size
    return plans
