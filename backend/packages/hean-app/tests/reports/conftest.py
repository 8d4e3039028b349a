"""A made run directory: tables as a run leaves them, with known numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from hean.app.reports import projection

SCHEMAS: dict[str, Any] = dict(vars(projection)["SCHEMAS"])  # pyarrow ships no types

START = 1_759_276_800_000_000_000
HOUR = 3_600_000_000_000
DAY = 24 * HOUR
BTC = "BTCUSDT-PERP.BYBIT"
ETH = "ETHUSDT-PERP.BYBIT"


def write_table(directory: Path, name: str, rows: Iterable[dict[str, Any]]) -> None:
    """Write a table with the schema of a run."""
    writer = projection.TableWriter(directory / f"{name}.parquet", SCHEMAS[name])
    for row in rows:
        writer.add(row)
    writer.close()


def fill(
    hours: float,
    strategy: str,
    side: str,
    qty: str,
    price: str,
    fee: str = "0",
    instrument: str = BTC,
    liquidity: str = "taker",
) -> dict[str, Any]:
    """Return a row of fills some hours after the start."""
    ts_ns = START + round(hours * HOUR)
    return {
        "ts_ns": ts_ns,
        "fill_id": f"f{ts_ns}{strategy}",
        "order_id": f"o{ts_ns}",
        "strategy": strategy,
        "instrument": instrument,
        "side": side,
        "price": price,
        "qty": qty,
        "fee": fee,
        "liquidity": liquidity,
    }


def paid(hours: float, strategy: str, amount: str, instrument: str = BTC) -> dict[str, Any]:
    """Return a row of funding."""
    return {
        "ts_ns": START + round(hours * HOUR),
        "strategy": strategy,
        "instrument": instrument,
        "rate": "0.0001",
        "position_qty": "1",
        "mark_price": "100",
        "amount": amount,
    }


def valued(hours: float, equity: float, high: float) -> dict[str, Any]:
    """Return a row of equity."""
    return {
        "ts_ns": START + round(hours * HOUR),
        "equity": f"{equity:.8f}",
        "wallet": f"{equity - 0.5:.8f}",
        "unrealised": "0.5",
        "realised": "0",
        "fees": "0",
        "funding": "0",
        "nav": equity / 300,
        "drawdown": (high - equity) / high,
    }


def allocated(hours: float, version: int, weights: dict[str, float]) -> list[dict[str, Any]]:
    """Return the rows of one allocation."""
    empty: dict[str, Any] = {
        name: "" if SCHEMAS["allocations"].field(name).type == "string" else 0
        for name in SCHEMAS["allocations"].names
    }
    return [
        {
            **empty,
            "ts_ns": START + round(hours * HOUR),
            "version": version,
            "strategy": strategy,
            "weight": weight,
        }
        for strategy, weight in weights.items()
    ]


def strategy_counts(**changes: object) -> dict[str, Any]:
    """Return one strategy's part of a summary."""
    return {
        "signals": 0,
        "order_requests": 0,
        "withdrawals": 0,
        "rejections": {},
        "evaluations_refused": {},
        "fills": 0,
        "realised_pnl": "0",
        "fees": "0",
        "funding": "0",
        "net_pnl": "0",
        "budget_end": "0",
        "active": True,
        **changes,
    }


def made_strategies() -> dict[str, Any]:
    """Return the counts of three strategies: one that cannot run, one busy, one quiet."""
    return {
        "hf_scalping": strategy_counts(
            active=False, cannot_run_because="it needs trades (T), which are not carried"
        ),
        "momentum_trader": strategy_counts(
            signals=118,
            order_requests=88,
            withdrawals=5,
            fills=144,
            rejections={"POSITION_SIZER_ZERO": 20, "EDGE": 5},
            evaluations_refused={
                "NO_SETUP": 8800,
                "REGIME": 900,
                "COOLDOWN": 120,
                "WARMING_UP": 55,
                "EXHAUSTION": 40,
                "HORIZONS": 31,
            },
            realised_pnl="1.5",
            fees="4.87654322",
            funding="0.5",
            net_pnl="-2.87654322",
            budget_end="120",
        ),
        "funding_harvester": strategy_counts(
            signals=2,
            order_requests=2,
            fills=6,
            evaluations_refused={"EDGE": 310},
            funding="0.5",
            net_pnl="0.4",
            budget_end="96",
        ),
    }


