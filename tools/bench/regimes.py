"""How often the regime says RANGE and IMPULSE on simulated paths, beside the design's shares.

usage: regimes.py [HOURS] [--json]      (ready hours of each kind of path; default 120)

Noise is 0.9 bp a second. Paths: a Gaussian walk; mean reversion; a trend of 150 bp an hour;
stochastic volatility (its logarithm reverts, half-life 30 min, deviation 0.5). Bursts are thirty of
each kind, drawn over noise; one counts as found from its onset to a minute after its end.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from hean.core.events import Regime
from hean.core.features import RegimeInputs, RegimeMachine
from hean.core.features.batch_series import trend_batch, volatility_batch
from hean.core.features.columns import Floats, Integers, filter_batch

Make = Callable[[int, int], Integers]
NOISE = 0.9e5
"""Noise a second in 1e-9."""
BP = 1e5
READY = 3659
PATH_HOURS = 8
BURSTS = 30


def regimes_of(returns: Integers) -> list[Regime]:
    """Return the regime of each ready second: columns of measures, then the machine itself."""
    columns = volatility_batch(np.arange(len(returns)), returns)
    columns |= trend_batch(returns, columns["sigma_slow"])
    slow = columns["sigma_slow"]
    ratio = np.array(slow)
    np.divide(columns["sigma_fast"], slow, out=ratio, where=slow > 0.0)
    measures = (columns["z_30"], ratio, columns["range_ratio"], columns["variance_ratio"])
    machine, found = RegimeMachine(), list[Regime]()
    for row in zip(*(one.tolist() for one in (*measures, columns["zeta_3600"])), strict=True):
        machine.step(RegimeInputs(*row))
        if machine.ready:
            found.append(machine.regime)
    return found


def noise(seed: int, seconds: int) -> Floats:
    """Return a walk's returns in 1e-9."""
    return np.random.default_rng(seed).normal(0.0, NOISE, seconds)


def walk(seed: int, seconds: int) -> Integers:
    """Return a Gaussian walk."""
    return np.rint(noise(seed, seconds)).astype(np.int64)


def trend(seed: int, seconds: int) -> Integers:
    """Return a walk that rises by 150 bp an hour."""
    return np.rint(noise(seed, seconds) + 150.0 * BP / 3600.0).astype(np.int64)


def reversion(half_life: float) -> Make:
    """Return what makes a path whose distance from its mean halves in so many seconds."""

    def made(seed: int, seconds: int) -> Integers:
        keep = 2.0 ** (-1.0 / half_life)
        path = filter_batch(noise(seed, seconds), 1.0, keep, np.zeros(1))[0]
        return np.diff(np.rint(path).astype(np.int64), prepend=0)

    return made


def stochastic(seed: int, seconds: int) -> Integers:
    """Return noise whose volatility wanders: log-normal, half-life 30 min, deviation 0.5."""
    keep = 2.0 ** (-1.0 / 1800.0)
    drawn = np.random.default_rng(seed + 10_000).normal(0.0, 0.5 * (1.0 - keep**2) ** 0.5, seconds)
    level = filter_batch(drawn, 1.0, keep, np.zeros(1))[0]
    return np.rint(noise(seed, seconds) * np.exp(level)).astype(np.int64)


KINDS = (
    ("walk", walk, 15.0, 0.2),
    ("mean reversion 1 min", reversion(60.0), 100.0, None),
    ("mean reversion 2 min", reversion(120.0), 89.0, None),
    ("mean reversion 5 min", reversion(300.0), 79.0, None),
    ("mean reversion 15 min", reversion(900.0), 26.0, None),
    ("trend 150 bp/h", trend, 0.0, None),
    ("stochastic volatility", stochastic, 10.0, 1.9),
)
"""Name, maker, and the design's shares of RANGE and IMPULSE in percent."""
BURST_KINDS = (
    (60.0, 30, 30, 9.0),
    (30.0, 30, 30, 18.0),
    (60.0, 120, 26, None),
    (20.0, 10, 26, None),
)
"""Size in bp, seconds, and the design's number found and median delay in s."""


