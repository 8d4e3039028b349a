from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.events.system import Heartbeat
from hean.core.testing import BTC, ETH, MINUTE, SECOND, bar, book, mark, quote, trade
from hean.risk.testing import RiskSystem


def second(system: RiskSystem, price: float, *, marked: bool = True) -> None:
    """Let a second pass in which BTC quotes at a price."""
    system.advance(1)
    at = system.now
    if marked:
        system.take(mark(price, at=at))
    system.take(quote(price - 0.05, price + 0.05, at=at))
    system.take(Heartbeat(ts_event=at, ts_init=at, interval_ns=SECOND))


def noise(index: int) -> float:
    """Return a deterministic, roughly Gaussian number of standard deviation 1."""
    total = 0.0
    for part in range(12):
        total += math.modf(math.sin(index * 12.9898 + part * 78.233) * 43758.5453)[0] % 1.0
    return total - 6.0


def calm(system: RiskSystem, count: int = 60, price: float = 60_000.0) -> float:
    """Let quiet seconds pass with 1 bp of noise each; return the last price."""
    for index in range(count):
        price *= 1.0 + noise(index) * 1e-4
        second(system, price)
    return price


def block(system: RiskSystem) -> tuple[int, str]:
    """Return the block of BTC, its end in seconds from now."""
    until, reason = system.risk.anomaly.block(BTC)
    return (until - system.now) // SECOND, reason


def test_two_thousand_gaussian_ticks_raise_no_alarm() -> None:
    """G-6: noise of 1 bp a second blocks nothing."""
    system = RiskSystem("alpha")
    price = 60_000.0
    for index in range(2000):
        price *= 1.0 + noise(index) * 1e-4
        second(system, price)
        assert system.risk.anomaly.block(BTC) == (0, "")


def test_a_real_jump_blocks_for_five_minutes() -> None:
    """A move of 6 % that the mark follows blocks 300 s, for everybody, and ends by time."""
    system = RiskSystem("alpha")
    price = calm(system)
    system.take(mark(price * 1.06, at=system.now), trade(price * 1.06, at=system.now))
    assert block(system) == (300, "jump")
    system.advance(300)
    assert system.risk.anomaly.block(BTC)[1] != "jump"


def test_a_bad_print_is_ignored_and_blocks_for_a_minute() -> None:
    """A print 6 % away while the mark stays is bad: 60 s, and it never becomes the reference."""
    system = RiskSystem("alpha")
    price = calm(system)
    system.take(trade(price * 1.06, at=system.now))
    assert block(system) == (60, "bad print")
    system.advance(60)
    second(system, price)
    assert system.risk.anomaly.block(BTC) == (0, "")


def test_a_crash_within_a_minute_blocks_for_fifteen() -> None:
    """11 % in 30 s, step by step, ends in a block of 900 s."""
    system = RiskSystem("alpha")
    price = calm(system)
    for _ in range(30):
        price *= 0.995
        second(system, price)
    assert block(system)[1] in ("crash", "jump")
    assert system.risk.anomaly.watches[BTC].reason == "crash"
    assert block(system)[0] > 860


def test_eleven_strategies_get_one_answer() -> None:
    """G-5: after a gap of 3 % every strategy is told the same."""
    names = [f"s{index:02d}" for index in range(11)]
    system = RiskSystem(*names)
    price = calm(system)
    second(system, price * 1.03)
    answers = {system.risk.sentinel.barred(name, BTC) for name in names}
    assert len(answers) == 1


def test_book_images_are_updates() -> None:
    """A touch that does not change for minutes is no silence while images of the book come."""
    system = RiskSystem("alpha")
    price = calm(system)
    for _ in range(61):
        system.advance(1)
        at = system.now
        system.take(book(price - 0.05, price + 0.05, at=at))
        system.take(Heartbeat(ts_event=at, ts_init=at, interval_ns=SECOND))
    assert system.risk.anomaly.block(BTC) == (0, "")


