from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec
import pytest

from hean.core import edge
from hean.core.events import (
    BookUpdate,
    Event,
    FeedGap,
    Frame,
    FrameFeatures,
    GuardMode,
    Heartbeat,
    Intent,
    Need,
    OrderStyle,
    Quote,
    ReasonCode,
    Regime,
    RegimeChanged,
    Side,
    Signal,
)
from hean.core.features import MicroPriceTable
from hean.core.instruments import InstrumentKind
from hean.core.synthetic.paths import walk
from hean.core.testing import BTC, SECOND, START, book, btc_perpetual
from hean.strategies.bench import Bench, Log, build
from hean.strategies.decisions import round_trip_bp
from hean.strategies.hf_scalping import HFScalping
from hean.strategies.testing import check_strategy, mirror_log

PRICE = 60_000.0
FREE = msgspec.structs.replace(
    btc_perpetual(),
    maker_fee=btc_perpetual().maker_fee * 0,
    taker_fee=btc_perpetual().taker_fee * 0,
)
BEGIN = START + 200 * SECOND
WARM = 300


def _told(regime: Regime, *, at: int = START) -> RegimeChanged:
    return RegimeChanged(
        ts_event=at, ts_init=at, instrument=BTC, ready=True, regime=regime, phase=None, cycle=None,
        regime_confidence=1.0, phase_confidence=0.0, cycle_confidence=0.0, moved=("regime",),
    )  # fmt: skip


def _features(price: float, flow: float, *, sigma: float, above: float) -> FrameFeatures:
    return FrameFeatures(
        ofi_1=flow, ofi_5=flow, ofi_10=flow, beta_15=1.0, sigma_fast=sigma / 1e4,
        spread_mean_bp=0.2, vpin_percentile=0.4, zeta_300=0.0, vwap_60=price + above,
    )  # fmt: skip


def _second(
    number: int, price: float, flow: float, *, spread_bp: float = 0.2, sigma: float = 0.9,
    above: float = 1.0,
) -> list[Event]:  # fmt: skip
    at = BEGIN + number * SECOND
    half = price * spread_bp / 2e4
    bid, ask = round(price - half, 1), round(price + half, 1)
    quote = Quote(
        ts_event=at, ts_init=at, instrument=BTC, bid=bid, ask=ask, bid_size=1.0, ask_size=1.0
    )
    frame = Frame(
        ts_event=at, ts_init=at, instrument=BTC, second=at // SECOND - 1, bid=0, ask=0, mid=0,
        high=0, low=0, return_e9=0, book_ready=True,
        features=_features(price, flow, sigma=sigma, above=above),
    )  # fmt: skip
    later = msgspec.structs.replace(quote, ts_init=at + 1, ts_event=at + 1, bid_size=1.001)
    beat = Heartbeat(ts_event=at, ts_init=at, interval_ns=SECOND)
    return [beat, frame, quote, book(bid, ask, at=at), later]


def _planted(seconds: int, *, every: int = 45, **shape: float) -> list[Event]:
    """Flow that leads a rise by five seconds, once every `every` seconds."""
    noise = walk(3, seconds + WARM, start=1.0, sigma_bp=1.0)
    events: list[Event] = [_told(Regime.RANGE)]
    price = PRICE
    for number in range(seconds + WARM):
        phase = number % every
        calm = (noise[number] / noise[number - 1] - 1.0) * 1e4 if number else 0.0
        flow = 0.3 * calm
        if number >= WARM and phase < 3:
            flow = 8.0
        elif number >= WARM and 5 <= phase < 10:
            price *= 1.0 + 3.0 * 0.9 * 6 / 5 / 1e4
        elif number >= WARM and phase >= 20:
            price *= 1.0 - 3.0 * 0.9 * 6 / (every - 20) / 1e4
        events += _second(number, price, flow, **shape)
    return events


