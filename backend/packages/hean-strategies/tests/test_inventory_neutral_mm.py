from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random

import msgspec
import pytest

from hean.core.events import (
    BookUpdate,
    Event,
    FeedGap,
    Frame,
    FrameFeatures,
    Heartbeat,
    Intent,
    Need,
    OrderStyle,
    Phase,
    PlanFault,
    Quote,
    ReasonCode,
    Regime,
    RegimeChanged,
    Side,
    Signal,
    SignalWithdrawn,
)
from hean.core.instruments import Instrument
from hean.core.testing import (
    BTC,
    SECOND,
    START,
    book,
    btc_perpetual,
    btc_spot,
    filled,
    order_request,
    perpetual,
    trade,
)
from hean.strategies.bench import Log, build
from hean.strategies.decisions import Plan
from hean.strategies.desk import Holding
from hean.strategies.inventory_neutral_mm import InventoryNeutralMM, step
from hean.strategies.market_making_desk import plans_of
from hean.strategies.quote_bench import QuoteBench
from hean.strategies.quote_proof import QuoteProof
from hean.strategies.quoting import quote
from hean.strategies.testing import check_strategy

PRICE = 60_000.0
BEGIN = START + 200 * SECOND
WARM = 1801
SPREAD = 8.0
Path = Callable[[int], float]


def _told(
    regime: Regime, *, at: int = START, phase: Phase | None = None, instrument: str = BTC
) -> RegimeChanged:
    return RegimeChanged(
        ts_event=at, ts_init=at, instrument=instrument, ready=True, regime=regime, phase=phase,
        cycle=None, regime_confidence=1.0, phase_confidence=0.0, cycle_confidence=0.0,
        moved=("regime",),
    )  # fmt: skip


def _quoted(rules: Instrument, price: float, at: int, spread_bp: float = SPREAD) -> Quote:
    half = price * spread_bp / 2e4
    tick = rules.tick
    bid = round((price - half) / tick) * tick
    ask = max(round((price + half) / tick) * tick, bid + tick)
    return Quote(
        ts_event=at, ts_init=at, instrument=rules.id, bid=bid, ask=ask, bid_size=1.0, ask_size=1.0
    )


def _frame(rules: Instrument, at: int, flow: float, vpin: float = 0.4) -> Frame:
    return Frame(
        ts_event=at, ts_init=at, instrument=rules.id, second=at // SECOND - 1, bid=0, ask=0, mid=0,
        high=0, low=0, return_e9=0, book_ready=True,
        features=FrameFeatures(
            ofi_5=0.0, ofi_30=flow, beta_15=0.5, sigma_fast=0.9e-4, vpin_percentile=vpin,
        ),
    )  # fmt: skip


def _second(
    number: int, price: float, flow: float, *, rules: Instrument, random: Random, wick: float = 0.0
) -> list[Event]:
    """Return a second: beat, frame, quote, book, prints at many depths, and perhaps a wick."""
    at = BEGIN + number * SECOND
    market = _quoted(rules, price, at)
    events: list[Event] = [
        Heartbeat(ts_event=at, ts_init=at, interval_ns=SECOND),
        market,
        _frame(rules, at, flow),
        book(market.bid, market.ask, at=at, instrument=rules.id),
    ]
    for side in (Side.BUY, Side.SELL):
        depth = random.expovariate(0.5)
        events.append(
            trade(
                price * (1.0 + side.sign * depth / 1e4), at=at + 1, side=side, instrument=rules.id
            )
        )
    if wick:
        there, back = at + 3 * SECOND // 10, at + 4 * SECOND // 10
        events += [
            _quoted(rules, price * (1.0 + wick / 1e4), there, 1.0),
            _quoted(rules, price, back),
        ]
    return events


