from __future__ import annotations

from decimal import Decimal

import pytest

from hean.core.events import EquityUpdated, Heartbeat, Side, WalletUpdated
from hean.core.testing import HOUR, MINUTE, SECOND, START, MiniSystem, mark

from .scenes import booted, fill_of


def beat(system: MiniSystem, at: int) -> None:
    """Let a beat come."""
    system.take(Heartbeat(ts_event=at, ts_init=at, interval_ns=SECOND))


def wallet(amount: str, transfer: str = "0", *, at: int = START) -> WalletUpdated:
    """Return a wallet report."""
    return WalletUpdated(
        ts_event=at,
        ts_init=at,
        wallet=Decimal(amount),
        available=Decimal(amount),
        transfer=Decimal(transfer),
    )


def test_flows_leave_drawdown_alone() -> None:
    """A5: a deposit of 300 at a drawdown of 12 % leaves it at 12 %, and so does taking it back."""
    system, _ = booted()
    system.take(fill_of("s1", Side.BUY, "0.01", "100000", number=1))
    system.take(mark(96_400.0, at=START + SECOND))
    beat(system, START + SECOND)
    assert system.of(EquityUpdated)[-1].drawdown == pytest.approx(0.12)
    system.take(wallet("600", "300", at=START + 2 * SECOND))
    system.take(wallet("600", "300", at=START + 2 * SECOND))
    after = system.of(EquityUpdated)[-1]
    assert after.drawdown == pytest.approx(0.12)
    assert after.equity == Decimal(564)
    system.take(wallet("300", "-300", at=START + 3 * SECOND))
    assert system.of(EquityUpdated)[-1].drawdown == pytest.approx(0.12)
    assert system.of(EquityUpdated)[-1].equity == Decimal(264)


def test_what_exceeds_the_initial_capital_stays_outside() -> None:
    """Of a first balance only the initial capital is traded; the rest is remembered as outside."""
    system, portfolio = booted("300")
    assert portfolio.equity.outside == 0
    rich = MiniSystem(settings=system.settings)
    from hean.portfolio import PortfolioSettings, build_portfolio

    other = build_portfolio(rich.settings, PortfolioSettings(), rich.bus, rich.agenda, rich.view)
    for one in other.components:
        rich.add(one)
    rich.take(wallet("1000"))
    assert other.equity.equity == 300
    assert other.equity.outside == 700


def test_the_days_references_reset_at_midnight_even_when_flat() -> None:
    """Day start and day high become the present NAV with the first beat of a UTC day."""
    system, _ = booted()
    system.take(fill_of("s1", Side.BUY, "0.01", "100000", number=1))
    system.take(mark(103_000.0, at=START + SECOND))
    beat(system, START + SECOND)
    system.take(fill_of("s1", Side.SELL, "0.01", "101500", number=2, at=START + 2 * SECOND))
    before = system.of(EquityUpdated)[-1]
    assert (before.day_start, before.day_high) == (1.0, 1.1)
    beat(system, START + 24 * HOUR)
    after = system.of(EquityUpdated)[-1]
    assert after.day_start == after.day_high == pytest.approx(1.05)
    assert after.high_water_mark == 1.1


def test_beats_are_silent_while_nothing_moves() -> None:
    """A beat without a position, or without a moved mark, publishes no equity."""
    system, _ = booted()
    count = len(system.of(EquityUpdated))
    beat(system, START + SECOND)
    assert len(system.of(EquityUpdated)) == count
    system.take(fill_of("s1", Side.BUY, "0.01", "100000", number=1, at=START + SECOND))
    count = len(system.of(EquityUpdated))
    beat(system, START + 2 * SECOND)
    assert len(system.of(EquityUpdated)) == count
    system.take(mark(100_001.0, at=START + 3 * SECOND))
    beat(system, START + 3 * SECOND)
    assert len(system.of(EquityUpdated)) == count + 1


def test_a_missing_mark_keeps_the_last_one_and_ages() -> None:
    """Without a new mark equity stays, and its age is told with the next update."""
    system, portfolio = booted()
    system.take(fill_of("s1", Side.BUY, "0.01", "100000", number=1))
    at = START + 10 * MINUTE
    system.take(fill_of("s2", Side.BUY, "0.001", "100000", number=2, at=at))
    assert system.of(EquityUpdated)[-1].mark_age_ns == 10 * MINUTE
    assert portfolio.equity.equity == 300