def made_summary(**changes: object) -> dict[str, Any]:
    """Return the summary of a small run."""
    return {
        "run_id": "0f" * 16,
        "mode": "replay",
        "versions": {"hean-app": "0.1.0"},
        "settings_sha256": "ab" * 32,
        "dataset": {"name": "bybit-perps-5m-2025q4", "sha256": "cd" * 32},
        "seed": 0,
        "started": "2025-10-01T00:00:00Z",
        "ended": "2025-12-31T23:55:00Z",
        "events_in": 1_234_567,
        "wall_seconds": 12.345,
        "events_per_second": 100_005,
        "peak_rss_mb": 312.4,
        "signals": 120,
        "order_requests": 90,
        "withdrawals": 5,
        "rejections": {"POSITION_SIZER_ZERO": 20, "EDGE": 5},
        "evaluations_refused": {"NO_SETUP": 9000, "COOLDOWN": 120},
        "orders": 95,
        "fills": 150,
        "wallet_start": "300",
        "wallet_end": "297.12345678",
        "realised_pnl": "1.5",
        "fees": "4.87654322",
        "funding": "0.5",
        "unrealised_pnl": "-0.25",
        "equity_end": "296.87345678",
        "max_drawdown": 0.0412,
        "books_balance": True,
        "strategies": made_strategies(),
        "slots": {"max": 10, "peak": 4, "contended": 0, "refused_by_strategy": {}},
        "budgets": {"deployable_min_margin": "120"},
        "dlq": {"parked": 0, "retried_ok": 0, "permanent": 0},
        "forced_closes": 0,
        "guard": {"cells": [], "evidence": {}, "evidence_lines": [], "enforces": False},
        "notes": ["the index is the mark's: the dataset has none of its own"],
        "decisions_sha256": "12" * 32,
        "journal_sha256": "34" * 32,
        **changes,
    }


@pytest.fixture
def made() -> Callable[..., dict[str, Any]]:
    """Return what makes a summary, with changes."""
    return made_summary


@pytest.fixture
def empty_tables() -> Callable[[Path], None]:
    """Return what writes every table of a run without a row."""
    return write_empty


def write_empty(directory: Path) -> None:
    """Write every table of a run without a row, and what its parts knew at the end."""
    for name in SCHEMAS:
        write_table(directory, name, ())
    write_capital(directory)


def write_capital(directory: Path) -> None:
    """Write `capital.json`: two strategies that move alike, one slot lost to the other."""
    matrix = [[1.0, 0.6], [0.6, 1.0]]
    content = {
        "size_factors": {"funding_harvester": 1.0, "momentum_trader": 0.5},
        "correlation": {
            "names": ["funding_harvester", "momentum_trader"],
            "prior": [[1.0, 0.1], [0.1, 1.0]],
            "measured": matrix,
            "in_force": matrix,
            "moved": ["momentum_trader"],
            "bins": 12,
            "prior_bins": 60,
        },
        "slots": {
            "max": 10,
            "peak": 10,
            "granted": 30,
            "contended": 3,
            "expired": 0,
            "refused": {"funding_harvester": 3},
            "won": {"momentum_trader": 2},
            "lost_to": [{"loser": "funding_harvester", "to": "momentum_trader", "count": 3}],
        },
    }
    (directory / "capital.json").write_text(json.dumps(content))


def activated(
    hours: float, version: int, means: dict[str, tuple[float, float]], *active: str
) -> list[dict[str, Any]]:
    """Return the rows of one active set; `means` are posterior means and errors."""
    return [
        {
            "ts_ns": START + round(hours * HOUR),
            "version": version,
            "mode": "NORMAL",
            "epoch": 0,
            "strategy": name,
            "active": name in active,
            "eligible": True,
            "reason": "PICKED" if name in active else "NOT_PICKED",
            "posterior_mean": mean,
            "posterior_error": error,
            "bins": 9.0,
            "draw": 0.0,
            "penalty": 0.0,
            "propensity": 0.5,
        }
        for name, (mean, error) in means.items()
    ]


