from __future__ import annotations

import math

import pytest

from hean.core.events.system import Heartbeat
from hean.core.testing import BTC, ETH, HOUR, SECOND, quote
from hean.risk.tail import FALLBACK, LEAST_SIGMA
from hean.risk.testing import RiskSystem


def hours(system: RiskSystem, count: int, *, together: float = 1.0) -> None:
    """Let hours pass in which BTC and ETH move by a deterministic 1 %."""
    btc, eth = 60_000.0, 3_500.0
    for index in range(count):
        system.agenda.now += HOUR
        step = 0.01 * math.sin(index * 1.7) * (1.0 + 0.5 * math.sin(index * 0.31))
        btc *= math.exp(step)
        eth *= math.exp(together * step)
        at = system.now
        system.take(quote(btc, btc + 0.1, at=at), quote(eth, eth + 0.01, instrument=ETH, at=at))
        system.take(Heartbeat(ts_event=at, ts_init=at, interval_ns=SECOND))


def test_too_few_hours_use_the_stand_in() -> None:
    """Before 250 hours a USDT held costs 2.82 times 3 %, and all move together."""
    system = RiskSystem("alpha")
    tail = system.risk.tail
    assert tail.unit(BTC, is_long=True) == FALLBACK * LEAST_SIGMA
    both = tail.book({BTC: 100.0, ETH: -100.0})
    assert both == pytest.approx(200 * FALLBACK * LEAST_SIGMA)  # pyright: ignore[reportUnknownMemberType]


def test_a_hedge_costs_less_once_history_shows_it() -> None:
    """With 300 hours of common moves a hedged pair has almost no tail, its legs have one."""
    system = RiskSystem("alpha")
    hours(system, 300)
    tail = system.risk.tail
    alone = tail.book({BTC: 100.0})
    assert 0.5 < alone < 10.0
    assert tail.book({BTC: 100.0, ETH: -100.0}) < 0.05 * alone
    assert tail.book({BTC: 100.0, ETH: 100.0}) == pytest.approx(2 * alone, rel=0.05)  # pyright: ignore[reportUnknownMemberType]


def test_the_tail_is_subadditive() -> None:
    """A book never costs more than its positions alone."""
    system = RiskSystem("alpha")
    hours(system, 300, together=-0.3)
    tail = system.risk.tail
    parts = tail.book({BTC: 80.0}) + tail.book({ETH: 50.0})
    assert tail.book({BTC: 80.0, ETH: 50.0}) <= parts + 1e-9


def test_a_snapshot_restores_the_history() -> None:
    """A restored history measures the same."""
    system = RiskSystem("alpha")
    hours(system, 280)
    other = RiskSystem("alpha")
    other.risk.tail.restore(system.risk.tail.snapshot())
    book = {BTC: 100.0, ETH: -40.0}
    assert other.risk.tail.book(book) == system.risk.tail.book(book)
