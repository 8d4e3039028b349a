"""Positions: signed quantity and cost, per strategy (virtual) and per instrument (net).

Adding: q += dq, C += dq*p. Reducing by k: C_k = round(C*k/|q|, 1e-8) (all of C when k = |q|),
realised = sign(q)*k*p - C_k, C -= C_k: a difference, so no rounding leaks. Money in USDT.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

import msgspec

from hean.core.events import Cycle, Phase, Regime
from hean.core.instruments import MONEY, ZERO, Instrument

EXACT: Final = Context(prec=96, rounding=ROUND_HALF_EVEN)
"""Products of money that must not round: wide enough for quantity x mark x rate."""

CENT_FRACTION: Final = Decimal("1E-8")
"""The grid of what a partial close takes out of a position's cost."""


FINEST: Final = 12
"""Decimals of what marks and rates make: with them every sum of money fits 28 digits exactly."""

MARK_DECIMALS: Final = 10

_RECENT_KEPT: Final = 128


def bounded(amount: Decimal, decimals: int = FINEST) -> Decimal:
    """Return a number with at most so many decimals; a shorter one stays as it is."""
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -decimals:
        return amount.quantize(Decimal(1).scaleb(-decimals), context=EXACT)
    return amount


class VirtualPosition(msgspec.Struct, kw_only=True, gc=False):
    """What one strategy holds on one instrument, and what the outcome will be made of.

    `risk` is the R of what is still held, `total_risk` the R of all that was entered. `mae_r` and
    `mfe_r` are the worst and best result so far in R, looked at on fills and beats.
    """

    strategy: str
    instrument: str
    quantity: Decimal
    cost: Decimal
    entry_price: Decimal
    risk: Decimal
    total_risk: Decimal
    opened_at: int
    fees: Decimal
    funding: Decimal = ZERO
    gross: Decimal = ZERO
    entered: Decimal = ZERO
    entry_value: Decimal = ZERO
    exited: Decimal = ZERO
    exit_value: Decimal = ZERO
    group: str = ""
    signal_id: str = ""
    stop: Decimal | None = None
    regime: Regime | None = None
    phase: Phase | None = None
    cycle: Cycle | None = None
    mae_r: float = 0.0
    mfe_r: float = 0.0
    entries: int = 1
    exits: int = 0
    size: float = 0.0
    booked: float = 0.0

    @property
    def net(self) -> Decimal:
        """Realised so far after fees and funding."""
        return self.gross - self.fees + self.funding

    def refresh(self) -> None:
        """Let `result` read its numbers anew."""
        self.size = 0.0

    def result(self, price: float) -> float:
        """Return the whole result in USDT as if marked at `price`."""
        if not self.size:
            self.size = float(self.quantity)
            self.booked = float(self.net - self.cost)
        return self.booked + self.size * price

    def watch(self, price: float) -> None:
        """Note how far the position is for or against, in R."""
        if self.total_risk:
            outcome = self.result(price) / float(self.total_risk)
            if outcome < self.mae_r:
                self.mae_r = outcome
            elif outcome > self.mfe_r:
                self.mfe_r = outcome


class Tally(msgspec.Struct, kw_only=True, gc=False):
    """The accounts of one strategy on one instrument, received positive but for `fees`."""

    realised: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO

    @property
    def net(self) -> Decimal:
        return EXACT.add(EXACT.subtract(self.realised, self.fees), self.funding)


class Stamp(msgspec.Struct, kw_only=True, gc=False):
    """A funding stamp: what was charged to whom, and what the venue paid (None: not yet).

    `missing` is the quantity the venue counted that the books did not have then, `late` what was
    charged to fills that came after the stamp, before the venue paid: (strategy, quantity, amount).
    """

    stamp: int
    rate: float
    mark: Decimal
    attributed: Decimal
    quantity: Decimal
    paid: Decimal | None = None
    missing: Decimal = ZERO
    late: list[tuple[str, Decimal, Decimal]] = []