def test_a_jump_after_silence_is_detected() -> None:
    """G-5: 60 s without an update, then half the price gone: blocked."""
    system = RiskSystem("alpha")
    price = calm(system)
    for _ in range(61):
        system.advance(1)
        at = system.now
        system.take(Heartbeat(ts_event=at, ts_init=at, interval_ns=SECOND))
    assert block(system)[1] == "no update"
    at = system.now
    system.take(mark(price * 0.5, at=at), quote(price * 0.5, price * 0.5 + 0.1, at=at))
    assert block(system)[1] in ("jump", "crash")


def test_a_slow_drift_over_a_long_gap_is_no_jump() -> None:
    """0.6 % after an hour of silence is ordinary for that hour."""
    system = RiskSystem("alpha")
    price = calm(system)
    system.advance(3600)
    second(system, price * 1.006)
    assert system.risk.anomaly.block(BTC) == (0, "")


def test_a_wide_spread_blocks_while_it_lasts() -> None:
    """A spread of 1 % against a usual 0.1 bp blocks, and the next narrow quote frees."""
    system = RiskSystem("alpha")
    price = calm(system)
    at = system.now
    system.take(quote(price * 0.995, price * 1.005, at=at))
    assert block(system)[1] == "wide spread"
    system.take(quote(price - 0.05, price + 0.05, at=at))
    assert system.risk.anomaly.block(BTC) == (0, "")


def test_bars_are_judged_by_their_own_volatility() -> None:
    """On one-minute bars a close 3 % away after 1 bp bars blocks; two missing bars are stale."""
    system = RiskSystem("alpha")
    price = 3_500.0
    for index in range(40):
        system.advance(60)
        price *= 1.0 + noise(index) * 1e-4
        system.take(bar(price, instrument=ETH, interval=MINUTE, at=system.now))
    assert system.risk.anomaly.block(ETH) == (0, "")
    system.advance(60)
    system.take(bar(price * 1.03, instrument=ETH, interval=MINUTE, at=system.now))
    assert system.risk.anomaly.block(ETH)[1] == "jump"
    system.advance(301)
    assert system.risk.anomaly.block(ETH)[1] == "no update"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=8))
def test_every_block_ends_by_time_alone(moves: list[float]) -> None:
    """Whatever prints come, 15 minutes later only silence or a wide spread can still bar."""
    system = RiskSystem("alpha")
    price = calm(system, 25)
    for move in moves:
        price = max(1.0, price * (1.0 + move))
        second(system, price, marked=False)
    system.advance(900)
    assert system.risk.anomaly.block(BTC)[1] in ("", "no update")


def test_a_snapshot_keeps_blocks() -> None:
    """A restart inside a block leaves it in force."""
    system = RiskSystem("alpha")
    price = calm(system)
    system.take(trade(price * 1.06, at=system.now))
    other = RiskSystem("alpha")
    other.advance((system.now - other.now) / SECOND)
    other.risk.anomaly.restore(system.risk.anomaly.snapshot())
    assert other.risk.anomaly.block(BTC) == system.risk.anomaly.block(BTC)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(-0.08, 0.08), min_size=1, max_size=6),
    st.lists(st.floats(-0.08, 0.08), min_size=1, max_size=6),
)
def test_a_snapshot_restores_to_the_digit(first: list[float], then: list[float]) -> None:
    """P10: the restored guard has the same bytes, and gives the same answers to what follows."""
    system = RiskSystem("alpha")
    price = calm(system, 25)
    for move in first:
        price *= 1.0 + move
        second(system, price, marked=move > 0.0)
    again = system.resumed()
    assert again.risk.anomaly.snapshot() == system.risk.anomaly.snapshot()
    for move in then:
        price *= 1.0 + move
        for one in (system, again):
            second(one, price, marked=move > 0.0)
            one.take(quote(price * 0.99, price * (1.02 - move / 8), at=one.now))
        assert block(again) == block(system)
        assert again.risk.anomaly.version == system.risk.anomaly.version
    assert again.risk.anomaly.snapshot() == system.risk.anomaly.snapshot()
