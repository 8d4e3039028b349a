from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from hean.core.events import Regime
from hean.core.features import RegimeInputs, RegimeMachine
from hean.core.features.trend import RANGE_WINDOW, Trend
from hean.core.features.volatility import Volatility

BP = 1e5
NOISE = 0.9 * BP
Returns = npt.NDArray[np.int64]


def regimes_of(returns: Returns) -> list[Regime | None]:
    """Return the regime of each second, None while it is not ready."""
    volatility, trend, machine = Volatility.of(), Trend.of(), RegimeMachine()
    found: list[Regime | None] = []
    for second, change in enumerate(returns.tolist()):
        volatility.update(second, change)
        trend.update(change)
        slow = volatility.slow
        machine.step(
            RegimeInputs(
                trend.impulse(slow),
                volatility.fast / slow if slow > 0.0 else slow,
                trend.range_ratio(),
                trend.variance_ratio(),
                trend.zeta(RANGE_WINDOW),
            )
        )
        found.append(machine.regime if machine.ready else None)
    return found


def noise(seed: int, seconds: int, drift: float = 0.0) -> Returns:
    """Return a walk's returns in 1e-9, with `drift` bp an hour."""
    generator = np.random.default_rng(seed)
    return np.rint(generator.normal(drift * BP / 3600, NOISE, seconds)).astype(np.int64)


def reverting(seed: int, seconds: int, half_life: float) -> Returns:
    """Return the returns of a mean-reverting price with this half-life in seconds."""
    path, pull = [0.0], 1.0 - 2.0 ** (-1.0 / half_life)
    for shock in noise(seed, seconds).tolist():
        path.append(path[-1] * (1.0 - pull) + shock)
    return np.diff(np.rint(path).astype(np.int64))


def share(found: list[Regime | None], regime: Regime) -> float:
    """Return a regime's share of the ready seconds."""
    ready = [one for one in found if one is not None]
    return ready.count(regime) / len(ready)


@cache
def walks() -> list[list[Regime | None]]:
    """Return the regimes of eight walks of four hours each."""
    return [regimes_of(noise(seed, 14_400)) for seed in range(8)]


def burst(seed: int, size: float, seconds: int) -> int | None:
    """Return how long after its onset a burst over noise is called IMPULSE, None if never."""
    start = 5000 + 37 * seed
    returns = noise(100 + seed, start + seconds + 60)
    returns[start : start + seconds] += round(size * BP / seconds)
    found = regimes_of(returns)
    later = [at for at in range(start, len(found)) if found[at] is Regime.IMPULSE]
    return later[0] - start if later else None


def test_the_regime_is_ready_after_an_hour_and_a_minute() -> None:
    """It becomes ready with the variance ratio's window, and not a second earlier."""
    found = walks()[0]
    assert found.index(Regime.NORMAL) == 3658
    assert found[3657] is None


def test_a_walk_is_in_range_now_and_then_and_seldom_in_impulse() -> None:
    """On walks RANGE takes less than .35 of the time and IMPULSE less than .02."""
    in_range = [share(one, Regime.RANGE) for one in walks()]
    in_impulse = [share(one, Regime.IMPULSE) for one in walks()]
    assert 0.0 < float(np.mean(in_range)) < 0.35
    assert float(np.mean(in_impulse)) < 0.02


def test_a_walk_switches_at_most_a_few_times_an_hour() -> None:
    """On walks there are at most four changes of regime an hour on average."""
    changes = sum(sum(a is not b for a, b in pairwise(one) if a is not None) for one in walks())
    assert changes / (len(walks()) * 3.0) < 4.0


def test_mean_reversion_within_a_minute_is_range() -> None:
    """A price that halves its distance in a minute is RANGE nearly all the time."""
    found = regimes_of(reverting(5, 14_400, 60.0))
    assert share(found[3800:], Regime.RANGE) > 0.95


def test_the_slower_a_price_returns_the_less_it_is_range() -> None:
    """Half-lives of 1, 2 and 15 min are in RANGE ever less, and the slowest less than half."""
    found = [
        float(
            np.mean(
                [
                    share(regimes_of(reverting(70 + seed, 14_400, h)), Regime.RANGE)
                    for seed in range(3)
                ]
            )
        )
        for h in (60.0, 120.0, 900.0)
    ]
    assert found == sorted(found, reverse=True)
    assert found[1] > 0.7
    assert found[2] < 0.5


def test_a_short_burst_of_20_bp_is_mostly_found() -> None:
    """Of eight bursts of 20 bp/10 s at least six are IMPULSE."""
    delays = [burst(seed, 20.0, 10) for seed in range(20, 28)]
    assert len([delay for delay in delays if delay is not None]) >= 6, delays


