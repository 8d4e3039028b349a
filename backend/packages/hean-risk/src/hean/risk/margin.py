"""Margin by the venue's tiers: what a position binds, needs to live, and where it is liquidated."""

from __future__ import annotations

from decimal import Decimal

from hean.core.instruments import MONEY, ZERO, Instrument, MarginTier


def tier_of(instrument: Instrument, notional: Decimal) -> MarginTier:
    """Return the tier that holds for a position value in USDT; beyond the last, the last."""
    tiers = instrument.margin_tiers()
    for tier in tiers:
        if notional <= tier.limit:
            return tier
    return tiers[-1]


def initial_rate(instrument: Instrument, notional: Decimal, leverage: Decimal) -> Decimal:
    """Return initial margin per USDT of value: the tier's, or 1/leverage if that is more.

    Spot is paid in full.
    """
    if instrument.is_spot:
        return Decimal(1)
    return max(tier_of(instrument, notional).initial_rate, MONEY.divide(Decimal(1), leverage))


def maintenance_margin(instrument: Instrument, notional: Decimal) -> Decimal:
    """Return the maintenance margin in USDT of a position value; spot needs none."""
    if instrument.is_spot:
        return ZERO
    tier = tier_of(instrument, notional)
    return max(ZERO, MONEY.multiply(notional, tier.maintenance_rate) - tier.deduction)


def liquidation_distance(
    instrument: Instrument, quantity: Decimal, price: Decimal, balance: Decimal
) -> Decimal | None:
    """Return how far price may move against a position before liquidation, in price units.

    `balance` is the margin that may be lost: equity less the other positions' maintenance margin.
    None for spot and for no position: neither is liquidated.
    """
    if instrument.is_spot or not quantity:
        return None
    notional = MONEY.multiply(quantity, price)
    return MONEY.divide(balance - maintenance_margin(instrument, notional), quantity)
