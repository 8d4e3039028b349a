"""A simulated order book: whole ticks and lots around a fair price."""

from __future__ import annotations

from functools import lru_cache
from random import Random

import msgspec

LEVELS = 10


class LadderState(msgspec.Struct):
    """Best bid and ask in ticks, and the lots on each level from the best outward."""

    bid: int
    ask: int
    bids: list[int]
    asks: list[int]


class Ladder:
    """Keeps both sides; `typical` is the usual number of lots on the best level."""

    def __init__(self, typical: int, spread_ticks: int, state: LadderState | None = None) -> None:
        self.typical = typical
        self.spread_ticks = spread_ticks
        self.state = state or LadderState(0, 0, [], [])

    def move_to(self, random: Random, fair_ticks: float, stress: float) -> None:
        """Requote around the fair price; `stress` above 1 widens the spread and thins the depth."""
        state = self.state
        width = max(self.spread_ticks, round(self.spread_ticks * stress + 0.3 * random.random()))
        bid = round(fair_ticks - width / 2.0)
        ask = bid + width
        state.bids = self._side(random, state.bids, bid - state.bid, stress)
        state.asks = self._side(random, state.asks, state.ask - ask, stress)
        state.bid, state.ask = bid, ask

    def _side(self, random: Random, lots: list[int], advanced: int, stress: float) -> list[int]:
        if not lots or abs(advanced) >= LEVELS:
            return [self._lots(random, level, stress) for level in range(LEVELS)]
        if advanced > 0:
            lots = [self._lots(random, level, stress) for level in range(advanced)] + lots
        elif advanced < 0:
            lots = lots[-advanced:]
            lots = lots + [
                self._lots(random, LEVELS - 1, stress) for _ in range(LEVELS - len(lots))
            ]
        lots = lots[:LEVELS]
        changed = random.randrange(3)
        lots[changed] = self._lots(random, changed, stress)
        return lots

    def _lots(self, random: Random, level: int, stress: float) -> int:
        size = self.typical * (1.0 + 0.35 * level) / stress
        return max(1, round(size * (0.25 + 1.5 * random.random())))

    def take(self, *, buy: bool, lots: int) -> None:
        """Let a taker eat into the best level; at least one lot stays."""
        side = self.state.asks if buy else self.state.bids
        side[0] = max(1, side[0] - lots)

    def image(
        self, tick: float, lot: float
    ) -> tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]:
        """Return bids and asks as (price, size), best first."""
        state = self.state
        per_unit, per_coin = steps_in_one(tick), steps_in_one(lot)
        if not per_unit or not per_coin:
            return self._coarse_image(tick, lot)
        bids = tuple(
            [
                ((state.bid - level) / per_unit, lots / per_coin)
                for level, lots in enumerate(state.bids)
            ]
        )
        asks = tuple(
            [
                ((state.ask + level) / per_unit, lots / per_coin)
                for level, lots in enumerate(state.asks)
            ]
        )
        return bids, asks

    def _coarse_image(
        self, tick: float, lot: float
    ) -> tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]:
        state = self.state
        bids = [(grid(state.bid - at, tick), grid(n, lot)) for at, n in enumerate(state.bids)]
        asks = [(grid(state.ask + at, tick), grid(n, lot)) for at, n in enumerate(state.asks)]
        return tuple(bids), tuple(asks)


@lru_cache(maxsize=64)
def steps_in_one(step: float) -> int:
    """Return how many steps make 1, or 0 for a step that does not divide it."""
    inverse = round(1.0 / step)
    return inverse if inverse >= 1 and abs(inverse * step - 1.0) < 1e-9 else 0


def grid(count: int, step: float) -> float:
    """Return count x step as the nearest double of its decimal text (500001 x 0.1 = 50000.1)."""
    inverse = steps_in_one(step)
    return count / inverse if inverse else count * step
