"""The tables of a run directory, projected from its journal: the journal is the truth.

Money is written as decimal strings. `decisions.parquet` has one row for every signal, in the order
in which they were decided; its digest is over those rows as JSON lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import msgspec

from hean.app.reports.schemas import SCHEMAS
from hean.core.events import (
    ActiveStrategiesChanged,
    CapitalAllocated,
    EquityUpdated,
    Event,
    Liquidity,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderRequest,
    OrderSubmitted,
    PositionChange,
    PositionChanged,
    RefusedBy,
    ShadowClosed,
    Signal,
    SignalRejected,
    SignalWithdrawn,
)
from hean.core.ids import sliced_request

Row = dict[str, Any]

_SLICED: Final = "sliced"

# pyarrow ships no types: one Any here instead of one unknown a line
pa: Any = import_module("pyarrow")
pq: Any = import_module("pyarrow.parquet")

_BATCH: Final = 20_000
_LINE = msgspec.json.Encoder(order=None)


class TableWriter:
    """Writes one table in row groups, so that a long run needs little memory."""

    def __init__(self, path: Path, schema: Any) -> None:  # noqa: ANN401  (a pyarrow schema)
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._rows: list[Row] = []

    def add(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()


def decision_row(signal: Signal, decision: Event) -> Row:
    """Return the row of `decisions.parquet` for a signal and what became of it."""
    row: Row = {
        "ts_ns": decision.ts_init,
        "signal_id": signal.signal_id,
        "strategy": signal.strategy,
        "instrument": signal.instrument,
        "side": signal.side.value,
        "outcome": "",
        "reason": "",
        "value": 0.0,
        "limit": 0.0,
        "qty": "0",
        "price": "",
    }
    if isinstance(decision, OrderRequest):
        row["outcome"] = "order_request"
        row["qty"] = str(decision.quantity)
        row["price"] = "" if decision.price is None else str(decision.price)
    elif isinstance(decision, SignalWithdrawn):
        row["outcome"] = "withdrawn"
        row["reason"] = decision.reason
    elif isinstance(decision, SignalRejected):
        row["outcome"] = "rejected"
        row["reason"] = decision.code.value
        row["value"], row["limit"] = decision.number, decision.limit
    return row


def decision_rows(events: Iterable[Event]) -> Iterator[Row]:
    """Yield one row a signal, from a journal's events in order."""
    waiting: dict[str, Signal] = {}
    for event in events:
        if isinstance(event, Signal):
            waiting[event.signal_id] = event
        elif isinstance(event, OrderRequest | SignalWithdrawn | SignalRejected):
            if isinstance(event, SignalRejected) and event.refused_by is RefusedBy.STRATEGY:
                continue
            signal = waiting.pop(event.signal_id, None)
            if signal is not None:
                yield decision_row(signal, event)


def fill_row(event: OrderFilled) -> Row:
    """Return the row of `fills.parquet` for one execution."""
    return {
        "ts_ns": event.ts_event,
        "fill_id": event.fill_id,
        "order_id": event.client_order_id,
        "strategy": event.strategy,
        "instrument": event.instrument,
        "side": event.side.value,
        "price": str(event.price),
        "qty": str(event.quantity),
        "fee": str(event.fee),
        "liquidity": "maker" if event.liquidity is Liquidity.MAKER else "taker",
    }


def funding_row(event: PositionChanged) -> Row:
    """Return the row of `funding.parquet` for one strategy's payment."""
    return {
        "ts_ns": event.ts_event,
        "strategy": event.strategy,
        "instrument": event.instrument,
        "rate": repr(event.rate),
        "position_qty": str(event.quantity),
        "mark_price": str(event.mark),
        "amount": str(event.amount),
    }


def equity_row(event: EquityUpdated) -> Row:
    """Return the row of `equity.parquet` for one sample."""
    return {
        "ts_ns": event.ts_init,
        "equity": str(event.equity),
        "wallet": str(event.wallet),
        "unrealised": str(event.unrealised),
        "realised": str(event.realised),
        "fees": str(event.fees),
        "funding": str(event.funding),
        "nav": event.nav,
        "drawdown": event.drawdown,
    }


def allocation_rows(event: CapitalAllocated) -> Iterator[Row]:
    """Yield a row for each line of an allocation."""
    for line in event.lines:
        yield {
            "ts_ns": event.ts_init,
            "version": event.version,
            "active_version": event.active_version,
            "method": event.method,
            "reason": event.reason,
            **{
                name: getattr(line, name)
                for name in (
                    "strategy",
                    "weight",
                    "cluster",
                    "performance",
                    "phase",
                    "evidence",
                    "evidence_error",
                    "target",
                    "floor",
                    "cap",
                    "previous",
                    "minimum_budget",
                    "bound",
                )
            },
            "tier": line.tier.value,
        }


def activation_rows(event: ActiveStrategiesChanged) -> Iterator[Row]:
    """Yield a row for each line of an active set: who may trade, and why."""
    for line in event.lines:
        yield {
            "ts_ns": event.ts_init,
            "version": event.version,
            "mode": event.mode,
            "epoch": event.epoch,
            **{name: getattr(line, name) for name in SCHEMAS["activations"].names[4:]},
        }


def shadow_row(event: ShadowClosed) -> Row:
    """Return the row of `shadow.parquet` for a refused signal followed to its end."""
    return {
        "ts_ns": event.ts_init,
        "opened_ns": event.opened_at,
        "side": event.side.value,
        **{
            name: getattr(event, name)
            for name in SCHEMAS["shadow"].names
            if name not in ("ts_ns", "opened_ns", "side")
        },
    }


