"""The built-in market as a feed: offline, seeded, endless.

Its clock starts on a fixed Monday noon UTC. First it plays its own past at full speed (minute bars,
then ticks) to warm the features, then it goes on for as long as it is pulled.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from hean.app.feeds import FeedDescription
from hean.app.feeds.settings import SimSettings
from hean.core.events import Event, Need, decode, encode
from hean.core.instruments import Instrument, InstrumentKind
from hean.core.snapshot import pack, unpack
from hean.core.synthetic.market import MINUTE_NS, SECOND_NS, Coin, MarketState, SimulatedMarket

START_NS: Final = 1_704_110_400_000_000_000
"""2024-01-01 12:00 UTC, a Monday: where the part that is traded begins."""

_BP = 1e-4
_PERPETUAL_NEEDS = (
    Need.QUOTES,
    Need.TRADES,
    Need.DEPTH,
    Need.FUNDING,
    Need.INDEX,
    Need.LIQUIDATIONS,
    Need.BARS,
)
_SPOT_NEEDS = (Need.QUOTES, Need.TRADES, Need.SPOT, Need.BARS)


def _instrument(
    coin: str, kind: InstrumentKind, tick: str, lot: str, minimum: str, largest: str
) -> Instrument:
    perpetual = kind is InstrumentKind.LINEAR_PERPETUAL
    return Instrument(
        id=f"{coin}USDT-{'PERP' if perpetual else 'SPOT'}.BYBIT",
        symbol=f"{coin}USDT",
        kind=kind,
        base=coin,
        quote="USDT",
        tick_size=Decimal(tick),
        lot_step=Decimal(lot),
        min_quantity=Decimal(minimum),
        max_quantity=Decimal(largest),
        max_market_quantity=Decimal(largest) / 10,
        min_notional=Decimal(5),
        max_leverage=Decimal(100 if perpetual else 1),
        maker_fee=Decimal("0.0002" if perpetual else "0.001"),
        taker_fee=Decimal("0.00055" if perpetual else "0.001"),
        funding_interval_ns=8 * 3600 * SECOND_NS if perpetual else 0,
        funding_lower=-0.00375 if perpetual else None,
        funding_upper=0.00375 if perpetual else None,
        borrowable=False,
    )


_PERP, _SPOT = InstrumentKind.LINEAR_PERPETUAL, InstrumentKind.SPOT
COINS: Final = (
    Coin(
        perpetual=_instrument("BTC", _PERP, "0.1", "0.001", "0.001", "1500"),
        spot=_instrument("BTC", _SPOT, "0.1", "0.000001", "0.000001", "230"),
        price=43_000.0,
        sigma=0.35 * _BP,
        beta=1.0,
        depth=2500,
        spread_ticks=1,
        trades=2.0,
    ),
    Coin(
        perpetual=_instrument("ETH", _PERP, "0.01", "0.01", "0.01", "10000"),
        spot=_instrument("ETH", _SPOT, "0.01", "0.00001", "0.00001", "8118"),
        price=2_300.0,
        sigma=0.5 * _BP,
        beta=1.1,
        depth=4000,
        spread_ticks=1,
        trades=1.5,
    ),
    Coin(
        perpetual=_instrument("SOL", _PERP, "0.01", "0.1", "0.1", "79770"),
        spot=_instrument("SOL", _SPOT, "0.01", "0.001", "0.001", "30000"),
        price=100.0,
        sigma=0.9 * _BP,
        beta=1.3,
        depth=3000,
        spread_ticks=1,
        trades=1.0,
        updates=1,
    ),
    Coin(
        perpetual=_instrument("XRP", _PERP, "0.0001", "0.1", "0.1", "1500000"),
        spot=None,
        price=0.62,
        sigma=0.8 * _BP,
        beta=0.9,
        depth=60_000,
        spread_ticks=1,
        trades=0.7,
        updates=1,
    ),
)
"""Price grids and limits as Bybit states them, entry-tier fees."""


class _Cursor(msgspec.Struct, frozen=True):
    next_ns: int
    market: MarketState
    pending: list[bytes]


class SimFeed:
    """Pulls the simulated market; the same seed and settings give the same events anywhere."""

    def __init__(self, *, seed: int, section: SimSettings, coins: tuple[Coin, ...] = COINS) -> None:
        self._market = SimulatedMarket(coins, seed)
        ticks_ns = round(section.history_tick_hours * 3600) * SECOND_NS
        days_ns = round(section.history_days * 1440) * MINUTE_NS
        self._ticks_from = START_NS - ticks_ns
        self._next = min(START_NS - days_ns, self._ticks_from)
        self._pending: list[Event] = []
        self._position = 0
        self._description = self._describe(coins)

    def _describe(self, coins: tuple[Coin, ...]) -> FeedDescription:
        instruments: list[Instrument] = []
        carries: dict[str, tuple[Need, ...]] = {"": (Need.SENTIMENT,)}
        for coin in coins:
            instruments.append(coin.perpetual)
            carries[coin.perpetual.id] = _PERPETUAL_NEEDS
            if coin.spot is not None:
                instruments.append(coin.spot)
                carries[coin.spot.id] = _SPOT_NEEDS
        return FeedDescription(
            name="sim",
            instruments=tuple(instruments),
            carries=carries,
            first=self._next,
            last=None,
            bar_intervals={one.id: MINUTE_NS for one in instruments},
            ticks_from=self._ticks_from,
            history_until=START_NS,
            notes=("simulated market: prices, depth, funding and moods are drawn, not recorded",),
        )

    @property
    def description(self) -> FeedDescription:
        return self._description

    def events(self) -> Iterator[Event]:
        """Yield events for ever, from the cursor on."""
        while True:
            while self._position < len(self._pending):
                self._position += 1
                yield self._pending[self._position - 1]
            self._pull()

    def _pull(self) -> None:
        if self._next < self._ticks_from:
            self._pending = self._market.minute(self._next)
            self._next += MINUTE_NS
        else:
            self._pending = self._market.second(self._next)
            self._next += SECOND_NS
        self._position = 0

    def snapshot(self) -> bytes:
        """Return the cursor: the market's state and the events not yet handed out."""
        rest = [encode(event) for event in self._pending[self._position :]]
        return pack("sim", 1, _Cursor(self._next, self._market.state, rest))

    def restore(self, state: bytes) -> None:
        """Go on behind the last event handed out when `state` was taken."""
        cursor = unpack(state, "sim", 1, _Cursor)
        self._next = cursor.next_ns
        self._market.restore(cursor.market)
        self._pending = [decode(data) for data in cursor.pending]
        self._position = 0
