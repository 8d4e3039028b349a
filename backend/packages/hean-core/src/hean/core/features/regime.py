"""The regime of an instrument: RANGE, NORMAL or IMPULSE, one step a second."""

from __future__ import annotations

from typing import Final

import msgspec

from hean.core.events.market import Regime

IMPULSE_Z: Final = 4.0
IMPULSE_RATIO: Final = 2.0
IMPULSE_Z_WITH_RATIO: Final = 2.5
IMPULSE_KEEP_Z: Final = 1.5
IMPULSE_KEEP_RATIO: Final = 1.5
RANGE_ENTER: Final = (1.15, 0.90, 0.6, 1.15)
"""At most, to enter RANGE: range ratio, variance ratio, |zeta|, sigma ratio."""
RANGE_LEAVE: Final = (1.45, 1.05, 1.0, 1.35)
CONFIRMATION_SECONDS: Final = 10
DWELL_SECONDS: Final = 60


class RegimeInputs(msgspec.Struct, frozen=True, gc=False):
    """What the regime is decided on, over an hour but for the impulse and the ratio of sigmas."""

    impulse: float
    sigma_ratio: float
    range_ratio: float
    variance_ratio: float
    zeta: float

    @property
    def ready(self) -> bool:
        return (
            self.impulse == self.impulse
            and self.sigma_ratio == self.sigma_ratio
            and self.range_ratio == self.range_ratio
            and self.variance_ratio == self.variance_ratio
            and self.zeta == self.zeta
        )

    def is_impulse(self) -> bool:
        """Return whether IMPULSE begins."""
        return self.impulse >= IMPULSE_Z or (
            self.sigma_ratio >= IMPULSE_RATIO and self.impulse >= IMPULSE_Z_WITH_RATIO
        )

    def keeps_impulse(self) -> bool:
        """Return whether IMPULSE goes on."""
        return self.impulse >= IMPULSE_KEEP_Z or self.sigma_ratio >= IMPULSE_KEEP_RATIO

    def is_within(self, bounds: tuple[float, float, float, float]) -> bool:
        """Return whether all four measures of a range are at most their bounds."""
        return (
            self.range_ratio <= bounds[0]
            and self.variance_ratio <= bounds[1]
            and -bounds[2] <= self.zeta <= bounds[2]
            and self.sigma_ratio <= bounds[3]
        )

    def excess(self, bounds: tuple[float, float, float, float]) -> float:
        """Return the largest of the four measures relative to its bound, 1 at the bound."""
        return max(
            self.range_ratio / bounds[0],
            self.variance_ratio / bounds[1],
            abs(self.zeta) / bounds[2],
            self.sigma_ratio / bounds[3],
        )


class RegimeMachine(msgspec.Struct):
    """NORMAL and RANGE change after 10 s of confirmation and a minute's dwell, IMPULSE at once."""

    regime: Regime = Regime.NORMAL
    ready: bool = False
    held: int = 0
    streak: int = 0

    def step(self, inputs: RegimeInputs) -> bool:
        """Take a second's measures and return whether the regime moved, or became ready."""
        if not inputs.ready:
            return False
        before = self.regime if self.ready else None
        self.ready = True
        self.held += 1
        regime = self._next(inputs)
        if regime is not self.regime:
            self.regime = regime
            self.held = self.streak = 0
        return regime is not before

    def _next(self, inputs: RegimeInputs) -> Regime:
        if inputs.is_impulse():
            return Regime.IMPULSE
        if self.regime is Regime.IMPULSE:
            return Regime.IMPULSE if inputs.keeps_impulse() else Regime.NORMAL
        if self.regime is Regime.RANGE:
            moves, other = not inputs.is_within(RANGE_LEAVE), Regime.NORMAL
        else:
            moves, other = inputs.is_within(RANGE_ENTER), Regime.RANGE
        self.streak = self.streak + 1 if moves else 0
        if self.streak >= CONFIRMATION_SECONDS and self.held >= DWELL_SECONDS:
            return other
        return self.regime

    def confidence(self, inputs: RegimeInputs) -> float:
        """Return the margin to the nearest threshold, 0..1; 0 while not ready."""
        if not self.ready:
            return 0.0
        if self.regime is Regime.IMPULSE:
            stays = (inputs.impulse / IMPULSE_KEEP_Z, inputs.sigma_ratio / IMPULSE_KEEP_RATIO)
            return clip(max(stays) - 1.0)
        if self.regime is Regime.RANGE:
            return clip(1.0 - inputs.excess(RANGE_LEAVE))
        burst = min(inputs.sigma_ratio / IMPULSE_RATIO, inputs.impulse / IMPULSE_Z_WITH_RATIO)
        to_impulse = 1.0 - max(inputs.impulse / IMPULSE_Z, burst)
        return clip(min(to_impulse, inputs.excess(RANGE_ENTER) - 1.0))


def clip(value: float) -> float:
    """Return the value inside 0..1."""
    return min(1.0, max(0.0, value))
