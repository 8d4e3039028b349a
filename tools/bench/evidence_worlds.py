"""The markets of `evidence.py`: for each strategy a walk without edge, and one with edge planted.

A world gives the events of a seed. Tick worlds share one warm-up, in which nothing is traded and
after which each seed goes its own way; bar worlds warm up inside the seed. Every market is made by
`hean.core.synthetic`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

import msgspec
import numpy as np

from hean.app.feeds import FeedDescription
from hean.core.events import Event, Heartbeat, Liquidation, Need, Side
from hean.core.instruments import Instrument
from hean.core.synthetic.links import (
    linked_pair,
    mark_log,
    news_log,
    premium_of,
    settlement_log,
    spiked,
)
from hean.core.synthetic.paths import bar_log, merged, reversion, walk
from hean.core.synthetic.shapes import bursts, flow_driven, moments, pokes, stochastic, wicks
from hean.core.synthetic.tape import Second, seconds_of, tick_log
from hean.core.testing import HOUR, MINUTE, SECOND, START, btc_perpetual, btc_spot, eth_perpetual

MORNING = START + 7 * HOUR
"""Where ticks begin: a warm-up later it is day, when every strategy may trade."""
TICKS = (Need.QUOTES, Need.TRADES, Need.DEPTH, Need.LIQUIDATIONS)
BARS = (Need.QUOTES, Need.BARS)
PRICE = 60_000.0
DAY_AND_MORE = 90_000
"""Seconds after which volatility knows its own percentile."""
SIGMA_BP = 0.9
"""Volatility of a second: 50 % a year."""
Make = Callable[[int], list[Event]]


@dataclass(frozen=True)
class World:
    """What a strategy is shown: `warm` once, then `make(seed)`, which goes on at its end."""

    description: FeedDescription
    make: Make
    warm: tuple[Event, ...] = ()
    seeds: float = 1.0
    """Share of the seeds asked for; below 1 where one seed is long."""


@dataclass(frozen=True)
class Case:
    """Both worlds of a strategy."""

    walk: Callable[[], World]
    planted: Callable[[], World]


Path = Callable[[int, int, float], list[Second]]
"""Seed, count and first price to the seconds of a path."""


def _ticks(
    path: Path,
    *,
    warm: int,
    seconds: int,
    rules: Instrument | None = None,
    spread_bp: float = 0.02,
    seeds: float = 1.0,
    lean_times: float = 4.0,
    extra: Callable[[int, Sequence[Second], int], list[Event]] | None = None,
) -> World:
    """Return a world of ticks: `warm` seconds for all seeds, then `seconds` of each."""
    one = rules or btc_perpetual()

    def log(seed: int, count: int, start: float, begin: int) -> list[Event]:
        made = path(seed, count, start)
        ticks = tick_log(
            one, made, begin=begin + 600_000_000, seed=seed, spread_bp=spread_bp,
            lean_times=lean_times,
        )  # fmt: skip
        return ticks if extra is None else merged(ticks, extra(seed, made, begin))

    before = path(1_000_003, warm, PRICE)
    warmed = log(1_000_003, warm, PRICE, MORNING)
    last, end = before[-1].price, MORNING + warm * SECOND
    return World(
        description=FeedDescription(
            name="ticks",
            instruments=(one,),
            carries={one.id: TICKS},
            first=MORNING,
            last=None,
            ticks_from=MORNING,
            history_until=end,
        ),
        warm=tuple(warmed),
        make=lambda seed: log(seed, seconds, last, end),
        seeds=seeds,
    )


def _walking(seed: int, count: int, start: float) -> list[Second]:
    return seconds_of(walk(seed, count, start=start, sigma_bp=SIGMA_BP))


def _wandering(seed: int, count: int, start: float) -> list[Second]:
    return stochastic(seed, count, start=start, sigma_bp=SIGMA_BP)


def _stormy(seed: int, count: int, start: float) -> list[Second]:
    return stochastic(seed, count, start=start, sigma_bp=3.0, half_life=20.0, spread=1.2)


def _bars(
    instruments: Sequence[Instrument],
    prices: Callable[[int], Sequence[Sequence[float]]],
    *,
    minutes: int,
    sigma_bp: float,
    more: Callable[[int, Sequence[Sequence[float]]], list[Event]] | None = None,
    funding: bool = False,
    news: bool = False,
    seeds: float = 1.0,
) -> World:
    """Return a world of bars whose highs and lows are a Brownian bridge's."""
    interval = minutes * MINUTE
    here = (*BARS, Need.FUNDING) if funding else BARS
    carries: dict[str, tuple[Need, ...]] = {one.id: here for one in instruments}
    if news:
        carries[""] = (Need.SENTIMENT,)

    def make(seed: int) -> list[Event]:
        paths = prices(seed)
        logs = [
            bar_log(
                one.id, path, begin=START, interval=interval, bridge_bp=sigma_bp, seed=seed + place
            )
            for place, (one, path) in enumerate(zip(instruments, paths, strict=True))
        ]
        events = merged(*logs, [] if more is None else more(seed, paths))
        return [event for event in events if not isinstance(event, Heartbeat)]

    return World(
        description=FeedDescription(
            name="bars",
            instruments=tuple(instruments),
            carries=carries,
            first=START,
            last=None,
            bar_intervals={one.id: interval for one in instruments},
        ),
        make=make,
        seeds=seeds,
    )


