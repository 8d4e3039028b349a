"""Levels where stops gather, and a machine for each that sees price poke beyond and come back.

Osler 2003, Currency orders and exchange rate dynamics; Osler 2005, Stop-loss orders and price
cascades. Levels: the prior UTC day, the last six closed 4-hour blocks, the last closed session,
5-minute swing pivots, and round numbers.
"""

from __future__ import annotations

from enum import StrEnum
from math import ceil, floor, inf, log10

import msgspec

from hean.strategies.pace import SECOND_NS

_MINUTE_NS = 60 * SECOND_NS
_HOUR_NS = 3600 * SECOND_NS
_PIVOT_WING = 5
_MOST_PIVOTS = 12
_MOST_BLOCKS = 6
_OLDEST_PIVOT_NS = 24 * _HOUR_NS
_WHOLE_NS = 120 * SECOND_NS
_AGE_NS = 30 * _MINUTE_NS
_UNTOUCHED_NS = 15 * _MINUTE_NS
_ROUND_UNTOUCHED_NS = 60 * _MINUTE_NS
"""Round numbers lie so close that price is always near one: stops gather where it is not."""
_DEAD_NS = 30 * _MINUTE_NS
_MERGED_ATR = 0.25
ACCEPTED_ATR = 2.0
"""Farther beyond a level than that price is accepted there."""
_TOUCH_WEIGHT = 0.05
_NEAR = 0.01
_FAR = 0.02


class LevelKind(StrEnum):
    """Where a level comes from."""

    DAY = "day"
    SESSION = "session"
    BLOCK = "4h"
    PIVOT = "pivot"
    ROUND = "round"


_WEIGHTS = {
    LevelKind.DAY: 1.0,
    LevelKind.SESSION: 0.8,
    LevelKind.BLOCK: 0.7,
    LevelKind.PIVOT: 0.5,
    LevelKind.ROUND: 0.4,
}


class Level(msgspec.Struct, kw_only=True):
    """A price; `side` 1 is a high, -1 a low, 0 either way. `poke` is 0 while price is not beyond.

    While it is: since when, how far, the busiest volume, the outward flow in lots, the liquidations
    (1 or 0) and the open interest at the start.
    """

    price: float
    side: int
    kind: LevelKind
    weight: float
    born: int
    touched: int = -(1 << 62)
    touches: int = 0
    dead_until: int = 0
    poke: int = 0
    since: int = 0
    extreme: float = 0.0
    volume: float = 0.0
    flow: int = 0
    liquidated: bool = False
    interest: float = 0.0

    @property
    def rank(self) -> float:
        return min(1.0, self.weight + _TOUCH_WEIGHT * self.touches)


