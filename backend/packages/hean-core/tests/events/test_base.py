from __future__ import annotations

import pytest

from hean.core.events.base import wire_name
from hean.core.testing import quote


@pytest.mark.parametrize(
    ("name", "expected"),
    [("OrderFilled", "ORDER_FILLED"), ("Quote", "QUOTE"), ("RunEnded", "RUN_ENDED")],
)
def test_wire_names_are_the_class_names_in_capitals(name: str, expected: str) -> None:
    """A class name becomes its words in capitals, joined by underscores."""
    assert wire_name(name) == expected


def test_an_event_cannot_be_changed() -> None:
    """Assigning to a field of an event raises."""
    event = quote()
    with pytest.raises(AttributeError):
        event.bid = 1.0  # type: ignore[misc]
