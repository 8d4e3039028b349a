"""How a simulated price moves: changing moods, wandering volatility, bursts and sweeps.

Nothing here knows a strategy. A mood lasts an exponentially distributed time; volatility is an
Ornstein-Uhlenbeck process in logs; bursts and sweeps come as Poisson events and end as often
against the move as with it.
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
_SWEEPS_PER_HOUR = 0.25
_VOLATILITY_HALF_LIFE = 2 * HOUR
_VOLATILITY_SPREAD = 0.45
_JUMP_CHANCE = 0.004
_JUMP_SCALE = 4.0


class Push(msgspec.Struct):
    """A drift that lasts: log-return per second, seconds left, and how much more is traded."""

    drift: float
    seconds: float
    volume: float


class PathState(msgspec.Struct):
    """Everything a path remembers; `level` is the log price."""

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
    volume: float = 1.0
    last_return: float = 0.0


class Path:
    """One price process; `sigma` is its typical volatility per √second as a fraction."""

    def __init__(self, sigma: float, state: PathState) -> None:
        self.sigma = sigma
        self.state = state
        self._seconds = self._decay = self._noise = 0.0
        self._root = self._jump_chance = self._fade = 0.0

    def current_sigma(self) -> float:
        """Return the volatility per √second now."""
        return self.sigma * math.exp(self.state.volatility)

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
        high = level + (state.high - level) * self._fade
        state.high = high if high > level else level
        low = level + (state.low - level) * self._fade
        state.low = low if low < level else level
        return moved

    def _remember(self, seconds: float) -> None:
        """Keep what only the length of a step decides: a market takes steps of one or two."""
        self._seconds = seconds
        self._decay = decay = math.exp(-math.log(2.0) * seconds / _VOLATILITY_HALF_LIFE)
        self._noise = _VOLATILITY_SPREAD * math.sqrt(1.0 - decay * decay)
        self._root = math.sqrt(seconds)
        self._jump_chance = _JUMP_CHANCE * min(1.0, seconds)
        self._fade = 1.0 - min(1.0, seconds / HOUR)

    def _drift(self, seconds: float) -> float:
        state = self.state
        total = 0.0
        if state.mood is Mood.TREND:
            total += state.drift * seconds
        elif state.mood is Mood.RANGE:
            total += (state.anchor - state.level) * (1.0 - math.exp(-state.pull * seconds))
        state.volume = 1.0
        if not state.pushes:
            return total
        for push in state.pushes:
            lasting = min(seconds, push.seconds)
            total += push.drift * lasting
            push.seconds -= seconds
            state.volume = max(state.volume, push.volume)
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
        if after < 0.35:
            self._push(-size * random.uniform(0.3, 0.8), random.uniform(60.0, 600.0), 1.5)
        elif after < 0.70:
            self._push(size * random.uniform(0.3, 0.8), random.uniform(60.0, 600.0), 1.5)

    def _sweep(self, random: Random) -> None:
        state = self.state
        up = random.random() < 0.5
        edge = state.high if up else state.low
        beyond = random.uniform(4.0, 15.0) * BP * (1.0 if up else -1.0)
        poke = edge + beyond - state.level
        if abs(poke) > 60.0 * BP:
            return
        self._push(poke, random.uniform(15.0, 40.0), random.uniform(2.0, 4.0))
        if random.random() < 0.5:
            self._push(-poke * random.uniform(0.6, 1.4), random.uniform(40.0, 120.0), 1.5)

    def _push(self, size: float, seconds: float, volume: float) -> None:
        self.state.pushes.append(Push(size / seconds, seconds, volume))
