from hean.app.venues.latency import Leg
from hean.app.venues.reporting import Reporter
from hean.core.timers import Agenda


class Shrinking:
    """A connection that gets faster: each report would overtake the one before."""

    def delay(self, leg: Leg, now: int) -> int:
        """Return less the later it is."""
        return 1000 - 10 * now


def test_a_report_never_overtakes_an_earlier_one() -> None:
    """However delays vary, reports arrive in the order of what they tell."""
    agenda = Agenda()
    reporter = Reporter(agenda, Shrinking())
    dues: list[int] = []
    for now in (0, 20, 50, 90):
        agenda.now = now
        dues.append(reporter.due())
    assert dues == sorted(dues)
    assert dues[0] == 1000
    agenda.now = 5000
    assert reporter.settled_at() == 5000
