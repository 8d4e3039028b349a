from typing import Any

from hean.app.reports.evaluation_view import (
    best_day_line,
    bp_text,
    heads_of,
    interval_text,
    markout_text,
    method_text,
    short_name,
    silent_lines,
)


def test_instruments_are_told_without_their_venue() -> None:
    """A table has room for the coin and its kind, not for the venue."""
    assert "BTC" in short_name("BTCUSDT-PERP.BYBIT")
    assert "BYBIT" not in short_name("BTCUSDT-PERP.BYBIT")
    assert short_name("BTCUSDT-PERP.BYBIT + BTCUSDT-SPOT.BYBIT") == "BTC-PERP + BTC-SPOT"


def test_markouts_have_a_column_only_where_there_are_quotes() -> None:
    """Bars leave no maker fill to follow, and no empty columns."""
    assert heads_of({"has_ticks": True})[: len(heads_of({"has_ticks": False}))] == heads_of(
        {"has_ticks": False}
    )
    assert heads_of({"has_ticks": True})[-2:] == ("10 s", "60 s")


def test_who_cannot_run_for_one_reason_stands_on_one_line() -> None:
    """Three that lack the same thing take one line, and are all named."""
    idle: dict[str, Any] = {"enabled": True, "open_positions": 0, "rows": []}
    strategies = [
        {**idle, "strategy": name, "cannot_run_because": "it needs depth"} for name in "abc"
    ]
    assert silent_lines({"strategies": strategies}) == ["not run: a, b, c: it needs depth"]


def test_large_figures_are_whole() -> None:
    """Below a hundred bp a tenth is shown, from there on none."""
    assert (bp_text(-7.55), bp_text(99.94), bp_text(-1234.5)) == ("-7.5", "+99.9", "-1,234")


def test_a_gain_of_one_day_is_told() -> None:
    """The line names the day, the mean with it and the mean without it."""
    row = {
        "strategy": "alpha", "kind": "real", "net": {"mean": 22.5}, "rest_bp": -37.0,
        "best_day_ns": 1_760_054_400_000_000_000,
    }  # fmt: skip
    line = best_day_line(row)
    assert all(part in line for part in ("alpha real", "+22.5", "-37.0", "2025-10-10"))


def test_an_interval_shows_both_ends() -> None:
    """Mean and bounds of a row are all in its text."""
    interval: dict[str, Any] = {"mean": -7.5, "low": -12.8, "high": -2.4, "n": 18}
    text = interval_text(interval).replace("\N{MINUS SIGN}", "-")
    for part in ("-7.5", "-12.8", "-2.4"):
        assert part in text


def test_without_markouts_nothing_is_claimed() -> None:
    """Where no maker fill could be followed the cell holds no number."""
    assert not any(sign.isdigit() for sign in markout_text(None))


def test_each_method_of_an_interval_has_a_word() -> None:
    """A reader learns whether an interval is Student's or a bootstrap's."""
    assert method_text("t") != method_text("bootstrap")