class Sweep(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of a poke: reclaimed, or accepted beyond the level. `depth` is in ATR."""

    kind: LevelKind
    price: float
    poke: int
    extreme: float
    depth: float
    seconds: float
    volume: float
    flow: int
    liquidated: bool
    interest: float
    weight: float
    accepted: bool


class Second(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one second shows: its range and end, the ATR, and what stands behind the move."""

    now: int
    high: float
    low: float
    mid: float
    atr: float
    volume: float
    flow: int
    liquidated: bool
    interest: float


class PokeRules(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Least penetration and reclaim in ATR, and how long price may stay beyond."""

    penetration: float
    reclaim: float
    window_ns: int


class Span(msgspec.Struct, kw_only=True):
    """High and low of the running block of a fixed length, with the times they were made."""

    length_ns: int
    slot: int = -1
    is_whole: bool = False
    high: float = -inf
    low: float = inf
    high_at: int = 0
    low_at: int = 0

    def push(self, second: Second) -> Span | None:
        """Take a second; return the block it completes, if all of that was seen."""
        slot = (second.now - 1) // self.length_ns
        done = None
        if slot != self.slot:
            if self.is_whole and slot == self.slot + 1:
                done = msgspec.structs.replace(self)
            self.is_whole = second.now - slot * self.length_ns <= _WHOLE_NS
            self.slot, self.high, self.low = slot, -inf, inf
        if second.high > self.high:
            self.high, self.high_at = second.high, second.now
        if second.low < self.low:
            self.low, self.low_at = second.low, second.now
        return done


def _span(hours: float) -> Span:
    return Span(length_ns=int(hours * _HOUR_NS))


class LevelBook(msgspec.Struct, kw_only=True):
    """All levels of one symbol and the blocks they come from."""

    levels: list[Level] = msgspec.field(default_factory=lambda: list[Level]())
    fine: Span = msgspec.field(default_factory=lambda: _span(1.0 / 12.0))
    block: Span = msgspec.field(default_factory=lambda: _span(4.0))
    session: Span = msgspec.field(default_factory=lambda: _span(8.0))
    day: Span = msgspec.field(default_factory=lambda: _span(24.0))
    bars: list[Span] = msgspec.field(default_factory=lambda: list[Span]())
    last: float = 0.0
    minute: int = -1

    def push(self, second: Second, rules: PokeRules) -> Sweep | None:
        """Take a second; return the best of the pokes that ended in it."""
        found = self._poke(second, rules) if self.last > 0.0 and second.atr > 0.0 else None
        self.last = second.mid
        self._collect(second)
        if second.now // _MINUTE_NS != self.minute:
            self.minute = second.now // _MINUTE_NS
            self._round(second)
        return found

    # Pokes --------------------------------------------------------------------------------------

    def _poke(self, second: Second, rules: PokeRules) -> Sweep | None:
        high = second.high if second.high > self.last else self.last
        low = second.low if second.low < self.last else self.last
        reclaimed: Level | None = None
        accepted: list[Level] = []
        for level in self.levels:
            if not level.poke:
                if not low <= level.price <= high:
                    continue
                self._touch(level, second)
                if not level.poke:
                    continue
            verdict = self._follow(level, second, rules)
            if verdict < 0:
                accepted.append(level)
            elif verdict and (reclaimed is None or level.rank > reclaimed.rank):
                reclaimed = level
        sweeps = [self._accept(level, second) for level in accepted]
        found = None if reclaimed is None else self._reclaim(reclaimed, second)
        if found is None and sweeps:
            found = max(sweeps, key=lambda one: one.weight)
        return found

    def _touch(self, level: Level, second: Second) -> None:
        """Begin a poke of an old, untouched level; note the touch in any case."""
        now, poke = second.now, 0
        rest = _UNTOUCHED_NS if level.side else _ROUND_UNTOUCHED_NS
        is_ripe = now - level.born >= _AGE_NS and now - level.touched >= rest
        if is_ripe and now >= level.dead_until:
            if level.side >= 0 and self.last <= level.price < second.high:
                poke = 1
            elif level.side <= 0 and self.last >= level.price > second.low:
                poke = -1
        level.touched = now
        level.touches += is_ripe
        if not poke:
            return
        level.poke, level.since, level.extreme = poke, now, level.price
        level.volume, level.flow, level.liquidated = 0.0, 0, False
        level.interest = second.interest

    @staticmethod
    def _follow(level: Level, second: Second, rules: PokeRules) -> int:
        """Return 1 once price has reclaimed the level, -1 once it is accepted beyond, else 0."""
        poke, atr = level.poke, second.atr
        outer = second.high if poke > 0 else second.low
        if (outer - level.extreme) * poke > 0.0:
            level.extreme = outer
        level.touched = second.now
        level.volume = max(level.volume, second.volume)
        level.liquidated = level.liquidated or second.liquidated
        inside = (level.price - second.mid) * poke
        if inside < 0.0 or second.now == level.since:
            level.flow += second.flow * poke
        depth = (level.extreme - level.price) * poke / atr
        if depth > ACCEPTED_ATR or second.now - level.since > rules.window_ns:
            return -1
        if inside < rules.reclaim * atr:
            return 0
        if depth >= rules.penetration:
            return 1
        level.poke = 0
        return 0

    @staticmethod
    def _accept(level: Level, second: Second) -> Sweep:
        sweep = _sweep(level, second, accepted=True)
        level.poke, level.dead_until = 0, second.now + _DEAD_NS
        return sweep

    def _reclaim(self, level: Level, second: Second) -> Sweep | None:
        """Close the poke with all on its side; leave it to a better level that is still beyond."""
        poke, rank = level.poke, level.rank
        sweep = _sweep(level, second, accepted=False)
        level.poke = 0
        others = [one for one in self.levels if one.poke == poke]
        if any(one.rank > rank for one in others):
            return None
        for one in others:
            one.poke = 0
        return sweep

    # Levels -------------------------------------------------------------------------------------

    def _collect(self, second: Second) -> None:
        """Close the blocks that ended and take over their highs and lows."""
        done = self.day.push(second)
        if done is not None:
            self._replace(LevelKind.DAY, done, second.atr, kept=0)
        done = self.session.push(second)
        if done is not None:
            self._replace(LevelKind.SESSION, done, second.atr, kept=0)
        done = self.block.push(second)
        if done is not None:
            self._replace(LevelKind.BLOCK, done, second.atr, kept=2 * (_MOST_BLOCKS - 1))
        done = self.fine.push(second)
        if done is not None:
            self.bars.append(done)
            if len(self.bars) > 2 * _PIVOT_WING + 1:
                del self.bars[0]
            self._pivot(second)

    def _replace(self, kind: LevelKind, span: Span, atr: float, *, kept: int) -> None:
        mine = [one for one in self.levels if one.kind is kind]
        for one in mine[: max(0, len(mine) - kept)]:
            self.levels.remove(one)
        self._add(kind, span.high, 1, span.high_at, atr)
        self._add(kind, span.low, -1, span.low_at, atr)

    def _pivot(self, second: Second) -> None:
        bars, wing = self.bars, _PIVOT_WING
        if len(bars) < 2 * wing + 1:
            return
        middle, others = bars[wing], bars[:wing] + bars[wing + 1 :]
        if all(middle.high > one.high for one in others):
            self._add(LevelKind.PIVOT, middle.high, 1, middle.high_at, second.atr)
        if all(middle.low < one.low for one in others):
            self._add(LevelKind.PIVOT, middle.low, -1, middle.low_at, second.atr)
        pivots = [one for one in self.levels if one.kind is LevelKind.PIVOT]
        for index, one in enumerate(pivots):
            if index < len(pivots) - _MOST_PIVOTS or second.now - one.born > _OLDEST_PIVOT_NS:
                self.levels.remove(one)

    def _add(self, kind: LevelKind, price: float, side: int, born: int, atr: float) -> None:
        """Add a level, or let it strengthen a near one of the same side that weighs more."""
        weight = _WEIGHTS[kind]
        width = _MERGED_ATR * atr if atr > 0.0 else 0.0
        for one in tuple(self.levels):
            if one.side != side or abs(one.price - price) > width:
                continue
            if one.weight >= weight:
                one.touches += 1
                return
            self.levels.remove(one)
        self.levels.append(Level(price=price, side=side, kind=kind, weight=weight, born=born))

    def _round(self, second: Second) -> None:
        """Keep the round numbers near the price: 1, 2.5 and 5 times a hundredth of its decade."""
        mid = second.mid
        power = floor(log10(mid))
        if 10.0 ** (power + 1) <= mid:
            power += 1
        half = 10.0 ** (power - 2) / 2.0
        known: set[int] = set()
        for one in tuple(self.levels):
            if one.kind is not LevelKind.ROUND:
                continue
            if abs(one.price / mid - 1.0) > _FAR:
                self.levels.remove(one)
            else:
                known.add(round(one.price / half))
        for count in range(ceil(mid * (1.0 - _NEAR) / half), floor(mid * (1.0 + _NEAR) / half) + 1):
            if count in known or (count % 2 and count % 5):
                continue
            weight = _WEIGHTS[LevelKind.ROUND] + (0.2 if count % 10 == 0 else 0.0)
            weight += 0.1 if count % 5 == 0 and count % 10 else 0.0
            self.levels.append(
                Level(
                    price=count * half, side=0, kind=LevelKind.ROUND, weight=weight,
                    born=second.now,
                )
            )  # fmt: skip


def _sweep(level: Level, second: Second, *, accepted: bool) -> Sweep:
    return Sweep(
        kind=level.kind,
        price=level.price,
        poke=level.poke,
        extreme=level.extreme,
        depth=(level.extreme - level.price) * level.poke / second.atr,
        seconds=(second.now - level.since) / SECOND_NS,
        volume=level.volume,
        flow=level.flow,
        liquidated=level.liquidated,
        interest=level.interest,
        weight=level.rank,
        accepted=accepted,
    )
