"""A risk system on which any sequence of things may happen, with a book kept beside it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hean.core.events.decision import OrderRequest
from hean.core.events.market import FeedGap, Side
from hean.core.events.portfolio import PositionChange, PositionChanged, PositionOpened
from hean.core.events.risk import KillSwitchReset
from hean.core.events.strategy import Intent, OrderStyle, Signal
from hean.core.events.system import OperatorCommand
from hean.core.events.venue import VenueStateChanged
from hean.core.testing import (
    BTC,
    ETH,
    SOL,
    accepted,
    cancelled,
    expired,
    filled,
    mark,
    position_closed,
    profile,
    rejected,
    signal,
    trade,
    unknown,
)
from hean.risk import RiskSettings, Sizer
from hean.risk.testing import RiskSystem

from .risk_book import Book, Key, Working

DAY = 86_400 * 10**9
NAMES = ("alpha", "beta", "gamma", "delta", "basis_arbitrage")
INSTRUMENTS = (BTC, ETH, SOL)
ENDS = {"reject": rejected, "cancel": cancelled, "expire": expired, "unknown": unknown}


class Player:
    """Lets things happen to a system and follows them in a book of its own."""

    def __init__(self, *, capital: int = 20_000, sizer: Sizer | None = None) -> None:
        self.capital = capital
        self.system = RiskSystem(
            profile("alpha", cluster="trend"),
            profile("beta", cluster="trend"),
            profile("gamma", carry=True),
            profile("delta"),
            profile("basis_arbitrage", carry=True),
            capital=str(capital),
            section=RiskSettings(max_positions=4, max_orders=6),
            sizer=sizer,
        )
        self.prices = {BTC: 60_000.0, ETH: 3_500.0, SOL: 200.0}
        self.book = Book(self.system)
        self.number = 0
        self.day = self.system.now // DAY
        self._seen = 0

    @property
    def equity(self) -> Decimal:
        """Equity as it was told last."""
        return self.system.risk.sentinel.state.equity

    def restart(self) -> None:
        """Go on in a system that knows the snapshots alone."""
        self.system = self.system.resumed()
        self.book.system = self.system
        self._seen = 0

    def follow(self) -> list[OrderRequest]:
        """Let the book follow what happened; return the entries minted since."""
        events, minted = self.system.recorder.events, list[OrderRequest]()
        for event in events[self._seen :]:
            self.book.take(event)
            if isinstance(event, OrderRequest) and self.book.orders[event.client_order_id].is_entry:
                minted.append(event)
        self._seen = len(events)
        return minted

    def ask(
        self, kind: str, strategy: str, instrument: str, side: Side, *, stop: float, scale: float
    ) -> list[Signal]:
        """Publish an opening, a pair of legs or a pair of quotes in one dispatch."""
        self.number += 1
        second = {BTC: ETH, ETH: SOL, SOL: BTC}[instrument]
        intent = {"open": Intent.OPEN, "pair": Intent.LEG, "quotes": Intent.QUOTE}[kind]
        legs = [(instrument, side)]
        if kind != "open":
            legs.append((instrument if kind == "quotes" else second, side.opposite))
        found: list[Signal] = []
        for leg, (where, which) in enumerate(legs):
            price = self.prices[where]
            one = signal(
                strategy, which, number=10 * self.number + leg, intent=intent,
                style=OrderStyle.POST_ONLY if kind == "quotes" else OrderStyle.LIMIT_IOC,
                limit=price, stop=price * (1 - stop * which.sign), targets=(), scale=scale,
                group=f"{kind} {self.number}" if len(legs) > 1 else "", leg=leg, legs=len(legs),
                instrument=where, at=self.system.now,
            )  # fmt: skip
            found.append(msgspec.structs.replace(one, group_stop_bp=stop * 1e4))
        self._publish(found)
        return found

    def leave(self, strategy: str, instrument: str, scale: float | None) -> Signal:
        """Publish a CLOSE, or a REDUCE of a share."""
        self.number += 1
        one = signal(
            strategy, number=10 * self.number, style=OrderStyle.MARKET, limit=None,
            intent=Intent.CLOSE if scale is None else Intent.REDUCE,
            scale=1.0 if scale is None else scale, instrument=instrument, at=self.system.now,
        )  # fmt: skip
        self._publish([one])
        return one

    def pull(self, strategy: str, instrument: str) -> Signal:
        """Pull the quotes."""
        self.number += 1
        one = signal(
            strategy, number=10 * self.number, intent=Intent.QUOTE, style=OrderStyle.POST_ONLY,
            legs=0, instrument=instrument, at=self.system.now,
        )  # fmt: skip
        self._publish([one])
        return one

    def _publish(self, signals: list[Signal]) -> None:
        for one in signals:
            self.system.bus.publish(one)
        self.system.bus.settle()

    def working(self, number: int) -> Working | None:
        """Return one of the working orders, whatever the number."""
        found = list(self.book.orders.values())
        return found[number % len(found)] if found else None

    def end(self, how: str, number: int) -> None:
        """End a working order without a fill, or lose sight of it."""
        order = self.working(number)
        if order is not None:
            self.system.take(ENDS[how](order.request, at=self.system.now))

    def fill(self, number: int, *, wholly: bool) -> None:
        """Fill a working order wholly or by half, and move the position it belongs to."""
        order = self.working(number)
        if order is None:
            return
        request, system = order.request, self.system
        step = system.view.instruments[request.instrument].lot_step
        part = order.remaining if wholly else order.remaining / 2 // step * step
        if not part:
            return
        price = request.price or Decimal(str(self.prices[request.instrument]))
        done = request.quantity - order.remaining
        system.take(
            accepted(request, at=system.now),
            filled(request, quantity=str(part), price=str(price), before=str(done), at=system.now),
        )
        self.follow()
        self._move_position(request, part, price)

    def _move_position(self, request: OrderRequest, part: Decimal, price: Decimal) -> None:
        key: Key = (request.strategy, request.instrument)
        held = self.book.positions.get(key)
        before = Decimal(0) if held is None else held.quantity
        after = before + part * request.side.sign
        share = request.risk * part / request.quantity
        if held is not None and (after == 0 or (after > 0) != (before > 0)):
            self._close(key)
            held = None
        if after == 0:
            return
        if held is None:
            self._open(request, after, price, share)
            return
        grows = abs(after) > abs(before)
        risk = held.risk + share if grows else held.risk * abs(after / before)
        now = self.system.now
        self.system.take(
            PositionChanged(
                ts_event=now, ts_init=now, strategy=key[0], instrument=key[1],
                change=PositionChange.FILL,
                quantity=after, entry_price=price if grows else held.entry, risk=risk,
                client_order_id=request.client_order_id,
            )
        )  # fmt: skip

    def _open(self, request: OrderRequest, after: Decimal, price: Decimal, risk: Decimal) -> None:
        now = self.system.now
        self.system.take(
            PositionOpened(
                ts_event=now, ts_init=now, strategy=request.strategy,
                instrument=request.instrument, quantity=after, entry_price=price, risk=risk,
                stop=request.protective_stop, client_order_id=request.client_order_id,
                fill_id=f"f{self.number}", group=request.group,
            )
        )  # fmt: skip

    def _close(self, key: Key, net: str = "1") -> None:
        self.system.take(position_closed(key[0], net=net, instrument=key[1], at=self.system.now))

    def lose(self, strategy: str) -> None:
        """End a position of five R lost."""
        self._close((strategy, BTC), net="-5")

    def price(self, instrument: str, move: float) -> None:
        """A second passes, one price moves, the venue is reconciled, the feed beats."""
        self.prices[instrument] = round(max(1.0, self.prices[instrument] * (1 + move)), 1)
        self.system.advance(1)
        self.tick()

    def tick(self) -> None:
        """Quote every instrument, reconcile and beat."""
        self.system.tick(*self.prices.values())
        self.system.reconcile()
        self.system.beat()

    def jump(self, instrument: str) -> None:
        """Print 7 % away; the mark follows."""
        price, now = self.prices[instrument] * 1.07, self.system.now
        self.system.take(mark(price, instrument=instrument, at=now))
        self.system.take(trade(price, instrument=instrument, at=now))
        self.system.take(mark(self.prices[instrument], instrument=instrument, at=now))

    def value(self, nav: float) -> None:
        """Report equity at a NAV."""
        system, day = self.system, self.system.now // DAY
        if day != self.day:
            self.day, system.day_start = day, system.nav
        system.equity(str(round(Decimal(str(nav)) * self.capital, 8)), nav=nav)

    def wallet(self) -> None:
        """Report a wallet that shows every margin."""
        held = Decimal(0)
        for key, one in self.book.positions.items():
            held += abs(one.quantity) * self.book.mark(key[1]) / 3
        for one in self.book.entries():
            held += one.value / 3
        self.system.wallet(str(max(Decimal(0), self.capital - held)))

    def connection(self, *, up: bool) -> None:
        """Lose the venue, or find it again."""
        now = self.system.now
        self.system.take(VenueStateChanged(ts_event=now, ts_init=now, connected=up))

    def gap(self, instrument: str) -> None:
        """Lose an instrument's feed."""
        now = self.system.now
        self.system.take(FeedGap(ts_event=now, ts_init=now, instrument=instrument, reason="lost"))

    def command(self, name: str) -> None:
        """Have the operator say something; a reset lowers the ledger's mark."""
        now, before = self.system.now, len(self.system.of(KillSwitchReset))
        self.system.take(
            OperatorCommand(
                ts_event=now, ts_init=now, command=name, operator="anna", reason="understood",
                arguments=(("account", "1"),),
            )
        )  # fmt: skip
        resets = self.system.of(KillSwitchReset)
        if len(resets) > before:
            self.system.high_water_mark = resets[-1].high_water_mark
            self.value(self.system.nav)