def _log(events: Sequence[Event], *, free: bool = True) -> Log:
    needs = (Need.QUOTES, Need.TRADES, Need.DEPTH)
    rules = FREE if free else btc_perpetual()
    return Log(instruments=(rules,), carries={BTC: needs}, events=events)


def _pays(signal: Signal) -> ReasonCode | None:
    """Refuse as the guard's check of the claim does, which the scalper's row asks for."""
    assert HFScalping.row.claims_edge
    fault = edge.check_claim(signal.expected_edge_bp, signal.cost_bp)
    return None if fault is None else ReasonCode.EDGE


def _bench(
    events: Sequence[Event],
    *,
    free: bool = True,
    verdict: Callable[[Signal], ReasonCode | None] | None = None,
) -> Bench:
    log = _log(events, free=free)
    return Bench(build(HFScalping, log), log, verdict=verdict).run(events)


def test_planted_flow_is_bought_once_in_thirty_seconds() -> None:
    """Flow that leads a rise is bought about once a minute, never twice inside 30 s."""
    found = _bench(_planted(600), verdict=_pays)
    times = [one.ts_init for one in found.entries]
    assert len(times) >= 10
    assert {one.side for one in found.entries} == {Side.BUY}
    assert min(b - a for a, b in pairwise(times)) >= 30 * SECOND


def test_own_maker_fills_are_followed() -> None:
    """A resting buy that a dip fills is marked out after 10 and 60 s, on its own side."""
    events = _planted(120)
    first = _bench(events, free=False).entries[0]
    assert first.style is OrderStyle.POST_ONLY
    at, price = first.ts_init + SECOND // 2, (first.limit or 0.0) - 10.0
    dip = Quote(
        ts_event=at, ts_init=at, instrument=BTC, bid=price, ask=price + 0.1, bid_size=1.0,
        ask_size=1.0,
    )  # fmt: skip
    found = _bench(sorted([*events, dip], key=lambda one: one.ts_init), free=False)
    markouts = found.strategy.state.desks[BTC].markouts
    assert (markouts.bought.count, markouts.waiting) == (2, [])


def test_adverse_fills_raise_the_cost_by_what_they_lost() -> None:
    """Buys that lost 4 bp and sales that lost 1 make a round trip as maker 5 bp dearer."""
    costs: list[float] = []
    for lost in ((0.0, 0.0), (-4.0, -1.0)):
        log = _log(_planted(120), free=False)
        strategy = build(HFScalping, log)
        markouts = strategy.state.desks[BTC].markouts
        markouts.bought.push(lost[0])
        markouts.sold.push(lost[1])
        costs.append(Bench(strategy, log).run(log.events).entries[0].cost_bp)
    assert costs[1] - costs[0] == pytest.approx(5.0)


def test_entry_tier_fees_leave_no_order() -> None:
    """The same path with entry-tier fees gives no order: the claim does not pay the cost."""
    weak = [
        msgspec.structs.replace(one, features=msgspec.structs.replace(one.features, beta_15=0.4))
        if isinstance(one, Frame)
        else one
        for one in _planted(600)
    ]
    found = _bench(weak, free=False, verdict=_pays)
    assert found.entries
    assert not found.outcomes
    assert not found.positions
    assert all(_pays(one) is ReasonCode.EDGE for one in found.entries)


def test_an_impulse_opens_nothing() -> None:
    """The same flow in IMPULSE is refused with REGIME."""
    events = [_told(Regime.IMPULSE, at=START), *_planted(300)[1:]]
    found = _bench(events)
    assert not found.entries
    assert ReasonCode.REGIME in found.codes()


