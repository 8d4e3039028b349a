from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest

from hean.core.events import (
    BookUpdate,
    Event,
    Frame,
    FrameFeatures,
    Heartbeat,
    Intent,
    Need,
    OrderStyle,
    Quote,
    ReasonCode,
    Regime,
    RegimeChanged,
    Side,
)
from hean.core.instruments import InstrumentKind
from hean.core.synthetic.paths import walk
from hean.core.testing import BTC, HOUR, SECOND, START, book, btc_perpetual, trade
from hean.strategies.bench import Bench, Log, build
from hean.strategies.impulse_engine import ImpulseEngine, ImpulseSettings
from hean.strategies.reversal_model import LogisticReversal
from hean.strategies.testing import check_strategy, mirror_log

BEGIN = START + 10 * HOUR
QUIET = 120
"""Seconds before the burst."""
CALM = FrameFeatures(
    z_30=0.5, sigma_fast=1e-4, sigma_slow=1e-4, jump_share=0.1, spread_mean_bp=1.0,
    depth_5=100.0, depth_5_mean=100.0, volume_burst=1.0, trades_30=50.0, largest_share_30=0.1,
    ofi_10=0.1, trade_imbalance_10=0.0, zeta_60=0.1, zeta_300=0.1, zeta_900=0.1, vwap_900=60_000.0,
    atr_60=120.0,
)  # fmt: skip
HOT = msgspec.structs.replace(
    CALM, z_30=6.0, sigma_fast=2e-4, volume_burst=5.0, ofi_10=3.0, trade_imbalance_10=0.6,
    zeta_60=2.0, zeta_300=2.0, zeta_900=1.0,
)  # fmt: skip


def _told(regime: Regime, at: int = BEGIN) -> RegimeChanged:
    return RegimeChanged(
        ts_event=at, ts_init=at, instrument=BTC, ready=True, regime=regime, phase=None, cycle=None,
        regime_confidence=1.0, phase_confidence=0.0, cycle_confidence=0.0, moved=("regime",),
    )  # fmt: skip


def _second(
    number: int, price: float, before: float, features: FrameFeatures, spread_bp: float = 1.0
) -> list[Event]:
    at = BEGIN + number * SECOND
    half = price * spread_bp / 2e4
    bid, ask = price - half, price + half
    quote = Quote(
        ts_event=at, ts_init=at, instrument=BTC, bid=bid, ask=ask, bid_size=1.0, ask_size=1.0
    )
    frame = Frame(
        ts_event=at, ts_init=at, instrument=BTC, second=at // SECOND - 1, bid=0, ask=0, mid=0,
        high=0, low=0, return_e9=round(1e9 * (price / before - 1.0)), book_ready=True,
        features=features,
    )  # fmt: skip
    beat = Heartbeat(ts_event=at, ts_init=at, interval_ns=SECOND)
    return [beat, quote, trade(price, at=at), book(bid, ask, at=at), frame]


def _burst(
    *, hot: FrameFeatures = HOT, regime: Regime = Regime.IMPULSE,
    after: Callable[[int], float] = lambda second: 2.0 if second < 20 else 0.0,
    seconds: int = 460, spread_bp: float = 1.0,
) -> list[Event]:  # fmt: skip
    """Return a quiet time, 60 bp in 30 s with flow, and `after` in bp a second from then on."""
    noise = walk(2, QUIET + seconds, start=1.0, sigma_bp=0.1)
    events: list[Event] = [_told(regime)]
    price = 60_000.0
    for number in range(QUIET + seconds):
        before, since = price, number - QUIET
        move = 0.0
        if 0 <= since < 30:
            move = 2.0
        elif since >= 30:
            move = after(since - 30)
        jitter = noise[number] / noise[number - 1] if number else 1.0
        price *= (1.0 + move / 1e4) * jitter
        features = hot if 10 <= since < 60 else CALM
        events += _second(number, price, before, features, spread_bp)
    return events


def _log(events: Sequence[Event]) -> Log:
    needs = (Need.QUOTES, Need.TRADES, Need.DEPTH)
    return Log(instruments=(btc_perpetual(),), carries={BTC: needs}, events=events)


def _bench(events: Sequence[Event]) -> Bench:
    log = _log(events)
    return Bench(build(ImpulseEngine, log), log).run(events)