@pytest.mark.parametrize("sign", [1, -1])
def test_a_trend_is_hardly_ever_range(sign: int) -> None:
    """On trends of 150 bp an hour RANGE takes less than 1 % of the time, up or down."""
    found = [regimes_of(noise(50 + seed, 10_800, drift=sign * 150.0)) for seed in range(6)]
    assert float(np.mean([share(one, Regime.RANGE) for one in found])) < 0.01


def test_a_burst_of_60_bp_in_30_seconds_is_found_at_once() -> None:
    """All of eight bursts of 60 bp/30 s are IMPULSE within 20 s."""
    delays = [burst(seed, 60.0, 30) for seed in range(8)]
    assert all(delay is not None and delay <= 20 for delay in delays), delays


def test_a_burst_of_30_bp_in_30_seconds_is_found() -> None:
    """All of eight bursts of 30 bp/30 s are IMPULSE within 45 s of their onset."""
    delays = [burst(seed, 30.0, 30) for seed in range(8, 16)]
    assert all(delay is not None and delay <= 45 for delay in delays), delays


def calm(**changed: float) -> RegimeInputs:
    """Return measures well inside a range, but for those given."""
    values = {
        "impulse": 0.5,
        "sigma_ratio": 1.0,
        "range_ratio": 1.0,
        "variance_ratio": 0.7,
        "zeta": 0.2,
    }
    return RegimeInputs(**(values | changed))


def settle(machine: RegimeMachine, inputs: RegimeInputs, seconds: int) -> Regime:
    """Step the machine with the same measures for some seconds."""
    for _ in range(seconds):
        machine.step(inputs)
    return machine.regime


def test_range_needs_confirmation_and_a_minute_of_dwell() -> None:
    """RANGE begins after sixty held seconds, and ten seconds in a row are needed to leave it."""
    machine = RegimeMachine()
    assert settle(machine, calm(), 59) is Regime.NORMAL
    assert settle(machine, calm(), 1) is Regime.RANGE
    settle(machine, calm(), 60)
    assert settle(machine, calm(variance_ratio=1.1), 9) is Regime.RANGE
    assert settle(machine, calm(), 1) is Regime.RANGE
    assert settle(machine, calm(variance_ratio=1.1), 9) is Regime.RANGE
    assert settle(machine, calm(variance_ratio=1.1), 1) is Regime.NORMAL


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("range_ratio", 1.44, 1.46),
        ("variance_ratio", 1.04, 1.06),
        ("zeta", -0.99, -1.01),
        ("sigma_ratio", 1.34, 1.36),
    ],
)
def test_range_has_two_sided_hysteresis(name: str, inside: float, outside: float) -> None:
    """A measure above its entering bound keeps RANGE; only beyond the leaving one it ends."""
    machine = RegimeMachine()
    settle(machine, calm(), 120)
    assert settle(machine, calm(**{name: inside}), 60) is Regime.RANGE
    assert settle(machine, calm(**{name: outside}), 10) is Regime.NORMAL


def test_impulse_comes_without_delay_and_stays_by_its_lower_bounds() -> None:
    """One second of z 4, or of ratio 2 with z 2.5, is enough; z 1.5 or ratio 1.5 keeps it."""
    machine = RegimeMachine()
    assert settle(machine, calm(impulse=4.0), 1) is Regime.IMPULSE
    assert settle(machine, calm(impulse=1.5), 5) is Regime.IMPULSE
    assert settle(machine, calm(impulse=1.4), 1) is Regime.NORMAL
    assert settle(machine, calm(impulse=2.5, sigma_ratio=2.0), 1) is Regime.IMPULSE
    assert settle(machine, calm(impulse=0.1, sigma_ratio=1.5), 5) is Regime.IMPULSE
    assert settle(machine, calm(impulse=2.4, sigma_ratio=1.4), 1) is Regime.IMPULSE


def test_missing_measures_leave_the_regime_normal_and_not_ready() -> None:
    """While any measure is NaN nothing is stepped and nothing moves."""
    machine = RegimeMachine()
    assert not machine.step(calm(variance_ratio=float("nan"), impulse=9.0))
    assert (machine.regime, machine.ready) == (Regime.NORMAL, False)
    assert machine.confidence(calm()) == 0.0


def test_becoming_ready_counts_as_a_move_once() -> None:
    """The first ready second is announced, the second one not."""
    machine = RegimeMachine()
    assert machine.step(calm())
    assert not machine.step(calm())


def test_confidence_is_the_margin_to_the_nearest_threshold() -> None:
    """It is 0 at the threshold that would end the regime and grows with the distance."""
    machine = RegimeMachine()
    settle(machine, calm(impulse=5.0), 1)
    assert machine.confidence(calm(impulse=1.5, sigma_ratio=1.0)) == 0.0
    assert machine.confidence(calm(impulse=3.0)) == 1.0
    machine = RegimeMachine()
    settle(machine, calm(), 120)
    assert machine.confidence(calm(zeta=1.0)) == 0.0
    assert machine.confidence(calm()) == pytest.approx(1.0 - 1.0 / 1.35)
