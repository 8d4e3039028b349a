"""Whether the paper venue takes an order: the instrument's rules, then the account's funds.

Codes are Bybit's. A closing order is exempt from the minimum notional, as reduce-only orders are.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from hean.app.venues.margin_account import MarginAccount, Marks
from hean.app.venues.matching import Market
from hean.app.venues.resting import PaperOrder
from hean.core.events import OrderRequest, OrderStyle, Side
from hean.core.instruments import MONEY, ZERO, Instrument

PARAMETER = "10001"
NO_PRICE = "110003"
INSUFFICIENT = "110007"
REDUCE_ONLY = "110017"
BELOW_NOTIONAL = "110094"
SPOT_BALANCE = "170131"
SPOT_TOO_LARGE = "170124"
SPOT_TOO_SMALL = "170136"
SPOT_NOTIONAL = "170140"
POST_ONLY_CROSSES = "EC_PostOnlyWillTakeLiquidity"


class Refusal(NamedTuple):
    """The venue's code, and a sentence."""

    code: str
    reason: str


class Reserve(NamedTuple):
    """What resting orders hold back: initial margin, USDT for purchases, coins for sales."""

    margin: Decimal
    cash: Decimal
    coins: Decimal


NOTHING_HELD = Reserve(ZERO, ZERO, ZERO)
"""What resting orders hold back where none rest."""


def broken_rule(request: OrderRequest, instrument: Instrument) -> Refusal | None:
    """Return which of the instrument's trading rules a request breaks, if any."""
    quantity, price, spot = request.quantity, request.price, instrument.is_spot
    if quantity <= 0 or quantity % instrument.lot_step:
        return Refusal(PARAMETER, f"quantity {quantity} is no multiple of {instrument.lot_step}")
    if price is None:
        if request.style is not OrderStyle.MARKET:
            return Refusal(PARAMETER, f"a {request.style} order needs a price")
    elif price <= 0 or price % instrument.tick_size:
        return Refusal(PARAMETER, f"price {price} is no multiple of {instrument.tick_size}")
    if quantity < instrument.min_quantity:
        code = SPOT_TOO_SMALL if spot else PARAMETER
        return Refusal(code, f"quantity {quantity} is below {instrument.min_quantity}")
    at_market = request.style is OrderStyle.MARKET
    largest = instrument.max_market_quantity if at_market else instrument.max_quantity
    if quantity > largest:
        code = SPOT_TOO_LARGE if spot else PARAMETER
        return Refusal(code, f"quantity {quantity} is above {largest}")
    return None


def below_notional(order: PaperOrder, instrument: Instrument, price: Decimal) -> Refusal | None:
    """Return a refusal when an opening order is worth less than the minimum."""
    if order.closing or order.reduce_only:
        return None
    if order.quantity * price >= instrument.min_notional:
        return None
    code = SPOT_NOTIONAL if instrument.is_spot else BELOW_NOTIONAL
    return Refusal(code, f"order does not meet minimum order value {instrument.min_notional}")


def reserve_of(
    orders: Iterable[PaperOrder],
    account: MarginAccount,
    instruments: dict[str, Instrument],
    coin: str,
) -> Reserve:
    """Return what resting orders hold back; coins are those of the instrument `coin`."""
    margin = cash = coins = ZERO
    for order in orders:
        instrument = instruments[order.instrument]
        left = order.remaining
        value = left * (order.price or ZERO)
        if instrument.is_spot:
            if order.side is Side.BUY:
                cash += value
            elif order.instrument == coin:
                coins += left
        elif not order.reduce_only and not order.closing:
            margin += MONEY.multiply(value, account.initial_rate(instrument, value))
    return Reserve(margin, cash, coins)


def short_of_funds(
    order: PaperOrder,
    wanted: Decimal,
    instrument: Instrument,
    price: Decimal,
    account: MarginAccount,
    reserve: Reserve,
    marks: Marks,
) -> Refusal | None:
    """Return a refusal when the account cannot carry `wanted` of an order at `price`."""
    if instrument.is_spot:
        return _short_of_coins(order, wanted, instrument, price, account, reserve, marks)
    opened = account.opens(instrument.id, order.side, wanted)
    if opened <= 0:
        return None
    needed = _margin_for(instrument, opened, price, account)
    return _unless(needed, _available(account, reserve, marks), INSUFFICIENT)


def crosses(order: PaperOrder, market: Market, tick: float) -> bool:
    """Return whether a resting price would take at once; a source without spread lets it join."""
    taken, own = market.touch(order.side), market.touch(order.side.opposite)
    if taken is None:
        return False
    ahead = (order.level - taken) * order.side.sign
    if ahead > 0.5 * tick:
        return True
    return ahead > -0.5 * tick and own is not None and own != taken


def _available(account: MarginAccount, reserve: Reserve, marks: Marks) -> Decimal:
    margin = account.margin(marks)
    return margin.balance - margin.initial - reserve.margin


def _margin_for(
    instrument: Instrument, opened: Decimal, price: Decimal, account: MarginAccount
) -> Decimal:
    """Return initial margin plus the fees to open and to close, as Bybit's order cost."""
    value = opened * price
    after = value + abs(account.net(instrument.id) * price)
    rate = account.initial_rate(instrument, after) + instrument.taker_fee + instrument.taker_fee
    return value * rate


def _short_of_coins(
    order: PaperOrder,
    wanted: Decimal,
    instrument: Instrument,
    price: Decimal,
    account: MarginAccount,
    reserve: Reserve,
    marks: Marks,
) -> Refusal | None:
    if order.side is Side.BUY:
        cost = wanted * price
        refusal = _unless(cost, account.wallet - reserve.cash, SPOT_BALANCE)
        if refusal is not None or account.net(instrument.id) < 0:
            return refusal
        counts = account.value_share(instrument.id, wanted)
        margin_lost = cost - cost * counts
        return _unless(margin_lost, _available(account, reserve, marks), SPOT_BALANCE)
    owned = max(ZERO, account.net(instrument.id) - reserve.coins)
    borrowed = wanted - owned
    if borrowed <= 0:
        return None
    if not instrument.borrowable:
        return Refusal(SPOT_BALANCE, f"{owned} {instrument.base} owned, {wanted} to sell")
    needed = _margin_for(instrument, borrowed, price, account)
    return _unless(needed, _available(account, reserve, marks), SPOT_BALANCE)


def _unless(needed: Decimal, available: Decimal, code: str) -> Refusal | None:
    if needed <= available:
        return None
    return Refusal(code, f"{needed:.4f} USDT needed, {available:.4f} available")
