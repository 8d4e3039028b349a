from __future__ import annotations

from decimal import Decimal

import pytest

from hean.core.events.market import FeedGap
from hean.core.events.reasons import ReasonCode
from hean.core.events.risk import KillSwitchTripped
from hean.core.events.venue import VenueStateChanged
from hean.core.testing import BTC, ETH, MINUTE, SECOND, position_opened, quote
from hean.risk.sentinel_state import SentinelState
from hean.risk.testing import RiskSystem


def test_two_states_share_nothing() -> None:
    """Margins, gaps and factors of one state are not those of another."""
    first, second = SentinelState(), SentinelState()
    first.margins["a"] = Decimal(1)
    first.gaps[ETH] = 1
    first.factors["alpha"] = [1.0]
    assert (second.margins, second.gaps, second.factors) == ({}, {}, {})


def test_the_latch_goes_before_a_halt_and_a_halt_before_a_lost_venue() -> None:
    """What bars the whole account is named in one order: the latch, equity, the connection."""
    system = RiskSystem("alpha")
    standing = system.risk.sentinel
    assert standing.account_bar() is None
    at = system.now
    system.take(VenueStateChanged(ts_event=at, ts_init=at, connected=False))
    assert standing.account_bar() == (ReasonCode.ENTRIES_HALTED, 0.0, 1.0)
    system.equity("-1", nav=0.9)
    assert standing.account_bar() == (ReasonCode.ENTRIES_HALTED, -1.0, 0.0)
    system.equity(nav=0.6)
    assert len(system.of(KillSwitchTripped)) == 1
    assert standing.account_bar() == (ReasonCode.KILL_SWITCH, 1.0, 0.0)


def test_the_age_is_that_of_the_oldest_input() -> None:
    """A held instrument without news ages the account, another's only whoever asks for it."""
    system = RiskSystem("alpha")
    system.advance(3)
    system.beat()
    assert system.risk.sentinel.age_ns() == 0
    assert system.risk.sentinel.age_ns(ETH) == 3 * SECOND
    system.take(position_opened(instrument=BTC, at=system.now))
    system.beat()
    system.risk.sentinel.refresh()
    assert system.risk.sentinel.age_ns() == 3 * SECOND
    system.take(quote(60_000.0, 60_000.1, at=system.now))
    assert system.risk.sentinel.age_ns(BTC) == 3 * SECOND
    system.risk.sentinel.envelope()
    system.advance(6)
    assert system.risk.sentinel.age_ns(BTC) == 6 * SECOND


def test_a_gap_makes_what_came_before_it_unknown() -> None:
    """After a gap an instrument is as old as time until its next price."""
    system = RiskSystem("alpha")
    system.advance(2)
    at = system.now
    system.take(FeedGap(ts_event=at, ts_init=at, instrument=ETH, reason="lost"))
    assert system.risk.sentinel.age_ns(ETH) == at
    system.advance(1)
    system.tick()
    system.beat()
    assert system.risk.sentinel.age_ns(ETH) == 0


@pytest.mark.parametrize(
    ("interval", "seconds"), [(SECOND, 5), (MINUTE, 121), (5 * MINUTE, 601), (2 * SECOND, 5)]
)
def test_inputs_may_be_five_seconds_old_and_on_bars_two_bars(interval: int, seconds: int) -> None:
    """The limit is the setting's 5 s, or two bars and a second where that is more."""
    system = RiskSystem("alpha")
    system.beat(interval)
    assert system.risk.sentinel.maximum_age_ns == seconds * SECOND


def test_a_gain_is_no_loss_of_the_day() -> None:
    """The day's loss counts from the day's start: 4 % down is 0.04, 4 % up is 0."""
    system = RiskSystem("alpha")
    system.equity(nav=0.96)
    assert system.risk.sentinel.day_loss() == 0.04
    system.equity(nav=1.04)
    assert system.risk.sentinel.day_loss() == 0.0
