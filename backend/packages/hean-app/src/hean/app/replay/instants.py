"""Instants in text: how people write a UTC time, and how messages show one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hean.core.errors import DataError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def parse_instant(value: object, field: str) -> int:
    """Return ns UTC of an ISO 8601 text (or a TOML date and time); without an offset it is UTC.

    Raises `DataError` that names `field` and the value.
    """
    found: datetime | None = None
    if isinstance(value, datetime):
        found = value
    elif isinstance(value, date):
        found = datetime(value.year, value.month, value.day, tzinfo=UTC)
    elif isinstance(value, str):
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            found = None
    if found is None:
        raise DataError(
            f"{field} is {value!r}, which is no time; write it like 2025-01-31T00:00:00Z"
        )
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return (found - _EPOCH) // _MICROSECOND * 1000


def instant_text(instant: int) -> str:
    """Return ns UTC as people read it: `2025-01-31T00:00:00Z`, with microseconds if any."""
    try:
        moment = _EPOCH + timedelta(microseconds=instant // 1000)
    except OverflowError:
        return f"{instant} ns"
    return moment.isoformat().replace("+00:00", "Z")
