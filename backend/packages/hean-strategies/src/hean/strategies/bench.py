"""A bench for one strategy: it drives the pure step and plays a simple gate, venue and ledger.

Everything is accepted and filled by plain rules, so a test sees the strategy's logic alone. An IOC
or market order fills at the touch if its limit allows; a resting one when price trades through it;
the protective stop at its price; legs when their releasing leg fills. One unit each, no latency.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Self

import msgspec

from hean.core.bus import Bus
from hean.core.events import (
    Bar,
    Event,
    FundingRate,
    Intent,
    Liquidity,
    Need,
    OrderExpired,
    OrderFilled,
    OrderStyle,
    PositionChange,
    PositionChanged,
    PositionClosed,
    PositionOpened,
    Quote,
    ReasonCode,
    RefusedBy,
    Side,
    Signal,
    SignalRejected,
    SignalWithdrawn,
)
from hean.core.ids import client_order_id
from hean.core.instruments import Instrument
from hean.strategies.base import Strategy, StrategySection
from hean.strategies.bench_records import Outcome, Position
from hean.strategies.desk import OWN_EVENTS
from hean.strategies.universe import assign

Verdict = Callable[[Signal], ReasonCode | None]


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy is driven with: instruments, what the feed carries, and the events."""

    instruments: tuple[Instrument, ...]
    carries: Mapping[str, tuple[Need, ...]]
    events: Sequence[Event]
    bar_intervals: Mapping[str, int] = {}


def build(kind: type[Strategy[Any, Any]], log: Log, section: StrategySection | None = None) -> Any:  # noqa: ANN401 (the caller knows its own class)
    """Return the strategy on the markets of the log, attached to nothing."""
    own = section or kind.section_type()
    assignment = assign(
        kind.row,
        own.symbols or kind.row.universe,
        log.carries,
        log.instruments,
        log.bar_intervals,
        at_least=kind.at_least,
    )
    return kind(
        section=own,
        bus=Bus(),
        markets=assignment.markets,
        cannot_run_because=assignment.cannot_run_because,
    )


