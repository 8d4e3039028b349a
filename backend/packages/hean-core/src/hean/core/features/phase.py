"""The slow axes: phase (how hot) every second, cycle (where in the day's move) every 15 minutes."""

from __future__ import annotations

from typing import Final

import msgspec

from hean.core.events.market import Cycle, Phase, Regime
from hean.core.features.bars import WholeBar
from hean.core.features.exact import quantised_log
from hean.core.features.regime import clip
from hean.core.features.trend import ratio

ICE_ENTER: Final = 0.35
ICE_LEAVE: Final = 0.45
VAPOR_ENTER: Final = 0.90
VAPOR_LEAVE: Final = 0.80
JUMPY: Final = 0.3
WIDE: Final = 3.0
TREND_ENTER: Final = 1.0
TREND_LEAVE: Final = 0.5

CYCLE_BARS: Final = 96
MARK_ENTER: Final = 1.5
MARK_LEAVE: Final = 0.75
NARROW: Final = 1.3


class PhaseInputs(msgspec.Struct, frozen=True, gc=False):
    """What the phase is decided on: T, jump share, hourly ζ, spread score, and the regime."""

    temperature: float
    jump_share: float
    zeta: float
    spread_score: float
    regime: Regime

    def is_agitated(self) -> bool:
        """Return whether heat may be vapor: jumps, an impulse, or a spread far above its mean."""
        return self.jump_share > JUMPY or self.regime is Regime.IMPULSE or self.spread_score > WIDE


class PhaseMachine(msgspec.Struct):
    """Ice, water (bull, bear) or vapor with two-sided hysteresis; None while T is unknown."""

    phase: Phase | None = None

    def step(self, inputs: PhaseInputs) -> bool:
        """Take a second's measures and return whether the phase moved."""
        if not (inputs.temperature == inputs.temperature and inputs.zeta == inputs.zeta):
            return False
        before = self.phase
        self.phase = self._next(inputs)
        return self.phase is not before

    def _next(self, inputs: PhaseInputs) -> Phase:
        heat, now = inputs.temperature, self.phase
        if now is Phase.VAPOR and heat >= VAPOR_LEAVE:
            return Phase.VAPOR
        if heat > VAPOR_ENTER and inputs.is_agitated():
            return Phase.VAPOR
        if now is Phase.ICE and heat <= ICE_LEAVE:
            return Phase.ICE
        if heat < ICE_ENTER and abs(inputs.zeta) < TREND_ENTER:
            return Phase.ICE
        if inputs.zeta >= (TREND_LEAVE if now is Phase.WATER_BULL else TREND_ENTER):
            return Phase.WATER_BULL
        if -inputs.zeta >= (TREND_LEAVE if now is Phase.WATER_BEAR else TREND_ENTER):
            return Phase.WATER_BEAR
        return Phase.WATER

    def confidence(self, inputs: PhaseInputs) -> float:
        """Return the margin to the nearest threshold, 0..1; 0 while unknown."""
        heat = inputs.temperature
        match self.phase:
            case None:
                return 0.0
            case Phase.ICE:
                return clip((ICE_LEAVE - heat) / ICE_LEAVE)
            case Phase.VAPOR:
                return clip((heat - VAPOR_LEAVE) / (1.0 - VAPOR_LEAVE))
            case Phase.WATER_BULL | Phase.WATER_BEAR:
                return clip((abs(inputs.zeta) - TREND_LEAVE) / MARK_ENTER)
            case Phase.WATER:
                middle = (VAPOR_ENTER - ICE_ENTER) / 2.0
                return clip(min(heat - ICE_ENTER, VAPOR_ENTER - heat) / middle)


class CycleMachine(msgspec.Struct):
    """Where the day's move stands, from 24 h of quarter-hour bars in integers.

    `deltas` are bought minus sold lots; where no trades come the part on their slope is left out.
    """

    closes: list[int] = []
    highs: list[int] = []
    lows: list[int] = []
    deltas: list[int] = []
    cycle: Cycle | None = None
    last: Cycle | None = None
    zeta: float = 0.0
    changes: list[int] = []
    total: int = 0
    squares: int = 0

    def step(self, bar: WholeBar, *, has_trades: bool) -> bool:
        """Take a closed quarter hour and return whether the cycle moved."""
        if self.closes:
            self._change(quantised_log(bar.close, self.closes[-1]))
        for kept, value, size in (
            (self.closes, bar.close, CYCLE_BARS + 1),
            (self.highs, bar.high, CYCLE_BARS),
            (self.lows, bar.low, CYCLE_BARS),
            (self.deltas, bar.delta, CYCLE_BARS),
        ):
            kept.append(value)
            if len(kept) > size:
                del kept[0]
        if len(self.closes) <= CYCLE_BARS:
            return False
        before = self.cycle
        self.cycle = self._next(has_trades)
        if before is not None and before is not self.cycle:
            self.last = before
        return self.cycle is not before

    def _change(self, change: int) -> None:
        """Keep the sums over the day's changes; integers, so that they never drift."""
        self.changes.append(change)
        self.total += change
        self.squares += change * change
        if len(self.changes) > CYCLE_BARS:
            gone = self.changes.pop(0)
            self.total -= gone
            self.squares -= gone * gone

    def _next(self, has_trades: bool) -> Cycle | None:
        high, low, close = max(self.highs), min(self.lows), self.closes[-1]
        squares = self.squares
        self.zeta = zeta = ratio(self.total, squares)
        place = (close - low) / (high - low) if high > low else 0.5
        if zeta >= (MARK_LEAVE if self.cycle is Cycle.MARKUP else MARK_ENTER) and place >= 0.5:
            return Cycle.MARKUP
        if -zeta >= (MARK_LEAVE if self.cycle is Cycle.MARKDOWN else MARK_ENTER) and place <= 0.5:
            return Cycle.MARKDOWN
        if abs(zeta) >= MARK_ENTER or ratio(quantised_log(high, low), squares) > NARROW:
            return None
        return self._quiet(place, self._slope() if has_trades else None)

    def _quiet(self, place: float, slope: int | None) -> Cycle | None:
        previous = self.last if self.cycle is None else self.cycle
        if (slope is None or slope > 0) and (place <= 0.5 or previous is Cycle.MARKDOWN):
            return Cycle.ACCUMULATION
        if (slope is None or slope < 0) and (place >= 0.5 or previous is Cycle.MARKUP):
            return Cycle.DISTRIBUTION
        return None

    def _slope(self) -> int:
        running = slope = 0
        for place, delta in enumerate(self.deltas):
            running += delta
            slope += (2 * place - CYCLE_BARS + 1) * running
        return slope

    def confidence(self) -> float:
        """Return how clear the cycle is, 0..1; 0 while unknown."""
        match self.cycle:
            case None:
                return 0.0
            case Cycle.MARKUP | Cycle.MARKDOWN:
                return clip((abs(self.zeta) - MARK_LEAVE) / MARK_ENTER)
            case Cycle.ACCUMULATION | Cycle.DISTRIBUTION:
                return clip((MARK_ENTER - abs(self.zeta)) / MARK_ENTER)
