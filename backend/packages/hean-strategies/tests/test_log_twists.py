from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from hean.core.events import Bar, FundingRate, Quote, Regime, RegimeChanged
from hean.core.testing import BTC, START, funding
from hean.strategies.bench import Log
from hean.strategies.log_twists import (
    WEEK_NS,
    dearer_log,
    later_log,
    log_in_regime,
    mirror_log,
    scaled_log,
)
from hean.strategies.testing import trend_log


def _log() -> Log:
    """A day of bars, and a funding rate."""
    log = trend_log(1)
    return msgspec.structs.replace(log, events=[*log.events, funding(at=START)])


def test_mirroring_twice_gives_the_log_back() -> None:
    """A mirrored quote is ordered, and its mirror image is the quote itself."""
    log = _log()
    once, twice = mirror_log(log), mirror_log(mirror_log(log))
    first = next(one for one in once.events if isinstance(one, Quote))
    assert first.bid < first.ask
    for before, after in zip(log.events, twice.events, strict=True):
        if isinstance(before, Quote) and isinstance(after, Quote):
            assert after.bid == pytest.approx(before.bid, rel=1e-6)
            assert msgspec.structs.replace(after, bid=0, ask=0) == msgspec.structs.replace(
                before, bid=0, ask=0
            )


def test_a_scaled_log_scales_prices_and_ticks_alone() -> None:
    """Prices and the tick are multiplied, times and volumes stay."""
    log = _log()
    scaled = scaled_log(log, 8.0)
    assert scaled.instruments[0].tick_size == 8 * log.instruments[0].tick_size
    for before, after in zip(log.events, scaled.events, strict=True):
        assert after.ts_init == before.ts_init
        if isinstance(before, Bar) and isinstance(after, Bar):
            assert (after.high, after.volume) == (8.0 * before.high, before.volume)


def test_a_later_log_moves_every_time() -> None:
    """A week is added to all that is a time, and to nothing else."""
    log = _log()
    for before, after in zip(log.events, later_log(log).events, strict=True):
        assert after.ts_init == before.ts_init + WEEK_NS
        if isinstance(before, Bar) and isinstance(after, Bar):
            assert after.open_time - before.open_time == WEEK_NS
            assert after.close == before.close
        if isinstance(before, FundingRate) and isinstance(after, FundingRate):
            assert after.next_funding_time - before.next_funding_time == WEEK_NS


def test_a_dearer_log_raises_both_fees() -> None:
    """Five basis points are added to each fee, and a rebate has become a fee before."""
    log = _log()
    rebated = msgspec.structs.replace(log.instruments[0], maker_fee=Decimal("-0.0001"))
    dearer = dearer_log(msgspec.structs.replace(log, instruments=(rebated,)), 5.0)
    assert dearer.instruments[0].maker_fee == Decimal("0.0006")
    assert dearer.instruments[0].taker_fee == rebated.taker_fee + Decimal("0.0005")


def test_a_log_in_one_regime_says_so_first_and_only_once() -> None:
    """Each instrument is told the regime before anything else, and nothing changes it."""
    log = log_in_regime(log_in_regime(_log(), Regime.IMPULSE), Regime.RANGE)
    told = [one for one in log.events if isinstance(one, RegimeChanged)]
    assert [(one.instrument, one.regime) for one in told] == [(BTC, Regime.RANGE)]
    assert log.events[0] is told[0]
