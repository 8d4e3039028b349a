"""The simulated market: several correlated perpetuals and their spot, as events.

A pure function of seed and kernel time, pulled second by second (or minute by minute as bars). Each
second draws from its own generator, seeded by (seed, second), so nothing but `MarketState` is
remembered. Trades lean with the move of their own half second, never with the next one.
"""

from __future__ import annotations

import math
from functools import lru_cache
from random import Random

import msgspec

from hean.core.events import (
    Bar,
    BookUpdate,
    Event,
    FundingRate,
    Liquidation,
    MarkPrice,
    Quote,
    SentimentReading,
    Side,
    Trade,
)
from hean.core.ids import digest_of
from hean.core.instruments import Instrument
from hean.core.synthetic.carry import Carry, CarryState
from hean.core.synthetic.ladder import Ladder, LadderState, grid
from hean.core.synthetic.moods import BP, Mood, Path, PathState

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
DAY_NS = 86_400 * SECOND_NS
_HOUR_NS = 3600 * SECOND_NS
_HALF_NS = SECOND_NS // 2
_FEED_DELAY_NS = 8_000_000
_FACTOR_SIGMA = 0.55 * BP
_BASIS_HALF_LIFE = 1800.0
_BASIS_SPREAD = 2.0 * BP
_BAR_STEPS = 4
_NEWS_SECONDS = 1800
_FORCED_OUT = 0.3
"""How likely in a second somebody is liquidated while price runs through where stops gather."""
_SOURCES = ("newswire", "social")