def _calm(
    seconds: int,
    *,
    path: Path = lambda _: 0.0,
    flow: Path = lambda _: 0.1,
    wick: Path = lambda _: 0.0,
    rules: Instrument | None = None,
    price: float = PRICE,
) -> list[Event]:
    """Return a warm-up and `seconds` more; the functions give bp and flow by second."""
    rules = rules or btc_perpetual()
    random = Random(7)
    events: list[Event] = [_told(Regime.RANGE, instrument=rules.id)]
    for number in range(WARM + seconds):
        late = number - WARM
        level = path(late) if late >= 0 else 0.0
        events += _second(
            number,
            price * (1.0 + level / 1e4),
            flow(late) if late >= 0 else _noise(number),
            rules=rules,
            random=random,
            wick=wick(late) if late >= 0 else 0.0,
        )
    return events


def _noise(number: int) -> float:
    """One unit of flow either way while it warms up, none at the end."""
    return 0.0 if number > WARM - 5 else (1.0 if number % 2 else -1.0)


def _bounce(second: int) -> float:
    """Six bp down, then six up, every ten seconds."""
    return {5: -6.5, 15: 6.5}.get(second % 20, 0.0)


def _log(events: Sequence[Event], rules: Instrument | None = None) -> Log:
    rules = rules or btc_perpetual()
    needs = (Need.QUOTES, Need.TRADES, Need.DEPTH)
    return Log(instruments=(rules,), carries={rules.id: needs}, events=events)


def _bench(events: Sequence[Event], rules: Instrument | None = None) -> QuoteBench:
    log = _log(events, rules)
    return QuoteBench(build(InventoryNeutralMM, log), log).run(log.events)


def _half_bp(group: Sequence[Signal]) -> float:
    bid, ask = (next(one.limit for one in group if one.side is side) for side in Side)
    assert bid is not None
    assert ask is not None
    return 1e4 * (ask - bid) / (ask + bid)


def _pair(bench: QuoteBench, number: int = 0) -> list[Signal]:
    found = bench.entries[number]
    return [one for one in bench.entries if one.group == found.group]


def test_bounce_between_wide_touches_pays() -> None:
    """Reversion of 6 bp at an 8 bp spread: pairs each cycle, both sides fill, net above zero."""
    found = _bench(_calm(600, wick=_bounce))
    cycles = [one for one in found.entries if one.leg == 0 and one.legs == 2]
    assert len(cycles) >= 15
    assert all(one.style is OrderStyle.POST_ONLY for one in found.entries)
    assert {one.sign for one in found.outcomes} >= {1}
    assert abs(found.strategy.state.desks[BTC].clips) <= 1.0
    assert len(found.outcomes) >= 10
    total = 0.0
    for one in found.outcomes:
        total += one.net_bp
    assert total > 0.0


def test_inventory_shifts_both_quotes_against_itself() -> None:
    """The more is held long, the lower both quotes lie."""
    found = _bench(_calm(3))
    desk = found.strategy.state.desks[BTC]
    desk.clip = 1.0
    levels: list[list[float]] = []
    for clips in (0.0, 0.5, 1.0, 2.0):
        desk.holding = Holding(sign=1, quantity=clips, entry=PRICE, opened_at=BEGIN)
        plans = plans_of(desk, found.quotes[BTC], found.strategy.section)
        levels.append([one.limit or 0.0 for one in plans])
    for higher, lower in pairwise(levels):
        assert lower[0] < higher[0]
        assert lower[1] < higher[1]


def test_a_held_clip_lowers_the_next_pair() -> None:
    """After a buy the pair around the same mid lies lower than before it, by the skew."""
    found = _bench(_calm(40, wick=lambda second: -6.5 if second == 5 else 0.0))
    before = {one.side: one.limit or 0.0 for one in _pair(found)}
    same_mid = [one for one in found.entries if one.ts_init == BEGIN + (WARM + 7) * SECOND]
    assert all("inventory 1.00" in one.reason for one in same_mid)
    after = {one.side: one.limit or 0.0 for one in same_mid}
    assert after[Side.BUY] < before[Side.BUY]
    assert after[Side.SELL] < before[Side.SELL]
    drop = before[Side.BUY] - after[Side.BUY]
    assert before[Side.SELL] - after[Side.SELL] == pytest.approx(drop, abs=0.2)


