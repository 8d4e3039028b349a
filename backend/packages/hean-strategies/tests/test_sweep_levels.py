from __future__ import annotations

from hean.core.testing import SECOND, START
from hean.strategies.sweep_levels import LevelBook, LevelKind, PokeRules, Second, Span, Sweep

DAY = 86_400 * SECOND
MINUTE = 60 * SECOND
MIDNIGHT = (START // DAY + 1) * DAY
RULES = PokeRules(penetration=0.5, reclaim=0.25, window_ns=MINUTE)


def _second(at: int, price: float, *, atr: float = 100.0) -> Second:
    return Second(
        now=at, high=price, low=price, mid=price, atr=atr, volume=3.0, flow=5, liquidated=False,
        interest=1.0,
    )  # fmt: skip


def _watched(minutes: int, price: float = 60_050.0) -> LevelBook:
    """Return a book that has watched a flat price minute by minute from midnight."""
    book = LevelBook()
    for minute in range(minutes):
        book.push(_second(MIDNIGHT + minute * MINUTE + SECOND, price), RULES)
    return book


def _play(book: LevelBook, prices: list[float], at: int) -> list[Sweep]:
    found: list[Sweep] = []
    for number, price in enumerate(prices):
        sweep = book.push(_second(at + number * SECOND, price), RULES)
        if sweep is not None:
            found.append(sweep)
    return found


def test_a_block_counts_only_if_all_of_it_was_seen() -> None:
    """A block begun half-way gives no levels; the next one does, with its high and low."""
    span = Span(length_ns=3600 * SECOND)
    assert span.push(_second(MIDNIGHT + 1800 * SECOND, 1.0)) is None
    assert span.push(_second(MIDNIGHT + 3601 * SECOND, 2.0)) is None
    span.push(_second(MIDNIGHT + 5000 * SECOND, 5.0))
    done = span.push(_second(MIDNIGHT + 7201 * SECOND, 3.0))
    assert done is not None
    assert (done.high, done.low) == (5.0, 2.0)


def test_the_ladder_of_round_numbers_follows_the_price() -> None:
    """Near 60,000 the steps are 100, 250 and 500; the rounder, the heavier."""
    levels = {one.price: one.weight for one in _watched(1).levels}
    assert {59_900.0, 60_000.0, 60_100.0, 60_250.0, 60_500.0} <= set(levels)
    assert 60_050.0 not in levels
    assert levels[60_500.0] > levels[60_250.0] > levels[60_100.0]


def test_a_young_or_just_touched_level_is_not_swept() -> None:
    """A poke through a round number known for ten minutes is nothing; after hours it counts."""
    poke = [60_050.0, 60_170.0, 60_040.0]
    assert _play(_watched(10), poke, MIDNIGHT + 10 * MINUTE) == []
    (found,) = _play(_watched(150), poke, MIDNIGHT + 150 * MINUTE)
    assert (found.kind, found.price, found.poke) == (LevelKind.ROUND, 60_100.0, 1)
    assert not found.accepted
    assert found.extreme == 60_170.0


def test_small_pokes_are_forgotten() -> None:
    """Less than half an ATR beyond is no sweep."""
    found = _play(_watched(150), [60_050.0, 60_130.0, 60_040.0], MIDNIGHT + 150 * MINUTE)
    assert found == []


def test_a_far_poke_is_accepted_and_the_level_dead() -> None:
    """More than two ATR beyond is acceptance; the level is dead for half an hour."""
    book = _watched(150)
    found = _play(book, [60_050.0, 60_320.0], MIDNIGHT + 150 * MINUTE)
    assert [one.accepted for one in found] == [True]
    dead = next(one for one in book.levels if one.price == 60_100.0)
    assert dead.dead_until == MIDNIGHT + 180 * MINUTE + SECOND


def test_the_heavier_of_two_levels_speaks() -> None:
    """Where a poke takes 60,200 and 60,250 the heavier one's reclaim is the sweep, once."""
    book = _watched(150, price=60_150.0)
    path = [60_150.0, 60_330.0, 60_170.0, 60_160.0, 60_150.0]
    found = _play(book, path, MIDNIGHT + 150 * MINUTE)
    assert [one.price for one in found if not one.accepted] == [60_250.0]
