"""When funding settles: several strategies stay out of the market around that instant."""

from __future__ import annotations

import msgspec

from hean.core.events import FundingRate, ReasonCode
from hean.core.instruments import Instrument
from hean.strategies.pace import SECOND_NS, Refusal

_EIGHT_HOURS_NS = 8 * 3600 * SECOND_NS


class SettlementClock(msgspec.Struct, kw_only=True):
    """The next stamp and the interval as the feed tells them; 0 until it does.

    Until then stamps lie at multiples of the instrument's own interval.
    """

    stamp: int = 0
    interval_ns: int = 0

    def take(self, event: FundingRate) -> None:
        """Take over what a predicted rate says of the next stamp."""
        if not event.settled and event.interval_ns > 0:
            self.stamp, self.interval_ns = event.next_funding_time, event.interval_ns

    def refusal(self, now: int, rules: Instrument, quiet_ns: int) -> Refusal | None:
        """Return SESSION (seconds to the nearest stamp, and needed) inside the quiet time."""
        if rules.is_spot:
            return None
        interval = self.interval_ns or rules.funding_interval_ns or _EIGHT_HOURS_NS
        stamp = self.stamp if self.stamp > now else (now // interval + 1) * interval
        nearest = min(stamp - now, now - (stamp - interval))
        if nearest >= quiet_ns:
            return None
        return ReasonCode.SESSION, nearest / SECOND_NS, quiet_ns / SECOND_NS