def test_a_trend_is_held_within_the_bound_and_left_once() -> None:
    """Falling through the quotes: never above four clips, only sales from three, one flatten."""
    events = _calm(
        75,
        path=lambda s: -float(s) if s < 45 else -45.0 - 4.0 * (s - 45),
        wick=lambda s: -9.0 if s % 3 == 1 and s < 45 else 0.0,
    )
    found = _bench(events)
    held = [(_clips(one), one.side) for one in found.entries]
    assert 3.0 <= max(clips for clips, _ in held) <= 4.0
    assert {side for clips, side in held if clips >= 3.0} == {Side.SELL}
    left = [one for one in found.signals if one.intent is Intent.CLOSE]
    assert left
    assert {one.reason.split()[0] for one in left} == {"loss"}
    assert min(one.net_bp for one in found.outcomes) > -100.0


def _clips(signal: Signal) -> float:
    """Return the inventory a signal names."""
    return float(signal.reason.split("inventory ")[1].split(",")[0])


def test_strong_flow_pulls_within_a_second() -> None:
    """Flow of 2.5 noises pulls both quotes in the same second, and none come while it lasts."""
    found = _bench(_calm(120, flow=lambda s: 2.5 if s >= 50 else 0.1))
    pulled = [one for one in found.signals if one.intent is Intent.QUOTE and not one.legs]
    shock = BEGIN + (WARM + 50) * SECOND
    assert pulled
    assert shock <= pulled[0].ts_init <= shock + SECOND
    assert not [one for one in found.entries if one.ts_init > pulled[0].ts_init]
    assert ReasonCode.FLOW in found.codes()


def test_some_flow_leaves_the_safe_side() -> None:
    """Buying pressure of 1.5 noises leaves only the bid."""
    found = _bench(_calm(80, flow=lambda _: 1.5))
    late = [one for one in found.entries if one.ts_init >= BEGIN + (WARM + 1) * SECOND]
    assert len(late) >= 2
    assert {one.side for one in late} == {Side.BUY}


def test_an_impulse_cancels_and_flattens() -> None:
    """A switch to IMPULSE closes what is held, pulls what is quoted, and quotes no more."""
    events = _calm(60, wick=lambda second: -6.5 if second == 5 else 0.0)
    at = BEGIN + (WARM + 8) * SECOND + SECOND // 2
    merged = sorted([*events, _told(Regime.IMPULSE, at=at)], key=lambda one: one.ts_init)
    found = _bench(merged)
    left = [one for one in found.signals if one.intent is Intent.CLOSE]
    assert left[0].ts_init == at
    assert not found.positions
    assert not found.resting[BTC]
    assert not [one for one in found.entries if one.ts_init >= at]
    assert ReasonCode.REGIME in found.codes()


def test_vapor_flattens_too() -> None:
    """A phase of vapor pulls the pair and is the refusal from then on."""
    events = _calm(60)
    at = BEGIN + (WARM + 8) * SECOND + SECOND // 2
    hot = _told(Regime.RANGE, at=at, phase=Phase.VAPOR)
    found = _bench(sorted([*events, hot], key=lambda one: one.ts_init))
    assert not [one for one in found.entries if one.ts_init >= at]
    assert ReasonCode.PHASE in found.codes()


def test_the_maker_fee_widens_by_exactly_itself() -> None:
    """From a rebate of 1 bp to a fee of 2 bp the half-spread grows by exactly 3 bp."""
    events = _calm(3)
    fees = ("-0.0001", "0.0002")
    halves = [_half_bp(_pair(_bench(events, btc_perpetual(maker_fee=fee)))) for fee in fees]
    assert halves[1] - halves[0] == pytest.approx(3.0, abs=1e-3)


def test_scales_behave_alike_in_bp() -> None:
    """An XRP-like price and tick gives the same pairs in bp as a BTC-like one."""
    small = perpetual("XRP", "0.0000001", "0.1", "1000000", "0.0002")
    found = [
        _bench(_calm(60, wick=_bounce)),
        _bench(_calm(60, wick=_bounce, rules=small, price=0.6), small),
    ]
    sides = [[(one.ts_init, one.side) for one in bench.entries] for bench in found]
    assert sides[0] == sides[1]
    halves = [_half_bp(_pair(bench)) for bench in found]
    assert halves[0] == pytest.approx(halves[1], abs=0.01)


