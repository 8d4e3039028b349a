"""One log made into another: mirrored, scaled, of one regime, a week later, at other fees.

What holds of a strategy on a log must hold in a stated way on each of these; `testing` asks it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from hean.core.events import (
    Bar,
    BookUpdate,
    Event,
    Frame,
    FundingRate,
    Liquidation,
    MarkPrice,
    Quote,
    Regime,
    RegimeChanged,
    SentimentReading,
    Trade,
)
from hean.core.instruments import Instrument
from hean.strategies.bench import Log

WEEK_NS = 7 * 86_400 * 1_000_000_000
_FLIPPED = (
    "zeta_60", "zeta_300", "zeta_900", "zeta_3600", "zeta_14400",
    "ofi_1", "ofi_5", "ofi_10", "ofi_30", "ofi_levels_10",
    "micro_bp", "cvd", "trade_imbalance_10", "trade_imbalance_30",
    "funding_now_cast", "basis_bp", "basis_mean_bp",
)  # fmt: skip
_PRICES = ("vwap_60", "vwap_900", "vwap_3600")
_FLIPPED_WORDS = {
    "water_bull": "water_bear", "water_bear": "water_bull", "markup": "markdown",
    "markdown": "markup", "accumulation": "distribution", "distribution": "accumulation",
}  # fmt: skip


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


def dearer_log(log: Log, extra_bp: float) -> Log:
    """Return the log with every fee raised by so much; rebates become fees first."""
    more = Decimal(repr(extra_bp)) / 10_000
    instruments = tuple(
        msgspec.structs.replace(
            one, maker_fee=abs(one.maker_fee) + more, taker_fee=one.taker_fee + more
        )
        for one in log.instruments
    )
    return msgspec.structs.replace(log, instruments=instruments)


def later_log(log: Log) -> Log:
    """Return the log as it would have been a week later, to the nanosecond."""
    return msgspec.structs.replace(log, events=[_later(event) for event in log.events])


def _later(event: Event) -> Event:
    swap, week = msgspec.structs.replace, WEEK_NS
    moved = swap(event, ts_event=event.ts_event + week, ts_init=event.ts_init + week)
    match moved:
        case Bar():
            return swap(moved, open_time=moved.open_time + week)
        case FundingRate() if moved.next_funding_time:
            return swap(moved, next_funding_time=moved.next_funding_time + week)
        case Frame():
            return swap(moved, second=moved.second + week // 1_000_000_000)
        case SentimentReading() | _:
            return moved


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


def scaled_log(log: Log, factor: float) -> Log:
    """Return the log with every price and tick multiplied."""
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


def log_in_regime(log: Log, regime: Regime) -> Log:
    """Return the log in one regime from its first moment to its last."""
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