def _of_bar(minutes: int) -> float:
    return SIGMA_BP * (60.0 * minutes) ** 0.5


def hf_scalping() -> Case:
    """Return walk; flow that persists for seconds."""

    def planted(seed: int, count: int, start: float) -> list[Second]:
        return flow_driven(seed, count, start=start, sigma_bp=5.0, drift_bp=4.5, half_life=8.0)

    return Case(
        lambda: _ticks(_walking, warm=4500, seconds=2700),
        lambda: _ticks(planted, warm=4500, seconds=18_000),
    )


def inventory_neutral_mm() -> Case:
    """Return walk; a mid that bounces inside a wide spread."""

    def planted(seed: int, count: int, start: float) -> list[Second]:
        path = reversion(seed, count, start=PRICE, half_life=15.0, sd_bp=11.0)
        return seconds_of(path)

    return Case(
        lambda: _ticks(_walking, warm=5400, seconds=1800),
        lambda: _ticks(planted, warm=5400, seconds=14_400, spread_bp=8.0, seeds=0.25),
    )


def rebate_farmer() -> Case:
    """Return wandering volatility; wicks of a second, with a rebate of 1 bp in both."""
    rules = btc_perpetual(maker_fee="-0.0001")

    def planted(seed: int, count: int, start: float) -> list[Second]:
        return wicks(seed, count, start=start, size_bp=170.0, every=1800.0)

    return Case(
        lambda: _ticks(_wandering, warm=DAY_AND_MORE, seconds=1800, rules=rules),
        lambda: _ticks(planted, warm=DAY_AND_MORE, seconds=240_000, rules=rules, seeds=0.02),
    )


def impulse_engine() -> Case:
    """Return stormy volatility; bursts that go on."""

    def planted(seed: int, count: int, start: float) -> list[Second]:
        return bursts(seed, count, start=start, size_bp=120.0, lasts=15, every=320.0, after_bp=30.0)

    return Case(
        lambda: _ticks(_stormy, warm=4500, seconds=3600),
        lambda: _ticks(planted, warm=4500, seconds=43_200, seeds=0.1),
    )


def liquidity_sweep() -> Case:
    """Return stormy volatility with liquidations; pokes that are reclaimed and turn."""
    return Case(
        lambda: _ticks(_stormy, warm=5400, seconds=3600, extra=_forced_out),
        lambda: _ticks(_poked(75.0), warm=5400, seconds=280_000, extra=_forced_out, seeds=0.02),
    )


def _poked(back_bp: float) -> Path:
    def path(seed: int, count: int, start: float) -> list[Second]:
        return pokes(seed, count, start=start, beyond_bp=18.0, back_bp=back_bp, every=1300.0)[0]

    return path


