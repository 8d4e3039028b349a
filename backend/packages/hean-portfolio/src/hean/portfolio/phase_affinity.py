"""How well the present phase suits a strategy: documented, then learned from outcomes.

a is 1 favoured, 1/2 neutral, 0 avoided; low confidence pulls it to 1/2, so doubt never inverts it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from hean.core.events import Affinity, RegimeChanged
from hean.portfolio.performance import Series

PRIOR_OUTCOMES: Final = 50
"""Outcomes that the documented affinity is worth."""

NEUTRAL: Final = 0.5


def documented(affinity: Affinity, regime: RegimeChanged) -> tuple[float, float]:
    """Return (a, confidence) of the axes that a strategy names; avoided beats favoured.

    An entry may ask for two values at once, joined by `+` (`ice+RANGE`). Without a match a is 1/2,
    with the phase's confidence.
    """
    axes = {
        regime.regime.value: regime.regime_confidence,
        "" if regime.phase is None else regime.phase.value: regime.phase_confidence,
        "" if regime.cycle is None else regime.cycle.value: regime.cycle_confidence,
    }
    axes.pop("", None)
    for listed, value in ((affinity.avoided, 0.0), (affinity.favoured, 1.0)):
        found = [_confidence(entry, axes) for entry in listed]
        best = max(found, default=0.0)
        if best > 0.0:
            return value, min(1.0, best)
    confidence = 0.0 if regime.phase is None else regime.phase_confidence
    return NEUTRAL, min(1.0, max(0.0, confidence))


def _confidence(entry: str, axes: dict[str, float]) -> float:
    parts = entry.split("+")
    return min(axes.get(part, 0.0) for part in parts)


def learned(before: float, series: Series | None, phase: str) -> float:
    """Return a after `series`' outcomes in this phase: (50*a + n*b)/(50 + n)."""
    here = None if series is None else series.phases.get(phase)
    if series is None or here is None or not here.count:
        return before
    whole = series.results
    mean = whole.total / whole.count
    variance = max(0.0, whole.squares / whole.count - mean * mean)
    spread = math.sqrt(variance)
    if spread <= 0.0:
        return before
    better = (here.total / here.count - mean) / (2.0 * spread)
    b = min(1.0, max(0.0, NEUTRAL + better))
    return (PRIOR_OUTCOMES * before + here.count * b) / (PRIOR_OUTCOMES + here.count)


def suitability(
    affinity: Affinity, series: Series | None, regimes: Iterable[RegimeChanged]
) -> float:
    """Return the mean over instruments of 1/2 + confidence*(a - 1/2); 1/2 when none is known."""
    total, count = 0.0, 0
    for regime in regimes:
        a, confidence = documented(affinity, regime)
        if regime.phase is not None:
            a = learned(a, series, regime.phase.value)
        total += NEUTRAL + confidence * (a - NEUTRAL)
        count += 1
    return total / count if count else NEUTRAL
