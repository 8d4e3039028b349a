from decimal import Decimal

from hean.app.reconcile import Reconciliation
from hean.app.venues.paper import PaperVenue
from hean.app.venues.settings import VenueSettings
from hean.core.events import VenueSnapshot, VenueStateChanged
from hean.core.testing import HOUR, START, MiniSystem, bar, btc_perpetual


def build(*, pulse: bool) -> tuple[MiniSystem, Reconciliation]:
    """Build a system whose venue is asked at the default intervals."""
    system = MiniSystem(instruments=[btc_perpetual()], pulse=pulse)
    venue = PaperVenue(
        bus=system.bus,
        agenda=system.agenda,
        view=system.view,
        section=VenueSettings(),
        initial_wallet=Decimal(300),
    )
    system.add(venue)
    return system, system.add(Reconciliation(bus=system.bus, agenda=system.agenda, venue=venue))


def test_where_ticks_come_the_venue_is_asked_every_minute() -> None:
    """Three minutes of beats bring three answers, whatever the tick rate."""
    system, _ = build(pulse=True)
    system.advance(185)
    assert len(system.of(VenueSnapshot)) == 3
    assert system.recorder.last(VenueSnapshot).wallet == 300


def test_on_bars_the_venue_is_asked_every_hour() -> None:
    """Six hours of five-minute bars bring an answer an hour after the first beat."""
    system, _ = build(pulse=False)
    for number in range(1, 73):
        system.take(bar(at=START + number * HOUR // 12, interval=HOUR // 12))
    assert len(system.of(VenueSnapshot)) == 5


def test_a_connection_that_is_back_asks_at_once() -> None:
    """What happened while the venue was away is read when it returns."""
    system, _ = build(pulse=False)
    for connected in (False, True):
        system.take(VenueStateChanged(ts_event=START, ts_init=START, connected=connected))
    assert len(system.of(VenueSnapshot)) == 1


def test_the_schedule_survives_a_restart() -> None:
    """A restored one keeps the time of the next question."""
    system, reconciliation = build(pulse=True)
    system.advance(90)
    other, again = build(pulse=True)
    other.kernel.restore(system.kernel.snapshot())
    again.restore(reconciliation.snapshot())
    other.advance(31)
    assert len(other.of(VenueSnapshot)) == 1
