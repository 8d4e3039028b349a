"""A paper run on `sim` at full speed up to a fixed kernel time: the process that tests kill.

python crash_child.py STATE_DIR UNTIL_NS [SEED]
"""

from __future__ import annotations

import sys
from pathlib import Path

from hean.app.feeds.sim import SimFeed
from hean.app.runner import PaperRun
from hean.app.session import Session
from hean.app.settings import AppSettings
from hean.config import load
from hean.core.clock import WallClock
from hean.core.journal import SqliteJournal
from hean.main import TradingSystem

SETTINGS = {
    "SIM__HISTORY_DAYS": "0.5",
    "SIM__HISTORY_TICK_HOURS": "1.1",
    "INITIAL_CAPITAL": "10000",
}


def open_run(directory: Path, until_ns: int, seed: int) -> PaperRun:
    """Return a fresh or resumed run that ends at `until_ns`."""
    settings = load(
        AppSettings, arguments={**SETTINGS, "RANDOM_SEED": str(seed)}, environ={}
    ).settings
    feed = SimFeed(seed=seed, section=settings.sim)
    journal = SqliteJournal(directory / "journal.db")
    system = TradingSystem(
        settings=settings, description=feed.description, journal=journal, mode="paper"
    )
    session = Session(system, feed, journal)
    session.open(session.facts())
    return PaperRun(session, WallClock(), speed=None, until_ns=until_ns, checkpoint_seconds=0.3)


def main() -> None:
    """Run to the end, unless killed before."""
    directory, until_ns = Path(sys.argv[1]), int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    run = open_run(directory, until_ns, seed)
    (directory / "opened").touch()
    for _ in run.warm_up():
        pass
    while not run.stopping:
        run.take_due()
    run.session.checkpoint()
    run.session.journal.close()


if __name__ == "__main__":
    main()
