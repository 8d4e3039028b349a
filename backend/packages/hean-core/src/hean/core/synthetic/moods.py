"""How a simulated price moves: changing moods, wandering volatility, bursts and sweeps.

Nothing here knows a strategy. A mood lasts an exponentially distributed time; volatility is an
Ornstein-Uhlenbeck process in logs; bursts and sweeps come as Poisson events and end as often
against the move as with it. A sweep runs through a high or low that has stood for a while, where
stops gather: much is traded and positions are forced out; half of them turn and come back.
"""

from __future__ import annotations

import math
from enum import StrEnum
from random import Random

import msgspec

BP = 1e-4
HOUR = 3600.0


class Mood(StrEnum):
    """What the drift of a price does for a while."""

    RANGE = "RANGE"
    WALK = "WALK"
    TREND = "TREND"


_MEAN_SECONDS = {Mood.RANGE: 5400.0, Mood.WALK: 10800.0, Mood.TREND: 5400.0}
_NEXT = {
    Mood.RANGE: (Mood.WALK, Mood.TREND),
    Mood.WALK: (Mood.RANGE, Mood.TREND),
    Mood.TREND: (Mood.WALK, Mood.RANGE),
}
_BURSTS_PER_HOUR = 0.5
_SWEEPS_PER_HOUR = 3.0
"""How often one is tried; most find no standing high or low near enough."""
_BLOCK_SECONDS = 300.0
_MOST_BLOCKS = 36
_STOOD_BLOCKS = 6
_FARTHEST = 2.0
"""How far away, in usual five-minute ranges, a high or low may lie to be swept."""
_VOLATILITY_HALF_LIFE = 2 * HOUR
_VOLATILITY_SPREAD = 0.45
_JUMP_CHANCE = 0.004
_JUMP_SCALE = 4.0


class Push(msgspec.Struct):
    """A drift that lasts: log-return per second, seconds left, and how much more is traded.

    It begins when `waits` seconds have passed; `forces` says that it drives others out.
    """

    drift: float
    seconds: float
    volume: float
    waits: float = 0.0
    forces: bool = False


class PathState(msgspec.Struct):
    """Everything a path remembers; `level` is the log price.

    `blocks` are low and high of the last five-minute blocks, `high` and `low` those of the present.
    """

    level: float
    anchor: float
    mood: Mood = Mood.WALK
    mood_seconds: float = 0.0
    drift: float = 0.0
    pull: float = 0.0
    volatility: float = 0.0
    pushes: list[Push] = msgspec.field(default_factory=list[Push])
    high: float = 0.0
    low: float = 0.0
    blocks: list[tuple[float, float]] = msgspec.field(default_factory=list[tuple[float, float]])
    block_seconds: float = 0.0
    volume: float = 1.0
    forces: bool = False
    last_return: float = 0.0


