"""The base of all events: two times, two causes, a wire name."""

from __future__ import annotations

import re
from typing import ClassVar

import msgspec

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def wire_name(class_name: str) -> str:
    """Return the name on the wire: `OrderFilled` becomes `ORDER_FILLED`."""
    return _WORD.sub("_", class_name).upper()


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=wire_name):
    """A fact. `ts_event` is the source's time, `ts_init` the kernel's, both in ns UTC.

    `correlation_id` is the signal it belongs to, `causation_id` what directly caused it.
    `key_field` names the attribute by which the bus routes it to those who asked for one key.
    """

    key_field: ClassVar[str] = ""

    ts_event: int
    ts_init: int
    correlation_id: str = ""
    causation_id: str = ""