def test_a_gap_cancels_and_waits_for_the_book() -> None:
    """A FeedGap pulls at once; the next pair comes only after a new book."""
    events = _calm(120)
    at = BEGIN + (WARM + 20) * SECOND + 1
    again = BEGIN + (WARM + 70) * SECOND
    cut = [one for one in events if not (isinstance(one, BookUpdate) and at <= one.ts_init < again)]
    gap = FeedGap(ts_event=at, ts_init=at, instrument=BTC, reason="lost")
    found = _bench(sorted([*cut, gap], key=lambda one: one.ts_init))
    pulled = next(one for one in found.signals if not one.legs)
    assert pulled.ts_init == at
    late = [one.ts_init for one in found.entries if one.ts_init >= at]
    assert late
    assert late[0] >= again
    assert ReasonCode.BOOK_GAP in found.codes()


def test_cycles_keep_their_interval() -> None:
    """When nothing fills, cycles begin thirty seconds apart."""
    found = _bench(_calm(200))
    times = [one.ts_init for one in found.entries if one.leg == 0]
    assert len(times) >= 5
    assert all(b - a >= 30 * SECOND for a, b in pairwise(times))


def test_old_inventory_is_taken_off() -> None:
    """What no quote took off in ten minutes is left as a taker."""
    found = _bench(_calm(640, wick=lambda second: -6.5 if second == 5 else 0.0))
    left = [one for one in found.signals if one.intent is Intent.CLOSE]
    assert left
    assert left[0].reason == "inventory older than ten minutes"
    assert left[0].style is OrderStyle.LIMIT_IOC
    assert not found.positions


def test_inventory_leaves_passively_where_quotes_are_refused() -> None:
    """A held clip whose next quotes the gate refuses rests one exit at the half-spread."""
    log = _log(_calm(60, wick=lambda second: -6.5 if second == 5 else 0.0))
    filled = BEGIN + (WARM + 5) * SECOND

    def verdict(signal: Signal) -> ReasonCode | None:
        return ReasonCode.POSITION_SIZER_ZERO if signal.ts_init > filled else None

    found = QuoteBench(build(InventoryNeutralMM, log), log, verdict=verdict).run(log.events)
    left = [one for one in found.signals if one.intent is Intent.CLOSE]
    assert left
    assert (left[0].style, left[0].side) == (OrderStyle.POST_ONLY, Side.SELL)
    assert (left[0].limit or 0.0) > PRICE * 1.0004


def test_spot_that_cannot_be_borrowed_is_only_bought() -> None:
    """On spot alone the first quote is a bid; an ask follows only against what is held."""
    rules = msgspec.structs.replace(btc_spot(), borrowable=False)
    found = _bench(_calm(40, rules=rules, wick=lambda s: -17.0 if s == 5 else 0.0), rules)
    filled = BEGIN + (WARM + 5) * SECOND
    assert {one.side for one in found.entries if one.ts_init < filled} == {Side.BUY}
    assert Side.SELL in {one.side for one in found.entries if one.ts_init > filled}


def test_toxic_flow_is_refused() -> None:
    """A toxicity in its upper fifth is refused with TOXICITY."""
    events = [
        msgspec.structs.replace(
            one, features=msgspec.structs.replace(one.features, vpin_percentile=0.85)
        )
        if isinstance(one, Frame)
        else one
        for one in _calm(10)
    ]
    found = _bench(events)
    assert not found.entries
    assert ReasonCode.TOXICITY in found.codes()


def _seeded(fills: int, net_bp: float) -> QuoteProof:
    """Return a proof of so many fills that each left `net_bp` before the fee."""
    proof = QuoteProof()
    for _ in range(fills):
        proof.captured.push(net_bp)
        proof.adverse.push(0.0)
    return proof


def _proving(proof: QuoteProof, events: Sequence[Event], *, refuses: bool = True) -> QuoteBench:
    """Run with what was proven before, at a gate that enforces the strategy's own plan check."""
    log = _log(events)

    def verdict(signal: Signal) -> ReasonCode | None:
        return ReasonCode.EDGE if refuses and signal.plan_fault is not None else None

    strategy = build(InventoryNeutralMM, log)
    strategy.state.desks[BTC].proof = proof
    return QuoteBench(strategy, log, verdict=verdict).run(log.events)


