"""The invariants every strategy passes, ours and others', in one line: `check_strategy(Mine, log)`.

Each check raises `StrategyError` with the first fact that breaks it; the names follow the table of
invariants (I1 ... I13). `trend_log` gives a bar log in which a trend follower should act.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from hean.core.errors import StrategyError
from hean.core.events import (
    Bar,
    BookUpdate,
    Event,
    Frame,
    FundingRate,
    Intent,
    Liquidation,
    MarkPrice,
    Need,
    Quote,
    ReasonCode,
    RefusedBy,
    Regime,
    RegimeChanged,
    Side,
    Signal,
    SignalRejected,
    Trade,
)
from hean.core.instruments import Instrument
from hean.core.synthetic.paths import bar_log, walk
from hean.core.testing import START, btc_perpetual
from hean.strategies.base import Strategy, StrategySection
from hean.strategies.bench import Bench, Log, build
from hean.strategies.pace import DAY_NS, SECOND_NS
from hean.strategies.quote_bench import QuoteBench

Kind = type[Strategy[Any, Any]]
_ENTRIES = (Intent.OPEN, Intent.LEG, Intent.QUOTE)
_FLIPPED = (
    "zeta_60", "zeta_300", "zeta_900", "zeta_3600", "zeta_14400",
    "ofi_1", "ofi_5", "ofi_10", "ofi_30", "ofi_levels_10",
    "micro_bp", "cvd", "trade_imbalance_10", "trade_imbalance_30", "funding_now_cast", "basis_bp", "basis_mean_bp",
)  # fmt: skip
_PRICES = ("vwap_60", "vwap_900", "vwap_3600")
_FLIPPED_WORDS = {
    "water_bull": "water_bear", "water_bear": "water_bull", "markup": "markdown",
    "markdown": "markup", "accumulation": "distribution", "distribution": "accumulation",
}  # fmt: skip
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
    """Check I1, I3 to I8, I10 and I13 on a log in which the strategy enters at least once.

    `mirror` False leaves out I5. Raises `StrategyError` naming the invariant that does not hold.
    """
    bench = _run(kind, log, section)
    _demand(bool(bench.entries), "log", f"{kind.row.strategy} never enters on this log")
    check_repeats(kind, log, bench, section)
    check_no_look_ahead(kind, log, bench, section)
    check_scale(kind, log, bench, section, price_scale)
    if mirror:
        check_mirror(kind, log, bench, section)
    check_pace(kind, bench)
    for need in kind.row.needs:
        check_lost_need(kind, log, bench, need, section)
    check_regimes(kind, log, section)
    check_restart(kind, log, bench, section)
    check_one_answer(bench)


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
    scaled = _run(kind, _scaled(log, factor), section)
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


def check_regimes(kind: Kind, log: Log, section: StrategySection | None = None) -> None:
    """I8: in each regime outside its row it opens nothing, and says REGIME."""
    for regime in Regime:
        if regime in kind.row.regimes:
            continue
        bench = _run(kind, _in_regime(log, regime), section)
        _demand(not bench.entries, "I8", f"it opens in {regime}")
        _demand(ReasonCode.REGIME in bench.codes(), "I8", f"it never says REGIME in {regime}")


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


def mirror_log(log: Log) -> Log:
    """Return the log with every price move, flow and rate turned round (price becomes c²/price)."""
    centres: dict[str, float] = {}
    for event in log.events:
        price = _price_of(event)
        if price is not None:
            centres.setdefault(event.instrument, price * price)  # type: ignore[attr-defined]
    borrowable = tuple(
        msgspec.structs.replace(one, borrowable=True) if one.is_spot else one
        for one in log.instruments
    )
    events = [_mirrored(event, centres) for event in log.events]
    return msgspec.structs.replace(log, events=events, instruments=borrowable)


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


def _price_of(event: Event) -> float | None:
    match event:
        case Quote():
            return (event.bid + event.ask) / 2.0
        case Bar():
            return event.close
        case Trade():
            return event.price
        case MarkPrice():
            return event.mark
        case _:
            return None


def _scaled_instrument(one: Instrument, factor: float) -> Instrument:
    tick = one.tick_size * Decimal(repr(factor))
    return msgspec.structs.replace(one, tick_size=tick)


def _scaled(log: Log, factor: float) -> Log:
    instruments = tuple(_scaled_instrument(one, factor) for one in log.instruments)
    events = [_scale(event, factor) for event in log.events]
    return msgspec.structs.replace(log, instruments=instruments, events=events)


def _scale(event: Event, k: float) -> Event:
    swap = msgspec.structs.replace
    match event:
        case Quote():
            return swap(event, bid=event.bid * k, ask=event.ask * k)
        case Trade() | Liquidation():
            return swap(event, price=event.price * k)
        case Bar():
            return swap(
                event, open=event.open * k, high=event.high * k, low=event.low * k,
                close=event.close * k,
            )  # fmt: skip
        case MarkPrice():
            index = None if event.index is None else event.index * k
            return swap(event, mark=event.mark * k, index=index)
        case BookUpdate():
            bids = tuple((price * k, size) for price, size in event.bids)
            asks = tuple((price * k, size) for price, size in event.asks)
            return swap(event, bids=bids, asks=asks)
        case Frame():
            names = (*_PRICES, "atr_60")
            changed = {name: getattr(event.features, name) * k for name in names}
            return swap(event, features=swap(event.features, **changed))
        case _:
            return event


def _mirrored(event: Event, centres: Mapping[str, float]) -> Event:
    swap = msgspec.structs.replace
    centre = centres.get(getattr(event, "instrument", ""), 1.0)
    match event:
        case Quote():
            return swap(
                event, bid=centre / event.ask, ask=centre / event.bid,
                bid_size=event.ask_size, ask_size=event.bid_size,
            )  # fmt: skip
        case Trade() | Liquidation():
            return _flipped_print(event, centre)
        case Bar():
            return swap(
                event, open=centre / event.open, high=centre / event.low,
                low=centre / event.high, close=centre / event.close,
            )  # fmt: skip
        case MarkPrice():
            index = None if event.index is None else centre / event.index
            return swap(event, mark=centre / event.mark, index=index)
        case FundingRate():
            lower = None if event.upper is None else -event.upper
            upper = None if event.lower is None else -event.lower
            return swap(event, rate=-event.rate, lower=lower, upper=upper)
        case BookUpdate():
            bids = tuple((centre / price, size) for price, size in event.asks)
            asks = tuple((centre / price, size) for price, size in event.bids)
            return swap(event, bids=bids, asks=asks)
        case Frame():
            return _flipped_frame(event, centre)
        case RegimeChanged():
            phase = event.phase and type(event.phase)(_FLIPPED_WORDS.get(event.phase, event.phase))
            cycle = event.cycle and type(event.cycle)(_FLIPPED_WORDS[event.cycle])
            return swap(event, phase=phase, cycle=cycle)
        case _:
            return event


def _flipped_print(event: Trade | Liquidation, centre: float) -> Event:
    swap = msgspec.structs.replace
    if isinstance(event, Liquidation):
        return swap(event, price=centre / event.price, side=event.side.opposite)
    return swap(
        event,
        price=centre / event.price,
        taker_side=event.taker_side.opposite,
        buy_volume=event.sell_volume,
        sell_volume=event.buy_volume,
    )


def _flipped_frame(event: Frame, centre: float) -> Frame:
    swap = msgspec.structs.replace
    features = event.features
    changed = {name: -getattr(features, name) for name in _FLIPPED}
    changed |= {name: centre / getattr(features, name) for name in _PRICES}
    return swap(
        event,
        return_e9=-event.return_e9,
        buy_lots=event.sell_lots,
        sell_lots=event.buy_lots,
        ofi=-event.ofi,
        features=swap(features, **changed),
    )


def _in_regime(log: Log, regime: Regime) -> Log:
    first: int = log.events[0].ts_init
    fixed: Sequence[Event] = [
        RegimeChanged(
            ts_event=first, ts_init=first, instrument=one.id, ready=True, regime=regime,
            phase=None, cycle=None, regime_confidence=1.0, phase_confidence=0.0,
            cycle_confidence=0.0, moved=("regime",),
        )
        for one in log.instruments
    ]  # fmt: skip
    rest = [event for event in log.events if not isinstance(event, RegimeChanged)]
    return msgspec.structs.replace(log, events=[*fixed, *rest])
