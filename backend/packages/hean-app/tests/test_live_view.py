from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

from rich.console import Console

from hean.app.live_view import LiveView, picture, warming_line
from hean.app.view_state import DecisionLine, PositionLine, StrategyLine, ViewState
from hean.core.clock import ManualClock

NOON = 1_704_110_400_000_000_000
MINUTE = 60_000_000_000
_REFUSED = "POSITION_SIZER_ZERO: 0.00071 against 0.001"


def _strategy(name: str, text: str, **more: object) -> StrategyLine:
    values: dict[str, object] = {
        "strategy": name,
        "active": True,
        "runs": True,
        "budget": Decimal("30.00"),
        "signals": 0,
        "orders": 0,
        "fills": 0,
        "net": Decimal(0),
        "text": text,
        **more,
    }
    return StrategyLine(**values)  # type: ignore[arg-type]


STRATEGIES = (
    _strategy(
        "hf_scalping",
        "BTC: holding long 0.002 from 43120.5",
        signals=41,
        orders=33,
        fills=58,
        net=Decimal("-0.8431"),
        budget=Decimal("41.25"),
    ),
    _strategy(
        "inventory_neutral_mm",
        "ETH and 1 more: waiting because flow is too one-sided to quote into (0.74 against 0.7)",
        signals=12,
        orders=9,
        fills=3,
        net=Decimal("0.0412"),
    ),
    _strategy(
        "rebate_farmer",
        "not running because it needs a maker rebate",
        active=False,
        runs=False,
        budget=Decimal(0),
    ),
    _strategy("impulse_engine", "waiting because the move is too small (2.1 against 4)"),
    _strategy("liquidity_sweep", "waiting because nothing has triggered it yet"),
    _strategy(
        "momentum_trader",
        "waiting because it is warming up, needs 3 h more",
        warming=True,
    ),
    _strategy(
        "enhanced_grid",
        "waiting because the strategy does not open positions in the present regime",
    ),
    _strategy(
        "funding_harvester",
        "SOL: holding short 1.2 from 101.37",
        signals=1,
        orders=1,
        fills=2,
        net=Decimal("0.3310"),
        budget=Decimal("58.10"),
    ),
    _strategy(
        "basis_arbitrage",
        "waiting because the expected move does not pay the costs (3.2 against 7.7)",
        active=False,
        budget=Decimal(0),
    ),
    _strategy("correlation_arb", "waiting because the entry condition is not met (1.2 against 2)"),
    _strategy("sentiment_strategy", "waiting because the entry condition is not met"),
)
POSITIONS = (
    PositionLine(
        strategy="hf_scalping",
        instrument="BTCUSDT-PERP.BYBIT",
        side="long",
        quantity=Decimal("0.002"),
        entry=Decimal("43120.5"),
        mark=43098.1,
        unrealised=-0.0448,
        age_ns=41_000_000_000,
    ),
    PositionLine(
        strategy="funding_harvester",
        instrument="SOLUSDT-PERP.BYBIT",
        side="short",
        quantity=Decimal("1.2"),
        entry=Decimal("101.37"),
        mark=101.21,
        unrealised=0.192,
        age_ns=95 * MINUTE,
    ),
)
DECISIONS = tuple(
    DecisionLine(
        ts_ns=NOON + place * 7_000_000_000,
        strategy=name,
        instrument=instrument,
        side=side,
        outcome=outcome,
        text=text,
    )
    for place, (name, instrument, side, outcome, text) in enumerate(
        (
            ("hf_scalping", "BTCUSDT-PERP.BYBIT", "BUY", "order", "0.002 at 43120.5"),
            ("hf_scalping", "ETHUSDT-PERP.BYBIT", "SELL", "refused", _REFUSED),
            ("inventory_neutral_mm", "ETHUSDT-PERP.BYBIT", "BUY", "withdrawn", "2 orders pulled"),
            ("funding_harvester", "SOLUSDT-PERP.BYBIT", "SELL", "order", "1.2 at 101.37"),
            ("momentum_trader", "BTCUSDT-SPOT.BYBIT", "BUY", "refused", "EDGE: 3.1 against 7.7"),
        )
        * 3
    )
)