def test_refused_quotes_prove_a_symbol_until_it_is_quoted() -> None:
    """At 198 fills all quotes carry the fault and are refused; two fills in thought promote it."""
    found = _proving(_seeded(198, 9.0), _calm(150, wick=_bounce))
    faults = [one.plan_fault for one in found.entries]
    assert faults[0] == PlanFault("fills", 198.0, 200.0)
    assert faults[-1] is None
    assert faults.index(None) == len([one for one in faults if one is not None])
    assert {one.sign for one in found.outcomes} <= {1, -1}
    assert found.outcomes


def test_a_symbol_that_stops_paying_is_withdrawn() -> None:
    """Mid that runs through the quotes turns a bare profit into a fault, and quoting ends."""
    events = _calm(260, path=lambda s: -0.6 * s, wick=lambda s: -9.0 if s % 30 == 10 else 0.0)
    found = _proving(_seeded(220, 2.3), events)
    faults = [one.plan_fault for one in found.entries]
    assert faults[0] is None
    last = faults[-1]
    assert last is not None
    assert (last.subject, last.number < 0.0, last.limit) == ("net of a fill", True, 0.0)
    assert not found.resting[BTC]


def test_where_nothing_is_enforced_the_fault_is_only_told() -> None:
    """Under observe the unproven symbol is quoted and filled, and its own fills are counted."""
    found = _proving(QuoteProof(), _calm(150, wick=_bounce), refuses=False)
    assert all(one.plan_fault is not None for one in found.entries)
    assert found.outcomes
    assert found.strategy.state.desks[BTC].proof.count >= len(found.outcomes)


def test_the_fill_of_a_quote_that_stood_is_counted() -> None:
    """Declared anew while its order stays at the venue, a quote's fill proves the symbol too."""
    log = _log(_calm(1))
    strategy = build(InventoryNeutralMM, log)
    state, desk = strategy.state, strategy.state.desks[BTC]
    desk.quote = _quoted(btc_perpetual(), PRICE, START)
    plan = Plan(sign=1, style=OrderStyle.POST_ONLY, limit=PRICE - 30.0)
    quote(state, desk, START, [plan])
    standing = desk.quotes[0].order_id
    quote(state, desk, START + SECOND, [plan])
    asked = desk.live[0].signal_id
    desk.proof.follow(desk.live, START + SECOND, 30 * SECOND)
    step(
        state,
        SignalWithdrawn(
            ts_event=START, ts_init=START + SECOND, signal_id=asked, instrument=BTC,
            strategy=strategy.name, side=Side.BUY, intent=Intent.QUOTE, stands=standing,
        ),
        strategy.parameters,
    )  # fmt: skip
    order = msgspec.structs.replace(order_request(strategy.name), client_order_id=standing)
    step(state, filled(order, at=START + 2 * SECOND), strategy.parameters)
    assert [one.sign for one in desk.proof.fills] == [1]


def test_the_proof_survives_a_restart() -> None:
    """A restored strategy goes on counting and says the same of its plans."""
    events = _calm(150, wick=_bounce)
    cut = len(events) - 300
    log = _log(events)
    strategy = build(InventoryNeutralMM, log)
    found = QuoteBench(strategy, log).run(events[:cut])
    twin = build(InventoryNeutralMM, log)
    twin.restore(found.strategy.snapshot())
    for one in (found.strategy, twin):
        for event in events[cut:]:
            if isinstance(event, InventoryNeutralMM.listens):
                one.handle(event)
    mine, other = (one.state.desks[BTC] for one in (found.strategy, twin))
    assert mine.proof.count > 0
    assert (other.proof, other.fault) == (mine.proof, mine.fault)


def test_the_invariants_hold() -> None:
    """InventoryNeutralMM passes the kit every strategy must pass."""
    check_strategy(InventoryNeutralMM, _log(_calm(45, wick=_bounce)))
