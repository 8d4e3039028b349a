"""What a grid knows of one symbol, and how its own reports change the ladder."""

from __future__ import annotations

from math import log, nan

import msgspec

from hean.core.events import (
    Bar,
    Event,
    Frame,
    OrderFilled,
    OrderRejected,
    SignalRejected,
)
from hean.strategies.base import DeskState, StrategySection
from hean.strategies.grid_ladder import Aim, Ladder
from hean.strategies.pace import DAY_NS, SECOND_NS
from hean.strategies.quoting import QuoteDesk, ended_quote
from hean.strategies.spec import ENHANCED_GRID, tunable
from hean.strategies.windows import Average

REFUSED_NS = 60 * SECOND_NS
"""How long a ladder the gate refused is not offered again."""
RETRY_NS = 5 * SECOND_NS
"""How long an order the venue refused waits before it is asked for again."""
_BARS_HALF_LIFE = 60.0
_GONE = "closed by its stop or from outside"


class GridSettings(StrategySection):
    """Tunables of EnhancedGrid; all are starting values."""

    step_bp: float = tunable(ENHANCED_GRID, "step_bp", 12)
    """Least step between rungs in bp, 10 to 40; fee and volatility may ask for more."""
    rungs: float = tunable(ENHANCED_GRID, "rungs", 5)
    """Rungs a side, 3 to 8; a fraction is dropped."""
    variance_ratio: float = tunable(ENHANCED_GRID, "variance_ratio", 0.85)
    """Variance ratio of 60 s above which nothing is built, 0.6 to 0.95; a walk has 1."""


class GridDesk(QuoteDesk, kw_only=True):
    """The newest second, the volatility of bars, and the ladder with its targets at work."""

    frame: Frame | None = None
    seen_at: int = 0
    """When the touch was last told, or confirmed by the book."""
    close: float = nan
    bar_at: int = -1
    variance: Average = msgspec.field(default_factory=lambda: Average(half_life=_BARS_HALF_LIFE))
    """Squared returns a second, from bars."""
    ladder: Ladder | None = None
    aims: list[Aim] = msgspec.field(default_factory=lambda: list[Aim]())
    lost_at: int = 0
    """Since when the regime is not RANGE; 0 while it is."""
    ended_at: int = -1
    again_at: int = 0
    aim_again_at: int = 0


class GridState(DeskState[GridDesk], kw_only=True):
    """All desks and the day's orders over all of them."""

    day: int = -1
    orders: int = 0

    def count_order(self, now: int) -> bool:
        """Count an order of the UTC day; return whether the cap allowed it."""
        day = now // DAY_NS
        if day != self.day:
            self.day, self.orders = day, 0
        if self.orders >= ENHANCED_GRID.daily_cap:
            return False
        self.orders += 1
        return True


def take_bar(desk: GridDesk, event: Bar) -> None:
    """Learn the volatility of bars."""
    if desk.close > 0.0 and event.interval_ns > 0:
        moved = round(1e9 * log(event.close / desk.close)) / 1e9
        desk.variance.push(moved * moved * SECOND_NS / event.interval_ns)
    desk.close, desk.bar_at = event.close, event.ts_init


def take_fill(desk: GridDesk, event: OrderFilled) -> None:
    """Take an own fill into the rung, the target or the end it belongs to."""
    ladder = desk.ladder
    if ladder is None:
        return
    quantity, sign = float(event.quantity), event.side.sign
    aim = next((one for one in desk.aims if one.order_id == event.client_order_id), None)
    rung = ladder.rung_of(event.client_order_id)
    if rung is not None:
        if ladder.inventory * sign < -1e-9 and not ladder.killed_at:
            ladder.killed_at, ladder.reason = event.ts_init, "a rung filled against the inventory"
        rung.held += quantity
        rung.is_counted = False
        ladder.fills += 1
        ladder.clip = max(ladder.clip, float(event.filled + event.remaining))
    elif aim is not None:
        target = ladder.rungs[aim.rung]
        target.held = max(0.0, target.held - quantity)
        target.aimed = max(0.0, target.aimed - quantity)
        aim.left = max(0.0, aim.left - quantity)
        if not event.remaining:
            end_aim(desk, event.client_order_id, "", 0)
    elif not ladder.killed_at:
        ladder.killed_at, ladder.reason = event.ts_init, _GONE
    ladder.book(sign, quantity, float(event.price), float(event.fee))


def end_aim(desk: GridDesk, order_id: str, signal_id: str, now: int) -> None:
    """Forget a target that has ended; what it left is aimed at again."""
    for one in desk.aims:
        if one.order_id == order_id or one.signal_id == signal_id:
            desk.aims.remove(one)
            if desk.ladder is not None:
                rung = desk.ladder.rungs[one.rung]
                rung.aimed = max(0.0, rung.aimed - one.left)
                if rung.held < 0.5 * desk.specification.lot:
                    rung.held = rung.aimed = 0.0
            if now:
                desk.aim_again_at = now + RETRY_NS
            return


def end_rung_order(desk: GridDesk, event: Event, now: int) -> None:
    """Forget a rung's order that has ended; a refused ladder that never filled is dropped."""
    ended, ladder = ended_quote(desk, event), desk.ladder
    if ended is None or ladder is None:
        return
    rung = ladder.rung_of(ended.order_id)
    if rung is not None:
        rung.orders.remove(ended.order_id)
    if isinstance(event, SignalRejected | OrderRejected):
        desk.again_at = now + (REFUSED_NS if isinstance(event, SignalRejected) else RETRY_NS)
        if not ladder.fills and not desk.quotes and isinstance(event, SignalRejected):
            desk.ladder = None


def square(desk: GridDesk, ladder: Ladder, now: int) -> None:
    """Square the ladder with a position that is gone; what it still held was closed by others."""
    lot = desk.specification.lot
    if any(one.held > 0.5 * lot for one in ladder.rungs) and not ladder.killed_at:
        ladder.killed_at, ladder.reason = now, _GONE
    for one in ladder.rungs:
        one.held = one.aimed = 0.0
    ladder.inventory = 0.0
