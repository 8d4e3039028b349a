"""A flash crash ends flat, alive and latched, with the books balanced; only a person re-arms."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest

from hean.app.feeds.sim import START_NS, SimFeed
from hean.app.session import Session
from hean.app.strategy_selection import enabling
from hean.app.testing import FinishedRun, finish_run, open_simulation, settings_with
from hean.core.bus import Stage
from hean.core.events import (
    Event,
    Intent,
    KillAction,
    KillSwitchReset,
    KillSwitchTripped,
    OperatorCommand,
    OrderRequest,
    OrderStyle,
    PositionClosed,
    PositionOpened,
    ReasonCode,
    RefusedBy,
    RiskState,
    RiskStateChanged,
    Side,
    Signal,
    SignalRejected,
)
from hean.core.ids import signal_id
from hean.core.synthetic.moods import Push

EventT = TypeVar("EventT", bound=Event)
SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
DAY_NS = 1440 * MINUTE_NS
BTC, ETH, SOL = "BTCUSDT-PERP.BYBIT", "ETHUSDT-PERP.BYBIT", "SOLUSDT-PERP.BYBIT"
GAP, REST = -0.43, -0.08
"""Log returns of the first half second and of the two minutes after it: -40 % together."""
LONGS = (
    ("correlation_arb", BTC, 0.02),
    ("sentiment_strategy", ETH, 0.02),
    ("correlation_arb", SOL, 0.5),
)
"""Who buys what, with how far a stop; the last one is out of the crash's reach."""
WATCHED = (
    KillSwitchTripped, KillSwitchReset, PositionOpened, PositionClosed, OrderRequest,
    SignalRejected, RiskStateChanged,
)  # fmt: skip
SETTINGS = settings_with(
    **enabling(("correlation_arb", "sentiment_strategy", "funding_harvester")),
    SIM__HISTORY_DAYS="0.3",
    SIM__HISTORY_TICK_HOURS="1.1",
    INITIAL_CAPITAL="10000",
    TRIAL_TRADE_RISK="0.01",
    RISK__STRESS_CUSHION="1",
    RISK__CVAR_CUSHION="1",
)


