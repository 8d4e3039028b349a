"""How long commands and reports travel between HEAN and the paper venue."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from hean.app.venues.settings import VenueSettings

_MILLISECOND_NS = 1_000_000


class Leg(StrEnum):
    """What travels: a new order, a change to one, or a report coming back."""

    ORDER = "ORDER"
    CHANGE = "CHANGE"
    REPORT = "REPORT"


class LatencyModel(Protocol):
    """Says how many ns a leg that starts at kernel time `now` takes."""

    def delay(self, leg: Leg, now: int) -> int: ...


class FixedLatency:
    """The same delay at all times: one towards the venue, one back."""

    def __init__(self, *, order_ns: int, report_ns: int) -> None:
        self._order_ns = order_ns
        self._report_ns = report_ns

    @classmethod
    def of(cls, section: VenueSettings) -> FixedLatency:
        """Return the delays of the settings."""
        return cls(
            order_ns=round(section.order_latency_ms * _MILLISECOND_NS),
            report_ns=round(section.report_latency_ms * _MILLISECOND_NS),
        )

    def delay(self, leg: Leg, now: int) -> int:
        """Return the delay in ns; `now` does not matter."""
        return self._report_ns if leg is Leg.REPORT else self._order_ns