def order_row(event: OrderRequest) -> Row:
    """Return the row of `orders.parquet` for a request that no report has touched yet."""
    return {
        "ts_ns": event.ts_init,
        "order_id": event.client_order_id,
        "signal_id": event.signal_id,
        "strategy": event.strategy,
        "instrument": event.instrument,
        "side": event.side.value,
        "intent": event.intent.value,
        "style": event.style.value,
        "qty": str(event.quantity),
        "price": "" if event.price is None else str(event.price),
        "protective_stop": "" if event.protective_stop is None else str(event.protective_stop),
        "risk": str(event.risk),
        "status": "requested",
        "filled": "0",
        "cause": event.cause,
        "reason": "",
        "ended_ns": 0,
    }


class _Orders:
    """Follows each order to its end and writes its row then."""

    def __init__(self, write: Callable[[Row], None]) -> None:
        self._write = write
        self._open: dict[str, Row] = {}

    def take(self, event: Event) -> None:
        if isinstance(event, OrderRequest):
            self._open[event.client_order_id] = order_row(event)
        elif isinstance(event, OrderSubmitted):
            self._submitted(event)
        elif isinstance(event, OrderAccepted):
            self._accepted(event)
        elif isinstance(event, OrderFilled):
            self._filled(event)
        elif isinstance(event, OrderRejected):
            self._end(event.client_order_id, "rejected", event.reason, event.ts_init)
        elif isinstance(event, OrderCancelled):
            self._end(event.client_order_id, "cancelled", event.reason, event.ts_init)
        elif isinstance(event, OrderExpired):
            self._end(event.client_order_id, "expired", event.reason, event.ts_init)

    def _submitted(self, event: OrderSubmitted) -> None:
        """Give a slice a row of its own; what it fills counts there, not with its request."""
        request = self._open.get(sliced_request(event.client_order_id))
        if request is not None:
            request["status"] = _SLICED
            own = {"order_id": event.client_order_id, "qty": str(event.quantity), "risk": ""}
            self._open[event.client_order_id] = {
                **request,
                **own,
                "ts_ns": event.ts_init,
                "status": "requested",
            }

    def _accepted(self, event: OrderAccepted) -> None:
        row = self._open.get(event.client_order_id)
        if row is None:
            row = self._open[event.client_order_id] = {
                **dict.fromkeys(SCHEMAS["orders"].names, ""),
                "ts_ns": event.ts_init,
                "order_id": event.client_order_id,
                "strategy": event.strategy,
                "instrument": event.instrument,
                "side": event.side.value,
                "intent": "PROTECTIVE" if event.protective else "",
                "style": "MARKET",
                "qty": str(event.quantity),
                "price": "" if event.price is None else str(event.price),
                "filled": "0",
                "ended_ns": 0,
            }
        row["status"] = "working"

    def _filled(self, event: OrderFilled) -> None:
        row = self._open.get(event.client_order_id)
        if row is None:
            return
        row["filled"] = str(event.filled)
        row["status"] = "filled" if event.remaining == 0 else "partially_filled"
        if event.remaining == 0:
            row["ended_ns"] = event.ts_init
            self._write(self._open.pop(event.client_order_id))

    def _end(self, order: str, status: str, reason: str, ts_ns: int) -> None:
        row = self._open.pop(order, None)
        if row is not None:
            row["reason"], row["ended_ns"] = reason, ts_ns
            if row["status"] != _SLICED:
                row["status"] = status
            self._write(row)

    def close(self) -> None:
        for row in self._open.values():
            self._write(row)
        self._open.clear()


def write_tables(events: Iterable[Event], directory: Path) -> str:
    """Write every table from a journal's events in order; return the digest of the decisions."""
    writers = {
        name: TableWriter(directory / f"{name}.parquet", schema) for name, schema in SCHEMAS.items()
    }
    orders = _Orders(writers["orders"].add)
    digest = sha256()
    waiting: dict[str, Signal] = {}
    for event in events:
        orders.take(event)
        match event:
            case Signal():
                waiting[event.signal_id] = event
            case OrderFilled():
                writers["fills"].add(fill_row(event))
            case PositionChanged(change=PositionChange.FUNDING):
                writers["funding"].add(funding_row(event))
            case EquityUpdated():
                writers["equity"].add(equity_row(event))
            case CapitalAllocated():
                for row in allocation_rows(event):
                    writers["allocations"].add(row)
            case ActiveStrategiesChanged():
                for row in activation_rows(event):
                    writers["activations"].add(row)
            case ShadowClosed():
                writers["shadow"].add(shadow_row(event))
            case OrderRequest() | SignalWithdrawn() | SignalRejected():
                signal = waiting.pop(event.signal_id, None)
                if signal is not None:
                    row = decision_row(signal, event)
                    digest.update(_LINE.encode(row) + b"\n")
                    writers["decisions"].add(row)
            case _:
                pass
    orders.close()
    for writer in writers.values():
        writer.close()
    return digest.hexdigest()


def decisions_digest(rows: Iterable[Row]) -> str:
    """Return SHA-256 over decision rows as JSON lines."""
    digest = sha256()
    for row in rows:
        digest.update(_LINE.encode(row) + b"\n")
    return digest.hexdigest()
