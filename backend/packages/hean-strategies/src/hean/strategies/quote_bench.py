"""The bench for strategies that quote: groups that replace each other, and netted positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from hean.core.events import (
    Intent,
    OrderRejected,
    OrderStyle,
    PositionChange,
    PositionChanged,
    ReasonCode,
    Side,
    Signal,
    SignalWithdrawn,
)
from hean.core.ids import client_order_id
from hean.strategies.base import Strategy
from hean.strategies.bench import Bench, Log, Position, Verdict

_DUST = 1e-9


class QuoteBench(Bench):
    """Rests a strategy's newest quote group on each instrument; fills add to or net a position.

    What rests already as it is declared stands, until the end it was first given.

    A quote that would take is rejected, as a venue does with POST_ONLY. `most` is the largest
    number of quotes that ever rested at once on one instrument. Passive reductions rest beside the
    quotes, each for the size it was asked for, and end with the position.
    """

    def __init__(
        self,
        strategy: Strategy[Any, Any],
        log: Log,
        *,
        verdict: Verdict | None = None,
        unfillable: str = "",
    ) -> None:
        super().__init__(strategy, log, verdict=verdict, unfillable=unfillable)
        self._resting: dict[str, list[Signal]] = {}
        self._targets: dict[str, list[Signal]] = {}
        self._declared: list[Signal] = []
        self.most = 0
        self.crossed = 0

    @property
    def resting(self) -> Mapping[str, list[Signal]]:
        """The quotes at work by instrument."""
        return self._resting

    @property
    def entries(self) -> list[Signal]:
        wanted = (Intent.OPEN, Intent.LEG, Intent.QUOTE)
        return [one for one in self.signals if one.intent in wanted and one.legs]

    def _decide(self, signal: Signal) -> None:
        if signal.intent is not Intent.QUOTE:
            super()._decide(signal)
            return
        if not signal.legs:
            self._withdrawn(signal)
            self._clear(signal.instrument, (), signal.ts_init)
            return
        self._declared.append(signal)
        if signal.leg + 1 == signal.legs:
            group, self._declared = self._declared, []
            self._declare(group)

    def _declare(self, group: list[Signal]) -> None:
        """Let stand what rests as it is declared, end the rest, place what is new."""
        left = list(self._resting.get(group[0].instrument, ()))
        kept: list[Signal] = []
        answers: list[tuple[Signal, ReasonCode | None, Signal | None]] = []
        for one in group:
            code = self.verdict(one) if self.verdict is not None else None
            standing = None if code else next((old for old in left if _is_same(old, one)), None)
            if standing is not None:
                left.remove(standing)
                kept.append(standing)
            answers.append((one, code, standing))
        self._clear(group[0].instrument, kept, group[0].ts_init)
        for one, code, standing in answers:
            if code is not None:
                self.tell(self.refusal(one, code))
            elif standing is not None:
                self._withdrawn(one, stands=client_order_id(standing.signal_id))
            else:
                self._rest(one)

    def _rest(self, signal: Signal) -> None:
        quote = self.quotes.get(signal.instrument)
        buys = signal.side is Side.BUY
        limit = signal.limit or 0.0
        if quote is None or (limit >= quote.ask if buys else limit <= quote.bid):
            self.crossed += 1
            self.tell(
                OrderRejected(
                    ts_event=signal.ts_init,
                    ts_init=signal.ts_init,
                    client_order_id=client_order_id(signal.signal_id),
                    strategy=signal.strategy,
                    instrument=signal.instrument,
                    code="POST_ONLY",
                    reason="it would take",
                )
            )
            return
        mine = self._resting.setdefault(signal.instrument, [])
        mine.append(signal)
        self.most = max(self.most, len(mine))

    def _withdrawn(self, signal: Signal, *, stands: str = "") -> None:
        self.tell(
            SignalWithdrawn(
                ts_event=signal.ts_init,
                ts_init=signal.ts_init,
                signal_id=signal.signal_id,
                strategy=signal.strategy,
                instrument=signal.instrument,
                side=signal.side,
                intent=signal.intent,
                stands=stands,
            )
        )

    def _clear(self, instrument: str, kept: Sequence[Signal], now: int) -> None:
        gone = [one for one in self._resting.get(instrument, ()) if one not in kept]
        for one in gone:
            self._resting[instrument].remove(one)
            self._end(one, now)

    def _leave(self, signal: Signal) -> None:
        position = self.positions.get(signal.instrument)
        if signal.intent is Intent.CLOSE:
            self._clear(signal.instrument, (), signal.ts_init)
            self._clear_targets(signal.instrument, signal.ts_init)
        elif signal.style is OrderStyle.POST_ONLY and position is not None:
            size = msgspec.structs.replace(signal, scale=position.size * signal.scale)
            self._targets.setdefault(signal.instrument, []).append(size)
            return
        super()._leave(signal)

    def _clear_targets(self, instrument: str, now: int) -> None:
        for one in self._targets.pop(instrument, ()):
            self._end(one, now)

    def _reach(self, instrument: str, low: float, high: float, now: int) -> None:
        """Fill the passive reductions that price has gone through."""
        for one in tuple(self._targets.get(instrument, ())):
            limit = one.limit or 0.0
            through = high < limit if one.side is Side.BUY else low > limit
            position = self.positions.get(instrument)
            if position is None or not through or now <= one.ts_init:
                continue
            self._targets[instrument].remove(one)
            if position.size > one.scale + _DUST:
                self._shrink(one, position, limit, now)
            else:
                self._report(one, limit, now, maker=True)
                self._close(instrument, limit, now, one.reason, maker=True)

    def _expire(self, now: int) -> None:
        super()._expire(now)
        for instrument, mine in self._resting.items():
            for one in tuple(mine):
                due = one.ts_init + one.ttl_ns
                if one.ttl_ns and due <= now and one in self._resting[instrument]:
                    mine.remove(one)
                    self._end(one, due)

    def _match(self, instrument: str, low: float, high: float, now: int) -> None:
        self._reach(instrument, low, high, now)
        for one in tuple(self._resting.get(instrument, ())):
            limit = one.limit or 0.0
            buys = one.side is Side.BUY
            through = high < limit if buys else low > limit
            still = one in self._resting[instrument]
            if through and still and now > one.ts_init and instrument != self._unfillable:
                self._resting[instrument].remove(one)
                self._net(one, limit, now)
        super()._match(instrument, low, high, now)
        if instrument not in self.positions and self._targets.get(instrument):
            self._clear_targets(instrument, now)

    def _net(self, signal: Signal, price: float, now: int) -> None:
        position = self.positions.get(signal.instrument)
        sign = signal.side.sign
        if position is None:
            self._open(signal, price, now)
        elif position.sign == sign:
            self._grow(signal, position, price, now)
        elif position.size > signal.scale + _DUST:
            self._shrink(signal, position, price, now)
        else:
            left = signal.scale - position.size
            self._report(signal, price, now, maker=True)
            self._close(signal.instrument, price, now, "quote", maker=True)
            if left > _DUST:
                self._open(msgspec.structs.replace(signal, scale=left), price, now)

    def _grow(self, signal: Signal, position: Position, price: float, now: int) -> None:
        whole = position.size + signal.scale
        position.entry = (position.entry * position.size + price * signal.scale) / whole
        position.size = whole
        self._report(signal, price, now, maker=True)
        self._changed(signal, position, now)

    def _shrink(self, signal: Signal, position: Position, price: float, now: int) -> None:
        position.size -= signal.scale
        self.outcomes.append(
            self._outcome(signal.instrument, position, price, now, "quote", maker=True)
        )
        self._report(signal, price, now, maker=True)
        self._changed(signal, position, now)

    def _changed(self, signal: Signal, position: Position, now: int) -> None:
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


def _is_same(old: Signal, new: Signal) -> bool:
    """Whether a quote at work is what is declared now, and no larger."""
    unchanged = old.side is new.side and old.limit == new.limit
    return unchanged and old.scale <= new.scale + _DUST
