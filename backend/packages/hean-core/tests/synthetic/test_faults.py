from __future__ import annotations

from hean.core.events import Bar, FeedGap, Quote
from hean.core.synthetic.faults import delayed, stale_from, with_gap
from hean.core.synthetic.paths import bar_log, merged, walk
from hean.core.testing import BTC, ETH, MINUTE, START


def _log() -> list[Quote | Bar]:
    """Two hours of minute bars of two coins, without beats."""
    prices = walk(1, 120, start=100.0, sigma_bp=5.0)
    logs = [bar_log(name, prices, begin=START, interval=MINUTE) for name in (BTC, ETH)]
    return [one for one in merged(*logs) if isinstance(one, Quote | Bar)]


def test_a_gap_silences_one_instrument_and_is_told_at_its_end() -> None:
    """Nothing of BTC comes for ten minutes, everything of ETH does, then a gap is told."""
    at, end = START + 30 * MINUTE, START + 40 * MINUTE
    found = with_gap(_log(), BTC, at=at, lasts=end - at)
    silent = [one for one in found if at <= one.ts_init < end]
    assert {getattr(one, "instrument", "") for one in silent} == {ETH}
    (gap,) = [one for one in found if isinstance(one, FeedGap)]
    assert (gap.instrument, gap.ts_init) == (BTC, end)
    assert [one.ts_init for one in found] == sorted(one.ts_init for one in found)


def test_a_series_that_dies_stays_dead() -> None:
    """From the moment on there are no bars, and as many quotes as before."""
    log, at = _log(), START + 60 * MINUTE
    found = stale_from(log, (Bar,), at=at)
    assert not [one for one in found if isinstance(one, Bar) and one.ts_init >= at]
    assert [one for one in found if isinstance(one, Bar)]
    assert len([one for one in found if isinstance(one, Quote)]) == len(
        [one for one in log if isinstance(one, Quote)]
    )


def test_late_events_keep_their_source_time() -> None:
    """Receipt rises, source times do not, and no event is lost."""
    log = _log()
    found = delayed(log, seed=3, share=0.3, most_ns=5 * MINUTE)
    received = [one.ts_init for one in found]
    assert received == sorted(received)
    told = [one.ts_event for one in found]
    assert told != sorted(told)
    assert sorted(told) == sorted(one.ts_event for one in log)
