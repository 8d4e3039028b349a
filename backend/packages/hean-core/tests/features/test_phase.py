from __future__ import annotations

import pytest

from hean.core.events import Cycle, Phase, Regime
from hean.core.features import CycleMachine, PhaseMachine, WholeBar
from hean.core.features.phase import CYCLE_BARS, PhaseInputs

NAN = float("nan")


def heat(
    temperature: float,
    zeta: float = 0.0,
    *,
    jumps: float = 0.0,
    spread: float = 0.0,
    regime: Regime = Regime.NORMAL,
) -> PhaseInputs:
    """Return measures of a second."""
    return PhaseInputs(temperature, jumps, zeta, spread, regime)


def path(*steps: PhaseInputs) -> list[Phase | None]:
    """Return the phase after each second."""
    machine = PhaseMachine()
    found: list[Phase | None] = []
    for one in steps:
        machine.step(one)
        found.append(machine.phase)
    return found


def test_the_phase_is_unknown_without_temperature() -> None:
    """While T is NaN the phase is None and its confidence 0."""
    assert path(heat(NAN), heat(0.5, NAN)) == [None, None]
    assert PhaseMachine().confidence(heat(NAN)) == 0.0


def test_ice_enters_below_35_and_leaves_above_45() -> None:
    """Between its two thresholds ice stays ice and water stays water."""
    assert path(heat(0.40), heat(0.34), heat(0.45), heat(0.46), heat(0.40)) == [
        Phase.WATER,
        Phase.ICE,
        Phase.ICE,
        Phase.WATER,
        Phase.WATER,
    ]


def test_ice_needs_a_flat_hour() -> None:
    """With an hourly zeta of 1 low volatility is a trend, not ice."""
    assert path(heat(0.2, 1.0), heat(0.2, 0.9)) == [Phase.WATER_BULL, Phase.ICE]


@pytest.mark.parametrize(
    "agitated",
    [heat(0.91, jumps=0.31), heat(0.91, spread=3.1), heat(0.91, regime=Regime.IMPULSE)],
)
def test_vapor_needs_heat_and_agitation_and_leaves_below_80(agitated: PhaseInputs) -> None:
    """Heat alone is water; with jumps, an impulse or a wide spread it is vapor down to .80."""
    assert path(heat(0.95), agitated, heat(0.80), heat(0.79)) == [
        Phase.WATER,
        Phase.VAPOR,
        Phase.VAPOR,
        Phase.WATER,
    ]


def test_the_waters_take_the_sign_of_the_hour_and_leave_at_a_half() -> None:
    """Bull and bear water enter at |zeta| 1 and leave below .5."""
    assert path(
        heat(0.6, 1.0), heat(0.6, 0.5), heat(0.6, 0.49), heat(0.6, -1.0), heat(0.6, -0.5)
    ) == [
        Phase.WATER_BULL,
        Phase.WATER_BULL,
        Phase.WATER,
        Phase.WATER_BEAR,
        Phase.WATER_BEAR,
    ]


def cycle(
    closes: list[int], *, deltas: list[int] | None = None, machine: CycleMachine | None = None
) -> CycleMachine:
    """Return the machine after quarter hours with these closes."""
    machine = machine or CycleMachine()
    for place, close in enumerate(closes):
        before = closes[place - 1] if place else close
        delta = deltas[place] if deltas else 0
        bar = WholeBar(place, before, max(before, close), min(before, close), close, 1, delta)
        machine.step(bar, has_trades=deltas is not None)
    return machine


def zigzag(rows: int, end: int) -> list[int]:
    """Return a path that swings between two prices and ends at the lower (0) or upper (1) one."""
    return [10_000 + 100 * ((place + rows + end) % 2) for place in range(1, rows + 1)]


def test_the_cycle_waits_for_a_whole_day() -> None:
    """With 96 closes it is unknown, with the 97th it may be known."""
    closes = [10_000 + 20 * place for place in range(CYCLE_BARS + 1)]
    assert cycle(closes[:-1]).cycle is None
    assert cycle(closes).cycle is Cycle.MARKUP
    assert cycle(closes).confidence() == 1.0


def test_a_falling_day_is_markdown() -> None:
    """The mirrored day is the mirrored cycle."""
    assert cycle([20_000 - 20 * place for place in range(97)]).cycle is Cycle.MARKDOWN


@pytest.mark.parametrize(
    ("end", "flow", "expected"),
    [(0, 1, Cycle.ACCUMULATION), (1, -1, Cycle.DISTRIBUTION), (0, -1, None), (1, 1, None)],
)
def test_a_quiet_day_is_told_by_flow_and_place(end: int, flow: int, expected: Cycle | None) -> None:
    """Buying at the low end is accumulation, selling at the high end distribution, else unknown."""
    assert cycle(zigzag(120, end), deltas=[flow] * 120).cycle is expected


@pytest.mark.parametrize(("end", "expected"), [(0, Cycle.ACCUMULATION), (1, Cycle.DISTRIBUTION)])
def test_without_trades_the_flow_is_left_out(end: int, expected: Cycle) -> None:
    """On bars alone the place in the range decides a quiet day."""
    assert cycle(zigzag(120, end)).cycle is expected
