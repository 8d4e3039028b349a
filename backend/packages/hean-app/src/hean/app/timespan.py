"""Durations, speeds and instants as people write them."""

from __future__ import annotations

import re

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
