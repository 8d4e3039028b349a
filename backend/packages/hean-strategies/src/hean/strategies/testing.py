"""The invariants every strategy passes, ours and others', in one line: `check_strategy(Mine, log)`.

Each check raises `StrategyError` with the first fact that breaks it; the names follow the table of
invariants. I11 and I12 need hundreds of seeds and a guard: `tools/bench/evidence.py` shows both.
I15 is a fact of the whole system. `trend_log` gives a bar log in which a trend follower should act.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from hean.core import edge
from hean.core.errors import StrategyError
from hean.core.events import (
    Bar,
    BookUpdate,
    Event,
    Frame,
    FundingRate,
    Heartbeat,
    Intent,
    MarkPrice,
    Need,
    Quote,
    ReasonCode,
    RefusedBy,
    Regime,
    Side,
    Signal,
    SignalRejected,
    Trade,
)
from hean.core.features import FrameBuilder, FrameRow
from hean.core.features.frame_batch import QuoteColumns, TradeColumns, frames_batch
from hean.core.synthetic.paths import bar_log, walk
from hean.core.testing import START, btc_perpetual
from hean.strategies.base import Strategy, StrategySection
from hean.strategies.bench import Bench, Log, build
from hean.strategies.log_twists import (
    WEEK_NS,
    dearer_log,
    later_log,
    log_in_regime,
    mirror_log,
    scaled_log,
)
from hean.strategies.pace import DAY_NS, SECOND_NS
from hean.strategies.quote_bench import QuoteBench

Kind = type[Strategy[Any, Any]]
_ENTRIES = (Intent.OPEN, Intent.LEG, Intent.QUOTE)
_BEFORE_PACE = ("DATA", "SESSION", "REGIME")
_UNHEDGED_NS = 2 * SECOND_NS
_SOURCE_OF: Mapping[Need, tuple[type[Event], ...]] = {
    Need.QUOTES: (Quote,),
    Need.TRADES: (Trade, Frame),
    Need.DEPTH: (BookUpdate,),
    Need.FUNDING: (FundingRate,),
    Need.INDEX: (MarkPrice,),
    Need.BARS: (Bar,),
}


def check_strategy(
    kind: Kind,
    log: Log,
    *,
    section: StrategySection | None = None,
    mirror: bool = True,
    price_scale: float = 8.0,
) -> None:
    """Check I1 to I10, I13 and I14 on a log in which the strategy enters at least once.

    `mirror` False leaves out I5; `price_scale` must keep a round ladder's grid where the strategy
    has one. Raises `StrategyError` naming the invariant that does not hold.
    """
    bench = _run(kind, log, section)
    _demand(bool(bench.entries), "log", f"{kind.row.strategy} never enters on this log")
    check_repeats(kind, log, bench, section)
    check_frames(log)
    check_no_look_ahead(kind, log, bench, section)
    check_scale(kind, log, bench, section, price_scale)
    if mirror:
        check_mirror(kind, log, bench, section)
    check_pace(kind, bench)
    check_time(kind, log, bench, section)
    for need in kind.row.needs:
        check_lost_need(kind, log, bench, need, section)
    check_exits(kind, log, bench, section)
    check_regimes(kind, log, section)
    check_fees(kind, log, section)
    check_restart(kind, log, bench, section)
    check_one_answer(bench)
    check_groups(kind, log, bench, section)


def trend_log(days: int = 8, minutes: int = 15, drift_bp: float = 4.0) -> Log:
    """Return bars of BTC that rise from 60,000 by `drift_bp` a bar, in steps of about 10 bp."""
    interval = minutes * 60 * SECOND_NS
    rules = btc_perpetual()
    count = days * DAY_NS // interval
    prices = walk(1, count, start=60_000.0, sigma_bp=10.0, drift_bp=drift_bp)
    return Log(
        instruments=(rules,),
        carries={rules.id: (Need.QUOTES, Need.BARS)},
        events=bar_log(rules.id, prices, begin=START, interval=interval, wick_bp=5.0),
        bar_intervals={rules.id: interval},
    )


def check_repeats(
    kind: Kind, log: Log, bench: Bench, section: StrategySection | None = None
) -> None:
    """I1: the same log gives the same words."""
    again = _run(kind, log, section)
    _demand(again.said == bench.said, "I1", "a second run of the same log said something else")


def check_frames(log: Log) -> None:
    """I2: the seconds that live features make of the log's ticks equal the batch form, bit by bit.

    What a strategy computes itself it must keep exact itself; a log without ticks passes.
    """
    for one in log.instruments:
        ticks = [
            event
            for event in log.events
            if isinstance(event, Quote | Trade) and event.instrument == one.id
        ]
        first = next((place for place, e in enumerate(ticks) if isinstance(e, Quote)), len(ticks))
        quotes = [event for event in ticks[first:] if isinstance(event, Quote)]
        trades = [event for event in ticks[first:] if isinstance(event, Trade)]
        if not trades or any(event.count > 1 for event in trades):
            continue
        tick, lot = 1.0 / float(one.tick_size), 1.0 / float(one.lot_step)
        live = _live_frames(ticks[first:], tick, lot)
        for name, column in frames_batch(*_columns(quotes, trades, tick, lot)).items():
            found = np.array([getattr(row, name) for row in live])
            _demand(np.array_equal(column, found), "I2", f"{name} of live frames and batch differ")


def check_no_look_ahead(
    kind: Kind, log: Log, bench: Bench, section: StrategySection | None = None
) -> None:
    """I3: cutting the log after an event leaves everything said up to it unchanged."""
    times = [one.ts_init for one in bench.entries]
    for at in (times[0], times[-1]):
        cut = [event for event in log.events if event.ts_init <= at]
        short = _run(kind, msgspec.structs.replace(log, events=cut), section)
        before = [one for one in bench.said if one.ts_init <= at]
        _demand(
            short.said[: len(before)] == before[: len(short.said)]
            and abs(len(short.said) - len(before)) <= 1,
            "I3",
            f"what was said up to {at} depends on what came later",
        )


def check_scale(
    kind: Kind,
    log: Log,
    bench: Bench,
    section: StrategySection | None = None,
    factor: float = 8.0,
) -> None:
    """I4: price and tick times a factor give the same signals at the same times."""
    scaled = _run(kind, scaled_log(log, factor), section)
    _demand(_shape(scaled) == _shape(bench), "I4", f"prices x {factor:g} change the signals")


def check_mirror(
    kind: Kind, log: Log, bench: Bench, section: StrategySection | None = None
) -> None:
    """I5: a mirrored log gives the same entries on the other side."""
    mirrored = _run(kind, mirror_log(log), section)
    flipped = sorted(
        (at, -sign, intent, place) for at, sign, intent, place in _entry_shape(mirrored)
    )
    _demand(flipped == _entry_shape(bench), "I5", "a mirrored log does not mirror the entries")


def check_pace(kind: Kind, bench: Bench) -> None:
    """I6: attempts keep the row's daily cap, counted by the UTC day of kernel time."""
    counts: dict[tuple[str, int], int] = {}
    for one in bench.entries:
        if one.leg == 0 and one.intent is not Intent.QUOTE:
            key = (one.instrument if kind.row.capped_per_symbol else "", one.ts_init // DAY_NS)
            counts[key] = counts.get(key, 0) + 1
    most = max(counts.values(), default=0)
    # the second order of one attempt is a signal too
    _demand(most <= 2 * kind.row.daily_cap, "I6", f"{most} attempts in one UTC day")


def check_time(kind: Kind, log: Log, bench: Bench, section: StrategySection | None = None) -> None:
    """I6: the same log a week later gives the same signals a week later: no clock but kernel time.

    A week keeps days, funding stamps and hours of the week where they were.
    """
    later = [
        (at - WEEK_NS, side, intent, instrument)
        for at, side, intent, instrument in _shape(_run(kind, later_log(log), section))
    ]
    _demand(later == _shape(bench), "I6", "a week later it signals otherwise")


def check_lost_need(
    kind: Kind, log: Log, bench: Bench, need: Need, section: StrategySection | None = None
) -> None:
    """I7: a need that dies bars entries from then on, and a position still finds its exit."""
    sources = _SOURCE_OF.get(need, ())
    opened = [one.ts_init for one in bench.entries]
    if not sources or len(opened) < 1:
        return
    died = opened[0] - 3600 * SECOND_NS
    kept = [e for e in log.events if e.ts_init < died or not isinstance(e, sources)]
    if need is Need.QUOTES:
        kept = [e for e in kept if e.ts_init < died or not isinstance(e, BookUpdate)]
    dead = _run(kind, msgspec.structs.replace(log, events=kept), section)
    late = [one for one in dead.entries if one.ts_init >= opened[0]]
    _demand(not late, "I7", f"it enters although {need.name.lower()} have died")


def check_exits(kind: Kind, log: Log, bench: Bench, section: StrategySection | None = None) -> None:
    """I7: what a strategy needs may die behind its entry, and the position still finds its exit.

    Looked at where the log goes on for longer than the row's time stop.
    """
    last: int = log.events[-1].ts_init
    held = [one for one in bench.outcomes if one.opened_at + _life_ns(kind) < last]
    if not held or kind.row.legs > 1:
        return
    opened = held[0].opened_at
    for need in kind.row.needs:
        sources = _SOURCE_OF.get(need, ())
        if need is Need.QUOTES or not sources:
            continue
        kept = [e for e in log.events if e.ts_init <= opened or not isinstance(e, sources)]
        dead = _run(kind, msgspec.structs.replace(log, events=kept), section)
        closed = [one for one in dead.outcomes if one.opened_at == opened]
        _demand(bool(closed), "I7", f"it never leaves once {need.name.lower()} have died")


def _life_ns(kind: Kind) -> int:
    return int(1.1 * kind.row.time_stop_seconds) * SECOND_NS + 60 * SECOND_NS


def check_regimes(kind: Kind, log: Log, section: StrategySection | None = None) -> None:
    """I8: in each regime outside its row it opens nothing, and says REGIME."""
    for regime in Regime:
        if regime in kind.row.regimes:
            continue
        bench = _run(kind, log_in_regime(log, regime), section)
        _demand(not bench.entries, "I8", f"it opens in {regime}")
        _demand(ReasonCode.REGIME in bench.codes(), "I8", f"it never says REGIME in {regime}")
        later = [one for one in bench.refusals if one.layer not in _BEFORE_PACE]
        if later:
            raise StrategyError(f"I8: it says {later[0].code} in {regime} before it looks at it")


def check_fees(kind: Kind, log: Log, section: StrategySection | None = None) -> None:
    """I9: raising every fee never adds an entry whose plan the guard lets through.

    Costs must come from the account's fees: what an entry claims to cost rises with them. What
    outcomes make of a cell's mode is the guard's own arithmetic, and can only fall with the net.
    Quotes are not counted: wider ones are renewed as often as they please.
    """
    passed: list[list[Signal]] = []
    for extra_bp in (0.0, 5.0, 25.0):
        bench = _run(kind, dearer_log(log, extra_bp), section)
        passed.append([one for one in bench.entries if not _has_fault(kind, one)])
    for fewer, more in pairwise(passed):
        taken = [
            len([one for one in few if one.intent is not Intent.QUOTE]) for few in (fewer, more)
        ]
        _demand(taken[1] <= taken[0], "I9", "higher fees let more entries through")
        for before, after in zip(fewer[:1], more[:1], strict=False):
            rises = after.cost_bp > before.cost_bp
            _demand(rises, "I9", f"its cost stays {before.cost_bp:g} bp when fees rise")


def _has_fault(kind: Kind, signal: Signal) -> bool:
    price, cost = signal.limit or 0.0, signal.cost_bp
    if kind.row.claims_edge and edge.check_claim(signal.expected_edge_bp, cost) is not None:
        return True
    if not kind.row.directional or not signal.stop or not price:
        return False
    target = abs(signal.targets[0] / price - 1.0) * 1e4 if signal.targets else None
    return edge.check_plan(abs(signal.stop / price - 1.0) * 1e4, target, cost) is not None


def check_restart(
    kind: Kind, log: Log, bench: Bench, section: StrategySection | None = None
) -> None:
    """I10: a snapshot restored into a fresh strategy at any point says the same afterwards."""
    events = list(log.events)
    for share in (3, 2):
        half = len(events) // share
        first = QuoteBench(build(kind, log, section), log)
        first.run(events[:half])
        fresh = build(kind, log, section)
        fresh.restore(first.strategy.snapshot())
        first.strategy = fresh
        first.run(events[half:])
        _demand(first.said == bench.said, "I10", f"a restart at event {half} changes the rest")


def check_one_answer(bench: Bench) -> None:
    """I13: every evaluation has an id of its own and gave exactly one signal or one refusal."""
    ids = [one.signal_id for one in bench.said if isinstance(one, Signal | SignalRejected)]
    _demand(len(ids) == len(set(ids)), "I13", "two answers share an evaluation's id")
    counted = bench.strategy.state.sequence
    _demand(len(ids) == counted, "I13", f"{counted} evaluations gave {len(ids)} answers")
    for one in bench.refusals:
        _demand(one.refused_by is RefusedBy.STRATEGY, "I13", "it refuses in the gate's name")
        _demand(bool(one.layer), "I13", "a refusal names no layer")


def check_groups(
    kind: Kind, log: Log, bench: Bench, section: StrategySection | None = None
) -> None:
    """I14: legs are published together, and one whose partner fails is left within 2 s.

    Where the log beats more rarely than that, by its second beat.
    """
    groups: dict[str, list[Signal]] = {}
    for one in bench.entries:
        if one.intent is Intent.LEG and one.legs > 1:
            groups.setdefault(one.group, []).append(one)
    for legs in groups.values():
        together = len({one.ts_init for one in legs}) == 1
        whole = [one.leg for one in legs] == list(range(legs[0].legs))
        _demand(together and whole, "I14", f"group {legs[0].group} is not whole when published")
    if not groups:
        return
    hedge = next(iter(groups.values()))[-1].instrument
    alone = QuoteBench(build(kind, log, section), log, unfillable=hedge)
    allowed, since = max(_UNHEDGED_NS, 2 * _longest_beat(log)), dict[str, int]()
    for event in log.events:
        alone.feed(event)
        held = list(alone.positions)
        for instrument in [*since]:
            if instrument not in held:
                del since[instrument]
        for instrument in held:
            began = since.setdefault(instrument, event.ts_init)
            waited = event.ts_init - began
            _demand(waited <= allowed, "I14", f"{instrument} is held alone for {waited} ns")


def _longest_beat(log: Log) -> int:
    """Return the longest time between two beats of the log."""
    beats = [event.ts_init for event in log.events if isinstance(event, Heartbeat)]
    return max((later - at for at, later in pairwise(beats)), default=0)


def _live_frames(ticks: list[Quote | Trade], tick: float, lot: float) -> list[FrameRow]:
    builder, rows = FrameBuilder(tick, lot), list[FrameRow]()
    builder.second = ticks[0].ts_init // SECOND_NS
    for event in ticks:
        while builder.second < event.ts_init // SECOND_NS:
            rows.append(builder.close())
        if isinstance(event, Quote):
            builder.add_quote(event)
        else:
            builder.add_trade(event)
    return rows


def _columns(
    quotes: list[Quote], trades: list[Trade], tick: float, lot: float
) -> tuple[QuoteColumns, TradeColumns]:
    def counted(values: list[float], per_unit: float) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.rint(np.array(values) * per_unit).astype(np.int64)

    return (
        QuoteColumns(
            np.array([one.ts_init for one in quotes]),
            counted([one.bid for one in quotes], tick),
            counted([one.ask for one in quotes], tick),
            counted([one.bid_size for one in quotes], lot),
            counted([one.ask_size for one in quotes], lot),
        ),
        TradeColumns(
            np.array([one.ts_init for one in trades]),
            counted([one.price for one in trades], tick),
            counted([one.quantity for one in trades], lot),
            np.array([int(one.taker_side is Side.BUY) for one in trades]),
        ),
    )


def _run(kind: Kind, log: Log, section: StrategySection | None) -> Bench:
    return QuoteBench(build(kind, log, section), log).run(log.events)


def _demand(holds: bool, invariant: str, sentence: str) -> None:
    if not holds:
        raise StrategyError(f"{invariant}: {sentence}")


def _shape(bench: Bench) -> list[tuple[int, Side, Intent, str]]:
    return [(one.ts_init, one.side, one.intent, one.instrument) for one in bench.signals]


def _entry_shape(bench: Bench) -> list[tuple[int, int, Intent, str]]:
    """Return when and which way it enters; the sides of a quote group come in no order."""
    return sorted(
        (one.ts_init, one.side.sign, one.intent, one.instrument)
        for one in bench.signals
        if one.intent in _ENTRIES and one.legs
    )