def test_a_walk_is_never_promoted() -> None:
    """Outcomes on a balanced walk at entry-tier fees keep the guard in SHADOW throughout."""
    prices = walk(5, 5 * 3600, start=PRICE, sigma_bp=0.9)
    flows = walk(6, 5 * 3600, start=1.0, sigma_bp=1.0)
    events: list[Event] = [_told(Regime.NORMAL)]
    for number, price in enumerate(prices):
        flow = 1e4 * (flows[number] / flows[number - 1] - 1.0) if number else 0.0
        events += _second(number, price, flow)
    found = _bench(events, free=False)
    cost = round_trip_bp(btc_perpetual(), 0.2, maker_entry=True, maker_exit=True)
    mode, cell = GuardMode.SHADOW, edge.Cell()
    assert len(found.outcomes) >= 30
    for one in found.outcomes:
        cell = cell.with_outcome(one.net_bp)
        mode = edge.next_mode(mode, cell, cost)
        assert mode is GuardMode.SHADOW


def test_an_old_book_opens_nothing_and_exits_run() -> None:
    """Depth older than 500 ms bars entries; a position still leaves."""
    events = _planted(300)
    first = _bench(events).entries[0].ts_init
    cut = [one for one in events if not isinstance(one, BookUpdate) or one.ts_init <= first]
    found = _bench(cut)
    assert all(one.ts_init <= first for one in found.entries)
    assert ReasonCode.STALE in found.codes()
    assert [one for one in found.signals if one.intent is Intent.CLOSE]
    assert not found.positions


def test_a_gap_waits_for_the_rebuilt_book() -> None:
    """After a FeedGap nothing is opened until a book has come."""
    events = _planted(300)
    gap = FeedGap(ts_event=BEGIN, ts_init=BEGIN + 250 * SECOND, instrument=BTC, reason="lost")
    cut = [one for one in events if not isinstance(one, BookUpdate)]
    merged = sorted([*cut, gap], key=lambda one: one.ts_init)
    found = _bench(merged)
    assert not found.entries
    assert ReasonCode.BOOK_GAP in found.codes()


def test_a_position_is_left_by_time() -> None:
    """What neither target nor stop ends is left 60 to 90 s after it opened."""
    flat = _planted(300, sigma=30.0)
    found = _bench([one for one in flat if True])
    held = [one.closed_at - one.opened_at for one in found.outcomes if one.reason == "time"]
    assert held
    assert all(60 * SECOND <= one <= 90 * SECOND for one in held)


def test_spot_that_cannot_be_borrowed_is_not_sold() -> None:
    """A forecast down on such spot is NO_BORROW and no attempt; the same forecast up is bought."""
    log = _log(_planted(600))
    spot = msgspec.structs.replace(FREE, kind=InstrumentKind.SPOT)
    up = msgspec.structs.replace(log, instruments=(spot,))
    down = msgspec.structs.replace(mirror_log(up), instruments=(spot,))
    bought = Bench(build(HFScalping, up), up).run(up.events)
    assert bought.entries
    found = Bench(build(HFScalping, down), down).run(down.events)
    assert not [one for one in found.entries if one.side is Side.SELL]
    assert found.codes()[ReasonCode.NO_BORROW] >= 10


def test_a_wide_spread_opens_nothing() -> None:
    """A spread of three times its average is refused with LIQ."""
    found = _bench(_planted(300, spread_bp=0.6))
    assert not found.entries
    assert ReasonCode.LIQ in found.codes()


def test_range_trades_only_toward_the_minutes_average() -> None:
    """In RANGE a buy above the 60-s VWAP is refused with EXHAUSTION."""
    found = _bench(_planted(300, above=-1.0))
    assert not [one for one in found.entries if one.side is Side.BUY]
    assert ReasonCode.EXHAUSTION in found.codes()


