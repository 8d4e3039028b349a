from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from hean.core.errors import StateError
from hean.core.snapshot import pack, unpack


class _State(msgspec.Struct, frozen=True):
    amount: Decimal
    names: dict[str, int]


def test_state_comes_back_as_it_was() -> None:
    """A packed struct unpacks to an equal one: Decimal digits and the order of keys included."""
    state = _State(Decimal("1.500"), {"b": 1, "a": 2})
    data = pack("books", 3, state)
    found = unpack(data, "books", 3, _State)
    assert found == state
    assert str(found.amount) == "1.500"
    assert list(found.names) == ["b", "a"]
    assert pack("books", 3, found) == data


@pytest.mark.parametrize(
    ("component", "version", "message"),
    [("other", 3, "cannot be restored as other"), ("books", 4, "version 4")],
)
def test_another_component_or_version_is_refused(
    component: str, version: int, message: str
) -> None:
    """Restoring into the wrong part or version raises `StateError` naming both."""
    data = pack("books", 3, _State(Decimal(1), {}))
    with pytest.raises(StateError, match=message):
        unpack(data, component, version, _State)


@pytest.mark.parametrize("data", [b"", b"junk", pack("books", 3, [1, 2])])
def test_damaged_state_is_refused(data: bytes) -> None:
    """Bytes that are no state of that shape raise `StateError`."""
    with pytest.raises(StateError, match="cannot be read"):
        unpack(data, "books", 3, _State)
