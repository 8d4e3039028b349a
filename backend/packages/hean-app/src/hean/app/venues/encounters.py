"""How the market meets what rests at the paper venue.

Market handlers run before the market view has the event in hand, so the event itself is passed on.
Stops trigger on the mark while it is at most 5 s old, else on trades and the quote's mid; on bars
on their low and high, before the resting orders of the same bar.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from hean.app.venues.desk import Desk
from hean.app.venues.liquidation import Liquidator
from hean.app.venues.matching import Execution, FillModel, Market, worsened
from hean.app.venues.queueing import QueueModel
from hean.app.venues.resting import PaperOrder, Watch, displayed_at
from hean.core.events import Bar, BookUpdate, Liquidity, MarkPrice, Quote, Side, Trade
from hean.core.instruments import Instrument
from hean.core.market_view import MARK_MAX_AGE_NS, MarketView
from hean.core.timers import Agenda

_LOT_SLACK = 1e-9


class Encounters:
    """Takes each market event near a resting order, and lets the desk execute what follows."""

    def __init__(
        self,
        *,
        agenda: Agenda,
        view: MarketView,
        desk: Desk,
        liquidator: Liquidator,
        fills: FillModel,
        queue: QueueModel,
        slippage_bp: float,
    ) -> None:
        self._agenda = agenda
        self._view = view
        self._desk = desk
        self._liquidator = liquidator
        self._fills = fills
        self._queue = queue
        self._slippage_bp = slippage_bp

    def meet_quote(self, watch: Watch, quote: Quote) -> None:
        """Let a real quote meet what rests."""
        name = quote.instrument
        market = self._desk.market(name, quote=quote)
        self._meet_touch(
            watch, name, msgspec.structs.replace(market, book=None), quote.bid, quote.ask
        )
        if not self._has_fresh_mark(name):
            self._trigger(watch, name, (quote.bid + quote.ask) / 2.0, market)
        self._desk.prune(name, watch)

    def meet_book(self, watch: Watch, book: BookUpdate) -> None:
        """Let a book image meet what rests."""
        name = book.instrument
        market = self._desk.market(name, book=book)
        bid, ask = book.bids[0][0], book.asks[0][0]
        self._meet_touch(watch, name, market, bid, ask)
        if not self._has_fresh_mark(name):
            self._trigger(watch, name, (bid + ask) / 2.0, market)
        self._desk.prune(name, watch)

    def meet_trade(self, watch: Watch, trade: Trade) -> None:
        """Let a print meet what rests: through the price fills, at the price moves the queue."""
        name = trade.instrument
        instrument = self._view.instruments[name]
        market = self._desk.market(name, trade=trade)
        half = 0.5 * instrument.tick
        used: dict[float, float] = {}
        moved = False
        for order in tuple(watch.limits.values()):
            beyond = (order.level - trade.price) * order.side.sign
            if beyond > half:
                moved = self._fill_resting(watch, order, instrument, order.remaining) or moved
            elif beyond > -half:
                volume = _volume_against(trade, order.side)
                place = self._queue.advance(order.ahead, displayed=None, traded=volume)
                order.ahead = place.ahead
                ours = place.reached - used.get(order.level, 0.0)
                lots = int(max(0.0, ours) / instrument.lot + _LOT_SLACK)
                reached = min(order.remaining, instrument.lot_step * lots)
                if reached > 0:
                    used[order.level] = used.get(order.level, 0.0) + float(reached)
                    moved = self._fill_resting(watch, order, instrument, reached) or moved
        if moved:
            self._desk.settle(instrument)
        if not self._has_fresh_mark(name):
            self._trigger(watch, name, trade.price, market)
        self._desk.prune(name, watch)

    def meet_mark(self, watch: Watch, mark: MarkPrice) -> None:
        """Let a mark price trigger stops and liquidation."""
        self._trigger(watch, mark.instrument, mark.mark, self._desk.market(mark.instrument))
        self._desk.prune(mark.instrument, watch)

    def meet_bar(self, watch: Watch, bar: Bar) -> None:
        """Let a bar meet what rests, the worst first.

        Stops before it; then limits that lived through all of it, where it traded through; then
        the stops of what these filled, since the way to the stop leads through the limit.
        """
        name = bar.instrument
        instrument = self._view.instruments[name]
        moved = self._stop_out_by_bar(tuple(watch.stops.values()), instrument, bar)
        known = set(watch.stops)
        for order in tuple(watch.limits.values()):
            extreme = bar.low if order.side is Side.BUY else bar.high
            through = (order.level - extreme) * order.side.sign > 0.5 * instrument.tick
            if through and order.accepted_at <= bar.open_time:
                moved = self._fill_resting(watch, order, instrument, order.remaining) or moved
        born = tuple(stop for key, stop in watch.stops.items() if key not in known)
        moved = self._stop_out_by_bar(born, instrument, bar, born_inside=True) or moved
        if moved:
            self._desk.settle(instrument)
        self._liquidator.check(watch, name, bar.low if watch.safe_low >= bar.low else bar.high)
        self._desk.prune(name, watch)

    def is_on_bars(self, name: str) -> bool:
        """Return whether only bars come of an instrument: its quotes, if any, are made of them."""
        quote = self._view.quotes.get(name)
        if quote is not None:
            return quote.synthetic
        return name not in self._view.trades and name not in self._view.books

    def _fill_resting(
        self, watch: Watch, order: PaperOrder, instrument: Instrument, quantity: Decimal
    ) -> bool:
        """Fill a resting order at its price as maker; end it when it has nothing left to do."""
        assert order.price is not None
        permitted = min(quantity, self._desk.permitted(order, instrument))
        if permitted <= 0:
            watch.remove(order)
            self._desk.reporter.cancelled(order, "CancelByReduceOnly")
            return False
        self._desk.fill(order, instrument, order.price, permitted, Liquidity.MAKER)
        if order.remaining <= 0:
            watch.remove(order)
        return True

    def _stop_out(
        self, stop: PaperOrder, instrument: Instrument, executions: tuple[Execution, ...]
    ) -> bool:
        """End a triggered stop: by its fills, or by nothing being left to protect."""
        self._desk.watch(instrument.id).remove(stop)
        if not executions:
            self._desk.reporter.cancelled(stop, "CancelByTpSlTsClear")
            return False
        stop.quantity = stop.filled
        for execution in executions:
            stop.quantity += execution.quantity
        self._desk.execute(stop, instrument, executions)
        return True

    def _meet_touch(self, watch: Watch, name: str, market: Market, bid: float, ask: float) -> None:
        instrument = self._view.instruments[name]
        half = 0.5 * instrument.tick
        moved = False
        for order in tuple(watch.limits.values()):
            other = ask if order.side is Side.BUY else bid
            if (order.level - other) * order.side.sign > -half:
                moved = self._fill_resting(watch, order, instrument, order.remaining) or moved
                continue
            shown = displayed_at(order, market, half)
            order.ahead = self._queue.advance(order.ahead, displayed=shown, traded=0.0).ahead
        if moved:
            self._desk.settle(instrument)

    def _trigger(self, watch: Watch, name: str, price: float, market: Market) -> None:
        instrument = self._view.instruments[name]
        moved = False
        for stop in tuple(watch.stops.values()):
            if (price - stop.level) * stop.side.sign < 0.0:
                continue
            wanted = self._desk.permitted(stop, instrument)
            executions: tuple[Execution, ...] = ()
            if wanted > 0:
                executions = self._fills.take(instrument, market, stop.side, wanted, None) or (
                    self._at(stop.level, stop, instrument, wanted),
                )
            moved = self._stop_out(stop, instrument, executions) or moved
        if moved:
            self._desk.settle(instrument)
        self._liquidator.check(watch, name, price)

    def _stop_out_by_bar(
        self,
        stops: Iterable[PaperOrder],
        instrument: Instrument,
        bar: Bar,
        *,
        born_inside: bool = False,
    ) -> bool:
        moved = False
        for stop in stops:
            extreme = bar.low if stop.side is Side.SELL else bar.high
            if (extreme - stop.level) * stop.side.sign < 0.0:
                continue
            if stop.accepted_at >= bar.ts_init and not born_inside:
                continue
            worse = min if stop.side is Side.SELL else max
            wanted = self._desk.permitted(stop, instrument)
            execution = self._at(worse(stop.level, bar.open), stop, instrument, wanted)
            found = (execution,) if wanted > 0 else ()
            moved = self._stop_out(stop, instrument, found) or moved
        return moved

    def _at(
        self, price: float, stop: PaperOrder, instrument: Instrument, quantity: Decimal
    ) -> Execution:
        return Execution(worsened(instrument, price, stop.side, self._slippage_bp), quantity)

    def _has_fresh_mark(self, name: str) -> bool:
        mark = self._view.marks.get(name)
        return mark is not None and self._agenda.now - mark.ts_init <= MARK_MAX_AGE_NS


def _volume_against(trade: Trade, side: Side) -> float:
    """Return the print's volume that meets a resting order on `side`."""
    if trade.count > 1:
        return trade.sell_volume if side is Side.BUY else trade.buy_volume
    return trade.quantity if trade.taker_side is not side else 0.0
