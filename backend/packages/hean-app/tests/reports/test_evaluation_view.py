from typing import Any

from hean.app.reports.evaluation_view import (
    interval_text,
    markout_text,
    method_text,
    short_name,
)


def test_instruments_are_told_without_their_venue() -> None:
    """A table has room for the coin and its kind, not for the venue."""
    assert "BTC" in short_name("BTCUSDT-PERP.BYBIT")
    assert "BYBIT" not in short_name("BTCUSDT-PERP.BYBIT")


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
