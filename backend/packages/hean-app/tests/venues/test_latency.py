from hean.app.venues.latency import FixedLatency, Leg
from hean.app.venues.settings import VenueSettings


def test_each_leg_takes_its_own_delay() -> None:
    """Orders and changes travel the order latency, reports the report latency."""
    latency = FixedLatency.of(VenueSettings(order_latency_ms=20, report_latency_ms=0.5))
    delays = [latency.delay(leg, 0) for leg in (Leg.ORDER, Leg.CHANGE, Leg.REPORT)]
    assert delays == [20_000_000, 20_000_000, 500_000]
