"""One refused signal followed pessimistically: waiting for its fill, then for its exit.

A maker order fills only when price trades through it by a tick, a taker at the touch; a stop is
looked at before a target. Results are in basis points of the entry's notional.
"""

from __future__ import annotations

import msgspec

from hean.core.edge import SHADOW_LATENCY_NS
from hean.core.events import Cycle, FeeShare, OrderStyle, Phase, Regime, Side, Signal
from hean.core.instruments import Instrument

STOP_SLIPPAGE_BP = 2.0
_BP = 1e4


class Prices(msgspec.Struct, frozen=True, gc=False):
    """What a market event shows: where one sells and buys, the range traded, a bar's open time.

    For a quote the low is the ask and the high the bid: what a resting order must be crossed by;
    a quote made from a bar crosses nothing (infinities), its bar does.
    """

    bid: float
    ask: float
    low: float
    high: float
    open: float
    open_time: int = 0


class Followed(msgspec.Struct, kw_only=True, gc=False):
    """A signal on its way: pending while `opened_at` is 0. `left` is the share still open."""

    signal_id: str
    strategy: str
    instrument: str
    sign: int
    is_maker: bool
    is_quote: bool
    limit: float | None
    stop: float
    targets: tuple[float, ...]
    scale: float
    group: str
    refusal: str
    promotes: bool
    active_at: int
    expires_at: int
    time_stop_ns: int
    tick: float
    maker_bp: float
    taker_bp: float
    opened_at: int = 0
    entry: float = 0.0
    left: float = 1.0
    hit: int = 0
    gross_bp: float = 0.0
    fees_bp: float = 0.0
    slippage_bp: float = 0.0
    shares: tuple[FeeShare, ...] = ()
    funding_bp: float = 0.0
    exit_value: float = 0.0
    mae_bp: float = 0.0
    mfe_bp: float = 0.0
    regime: Regime | None = None
    phase: Phase | None = None
    cycle: Cycle | None = None

    @property
    def side(self) -> Side:
        return Side.BUY if self.sign > 0 else Side.SELL

    @property
    def stop_bp(self) -> float:
        """The distance of entry and stop; 0 where the group has the stop."""
        return abs(self.entry - self.stop) / self.entry * _BP if self.stop and self.entry else 0.0

    @property
    def cost_bp(self) -> float:
        """Entry fee by style, taker fee and slippage at the stop."""
        return (self.maker_bp if self.is_maker else self.taker_bp) + self.exit_cost_bp

    @property
    def exit_cost_bp(self) -> float:
        return self.taker_bp + STOP_SLIPPAGE_BP

    @property
    def net_bp(self) -> float:
        return self.gross_bp - self.fees_bp + self.funding_bp

    def move_bp(self, price: float) -> float:
        """Return the whole position's move at a price, what was taken at targets included."""
        return self.gross_bp + self.left * self.sign * (price - self.entry) / self.entry * _BP

    def watch(self, price: float) -> None:
        """Note the extremes."""
        found = self.move_bp(price) - self.fees_bp + self.funding_bp
        self.mae_bp = min(self.mae_bp, found)
        self.mfe_bp = max(self.mfe_bp, found)

    def crossed(self, level: float, sign: int, prices: Prices) -> bool:
        """Return whether a resting order at `level` (sign 1 buys) was traded through by a tick."""
        margin = self.tick * 0.999
        return prices.low <= level - margin if sign > 0 else prices.high >= level + margin

    def try_fill(self, prices: Prices, now: int) -> bool:
        """Fill a pending order if these prices do; return whether they did."""
        if now < self.active_at:
            return False
        if not self.is_maker:
            price = prices.ask if self.sign > 0 else prices.bid
            if self.limit is not None and (price - self.limit) * self.sign > 0.0:
                return False
            self.open_at(price, now)
            return True
        if self.limit is None or (prices.open_time and prices.open_time < self.active_at):
            return False
        if not self.crossed(self.limit, self.sign, prices):
            return False
        self.open_at(self.limit, now)
        return True

    def open_at(self, price: float, now: int) -> None:
        """Begin the position."""
        self.opened_at, self.entry = now, price
        self.fees_bp = self.maker_bp if self.is_maker else self.taker_bp
        self._deal(1.0, maker=self.is_maker)

    def stopped_at(self, prices: Prices) -> float | None:
        """Return the price at which the stop is filled, or None while it holds."""
        if not self.stop:
            return None
        if self.sign > 0:
            worst = min(prices.bid, prices.low)
            reached = worst <= self.stop
            price = prices.open if prices.open_time else worst
            return min(self.stop, price) if reached else None
        worst = max(prices.ask, prices.high)
        reached = worst >= self.stop
        price = prices.open if prices.open_time else worst
        return max(self.stop, price) if reached else None

    def take_targets(self, prices: Prices) -> None:
        """Close an equal part at each target that was traded through."""
        while self.hit < len(self.targets) and self.left > 0.0:
            level = self.targets[self.hit]
            if not self.crossed(level, -self.sign, prices):
                return
            self.hit += 1
            last = self.hit == len(self.targets)
            self.leave(level, self.left if last else 1.0 / len(self.targets), maker=True)

    def leave(self, price: float, part: float, *, maker: bool = False, slips: bool = False) -> None:
        """Close a part of the position at a price; a taker at a stop slips."""
        self.gross_bp += part * self.sign * (price - self.entry) / self.entry * _BP
        fee_bp = self.exit_cost_bp if slips else self.maker_bp if maker else self.taker_bp
        self.fees_bp += part * fee_bp
        self.slippage_bp += part * STOP_SLIPPAGE_BP if slips else 0.0
        self._deal(part, maker=maker)
        self.exit_value += part * price
        self.left = max(0.0, self.left - part)

    def _deal(self, part: float, *, maker: bool) -> None:
        """Note what a part of the entry's notional was dealt as."""
        before = self.shares[0] if self.shares else FeeShare(instrument=self.instrument)
        dealt = FeeShare(
            instrument=self.instrument,
            maker=before.maker + (part if maker else 0.0),
            taker=before.taker + (0.0 if maker else part),
        )
        self.shares = (dealt,)


def follow(
    signal: Signal,
    rules: Instrument,
    *,
    refusal: str,
    promotes: bool,
    time_stop_ns: int,
    now: int,
) -> Followed:
    """Return the signal as it is followed from now on."""
    active_at = now + SHADOW_LATENCY_NS
    return Followed(
        signal_id=signal.signal_id,
        strategy=signal.strategy,
        instrument=signal.instrument,
        sign=signal.side.sign,
        is_maker=signal.style is OrderStyle.POST_ONLY,
        is_quote=signal.intent.value == "QUOTE",
        limit=signal.limit,
        stop=signal.stop or 0.0,
        targets=signal.targets,
        scale=signal.scale,
        group=signal.group if signal.intent.value == "LEG" else "",
        refusal=refusal,
        promotes=promotes,
        active_at=active_at,
        expires_at=active_at + signal.ttl_ns if signal.ttl_ns else 0,
        time_stop_ns=signal.time_stop_ns or time_stop_ns,
        tick=rules.tick,
        maker_bp=float(rules.maker_fee) * _BP,
        taker_bp=float(rules.taker_fee) * _BP,
    )