def view_state(**changes: object) -> ViewState:
    """Return a picture of a busy run."""
    values: dict[str, object] = {
        "mode": "paper",
        "feed": "sim",
        "seed": 7,
        "state_dir": Path(".hean/paper-sim"),
        "now_ns": NOON + 95 * MINUTE,
        "speed": 1.0,
        "events": 41_000,
        "equity": Decimal("299.6273"),
        "wallet": Decimal("299.4801"),
        "unrealised": Decimal("0.1472"),
        "drawdown": 0.0012,
        "day_pnl": -0.3727,
        "risk_state": "NORMAL",
        "entries_allowed": True,
        "entries_reason": "",
        "slots_used": 3,
        "slots_max": 10,
        "positions": POSITIONS,
        "strategies": STRATEGIES,
        "decisions": DECISIONS,
        "decisions_made": 1312,
        **changes,
    }
    return ViewState(**values)  # type: ignore[arg-type]


def _drawn(state: ViewState, width: int = 100, height: int = 30) -> list[str]:
    console = Console(
        file=io.StringIO(), width=width, height=height, record=True, force_terminal=True
    )
    console.print(picture(state, 41.4, width, height))
    return console.export_text().splitlines()


def test_the_picture_fits_the_smallest_terminal() -> None:
    """At 100 x 30 no line is longer than the terminal and the picture leaves room for one line."""
    lines = _drawn(view_state())
    assert len(lines) <= 29
    assert max(map(len, lines)) <= 100


def test_a_larger_terminal_shows_more_decisions() -> None:
    """Spare lines go to the decisions, and blank lines part the tables."""
    small, large = _drawn(view_state()), _drawn(view_state(), 140, 44)
    shown = [[line for line in lines if " 12:0" in f" {line}"] for lines in (small, large)]
    assert len(shown[1]) > len(shown[0])
    assert len(large) <= 43


def test_every_strategy_says_what_it_does_or_waits_for() -> None:
    """The words of each strategy are in its row, without saying 'waiting because' eleven times."""
    lines = _drawn(view_state(), 160, 40)
    rows = {line.split()[1]: line for line in lines if line.startswith(("●", "○"))}
    assert set(rows) == {one.strategy for one in STRATEGIES}
    assert "it is warming up, needs 3 h more" in rows["momentum_trader"]
    assert "inactive: the expected move" in rows["basis_arbitrage"]
    assert "not running because it needs a maker rebate" in rows["rebate_farmer"]


def test_barred_entries_say_why() -> None:
    """The header names the reason for which nothing may be opened."""
    state = view_state(entries_allowed=False, entries_reason="DAILY_LOSS", risk_state="QUARANTINE")
    text = "\n".join(_drawn(state, 140, 40))
    assert "QUARANTINE  no entries: DAILY_LOSS" in text


def test_an_empty_run_has_its_sentences() -> None:
    """Before the first trade the tables are not blank."""
    state = view_state(positions=(), decisions=(), decisions_made=0)
    text = "\n".join(_drawn(state))
    assert "none open" in text
    assert "none yet" in text


def test_more_positions_than_fit_are_counted() -> None:
    """What is cut off is announced."""
    text = "\n".join(_drawn(view_state(positions=POSITIONS * 20)))
    assert "Positions 40" in text
    assert "more" in text


def test_the_view_draws_warms_notes_and_leaves() -> None:
    """A whole life on a recorded terminal: bar, picture, note; after closing it can close again."""
    stream = io.StringIO()
    console = Console(file=stream, width=100, height=30, force_terminal=True)
    clock = ManualClock(NOON)
    view = LiveView(clock, console)
    view.warming(0.5, 120_000.0)
    view.update(view_state(events=0))
    clock.advance(2.0)
    view.update(view_state(events=500))
    view.note("setting X = 1 (argument)")
    view.close()
    view.close()
    text = stream.getvalue()
    assert "warming up" in text
    assert "250 ev/s" in text
    assert "setting X = 1 (argument)" in text


def test_the_warm_up_bar_is_as_long_as_its_share() -> None:
    """A quarter done is ten of forty marks, and says so."""
    line = warming_line(0.25, 1000.0)
    assert " 25 %" in line.plain
    assert [span.end - span.start for span in line.spans if span.style == "green"] == [10]
