import pytest

from hean.app.timespan import (
    SECOND_NS,
    format_instant,
    parse_duration,
    parse_instant,
    parse_speed,
)
from hean.core.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("90", 90), ("15m", 900), ("1h30m", 5400), ("2d", 172_800), (" 0.5H ", 1800)],
)
def test_durations(text: str, seconds: int) -> None:
    """Durations are numbers with units, added up; a bare number is seconds."""
    assert parse_duration(text) == seconds * SECOND_NS


@pytest.mark.parametrize("text", ["", "5x", "-5s", "0s", "m", "1h 30m", "\u00b2"])
def test_what_is_no_duration(text: str) -> None:
    """Anything else, and zero, is refused with an example."""
    with pytest.raises(SettingsError, match="write 90s, 15m, 2h or 1d"):
        parse_duration(text)


def test_speeds() -> None:
    """A speed is a number above zero, or max for as fast as it goes."""
    assert parse_speed("10") == 10.0
    assert parse_speed("0.5") == 0.5
    assert parse_speed(" MAX ") is None


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "fast", ""])
def test_what_is_no_speed(text: str) -> None:
    """Zero, negative, endless or wordy speeds are refused."""
    with pytest.raises(SettingsError, match="--speed"):
        parse_speed(text)


@pytest.mark.parametrize(
    "text",
    ["2025-10-01", "2025-10-01T00:00:00Z", "2025-10-01T02:00:00+02:00", "2025-10-01 00:00"],
)
def test_instants_are_utc(text: str) -> None:
    """An instant without an offset is UTC; one with an offset is turned to it."""
    found = parse_instant(text, "--start")
    assert format_instant(found) == "2025-10-01T00:00:00Z"


def test_what_is_no_instant() -> None:
    """What is no time is refused under the option's name."""
    with pytest.raises(SettingsError, match="--end 'soon'"):
        parse_instant("soon", "--end")