class Path:
    """One price process; `sigma` is its typical volatility per √second as a fraction."""

    def __init__(self, sigma: float, state: PathState) -> None:
        self.sigma = sigma
        self.state = state
        self._seconds = self._decay = self._noise = 0.0
        self._root = self._jump_chance = 0.0

    def step(self, random: Random, seconds: float, shared: float = 0.0) -> float:
        """Move by `seconds`, adding the market's `shared` log-return; return the log-return."""
        state = self.state
        if state.mood_seconds <= 0.0:
            self._change_mood(random)
        state.mood_seconds -= seconds
        self._maybe_start(random, seconds)
        if seconds != self._seconds:
            self._remember(seconds)
        gauss = random.gauss
        volatility = state.volatility * self._decay + self._noise * gauss(0.0, 1.0)
        state.volatility = volatility
        size = self.sigma * math.exp(volatility) * self._root
        shock = gauss(0.0, 1.0)
        if random.random() < self._jump_chance:
            shock *= _JUMP_SCALE
        moved = size * shock + self._drift(seconds) + shared
        level = state.level = state.level + moved
        state.last_return = moved
        if level > state.high:
            state.high = level
        elif level < state.low:
            state.low = level
        state.block_seconds += seconds
        if state.block_seconds >= _BLOCK_SECONDS:
            self._close_block()
        return moved

    def _close_block(self) -> None:
        state = self.state
        state.blocks.append((state.low, state.high))
        if len(state.blocks) > _MOST_BLOCKS:
            del state.blocks[0]
        state.high = state.low = state.level
        state.block_seconds = 0.0

    def _remember(self, seconds: float) -> None:
        """Keep what only the length of a step decides: a market takes steps of one or two."""
        self._seconds = seconds
        self._decay = decay = math.exp(-math.log(2.0) * seconds / _VOLATILITY_HALF_LIFE)
        self._noise = _VOLATILITY_SPREAD * math.sqrt(1.0 - decay * decay)
        self._root = math.sqrt(seconds)
        self._jump_chance = _JUMP_CHANCE * min(1.0, seconds)

    def _drift(self, seconds: float) -> float:
        state = self.state
        total = 0.0
        if state.mood is Mood.TREND:
            total += state.drift * seconds
        elif state.mood is Mood.RANGE:
            total += (state.anchor - state.level) * (1.0 - math.exp(-state.pull * seconds))
        state.volume, state.forces = 1.0, False
        if not state.pushes:
            return total
        for push in state.pushes:
            waiting = min(seconds, push.waits)
            push.waits -= waiting
            lasting = min(seconds - waiting, push.seconds)
            if lasting <= 0.0:
                continue
            total += push.drift * lasting
            push.seconds -= lasting
            state.volume = max(state.volume, push.volume)
            state.forces = state.forces or push.forces
        state.pushes = [push for push in state.pushes if push.seconds > 0.0]
        return total

    def _change_mood(self, random: Random) -> None:
        state = self.state
        state.mood = random.choice(_NEXT[state.mood])
        state.mood_seconds = random.expovariate(1.0 / _MEAN_SECONDS[state.mood])
        if state.mood is Mood.TREND:
            sign = 1.0 if random.random() < 0.5 else -1.0
            state.drift = sign * random.uniform(20.0, 120.0) * BP / HOUR
        elif state.mood is Mood.RANGE:
            state.anchor = state.level
            state.pull = math.log(2.0) / random.uniform(120.0, 900.0)

    def _maybe_start(self, random: Random, seconds: float) -> None:
        chance = random.random() * HOUR / seconds
        if chance < _BURSTS_PER_HOUR:
            self._burst(random)
        elif chance < _BURSTS_PER_HOUR + _SWEEPS_PER_HOUR:
            self._sweep(random)

    def _burst(self, random: Random) -> None:
        sign = 1.0 if random.random() < 0.5 else -1.0
        lasting = random.uniform(20.0, 60.0)
        size = sign * random.uniform(20.0, 70.0) * BP * (self.sigma / (0.9 * BP))
        self._push(size, lasting, random.uniform(3.0, 6.0))
        after = random.random()
        if after < 0.70:
            sign = -1.0 if after < 0.35 else 1.0
            size *= sign * random.uniform(0.3, 0.8)
            self._push(size, random.uniform(60.0, 600.0), 1.5, waits=lasting)

    def _sweep(self, random: Random) -> None:
        """Run through a standing high or low; as often as not come back from beyond it."""
        state = self.state
        up = random.random() < 0.5
        usual = self._usual_range()
        edge = self._standing(up)
        if edge is None:
            up = not up
            edge = self._standing(up)
        if edge is None:
            return
        beyond = random.uniform(0.45, 0.75) * usual * (1.0 if up else -1.0)
        poke = edge + beyond - state.level
        if abs(poke) > _FARTHEST * usual:
            return
        lasting = random.uniform(25.0, 45.0)
        self._push(poke, lasting, random.uniform(4.0, 8.0), forces=True)
        if random.random() < 0.5:
            back = -beyond * random.uniform(1.6, 3.0)
            self._push(back, random.uniform(20.0, 45.0), 2.0, waits=lasting)

    def _usual_range(self) -> float:
        blocks = self.state.blocks
        if not blocks:
            return 0.0
        total = 0.0
        for low, high in blocks:
            total += high - low
        return total / len(blocks)

    def _standing(self, up: bool) -> float | None:
        """Return the nearest swing of the last hours that has stood for half an hour, if any."""
        state = self.state
        sign = 1.0 if up else -1.0
        ends = [sign * (high if up else low) for low, high in state.blocks]
        since = max([sign * (state.high if up else state.low), *ends[-_STOOD_BLOCKS:]])
        for place in range(len(ends) - _STOOD_BLOCKS - 1, -1, -1):
            end = ends[place]
            if end <= since:
                continue
            if end >= max(ends[max(0, place - _STOOD_BLOCKS) : place + 1]):
                return sign * end
            since = end
        return None

    def _push(
        self, size: float, seconds: float, volume: float, *, waits: float = 0.0,
        forces: bool = False,
    ) -> None:  # fmt: skip
        self.state.pushes.append(Push(size / seconds, seconds, volume, waits, forces))
