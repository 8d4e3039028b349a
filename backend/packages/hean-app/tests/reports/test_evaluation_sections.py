from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hean.app.reports.evaluation import rows_of_trades
from hean.app.reports.evaluation_sections import evaluation_cards
from hean.app.reports.evaluation_view import cells_of, reading_lines, silent_lines
from hean.app.reports.trade_records import Kind, Trade

HOUR = 3_600_000_000_000


def _found(nets: list[float], **changes: object) -> dict[str, Any]:
    """Return an evaluation of one strategy, <alpha>, with trades of these results."""
    trades = [
        Trade(
            strategy="<alpha>", instrument="BTCUSDT-PERP.BYBIT", regime="NORMAL", kind=Kind.REAL,
            closed_ns=place * HOUR, gross_bp=net + 10, fees_bp=10.0, funding_bp=0.0, net_bp=net,
        )
        for place, net in enumerate(nets)
    ]  # fmt: skip
    rows = json.loads(msgspec.json.encode(rows_of_trades(trades, {}, 0)))
    one: dict[str, Any] = {
        "strategy": "<alpha>", "enabled": True, "cannot_run_because": "", "open_positions": 0,
        "signals": 3, "rejections": {"EDGE": 3}, "evaluations_refused": {"REGIME": 7},
        "rows": rows,
    }  # fmt: skip
    return {
        "strategies": [{**one, **changes}],
        "trades": json.loads(msgspec.json.encode(trades)),
        "has_ticks": True,
        "notes": [],
    }


def _cards(directory: Path, found: dict[str, Any]) -> str:
    (directory / "evaluation.json").write_text(json.dumps(found))
    return "".join(evaluation_cards(directory, {"<alpha>": 0}))


def test_a_plain_run_has_no_cards(tmp_path: Path) -> None:
    """Without `evaluation.json` the report is as a backtest leaves it."""
    assert evaluation_cards(tmp_path, {}) == []


def test_a_dot_a_trade(tmp_path: Path) -> None:
    """Four trades give four dots, one interval with its mean, and the sum in the legend."""
    page = _cards(tmp_path, _found([10.0, -30.0, 20.0, 5.0]))
    assert page.count("<circle") == 4
    assert page.count("<rect") == 2
    assert "<em>+5</em>" in page
    assert "<alpha>" not in page


def test_the_mean_stands_right_of_a_lower_one(tmp_path: Path) -> None:
    """On the scale of the picture larger results stand further to the right."""
    page = _cards(tmp_path, _found([-40.0, 60.0]))
    places = [float(text) for text in re.findall(r'<circle cx="([\d.]+)"', page)]
    assert places[0] < places[1]


def test_one_trade_has_no_bar(tmp_path: Path) -> None:
    """A single trade is a dot and a mean, without an interval it does not have."""
    page = _cards(tmp_path, _found([5.0]))
    assert page.count("<rect") == 1
    assert "+5.0 [-]" in page


def test_no_trades_say_so(tmp_path: Path) -> None:
    """Without a closed trade the cards are sentences with the counts of refusals."""
    page = _cards(tmp_path, _found([]))
    assert "No trade closed." in page
    assert "evaluations it refused: REGIME 7; signals the gate rejected: EDGE 3" in page


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"enabled": False}, "not run: <alpha>: switched off by setting"),
        ({"cannot_run_because": "it needs depth"}, "not run: <alpha>: it needs depth"),
        ({"open_positions": 2}, "still open: <alpha>: 2 positions"),
    ],
)
def test_silence_has_a_reason(changes: dict[str, object], line: str) -> None:
    """Who is off, cannot run or still holds a position is named."""
    assert silent_lines(_found([], **changes))[0].startswith(line)


def test_luck_is_counted() -> None:
    """Two intervals wholly above 0 are told with how many luck alone would give."""
    text = " ".join(reading_lines(_found([10.0, 11.0, 12.0])))
    assert "Of 2 net intervals 2 lie above 0 and 0 below" in text
    assert "about 0.1 would" in text
    assert "Markouts: not available" not in text


def test_unknown_figures_are_dashes() -> None:
    """Spread, impact, break-even and markouts that are not known are not shown as zero."""
    cells = cells_of(_found([3.0])["strategies"][0]["rows"][0])
    assert cells == ["1", "+13.0 [-]", "+3.0 [-]", "-", "100", "-", "10.0", "-", "-", "0", "-", "-"]