class InstrumentBook(msgspec.Struct, kw_only=True):
    """Everything held on one instrument: virtual positions, their net as the venue keeps it, dust.

    `cost` is the sum of the virtual costs, dust included, `quantity` the net quantity. `dust` is
    what a fee in base coin left each strategy of what no order can trade, and what it cost; its
    next position takes it in.
    `recent` are the newest fills (time, strategy, signed quantity): a stamp may be told after them.
    """

    instrument: str
    lot_step: Decimal = ZERO
    min_quantity: Decimal = ZERO
    is_spot: bool = False
    positions: dict[str, VirtualPosition] = {}
    tallies: dict[str, Tally] = {}
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    net_cost: Decimal = ZERO
    net_realised: Decimal = ZERO
    dust: dict[str, tuple[Decimal, Decimal]] = {}
    stamps: list[Stamp] = []
    last_stamp: int = 0
    recent: list[tuple[int, str, Decimal]] = []
    mark_price: float = 0.0
    mark_ts: int = 0
    mark: Decimal = ZERO

    def follow(self, rules: Instrument) -> None:
        """Take over what the instrument's rules are now."""
        self.lot_step, self.min_quantity = rules.lot_step, rules.min_quantity
        self.is_spot = rules.is_spot

    def tally(self, strategy: str) -> Tally:
        """Return the accounts of a strategy here, opened at zero."""
        found = self.tallies.get(strategy)
        if found is None:
            found = self.tallies[strategy] = Tally()
        return found

    def note(self, ts_event: int, strategy: str, signed: Decimal) -> None:
        """Remember a fill for a stamp that is told after it."""
        self.recent.append((ts_event, strategy, signed))
        if len(self.recent) > _RECENT_KEPT:
            del self.recent[: _RECENT_KEPT // 2]

    def held_at(self, stamp: int) -> dict[str, Decimal]:
        """Return what each strategy held at a time: what it holds now, less the fills since."""
        held = {name: one.quantity for name, one in self.positions.items()}
        for ts_event, strategy, signed in self.recent:
            if ts_event > stamp:
                held[strategy] = held.get(strategy, ZERO) - signed
        return {name: quantity for name, quantity in held.items() if quantity}

    def unrealised(self) -> Decimal:
        """Return what the virtual positions would realise at the last mark."""
        return self.quantity * self.mark - self.cost

    def net_fill(self, signed: Decimal, price: Decimal) -> Decimal:
        """Book a fill on the net position; return what the venue realises by it."""
        held = self.quantity
        if held == -signed and held:
            realised = held * price - self.net_cost
            self.quantity = self.net_cost = ZERO
            self.net_realised += realised
            return realised
        if not held or (held > 0) is (signed > 0):
            self.quantity = held + signed
            self.net_cost += signed * price
            return ZERO
        part = min(abs(signed), abs(held))
        freed = cost_of_part(self.net_cost, part, abs(held))
        closed = part if held > 0 else -part
        realised = closed * price - freed
        self.quantity = held + signed
        if part == abs(held):
            self.net_cost = self.quantity * price
        else:
            self.net_cost -= freed
        self.net_realised += realised
        return realised


def cost_of_part(cost: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return the share of a cost that leaves with `part` of `whole`, on the 1e-8 grid."""
    if part == whole:
        return cost
    share = MONEY.divide(EXACT.multiply(cost, part), whole)
    return share.quantize(CENT_FRACTION, context=MONEY)


def share_of(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return amount*part/whole on the 1e-8 grid; all of it when part = whole or whole = 0."""
    return cost_of_part(amount, part, whole) if whole else amount


def forced_shares(book: InstrumentBook, signed: Decimal) -> list[tuple[str, Decimal]]:
    """Split a forced execution over the positions it reduces, pro rata and in lots.

    `signed` is the execution's signed quantity. What rounding leaves goes to the largest position
    (then by name); what nobody holds is left out.
    """
    against = sorted(
        (one for one in book.positions.values() if (one.quantity > 0) != (signed > 0)),
        key=lambda one: (-abs(one.quantity), one.strategy),
    )
    total = ZERO
    for one in against:
        total += abs(one.quantity)
    if not total:
        return []
    wanted = min(abs(signed), total)
    shares: dict[str, Decimal] = {}
    left = wanted
    for one in against:
        part = MONEY.divide(wanted * abs(one.quantity), total)
        if book.lot_step:
            part = (part // book.lot_step) * book.lot_step
        shares[one.strategy] = part
        left -= part
    for one in against:
        room = min(left, abs(one.quantity) - shares[one.strategy])
        shares[one.strategy] += room
        left -= room
    sign = 1 if signed > 0 else -1
    return [(name, part * sign) for name, part in shares.items() if part]
