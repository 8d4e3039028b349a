from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log

import msgspec
import pytest

from hean.core.events import (
    Event,
    Heartbeat,
    Intent,
    MarkPrice,
    Need,
    OrderStyle,
    Quote,
    ReasonCode,
    Regime,
    RegimeChanged,
    Side,
)
from hean.core.instruments import Instrument
from hean.core.synthetic.paths import quote_at, reversion, walk
from hean.core.testing import BTC, BTC_SPOT, MINUTE, SECOND, START, btc_perpetual, btc_spot, mark
from hean.strategies.basis_arbitrage import BasisArbitrage, half_life_ns
from hean.strategies.bench import Bench, Log, build
from hean.strategies.testing import check_strategy, mirror_log

STEP = 30 * SECOND
SPIKE = 6 * 60
"""Minute at which the planted gap opens."""


def _gap(size_bp: float, *, half_life: float = 20.0) -> Callable[[float], float]:
    """Return a gap that opens at `SPIKE` and halves every `half_life` minutes."""

    def basis(minute: float) -> float:
        since = minute - SPIKE
        if since < 0:
            return 0.0
        return size_bp * 0.5 ** (since / half_life)

    return basis


def _events(
    minutes: int,
    basis: Callable[[float], float],
    *,
    seed: int = 7,
    frozen_from: int = 1 << 30,
) -> list[Event]:
    count = minutes * 2
    index = walk(seed, count, start=60_000.0, sigma_bp=1.5)
    noise = reversion(2, count, start=1.0, half_life=10.0, sd_bp=1.0)
    events: list[Event] = []
    shown = index[0]
    for number in range(count):
        at = START + number * STEP
        price = index[number] * noise[number] * (1.0 + basis(number / 2) / 1e4)
        if number / 2 < frozen_from:
            shown = index[number]
        events += [
            quote_at(BTC, price, at, half_bp=0.1),
            quote_at(BTC_SPOT, index[number], at, half_bp=0.2),
            mark(price, index=shown, at=at),
            Heartbeat(ts_event=at, ts_init=at, interval_ns=SECOND),
        ]
    return events


def _log(events: Sequence[Event], *, hedged: bool = True, spot: Instrument | None = None) -> Log:
    needs = (Need.QUOTES, Need.INDEX)
    if not hedged:
        return Log(instruments=(btc_perpetual(),), carries={BTC: needs}, events=events)
    return Log(
        instruments=(btc_perpetual(), spot or btc_spot()),
        carries={BTC: needs, BTC_SPOT: (Need.QUOTES,)},
        events=events,
    )


def _bench(
    events: Sequence[Event], *, hedged: bool = True, spot: Instrument | None = None
) -> Bench:
    log = _log(events, hedged=hedged, spot=spot)
    return Bench(build(BasisArbitrage, log), log).run(events)


def test_a_wide_gap_is_sold_and_closes_with_a_profit() -> None:
    """A gap of 60 bp that halves every 20 min: short perpetual, long spot, net above zero."""
    found = _bench(_events(SPIKE + 240, _gap(60.0)))
    legs = {one.instrument: one.side for one in found.entries}
    assert legs == {BTC: Side.SELL, BTC_SPOT: Side.BUY}
    assert {one.reason for one in found.outcomes} == {"gap closed"}
    net = [one.net_bp for one in found.outcomes]
    assert net[0] + net[1] > 0.0