class Coin(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated coin: its two instruments and its habits.

    `sigma` is its own volatility per √second, `beta` its share of the common factor, `depth` the
    usual lots on the best level, `trades` the usual prints per second, `updates` how often a second
    its book is told: once or twice.
    """

    perpetual: Instrument
    spot: Instrument | None
    price: float
    sigma: float
    beta: float
    depth: int
    spread_ticks: int
    trades: float
    updates: int = 2


class CoinState(msgspec.Struct):
    """Everything one coin remembers."""

    path: PathState
    ladder: LadderState
    carry: CarryState
    basis: float = 0.0
    open_interest: float = 0.0
    day_level: float = 0.0
    recent: float = 0.0


class MarketState(msgspec.Struct):
    """Everything the market remembers between two pulls."""

    factor: PathState
    coins: list[CoinState]


class _CoinMarket:
    """One coin's processes, bound to its state."""

    def __init__(self, coin: Coin, state: CoinState) -> None:
        self.coin = coin
        self.state = state
        self.path = Path(coin.sigma, state.path)
        self.ladder = Ladder(coin.depth, coin.spread_ticks, state.ladder)
        self.carry = Carry(state=state.carry)
        self.tick = float(coin.perpetual.tick_size)
        self.lot = float(coin.perpetual.lot_step)

    @property
    def price(self) -> float:
        return math.exp(self.state.path.level)

    @property
    def index(self) -> float:
        return math.exp(self.state.path.level - self.state.basis)


class SimulatedMarket:
    """Makes the events of each second, or the bars of each minute, of all coins."""

    def __init__(self, coins: tuple[Coin, ...], seed: int) -> None:
        self.coins = coins
        self._seed = seed
        self._random = Random(0)
        self._bind(self._first_state())

    def _first_state(self) -> MarketState:
        coins = [
            CoinState(
                path=_path_at(math.log(coin.price)),
                ladder=LadderState(0, 0, [], []),
                carry=CarryState(),
                open_interest=round(2e8 / coin.price, 3),
                day_level=math.log(coin.price),
            )
            for coin in self.coins
        ]
        return MarketState(_path_at(0.0), coins)

    def _bind(self, state: MarketState) -> None:
        self.state = state
        self._factor = Path(_FACTOR_SIGMA, state.factor)
        self._markets = [
            _CoinMarket(coin, one) for coin, one in zip(self.coins, state.coins, strict=True)
        ]

    def restore(self, state: MarketState) -> None:
        """Go on from a remembered state."""
        self._bind(state)

    def minute(self, start_ns: int) -> list[Event]:
        """Return the bars that close a minute after `start_ns`, with marks, funding and mood."""
        random = self._seeded(start_ns, 1)
        close_ns = start_ns + MINUTE_NS
        events = self._settlements(start_ns) + self._sentiment(random, start_ns)
        ranges = [[one.price] * 4 for one in self._markets]
        for _ in range(_BAR_STEPS):
            shared = self._factor.step(random, 60.0 / _BAR_STEPS)
            for one, extent in zip(self._markets, ranges, strict=True):
                one.path.step(random, 60.0 / _BAR_STEPS, one.coin.beta * shared)
                self._move_basis(random, one, 60.0 / _BAR_STEPS)
                price = extent[3] = one.price
                if price > extent[1]:
                    extent[1] = price
                if price < extent[2]:
                    extent[2] = price
        for one, extent in zip(self._markets, ranges, strict=True):
            volume = one.coin.trades * 60.0 * one.coin.depth * one.lot * 0.1
            volume *= one.state.path.volume * (0.5 + random.random())
            events.append(_bar(one.coin.perpetual, extent, start_ns, close_ns, volume))
            if one.coin.spot is not None:
                shift = math.exp(-one.state.basis)
                spot = [value * shift for value in extent]
                events.append(_bar(one.coin.spot, spot, start_ns, close_ns, volume * 0.3))
            events.append(self._mark(one, close_ns))
            told = self._minute_of_funding(one, close_ns)
            if close_ns % _HOUR_NS == 0:
                events.extend(told)
        events.sort(key=_kernel_time)
        return events

    def second(self, start_ns: int) -> list[Event]:
        """Return the events of one second in time order."""
        random = self._seeded(start_ns, 2)
        events = self._settlements(start_ns)
        if start_ns % (_NEWS_SECONDS * SECOND_NS) == 0:
            events += self._sentiment(random, start_ns)
        whole = 0.0
        for half in range(2):
            shared = self._factor.step(random, 0.5)
            whole += shared
            for position, one in enumerate(self._markets):
                base = start_ns + half * _HALF_NS + position * 20_000_000
                if one.coin.updates == 2:
                    moved = one.path.step(random, 0.5, one.coin.beta * shared)
                    self._book(random, one, moved, 0.5, base, events)
                elif half == 1:
                    moved = one.path.step(random, 1.0, one.coin.beta * whole)
                    self._book(random, one, moved, 1.0, base, events)
                if half == 0 and one.coin.spot is not None:
                    self._move_basis(random, one, 1.0)
                    self._spot(random, one, base + 9_000_000, events)
        for position, one in enumerate(self._markets):
            at = start_ns + 980_000_000 + position * 1_000_000
            self._forced(random, one, at, events)
            events.append(self._mark(one, at))
            if (start_ns + SECOND_NS) % MINUTE_NS == 0:
                events.extend(self._minute_of_funding(one, at))
        events.sort(key=_kernel_time)
        return events

    def _seeded(self, start_ns: int, kind: int) -> Random:
        second = start_ns // SECOND_NS
        self._random.seed((self._seed * 4 + kind) * 10_000_000_000 + second)
        return self._random

    def _book(
        self,
        random: Random,
        one: _CoinMarket,
        moved: float,
        seconds: float,
        base: int,
        events: list[Event],
    ) -> None:
        coin, ladder = one.coin, one.ladder
        speed = abs(moved) / (one.coin.sigma + coin.beta * _FACTOR_SIGMA)
        stress = 1.0 + max(0.0, speed - 2.0)
        ladder.move_to(random, one.price / one.tick, stress)
        at = base + random.randrange(3_000_000)
        symbol = coin.perpetual.id
        bids, asks = ladder.image(one.tick, one.lot)
        events.append(
            BookUpdate(
                ts_event=at - _FEED_DELAY_NS, ts_init=at, instrument=symbol, bids=bids, asks=asks
            )
        )
        events.append(_quote(symbol, bids[0], asks[0], at))
        rate = seconds * coin.trades * one.state.path.volume * (0.5 + 0.5 * speed)
        lean = 0.5 + 0.35 * math.tanh(moved / coin.sigma)
        for _ in range(_poisson(random, min(rate, 20.0))):
            at += 1_000_000 + random.randrange(15_000_000)
            buy = random.random() < lean
            lots = max(1, round(coin.depth * 0.2 * random.expovariate(1.0)))
            ladder.take(buy=buy, lots=lots)
            events.append(
                Trade(
                    ts_event=at - _FEED_DELAY_NS,
                    ts_init=at,
                    instrument=symbol,
                    price=asks[0][0] if buy else bids[0][0],
                    quantity=grid(lots, one.lot),
                    taker_side=Side.BUY if buy else Side.SELL,
                )
            )

    def _spot(self, random: Random, one: _CoinMarket, at: int, events: list[Event]) -> None:
        spot = one.coin.spot
        assert spot is not None
        tick, lot = float(spot.tick_size), float(spot.lot_step)
        bid = math.floor(one.index / tick)
        size = one.coin.depth * one.lot * (0.2 + random.random())
        bid_level = (grid(bid, tick), grid(max(1, round(size / lot)), lot))
        ask_level = (grid(bid + 1, tick), grid(max(1, round(size * 0.9 / lot)), lot))
        events.append(_quote(spot.id, bid_level, ask_level, at))
        if random.random() < 0.5:
            buy = random.random() < 0.5
            events.append(
                Trade(
                    ts_event=at + 2_000_000 - _FEED_DELAY_NS,
                    ts_init=at + 2_000_000,
                    instrument=spot.id,
                    price=ask_level[0] if buy else bid_level[0],
                    quantity=grid(max(1, round(size * 0.1 / lot)), lot),
                    taker_side=Side.BUY if buy else Side.SELL,
                )
            )

    def _forced(self, random: Random, one: _CoinMarket, at: int, events: list[Event]) -> None:
        state = one.state
        state.recent = 0.93 * state.recent + 0.07 * 30.0 * state.path.last_return
        stretched = abs(state.recent) / (
            30.0**0.5 * (one.coin.sigma + one.coin.beta * _FACTOR_SIGMA)
        )
        chance = 0.05 * max(0.0, stretched - 1.5) + (_FORCED_OUT if state.path.forces else 0.0)
        if random.random() < chance:
            quantity = grid(max(1, round(one.coin.depth * random.expovariate(0.7))), one.lot)
            state.open_interest = max(1.0, state.open_interest - quantity)
            events.append(
                Liquidation(
                    ts_event=at - _FEED_DELAY_NS,
                    ts_init=at,
                    instrument=one.coin.perpetual.id,
                    side=Side.SELL if state.recent > 0 else Side.BUY,
                    price=grid(one.ladder.state.bid, one.tick),
                    quantity=quantity,
                )
            )
        else:
            state.open_interest *= 1.0 + 1e-6 * random.gauss(0.0, 1.0)

    def _move_basis(self, random: Random, one: _CoinMarket, seconds: float) -> None:
        decay, spread = _basis_step(seconds)
        path = one.state.path
        centre = 0.15 * path.drift * 3600.0 if path.mood is Mood.TREND else 0.0
        noise = spread * random.gauss(0.0, 1.0)
        one.state.basis = centre + (one.state.basis - centre) * decay + noise

    def _mark(self, one: _CoinMarket, at: int) -> MarkPrice:
        return MarkPrice(
            ts_event=at - _FEED_DELAY_NS,
            ts_init=at,
            instrument=one.coin.perpetual.id,
            mark=round(one.price, 6),
            index=round(one.index, 6),
            open_interest=round(one.state.open_interest, 3),
        )

    def _minute_of_funding(self, one: _CoinMarket, at: int) -> list[Event]:
        one.carry.add_minute(math.exp(one.state.basis) - 1.0)
        interval = one.carry.interval * SECOND_NS
        following = (at // interval + 1) * interval
        return [self._funding(one, at, round(one.carry.rate(), 8), following, settled=False)]

    def _settlements(self, start_ns: int) -> list[Event]:
        events: list[Event] = []
        for one in self._markets:
            interval = one.carry.interval * SECOND_NS
            if start_ns % interval == 0:
                rate = round(one.carry.settle(), 8)
                following = start_ns + interval
                events.append(self._funding(one, start_ns, rate, following, settled=True))
        return events

    def _funding(
        self, one: _CoinMarket, at: int, rate: float, following: int, *, settled: bool
    ) -> FundingRate:
        return FundingRate(
            ts_event=at,
            ts_init=at,
            instrument=one.coin.perpetual.id,
            rate=rate,
            next_funding_time=following,
            interval_ns=one.carry.interval * SECOND_NS,
            lower=one.coin.perpetual.funding_lower,
            upper=one.coin.perpetual.funding_upper,
            settled=settled,
        )

    def _sentiment(self, random: Random, start_ns: int) -> list[Event]:
        events: list[Event] = []
        lead = self._markets[0].state
        if start_ns % DAY_NS == 0:
            change = lead.path.level - lead.day_level
            for one in self._markets:
                one.state.day_level = one.state.path.level
            value = round(max(1.0, min(99.0, 50.0 + 900.0 * change + random.gauss(0.0, 12.0))))
            score = round((value - 50.0) / 50.0, 4)
            events.append(self._reading("fear_greed", score, 1.0, 1, start_ns, float(value)))
        if start_ns % (_NEWS_SECONDS * SECOND_NS) == 0:
            for source in _SOURCES:
                score = max(-1.0, min(1.0, random.gauss(0.0, 0.4)))
                confidence = round(random.uniform(0.4, 0.95), 3)
                count = 5 + random.randrange(30)
                events.append(
                    self._reading(source, round(score, 4), confidence, count, start_ns, None)
                )
        return events

    def _reading(
        self,
        source: str,
        score: float,
        confidence: float,
        count: int,
        at: int,
        value: float | None,
    ) -> SentimentReading:
        return SentimentReading(
            ts_event=at,
            ts_init=at,
            source=source,
            score=score,
            confidence=confidence,
            readings=count,
            content_hash=digest_of(source, self._seed, at),
            value=value,
        )


@lru_cache(maxsize=8)
def _basis_step(seconds: float) -> tuple[float, float]:
    decay = math.exp(-math.log(2.0) * seconds / _BASIS_HALF_LIFE)
    return decay, _BASIS_SPREAD * math.sqrt(1.0 - decay * decay)


def _path_at(level: float) -> PathState:
    return PathState(level=level, anchor=level, high=level, low=level)


def _kernel_time(event: Event) -> int:
    return event.ts_init


def _poisson(random: Random, mean: float) -> int:
    """Draw from a Poisson distribution by Knuth's product of uniforms."""
    bound, product, count = math.exp(-mean), random.random(), 0
    while product > bound:
        product *= random.random()
        count += 1
    return count


def _quote(symbol: str, bid: tuple[float, float], ask: tuple[float, float], at: int) -> Quote:
    return Quote(
        ts_event=at - _FEED_DELAY_NS,
        ts_init=at,
        instrument=symbol,
        bid=bid[0],
        ask=ask[0],
        bid_size=bid[1],
        ask_size=ask[1],
    )


def _bar(
    instrument: Instrument, extent: list[float], start_ns: int, close_ns: int, volume: float
) -> Bar:
    tick, lot = float(instrument.tick_size), float(instrument.lot_step)
    first, high, low, last = (grid(round(value / tick), tick) for value in extent)
    return Bar(
        ts_event=close_ns,
        ts_init=close_ns,
        instrument=instrument.id,
        open_time=start_ns,
        interval_ns=MINUTE_NS,
        open=first,
        high=high,
        low=low,
        close=last,
        volume=grid(max(1, round(volume / lot)), lot),
    )