def _forced_out(_: int, seconds: Sequence[Second], begin: int) -> list[Event]:
    """Return liquidations in the seconds of high volume, on the side that is run over."""
    events: list[Event] = []
    for number, one in enumerate(seconds):
        at = begin + number * SECOND + 650_000_000
        if one.volume >= 5.0:
            side = Side.SELL if one.lean > 0.0 else Side.BUY
            size, price = 5.0, one.price
        elif number % 120 == 0:
            side, size, price = Side.SELL, 0.05, one.price
        else:
            continue
        events.append(
            Liquidation(
                ts_event=at, ts_init=at, instrument=btc_perpetual().id, side=side,
                price=round(price, 1), quantity=size,
            )
        )  # fmt: skip
    return events


def momentum_trader() -> Case:
    """Return walks of two coins; drifts that last for days."""
    rules = (btc_perpetual(), eth_perpetual())

    def walked(seed: int) -> list[list[float]]:
        return [
            walk(2 * seed + place, 45 * 96, start=PRICE / (1 + 19 * place), sigma_bp=_of_bar(15))
            for place in range(2)
        ]

    def planted(seed: int) -> list[list[float]]:
        return [
            _trending(2 * seed + place, 60 * 96, PRICE / (1 + 19 * place)) for place in range(2)
        ]

    return Case(
        lambda: _bars(rules, walked, minutes=15, sigma_bp=_of_bar(15)),
        lambda: _bars(rules, planted, minutes=15, sigma_bp=_of_bar(15), seeds=0.5),
    )


def _trending(seed: int, count: int, start: float) -> list[float]:
    """Return a walk whose drift of 8 bp a bar changes sign every two days or so."""
    draw = np.random.default_rng([seed, 8])
    path, sign, before = list[float](), 1.0 if draw.random() < 0.5 else -1.0, start
    turns = [*moments(seed, count, every=192.0, apart=96.0), count]
    for first, last in zip([0, *turns[:-1]], turns, strict=True):
        if last > first:
            part = walk(
                seed * 1000 + first, last - first, start=before,
                sigma_bp=_of_bar(15), drift_bp=8.0 * sign,
            )  # fmt: skip
            path += part
            before, sign = part[-1], -sign
    return path


def enhanced_grid() -> Case:
    """Return walk; reversion with a half-life of three minutes."""

    def planted(seed: int, count: int, start: float) -> list[Second]:
        return seconds_of(reversion(seed, count, start=PRICE, half_life=180.0, sd_bp=25.0))

    return Case(
        lambda: _ticks(_walking, warm=DAY_AND_MORE, seconds=3600),
        lambda: _ticks(planted, warm=DAY_AND_MORE, seconds=150_000, seeds=0.03),
    )