def test_a_gap_of_45_bp_nets_what_it_closes_by_less_the_costs() -> None:
    """Short perpetual, long spot; net is the gap at the fills less that at the exit, less fees."""
    events = _events(SPIKE + 240, _gap(45.0))
    found = _bench(events)
    legs = {one.instrument: one.side for one in found.entries}
    assert legs == {BTC: Side.SELL, BTC_SPOT: Side.BUY}
    perpetual, spot = sorted(found.outcomes, key=lambda one: one.instrument)
    quotes = {(one.instrument, one.ts_init): one for one in events if isinstance(one, Quote)}
    rested = found.entries[0]
    assert (rested.instrument, rested.style) == (BTC_SPOT, OrderStyle.POST_ONLY)
    opened, closed = perpetual.opened_at, perpetual.closed_at
    sold, bought_back = quotes[BTC, opened].bid, quotes[BTC, closed].ask
    gap = 1e4 * log(sold / (rested.limit or 0.0))
    left = 1e4 * log(bought_back / quotes[BTC_SPOT, closed].bid)
    fees = 2 * 5.5 + 2 * 10.0
    assert perpetual.net_bp + spot.net_bp == pytest.approx(gap - left - fees, abs=0.25)
    assert {perpetual.reason, spot.reason} == {"gap closed"}


def test_on_bars_both_legs_take_at_the_cost_of_both() -> None:
    """A gap seen at a bar's close is taken with two IOCs, reckoned with four taking legs."""
    coarse = msgspec.structs.replace(
        _log(_events(SPIKE + 60, _gap(90.0))),
        carries={BTC: (Need.BARS,), BTC_SPOT: (Need.BARS,)},
        bar_intervals={BTC: MINUTE, BTC_SPOT: MINUTE},
    )
    found = Bench(build(BasisArbitrage, coarse), coarse).run(coarse.events)
    first, hedge = found.entries[:2]
    assert first.style is hedge.style is OrderStyle.LIMIT_IOC
    assert (first.release_leg, hedge.release_leg) == (-1, 0)
    assert first.cost_bp == pytest.approx(2 * (5.5 + 0.1) + 2 * (10.0 + 0.2), abs=1e-3)
    assert set(found.positions) == {BTC, BTC_SPOT} or len(found.outcomes) == 2


@pytest.mark.parametrize("needs", [(Need.QUOTES, Need.INDEX), (Need.BARS,)])
def test_a_gap_that_widens_by_half_is_left_at_market(needs: tuple[Need, ...]) -> None:
    """On ticks and on bars alike: beyond one and a half times the entry's gap the pair is out."""

    def basis(minute: float) -> float:
        return 0.0 if minute < SPIKE else 60.0 + 1.5 * (minute - SPIKE)

    events = _events(SPIKE + 60, basis)
    if Need.BARS in needs:
        events = [one for one in events if one.ts_init % MINUTE == 0]
    log_ = msgspec.structs.replace(
        _log(events),
        carries={BTC: needs, BTC_SPOT: needs[:1]},
        bar_intervals={BTC: MINUTE, BTC_SPOT: MINUTE},
    )
    found = Bench(build(BasisArbitrage, log_), log_).run(log_.events)
    exits = [one for one in found.signals if one.intent is Intent.CLOSE]
    assert {one.reason for one in exits} == {"gap widens"}
    assert {one.style for one in exits} == {OrderStyle.MARKET}


def test_a_small_gap_is_refused_for_its_edge() -> None:
    """A gap of 20 bp triggers and is refused with EDGE."""
    found = _bench(_events(SPIKE + 60, _gap(20.0)))
    assert not found.entries
    assert ReasonCode.EDGE in found.codes()


def test_a_frozen_index_is_stale() -> None:
    """An index that stops moving makes its gap a data fault: STALE."""

    def basis(minute: float) -> float:
        return 60.0 if minute >= SPIKE + 5 else 0.0

    found = _bench(_events(SPIKE + 60, basis, frozen_from=SPIKE))
    assert not found.entries
    assert ReasonCode.STALE in found.codes()


def test_an_impulse_bars_entries_and_keeps_what_is_open() -> None:
    """In IMPULSE nothing is opened; an open pair stays and still leaves at its exit."""
    events = _events(SPIKE + 240, _gap(60.0))
    opened = _bench(events).entries[-1].ts_init

    def told(at: int) -> RegimeChanged:
        return RegimeChanged(
            ts_event=at, ts_init=at, instrument=BTC, ready=True, regime=Regime.IMPULSE,
            phase=None, cycle=None, regime_confidence=1.0, phase_confidence=0.0,
            cycle_confidence=0.0, moved=("regime",),
        )  # fmt: skip

    barred = _bench([told(START), *events])
    assert not barred.entries
    assert ReasonCode.REGIME in barred.codes()
    at = opened + 3 * MINUTE
    split = [one for one in events if one.ts_init <= at]
    rest = [one for one in events if one.ts_init > at]
    kept = _bench([*split, told(at), *rest])
    assert {one.reason for one in kept.outcomes} == {"gap closed"}


