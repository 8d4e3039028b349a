from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest

from hean.core.events import (
    Event,
    Frame,
    FrameFeatures,
    FundingRate,
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
    Signal,
)
from hean.core.features import FundingNowCast
from hean.core.instruments import Instrument
from hean.core.synthetic.paths import quote_at, walk
from hean.core.testing import (
    BTC,
    BTC_SPOT,
    HOUR,
    MINUTE,
    SECOND,
    START,
    btc_perpetual,
    btc_spot,
    funding,
    mark,
)
from hean.strategies.bench import Bench, Log, build
from hean.strategies.funding_desk import carry_bp
from hean.strategies.funding_harvester import FundingHarvester
from hean.strategies.testing import check_strategy, mirror_log

PRICE = 60_000.0


def _premium(rate_bp: float) -> Callable[[int], float]:
    def rate(_: int) -> float:
        return rate_bp

    return rate


def _events(
    hours: float,
    rate_at: Callable[[int], float],
    *,
    interval: int = 8 * HOUR,
    basis: Callable[[int], float] = lambda _: 5.0,
    prices: Sequence[float] | None = None,
    with_spot: bool = True,
) -> list[Event]:
    events: list[Event] = []
    count = int(hours * 60)
    path = prices or walk(1, count, start=PRICE, sigma_bp=1.0)
    for minute in range(count):
        at = START + minute * MINUTE
        index, rate = path[minute], rate_at(at) / 1e4
        price = index * (1.0 + basis(at) / 1e4)
        if minute and at % interval == 0:
            events.append(funding(rate, settled=True, interval=interval, at=at))
        events.append(quote_at(BTC, price, at, half_bp=0.1))
        if with_spot:
            events.append(quote_at(BTC_SPOT, index, at, half_bp=0.1))
        events += [
            mark(price, index=index, at=at),
            funding(rate, interval=interval, at=at),
            Heartbeat(ts_event=at, ts_init=at, interval_ns=MINUTE),
        ]
    return events


def _log(events: Sequence[Event], *, hedged: bool = True, spot: Instrument | None = None) -> Log:
    needs = (Need.QUOTES, Need.FUNDING, Need.INDEX)
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
    return Bench(build(FundingHarvester, log), log).run(events)


def test_a_constant_premium_is_harvested_in_its_window() -> None:
    """A rate of 7 bp opens short perpetual and long spot between 120 and 5 min before the stamp."""
    found = _bench(_events(30, _premium(7.0)))
    perpetual, spot = found.entries[:2]
    before = 8 * HOUR - (perpetual.ts_init - START) % (8 * HOUR)
    assert 5 * MINUTE <= before <= 120 * MINUTE
    assert (perpetual.instrument, perpetual.side) == (BTC, Side.SELL)
    assert (spot.instrument, spot.side) == (BTC_SPOT, Side.BUY)
    assert (perpetual.group, perpetual.legs, spot.release_leg) == (spot.group, 2, 0)
    assert perpetual.intent is Intent.LEG
    assert perpetual.group_stop_bp > 30.0


def test_the_funding_received_is_booked_at_the_stamp() -> None:
    """A short that is held over a stamp of 7 bp receives 7 bp of its value."""
    found = _bench(_events(18, _premium(7.0)))
    holding = found.strategy.state.desks[BTC].holding
    assert holding is not None
    assert holding.stamps == 2
    assert holding.received == pytest.approx(2 * 7e-4 * holding.entry, rel=1e-3)


def _with_cast(hours: float, premium_at: Callable[[int], float]) -> list[Event]:
    """The log of minute premiums: frames carry our now-cast, the venue says the same rate."""
    cast, rates = FundingNowCast.of(), dict[int, float]()
    cast.follow(funding(interval=8 * HOUR, at=START))
    for minute in range(1, int(hours * 60)):
        at = START + minute * MINUTE
        cast.update(at, premium_at(at) / 1e4)
        rates[at] = cast.rate
    events: list[Event] = []
    for one in _events(hours, lambda at: 1e4 * rates.get(at, 0.0)):
        events.append(one)
        if isinstance(one, FundingRate) and not one.settled and one.ts_init in rates:
            features = FrameFeatures(funding_now_cast=rates[one.ts_init])
            events.append(
                Frame(
                    ts_event=one.ts_init, ts_init=one.ts_init, instrument=BTC, features=features,
                    second=0, bid=0, ask=0, mid=0, high=0, low=0, return_e9=0,
                )
            )  # fmt: skip
    return events


