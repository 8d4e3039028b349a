"""Deterministic identities: the same decision always gets the same id, in any process."""

from __future__ import annotations

from hashlib import blake2b

_CLIENT_ORDER_PREFIX = "h"
PROTECTIVE_SUFFIX = "-S"
"""What the venue order of a protective stop adds to its parent's client order id."""


def digest_of(*parts: object) -> str:
    """Return BLAKE2b of 128 bits, in hex, over the parts joined by an unprintable separator."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def signal_id(strategy: str, instrument: str, ts_ns: int, sequence: int) -> str:
    """Return the id of a strategy's evaluation: `sequence` counts evaluations of that strategy."""
    text = f"{strategy}\x1f{instrument}\x1f{ts_ns}\x1f{sequence}"
    return blake2b(text.encode(), digest_size=16).hexdigest()


def client_order_id(signal: str) -> str:
    """Return the client order id (33 characters) of the one order a signal may become."""
    return _CLIENT_ORDER_PREFIX + signal


def minted_order_id(cause: str, instrument: str, strategy: str, attempt: int) -> str:
    """Return the client order id of an order that no signal asked for, such as an unwinding."""
    return _CLIENT_ORDER_PREFIX + digest_of(cause, instrument, strategy, attempt)


def protective_order_id(parent: str) -> str:
    """Return the client order id of the protective stop that rests for the order `parent`."""
    return parent + PROTECTIVE_SUFFIX


_REQUEST_LENGTH = 33
_SLICE_LETTERS = "ghijklmnopqrstuvwxyz"
MAX_SLICES = len(_SLICE_LETTERS) + 1
"""How many orders one request may be sent in: the first under its own id."""


def slice_order_id(request: str, number: int) -> str:
    """Return the client order id of slice `number` of a request; slice 0 has the request's own.

    One letter beyond hex is appended, so that a slice's protective stop still has 36 characters.
    """
    return request if number == 0 else request + _SLICE_LETTERS[number - 1]


def request_order_id(client_order_id: str) -> str:
    """Return the client order id of the request a slice or a protective stop belongs to."""
    found = client_order_id.removesuffix(PROTECTIVE_SUFFIX)
    is_slice = len(found) == _REQUEST_LENGTH + 1 and found[-1] in _SLICE_LETTERS
    return found[:-1] if is_slice else found
