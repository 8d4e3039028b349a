"""How the known strategies move together: correlation and clusters, renewed once a bin."""

from __future__ import annotations

from collections.abc import Sequence

from hean.core.bus import Bus, Stage
from hean.core.events import StrategyRegistered
from hean.core.snapshot import pack, unpack
from hean.portfolio.correlation import (
    Matrix,
    clusters_of,
    prior_correlation,
    shrunk_correlation,
)
from hean.portfolio.performance import Performance
from hean.portfolio.settings import PortfolioSettings


class Kinship:
    """Answers for the allocator and AutoPilot; before two bins it knows the documented pairs."""

    name = "kinship"

    def __init__(self, *, section: PortfolioSettings, performance: Performance) -> None:
        self._section = section
        self._performance = performance
        self._declared: dict[str, str] = {}
        self._names: list[str] = []
        self._matrix: Matrix = []
        self._clusters: dict[str, str] = {}
        self._seen = (-1, -1)

    def attach(self, bus: Bus) -> None:
        """Subscribe to registrations."""
        bus.subscribe(
            StrategyRegistered, self._on_registered, stage=Stage.PERFORMANCE, owner=self.name
        )

    def clusters(self) -> dict[str, str]:
        """Return each strategy's cluster; empty for one on its own."""
        self._renew()
        return self._clusters

    def between(self, names: Sequence[str]) -> Matrix:
        """Return the correlation of these strategies, in this order."""
        self._renew()
        place = {name: index for index, name in enumerate(self._names)}
        return [[self._matrix[place[a]][place[b]] for b in names] for a in names]

    @property
    def names(self) -> tuple[str, ...]:
        """Every strategy registered, by name."""
        return tuple(sorted(self._declared))

    def prior(self) -> Matrix:
        """Return what is believed before any result, in the order of `names`."""
        return prior_correlation(self.names, self._declared)

    def measured(self) -> tuple[Matrix, tuple[str, ...], int]:
        """Return what the results alone say, whose results moved, and over how many bins.

        A strategy that never moved keeps its prior row.
        """
        found = self._found(self.names)
        numbers = {number for one in found.values() for number in one}
        moved = tuple(
            name for name, one in found.items() if len({one.get(at, 0.0) for at in numbers}) > 1
        )
        return shrunk_correlation(found, self.prior(), 0), moved, len(numbers)

    def _found(self, names: Sequence[str]) -> dict[str, dict[int, float]]:
        series = self._performance.series
        return {
            name: {one.number: one.x for one in series[name].bins} if name in series else {}
            for name in names
        }

    def _on_registered(self, event: StrategyRegistered) -> None:
        self._declared[event.strategy] = event.profile.cluster
        self._seen = (-1, -1)

    def _renew(self) -> None:
        seen = (self._performance.last_bin, len(self._declared))
        if seen == self._seen:
            return
        self._seen = seen
        self._names = sorted(self._declared)
        prior = prior_correlation(self._names, self._declared)
        found = self._found(self._names)
        self._matrix = shrunk_correlation(found, prior, self._section.correlation_prior_bins)
        self._clusters = clusters_of(self._names, self._matrix)

    def snapshot(self) -> bytes:
        """Return the declared clusters; the rest follows from the series."""
        return pack(self.name, 1, self._declared)

    def restore(self, state: bytes) -> None:
        """Take over a snapshot."""
        self._declared = unpack(state, self.name, 1, dict[str, str])
        self._seen = (-1, -1)
