from pathlib import Path

from hean.app.feeds.sim import START_NS
from hean.app.runner import PaperRun
from hean.app.testing import open_simulation, settings_with
from hean.core.clock import WallClock

SECOND_NS = 10**9
SETTINGS = settings_with(SIM__HISTORY_DAYS="0.1", SIM__HISTORY_TICK_HOURS="0.1")


def test_a_run_warms_up_then_ends_at_its_time(tmp_path: Path) -> None:
    """History is played first, share by share; the run ends once its kernel time has come."""
    until = START_NS + 20 * SECOND_NS
    run = PaperRun(open_simulation(tmp_path, SETTINGS), WallClock(), speed=None, until_ns=until)
    shares = [share for share, _ in run.warm_up()]
    assert shares == sorted(shares)
    assert run.is_warm
    assert run.session.now <= START_NS
    while not run.stopping:
        run.take_due()
    assert run.stopping == "duration reached"
    assert START_NS < run.session.now <= until
    run.session.journal.close()


def test_a_stop_ends_it_after_the_event_in_hand(tmp_path: Path) -> None:
    """Once told to stop no further event is taken."""
    session = open_simulation(tmp_path, SETTINGS)
    run = PaperRun(session, WallClock(), speed=None, until_ns=START_NS)
    run.stop("told")
    assert list(run.warm_up()) == []
    assert not run.take_due()
    assert session.feed_events == 0
    session.journal.close()


def test_a_second_start_catches_up_with_the_first(tmp_path: Path) -> None:
    """What the first start had done is played at full speed before real time goes on."""
    until = START_NS + 30 * SECOND_NS
    first = PaperRun(open_simulation(tmp_path, SETTINGS), WallClock(), speed=None, until_ns=until)
    for _ in first.warm_up():
        pass
    while not first.stopping:
        first.take_due()
    first.session.checkpoint()
    first.session.journal.close()
    second = PaperRun(open_simulation(tmp_path, SETTINGS), WallClock(), speed=1.0, until_ns=until)
    assert second.session.resumed
    assert second.catch_up_until == first.session.now
    assert second.session.now == first.session.now
    second.session.journal.close()