def test_a_flipped_forecast_withdraws_the_order() -> None:
    """A resting buy whose forecast turns negative is pulled."""
    events = _planted(120)
    first = _bench(events).entries[0]
    assert first.style in (OrderStyle.POST_ONLY, OrderStyle.LIMIT_IOC)
    weak = [
        msgspec.structs.replace(one, features=msgspec.structs.replace(one.features, beta_15=0.03))
        if isinstance(one, Frame)
        else one
        for one in events
    ]
    log = _log(weak, free=False)
    found = Bench(build(HFScalping, log), log)
    opened = next(iter(_bench(weak, free=False).entries))
    assert opened.style is OrderStyle.POST_ONLY
    found.run([one for one in weak if one.ts_init <= opened.ts_init])
    number = (opened.ts_init - BEGIN) // SECOND + 1
    found.run(_second(number, PRICE, -300.0)[:3])
    pulled = found.signals[-1]
    assert (pulled.intent, pulled.reason) == (Intent.CLOSE, "forecast flipped")
    assert not found.working


def test_two_losses_pause_the_symbol() -> None:
    """After two losses in a row a quarter of an hour passes without an entry."""
    falling: list[Event] = [_told(Regime.NORMAL)]
    price = PRICE
    noise = walk(8, 900 + WARM, start=1.0, sigma_bp=1.0)
    for number in range(900 + WARM):
        flow = 0.3 * 1e4 * (noise[number] / noise[number - 1] - 1.0) if number else 0.0
        if number >= WARM and number % 45 < 3:
            flow = 8.0
        elif number >= WARM and 3 <= number % 45 < 30:
            price *= 1.0 - 2.0 / 1e4
        falling += _second(number, price, flow)
    found = _bench(falling)
    losses = [one.closed_at for one in found.outcomes if one.net_bp < 0.0]
    assert len(losses) >= 2
    assert ReasonCode.LOSS_PAUSE in found.codes()


def test_the_first_minute_around_funding_is_left_out() -> None:
    """Within 60 s of a settlement the code is SESSION."""
    shift = (200 + WARM + 30) * SECOND
    events: list[Event] = [_told(Regime.RANGE, at=START - 600 * SECOND)]
    events += [
        msgspec.structs.replace(one, ts_init=one.ts_init - shift, ts_event=one.ts_event - shift)
        for one in _planted(60)[1:]
    ]
    found = _bench(events)
    assert not found.entries
    assert ReasonCode.SESSION in found.codes()


def test_the_invariants_hold() -> None:
    """HFScalping passes the kit every strategy must pass."""
    check_strategy(HFScalping, _log(_planted(240)))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_micro_price_alone_can_lean_the_forecast(share: float) -> None:
    """A full bid side leans the forecast up by the believed share of half the spread."""
    log = _log([])
    section = HFScalping.section_type.model_validate({"micro_share": share})
    found = Bench(build(HFScalping, log, section), log)
    found.run([_told(Regime.RANGE), *_second(0, PRICE, 0.0)])
    lean = Quote(
        ts_event=BEGIN + 2, ts_init=BEGIN + 2, instrument=BTC, bid=PRICE - 3.0, ask=PRICE + 3.0,
        bid_size=9.0, ask_size=1.0,
    )  # fmt: skip
    found.feed(lean)
    assert found.strategy.state.desks[BTC].forecast == pytest.approx(share * 0.4 * 1.0)


def test_a_fitted_table_leans_the_forecast_whatever_the_share() -> None:
    """With a table the forecast moves by its correction in bp, not by the weighted mid."""
    log = _log([])
    section = HFScalping.section_type.model_validate({"micro_share": 0.0})
    found = Bench(build(HFScalping, log, section), log)
    found.run([_told(Regime.RANGE), *_second(0, PRICE, 0.0)])
    desk = found.strategy.state.desks[BTC]
    rows = ((0.0, 0.0, 0.0),) * 9 + ((0.0, 0.0, 6.0),)
    desk.micro_price = MicroPriceTable(version="made", corrections=rows)
    lean = Quote(
        ts_event=BEGIN + 2, ts_init=BEGIN + 2, instrument=BTC, bid=PRICE - 3.0, ask=PRICE + 3.0,
        bid_size=9.5, ask_size=0.5,
    )  # fmt: skip
    found.feed(lean)
    assert desk.forecast == pytest.approx(1e4 * 6.0 * 0.1 / PRICE)
