"""How a fill moves a virtual position: it opens, grows, shrinks or closes, and says so."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from hean.core.events import (
    Event,
    FillKind,
    OrderFilled,
    OrderRequest,
    PositionChange,
    PositionChanged,
    PositionClosed,
    PositionOpened,
    RegimeChanged,
    Side,
)
from hean.core.instruments import MONEY, ZERO
from hean.portfolio.positions import (
    InstrumentBook,
    VirtualPosition,
    cost_of_part,
    share_of,
)

_NO_DUST: Final = (ZERO, ZERO)


def risk_of_fill(order: OrderRequest | None, event: OrderFilled) -> Decimal:
    """Return the share of the order's R that this fill carries; a fee in base coin takes none."""
    if order is None:
        return ZERO
    return share_of(order.risk, event.quantity + event.base_fee, order.quantity)


def adopted(
    strategy: str, instrument: str, quantity: Decimal, price: Decimal, now: int
) -> VirtualPosition:
    """Return a position that exists already, at its entry price and without R."""
    position = VirtualPosition(
        strategy=strategy,
        instrument=instrument,
        quantity=quantity,
        cost=quantity * price,
        entry_price=price,
        risk=ZERO,
        total_risk=ZERO,
        opened_at=now,
        fees=ZERO,
        entered=abs(quantity),
        entry_value=abs(quantity) * price,
    )
    position.refresh()
    return position


def open_position(
    book: InstrumentBook,
    event: OrderFilled,
    order: OrderRequest | None,
    regime: RegimeChanged | None,
    *,
    strategy: str,
    signed: Decimal,
    fee: Decimal,
    fill_id: str,
    now: int,
) -> PositionOpened:
    """Open a virtual position and return its event."""
    cost = signed * event.price
    quantity, whole_cost, average = _with_dust(book, strategy, signed, cost, event.price)
    risk = risk_of_fill(order, event)
    signal, group, stop = "", "", None
    if order is not None:
        signal, group, stop = order.signal_id, order.group, order.protective_stop
    position = VirtualPosition(
        strategy=strategy,
        instrument=book.instrument,
        quantity=quantity,
        cost=whole_cost,
        entry_price=average,
        risk=risk,
        total_risk=risk,
        opened_at=event.ts_event,
        fees=fee,
        entered=abs(signed),
        entry_value=abs(cost),
        group=group,
        signal_id=signal,
        stop=stop,
    )
    if regime is not None:
        position.regime, position.phase = regime.regime, regime.phase
        position.cycle = regime.cycle
    book.cost += cost
    book.positions[strategy] = position
    return PositionOpened(
        ts_event=event.ts_event,
        ts_init=now,
        correlation_id=signal,
        causation_id=fill_id,
        strategy=strategy,
        instrument=book.instrument,
        quantity=quantity,
        entry_price=average,
        risk=risk,
        stop=stop,
        client_order_id=event.client_order_id,
        fill_id=fill_id,
        group=group,
    )


def _with_dust(
    book: InstrumentBook, strategy: str, signed: Decimal, cost: Decimal, price: Decimal
) -> tuple[Decimal, Decimal, Decimal]:
    """Return quantity, cost and average with what the strategy has left, and take that in."""
    dust, dust_cost = book.dust.get(strategy, _NO_DUST)
    if not dust or (dust > 0) is not (signed > 0):
        return signed, cost, price
    del book.dust[strategy]
    quantity, whole_cost = signed + dust, cost + dust_cost
    return quantity, whole_cost, MONEY.divide(whole_cost, quantity)


def _changed(
    position: VirtualPosition,
    event: OrderFilled,
    *,
    realised: Decimal,
    fee: Decimal,
    fill_id: str,
    now: int,
) -> PositionChanged:
    return PositionChanged(
        ts_event=event.ts_event,
        ts_init=now,
        correlation_id=position.signal_id,
        causation_id=fill_id,
        strategy=position.strategy,
        instrument=position.instrument,
        change=PositionChange.FILL,
        quantity=position.quantity,
        entry_price=position.entry_price,
        risk=position.risk,
        realised=realised,
        fee=fee,
        client_order_id=event.client_order_id,
        fill_id=fill_id,
    )