class Bench:
    """One strategy under test.

    `verdict` may refuse entries as the gate would; orders on `unfillable` never fill.
    """

    def __init__(
        self,
        strategy: Strategy[Any, Any],
        log: Log,
        *,
        verdict: Verdict | None = None,
        unfillable: str = "",
    ) -> None:
        self.strategy = strategy
        self.said: list[Event] = []
        self.outcomes: list[Outcome] = []
        self.positions: dict[str, Position] = {}
        self.working: dict[str, Signal] = {}
        self.quotes: dict[str, Quote] = {}
        self._rules = {one.id: one for one in log.instruments}
        self.verdict = verdict
        self._unfillable = unfillable
        self._waiting: dict[str, Signal] = {}
        self._keyed = frozenset(kind for kind in strategy.listens if kind.key_field == "instrument")
        self._fills = 0

    @property
    def signals(self) -> list[Signal]:
        return [one for one in self.said if isinstance(one, Signal)]

    @property
    def entries(self) -> list[Signal]:
        wanted = (Intent.OPEN, Intent.LEG)
        return [one for one in self.signals if one.intent in wanted]

    @property
    def refusals(self) -> list[SignalRejected]:
        return [one for one in self.said if isinstance(one, SignalRejected)]

    def codes(self) -> dict[ReasonCode, int]:
        """Return how often each code was the strategy's own answer."""
        counts: dict[ReasonCode, int] = {}
        for one in self.refusals:
            counts[one.code] = counts.get(one.code, 0) + 1
        return counts

    def run(self, events: Sequence[Event]) -> Self:
        """Feed events in order."""
        for event in events:
            self.feed(event)
        return self

    def feed(self, event: Event) -> None:
        """Give the venue, then the strategy, one market event; then play what follows."""
        now = event.ts_init
        self._expire(now)
        if isinstance(event, Quote):
            self.quotes[event.instrument] = event
            self._match(event.instrument, event.bid, event.ask, now)
        elif isinstance(event, Bar):
            self._match(event.instrument, event.low, event.high, now)
        elif isinstance(event, FundingRate) and event.settled:
            self._fund(event)
        self.tell(event)

    def tell(self, event: Event) -> None:
        """Hand the strategy an event it has subscribed to, and carry out what it says."""
        key = getattr(event, "instrument", None)
        if type(event) in self._keyed and key not in self.strategy.instruments:
            return
        if key is not None and type(event) in OWN_EVENTS and key not in self.strategy.instruments:
            return
        one = self.strategy
        one.state, outputs = one.step(one.state, event, one.parameters)
        self.said.extend(outputs)
        for output in outputs:
            if isinstance(output, Signal):
                self._decide(output)

    def _decide(self, signal: Signal) -> None:
        leaving = signal.intent in (Intent.CLOSE, Intent.REDUCE)
        code = self.verdict(signal) if self.verdict is not None and not leaving else None
        if code is not None:
            self.tell(self.refusal(signal, code))
        elif leaving:
            self._leave(signal)
        elif signal.release_leg >= 0:
            self._follow(signal)
        else:
            self._work(signal)

    def _follow(self, signal: Signal) -> None:
        """Hold a leg until its partner fills; what became of one that took is known already."""
        if any(one.group == signal.group for one in self.working.values()):
            self._waiting[signal.group] = signal
        elif any(one.signal.group == signal.group for one in self.positions.values()):
            self._work(signal)
        else:
            self.tell(self._expired(signal, signal.ts_init))

    @staticmethod
    def refusal(signal: Signal, code: ReasonCode) -> SignalRejected:
        """Return the gate's refusal of a signal."""
        return SignalRejected(
            ts_event=signal.ts_init,
            ts_init=signal.ts_init,
            signal_id=signal.signal_id,
            strategy=signal.strategy,
            instrument=signal.instrument,
            layer="TEST",
            code=code,
            refused_by=RefusedBy.GATE,
        )

    def _work(self, signal: Signal) -> None:
        quote = self.quotes.get(signal.instrument)
        if signal.style is OrderStyle.POST_ONLY:
            self.working[signal.instrument] = signal
            return
        price = self._taken(signal, quote)
        if price is None or signal.instrument == self._unfillable:
            self._end(signal, signal.ts_init)
        else:
            self._open(signal, price, signal.ts_init)

    @staticmethod
    def _taken(signal: Signal, quote: Quote | None) -> float | None:
        if quote is None:
            return None
        price = quote.ask if signal.side is Side.BUY else quote.bid
        if signal.limit is not None and (price - signal.limit) * signal.side.sign > 1e-9 * price:
            return None
        return price

    def _match(self, instrument: str, low: float, high: float, now: int) -> None:
        signal = self.working.get(instrument)
        if signal is not None and signal.limit is not None:
            through = high < signal.limit if signal.side is Side.BUY else low > signal.limit
            if low < high and signal.side is Side.BUY:
                through = low < signal.limit
            elif low < high:
                through = high > signal.limit
            if through and now > signal.ts_init and instrument != self._unfillable:
                del self.working[instrument]
                self._fill(signal, signal.limit, now)
        position = self.positions.get(instrument)
        if position is not None and position.stop is not None:
            reached = low if position.sign > 0 else high
            if (reached - position.stop) * position.sign <= 0.0 and now > position.opened_at:
                self._close(instrument, position.stop, now, "stop")

    def _fill(self, signal: Signal, price: float, now: int) -> None:
        if signal.intent is Intent.CLOSE:
            if signal.instrument in self.positions:
                self._close(signal.instrument, price, now, signal.reason, maker=True)
        else:
            self._open(signal, price, now)

    def _expire(self, now: int) -> None:
        for key in list(self.working):
            signal = self.working[key]
            due = signal.ts_init + signal.ttl_ns
            if signal.ttl_ns and due <= now:
                del self.working[key]
                self._end(signal, due)

    def _end(self, signal: Signal, at: int) -> None:
        released = self._waiting.pop(signal.group, None) if signal.group else None
        self.tell(self._expired(signal, at))
        if released is not None:
            self.tell(self._expired(released, at))

    @staticmethod
    def _expired(signal: Signal, at: int) -> OrderExpired:
        return OrderExpired(
            ts_event=at,
            ts_init=at,
            client_order_id=client_order_id(signal.signal_id),
            strategy=signal.strategy,
            instrument=signal.instrument,
            filled=Decimal(0),
        )

    def _report(self, signal: Signal, price: float, now: int, *, maker: bool) -> None:
        self._fills += 1
        size = Decimal(repr(max(signal.scale, 1e-6)))
        self.tell(
            OrderFilled(
                ts_event=now,
                ts_init=now,
                fill_id=f"f{self._fills}",
                client_order_id=client_order_id(signal.signal_id),
                strategy=signal.strategy,
                instrument=signal.instrument,
                side=signal.side,
                price=Decimal(repr(price)),
                quantity=size,
                fee=Decimal(0),
                liquidity=Liquidity.MAKER if maker else Liquidity.TAKER,
                filled=size,
                remaining=Decimal(0),
            )
        )

    def _open(self, signal: Signal, price: float, now: int) -> None:
        maker = signal.style is OrderStyle.POST_ONLY
        rules = self._rules[signal.instrument]
        self.positions[signal.instrument] = Position(
            sign=signal.side.sign,
            size=signal.scale,
            entry=price,
            opened_at=now,
            stop=signal.stop,
            fee_bp=float(rules.fee_rate(maker=maker)) * 1e4,
            signal=signal,
        )
        self._report(signal, price, now, maker=maker)
        self.tell(
            PositionOpened(
                ts_event=now,
                ts_init=now,
                strategy=signal.strategy,
                instrument=signal.instrument,
                quantity=Decimal(repr(max(signal.scale, 1e-6))) * signal.side.sign,
                entry_price=Decimal(repr(price)),
                risk=Decimal(1),
                stop=None if signal.stop is None else Decimal(repr(signal.stop)),
                client_order_id=client_order_id(signal.signal_id),
                fill_id=f"f{self._fills}",
                group=signal.group,
            )
        )
        released = self._waiting.pop(signal.group, None) if signal.group else None
        if released is not None:
            self._work(msgspec.structs.replace(released, ts_init=now))

    def _leave(self, signal: Signal) -> None:
        now = signal.ts_init
        pulled = self.working.pop(signal.instrument, None)
        if pulled is not None:
            self._end(pulled, now)
        position = self.positions.get(signal.instrument)
        if position is None:
            self.tell(
                SignalWithdrawn(
                    ts_event=now,
                    ts_init=now,
                    signal_id=signal.signal_id,
                    strategy=signal.strategy,
                    instrument=signal.instrument,
                    side=signal.side,
                    intent=signal.intent,
                )
            )
        elif signal.style is OrderStyle.POST_ONLY:
            self.working[signal.instrument] = signal
        else:
            price = self._taken(signal, self.quotes.get(signal.instrument))
            if price is None:
                self._end(signal, now)
            elif signal.intent is Intent.REDUCE:
                self._reduce(signal, position, price)
            else:
                self._close(signal.instrument, price, now, signal.reason, signal=signal)

    def _reduce(self, signal: Signal, position: Position, price: float) -> None:
        now = signal.ts_init
        part = position.size * signal.scale
        position.size -= part
        self.outcomes.append(self._outcome(signal.instrument, position, price, now, "reduced"))
        self._report(signal, price, now, maker=False)
        self.tell(
            PositionChanged(
                ts_event=now,
                ts_init=now,
                strategy=signal.strategy,
                instrument=signal.instrument,
                change=PositionChange.FILL,
                quantity=Decimal(repr(position.size)) * position.sign,
                entry_price=Decimal(repr(position.entry)),
                risk=Decimal(1),
            )
        )

    def _outcome(
        self, instrument: str, position: Position, price: float, now: int, reason: str,
        *, maker: bool = False,
    ) -> Outcome:  # fmt: skip
        gross = 1e4 * position.sign * (price / position.entry - 1.0)
        fee = float(self._rules[instrument].fee_rate(maker=maker)) * 1e4
        return Outcome(
            instrument=instrument,
            sign=position.sign,
            opened_at=position.opened_at,
            closed_at=now,
            gross_bp=gross,
            net_bp=gross - position.fee_bp - fee,
            reason=reason,
        )

    def _close(
        self, instrument: str, price: float, now: int, reason: str, *,
        maker: bool = False, signal: Signal | None = None,
    ) -> None:  # fmt: skip
        position = self.positions.pop(instrument)
        outcome = self._outcome(instrument, position, price, now, reason, maker=maker)
        self.outcomes.append(outcome)
        self.working.pop(instrument, None)
        if signal is not None:
            self._report(signal, price, now, maker=maker)
        net = Decimal(repr(round(outcome.net_bp, 9)))
        self.tell(
            PositionClosed(
                ts_event=now,
                ts_init=now,
                strategy=position.signal.strategy,
                instrument=instrument,
                side=position.signal.side,
                group=position.signal.group,
                opened_at=position.opened_at,
                quantity=Decimal(repr(max(position.size, 1e-6))),
                entry_price=Decimal(repr(position.entry)),
                exit_price=Decimal(repr(price)),
                gross=net,
                fees=Decimal(0),
                funding=Decimal(0),
                net=net,
                risk=Decimal(1),
                r_multiple=0.0,
                mae_r=0.0,
                mfe_r=0.0,
                regime=None,
                phase=None,
                cycle=None,
                exit_reason=reason,
                signal_id=position.signal.signal_id,
                client_order_id=client_order_id(position.signal.signal_id),
            )
        )

    def _fund(self, event: FundingRate) -> None:
        position = self.positions.get(event.instrument)
        if position is None:
            return
        amount = -position.sign * event.rate * position.entry * position.size
        self.tell(
            PositionChanged(
                ts_event=event.ts_init,
                ts_init=event.ts_init,
                strategy=position.signal.strategy,
                instrument=event.instrument,
                change=PositionChange.FUNDING,
                quantity=Decimal(repr(position.size)) * position.sign,
                entry_price=Decimal(repr(position.entry)),
                risk=Decimal(1),
                amount=Decimal(repr(round(amount, 9))),
                rate=event.rate,
            )
        )
