"""Quotes and rungs: groups that are declared, not sent; the newest replaces the one before.

A desk keeps every quote until its order has ended, also those a newer group has replaced: they may
still fill. A quote declared anew as it rests already keeps its order: the gate names it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hean.core.events import (
    Event,
    Frame,
    Intent,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderStyle,
    RefusedBy,
    SignalRejected,
    SignalWithdrawn,
)
from hean.core.ids import client_order_id, signal_id
from hean.strategies.decisions import NOTHING, Outputs, Plan, State, leave, wish
from hean.strategies.desk import Desk, wished
from hean.strategies.quote_model import Markouts
from hean.strategies.settlement import SettlementClock


class Quoted(msgspec.Struct, kw_only=True):
    """An own quote: decided, at work, or on its way out (`leaving`)."""

    signal_id: str
    order_id: str
    sign: int
    price: float
    published: int
    leaving: bool = False


class QuoteDesk(Desk, kw_only=True):
    """A desk whose entries are quotes; `quotes` are those whose orders have not ended."""

    quotes: list[Quoted] = msgspec.field(default_factory=lambda: list[Quoted]())

    @property
    def live(self) -> list[Quoted]:
        """The quotes of the newest group, as far as they have not ended."""
        return [one for one in self.quotes if not one.leaving]


class MakerDesk(QuoteDesk, kw_only=True):
    """What desks share that quote both sides of a market of their own making."""

    frame: Frame | None = None
    book_at: int = -1
    """When depth was last seen; -1 not since a gap."""
    share: float = 1.0
    """Of the strategy's budget, so that every symbol can be quoted."""
    settlement: SettlementClock = msgspec.field(default_factory=SettlementClock)
    markouts: Markouts = msgspec.field(default_factory=Markouts)


def count_fill(desk: MakerDesk, event: OrderFilled) -> Quoted | None:
    """Follow the price after a fill of an own quote, and return the quote; None for others."""
    order = quoted_order(desk, event.client_order_id)
    if order is not None:
        desk.markouts.on_fill(event.ts_init, order.sign, float(event.price))
    return order


def quote(state: State, desk: QuoteDesk, now: int, plans: Sequence[Plan]) -> Outputs:
    """Publish one group of resting quotes in place of those before."""
    group = signal_id(state.strategy, "quotes", now, state.sequence + 1)
    outputs: Outputs = NOTHING
    for one in desk.quotes:
        one.leaving = True
    for number, plan in enumerate(plans):
        given = msgspec.structs.replace(
            plan, intent=Intent.QUOTE, group=group, leg=number, legs=len(plans)
        )
        signal = wish(state, desk, now, given)
        desk.quotes.append(
            Quoted(
                signal_id=signal.signal_id,
                order_id=client_order_id(signal.signal_id),
                sign=plan.sign,
                price=signal.limit or 0.0,
                published=now,
            )
        )
        outputs += (signal,)
    desk.refused = None
    return outputs


def pull_quotes(state: State, desk: QuoteDesk, now: int, reason: str) -> Outputs:
    """Publish an empty group: everything quoted here is pulled. Nothing if nothing is."""
    live = desk.live
    if not live:
        return NOTHING
    for one in live:
        one.leaving = True
    plan = Plan(
        sign=live[0].sign,
        style=OrderStyle.POST_ONLY,
        limit=None,
        intent=Intent.QUOTE,
        legs=0,
        reason=reason,
    )
    return (wish(state, desk, now, plan),)


def rest_exit(
    state: State, desk: QuoteDesk, now: int, price: float, ttl_ns: int, reason: str
) -> Outputs:
    """Rest an exit of the whole position at a price as a maker; it cancels the quotes too."""
    holding = desk.holding
    if holding is None or desk.exit is not None or now < desk.exit_again_at:
        return NOTHING
    plan = Plan(
        sign=-holding.sign,
        style=OrderStyle.POST_ONLY,
        limit=price,
        intent=Intent.CLOSE,
        ttl_ns=ttl_ns,
        strength=1.0,
        reason=reason,
    )
    signal = wish(state, desk, now, plan)
    desk.exit = wished(signal)
    for one in desk.quotes:
        one.leaving = True
    return (signal,)


def flatten(
    state: State,
    desk: QuoteDesk,
    now: int,
    reason: str,
    *,
    style: OrderStyle = OrderStyle.LIMIT_IOC,
) -> Outputs:
    """Close the position, which cancels the quotes too; without one pull what is quoted."""
    if desk.holding is None:
        return pull_quotes(state, desk, now, reason)
    outputs = leave(state, desk, now, reason, style=style)
    if not outputs:
        return pull_quotes(state, desk, now, reason)
    for one in desk.quotes:
        one.leaving = True
    return outputs


def ended_quote(desk: QuoteDesk, event: Event) -> Quoted | None:
    """Forget the quote that an own report or a refusal ends, and return it."""
    match event:
        case SignalRejected():
            if event.refused_by is RefusedBy.STRATEGY:
                return None
            found = next((one for one in desk.quotes if one.signal_id == event.signal_id), None)
        case SignalWithdrawn():
            found = _stood(desk, event)
        case OrderCancelled() | OrderExpired() | OrderRejected():
            found = quoted_order(desk, event.client_order_id)
        case OrderFilled():
            found = None if event.remaining else quoted_order(desk, event.client_order_id)
        case _:
            return None
    if found is not None:
        desk.quotes.remove(found)
    return found


def _stood(desk: QuoteDesk, event: SignalWithdrawn) -> Quoted | None:
    """Let the order that rests already take the place of the quote it was declared anew as."""
    asked = next((one for one in desk.quotes if one.signal_id == event.signal_id), None)
    standing = quoted_order(desk, event.stands)
    if asked is not None and standing is not None:
        desk.quotes.remove(standing)
        standing.signal_id, standing.published = asked.signal_id, asked.published
        standing.leaving = asked.leaving
        desk.quotes.insert(desk.quotes.index(asked), standing)
    return asked


def quoted_order(desk: QuoteDesk, order_id: str) -> Quoted | None:
    """Return the quote behind an order, if it is one."""
    return next((one for one in desk.quotes if one.order_id == order_id), None)
