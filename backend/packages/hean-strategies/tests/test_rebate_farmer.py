from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec

from hean.core.events import (
    Event,
    FeedGap,
    Frame,
    FrameFeatures,
    Heartbeat,
    Intent,
    Liquidation,
    Need,
    OrderStyle,
    Quote,
    ReasonCode,
    Regime,
    RegimeChanged,
    Side,
    Signal,
)
from hean.core.testing import BTC, SECOND, START, book, btc_perpetual, btc_spot
from hean.strategies.bench import Log, Verdict, build
from hean.strategies.quote_bench import QuoteBench
from hean.strategies.rebate_farmer import RebateFarmer
from hean.strategies.testing import check_strategy

PRICE = 60_000.0
BEGIN = START + 200 * SECOND
WARM = 610
FIRST = BEGIN + (WARM - 11) * SECOND
REBATE = btc_perpetual(maker_fee="-0.0001")
Path = Callable[[int], float]


def _told(regime: Regime, *, at: int = START) -> RegimeChanged:
    return RegimeChanged(
        ts_event=at, ts_init=at, instrument=BTC, ready=True, regime=regime, phase=None, cycle=None,
        regime_confidence=1.0, phase_confidence=0.0, cycle_confidence=0.0, moved=("regime",),
    )  # fmt: skip


def _quoted(price: float, at: int) -> Quote:
    half = price * 0.5 / 1e4
    return Quote(
        ts_event=at, ts_init=at, instrument=BTC, bid=round(price - half, 1),
        ask=round(price + half, 1), bid_size=1.0, ask_size=1.0,
    )  # fmt: skip


def _second(number: int, price: float, heat: float) -> list[Event]:
    at = BEGIN + number * SECOND
    market = _quoted(price, at)
    frame = Frame(
        ts_event=at, ts_init=at, instrument=BTC, second=at // SECOND - 1, bid=0, ask=0, mid=0,
        high=0, low=0, return_e9=0, book_ready=True,
        features=FrameFeatures(
            sigma_fast=0.5e-4, sigma_slow=0.5e-4, sigma_percentile=heat, depth_5=10.0,
            depth_5_mean=10.0,
        ),
    )  # fmt: skip
    beat = Heartbeat(ts_event=at, ts_init=at, interval_ns=SECOND)
    return [beat, market, frame, book(market.bid, market.ask, at=at)]


def _quiet(seconds: int, *, path: Path = lambda _: 0.0, heat: float = 0.3) -> list[Event]:
    """Return a warm-up and `seconds` more; `path` gives bp from the start."""
    events: list[Event] = [_told(Regime.RANGE)]
    for number in range(WARM + seconds):
        level = path(number - WARM) if number >= WARM else 0.0
        events += _second(number, PRICE * (1.0 + level / 1e4), heat)
    return events


def _log(events: Sequence[Event]) -> Log:
    needs = (Need.QUOTES, Need.TRADES, Need.DEPTH, Need.LIQUIDATIONS)
    return Log(instruments=(REBATE,), carries={BTC: needs}, events=events)


def _bench(events: Sequence[Event], *, verdict: Verdict | None = None) -> QuoteBench:
    log = _log(sorted(events, key=lambda one: one.ts_init))
    return QuoteBench(build(RebateFarmer, log), log, verdict=verdict).run(log.events)


def _liquidation(at: int, quantity: float = 50.0) -> Liquidation:
    return Liquidation(
        ts_event=at, ts_init=at, instrument=BTC, side=Side.BUY, price=PRICE, quantity=quantity
    )


def _wick(second: int) -> float:
    """Sixty bp down at 20 s, back within two minutes."""
    return -60.0 * max(0.0, 1.0 - (second - 20) / 120.0) if second >= 20 else 0.0


def test_without_a_rebate_nothing_is_placed() -> None:
    """Where the maker fee is a cost the gate answers NO_REBATE, and no order ever rests."""

    def no_rebate(_: Signal) -> ReasonCode:
        return ReasonCode.NO_REBATE

    found = _bench(_quiet(700), verdict=no_rebate)
    assert RebateFarmer.row.needs_rebate
    assert found.entries
    assert found.most == 0
    assert not found.outcomes


def test_two_orders_rest_and_are_renewed_every_five_minutes() -> None:
    """In a quiet range exactly two orders rest, renewed at 300 s, the old ones cancelled first."""
    found = _bench(_quiet(700))
    times = [one.ts_init for one in found.entries if one.leg == 0]
    assert times == [FIRST + 300 * SECOND * number for number in range(3)]
    assert found.most == 2
    assert {one.side for one in found.resting[BTC]} == {Side.BUY, Side.SELL}
    assert all(one.style is OrderStyle.POST_ONLY for one in found.entries)


def test_orders_lie_deep_and_symmetric() -> None:
    """The offset is at least 50 bp and 3.2 five-minute deviations, at most 150."""
    found = _bench(_quiet(5))
    away = [1e4 * abs((one.limit or 0.0) / PRICE - 1.0) for one in found.entries]
    assert all(49.9 <= one <= 50.1 for one in away)
    stops = [1e4 * abs((one.stop or 0.0) / (one.limit or 1.0) - 1.0) for one in found.entries]
    assert all(49.9 <= one <= 50.1 for one in stops)


def test_a_cluster_of_depth_is_hidden_behind() -> None:
    """An order lies one tick behind a cluster that stands a little deeper than its offset."""
    events = _quiet(5)
    level = PRICE * (1.0 - 55.0 / 1e4)
    deep = [
        msgspec.structs.replace(one, bids=((level + 5.0, 1.0), (level, 9.0), (level - 5.0, 1.0)))
        if hasattr(one, "bids")
        else one
        for one in events
    ]
    found = _bench(deep)
    bid = next(one for one in found.entries if one.side is Side.BUY)
    assert abs((bid.limit or 0.0) - (level - 0.1)) < 1e-6


