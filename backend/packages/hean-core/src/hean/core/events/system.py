"""The system's own events: time, operators, failures, the run's beginning and end."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from hean.core.events.base import Event


class TimerFired(Event, frozen=True, kw_only=True):
    """A timer that `owner` armed is due (`ts_event`); `key` is the owner's own name for it."""

    key_field: ClassVar[str] = "owner"

    owner: str
    key: str


class Heartbeat(Event, frozen=True, kw_only=True):
    """The feed's beat: each whole second where quotes or trades come, else each bar close."""

    interval_ns: int


class OperatorCommand(Event, frozen=True, kw_only=True):
    """A person's command: `command` with `arguments` as (name, value)."""

    command: str
    operator: str
    reason: str
    arguments: tuple[tuple[str, str], ...] = ()


class DeadLettered(Event, frozen=True, kw_only=True):
    """A handler failed on a durable event for good; `payload` is the event, encoded."""

    handler: str
    event_type: str
    key: str
    attempts: int
    error: str
    payload: str
    carries_money: bool = False


class JournalFailed(Event, frozen=True, kw_only=True):
    """The journal could not be written; nothing new may be opened."""

    error: str


class ReconciliationBreak(Event, frozen=True, kw_only=True):
    """Books and venue disagree: what, how much, and which instrument (empty: the wallet).

    One without an `explanation` makes the books uncertain and trips the kill switch.
    """

    instrument: str
    subject: str
    books: Decimal
    venue: Decimal
    explanation: str = ""


class RunStarted(Event, frozen=True, kw_only=True):
    """A run begins: which settings, seed, dataset and versions decide it."""

    run_id: str
    mode: str
    feed: str
    seed: int
    settings_sha256: str
    dataset_sha256: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    carries: tuple[str, ...] = ()
    """Letters of `Need` that the feed carries."""
    history_until: int = 0
    """Kernel time up to which the feed only warms features up; signals before it are refused."""


class RunEnded(Event, frozen=True, kw_only=True):
    """A run ended at this kernel time."""

    run_id: str
    reason: str
