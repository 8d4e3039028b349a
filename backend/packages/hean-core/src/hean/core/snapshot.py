"""Component state in and out: one struct, one version, MessagePack bytes."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from hean.core.errors import StateError

StateT = TypeVar("StateT")


class _Envelope(msgspec.Struct, frozen=True, array_like=True):
    component: str
    version: int
    state: msgspec.Raw


# dictionaries keep their order: what is first in, first out must stay so after a restore
_ENCODER = msgspec.msgpack.Encoder(decimal_format="string")


def pack(component: str, version: int, state: object) -> bytes:
    """Return the state as bytes that name their component and version."""
    return _ENCODER.encode(_Envelope(component, version, msgspec.Raw(_ENCODER.encode(state))))


def unpack(data: bytes, component: str, version: int, kind: type[StateT]) -> StateT:
    """Return the state as `kind`; raises `StateError` for another component, version or shape."""
    try:
        envelope = msgspec.msgpack.decode(data, type=_Envelope)
        if (envelope.component, envelope.version) != (component, version):
            raise StateError(
                f"state of {envelope.component} version {envelope.version} "
                f"cannot be restored as {component} version {version}"
            )
        return msgspec.msgpack.decode(envelope.state, type=kind)
    except msgspec.DecodeError as error:
        raise StateError(f"state of {component} cannot be read: {error}") from error