def shares(make: Make, hours: int) -> dict[str, float]:
    """Return percent of RANGE and IMPULSE with the error of the first, and switches an hour."""
    ranges, impulses, switches, seconds = list[float](), list[float](), 0, 0
    for seed in range(max(2, hours // PATH_HOURS)):
        found = regimes_of(make(seed, READY + PATH_HOURS * 3600))
        ranges.append(100.0 * found.count(Regime.RANGE) / len(found))
        impulses.append(100.0 * found.count(Regime.IMPULSE) / len(found))
        switches += sum(a is not b for a, b in pairwise(found))
        seconds += len(found)
    return {
        "range_percent": round(float(np.mean(ranges)), 1),
        "range_error": round(float(np.std(ranges, ddof=1)) / len(ranges) ** 0.5, 1),
        "impulse_percent": round(float(np.mean(impulses)), 2),
        "switches_per_hour": round(3600.0 * switches / seconds, 2),
    }


def burst(size: float, length: int) -> dict[str, float | None]:
    """Return how many of thirty bursts are found, after how long, and how long the state holds."""
    delays, held = list[int](), list[int]()
    for seed in range(BURSTS):
        start = 1800 + 37 * seed
        returns = walk(500 + seed, READY + start + length + 600)
        begin = READY + start
        returns[begin : begin + length] += round(size * BP / length)
        # the first ready second is READY - 1
        found = regimes_of(returns)[start + 1 :]
        at = next((t for t in range(length + 60) if found[t] is Regime.IMPULSE), None)
        if at is None:
            continue
        delays.append(at)
        last = at
        while last < len(found) and found[last] is Regime.IMPULSE:
            last += 1
        held.append(last - at)
    return {
        "found": float(len(delays)),
        "median_delay_s": float(np.median(delays)) if delays else None,
        "longest_delay_s": float(max(delays)) if delays else None,
        "median_held_s": float(np.median(held)) if held else None,
    }


def main(arguments: Sequence[str]) -> None:
    """Print the figures beside the design's, or one line of JSON."""
    numbers = [one for one in arguments if not one.startswith("--")]
    hours = int(numbers[0]) if numbers else 120
    found = {name: shares(make, hours) for name, make, _, _ in KINDS}
    bursts = {f"{size:g} bp/{length} s": burst(size, length) for size, length, _, _ in BURST_KINDS}
    if "--json" in arguments:
        print(json.dumps({"bench": "regimes", "hours": hours, "shares": found, "bursts": bursts}))
        return
    print(
        f"{'path':24}{'RANGE %':>16}{'design':>8}{'IMPULSE %':>11}{'design':>8}{'switches/h':>12}"
    )
    for name, _, in_range, in_impulse in KINDS:
        one = found[name]
        told = f"{one['range_percent']:.1f} +- {one['range_error']:.1f}"
        designed = "" if in_impulse is None else f"{in_impulse:g}"
        print(
            f"{name:24}{told:>16}{in_range:>8g}{one['impulse_percent']:>11.2f}{designed:>8}"
            f"{one['switches_per_hour']:>12.2f}"
        )
    heads = f"{'found':>7}{'design':>8}{'median s':>10}{'design':>8}{'max s':>7}{'held s':>8}"
    print(f"\n{'burst':16}{heads}")
    for (size, length, many, delay), one in zip(BURST_KINDS, bursts.values(), strict=True):
        name = f"{size:g} bp/{length} s"
        designed = "" if delay is None else f"{delay:g}"
        print(
            f"{name:16}{one['found']:>7g}{many:>8}{one['median_delay_s']:>10}{designed:>8}"
            f"{one['longest_delay_s']:>7}{one['median_held_s']:>8}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
