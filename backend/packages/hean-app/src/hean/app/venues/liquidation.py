"""How the paper venue ends an account that lacks maintenance margin.

Bybit's cross margin: each position is taken over at its bankruptcy price, where its share of the
margin balance (by maintenance margin) is gone, fee included. A better market price is the insurance
fund's gain, a worse one its loss. Coins are then sold at their collateral value if USDT is owed.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from hean.app.venues.desk import Desk
from hean.app.venues.margin_account import Margin, MarginAccount
from hean.app.venues.resting import PaperOrder, Watch
from hean.core.events import FillKind, Liquidity, OrderStyle, Side
from hean.core.instruments import MONEY, ZERO, Instrument
from hean.core.market_view import MarketView
from hean.core.timers import Agenda

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


def split(shares: dict[str, Decimal], net: Decimal, instrument: Instrument) -> tuple[Takeover, ...]:
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


class Liquidator:
    """Watches the margin where a price leaves the safe band, and takes over what must go."""

    def __init__(self, *, agenda: Agenda, view: MarketView, desk: Desk) -> None:
        self._agenda = agenda
        self._view = view
        self._desk = desk

    def check(self, watch: Watch, name: str, price: float) -> None:
        """Judge the margin with `price` as the mark, unless it is in the safe band."""
        if watch.safe_low < price < watch.safe_high:
            return
        seen = self._desk.treasury.seen_price
        seen[name] = price
        margin = self._desk.treasury.margin()
        if is_due(margin):
            self._liquidate(margin)
        self._desk.treasury.guard(self._desk.treasury.margin())
        del seen[name]

    def _liquidate(self, margin: Margin) -> None:
        account = self._desk.account
        held = [name for name, one in account.holdings.items() if one.quantity]
        for name in held:
            mark, instrument = self._desk.treasury.mark(name), self._view.instruments[name]
            if mark is None or _is_owned(account, instrument):
                continue
            self._clear(name)
            self._take_over(instrument, bankruptcy_price(account, instrument, mark, margin))
        for name in held:
            mark, instrument = self._desk.treasury.mark(name), self._view.instruments[name]
            if account.wallet >= 0 or mark is None or not _is_owned(account, instrument):
                continue
            self._clear(name)
            share = account.value_share(name, account.net(name))
            self._take_over(instrument, collateral_price(instrument, mark, share))

    def _clear(self, name: str) -> None:
        watch = self._desk.watch(name)
        for order in (*watch.limits.values(), *watch.stops.values()):
            watch.remove(order)
            self._desk.reporter.cancelled(order, "CancelAllBeforeLiq")

    def _take_over(self, instrument: Instrument, price: Decimal) -> None:
        holding = self._desk.account.holdings[instrument.id]
        for part in split(dict(holding.shares), holding.quantity, instrument):
            self._desk.orders += 1
            order = PaperOrder(
                client_order_id=f"liquidation-{self._desk.orders}",
                signal_id="",
                strategy=part.strategy,
                instrument=instrument.id,
                side=part.side,
                quantity=part.quantity,
                price=price,
                style=OrderStyle.MARKET,
                number=self._desk.orders,
                accepted_at=self._agenda.now,
            )
            kind = FillKind.LIQUIDATION
            self._desk.fill(order, instrument, price, part.quantity, Liquidity.TAKER, kind)
        self._desk.settle(instrument)


def _is_owned(account: MarginAccount, instrument: Instrument) -> bool:
    return instrument.is_spot and account.net(instrument.id) > 0