def add_to(
    book: InstrumentBook,
    position: VirtualPosition,
    event: OrderFilled,
    order: OrderRequest | None,
    *,
    signed: Decimal,
    fee: Decimal,
    fill_id: str,
    now: int,
) -> PositionChanged:
    """Let a position grow and return its event."""
    cost = signed * event.price
    risk = risk_of_fill(order, event)
    position.watch(float(event.price))
    position.quantity += signed
    position.cost += cost
    position.risk += risk
    position.total_risk += risk
    position.entries += 1
    position.entered += abs(signed)
    position.entry_value += abs(cost)
    position.fees += fee
    position.entry_price = MONEY.divide(position.cost, position.quantity)
    if order is not None and order.protective_stop is not None:
        position.stop = order.protective_stop
    position.refresh()
    book.cost += cost
    return _changed(position, event, realised=ZERO, fee=fee, fill_id=fill_id, now=now)


def reduce_by(
    book: InstrumentBook,
    position: VirtualPosition,
    event: OrderFilled,
    *,
    part: Decimal,
    fee: Decimal,
    fill_id: str,
    exit_reason: str,
    now: int,
) -> tuple[Decimal, Event]:
    """Take `part` (unsigned) out of a position; return what it realised and its event.

    What is left on spot below one lot, or by fees in base coin below the smallest order once the
    closing order has ended, becomes dust, and the position closes: no order could close it.
    """
    price = event.price
    size = abs(position.quantity)
    freed = cost_of_part(position.cost, part, size)
    value = part * price
    realised = (value if position.quantity > 0 else -value) - freed
    left = size - part
    if left:
        position.watch(float(price))
    position.gross += realised
    position.fees += fee
    position.exits += 1
    position.exited += part
    position.exit_value += value
    book.cost -= freed
    if not left or (book.is_spot and _is_dust(book, left, event)):
        if left:
            kept = left if position.quantity > 0 else -left
            before, before_cost = book.dust.get(position.strategy, _NO_DUST)
            book.dust[position.strategy] = (
                before + kept,
                before_cost + position.cost - freed,
            )
        del book.positions[position.strategy]
        return realised, _closed(position, event, fill_id, exit_reason, now)
    position.cost -= freed
    position.risk -= share_of(position.risk, part, size)
    position.quantity = left if position.quantity > 0 else -left
    position.refresh()
    return realised, _changed(position, event, realised=realised, fee=fee, fill_id=fill_id, now=now)


def _is_dust(book: InstrumentBook, left: Decimal, event: OrderFilled) -> bool:
    """Whether no order can close what a fill left; what its own order still works on is none."""
    by_fee = event.base_fee > ZERO and not event.remaining
    return left < (max(book.lot_step, book.min_quantity) if by_fee else book.lot_step)


def _closed(
    position: VirtualPosition, event: OrderFilled, fill_id: str, exit_reason: str, now: int
) -> PositionClosed:
    net = position.net
    risk = position.total_risk
    single = position.exits == 1
    outcome = float(net) / float(risk) if risk else 0.0
    return PositionClosed(
        ts_event=event.ts_event,
        ts_init=now,
        correlation_id=position.signal_id,
        causation_id=fill_id,
        strategy=position.strategy,
        instrument=position.instrument,
        side=Side.BUY if position.quantity > 0 else Side.SELL,
        group=position.group,
        opened_at=position.opened_at,
        quantity=position.exited,
        entry_price=_average(position),
        exit_price=event.price if single else MONEY.divide(position.exit_value, position.exited),
        gross=position.gross,
        fees=position.fees,
        funding=position.funding,
        net=net,
        risk=risk,
        r_multiple=outcome,
        mae_r=min(position.mae_r, outcome),
        mfe_r=max(position.mfe_r, outcome),
        regime=position.regime,
        phase=position.phase,
        cycle=position.cycle,
        exit_reason=exit_reason,
        signal_id=position.signal_id,
        client_order_id=event.client_order_id,
        fill_id=fill_id,
    )


def _average(position: VirtualPosition) -> Decimal:
    if position.entries == 1:
        return position.entry_price
    return MONEY.divide(position.entry_value, position.entered)


def exit_reason_of(event: OrderFilled, order: OrderRequest | None, reasons: dict[str, str]) -> str:
    """Return why a position is left: stop, force, the order's cause or the signal's reason."""
    if event.kind is not FillKind.ORDER:
        return event.kind.value.lower()
    if event.protective:
        return "stop"
    if order is None:
        return "unknown"
    if order.cause:
        return order.cause
    return reasons.get(order.signal_id) or order.intent.value.lower()