def test_a_wick_is_bought_once_and_sold_on_its_way_back() -> None:
    """A 60 bp wick and full retrace: one long, a maker target, no second entry for 15 min."""
    found = _bench(_quiet(1000, path=_wick))
    assert [one.sign for one in found.outcomes] == [1]
    assert found.outcomes[0].gross_bp > 30.0
    left = [one for one in found.signals if one.intent is Intent.CLOSE]
    assert [one.style for one in left] == [OrderStyle.POST_ONLY]
    filled = BEGIN + (WARM + 20) * SECOND
    late = [one.ts_init for one in found.entries if one.ts_init > filled]
    assert late
    assert late[0] >= filled + 900 * SECOND
    assert ReasonCode.COOLDOWN in found.codes()


def test_what_does_not_come_back_is_taken_off_after_fifteen_minutes() -> None:
    """A fill that stays where it was is left by time, as a taker."""
    found = _bench(_quiet(1000, path=lambda second: -60.0 if second >= 20 else 0.0))
    left = [one for one in found.signals if one.intent is Intent.CLOSE]
    assert [one.style for one in left] == [OrderStyle.POST_ONLY, OrderStyle.LIMIT_IOC]
    assert found.outcomes[0].closed_at - found.outcomes[0].opened_at >= 900 * SECOND
    assert not found.positions


def test_a_cascade_with_liquidations_is_dodged() -> None:
    """A burst of liquidations withdraws both orders before price is near; none fills."""
    at = BEGIN + (WARM + 21) * SECOND + 5
    cascade = _quiet(120, path=lambda second: -20.0 * max(0, min(10, second - 20)))
    found = _bench([*cascade, _liquidation(at)])
    pulled = next(one for one in found.signals if not one.legs)
    assert (pulled.ts_init, pulled.reason) == (at, "liquidation burst")
    assert not found.outcomes
    assert not found.positions
    assert ReasonCode.FLOW in found.codes()


def test_a_cascade_without_warning_is_one_bounded_loss() -> None:
    """200 bp against a fill end at the stop, one offset beyond it, once."""
    found = _bench(_quiet(120, path=lambda second: -20.0 * max(0, min(10, second - 20))))
    assert len(found.outcomes) == 1
    assert -75.0 < found.outcomes[0].gross_bp < 0.0


def test_drift_moves_the_anchor_and_nothing_crosses() -> None:
    """After a drift of 30 bp in five minutes both orders follow; none is ever marketable."""
    found = _bench(_quiet(1200, path=lambda second: min(30.0, 0.1 * second)))
    bids = [one.limit or 0.0 for one in found.entries if one.side is Side.BUY]
    assert bids == sorted(bids)
    assert bids[-1] > bids[0] * (1.0 + 10.0 / 1e4)
    assert found.crossed == 0
    assert found.most == 2


def test_a_far_anchor_is_followed_before_its_time() -> None:
    """Once the anchor is a quarter of the offset away both orders are renewed at once."""
    found = _bench(_quiet(400, path=lambda _: 45.0))
    times = [one.ts_init for one in found.entries if one.leg == 0]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) < 300 * SECOND


def test_an_impulse_cancels_at_once() -> None:
    """NORMAL to IMPULSE pulls both orders in the same moment."""
    at = BEGIN + (WARM + 30) * SECOND + 1
    found = _bench([*_quiet(90), _told(Regime.IMPULSE, at=at)])
    pulled = next(one for one in found.signals if not one.legs)
    assert pulled.ts_init == at
    assert not found.resting[BTC]
    assert ReasonCode.REGIME in found.codes()


def test_a_hot_market_is_left_alone() -> None:
    """Volatility in its upper fifth is refused with PHASE."""
    found = _bench(_quiet(30, heat=0.85))
    assert not found.entries
    assert ReasonCode.PHASE in found.codes()


def test_a_gap_pulls_and_waits_for_the_book() -> None:
    """A FeedGap pulls both orders."""
    at = BEGIN + (WARM + 30) * SECOND + 1
    found = _bench([*_quiet(31), FeedGap(ts_event=at, ts_init=at, instrument=BTC, reason="lost")])
    assert not found.resting[BTC]


def test_a_days_orders_are_capped() -> None:
    """The 201st order of a UTC day is refused with DAILY_CAP."""
    log = _log(_quiet(5))
    bench = QuoteBench(build(RebateFarmer, log), log)
    bench.strategy.state.day = BEGIN // (86_400 * SECOND)
    bench.strategy.state.orders = 199
    bench.run(log.events)
    assert not bench.entries
    assert ReasonCode.DAILY_CAP in bench.codes()


def test_spot_that_cannot_be_borrowed_is_only_bought() -> None:
    """On spot alone one bid rests, renewed every five minutes."""
    rules = msgspec.structs.replace(btc_spot(), id=BTC, borrowable=False)
    events = sorted(_quiet(330), key=lambda one: one.ts_init)
    needs = (Need.QUOTES, Need.TRADES, Need.DEPTH)
    log = Log(instruments=(rules,), carries={BTC: needs}, events=events)
    found = QuoteBench(build(RebateFarmer, log), log).run(log.events)
    assert [(one.side, one.ts_init) for one in found.entries] == [
        (Side.BUY, FIRST),
        (Side.BUY, FIRST + 300 * SECOND),
    ]


def test_the_invariants_hold() -> None:
    """RebateFarmer passes the kit every strategy must pass."""
    check_strategy(RebateFarmer, _log(_quiet(200, path=_wick)))
