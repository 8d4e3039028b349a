"""The worst of the stress scenarios M1 to M6 for a book and a candidate order.

Magnitudes are judgement, in one table. M1 to M5 move every instrument together, so a hedge is
worth what it is there; M6 is M1b with the legs of a hedge moving apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

MAJORS: Final = frozenset({"BTC", "ETH"})
"""Coins with the smaller shock of M1b."""
M1A_MOVE: Final = 0.10
M1A_LATE: Final = 0.25
"""M1a fills a stop late by this share of the move."""
M1B_MAJOR, M1B_OTHER = 0.30, 0.45
M2_SWING, M2_SLIPPAGE = 0.10, 0.25
M3_MOVE, M3_HALF_SPREADS = 0.05, 50.0
M4_FUNDING, M4_MOVE = 0.02, 0.05
M5_MOVE, M5_HALF_SPREADS = 0.25, 21.0
M6_PAIR, M6_BASIS = 0.10, 0.03
NO_STOP: Final = math.inf
"""The stop distance of a line whose stop does not help."""
_QUICK = M1B_OTHER + M6_PAIR + M6_BASIS
_STEPS = 24


class Line(msgspec.Struct, frozen=True, gc=False):
    """A position, a working entry or a candidate. `notional` is signed USDT, `stop` a fraction.

    `is_loose` marks an order that may fill while another does not; a leg counts with its hedge.
    """

    instrument: str
    coin: str
    notional: float
    stop: float
    half_spread: float
    maintenance: float
    is_perpetual: bool
    is_loose: bool = False


class Sums:
    """What the scenarios need of a book: linear sums, and nets by instrument."""

    __slots__ = (
        "fall", "gross", "maintenance", "nets", "perpetual", "rise", "shocked", "signed",
        "spread", "stopped",
    )  # fmt: skip

    def __init__(self) -> None:
        self.signed = self.shocked = self.gross = self.perpetual = 0.0
        self.spread = self.stopped = self.rise = self.fall = self.maintenance = 0.0
        self.nets: dict[str, tuple[str, float]] = {}

    def add(self, line: Line, scale: float = 1.0) -> None:
        """Count a line, `scale` times."""
        notional = line.notional * scale
        size = abs(notional)
        self.signed += notional
        self.shocked += notional * (M1B_MAJOR if line.coin in MAJORS else M1B_OTHER)
        self.gross += size
        if line.is_perpetual:
            self.perpetual += size
        self.spread += size * line.half_spread
        self.maintenance += size * line.maintenance
        swing = min(line.stop, M2_SWING)
        late = line.stop < M2_SWING
        self.stopped += size * swing * (1.0 + M2_SLIPPAGE if late else 1.0)
        held = min(M1A_MOVE, line.stop + M1A_LATE * M1A_MOVE)
        if notional > 0.0:
            self.rise -= size * M1A_MOVE
            self.fall += size * held
        else:
            self.rise += size * held
            self.fall -= size * M1A_MOVE
        coin, net = self.nets.get(line.instrument, (line.coin, 0.0))
        self.nets[line.instrument] = (coin, net + notional)

    def with_lines(self, lines: Sequence[Line], scale: float) -> Sums:
        """Return a copy with lines counted `scale` times."""
        other = Sums()
        other.signed, other.shocked, other.gross = self.signed, self.shocked, self.gross
        other.perpetual, other.spread, other.stopped = self.perpetual, self.spread, self.stopped
        other.rise, other.fall, other.maintenance = self.rise, self.fall, self.maintenance
        other.nets = dict(self.nets)
        for line in lines:
            other.add(line, scale)
        return other


def scenario_losses(sums: Sums, equity: float) -> tuple[float, ...]:
    """Return the losses in USDT of M1a, M1b, M2, M3, M4, M5, M6, each for its worse sign."""
    shocked, signed = abs(sums.shocked), abs(sums.signed)
    accelerating = M5_MOVE * signed + M5_HALF_SPREADS * sums.spread
    if equity - accelerating < sums.maintenance:
        accelerating += sums.maintenance
    return (
        max(sums.rise, sums.fall),
        shocked,
        sums.stopped,
        M3_MOVE * signed + M3_HALF_SPREADS * sums.spread,
        M4_MOVE * signed + M4_FUNDING * sums.perpetual,
        accelerating,
        shocked + _dispersion(sums),
    )


def worst_loss(sums: Sums, equity: float) -> float:
    """Return the largest scenario loss in USDT, never below 0."""
    return max(0.0, *scenario_losses(sums, equity))


class Outlook:
    """What a book may become: everything fills, or of the loose orders only bids, or only asks.

    Between these lies every other outcome: an order on the far side only takes from the loss.
    """

    __slots__ = ("asks", "bids", "every", "has_loose")

    def __init__(self) -> None:
        self.every, self.bids, self.asks = Sums(), Sums(), Sums()
        self.has_loose = False

    def add(self, line: Line) -> None:
        """Count a line wherever it may have filled."""
        self.every.add(line)
        self.has_loose = self.has_loose or line.is_loose
        if not line.is_loose or line.notional > 0.0:
            self.bids.add(line)
        if not line.is_loose or line.notional < 0.0:
            self.asks.add(line)

    def worst(self, equity: float) -> float:
        """Return the largest scenario loss in USDT of what may become, never below 0."""
        views = (self.every, self.bids, self.asks) if self.has_loose else (self.every,)
        return max([worst_loss(one, equity) for one in views])

    def with_lines(self, lines: Sequence[Line]) -> Outlook:
        """Return a copy with lines in it."""
        other = Outlook()
        other.every, other.bids = self.every.with_lines((), 1.0), self.bids.with_lines((), 1.0)
        other.asks, other.has_loose = self.asks.with_lines((), 1.0), self.has_loose
        for line in lines:
            other.add(line)
        return other

    def changed_by(self, lines: Sequence[Line]) -> list[tuple[Sums, Sequence[Line]]]:
        """Return what lines change, each view with the lines that count there; all fills first."""
        found: list[tuple[Sums, Sequence[Line]]] = [(self.every, lines)]
        bids = [one for one in lines if not one.is_loose or one.notional > 0.0]
        asks = [one for one in lines if not one.is_loose or one.notional < 0.0]
        if self.has_loose or len(bids) < len(lines) > len(asks):
            found.extend(
                (sums, mine) for sums, mine in ((self.bids, bids), (self.asks, asks)) if mine
            )
        return found


def fits_surely(gross: float, half_spread: float, limit: float) -> bool:
    """Return whether no scenario could break the limit, whatever the signs of `gross` USDT are."""
    return gross * (_QUICK + M3_HALF_SPREADS * half_spread) <= limit


def largest_scale(book: Outlook, lines: Sequence[Line], equity: float, limit: float) -> float:
    """Return the largest share in 0..1 of the candidate lines with which the book stays in `limit`.

    1 when they fit in full, also when they mend a book that does not fit without them.
    """
    before = book.worst(equity)
    changed = book.changed_by(lines)
    if _fits(changed, 1.0, equity, limit, before):
        return 1.0
    if before > limit:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        if _fits(changed, middle, equity, limit, before):
            low = middle
        else:
            high = middle
    return low


def _fits(
    changed: Sequence[tuple[Sums, Sequence[Line]]],
    scale: float,
    equity: float,
    limit: float,
    before: float,
) -> bool:
    """Return whether all of it fits once filled, and nothing it may become is worse than before."""
    for sums, lines in changed:
        if worst_loss(sums.with_lines(lines, scale), equity) > limit:
            return False
        limit = max(limit, before)
    return True


def _dispersion(sums: Sums) -> float:
    """Return M6's extra: hedged value between coins at 10 %, between spot and perpetual at 3 %."""
    longs: dict[str, float] = {}
    shorts: dict[str, float] = {}
    for coin, net in sums.nets.values():
        side = longs if net > 0.0 else shorts
        side[coin] = side.get(coin, 0.0) + abs(net)
    basis = long = short = 0.0
    for coin, value in longs.items():
        other = shorts.get(coin, 0.0)
        basis += min(value, other)
        long += max(0.0, value - other)
        short += max(0.0, other - value)
    for coin, value in shorts.items():
        if coin not in longs:
            short += value
    return M6_PAIR * min(long, short) + M6_BASIS * basis
