"""The core of HEAN: events, bus, kernel, slots, journal and instruments.

Events have their own façade, `hean.core.events`; features, the edge guard's arithmetic, ids and the
shipped fakes are imported from their modules.
"""

from hean.core.bus import Bus, BusStatistics, Component, Stage, Subscription
from hean.core.bus_dlq import DeadLetterQueue, DeadLetterStatistics, LetterStore
from hean.core.clock import Clock, ManualClock, WallClock
from hean.core.errors import (
    BrokenPromiseError,
    DataError,
    EventError,
    HEANError,
    JournalError,
    ReconciliationError,
    SettingsError,
    StateError,
    StrategyError,
)
from hean.core.inflight_tracker import InFlightTracker
from hean.core.instruments import (
    MONEY,
    Instrument,
    InstrumentKind,
    MarginTier,
    decimal_of,
    minimum_viable_budget,
    significant,
)
from hean.core.journal import (
    DeadLetter,
    Journal,
    MemoryJournal,
    Record,
    Segment,
    Snapshot,
    SqliteJournal,
)
from hean.core.journal_recorder import JournalRecorder
from hean.core.kernel import Kernel
from hean.core.market_view import Mark, MarketView
from hean.core.slot_policy import SlotPolicy
from hean.core.slots import Grant, Refusal, SlotRequest, SlotStatistics
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda

__all__ = [
    "MONEY",
    "Agenda",
    "BrokenPromiseError",
    "Bus",
    "BusStatistics",
    "Clock",
    "Component",
    "DataError",
    "DeadLetter",
    "DeadLetterQueue",
    "DeadLetterStatistics",
    "EventError",
    "Grant",
    "HEANError",
    "InFlightTracker",
    "Instrument",
    "InstrumentKind",
    "Journal",
    "JournalError",
    "JournalRecorder",
    "Kernel",
    "LetterStore",
    "ManualClock",
    "MarginTier",
    "Mark",
    "MarketView",
    "MemoryJournal",
    "ReconciliationError",
    "Record",
    "Refusal",
    "Segment",
    "SettingsError",
    "SlotPolicy",
    "SlotRequest",
    "SlotStatistics",
    "Snapshot",
    "SqliteJournal",
    "Stage",
    "StateError",
    "StrategyError",
    "Subscription",
    "WallClock",
    "decimal_of",
    "minimum_viable_budget",
    "pack",
    "significant",
    "unpack",
]
