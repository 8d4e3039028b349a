"""The shadow book: refused signals followed in a pessimistic simulated book of their own.

It moves no money, slot or limit. It costs one look-up a market event while it follows nothing
there, and one comparison with a price band while nothing can happen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events import (
    Bar,
    BarSource,
    FeeShare,
    FundingRate,
    Heartbeat,
    Intent,
    Quote,
    ReasonCode,
    RefusedBy,
    ShadowClosed,
    Side,
    Signal,
    SignalRejected,
    StrategyRegistered,
    TimerFired,
    Trade,
)
from hean.core.instruments import significant
from hean.core.market_view import MarketView
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.portfolio.shadow_group import ShadowGroup
from hean.portfolio.shadow_position import Followed, Prices, follow

FOLLOWED = frozenset(
    {
        ReasonCode.STRATEGY_INACTIVE,
        ReasonCode.EDGE,
        ReasonCode.NO_REBATE,
        ReasonCode.EDGE_UNPROVEN,
        ReasonCode.POSITION_SIZER_ZERO,
        ReasonCode.MAX_ORDERS,
        ReasonCode.MAX_POSITIONS,
        ReasonCode.SLOT_FAIRNESS,
    }
)
"""Refusals for inactivity, edge, capital or capacity: what they cost or saved is worth knowing."""

FAILED_PLAN = frozenset({ReasonCode.EDGE, ReasonCode.NO_REBATE})
"""Refusals of the plan itself: followed, but never counted towards promotion."""

_SIGNALS_KEPT = 256
_NEVER = 1 << 62
_SECOND_NS = 1_000_000_000


class _Band(msgspec.Struct, gc=False):
    low: float
    high: float
    due: int


class _State(msgspec.Struct, kw_only=True):
    followed: dict[str, Followed] = {}
    groups: dict[str, ShadowGroup] = {}
    time_stops: dict[str, int] = {}


class ShadowBook:
    """Follows one signal per strategy, instrument and side, and one group per strategy."""

    name = "shadow_book"

    def __init__(self, *, bus: Bus, agenda: Agenda, view: MarketView) -> None:
        self._bus = bus
        self._agenda = agenda
        self._view = view
        self._state = _State()
        self._signals: dict[str, Signal] = {}
        self._bands: dict[str, _Band] = {}

    def attach(self, bus: Bus) -> None:
        """Subscribe to signals, refusals and the market."""
        stage, owner = Stage.SHADOW_BOOK, self.name
        bus.subscribe(StrategyRegistered, self._on_registered, stage=stage, owner=owner)
        bus.subscribe(Signal, self._on_signal, stage=stage, owner=owner)
        bus.subscribe(SignalRejected, self._on_rejected, stage=stage, owner=owner)
        bus.subscribe(Quote, self._on_quote, stage=stage, owner=owner)
        bus.subscribe(Trade, self._on_trade, stage=stage, owner=owner)
        bus.subscribe(Bar, self._on_bar, stage=stage, owner=owner)
        bus.subscribe(FundingRate, self._on_funding, stage=stage, owner=owner)
        bus.subscribe(Heartbeat, self._on_beat, stage=stage, owner=owner)
        bus.subscribe(TimerFired, self._on_timer, stage=stage, owner=owner, key=owner)

    @property
    def following(self) -> int:
        """How many signals and groups are being followed."""
        return len(self._state.followed) + len(self._state.groups)

    def followed(self) -> tuple[Followed, ...]:
        """Return the signals being followed alone, in the order of their refusal."""
        return tuple(self._state.followed.values())

    def _on_registered(self, event: StrategyRegistered) -> None:
        seconds = event.profile.time_stop_seconds
        self._state.time_stops[event.strategy] = round(seconds * _SECOND_NS)

    def _on_signal(self, event: Signal) -> None:
        if event.intent is Intent.CLOSE or event.intent is Intent.REDUCE:
            return
        self._signals[event.signal_id] = event
        if len(self._signals) > _SIGNALS_KEPT:
            del self._signals[next(iter(self._signals))]

    def _on_rejected(self, event: SignalRejected) -> None:
        if event.refused_by is not RefusedBy.GATE or event.code not in FOLLOWED:
            return
        signal = self._signals.pop(event.signal_id, None)
        if signal is None:
            return
        if signal.intent is Intent.LEG and signal.legs > 1:
            self._follow_group(signal, event)
            return
        sides: list[Side] = []
        for one in (signal, *self._take_rest(signal)):
            if one.side not in sides:
                sides.append(one.side)
                self._follow_alone(one, event)

    def _take_rest(self, signal: Signal) -> list[Signal]:
        """Return the rest of a group by leg, whose own refusals only say that one is missing."""
        if not signal.group:
            return []
        found = [
            one
            for one in self._signals.values()
            if one.group == signal.group and one.strategy == signal.strategy
        ]
        for one in found:
            del self._signals[one.signal_id]
        return sorted(found, key=lambda one: one.leg)

    def _follow_alone(self, signal: Signal, event: SignalRejected) -> None:
        if not signal.stop or not signal.legs:
            return
        key = f"{signal.strategy}\x1f{signal.instrument}\x1f{signal.side.value}"
        before = self._state.followed.get(key)
        if before is None or (before.is_quote and not before.opened_at):
            one = self._followed(signal, event)
            if one is not None:
                self._state.followed[key] = one
                self._renew_band(one.instrument)
                self._await_arrival(key, (one,))

    def _followed(self, signal: Signal, event: SignalRejected) -> Followed | None:
        rules = self._view.instruments.get(signal.instrument)
        if rules is None:
            return None
        one = follow(
            signal,
            rules,
            refusal=event.code.value,
            promotes=not event.fails_plan and event.code not in FAILED_PLAN,
            time_stop_ns=self._state.time_stops.get(signal.strategy, 0),
            now=self._agenda.now,
        )
        regime = self._view.regimes.get(signal.instrument)
        if regime is not None:
            one.regime, one.phase, one.cycle = regime.regime, regime.phase, regime.cycle
        return one

    def _follow_group(self, signal: Signal, event: SignalRejected) -> None:
        """Follow all legs once one is refused; the others' refusals find nothing to follow."""
        if signal.strategy in self._state.groups or not (signal.group_stop_bp or signal.stop):
            return
        legs = sorted([signal, *self._take_rest(signal)], key=lambda one: one.leg)
        followed = [self._followed(one, event) for one in legs]
        found = [one for one in followed if one is not None]
        if len(found) != signal.legs:
            return
        stop_bp = legs[0].group_stop_bp
        self._state.groups[signal.strategy] = ShadowGroup(legs=found, stop_bp=stop_bp)
        self._await_arrival(signal.strategy, found)

    def _await_arrival(self, key: str, orders: Sequence[Followed]) -> None:
        """On bars wake when a taking order arrives: the quote then in force is what it meets."""
        for one in orders:
            quote = self._view.quotes.get(one.instrument)
            if quote is not None and quote.synthetic and not one.is_maker:
                self._agenda.arm(self.name, key, one.active_at)
                return

    def _on_timer(self, event: TimerFired) -> None:
        one = self._state.followed.get(event.key)
        group = self._state.groups.get(event.key)
        if group is not None:
            self._step_group(event.key, group, event.ts_init)
        elif one is not None:
            quote = self._view.quotes[one.instrument]
            at_quote = Prices(quote.bid, quote.ask, math.inf, -math.inf, quote.bid)
            self._look(one.instrument, at_quote, event.ts_init)

    def _on_quote(self, event: Quote) -> None:
        band = self._bands.get(event.instrument)
        if band is None:
            return
        if band.low < event.bid and event.ask < band.high and event.ts_init < band.due:
            return
        bid, ask = event.bid, event.ask
        low, high = (math.inf, -math.inf) if event.synthetic else (ask, bid)
        self._look(event.instrument, Prices(bid, ask, low, high, bid), event.ts_init)

    def _on_trade(self, event: Trade) -> None:
        band = self._bands.get(event.instrument)
        if band is None:
            return
        price = event.price
        if band.low < price < band.high and event.ts_init < band.due:
            return
        self._look(event.instrument, Prices(price, price, price, price, price), event.ts_init)

    def _on_bar(self, event: Bar) -> None:
        band = self._bands.get(event.instrument)
        if band is None or event.source is BarSource.FRAMES:
            return
        quote = self._view.quotes.get(event.instrument)
        if quote is not None and not quote.synthetic:
            return
        prices = Prices(
            event.close, event.close, event.low, event.high, event.open, event.open_time
        )
        self._look(event.instrument, prices, event.ts_init)

    def _look(self, instrument: str, prices: Prices, now: int) -> None:
        for key, one in list(self._state.followed.items()):
            if one.instrument == instrument:
                self._step(key, one, prices, now)
        self._renew_band(instrument)

    def _step(self, key: str, one: Followed, prices: Prices, now: int) -> None:
        if not one.opened_at:
            if not one.try_fill(prices, now):
                late = not one.is_maker and now >= one.active_at
                if late or (one.expires_at and now >= one.expires_at):
                    del self._state.followed[key]
                return
            just_filled = True
        else:
            just_filled = False
        stop = one.stopped_at(prices) if not just_filled or prices.open_time else None
        if stop is not None:
            one.watch(stop)
            self._close(key, one, stop, "stop", slips=True)
        elif not just_filled:
            one.take_targets(prices)
            if one.left <= 0.0:
                self._finish(key, one, "target")
            elif now >= one.opened_at + one.time_stop_ns > one.opened_at:
                price = prices.bid if one.sign > 0 else prices.ask
                self._close(key, one, price, "time")

    def _close(
        self, key: str, one: Followed, price: float, reason: str, *, slips: bool = False
    ) -> None:
        one.leave(price, one.left, slips=slips)
        self._finish(key, one, reason)

    def _finish(self, key: str, one: Followed, reason: str) -> None:
        del self._state.followed[key]
        self._publish(one, reason, one.exit_value, one.stop_bp)

    def _publish(self, one: Followed, reason: str, exit_price: float, stop_bp: float) -> None:
        now = self._agenda.now
        risk_bp = stop_bp + one.cost_bp
        net = one.net_bp
        self._bus.publish(
            ShadowClosed(
                ts_event=now,
                ts_init=now,
                correlation_id=one.signal_id,
                strategy=one.strategy,
                instrument=one.instrument,
                side=one.side,
                group=one.group,
                opened_at=one.opened_at,
                entry_price=significant(one.entry),
                exit_price=significant(exit_price),
                gross_bp=significant(one.gross_bp),
                fees_bp=significant(one.fees_bp),
                funding_bp=significant(one.funding_bp),
                net_bp=significant(net),
                stop_bp=significant(stop_bp),
                r_multiple=significant(net / risk_bp),
                mae_r=significant(min(one.mae_bp, net) / risk_bp),
                mfe_r=significant(max(one.mfe_bp, net) / risk_bp),
                regime=one.regime,
                phase=one.phase,
                cycle=one.cycle,
                exit_reason=reason,
                signal_id=one.signal_id,
                refusal=one.refusal,
                promotes=one.promotes,
                slippage_bp=significant(one.slippage_bp),
                shares=tuple(
                    FeeShare(
                        instrument=share.instrument,
                        maker=significant(share.maker),
                        taker=significant(share.taker),
                    )
                    for share in one.shares
                ),
            )
        )

    def _renew_band(self, instrument: str) -> None:
        """Find the prices between which, and the time until which, nothing can happen."""
        low, high, due, any_here = -math.inf, math.inf, _NEVER, False
        for one in self._state.followed.values():
            if one.instrument != instrument:
                continue
            any_here = True
            if not one.opened_at and not one.is_maker:
                due = min(due, one.active_at)
                continue
            if not one.opened_at:
                due = min(due, one.expires_at or _NEVER)
                levels = [one.limit or 0.0]
            else:
                due = min(due, one.opened_at + one.time_stop_ns if one.time_stop_ns else _NEVER)
                levels = [one.stop, *one.targets[one.hit : one.hit + 1]]
            here = one.entry or (one.limit or 0.0) + one.sign * one.tick
            for level in levels:
                if level < here:
                    low = max(low, level)
                else:
                    high = min(high, level)
        if any_here:
            self._bands[instrument] = _Band(low, high, due)
        else:
            self._bands.pop(instrument, None)

    def _on_funding(self, event: FundingRate) -> None:
        if not event.settled:
            return
        legs = [leg for group in self._state.groups.values() for leg in group.legs]
        for one in (*self._state.followed.values(), *legs):
            if one.instrument == event.instrument and one.opened_at:
                one.funding_bp -= one.left * one.sign * event.rate * 1e4

    def _on_beat(self, event: Heartbeat) -> None:
        state = self._state
        if not state.followed and not state.groups:
            return
        now = self._agenda.now
        for one in list(state.followed.values()):
            mark = self._view.mark(one.instrument)
            if mark is not None and one.opened_at:
                one.watch(mark.price)
            self._check_time(one, now)
        for strategy, group in list(state.groups.items()):
            self._step_group(strategy, group, now)

    def _check_time(self, one: Followed, now: int) -> None:
        """End a wait or a position whose time has run out, where no event of its own came."""
        key = f"{one.strategy}\x1f{one.instrument}\x1f{one.side.value}"
        if not one.opened_at:
            if one.expires_at and now >= one.expires_at + _SECOND_NS:
                del self._state.followed[key]
                self._renew_band(one.instrument)
        elif one.time_stop_ns and now >= one.opened_at + one.time_stop_ns:
            price = self._view.touch(one.instrument, one.side.opposite)
            if price is not None:
                self._close(key, one, price, "time")
                self._renew_band(one.instrument)

    def _step_group(self, strategy: str, group: ShadowGroup, now: int) -> None:
        reason = group.step(self._view, now)
        if reason is None:
            return
        del self._state.groups[strategy]
        whole = group.outcome()
        if whole is not None:
            self._publish(whole, reason, whole.exit_value, group.stop_of())

    def snapshot(self) -> bytes:
        """Return what is being followed."""
        return pack(self.name, 1, self._state)

    def restore(self, state: bytes) -> None:
        """Take over a snapshot."""
        self._state = unpack(state, self.name, 1, _State)
        self._signals, self._bands = {}, {}
        for one in self._state.followed.values():
            self._renew_band(one.instrument)
