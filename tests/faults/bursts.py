"""I5: more events of one instant than anybody has seen."""

from __future__ import annotations

from hean.core.events import Intent, OrderCancelled, OrderFilled, Side
from hean.core.testing import BTC, ETH, SOL

from .composed import Composed


def market_burst(composed: Composed, count: int) -> None:
    """Quote BTC `count` times in one instant, in the middle 3 % lower."""
    system, at, start = composed.system, composed.system.agenda.now, composed.prices[BTC]
    for number in range(count):
        lower = 0.97 if number == count // 2 else 1.0
        composed.prices[BTC] = round(start * lower + 0.1 * (number % 7), 1)
        system.take(composed.quote(BTC, at))
    composed.prices[BTC] = round(start * 0.97, 1)


def signal_burst(composed: Composed, count: int) -> None:
    """Publish signals of both strategies on all instruments, in one dispatch."""
    asked = [
        composed.signal(
            (BTC, ETH, SOL)[number % 3],
            Side.BUY if number % 2 else Side.SELL,
            Intent.CLOSE if number % 5 == 4 else Intent.OPEN,
            strategy=("alpha", "beta")[number % 2],
        )
        for number in range(count)
    ]
    composed.take(*asked)


def critical_burst(composed: Composed, count: int) -> None:
    """Repeat the fills so far, and end orders that nobody sent, `count` events together."""
    fills, now = composed.of(OrderFilled), composed.system.agenda.now
    for number in range(count):
        if number % 2:
            composed.system.take(fills[number % len(fills)])
            continue
        composed.system.take(
            OrderCancelled(
                ts_event=now,
                ts_init=now,
                client_order_id=f"unheard-of-{number}",
                strategy="alpha",
                instrument=BTC,
                filled=fills[0].quantity,
            )
        )