def shadowed(hours: float, code: str, net_bp: float) -> dict[str, Any]:
    """Return the row of a refused signal's end in the shadow book."""
    ts_ns = START + round(hours * HOUR)
    return {
        "ts_ns": ts_ns,
        "opened_ns": ts_ns - HOUR,
        "signal_id": f"s{ts_ns}",
        "strategy": "momentum_trader",
        "instrument": BTC,
        "side": "BUY",
        "refusal": code,
        "gross_bp": net_bp + 13.0,
        "fees_bp": 13.0,
        "funding_bp": 0.0,
        "net_bp": net_bp,
        "r_multiple": net_bp / 100.0,
        "exit_reason": "TARGET",
    }


def refused(hours: float, code: str) -> dict[str, Any]:
    """Return the row of a signal the gate refused."""
    ts_ns = START + round(hours * HOUR)
    return {
        "ts_ns": ts_ns,
        "signal_id": f"s{ts_ns}",
        "strategy": "momentum_trader",
        "instrument": BTC,
        "side": "BUY",
        "outcome": "rejected",
        "reason": code,
        "value": 0.0,
        "limit": 0.0,
        "qty": "0",
        "price": "",
    }


@pytest.fixture
def capital_directory(run_directory: Path, made: Callable[..., dict[str, Any]]) -> Path:
    """Return the made run with refusals, their ends, active sets and a summary."""
    means = {"funding_harvester": (0.05, 0.02), "momentum_trader": (-0.1, 0.2)}
    write_table(
        run_directory,
        "activations",
        [
            *activated(0, 1, means, "momentum_trader"),
            *activated(24, 2, means, "momentum_trader"),
            *activated(48, 3, means, "funding_harvester", "momentum_trader"),
        ],
    )
    ends = [-20.0, -10.0, -12.0, -18.0]
    write_table(
        run_directory, "shadow", [shadowed(10 + n, "EDGE", net) for n, net in enumerate(ends)]
    )
    codes = ["EDGE"] * 6 + ["STRATEGY_INACTIVE", "RISK_STATE"]
    write_table(run_directory, "decisions", [refused(5 + n, code) for n, code in enumerate(codes)])
    (run_directory / "summary.json").write_text(json.dumps(made()))
    return run_directory


@pytest.fixture
def allocations() -> Callable[[Path, int], None]:
    """Return what writes as many allocations to one strategy as asked for."""

    def write(directory: Path, count: int) -> None:
        rows = [row for at in range(count) for row in allocated(at, at, {"a": 0.1})]
        write_table(directory, "allocations", rows)

    return write


@pytest.fixture
def run_directory(tmp_path: Path) -> Path:
    """Return a run directory with known fills of two strategies."""
    fill_run(tmp_path)
    return tmp_path


def fill_run(directory: Path) -> None:
    """Write the tables of a quarter: one long round trip won, one lost, one still open."""
    write_empty(directory)
    write_table(
        directory,
        "fills",
        [
            fill(24, "momentum_trader", "BUY", "2", "100", "0.11"),
            fill(30, "momentum_trader", "SELL", "2", "103", "0.12"),
            fill(50, "momentum_trader", "SELL", "1", "104", "0.06", liquidity="maker"),
            fill(70, "momentum_trader", "BUY", "1", "108", "0.06"),
            fill(90, "funding_harvester", "SELL", "1", "106", "0.05", liquidity="maker"),
        ],
    )
    write_table(directory, "funding", [paid(96, "funding_harvester", "0.25")])
    write_table(
        directory,
        "equity",
        [valued(hours, 300 + hours / 48, 300 + hours / 48) for hours in range(0, 120)]
        + [valued(120 + hours, 302.5 - hours / 24, 302.5) for hours in range(0, 120)],
    )
    write_table(
        directory,
        "allocations",
        [
            *allocated(0, 1, {"momentum_trader": 0.4, "funding_harvester": 0.4, "idle": 0.0}),
            *allocated(100, 2, {"momentum_trader": 0.3, "funding_harvester": 0.4, "idle": 0.0}),
        ],
    )
    (directory / "summary.json").write_text(json.dumps(made_summary()))