def test_a_burst_is_joined_once() -> None:
    """Sixty bp in 30 s with volume and flow give one buy 5 to 20 s after the onset."""
    found = _bench(_burst())
    (entry,) = found.entries
    assert (entry.side, entry.style) == (Side.BUY, OrderStyle.LIMIT_IOC)
    assert "CONFIRM" in entry.reason
    onset = BEGIN + QUIET * SECOND
    assert 5 * SECOND <= entry.ts_init - onset <= 20 * SECOND


def test_a_mirrored_burst_is_sold() -> None:
    """The mirrored log gives one sell."""
    found = _bench(mirror_log(_log(_burst())).events)
    assert [one.side for one in found.entries] == [Side.SELL]


def test_spot_that_cannot_be_borrowed_is_not_sold() -> None:
    """A burst down on such spot is NO_BORROW, one up is bought."""
    spot = msgspec.structs.replace(btc_perpetual(), kind=InstrumentKind.SPOT)
    up = msgspec.structs.replace(_log(_burst()), instruments=(spot,))
    down = msgspec.structs.replace(mirror_log(up), instruments=(spot,))
    assert Bench(build(ImpulseEngine, up), up).run(up.events).entries
    found = Bench(build(ImpulseEngine, down), down).run(down.events)
    assert not found.entries
    assert ReasonCode.NO_BORROW in found.codes()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"z_30": 3.0}, ReasonCode.SIZE),
        ({"sigma_fast": 1.2e-4}, ReasonCode.VOLX),
        ({"depth_5": 30.0}, ReasonCode.LIQ),
        ({"spread_mean_bp": 0.2}, ReasonCode.LIQ),
        ({"volume_burst": 1.5}, ReasonCode.PARTICIPATION),
        ({"trades_30": 10.0}, ReasonCode.PARTICIPATION),
        ({"largest_share_30": 0.8}, ReasonCode.PARTICIPATION),
        ({"ofi_10": 0.5}, ReasonCode.FLOW),
        ({"ofi_10": float("nan")}, ReasonCode.FLOW),
        ({"trade_imbalance_10": 0.1}, ReasonCode.FLOW),
        ({"zeta_900": -2.5}, ReasonCode.HORIZONS),
        ({"vwap_900": 58_900.0}, ReasonCode.EXHAUSTION),
        ({"jump_share": 0.9}, ReasonCode.EXHAUSTION),
        ({"spread_mean_bp": 1.0, "atr_60": float("nan")}, ReasonCode.WARMING_UP),
    ],
)
def test_each_layer_refuses_with_its_own_code(change: dict[str, float], code: ReasonCode) -> None:
    """A burst that fails one layer alone is refused with that layer's code."""
    fields = {name: getattr(HOT, name) for name in HOT.__struct_fields__}
    found = _bench(_burst(hot=FrameFeatures(**(fields | change))))
    assert not found.entries
    assert code in found.codes()


def _vetoed(intercept: float) -> Bench:
    """Run the burst under a model that only has an intercept."""
    model = LogisticReversal(version="1", intercept=intercept, weights={})
    log = _log(_burst())
    section = ImpulseSettings(reversal_model=model)
    return Bench(build(ImpulseEngine, log, section), log).run(log.events)


def test_a_model_may_veto_a_burst() -> None:
    """A reversal likelier than 0.85 is EXHAUSTION with both numbers; else the trade records it."""
    refused = _vetoed(2.0)
    assert not refused.entries
    vetoes = [one for one in refused.refusals if one.code is ReasonCode.EXHAUSTION]
    assert {(one.layer, one.number, one.limit) for one in vetoes} == {
        ("EXHAUSTION", 0.880797078, 0.85)
    }
    (entry,) = _vetoed(1.0).entries
    assert "p_rev 0.731 by 1 " in entry.reason


def test_range_is_refused() -> None:
    """In RANGE every warm evaluation ends in REGIME."""
    found = _bench(_burst(regime=Regime.RANGE))
    assert not found.entries
    assert set(found.codes()) == {ReasonCode.WARMING_UP, ReasonCode.REGIME}


def test_a_normal_regime_needs_five_and_halves_the_size() -> None:
    """In NORMAL a burst of z 6 is joined at half size, one of 4.5 is not."""
    strong = _bench(_burst(regime=Regime.NORMAL))
    assert [one.scale for one in strong.entries] == [0.5]
    weak = msgspec.structs.replace(HOT, z_30=4.5)
    assert not _bench(_burst(hot=weak, regime=Regime.NORMAL)).entries


