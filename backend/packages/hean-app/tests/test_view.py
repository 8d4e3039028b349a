from __future__ import annotations

import io
import subprocess
import sys
from decimal import Decimal
from math import isclose
from pathlib import Path

import msgspec
import pytest

from hean.app.view import Pace, PlainView, announce, decision_text, open_view, status_text
from hean.app.view_state import DecisionLine, ViewState, age_text, coin_of, day_pnl
from hean.core.clock import ManualClock
from hean.core.events import EquityUpdated
from hean.core.testing import START

SECOND = 1_000_000_000


def _line(number: int) -> DecisionLine:
    return DecisionLine(
        ts_ns=START + number * SECOND,
        strategy="momentum_trader",
        instrument="BTCUSDT-PERP.BYBIT",
        side="BUY",
        outcome="order",
        text=f"{number} at 100",
    )


def _state(made: int, *, events: int = 0) -> ViewState:
    return ViewState(
        mode="paper",
        feed="sim",
        seed=0,
        state_dir=Path("x"),
        now_ns=START,
        speed=1.0,
        events=events,
        equity=Decimal(300),
        wallet=Decimal(300),
        unrealised=Decimal(0),
        drawdown=0.0,
        day_pnl=-1.25,
        risk_state="NORMAL",
        entries_allowed=True,
        entries_reason="",
        slots_used=1,
        slots_max=10,
        positions=(),
        strategies=(),
        decisions=tuple(_line(number) for number in range(max(0, made - 50), made)),
        decisions_made=made,
    )


def test_each_decision_is_one_line_once() -> None:
    """Pictures overlap, the lines do not: each decision is printed exactly once."""
    stream, clock = io.StringIO(), ManualClock(START)
    view = PlainView(clock, stream)
    for made in (0, 2, 2, 5):
        view.update(_state(made))
    orders = [line for line in stream.getvalue().splitlines() if " order " in line]
    assert [line.split(": ")[1] for line in orders] == [f"{n} at 100" for n in range(5)]


def test_decisions_that_scrolled_out_of_the_picture_are_counted() -> None:
    """A burst larger than what a picture holds is not passed over in silence."""
    stream = io.StringIO()
    view = PlainView(ManualClock(START), stream)
    view.update(_state(0))
    view.update(_state(80))
    assert "... 30 more decisions" in stream.getvalue()


def test_a_status_line_comes_every_ten_seconds() -> None:
    """Between them only decisions are written."""
    stream, clock = io.StringIO(), ManualClock(START)
    view = PlainView(clock, stream)
    for _ in range(25):
        view.update(_state(0))
        clock.advance(1.0)
    assert stream.getvalue().count(" status ") == 3


def test_plain_lines_have_no_escapes() -> None:
    """A log file stays readable."""
    stream = io.StringIO()
    view = PlainView(ManualClock(START), stream)
    view.warming(0.5, 1e5)
    view.update(_state(3))
    view.note("a note")
    view.close()
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue().endswith("a note\n")


def test_warming_lines_are_few_and_the_last_is_told() -> None:
    """A thousand steps of warm-up are a line every two seconds, and one at its end."""
    stream, clock = io.StringIO(), ManualClock(START)
    view = PlainView(clock, stream)
    for step in range(1, 101):
        view.warming(step / 100, 1e5)
        clock.advance(0.05)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[-1].startswith("warming up: 100 %")


def test_the_pace_is_of_the_last_seconds() -> None:
    """A change of pace shows within seconds; no time passed is no pace."""
    clock = ManualClock(START)
    pace = Pace(clock)
    assert pace.of(0) == 0.0
    events, last = 0, 0.0
    for rate in (100, 900):
        for _ in range(20):
            clock.advance(0.5)
            events += rate // 2
            last = pace.of(events)
        assert isclose(last, rate, abs_tol=1e-9)


def test_status_names_what_bars_entries() -> None:
    """The line has the money, the slots and the reason."""
    state = msgspec.structs.replace(_state(0), entries_allowed=False, entries_reason="KILL_SWITCH")
    text = status_text(state, 41.0)
    assert "equity 300.00 USDT, today -1.25" in text
    assert "no entries: KILL_SWITCH" in text
    assert "slots 1/10" in text


def test_a_decision_is_said_in_one_line() -> None:
    """Time, outcome, who, where, side and what."""
    assert decision_text(_line(0)).endswith(
        "order     momentum_trader BTCUSDT-PERP.BYBIT BUY: 0 at 100"
    )


def test_without_a_terminal_the_view_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe never gets cursor movements."""
    assert isinstance(open_view(plain=False), PlainView)
    announce(feed="sim", plain=False)
    assert capsys.readouterr().out.startswith("HEAN on paper, the built-in simulated market")


def test_the_first_line_needs_nothing_heavy() -> None:
    """Announcing imports neither rich, nor pydantic, nor arrow: what makes a start slow."""
    code = (
        "import sys\n"
        "from hean.app.view import announce\n"
        "announce(feed='sim', plain=True)\n"
        "heavy = {'rich', 'pydantic', 'pyarrow', 'numpy', 'hean.main'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("HEAN on paper")


def _equity(nav: float, day_start: float) -> EquityUpdated:
    zero = Decimal(0)
    return EquityUpdated(
        ts_event=START,
        ts_init=START,
        equity=Decimal(330),
        wallet=zero,
        unrealised=zero,
        nav=nav,
        high_water_mark=nav,
        drawdown=0.0,
        day_start=day_start,
        day_high=nav,
        mark_age_ns=0,
        realised=zero,
        fees=zero,
        funding=zero,
    )


def test_the_days_result_is_from_nav_per_unit() -> None:
    """A gain of a tenth of NAV on 330 is 30; nothing known is nothing."""
    assert isclose(day_pnl(_equity(1.1, 1.0)), 30.0, abs_tol=1e-9)
    assert day_pnl(None) == 0.0


@pytest.mark.parametrize(
    ("instrument", "coin"),
    [("BTCUSDT-PERP.BYBIT", "BTC"), ("ETHUSDT-SPOT.BYBIT", "ETH spot"), ("ODD", "ODD")],
)
def test_instruments_are_called_by_their_coin(instrument: str, coin: str) -> None:
    """Narrow columns show the coin, and which are spot."""
    assert coin_of(instrument) == coin


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (41, "41 s"), (3600, "1 h"), (5700, "1 h 35 m"), (273_605, "3 d 4 h")],
)
def test_ages_are_in_their_two_largest_units(seconds: int, text: str) -> None:
    """Nobody counts seconds of days."""
    assert age_text(seconds * SECOND) == text
