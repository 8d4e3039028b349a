"""How the paper venue ends an account that lacks maintenance margin.

Bybit's cross margin: each position is taken over at its bankruptcy price, where its share of the
margin balance (by maintenance margin) is gone, fee included. A better market price is the insurance
fund's gain, a worse one its loss. Coins are then sold at their collateral value if USDT is owed.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from hean.app.venues.margin_account import Margin, MarginAccount
from hean.core.events import Side
from hean.core.instruments import MONEY, ZERO, Instrument

_ONE = Decimal(1)


class Takeover(NamedTuple):
    """One strategy's part of a position that the venue takes over."""

    strategy: str
    side: Side
    quantity: Decimal


def is_due(margin: Margin) -> bool:
    """Return whether the margin balance no longer covers maintenance."""
    return margin.maintenance > 0 and margin.balance <= margin.maintenance


def bankruptcy_price(
    account: MarginAccount, instrument: Instrument, mark: Decimal, margin: Margin
) -> Decimal:
    """Return the price that uses up the position's share of the margin balance, in its favour."""
    quantity = account.net(instrument.id)
    size = abs(quantity)
    part = MONEY.divide(account.maintenance_of(instrument.id, mark), margin.maintenance)
    share = MONEY.multiply(margin.balance, part)
    value = MONEY.multiply(size, mark)
    if quantity > 0:
        net_of_fee = MONEY.multiply(size, _ONE - instrument.taker_fee)
        price = instrument.price_ceiling(MONEY.divide(value - share, net_of_fee))
        return max(price, instrument.tick_size)
    with_fee = MONEY.multiply(size, _ONE + instrument.taker_fee)
    return max(instrument.price_floor(MONEY.divide(value + share, with_fee)), instrument.tick_size)


def collateral_price(instrument: Instrument, mark: Decimal, share: Decimal) -> Decimal:
    """Return the price at which a sale of coins brings their collateral value after its fee."""
    value = MONEY.multiply(mark, share)
    return instrument.price_ceiling(MONEY.divide(value, _ONE - instrument.taker_fee))


def split(
    shares: dict[str, Decimal], net: Decimal, instrument: Instrument
) -> tuple[Takeover, ...]:
    """Divide the net position over the strategies on its side, pro rata in lots.

    What rounding leaves goes to the largest share, so that the parts add up to `net`.
    """
    side = Side.SELL if net > 0 else Side.BUY
    holders = sorted(
        (name for name, held in shares.items() if held * net > 0),
        key=lambda name: (-abs(shares[name]), name),
    )
    total = ZERO
    for name in holders:
        total += abs(shares[name])
    size = abs(net)
    left = size
    parts: dict[str, Decimal] = {}
    for name in holders[1:]:
        exact = MONEY.divide(MONEY.multiply(size, abs(shares[name])), total)
        parts[name] = instrument.quantity_floor(exact)
        left -= parts[name]
    parts[holders[0]] = left
    return tuple(Takeover(name, side, parts[name]) for name in holders if parts[name])
