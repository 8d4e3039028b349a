from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from hean.app.feeds.sim import SimFeed
from hean.app.session import Session
from hean.app.settings import AppSettings
from hean.app.view_state import build_state, summarise_status
from hean.config import load
from hean.core.journal import SqliteJournal
from hean.main import TradingSystem


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Return a paper run on the built-in market, some thousand events into its history."""
    arguments = {"SIM__HISTORY_DAYS": "0.2", "SIM__HISTORY_TICK_HOURS": "0"}
    settings = load(AppSettings, arguments=arguments, environ={}).settings
    feed = SimFeed(seed=1, section=settings.sim)
    journal = SqliteJournal(tmp_path / "journal.db", durable=False)
    system = TradingSystem(
        settings=settings, description=feed.description, journal=journal, mode="paper"
    )
    session = Session(system, feed, journal)
    session.open(session.facts())
    for event in islice(iter(session.next_event, None), 3_000):
        session.take(event)
    return session


def test_a_picture_of_a_real_system_has_its_money_and_everyone(session: Session) -> None:
    """Equity is wallet and unrealised, slots and strategies are the system's own."""
    state = build_state(session, directory=Path("here"), speed=None)
    assert state.equity == state.wallet + state.unrealised
    assert state.wallet == session.system.wallet
    assert state.slots_max == session.system.settings.risk.max_positions
    assert state.events == 3_000
    assert [one.strategy for one in state.strategies] == [
        one.name for one in session.system.strategies.strategies
    ]
    assert state.mode == "paper"
    assert state.now_ns == session.now


def test_a_strategy_that_warms_up_says_for_how_long(session: Session) -> None:
    """MomentumTrader lacks most of its five days and says how much is left of them."""
    state = build_state(session, directory=Path("here"), speed=1.0)
    line = next(one for one in state.strategies if one.strategy == "momentum_trader")
    assert line.warming
    assert "it is warming up, needs 4 d" in line.text


def test_a_state_on_one_instrument_names_its_coin(session: Session) -> None:
    """What is so on all instruments is said once, what is so on some names them."""
    for strategy in session.system.strategies.strategies:
        text = summarise_status(strategy)
        alike = {strategy.status(name) for name in strategy.instruments}
        assert len(alike) == 1 or text.split(" ")[0].rstrip(":") in {"BTC", "ETH", "SOL", "XRP"}
