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
MAX_SLICES = len(_SLICE_LETTERS)
"""How many orders one request may be sent in, each under an id of its own."""


def slice_order_id(request: str, number: int) -> str:
    """Return the client order id of slice `number`, from 0, of a request sent in parts.

    One letter beyond hex is appended, so that a slice's protective stop still has 36 characters.
    A slice's end is not its request's: execution tells that with an `OrderCancelled` of its own.
    """
    return request + _SLICE_LETTERS[number]


def sliced_request(client_order_id: str) -> str:
    """Return the client order id of the request an order is a slice of, or "" if it is none."""
    is_slice = len(client_order_id) == _REQUEST_LENGTH + 1 and client_order_id[-1] in _SLICE_LETTERS
    return client_order_id[:-1] if is_slice else ""