def test_a_premium_of_12_bp_is_cast_entered_received_and_left() -> None:
    """A now-cast of 7 bp is harvested over a stamp; a rate gone for three stamps ends it."""

    def premium(at: int) -> float:
        return 12.0 if at <= START + 8 * HOUR else -4.8

    found = _bench(_with_cast(34, premium))
    perpetual, hedge = found.entries[:2]
    assert "rate 7.000 bp" in perpetual.reason
    before = START + 8 * HOUR - perpetual.ts_init
    assert 5 * MINUTE <= before <= 120 * MINUTE
    assert (perpetual.side, hedge.side) == (Side.SELL, Side.BUY)
    (first, second) = found.outcomes
    assert first.opened_at < START + 8 * HOUR < first.closed_at
    assert {first.reason, second.reason} == {"rate near zero three times"}
    assert first.closed_at >= START + 32 * HOUR


@pytest.mark.parametrize(("apart_bp", "enters"), [(0.4, True), (0.6, False), (-0.6, False)])
def test_half_a_basis_point_from_the_venue_s_rate_is_a_data_fault(
    apart_bp: float, enters: bool
) -> None:
    """A now-cast of 7 bp enters within .5 bp of the venue's own rate; beyond it FUNDING_STALE."""
    events = [
        msgspec.structs.replace(one, rate=one.rate + apart_bp / 1e4)
        if isinstance(one, FundingRate) and not one.settled
        else one
        for one in _with_cast(9, lambda _: 12.0)
    ]
    found = _bench(events)
    assert bool(found.entries) is enters
    assert (ReasonCode.FUNDING_STALE in found.codes()) is not enters


def test_a_premium_around_the_interest_pays_for_nothing() -> None:
    """A premium of 4 bp casts 1 bp: EDGE at every evaluation, and no trade."""
    found = _bench(_with_cast(17, lambda _: 4.0))
    assert not found.entries
    assert set(found.codes()) == {ReasonCode.EDGE}


def test_a_premium_that_flips_late_leaves_the_decision() -> None:
    """Turned over twenty minutes before the stamp, the cast has 92 % behind it: same words."""

    def flipped(at: int) -> float:
        return 12.0 if at <= START + 8 * HOUR - 20 * MINUTE else -12.0

    late, steady = _bench(_with_cast(8, flipped)), _bench(_with_cast(8, lambda _: 12.0))
    assert late.signals == steady.signals
    assert late.entries
    cast = late.strategy.state.desks[BTC].cast_bp
    assert cast == pytest.approx(7.0, abs=2.0)


