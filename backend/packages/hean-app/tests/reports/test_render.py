from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hean.app.reports.render import amount, counts_text, print_summary, show_summary


def _strategy(**changes: Any) -> dict[str, Any]:
    return {
        "signals": 0, "order_requests": 0, "withdrawals": 0, "rejections": {},
        "evaluations_refused": {}, "fills": 0, "realised_pnl": "0", "fees": "0", "funding": "0",
        "net_pnl": "0", "budget_end": "0", "active": True, **changes,
    }


def summary() -> dict[str, Any]:
    """Return the summary of a small run."""
    return {
        "run_id": "0f" * 16, "mode": "replay", "versions": {"hean-app": "0.1.0"},
        "settings_sha256": "ab" * 32, "dataset": {"name": "bybit-perps", "sha256": "cd" * 32},
        "seed": 0, "started": "2025-10-01T00:00:00Z", "ended": "2025-12-31T23:55:00Z",
        "events_in": 1_234_567, "wall_seconds": 12.345, "events_per_second": 100_005,
        "peak_rss_mb": 312.4, "signals": 120, "order_requests": 90, "withdrawals": 5,
        "rejections": {"POSITION_SIZER_ZERO": 20, "EDGE": 5},
        "evaluations_refused": {"NO_SETUP": 9000, "COOLDOWN": 120}, "orders": 95, "fills": 150,
        "wallet_start": "300", "wallet_end": "297.12345678", "realised_pnl": "1.5",
        "fees": "4.87654322", "funding": "0.5", "unrealised_pnl": "-0.25",
        "equity_end": "296.87345678", "max_drawdown": 0.0412, "books_balance": True,
        "strategies": {
            "momentum_trader": _strategy(
                signals=120, order_requests=90, withdrawals=5, fills=150,
                rejections={"POSITION_SIZER_ZERO": 20, "EDGE": 5},
                evaluations_refused={"NO_SETUP": 9000, "COOLDOWN": 120},
                realised_pnl="1.5", fees="4.87654322", funding="0.5", net_pnl="-2.87654322",
                budget_end="120",
            ),
            "hf_scalping": _strategy(
                active=False, cannot_run_because="it needs trades (T), which are not carried"
            ),
        },
        "slots": {"max": 10, "peak": 4, "contended": 0, "refused_by_strategy": {}},
        "budgets": {"deployable_min_margin": "120"},
        "dlq": {"parked": 0, "retried_ok": 0, "permanent": 0}, "forced_closes": 0,
        "notes": ["index is the mark's"], "decisions_sha256": "12" * 32,
        "journal_sha256": "34" * 32,
    }


def _shown(found: dict[str, Any], directory: Path | None = None) -> str:
    stream = io.StringIO()
    show_summary(found, directory, Console(file=stream, width=140))
    return stream.getvalue()


def test_json_is_the_summary_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json nothing but the summary is printed, so that it can be piped."""
    print_summary(summary(), Path("out"), as_json=True)
    assert json.loads(capsys.readouterr().out) == summary()


def test_piped_text_has_no_colour(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal no escape sequence is written."""
    print_summary(summary(), None, as_json=False)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "equity" in out


def test_the_funnel_is_a_sum_that_can_be_checked() -> None:
    """The line of the funnel shows signals as requests, withdrawals and rejections."""
    text = _shown(summary())
    assert "120 signals = 90 order requests + 5 withdrawals + 25 rejections" in text
    assert "POSITION_SIZER_ZERO 20, EDGE 5" in text


def test_money_comes_first_and_fees_are_negative() -> None:
    """The account stands above the funnel, with fees as what they took."""
    text = _shown(summary())
    assert text.index("wallet at the start") < text.index("120 signals")
    assert "-4.88" in text
    assert "-1.04 % of the start" in text


def test_books_that_do_not_balance_are_loud() -> None:
    """A broken balance cannot be overlooked."""
    assert "THE BOOKS DO NOT BALANCE" in _shown({**summary(), "books_balance": False})


def test_a_strategy_that_could_not_run_is_named_with_its_reason() -> None:
    """It has no row of zeros but a sentence."""
    text = _shown(summary())
    assert "not run: hf_scalping: it needs trades (T)" in text


def test_the_next_step_names_a_command_that_fits_the_run() -> None:
    """With a run directory the reader is told how to ask why; without one how to keep it."""
    assert "hean-app why momentum_trader runs/a" in _shown(summary(), Path("runs/a"))
    assert "add --out DIR" in _shown(summary())


def test_small_amounts_keep_their_digits() -> None:
    """Amounts below one show what two digits would hide, larger ones are rounded to cents."""
    assert amount("0.00012").plain == "0.00012"
    assert amount("1234.567", sign=True).plain == "+1,234.57"
    assert amount("0.5").plain == "0.50"
    assert amount("-0").plain.lstrip("-") == "0.00"


def test_counts_are_listed_largest_first() -> None:
    """Equal counts go by name."""
    assert counts_text({"B": 1, "A": 1, "C": 7}) == "C 7, A 1, B 1"