@dataclass
class Crash:
    """What happened: events in order, and the run directories before and after the restart."""

    events: list[Event] = field(default_factory=list[Event])
    held_at_trip: int = 0
    first: FinishedRun | None = None
    second: FinishedRun | None = None
    latched_after_restart: bool = False
    multiplier_after: float = 0.0
    state_after: str = ""
    latched_at_end: bool = True
    positions: list[int] = field(default_factory=list[int])
    venue_positions: list[int] = field(default_factory=list[int])

    def of(self, kind: type[EventT]) -> list[EventT]:
        """Return the events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]


def _open(directory: Path, crash: Crash) -> Session:
    session = open_simulation(directory, SETTINGS)
    system = session.system

    def note(event: Event) -> None:
        if isinstance(event, SignalRejected) and event.refused_by is RefusedBy.STRATEGY:
            return
        crash.events.append(event)
        if isinstance(event, KillSwitchTripped):
            crash.held_at_trip = len(list(system.portfolio.ledger.positions()))

    for kind in WATCHED:
        system.bus.subscribe(kind, note, stage=Stage.REPORTS, owner="witness")
    return session


def _run(session: Session, until: int) -> None:
    while (event := session.peek()) is not None and event.ts_init <= until:
        session.next_event()
        session.take(event)


def _buy(session: Session, number: int, strategy: str, instrument: str, stop: float = 0.02) -> None:
    """Publish a long whose stop lies a fraction below."""
    system, now = session.system, session.now
    mark = system.view.mark(instrument)
    assert mark is not None
    wish = Signal(
        ts_event=now,
        ts_init=now,
        signal_id=signal_id(strategy, instrument, now, 90_000 + number),
        strategy=strategy,
        instrument=instrument,
        side=Side.BUY,
        intent=Intent.OPEN,
        style=OrderStyle.LIMIT_IOC,
        limit=mark.price * 1.003,
        stop=mark.price * (1.0 - stop),
        ttl_ns=10 * SECOND_NS,
        strength=0.9,
        confidence=1.0,
        expected_edge_bp=300.0,
        cost_bp=10.0,
        reason="drawn",
    )
    system.kernel.take(wish)


def _fall(session: Session) -> None:
    """Push every coin down by 40 %: most of it in half a second, the rest within two minutes."""
    feed = session.feed
    assert isinstance(feed, SimFeed)
    market = feed._market  # pyright: ignore[reportPrivateUsage]
    for coin in market.state.coins:
        coin.path.pushes.append(Push(GAP / 0.5, 0.5, 6.0))
        coin.path.pushes.append(Push(REST / 120.0, 120.0, 4.0))


def _skip_to_midnight(session: Session) -> None:
    """Play the rest of the day as minute bars, then a minute of ticks."""
    feed = session.feed
    assert isinstance(feed, SimFeed)
    midnight = (session.now // DAY_NS + 1) * DAY_NS
    feed._ticks_from = midnight  # pyright: ignore[reportPrivateUsage]
    _run(session, midnight + MINUTE_NS)


def _count(session: Session, crash: Crash) -> None:
    crash.positions.append(len(list(session.system.portfolio.ledger.positions())))
    crash.venue_positions.append(len(session.system.venue.account().positions))


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Crash:
    """Three longs, a crash, a restart, an operator, and what came of it."""
    directory = tmp_path_factory.mktemp("crash")
    found = Crash()
    session = _open(directory, found)
    _run(session, START_NS + 2 * MINUTE_NS)
    for number, (strategy, instrument, stop) in enumerate(LONGS):
        _buy(session, number, strategy, instrument, stop)
    _run(session, START_NS + 3 * MINUTE_NS)
    _count(session, found)
    _fall(session)
    _run(session, START_NS + 6 * MINUTE_NS)
    _buy(session, 11, "correlation_arb", BTC)
    _count(session, found)
    found.first = finish_run(session, session.now)

    session = _open(directory, found)
    found.latched_after_restart = session.system.risk.kill_switch.is_latched
    _run(session, START_NS + 8 * MINUTE_NS)
    _buy(session, 12, "correlation_arb", BTC)
    _run(session, session.now + MINUTE_NS)
    _count(session, found)
    now = session.now
    for reason, account in (("", "paper"), ("books checked", ""), ("books checked", "paper")):
        session.system.kernel.take(
            OperatorCommand(
                ts_event=now,
                ts_init=now,
                command="reset_kill_switch",
                operator="anna",
                reason=reason,
                arguments=(("account", account),),
            )
        )
    _run(session, session.now + 2 * MINUTE_NS)
    _buy(session, 13, "correlation_arb", BTC)
    _skip_to_midnight(session)
    _buy(session, 14, "funding_harvester", BTC)
    _run(session, session.now + MINUTE_NS)
    _count(session, found)
    risk = session.system.risk
    found.latched_at_end = risk.kill_switch.is_latched
    found.multiplier_after = risk.governor.multiplier
    found.state_after = risk.governor.state
    found.second = finish_run(session, session.now)
    return found


def test_it_trips_once_with_positions_open(crash: Crash) -> None:
    """With three longs on three coins a fall of 40 % trips FLATTEN, once, while they are held."""
    (trip,) = crash.of(KillSwitchTripped)
    assert trip.action is KillAction.FLATTEN
    assert trip.cause in ("day loss", "total loss")
    assert crash.positions[0] == 3
    assert crash.held_at_trip > 0


def test_it_ends_flat_and_alive(crash: Crash) -> None:
    """Three minutes later books and venue hold nothing, and every position closed exactly once."""
    assert crash.positions[1:3] == [0, 0]
    assert crash.venue_positions[1:3] == [0, 0]
    opened = [event.fill_id for event in crash.of(PositionOpened)]
    closed = crash.of(PositionClosed)
    assert len(opened) - len(closed) == crash.positions[-1]
    assert crash.first is not None
    assert crash.first.summary["dlq"]["permanent"] == 0


def test_the_books_balance_after_it(crash: Crash) -> None:
    """To the last digit, before the restart and after it; the loss stays above the total floor."""
    for run in (crash.first, crash.second):
        assert run is not None
        assert run.summary["books_balance"] is True
    assert crash.first is not None
    assert Decimal(7000) < Decimal(crash.first.summary["equity_end"]) < Decimal(8500)


def test_nothing_is_opened_while_it_is_latched(crash: Crash) -> None:
    """Entries after the trip are refused by KILL_SWITCH, before and after a restart."""
    assert crash.latched_after_restart
    refused = [event for event in crash.of(SignalRejected) if event.code is ReasonCode.KILL_SWITCH]
    assert len(refused) >= 2
    trip = crash.events.index(crash.of(KillSwitchTripped)[0])
    reset = crash.events.index(crash.of(KillSwitchReset)[0])
    between = crash.events[trip:reset]
    assert not [one for one in between if isinstance(one, PositionOpened)]


def test_only_a_reason_and_the_account_re_arm_it(crash: Crash) -> None:
    """Of three commands the one with a reason and the account re-arms, to m of at least 0.4."""
    (reset,) = crash.of(KillSwitchReset)
    assert (reset.operator, reset.reason) == ("anna", "books checked")
    assert not crash.latched_at_end
    assert crash.multiplier_after >= 0.39
    assert crash.state_after != RiskState.HARD_STOP
    later = crash.events[crash.events.index(reset) :]
    assert not [
        one for one in later
        if isinstance(one, RiskStateChanged) and one.state is RiskState.HARD_STOP
    ]  # fmt: skip


def test_it_trades_again_after_it(crash: Crash) -> None:
    """After the re-arm the day's loss still bars entries; past midnight a signal is traded."""
    reset = crash.events.index(crash.of(KillSwitchReset)[0])
    rejected = [one for one in crash.events[reset:] if isinstance(one, SignalRejected)]
    assert [one.code for one in rejected] == [ReasonCode.DAILY_LOSS]
    assert [one for one in crash.events[reset:] if isinstance(one, PositionOpened)]
