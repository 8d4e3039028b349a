from __future__ import annotations

import pytest

from hean.core.events import Affinity, Cycle, Phase, Regime, RegimeChanged
from hean.core.testing import BTC
from hean.portfolio.performance import PhaseResult, Series
from hean.portfolio.phase_affinity import documented, learned, suitability


def ruling(phase: Phase | None, confidence: float = 0.8) -> RegimeChanged:
    """Return a regime with this phase, in markup."""
    return RegimeChanged(
        ts_event=0,
        ts_init=0,
        instrument=BTC,
        ready=True,
        regime=Regime.RANGE,
        phase=phase,
        cycle=Cycle.MARKUP,
        regime_confidence=0.6,
        phase_confidence=confidence,
        cycle_confidence=0.4,
        moved=(),
    )


def test_documented_affinity_reads_every_axis() -> None:
    """Avoided beats favoured, two values may be asked for at once, unlisted is neutral."""
    assert documented(Affinity(favoured=("ice",)), ruling(Phase.ICE)) == (1.0, 0.8)
    assert documented(Affinity(favoured=("markup",)), ruling(Phase.ICE)) == (1.0, 0.4)
    assert documented(Affinity(favoured=("ice+RANGE",)), ruling(Phase.ICE)) == (1.0, 0.6)
    both = Affinity(favoured=("markup",), avoided=("vapor",))
    assert documented(both, ruling(Phase.VAPOR)) == (0.0, 0.8)
    assert documented(Affinity(), ruling(Phase.ICE)) == (0.5, 0.8)


def test_doubt_pulls_to_neutral() -> None:
    """At confidence 0 every strategy suits alike; unknown phases exclude nothing."""
    liked = Affinity(favoured=("ice",))
    assert suitability(liked, None, [ruling(Phase.ICE, 0.0)]) == 0.5
    assert suitability(liked, None, [ruling(Phase.ICE, 0.1)]) == pytest.approx(0.55)
    assert suitability(liked, None, []) == 0.5
    assert suitability(liked, None, [ruling(None)]) == 0.5


def test_outcomes_outweigh_the_documents_in_time() -> None:
    """After many good outcomes in a phase even an avoided one suits."""
    series = Series(
        results=PhaseResult(count=400, total=0.0, squares=400.0),
        phases={"vapor": PhaseResult(count=200, total=200.0, squares=200.0)},
    )
    assert learned(0.0, series, "vapor") == pytest.approx(200 * 1.0 / 250)
    assert learned(0.0, series, "ice") == 0.0
