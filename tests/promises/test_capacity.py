"""Promise 4: open positions + working entries + reserved slots never exceed the maximum."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hean.app.feeds.replay import DatasetFeed
from hean.app.settings import AppSettings
from hean.app.testing import FinishedRun, finish_run, open_dataset, settings_with
from hean.core.bus import Stage
from hean.core.events import (
    Event,
    Intent,
    OrderAccepted,
    OrderFilled,
    OrderRequest,
    OrderStyle,
    PositionClosed,
    PositionOpened,
    Side,
    Signal,
)
from hean.core.ids import signal_id
from hean.core.journal import MemoryJournal, SqliteJournal
from hean.main import TradingSystem

SECOND_NS = 10**9
WATCHED = (Signal, OrderRequest, OrderAccepted, OrderFilled, PositionOpened, PositionClosed)


class Held:
    """Counts, after each event that can change it, the slots in use and the positions held."""

    def __init__(self, system: TradingSystem) -> None:
        self.system = system
        self.most = self.opened = 0
        for kind in WATCHED:
            system.bus.subscribe(kind, self.look, stage=Stage.REPORTS, owner="witness")

    def look(self, event: Event) -> None:
        found = self.system.tracker.statistics()
        used = found.open + found.working + found.reserved
        positions = len(list(self.system.portfolio.ledger.positions()))
        self.opened += isinstance(event, PositionOpened)
        self.most = max(self.most, used, positions, found.peak)


@pytest.mark.parametrize("maximum", [1, 2, 3])
def test_a_run_keeps_to_its_slots(bars: Path, tmp_path: Path, maximum: int) -> None:
    """Over a whole backtest with few slots no more than those are ever in use."""
    watchers: list[Held] = []
    session = open_dataset(
        bars,
        tmp_path,
        _settings(maximum),
        watch=lambda system: watchers.append(Held(system)),
    )
    run = finish_run(session)
    assert run.summary["slots"]["max"] == maximum
    assert 0 < run.summary["slots"]["peak"] <= maximum
    assert watchers[0].opened > 0
    assert watchers[0].most <= maximum
    assert run.summary["dlq"]["parked"] == run.summary["dlq"]["permanent"] == 0


class Warm:
    """The state of every component, by name; too long to be printed."""

    def __init__(self, states: dict[str, bytes]) -> None:
        self.states = states

    def __repr__(self) -> str:
        return "Warm()"


def _settings(maximum: int) -> AppSettings:
    return settings_with(RISK__MAX_POSITIONS=str(maximum), INITIAL_CAPITAL="5000")


@pytest.fixture(scope="module")
def warm(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Warm]:
    """For one and for two slots the state at the end of a whole run under that maximum."""
    found: dict[int, Warm] = {}
    for maximum in (1, 2):
        directory = tmp_path_factory.mktemp("warm")
        finish_run(open_dataset(bars, directory, _settings(maximum)))
        journal = SqliteJournal(directory / "journal.db")
        try:
            snapshot = journal.snapshot()
        finally:
            journal.close()
        assert snapshot is not None
        found[maximum] = Warm(snapshot.states)
    return found


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["momentum_trader", "funding_harvester"]),
        st.sampled_from(["BTCUSDT-PERP.BYBIT", "ETHUSDT-PERP.BYBIT"]),
        st.sampled_from([Side.BUY, Side.SELL]),
        st.sampled_from([Intent.OPEN, Intent.OPEN, Intent.CLOSE]),
        st.sampled_from([0, 1, SECOND_NS // 20, SECOND_NS, 31 * SECOND_NS]),
    ),
    min_size=1,
    max_size=12,
)


def _wish(
    system: TradingSystem, number: int, strategy: str, instrument: str, side: Side, intent: Intent
) -> Signal:
    now = system.agenda.now
    mark = system.view.mark(instrument)
    assert mark is not None
    sign = 1 if side is Side.BUY else -1
    return Signal(
        ts_event=now,
        ts_init=now,
        signal_id=signal_id(strategy, instrument, now, 10_000 + number),
        strategy=strategy,
        instrument=instrument,
        side=side,
        intent=intent,
        style=OrderStyle.MARKET if intent is Intent.CLOSE else OrderStyle.LIMIT_IOC,
        limit=None if intent is Intent.CLOSE else mark.price * (1 + 0.003 * sign),
        stop=None if intent is Intent.CLOSE else mark.price * (1 - 0.02 * sign),
        ttl_ns=10 * SECOND_NS,
        strength=0.9,
        confidence=0.9,
        expected_edge_bp=200.0,
        cost_bp=10.0,
        reason="drawn",
    )


OPENED: list[int] = []


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(maximum=st.integers(1, 2), steps=STEPS)
@example(
    maximum=1,
    steps=[
        ("momentum_trader", instrument, side, intent, SECOND_NS)
        for intent, side in ((Intent.CLOSE, Side.SELL), (Intent.OPEN, Side.BUY))
        for instrument in ("BTCUSDT-PERP.BYBIT", "ETHUSDT-PERP.BYBIT")
    ],
)
def test_any_interleaving_keeps_to_the_slots(
    bars: Path,
    warm: dict[int, Warm],
    maximum: int,
    steps: list[tuple[str, str, Side, Intent, int]],
) -> None:
    """Whatever opens and closes come, however close together, the slots in use stay within."""
    system = TradingSystem(
        settings=_settings(maximum),
        description=DatasetFeed(bars).description,
        journal=MemoryJournal(),
    )
    held = Held(system)
    system.restore(warm[maximum].states)
    for number, (strategy, instrument, side, intent, pause) in enumerate(steps):
        system.take(_wish(system, number, strategy, instrument, side, intent))
        if pause:
            system.kernel.advance(system.agenda.now + pause)
    system.kernel.advance(system.agenda.now + 60 * SECOND_NS)
    OPENED.append(held.opened)
    assert held.most <= maximum
    assert system.tracker.statistics().peak <= maximum


def test_the_interleavings_did_open_positions() -> None:
    """The property above means something: its examples opened positions."""
    assert max(OPENED, default=0) > 0


def test_a_slot_freed_is_a_slot_again(bar_run: FinishedRun) -> None:
    """Positions come and go: more are opened over a run than slots were ever in use."""
    opened = len(bar_run.events("PositionOpened"))
    assert opened > bar_run.summary["slots"]["peak"] > 0
    assert Decimal(bar_run.summary["fees"]) > 0