def test_a_burst_that_turns_is_cancelled() -> None:
    """A candidate that loses 35 bp inside five seconds ends in CONFIRM."""
    events = _burst()
    first = _bench(events).entries[0].ts_init
    number = (first - BEGIN) // SECOND
    kept = [one for one in events if one.ts_init < first]
    prices = [one for one in kept if isinstance(one, Quote)]
    price = (prices[-1].bid + prices[-1].ask) / 2.0
    turned = _second(number, price * 0.9965, price, HOT)
    found = _bench([*kept, *turned])
    assert not found.entries
    assert found.codes()[ReasonCode.CONFIRM] == 1


def test_a_tight_book_can_trade() -> None:
    """A spread of 0.1 bp is no obstacle in IMPULSE."""
    assert _bench(_burst(spread_bp=0.1)).entries


def test_lost_depth_is_never_passed() -> None:
    """Without books the first layer that reads them refuses: STALE."""
    events = [
        one
        for one in _burst()
        if not (isinstance(one, BookUpdate) and one.ts_init > BEGIN + 60 * SECOND)
    ]
    found = _bench(events)
    assert not found.entries
    assert ReasonCode.STALE in found.codes()


def test_a_second_burst_waits_two_minutes() -> None:
    """After a closed attempt a hot second is refused with COOLDOWN until 120 s have passed."""
    found = _bench(_burst(after=lambda second: -0.35 if second < 60 else 0.0))
    (entry,) = found.entries
    cooling = [one.ts_init for one in found.refusals if one.code is ReasonCode.COOLDOWN]
    assert cooling
    assert max(cooling) < entry.ts_init + 120 * SECOND


def test_an_open_position_is_managed_while_entries_are_barred() -> None:
    """Half goes off at 1.5 R, the rest on the trail or 4 R, although books have died."""
    events = _burst(after=lambda second: 4.0 if second < 40 else -3.0 if second < 80 else 0.0)
    opened = _bench(events).entries[0].ts_init
    cut = [one for one in events if not isinstance(one, BookUpdate) or one.ts_init <= opened]
    found = _bench(cut)
    intents = [one.intent for one in found.signals]
    assert intents[:3] == [Intent.OPEN, Intent.REDUCE, Intent.CLOSE]
    reduced = found.signals[1]
    assert reduced.scale == 0.5
    assert found.signals[2].reason in ("chandelier", "four R", "break-even")
    assert not found.positions


def test_a_position_without_progress_is_left_after_ninety_seconds() -> None:
    """Under a quarter of R after 90 s the position is closed."""
    found = _bench(_burst(after=lambda second: -0.35 if second < 60 else 0.0))
    (outcome,) = found.outcomes
    held = outcome.closed_at - outcome.opened_at
    assert outcome.reason == "no progress in 90 s"
    assert 90 * SECOND <= held <= 92 * SECOND


def test_what_creeps_is_left_after_five_minutes() -> None:
    """Between a quarter of R and 1.5 R the position is closed at 300 s, books dead or not."""
    events = _burst(after=lambda second: -0.3 if second < 30 else 0.0)
    opened = _bench(events).entries[0].ts_init
    found = _bench(
        [one for one in events if not isinstance(one, BookUpdate) or one.ts_init <= opened]
    )
    (outcome,) = found.outcomes
    assert outcome.reason == "time stop of 300 s"
    assert 300 * SECOND <= outcome.closed_at - outcome.opened_at <= 302 * SECOND


def test_the_next_attempt_after_the_cap_is_refused() -> None:
    """After 120 attempts in a UTC day the code is DAILY_CAP."""
    events = _burst()
    log = _log(events)
    found = Bench(build(ImpulseEngine, log), log)
    found.strategy.state.day, found.strategy.state.attempts = BEGIN // (24 * HOUR), 120
    found.run(events)
    assert not found.entries
    assert ReasonCode.DAILY_CAP in found.codes()


def test_funding_and_the_night_are_left_out() -> None:
    """Within 120 s of a settlement, and at night until two weeks are learnt: SESSION."""
    for shift in (-BEGIN + START + 8 * HOUR - 150 * SECOND, -8 * HOUR):
        events = [
            msgspec.structs.replace(one, ts_init=one.ts_init + shift, ts_event=one.ts_event + shift)
            for one in _burst(seconds=60)
        ]
        found = _bench(events)
        assert not found.entries
        assert ReasonCode.SESSION in found.codes()


def test_the_invariants_hold() -> None:
    """ImpulseEngine passes the kit every strategy must pass."""
    check_strategy(ImpulseEngine, _log(_burst()))
