from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from hean.core.events import union
from hean.core.events.base import Event
from hean.core.events.union import (
    CRITICAL,
    DURABLE,
    EVENT_TYPES,
    LOW,
    MONEY_EVENTS,
    NORMAL,
    PRIORITY,
    decode,
    encode,
    schema_text,
)
from hean.core.testing import (
    bar,
    book,
    filled,
    funding,
    mark,
    order_request,
    position_closed,
    profile,
    quote,
    registered,
    signal,
)

_FILE = Path(union.__file__).with_name("events.schema.json")
_COMMAND = (
    "uv run python -m hean.core.events > /tmp/events.schema.json && mv /tmp/events.schema.json "
    "backend/packages/hean-core/src/hean/core/events/"
)


def test_the_committed_schema_is_the_present_one() -> None:
    """The committed schema equals the generated one; a change of events shows in the diff."""
    assert _FILE.read_text() == schema_text(), f"regenerate it: {_COMMAND}"


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_event_is_frozen_tagged_and_keyword_only(kind: type[Event]) -> None:
    """No event can be changed, built by position, or tracked by the collector."""
    config = kind.__struct_config__
    assert config.frozen
    assert not config.gc
    assert config.tag == union.Event.__struct_config__.tag or isinstance(config.tag, str)
    with pytest.raises(TypeError, match="positional"):
        kind(1, 2)  # type: ignore[call-arg,misc]


def _subclasses(kind: type[Event]) -> set[type[Event]]:
    found = set(kind.__subclasses__())
    return found | {deeper for one in found for deeper in _subclasses(one)}


def test_the_union_holds_every_event_there_is() -> None:
    """Each subclass of Event in the package has exactly one priority and a name of its own."""
    known = {one for one in _subclasses(Event) if one.__module__.startswith("hean.core.events.")}
    assert known == set(EVENT_TYPES)
    assert len(CRITICAL) + len(NORMAL) + len(LOW) == len(EVENT_TYPES) == len(PRIORITY)
    assert len({kind.__struct_config__.tag for kind in EVENT_TYPES}) == len(EVENT_TYPES)


def test_money_is_durable_and_what_is_durable_is_urgent_or_decided() -> None:
    """What carries money is retried, and no market data is."""
    assert MONEY_EVENTS <= DURABLE
    assert not DURABLE & LOW


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_a_key_field_is_a_field(kind: type[Event]) -> None:
    """The attribute by which the bus routes an event exists and is a string."""
    if kind.key_field:
        fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
        assert fields[kind.key_field] is str


@pytest.mark.parametrize(
    "event",
    [
        quote(),
        bar(),
        book(),
        funding(),
        mark(),
        signal(),
        order_request(),
        filled(order_request()),
        position_closed(),
        registered(profile()),
    ],
    ids=lambda event: type(event).__name__,
)
def test_events_survive_the_wire(event: Event) -> None:
    """Encoding and decoding give an equal event of the same type, with the same bytes again."""
    data = encode(event)
    assert decode(data) == event
    assert encode(decode(data)) == data


def test_the_wire_refuses_what_is_no_event() -> None:
    """An unknown tag, a missing field or a wrong type raises a validation error."""
    for text in ('{"type":"NOTHING"}', '{"type":"QUOTE"}', '{"type":"RUN_ENDED","ts_event":"x"}'):
        with pytest.raises(msgspec.ValidationError):
            decode(text)
