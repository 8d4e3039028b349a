"""Every error HEAN raises on purpose.

HEANError
├── SettingsError        a setting is unknown, mistyped or out of bounds (exit 2)
├── DataError            a dataset, capture or file cannot be trusted (exit 3)
├── BrokenPromiseError   something the system guarantees did not hold (exit 4)
│   ├── JournalError     the journal cannot be written, or its chain does not verify
│   └── ReconciliationError  books and venue disagree
├── StateError           a state directory belongs to another run, or is in use (exit 2)
├── EventError           an event was built or routed wrongly
└── StrategyError        a strategy cannot be loaded or breaks its contract
"""

from __future__ import annotations


class HEANError(Exception):
    """The root of all errors that HEAN raises on purpose; its text is one sentence for a person."""

    exit_code = 1


class SettingsError(HEANError):
    """A setting is unknown, mistyped or out of bounds."""

    exit_code = 2


class StateError(HEANError):
    """A state directory is in use, or was made by another mode, feed, account or seed."""

    exit_code = 2


class DataError(HEANError):
    """A dataset, capture or file is missing, malformed or inconsistent."""

    exit_code = 3


class BrokenPromiseError(HEANError):
    """Something the system guarantees did not hold."""

    exit_code = 4


class JournalError(BrokenPromiseError):
    """The journal cannot be written, or its hash chain does not verify."""


class ReconciliationError(BrokenPromiseError):
    """The books and the venue disagree and no order in flight explains it."""


class EventError(HEANError):
    """An event was built, decoded or routed wrongly."""


class StrategyError(HEANError):
    """A strategy cannot be loaded or breaks its contract."""