@pytest.mark.parametrize("dead", [BTC, BTC_SPOT])
def test_a_leg_that_fails_unwinds_the_other(dead: str) -> None:
    """When one leg never fills, no position is left after two seconds."""
    events = _events(SPIKE + 30, _gap(60.0))
    log = _log(events)
    found = Bench(build(BasisArbitrage, log), log, unfillable=dead).run(events)
    assert found.entries
    assert all(one.closed_at - one.opened_at <= 2 * SECOND for one in found.outcomes)
    left = [key for key in found.positions if key == dead]
    assert not left
    spread_and_fees = 2 * 0.2 + 2 * 10.0
    assert all(one.net_bp >= -spread_and_fees - 1.0 for one in found.outcomes)


def test_a_negative_gap_needs_the_borrow_flag() -> None:
    """Mirrored, the pair is refused with NO_BORROW unless spot can be borrowed."""
    events = mirror_log(_log(_events(SPIKE + 60, _gap(60.0)))).events
    assert ReasonCode.NO_BORROW in _bench(events).codes()
    found = _bench(events, spot=btc_spot(borrowable=True))
    assert {one.instrument: one.side for one in found.entries} == {
        BTC: Side.BUY,
        BTC_SPOT: Side.SELL,
    }


def test_the_fifth_attempt_of_a_day_is_refused() -> None:
    """Four attempts made, the next gap of that UTC day is refused with DAILY_CAP."""
    events = _events(SPIKE + 60, _gap(60.0))
    log = _log(events)
    found = Bench(build(BasisArbitrage, log), log)
    found.strategy.state.day, found.strategy.state.attempts = START // (1440 * MINUTE), 4
    found.run(events)
    assert not found.entries
    assert ReasonCode.DAILY_CAP in found.codes()


def test_a_foreign_basket_is_ineligible() -> None:
    """An index far from our own spot is another basket: INELIGIBLE."""
    events = [
        mark(one.mark, index=one.index * 0.995, at=one.ts_init)
        if isinstance(one, MarkPrice)
        and one.index is not None
        and one.ts_init > START + SPIKE * MINUTE
        else one
        for one in _events(SPIKE + 30, _gap(0.0))
    ]
    found = _bench(events)
    assert not found.entries
    assert ReasonCode.INELIGIBLE in found.codes()


def test_without_spot_a_wide_gap_is_faded_for_a_quarter_of_an_hour() -> None:
    """Alone, 60 bp is faded with a stop as far as its target; 15 bp is too small."""
    found = _bench(_events(SPIKE + 40, _gap(60.0)), hedged=False)
    first = found.entries[0]
    assert (first.intent, first.side) == (Intent.OPEN, Side.SELL)
    assert first.stop is not None
    assert first.limit is not None
    assert first.stop - first.limit == pytest.approx(first.limit - first.targets[0])
    small = _bench(_events(SPIKE + 40, _gap(15.0)), hedged=False)
    assert not small.entries
    assert ReasonCode.SIZE in small.codes()


def test_the_half_life_is_read_from_the_samples() -> None:
    """Noise that halves in five minutes is measured between two and fifteen."""
    found = _bench(_events(SPIKE, _gap(0.0)))
    assert 2 * MINUTE < half_life_ns(found.strategy.state.desks[BTC]) < 15 * MINUTE


def test_the_invariants_hold() -> None:
    """BasisArbitrage passes the kit with borrowable spot."""
    events = _events(SPIKE + 120, _gap(60.0))
    check_strategy(BasisArbitrage, _log(events, spot=btc_spot(borrowable=True)))