def funding_harvester() -> Case:
    """Return payments that are over once seen; payments that last. Both hourly."""
    hourly = msgspec.structs.replace(btc_perpetual(), funding_interval_ns=HOUR)
    rules = (hourly, btc_spot(borrowable=True))
    count = 24 * 96

    def prices(seed: int) -> list[list[float]]:
        spot = walk(seed, count, start=PRICE, sigma_bp=_of_bar(15))
        basis = spiked(seed, count, noise_bp=3.0, spikes=(), size_bp=0.0, half_life=8.0)
        return [premium_of(spot, basis), spot]

    def world(rate_bp: float, lasts: int) -> World:
        """Longs pay for some stamps, then nobody for three or four.

        One side only: shorts of spot leave dust when they are covered, fees being taken in coin.
        """

        def more(seed: int, paths: Sequence[Sequence[float]]) -> list[Event]:
            draw = np.random.default_rng([seed, 9])
            rates = list[float]()
            while len(rates) < count // 4:
                quiet = 3 + int(2.0 * draw.random())
                rates += [*[rate_bp / 1e4] * lasts, *[0.0] * quiet]
            return merged(
                settlement_log(hourly.id, rates[: count // 4], begin=START, interval=HOUR),
                mark_log(hourly.id, paths[0], paths[1], begin=START, interval=15 * MINUTE),
            )

        return _bars(rules, prices, minutes=15, sigma_bp=_of_bar(15), more=more, funding=True)

    return Case(lambda: world(40.0, 1), lambda: world(40.0, 6))


def basis_arbitrage() -> Case:
    """Return a basis that walks; spikes that decay."""
    rules = (btc_perpetual(), btc_spot())

    def prices(days: int, size_bp: float) -> Callable[[int], list[list[float]]]:
        def made(seed: int) -> list[list[float]]:
            count = days * 288
            spot = walk(seed, count, start=PRICE, sigma_bp=_of_bar(5))
            if size_bp == 0.0:
                basis = [
                    1e4 * log(one) for one in walk(seed + 500_000, count, start=1.0, sigma_bp=20.0)
                ]
            else:
                spikes = moments(seed, count, every=48.0, apart=36.0, first=60.0)
                basis = spiked(
                    seed, count, noise_bp=4.0, spikes=spikes, size_bp=size_bp, half_life=4.0,
                    rise=1, two_sided=False,
                )  # fmt: skip
            return [premium_of(spot, basis), spot]

        return made

    def more(_: int, paths: Sequence[Sequence[float]]) -> list[Event]:
        return mark_log(rules[0].id, paths[0], paths[1], begin=START, interval=5 * MINUTE)

    def world(days: int, size_bp: float) -> World:
        return _bars(rules, prices(days, size_bp), minutes=5, sigma_bp=_of_bar(5), more=more)

    return Case(lambda: world(10, 0.0), lambda: world(14, 160.0))


def correlation_arb() -> Case:
    """Return a distance that walks; one that reverts."""
    rules = (btc_perpetual(), eth_perpetual())
    starts = (PRICE, 3_000.0)

    def linked(seed: int) -> Sequence[Sequence[float]]:
        return linked_pair(seed, 40 * 288, starts=starts, sigma_bp=40.0, half_life=6.0, sd_bp=70.0)

    def apart(seed: int) -> Sequence[Sequence[float]]:
        return linked_pair(
            seed, 12 * 288, starts=starts, sigma_bp=30.0, half_life=12.0, sd_bp=50.0,
            broken_from=0,
        )  # fmt: skip

    return Case(
        lambda: _bars(rules, apart, minutes=5, sigma_bp=30.0, funding=True),
        lambda: _bars(rules, linked, minutes=5, sigma_bp=40.0, funding=True, seeds=0.25),
    )


def sentiment_strategy() -> Case:
    """Return news that means nothing; news that knows three hours."""
    rules = (btc_perpetual(),)
    minutes, days = 15, 38
    count = days * 96

    def news(seed: int) -> tuple[list[int], list[float]]:
        draw = np.random.default_rng([seed, 10])
        places = moments(seed, count, every=28.0, apart=24.0, first=110.0)
        return places, [0.9 if draw.random() < 0.5 else -0.9 for _ in places]

    def more(seed: int, _: Sequence[Sequence[float]]) -> list[Event]:
        places, scores = news(seed)
        times = [START + place * minutes * MINUTE + MINUTE for place in places]
        return news_log(times, scores)

    def prices(drift_bp: float) -> Callable[[int], list[list[float]]]:
        def made(seed: int) -> list[list[float]]:
            places, scores = news(seed)
            path, before = list[float](), PRICE
            signs = [0.0] * count
            for place, score in zip(places, scores, strict=True):
                for at in range(place + 1, min(count, place + 13)):
                    signs[at] = 1.0 if score > 0.0 else -1.0
            steps = walk(seed, count, start=1.0, sigma_bp=_of_bar(minutes))
            last = 1.0
            for step, sign in zip(steps, signs, strict=True):
                before *= step / last * (1.0 + sign * drift_bp / 1e4)
                last = step
                path.append(before)
            return [path]

        return made

    def world(drift_bp: float) -> World:
        return _bars(
            rules,
            prices(drift_bp),
            minutes=minutes,
            sigma_bp=_of_bar(minutes),
            more=more,
            news=True,
        )

    return Case(lambda: world(0.0), lambda: world(8.0))


CASES: dict[str, Callable[[], Case]] = {
    one.__name__: one
    for one in (
        hf_scalping, inventory_neutral_mm, rebate_farmer, impulse_engine, liquidity_sweep,
        momentum_trader, enhanced_grid, funding_harvester, basis_arbitrage, correlation_arb,
        sentiment_strategy,
    )
}  # fmt: skip
