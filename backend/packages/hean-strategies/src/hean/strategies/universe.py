"""Which instruments a strategy runs on, given what the feed carries for each.

A strategy takes those of its own coins that the feed has; where it has none of them, it takes what
the feed has. Spot is the second leg of its perpetual, and traded alone only where the feed has no
perpetual of that coin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from hean.core.events import Need
from hean.core.features import MicroPriceTable
from hean.core.instruments import Instrument
from hean.strategies.pace import SECOND_NS
from hean.strategies.spec import SpecRow

_MINUTE_NS = 60 * SECOND_NS
_WORDS = {
    Need.QUOTES: "quotes",
    Need.TRADES: "trades",
    Need.DEPTH: "depth",
    Need.FUNDING: "funding rates",
    Need.INDEX: "an index price",
    Need.SPOT: "spot quotes",
    Need.LIQUIDATIONS: "liquidations",
    Need.SENTIMENT: "sentiment readings",
    Need.BARS: "bars",
}


class Market(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An instrument a strategy runs on: its rules, what the feed carries for it, its spot leg.

    `coarse` means bars only; `bar_ns` is the interval of the bars it will see. `spot` is empty
    where the feed has none. `micro_price` is the fitted table of this start, None without one.
    """

    instrument: str
    specification: Instrument
    carries: tuple[Need, ...]
    coarse: bool
    bar_ns: int
    spot: str = ""
    hedge: Instrument | None = None
    """The rules of the spot leg."""
    micro_price: MicroPriceTable | None = None

    def has(self, need: Need) -> bool:
        """Return whether the feed carries the need here."""
        return need in self.carries


class Assignment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The markets a strategy runs on, or the one sentence that says why it runs on none."""

    markets: tuple[Market, ...]
    cannot_run_because: str = ""


def market_of(
    instrument: Instrument,
    carries: Mapping[str, tuple[Need, ...]],
    instruments: Sequence[Instrument],
    bar_intervals: Mapping[str, int],
) -> Market:
    """Return what the feed offers on an instrument; derived needs (spot, bars, N) are added."""
    here = set(carries.get(instrument.id, ()))
    coarse = Need.BARS in here and not here & {Need.TRADES, Need.DEPTH}
    hedge = None if instrument.is_spot else _spot_of(instrument, carries, instruments)
    spot = "" if hedge is None else hedge.id
    if spot:
        here.add(Need.SPOT)
    else:
        here.discard(Need.SPOT)
    if Need.TRADES in here and Need.QUOTES in here:
        here.add(Need.BARS)
    if coarse:
        here.add(Need.QUOTES)
        if spot:
            here.add(Need.INDEX)
    here |= set(carries.get("", ())) & {Need.SENTIMENT}
    interval = bar_intervals.get(instrument.id, 0) if coarse else _MINUTE_NS
    return Market(
        instrument=instrument.id,
        specification=instrument,
        carries=tuple(need for need in Need if need in here),
        coarse=coarse,
        bar_ns=interval,
        spot=spot,
        hedge=hedge,
    )


def assign(
    row: SpecRow,
    symbols: Sequence[str],
    carries: Mapping[str, tuple[Need, ...]],
    instruments: Sequence[Instrument],
    bar_intervals: Mapping[str, int],
    *,
    at_least: int = 1,
) -> Assignment:
    """Return the markets of a strategy in the order of its coins; `at_least` many, or none."""
    tradable = _tradable(instruments)
    own = [one for coin in symbols for one in tradable if one.base == coin]
    candidates = [market_of(one, carries, instruments, bar_intervals) for one in (own or tradable)]
    if not candidates:
        return Assignment(markets=(), cannot_run_because="the feed has no instrument to trade")
    fitting = tuple(one for one in candidates if not _why_not(row, one))
    if len(fitting) >= at_least:
        return Assignment(markets=fitting)
    reason = next((_why_not(row, one) for one in candidates if _why_not(row, one)), "")
    if not reason:
        reason = f"it needs {at_least} instruments and the feed has {len(fitting)}"
    return Assignment(markets=(), cannot_run_because=reason)


def _tradable(instruments: Sequence[Instrument]) -> list[Instrument]:
    perpetuals = [one for one in instruments if not one.is_spot]
    with_perpetual = [one.base for one in perpetuals]
    alone = [one for one in instruments if one.is_spot and one.base not in with_perpetual]
    return [*perpetuals, *alone]


def _spot_of(
    instrument: Instrument,
    carries: Mapping[str, tuple[Need, ...]],
    instruments: Sequence[Instrument],
) -> Instrument | None:
    for one in instruments:
        if one.is_spot and one.base == instrument.base and one.quote == instrument.quote:
            there = carries.get(one.id, ())
            if Need.QUOTES in there or Need.BARS in there:
                return one
    return None


def _why_not(row: SpecRow, market: Market) -> str:
    spared = row.spared_on_bars if market.coarse else ()
    missing = [need for need in row.needs if not market.has(need) and need not in spared]
    if missing:
        names = ", ".join(f"{_WORDS[need]} ({need.value})" for need in missing)
        return f"it needs {names}, which the feed does not carry for {market.instrument}"
    if not market.coarse:
        return ""
    longest = row.max_bar_interval_seconds
    seconds = market.bar_ns // SECOND_NS
    if not longest:
        return f"it cannot run on bars alone, and the feed has only bars of {market.instrument}"
    if seconds <= 0 or seconds > longest:
        return f"it runs on bars up to {longest} s, those of {market.instrument} last {seconds} s"
    return ""
