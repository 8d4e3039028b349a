"""Durations, speeds and instants as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hean.core.errors import SettingsError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)([smhd]))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
SECOND_NS = 1_000_000_000


def parse_duration(text: str) -> int:
    """Return a duration such as 90s, 15m, 1h30m or 2d in ns; raises `SettingsError`."""
    plain = text.strip().lower()
    if plain.isdigit():
        plain += "s"
    if not _DURATION.fullmatch(plain):
        raise SettingsError(f"--duration {text!r} is no duration; write 90s, 15m, 2h or 1d")
    total = 0
    for number, unit in _PART.findall(plain):
        total += round(float(number) * _UNITS[unit] * SECOND_NS)
    if total <= 0:
        raise SettingsError(f"--duration {text!r} is not above zero; write 90s, 15m, 2h or 1d")
    return total


def parse_speed(text: str) -> float | None:
    """Return kernel seconds per second, None for `max`; raises `SettingsError`."""
    if text.strip().lower() == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0.0 < speed <= 1e6:
        raise SettingsError(f"--speed {text!r} is not a number above 0 nor max; write --speed 10")
    return speed


def parse_instant(text: str, option: str) -> int:
    """Return a UTC date or time (2025-10-01T12:00:00Z) in ns; raises `SettingsError`."""
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise SettingsError(
            f"{option} {text!r} is no UTC time; write 2025-10-01 or 2025-10-01T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * SECOND_NS


def format_instant(ts_ns: int) -> str:
    """Return kernel time as ISO 8601 UTC to the second."""
    moment = datetime.fromtimestamp(ts_ns // SECOND_NS, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
