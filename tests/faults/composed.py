"""A whole system on quotes a test makes, with a venue whose reports a test may tamper with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from hean.app.feeds import FeedDescription
from hean.app.reports import projection
from hean.app.settings import AppSettings
from hean.app.testing import settings_with
from hean.core.bus import Bus, Stage
from hean.core.events import (
    Event,
    Intent,
    MarkPrice,
    Need,
    OperatorCommand,
    OrderRequest,
    OrderStyle,
    Quote,
    Side,
    Signal,
    StrategyProfile,
    StrategyRegistered,
    Trade,
)
from hean.core.events.union import EVENT_TYPES
from hean.core.ids import signal_id
from hean.core.journal import MemoryJournal
from hean.core.snapshot import pack, unpack
from hean.core.testing import (
    BTC,
    BTC_SPOT,
    ETH,
    SECOND,
    SOL,
    START,
    btc_perpetual,
    btc_spot,
    eth_perpetual,
    profile,
)
from hean.core.testing import sol_perpetual as sol
from hean.main import TradingSystem

PRICES = {BTC: 60_000.0, ETH: 3_000.0, SOL: 150.0}
TICKS = {BTC: 0.1, ETH: 0.01, SOL: 0.01, BTC_SPOT: 0.01}
KNOWN = (btc_perpetual(), eth_perpetual(), sol(), btc_spot())
ALPHA_AND_BETA = (profile("alpha", cooldown=1.0), profile("beta", cooldown=1.0))
HALF_SECOND = SECOND // 2

Tamper = Callable[[int, Event], list[tuple[int, Event]]]
"""Says when which reports arrive instead of `event` at `due`."""


def as_told(due: int, event: Event) -> list[tuple[int, Event]]:
    """Tamper with nothing."""
    return [(due, event)]


class Silent:
    """Strategies that only exist: a test publishes their signals itself."""

    name = "strategies"

    def __init__(self, profiles: Sequence[StrategyProfile]) -> None:
        self.profiles = profiles
        self.strategies: tuple[Any, ...] = ()
        self.pending: list[Signal] = []

    def attach(self, bus: Bus) -> None:
        """Publish what a test has put down, all in the dispatch of one quote."""

        def publish(_: Quote) -> None:
            pending, self.pending = self.pending, []
            for one in pending:
                bus.publish(one)

        bus.subscribe(Quote, publish, stage=Stage.STRATEGIES, owner=self.name)

    def registered_events(self, ts: int) -> tuple[StrategyRegistered, ...]:
        """Announce every profile."""
        return tuple(
            StrategyRegistered(ts_event=ts, ts_init=ts, strategy=one.strategy, profile=one)
            for one in self.profiles
        )

    def status(self) -> dict[str, dict[str, str]]:
        """Have nothing to say."""
        return {}

    def snapshot(self) -> bytes:
        """Return nothing but the name."""
        return pack(self.name, 1, 0)

    def restore(self, state: bytes) -> None:
        """Take over nothing."""
        unpack(state, self.name, 1, int)


class Composed:
    """A system with strategies alpha and beta, three perpetuals, and quotes once a second.

    `profiles` and `prices`, which may hold spot pairs, replace them.
    """

    def __init__(
        self,
        tamper: Tamper = as_told,
        *,
        profiles: Sequence[StrategyProfile] = ALPHA_AND_BETA,
        prices: Mapping[str, float] = PRICES,
        **values: str,
    ) -> None:
        self.profiles = profiles
        self.settings: AppSettings = settings_with(
            **{
                "INITIAL_CAPITAL": "20000",
                "PORTFOLIO__AUTOPILOT_ENABLED": "false",
                "CASH_RESERVE_RATE": "0.2",
                **values,
            }
        )
        self.prices = dict(prices)
        self.spread, self.size = 1, 50.0
        self.system = self._build()
        self.tamper = tamper
        self._intercept()
        self.events: list[Event] = []
        self._sequence = 0
        self._listen()
        self.system.start()
        self.beat(3)

    def _build(self) -> TradingSystem:
        instruments = tuple(one for one in KNOWN if one.id in self.prices)
        self.silent = Silent(self.profiles)
        silent: Any = self.silent
        description = FeedDescription(
            name="made",
            instruments=instruments,
            carries={one.id: (Need.QUOTES, Need.TRADES) for one in instruments},
            first=START + SECOND,
            last=None,
            ticks_from=START + SECOND,
        )
        return TradingSystem(
            settings=self.settings,
            description=description,
            journal=MemoryJournal(),
            strategies=lambda _: silent,
        )

    def _listen(self) -> None:
        for kind in EVENT_TYPES:
            if kind not in (Quote, Trade, MarkPrice):
                self.system.bus.subscribe(
                    kind, self.events.append, stage=Stage.REPORTS, owner="witness"
                )

    def _intercept(self) -> None:
        reporter: Any = self.system.venue._reporter  # pyright: ignore[reportPrivateUsage]
        agenda = self.system.agenda

        def send(due: int, event: Event) -> None:
            for when, what in self.tamper(due, event):
                agenda.schedule(when, what)

        reporter._send = send

    def restart(self) -> None:
        """Go on in a new system from a snapshot of this one, as after a crash."""
        state = self.system.snapshot()
        self.system = self._build()
        self._intercept()
        self._listen()
        self.system.restore(state)

    def forget_all_but_the_venue(self) -> None:
        """Start anew where every memory but the venue's is lost."""
        state, before = self.system.snapshot(), self.system
        self.system = self._build()
        self._intercept()
        self._listen()
        self.system.kernel.restore(state[before.kernel.name])
        self.system.agenda.now = before.agenda.now
        self.system.venue.restore(state[before.venue.name])
        self.system.start()

    def beat(self, seconds: float = 1.0) -> None:
        """Let time pass, with a quote of every instrument each half second."""
        agenda = self.system.agenda
        until = agenda.now + round(seconds * SECOND)
        while agenda.now < until:
            at = min(until, agenda.now + HALF_SECOND)
            for instrument in self.prices:
                self.system.take(self.quote(instrument, at))

    def quote(self, instrument: str, at: int) -> Quote:
        """Return the present quote, `spread` ticks wide and of `size`."""
        price = self.prices[instrument]
        return Quote(
            ts_event=at,
            ts_init=at,
            instrument=instrument,
            bid=price,
            ask=price + self.spread * TICKS[instrument],
            bid_size=self.size,
            ask_size=self.size,
        )

    def move(self, instrument: str, price: float) -> None:
        """Move a price now."""
        self.prices[instrument] = price
        self.system.take(self.quote(instrument, self.system.agenda.now))

    def print_at(self, instrument: str, price: float, quantity: float, side: Side) -> None:
        """Trade in the market now."""
        now = self.system.agenda.now
        self.system.take(
            Trade(
                ts_event=now,
                ts_init=now,
                instrument=instrument,
                price=price,
                quantity=quantity,
                taker_side=side,
            )
        )

    def signal(
        self,
        instrument: str = BTC,
        side: Side = Side.BUY,
        intent: Intent = Intent.OPEN,
        *,
        strategy: str = "alpha",
        style: OrderStyle | None = None,
        limit: float | None = None,
        stop_share: float | None = 0.02,
        **more: Any,  # noqa: ANN401  (fields of Signal)
    ) -> Signal:
        """Build a signal at the present price; a taker unless told otherwise."""
        now, price = self.system.agenda.now, self.prices[instrument]
        leaving = intent in (Intent.CLOSE, Intent.REDUCE)
        chosen = style or (OrderStyle.MARKET if leaving else OrderStyle.LIMIT_IOC)
        if limit is None and chosen is OrderStyle.LIMIT_IOC:
            limit = price * (1 + 0.002 * side.sign)
        if limit is None and chosen is OrderStyle.POST_ONLY:
            limit = price if side is Side.BUY else price + TICKS[instrument]
        self._sequence += 1
        stop = None if leaving or stop_share is None else price * (1 - stop_share * side.sign)
        return Signal(
            ts_event=now,
            ts_init=now,
            signal_id=signal_id(strategy, instrument, now, self._sequence),
            strategy=strategy,
            instrument=instrument,
            side=side,
            intent=intent,
            style=chosen,
            limit=limit,
            stop=stop,
            ttl_ns=10 * SECOND,
            strength=1.0,
            confidence=1.0,
            expected_edge_bp=100.0,
            cost_bp=10.0,
            **more,
        )

    def take(self, *signals: Signal) -> None:
        """Publish signals, all in one dispatch."""
        self.silent.pending.extend(signals)
        self.system.take(self.quote(BTC, self.system.agenda.now))

    def command(self, name: str, **arguments: str) -> None:
        """Have the operator say something."""
        now = self.system.agenda.now
        self.system.take(
            OperatorCommand(
                ts_event=now,
                ts_init=now,
                command=name,
                operator="anna",
                reason="checked",
                arguments=tuple(sorted(arguments.items())),
            )
        )

    def of(self, kind: type[Any]) -> list[Any]:
        """Return what was published of a type, in order."""
        return [one for one in self.events if isinstance(one, kind)]

    def held(self, instrument: str = BTC, strategy: str = "alpha") -> Decimal:
        """Return what a strategy holds by the books."""
        found = self.system.portfolio.ledger.position(strategy, instrument)
        return Decimal(0) if found is None else found.quantity

    def at_venue(self, instrument: str = BTC) -> Decimal:
        """Return the venue's net position."""
        for one in self.system.venue.account().positions:
            if one.instrument == instrument:
                return one.quantity
        return Decimal(0)

    def check(self) -> None:
        """Assert what must hold at rest: books, slots, exposure and venue agree."""
        system = self.system
        ledger = system.portfolio.ledger
        for instrument in self.prices:
            held = Decimal(0)
            for one in ledger.positions():
                held += one.quantity if one.instrument == instrument else 0
            assert held == self.at_venue(instrument), instrument
        paid_for_coins = Decimal(0)
        for one in ledger.positions():
            if system.view.instruments[one.instrument].is_spot:
                paid_for_coins += one.cost
        assert ledger.wallet - paid_for_coins == system.venue.wallet().wallet
        balance = Decimal(0)
        for amount in ledger.balances().values():
            balance += amount
        assert balance == 0
        statistics = system.tracker.statistics()
        assert statistics.peak <= statistics.maximum
        assert system.dead_letters.statistics().parked == 0

    def check_flat(self) -> None:
        """Assert that nothing is held, works, or is reserved anywhere."""
        self.check()
        system = self.system
        assert not list(system.portfolio.ledger.positions())
        assert system.venue.account().positions == ()
        assert system.venue.account().orders == ()
        assert system.tracker.counts() == (0, 0, 0)
        exposure = system.risk.exposure
        assert not exposure.orders
        assert not exposure.holdings
        assert exposure.open_risk == exposure.gross == 0
        execution = system.execution
        assert not execution.orders
        assert not execution.legs
        assert not execution.closes
        assert not execution.stops.resting

    def order_rows(self) -> list[dict[str, Any]]:
        """Return the rows of `orders.parquet` as the events so far make them."""
        found: list[dict[str, Any]] = []
        orders = projection._Orders(found.append)  # pyright: ignore[reportPrivateUsage]
        for event in self.events:
            orders.take(event)
        orders.close()
        return found

    def requests(self) -> list[OrderRequest]:
        """Return what the gate minted, in order."""
        return self.of(OrderRequest)
