from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

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


class _Told:
    """A strategy that says what it is told to."""

    runs = True
    markets = ()

    def __init__(self, **texts: str) -> None:
        self._texts = {f"{coin}USDT-PERP.BYBIT": text for coin, text in texts.items()}

    @property
    def instruments(self) -> tuple[str, ...]:
        return tuple(self._texts)

    def status(self, instrument: str) -> str:
        return self._texts[instrument]


@pytest.mark.parametrize(
    ("texts", "summary"),
    [
        ({"BTC": "waiting because X", "ETH": "waiting because X"}, "waiting because X"),
        (
            {"BTC": "waiting because X", "ETH": "holding long 1 from 2", "SOL": "not running"},
            "ETH: holding long 1 from 2",
        ),
        (
            {"BTC": "waiting because X", "ETH": "waiting because X", "SOL": "odd"},
            "BTC and 1 more: waiting because X",
        ),
        (
            {"BTC": "waiting because nothing has triggered it yet", "ETH": "waiting because X"},
            "ETH: waiting because X",
        ),
    ],
)
def test_the_most_telling_state_is_shown_with_its_coin(texts: dict[str, str], summary: str) -> None:
    """What is held comes before what is waited for; what is so everywhere is said once."""
    told: Any = _Told(**texts)
    assert summarise_status(told) == summary
