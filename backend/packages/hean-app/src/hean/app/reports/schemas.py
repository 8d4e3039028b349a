"""The columns of a run directory's tables."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

pa: Any = import_module("pyarrow")  # it ships no types
_TEXT, _INT, _FLOAT = pa.string(), pa.int64(), pa.float64()
SCHEMAS: Final[dict[str, Any]] = {
    "fills": pa.schema(
        [("ts_ns", _INT)]
        + [
            (name, _TEXT)
            for name in (
                "fill_id",
                "order_id",
                "strategy",
                "instrument",
                "side",
                "price",
                "qty",
                "fee",
                "liquidity",
            )
        ]
    ),
    "funding": pa.schema(
        [("ts_ns", _INT)]
        + [
            (name, _TEXT)
            for name in (
                "strategy",
                "instrument",
                "rate",
                "position_qty",
                "mark_price",
                "amount",
            )
        ]
    ),
    "decisions": pa.schema(
        [
            ("ts_ns", _INT),
            ("signal_id", _TEXT),
            ("strategy", _TEXT),
            ("instrument", _TEXT),
            ("side", _TEXT),
            ("outcome", _TEXT),
            ("reason", _TEXT),
            ("value", _FLOAT),
            ("limit", _FLOAT),
            ("qty", _TEXT),
            ("price", _TEXT),
        ]
    ),
    "orders": pa.schema(
        [("ts_ns", _INT)]
        + [
            (name, _TEXT)
            for name in (
                "order_id",
                "signal_id",
                "strategy",
                "instrument",
                "side",
                "intent",
                "style",
                "qty",
                "price",
                "protective_stop",
                "risk",
                "status",
                "filled",
                "cause",
                "reason",
            )
        ]
        + [("ended_ns", _INT)]
    ),
    "equity": pa.schema(
        [("ts_ns", _INT)]
        + [(name, _TEXT) for name in ("equity", "wallet", "unrealised", "realised", "fees")]
        + [("funding", _TEXT), ("nav", _FLOAT), ("drawdown", _FLOAT)]
    ),
    "allocations": pa.schema(
        [
            ("ts_ns", _INT),
            ("version", _INT),
            ("active_version", _INT),
            ("method", _TEXT),
            ("reason", _TEXT),
            ("strategy", _TEXT),
            ("weight", _FLOAT),
            ("tier", _TEXT),
            ("cluster", _TEXT),
            ("performance", _FLOAT),
            ("phase", _FLOAT),
            ("evidence", _FLOAT),
            ("evidence_error", _FLOAT),
            ("target", _FLOAT),
            ("floor", _FLOAT),
            ("cap", _FLOAT),
            ("previous", _FLOAT),
            ("minimum_budget", _FLOAT),
            ("bound", _TEXT),
        ]
    ),
    "activations": pa.schema(
        [
            ("ts_ns", _INT),
            ("version", _INT),
            ("mode", _TEXT),
            ("epoch", _INT),
            ("strategy", _TEXT),
            ("active", pa.bool_()),
            ("eligible", pa.bool_()),
            ("reason", _TEXT),
            ("posterior_mean", _FLOAT),
            ("posterior_error", _FLOAT),
            ("bins", _FLOAT),
            ("draw", _FLOAT),
            ("penalty", _FLOAT),
            ("propensity", _FLOAT),
        ]
    ),
    "shadow": pa.schema(
        [
            ("ts_ns", _INT),
            ("opened_ns", _INT),
            ("signal_id", _TEXT),
            ("strategy", _TEXT),
            ("instrument", _TEXT),
            ("side", _TEXT),
            ("refusal", _TEXT),
            ("gross_bp", _FLOAT),
            ("fees_bp", _FLOAT),
            ("funding_bp", _FLOAT),
            ("net_bp", _FLOAT),
            ("r_multiple", _FLOAT),
            ("exit_reason", _TEXT),
        ]
    ),
}
