"""One account as the venue keeps it: USDT, coins, net positions, margin.

Cross margin on marks, after Bybit's unified account: margin balance = USDT + unrealised profit of
perpetuals + coins at a share of their value; initial and maintenance margin by the instrument's
tiers. Costs are averages; a partial close releases its share of the cost rounded to 1e-8, so that
wallet and cost always add up to the fills' cash.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from hean.core.events import Side
from hean.core.instruments import MONEY, ZERO, Instrument, MarginTier
from hean.core.snapshot import pack, unpack

_COST_STEP = Decimal("1e-8")
_ONE = Decimal(1)

Marks = Callable[[str], Decimal | None]


class Holding(msgspec.Struct):
    """The net position on an instrument (for spot: coins), its cost, and whose it is.

    `shares` are the signed quantities of the strategies that traded it; they add up to `quantity`.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    shares: dict[str, Decimal] = msgspec.field(default_factory=dict[str, Decimal])

    @property
    def entry_price(self) -> Decimal:
        return MONEY.divide(self.cost, self.quantity) if self.quantity else ZERO


class Margin(msgspec.Struct, frozen=True, gc=False):
    """The account's margin on present marks, in USDT."""

    balance: Decimal
    initial: Decimal
    maintenance: Decimal


class _State(msgspec.Struct, frozen=True):
    wallet: Decimal
    holdings: list[tuple[str, Holding]]
    instruments: dict[str, Instrument]


def tier_for(tiers: tuple[MarginTier, ...], value: Decimal) -> MarginTier:
    """Return the tier of a position value; beyond the last limit the last one holds."""
    for tier in tiers:
        if value <= tier.limit:
            return tier
    return tiers[-1]


class MarginAccount:
    """USDT `wallet` and holdings of one account; `leverage` is what is set at the venue."""

    name = "margin_account"

    def __init__(self, *, wallet: Decimal, leverage: Decimal, collateral_share: Decimal) -> None:
        self.wallet = wallet
        self.holdings: dict[str, Holding] = {}
        self._instruments: dict[str, Instrument] = {}
        self._tiers: dict[str, tuple[MarginTier, ...]] = {}
        self._rate = MONEY.divide(_ONE, leverage)
        self._collateral = collateral_share

    def learn(self, instrument: Instrument) -> None:
        """Take over an instrument's rules; a changed rule replaces the old one."""
        if self._instruments.get(instrument.id) is not instrument:
            self._instruments[instrument.id] = instrument
            self._tiers[instrument.id] = instrument.margin_tiers()

    def net(self, instrument: str) -> Decimal:
        """Return the signed net position, or the coins of a spot instrument."""
        holding = self.holdings.get(instrument)
        return ZERO if holding is None else holding.quantity

    def share(self, instrument: str, strategy: str) -> Decimal:
        """Return what a strategy's own fills add up to."""
        holding = self.holdings.get(instrument)
        return ZERO if holding is None else holding.shares.get(strategy, ZERO)

    def book(
        self, instrument: Instrument, strategy: str, signed: Decimal, price: Decimal, fee: Decimal
    ) -> None:
        """Book a fill: `signed` moves the position, `fee` is its whole fee in USDT."""
        holding = self.holdings.get(instrument.id)
        if holding is None:
            holding = self.holdings[instrument.id] = Holding()
            self.learn(instrument)
        realised = _change(holding, signed, price)
        moved = -(signed * price) if instrument.is_spot else realised
        self.wallet = self.wallet + moved - fee
        share = holding.shares.get(strategy, ZERO) + signed
        if share:
            holding.shares[strategy] = share
        else:
            holding.shares.pop(strategy, None)
        if not holding.quantity and not holding.shares:
            del self.holdings[instrument.id]

    def pay(self, amount: Decimal) -> None:
        """Move the wallet by funding, received positive."""
        self.wallet += amount

    def initial_rate(self, instrument: Instrument, value: Decimal) -> Decimal:
        """Return the initial margin rate of a position value at the leverage set."""
        self.learn(instrument)
        tier = tier_for(self._tiers[instrument.id], value)
        return max(self._rate, tier.initial_rate)

    def highest_maintenance_rate(self, instrument: str) -> Decimal:
        """Return the maintenance rate of the instrument's last tier."""
        return self._tiers[instrument][-1].maintenance_rate

    def value_share(self, instrument: str, quantity: Decimal) -> Decimal:
        """Return how much of a holding's value counts as margin: a coin less than all, debt all."""
        if self._instruments[instrument].is_spot and quantity > 0:
            return self._collateral
        return _ONE

    def margin(self, marks: Marks) -> Margin:
        """Return the margin on `marks`; a holding without any mark counts at its cost."""
        balance, initial, maintenance = self.wallet, ZERO, ZERO
        for name, holding in self.holdings.items():
            quantity = holding.quantity
            if not quantity:
                continue
            mark = marks(name)
            value = holding.cost if mark is None else quantity * mark
            if self._instruments[name].is_spot:
                balance += value * self.value_share(name, quantity)
                if quantity > 0:
                    continue
            else:
                balance += value - holding.cost
            size = abs(value)
            tier = tier_for(self._tiers[name], size)
            rate = max(self._rate, tier.initial_rate)
            initial += size * rate
            maintenance += size * tier.maintenance_rate - tier.deduction
        return Margin(balance, initial, maintenance)

    def maintenance_of(self, instrument: str, mark: Decimal) -> Decimal:
        """Return one holding's maintenance margin at a mark; owned coins need none."""
        quantity = self.net(instrument)
        if self._instruments[instrument].is_spot and quantity > 0:
            return ZERO
        size = abs(MONEY.multiply(quantity, mark))
        tier = tier_for(self._tiers[instrument], size)
        return MONEY.multiply(size, tier.maintenance_rate) - tier.deduction

    def opens(self, instrument: str, side: Side, quantity: Decimal) -> Decimal:
        """Return the part of an order that enlarges the net position instead of closing it."""
        net = self.net(instrument)
        if net * side.sign >= 0:
            return quantity
        return max(ZERO, quantity - abs(net))

    def snapshot(self) -> bytes:
        """Return wallet, holdings and the rules of what is held."""
        return pack(
            self.name, 1, _State(self.wallet, list(self.holdings.items()), self._instruments)
        )

    def restore(self, state: bytes) -> None:
        """Take over a snapshot."""
        found = unpack(state, self.name, 1, _State)
        self.wallet = found.wallet
        self.holdings = dict(found.holdings)
        self._instruments = {}
        for instrument in found.instruments.values():
            self.learn(instrument)


def _change(holding: Holding, signed: Decimal, price: Decimal) -> Decimal:
    """Move quantity and cost by one fill; return the realised profit before fees."""
    before = holding.quantity
    if not before or (before > 0) == (signed > 0):
        holding.quantity = before + signed
        holding.cost += signed * price
        return ZERO
    closed = min(abs(signed), abs(before))
    if closed == abs(before):
        released = holding.cost
    else:
        share = MONEY.divide(MONEY.multiply(holding.cost, closed), abs(before))
        released = share.quantize(_COST_STEP, context=MONEY)
    moved = closed if before > 0 else -closed
    realised = moved * price - released
    opened = signed + moved
    holding.quantity = before + signed
    holding.cost = holding.cost - released + opened * price
    return realised
