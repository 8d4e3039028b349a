from __future__ import annotations

import pytest

from hean.core.testing import BTC, HOUR, MINUTE, START, btc_perpetual, funding
from hean.strategies.funding_desk import (
    FundingDesk,
    FundingSettings,
    basis_bp,
    expect,
    fixed_share,
    forecast,
    settle,
)
from hean.strategies.windows import Average, ReturnWindow

STAMP = START + 8 * HOUR


def _desk() -> FundingDesk:
    return FundingDesk(
        instrument=BTC,
        specification=btc_perpetual(),
        marks=ReturnWindow.of(60, 240),
        magnitude=Average(half_life=9.0),
        spacing_ns=MINUTE,
        persistence=0.8,
    )


@pytest.mark.parametrize(
    ("minutes_before", "share"),
    [(240, 0.25), (120, 0.5633), (60, 0.7663), (30, 0.879), (20, 0.9185)],
)
def test_the_rate_fixes_itself_toward_the_stamp(minutes_before: int, share: float) -> None:
    """A quarter is fixed four hours before an 8-h stamp, 92 % twenty minutes before."""
    desk = _desk()
    expect(desk, funding(at=START), STAMP, FundingSettings())
    assert fixed_share(desk, STAMP - minutes_before * MINUTE) == pytest.approx(share, abs=2e-3)


def test_the_window_opens_when_enough_is_fixed() -> None:
    """On 8 h the window is 120 to 5 minutes, unless more must be fixed; no stamp, no window."""
    desk = _desk()
    expect(desk, funding(at=START), STAMP, FundingSettings())
    assert (desk.opens_at, desk.closes_at) == (STAMP - 120 * MINUTE, STAMP - 5 * MINUTE)
    expect(desk, funding(at=START), STAMP, FundingSettings(fixed_share=0.9))
    assert STAMP - 30 * MINUTE < desk.opens_at < STAMP - 20 * MINUTE
    expect(desk, funding(at=START), 0, FundingSettings())
    assert desk.opens_at > desk.closes_at


def test_persistence_follows_signs_and_stamps_count_once() -> None:
    """Rates that keep their sign raise persistence; a repeated settlement changes nothing."""
    desk = _desk()
    for number in range(1, 5):
        settle(desk, funding(0.0005, settled=True, at=START + number * 8 * HOUR))
    kept = desk.persistence
    assert kept > 0.8
    settle(desk, funding(0.0005, settled=True, at=START + 4 * 8 * HOUR))
    assert (desk.persistence, desk.settled) == (kept, 4)
    settle(desk, funding(-0.00001, settled=True, at=START + 5 * 8 * HOUR))
    assert desk.persistence < kept
    assert desk.quiet == 1


def test_the_now_cast_is_believed_while_fresh() -> None:
    """A now-cast younger than two minutes is the forecast, else the venue's rate."""
    desk = _desk()
    desk.rate_bp, desk.cast_bp, desk.cast_at = 5.0, 6.0, START
    assert forecast(desk, START + 2 * MINUTE) == 6.0
    assert forecast(desk, START + 3 * MINUTE) == 5.0


def test_the_basis_needs_mark_and_index() -> None:
    """The basis is the log distance in bp, and unknown without an index."""
    desk = _desk()
    assert basis_bp(desk) != basis_bp(desk)
    desk.mark, desk.index = 60_060.0, 60_000.0
    assert basis_bp(desk) == pytest.approx(9.995, abs=1e-3)