def _bars(
    hours: int,
    rate_bp: float,
    interval: int,
    *,
    hedged: bool,
    drift_bp: float = 0.0,
    dry_after: int = 999,
) -> Log:
    """Settled rates and bars, in a bar feed's order: stamp and mark before the closing quotes."""
    events: list[Event] = []
    for number in range(1, hours * HOUR // interval + 1):
        at, price = START + number * interval, PRICE * (1.0 + number * drift_bp / 1e4)
        if at % (8 * HOUR) == 0:
            rate = rate_bp if at <= START + dry_after * HOUR else 0.1
            events.append(funding(rate / 1e4, settled=True, interval=8 * HOUR, at=at))
        events += [mark(price, index=price, at=at), quote_at(BTC, price, at)]
        if hedged:
            events.append(quote_at(BTC_SPOT, price, at))
        events.append(Heartbeat(ts_event=at, ts_init=at, interval_ns=interval))
    spot = {BTC_SPOT: (Need.BARS,)} if hedged else {}
    return Log(
        instruments=(btc_perpetual(), btc_spot()) if hedged else (btc_perpetual(),),
        carries={BTC: (Need.BARS, Need.FUNDING), **spot},
        events=events,
        bar_intervals={BTC: interval, BTC_SPOT: interval},
    )


@pytest.mark.parametrize("interval", [5 * MINUTE, HOUR])
def test_on_bars_both_legs_take_and_are_reckoned_so(interval: int) -> None:
    """A rest of two minutes cannot be seen on bars: two IOCs at the cost of four taking legs."""
    log = _bars(32, 15.0, interval, hedged=True)
    found = Bench(build(FundingHarvester, log), log).run(log.events)
    perpetual, hedge = found.entries[:2]
    assert perpetual.style is hedge.style is OrderStyle.LIMIT_IOC
    assert perpetual.cost_bp == pytest.approx(2 * (5.5 + 1.0) + 2 * (10.0 + 1.0), abs=1e-3)
    assert set(found.positions) == {BTC, BTC_SPOT}


def test_on_bars_both_legs_leave_at_the_quotes_of_their_time() -> None:
    """Although stamp and mark come first, the exits' caps are those of the same bar's close."""
    log = _bars(60, 15.0, HOUR, hedged=True, drift_bp=-20.0, dry_after=16)
    found = Bench(build(FundingHarvester, log), log).run(log.events)
    exits = [one for one in found.signals if one.intent is Intent.CLOSE]
    assert {one.instrument for one in exits} == {BTC, BTC_SPOT}
    quotes = {(one.instrument, one.ts_init): one for one in log.events if isinstance(one, Quote)}
    for one in exits:
        met = quotes[one.instrument, one.ts_init]
        price = met.ask if one.side is Side.BUY else met.bid
        assert one.limit == pytest.approx(price * (1.0 + one.side.sign * 5e-4))
    assert len({one.closed_at for one in found.outcomes}) == 1


def test_a_pair_that_still_collects_is_held_beyond_21_stamps() -> None:
    """The signal's time stop of 21 intervals binds the shadow book; the position itself goes on."""
    log = _bars(24 * 8 + 40, 15.0, HOUR, hedged=True)
    found = Bench(build(FundingHarvester, log), log).run(log.events)
    assert found.entries[0].time_stop_ns == 21 * 8 * HOUR
    assert not found.outcomes
    holding = found.strategy.state.desks[BTC].holding
    assert holding is not None
    assert holding.stamps > 21


def test_no_pair_is_opened_that_its_margin_would_close_at_once() -> None:
    """Where three day volatilities exceed the margin buffer the pair is INELIGIBLE, not churned."""
    log = _bars(80, 30.0, HOUR, hedged=True)
    wild = [
        msgspec.structs.replace(one, mark=PRICE * (1.05 if one.ts_init // HOUR % 2 else 0.95))
        if isinstance(one, MarkPrice)
        else one
        for one in log.events
    ]
    found = Bench(build(FundingHarvester, log), log).run(wild)
    late = [one for one in found.entries if one.ts_init > START + 26 * HOUR]
    assert not late
    refused = [one for one in found.refusals if one.code is ReasonCode.INELIGIBLE]
    assert refused
    assert refused[0].number < refused[0].limit


def test_on_five_minute_bars_an_unhedged_bet_takes_too() -> None:
    """Without spot the first order of a bet is an IOC, half an hour before the stamp."""
    log = _bars(32, 40.0, 5 * MINUTE, hedged=False)
    found = Bench(build(FundingHarvester, log), log).run(log.events)
    first = found.entries[0]
    assert first.style is OrderStyle.LIMIT_IOC
    assert first.cost_bp == pytest.approx(13.0, abs=1e-3)


def test_bars_too_long_for_a_bet_say_so_at_each_stamp() -> None:
    """No hourly close lies between 30 and 5 min before a stamp: INELIGIBLE, 60 min against 25."""
    log = _bars(32, 40.0, HOUR, hedged=False)
    found = Bench(build(FundingHarvester, log), log).run(log.events)
    assert not found.entries
    refused = [one for one in found.refusals if one.code is ReasonCode.INELIGIBLE]
    assert len({one.ts_init // (8 * HOUR) for one in refused}) >= 3
    assert (refused[0].number, refused[0].limit) == (60.0, 25.0)


def test_a_rate_near_interest_pays_for_nothing() -> None:
    """At 1 bp the carry never pays the costs: only EDGE refusals, no trade."""
    found = _bench(_events(24, _premium(1.0)))
    assert not found.entries
    assert set(found.codes()) == {ReasonCode.EDGE}


def test_a_sign_flip_of_the_premium_leaves_the_decision() -> None:
    """A rate that dips by its unfixed 8 % twenty minutes before the stamp is harvested alike."""

    def rate(at: int) -> float:
        return 7.0 if 8 * HOUR - (at - START) % (8 * HOUR) > 20 * MINUTE else 7.0 * 0.92 - 0.56

    steady = _bench(_events(16, _premium(7.0)))
    dipped = _bench(_events(16, rate))
    assert [one.side for one in dipped.entries] == [one.side for one in steady.entries]


@pytest.mark.parametrize(("hours", "opens"), [(8, 120), (4, 70), (1, 18)])
def test_shorter_intervals_scale_the_window(hours: int, opens: int) -> None:
    """Half of the rate must be fixed: the window of a 4-h or 1-h interval opens later."""
    found = _bench(_events(hours + 1.0, _premium(7.0), interval=hours * HOUR))
    first = found.entries[0].ts_init
    before = hours * HOUR - (first - START) % (hours * HOUR)
    assert 5 * MINUTE < before <= opens * MINUTE


def test_a_missing_next_time_is_refused() -> None:
    """Without the next settlement's time nothing is opened: FUNDING_STALE."""
    events = [
        msgspec.structs.replace(one, next_funding_time=0) if hasattr(one, "rate") else one
        for one in _events(9, _premium(7.0))
    ]
    found = _bench(events)
    assert not found.entries
    assert set(found.codes()) == {ReasonCode.FUNDING_STALE}


def test_every_regime_gives_the_same_decision() -> None:
    """RANGE, NORMAL and IMPULSE change nothing."""
    said: list[list[Event]] = []
    for kind in Regime:
        told = RegimeChanged(
            ts_event=START, ts_init=START, instrument=BTC, ready=True, regime=kind, phase=None,
            cycle=None, regime_confidence=1.0, phase_confidence=0.0, cycle_confidence=0.0,
            moved=("regime",),
        )  # fmt: skip
        said.append(_bench([told, *_events(9, _premium(7.0))]).said)
    assert said[0] == said[1] == said[2]


def test_a_refused_hedge_unwinds_the_perpetual() -> None:
    """When the hedge leg does not fill, the perpetual leg is left at once."""
    events = _events(9, _premium(7.0))
    log = _log(events)
    found = Bench(build(FundingHarvester, log), log, unfillable=BTC_SPOT).run(events)
    closes = [one for one in found.signals if one.intent is Intent.CLOSE]
    assert closes
    assert closes[0].instrument == BTC
    opened = found.outcomes[0].opened_at
    assert found.outcomes[0].closed_at - opened <= 2 * SECOND
    assert not found.positions


def test_a_hedged_position_lives_over_stamps() -> None:
    """A hedged position is alive at its stamp and past fifteen minutes."""
    found = _bench(_events(40, _premium(7.0)))
    assert set(found.positions) == {BTC, BTC_SPOT}
    assert not found.outcomes


def test_duplicate_events_give_one_decision() -> None:
    """Every funding event twice gives the words of the single log."""
    events = _events(9, _premium(7.0))
    doubled = [one for event in events for one in (event, event)]
    assert _bench(doubled).said == _bench(events).said


def test_one_attempt_is_made_for_a_stamp() -> None:
    """A refused attempt is not repeated before the next stamp."""
    events = _events(9, _premium(7.0))
    log = _log(events)
    found = Bench(build(FundingHarvester, log), log, verdict=_refuse_all).run(events)
    assert len(found.entries) == 2


def _refuse_all(_: Signal) -> ReasonCode:
    return ReasonCode.STRATEGY_INACTIVE


def test_a_negative_rate_needs_the_borrow_flag() -> None:
    """Without it the mirrored pair is refused with NO_BORROW, with it spot is sold."""
    events = mirror_log(_log(_events(9, _premium(7.0)))).events
    refused = _bench(events)
    assert not refused.entries
    assert set(refused.codes()) == {ReasonCode.NO_BORROW}
    allowed = _bench(events, spot=btc_spot(borrowable=True))
    assert [one.side for one in allowed.entries[:2]] == [Side.BUY, Side.SELL]


def test_a_hedged_pair_is_left_when_the_mean_rate_turns() -> None:
    """After the mean of settled rates has changed sign both legs are closed."""

    def rate(at: int) -> float:
        return 7.0 if at < START + 17 * HOUR else -7.0

    found = _bench(_events(100, rate))
    assert {one.reason for one in found.outcomes} == {"mean rate changed sign"}
    assert {one.instrument for one in found.outcomes} == {BTC, BTC_SPOT}


def test_a_hedged_pair_is_left_when_the_rate_dries_up() -> None:
    """Three settlements in a row under 0.3 bp end the position."""

    def rate(at: int) -> float:
        return 7.0 if at < START + 17 * HOUR else 0.1

    found = _bench(_events(60, rate))
    assert {one.reason for one in found.outcomes} == {"rate near zero three times"}


def test_a_basis_against_the_pair_ends_it() -> None:
    """A perpetual that rises 30 bp against spot closes a short pair."""

    def basis(at: int) -> float:
        return 5.0 if at < START + 10 * HOUR else 40.0

    found = _bench(_events(12, _premium(7.0), basis=basis))
    assert {one.reason for one in found.outcomes} == {"basis moved against the position"}


def test_an_unfilled_maker_is_followed_by_taking_legs() -> None:
    """A group whose maker leg expires after 120 s is asked for once more, taking."""
    flat = [PRICE] * (9 * 60)
    found = _bench(_events(9, _premium(8.0), prices=flat))
    styles = [one.style for one in found.entries]
    assert styles[0] is OrderStyle.POST_ONLY
    assert styles[2:] == [OrderStyle.LIMIT_IOC, OrderStyle.LIMIT_IOC]
    assert found.entries[2].ts_init == found.entries[0].ts_init + 120 * SECOND
    assert found.entries[2].group != found.entries[0].group


def test_without_spot_only_a_rich_rate_is_bet_on() -> None:
    """Unhedged, 10 bp is refused by cost and 20 bp sold at a quarter half an hour before."""
    poor = _bench(_events(9, _premium(10.0), with_spot=False), hedged=False)
    assert not poor.entries
    assert ReasonCode.EDGE in poor.codes()
    rich = _bench(_events(9, _premium(20.0), with_spot=False), hedged=False)
    first = rich.entries[0]
    before = 8 * HOUR - (first.ts_init - START) % (8 * HOUR)
    assert (first.intent, first.side, first.scale) == (Intent.OPEN, Side.SELL, 0.25)
    assert before <= 30 * MINUTE
    assert first.stop is not None


def test_an_unhedged_bet_is_left_after_its_stamp() -> None:
    """The bet is alive at the stamp and gone one to ten minutes after it."""
    found = _bench(_events(9, _premium(25.0), with_spot=False), hedged=False)
    outcome = found.outcomes[0]
    stamp = START + 8 * HOUR
    assert outcome.opened_at < stamp
    assert stamp + MINUTE <= outcome.closed_at <= stamp + 10 * MINUTE


def test_a_bet_against_the_trend_is_refused() -> None:
    """A perpetual that has trended up for four hours is not sold for its funding."""
    rising = walk(3, 9 * 60, start=PRICE, sigma_bp=1.0, drift_bp=1.0)
    events = _events(9, _premium(20.0), prices=rising, with_spot=False)
    found = _bench(events, hedged=False)
    assert not found.entries
    assert ReasonCode.HORIZONS in found.codes()


def test_the_carry_counts_each_further_stamp_less() -> None:
    """Twenty-one stamps of 7 bp at persistence 0.8 are worth 34.7 bp."""
    assert carry_bp(7.0, 0.8, 21) == pytest.approx(7.0 * (1 - 0.8**21) / 0.2)
    assert carry_bp(7.0, 1.0, 3) == pytest.approx(21.0)


def test_the_invariants_hold_hedged_and_unhedged() -> None:
    """FundingHarvester passes the kit with spot (borrowable) and without."""
    hedged = _log(_events(20, _premium(7.0)), spot=btc_spot(borrowable=True))
    check_strategy(FundingHarvester, hedged)
    check_strategy(FundingHarvester, _log(_events(9, _premium(20.0)), hedged=False))
