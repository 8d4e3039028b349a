"""Instants in text."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.app.replay.instants import instant_text, parse_instant
from hean.core.errors import DataError

from .dataset_files import BEGIN


@pytest.mark.parametrize(
    "text",
    ["2025-01-01", "2025-01-01T00:00:00Z", "2025-01-01T01:00:00+01:00", date(2025, 1, 1)],
)
def test_one_instant_in_many_spellings(text: object) -> None:
    """Date, UTC and offset spell the same instant; without an offset it is UTC."""
    assert parse_instant(text, "start") == BEGIN


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000))
def test_text_and_back(microseconds: int) -> None:
    """An instant of whole microseconds survives its text."""
    assert parse_instant(instant_text(microseconds * 1000), "start") == microseconds * 1000


@pytest.mark.parametrize("value", ["tomorrow", 5, None])
def test_what_is_no_time_is_refused(value: object) -> None:
    """The error names the field and the value."""
    with pytest.raises(DataError, match=r"--start is .* which is no time"):
        parse_instant(value, "--start")
