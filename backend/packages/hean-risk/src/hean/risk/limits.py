"""The limits on the book that size cannot mend: one position each, conflicts, borrowing, orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from hean.core.events.market import Side
from hean.core.events.reasons import ReasonCode
from hean.core.events.strategy import Intent
from hean.core.instruments import ZERO
from hean.risk.exposure import Exposure
from hean.risk.settings import RiskSettings
from hean.risk.sizing import Entry

CONFLICT_NS: Final = 5_000_000_000

Breach = tuple[ReasonCode, float, float]
"""Code, the number that decided, its limit."""


class LastEntry(msgspec.Struct, frozen=True, gc=False):
    """The newest opening order on an instrument."""

    strategy: str
    side: Side
    ts_ns: int


def check_position(
    exposure: Exposure, strategy: str, instrument: str, intent: Intent
) -> Breach | None:
    """Refuse a second position: only quotes and rungs add to one."""
    if intent is Intent.QUOTE:
        return None
    key = (strategy, instrument)
    if key in exposure.holdings:
        return ReasonCode.POSITION_EXISTS, 1.0, 0.0
    for order in exposure.orders_of(key):
        if order.is_entry:
            return ReasonCode.POSITION_EXISTS, 1.0, 0.0
    return None


def check_conflict(last: LastEntry | None, strategy: str, side: Side, now: int) -> Breach | None:
    """Refuse an opening against another strategy's of the last five seconds."""
    if last is None or last.strategy == strategy or last.side is side:
        return None
    elapsed = now - last.ts_ns
    if elapsed >= CONFLICT_NS:
        return None
    return ReasonCode.CONFLICT, elapsed / 1e9, CONFLICT_NS / 1e9


def check_borrow(
    exposure: Exposure, strategy: str, entry: Entry, quantity: Decimal
) -> Breach | None:
    """Refuse to sell spot that the strategy does not hold and cannot borrow."""
    instrument = entry.instrument
    if not instrument.is_spot or entry.side is Side.BUY or instrument.borrowable:
        return None
    held = exposure.holdings.get((strategy, instrument.id))
    owned = ZERO if held is None else held.quantity
    if quantity <= owned:
        return None
    return ReasonCode.NO_BORROW, float(quantity), float(owned)


def check_orders(
    exposure: Exposure, section: RiskSettings, new: int, replaced: int
) -> Breach | None:
    """Refuse more entries at work than the limit; what is replaced makes room."""
    count = exposure.entries - replaced + new
    if count <= section.max_orders:
        return None
    return ReasonCode.MAX_ORDERS, float(count), float(section.max_orders)


def check_reward(section: RiskSettings, entry: Entry, targets: tuple[float, ...]) -> Breach | None:
    """Refuse a first target too near for the stop, where that limit is on."""
    least = section.min_reward_risk
    if least <= 0.0 or not targets or entry.stop is None:
        return None
    price = float(entry.price)
    ratio = abs(targets[0] - price) / abs(price - float(entry.stop))
    return None if ratio >= least else (ReasonCode.REWARD_RISK, ratio, least)
