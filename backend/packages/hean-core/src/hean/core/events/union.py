"""The closed union of events: priorities, what is durable, what carries money, and the codec."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

import msgspec

from hean.core.events import (
    decision,
    market,
    portfolio,
    risk,
    strategy,
    system,
    venue,
)
from hean.core.events.base import Event


class Priority(IntEnum):
    """Which lane an event waits in: CRITICAL before NORMAL before LOW."""

    CRITICAL = 0
    NORMAL = 1
    LOW = 2


CRITICAL: Final[frozenset[type[Event]]] = frozenset(
    {
        decision.OrderRequest,
        decision.SignalWithdrawn,
        venue.OrderSubmitted,
        venue.OrderAccepted,
        venue.OrderRejected,
        venue.OrderCancelled,
        venue.OrderExpired,
        venue.OrderFilled,
        venue.OrderUnknown,
        venue.FundingPaid,
        venue.WalletUpdated,
        venue.VenueSnapshot,
        venue.VenueStateChanged,
        portfolio.PositionOpened,
        portfolio.PositionChanged,
        portfolio.PositionClosed,
        portfolio.EquityUpdated,
        risk.RiskEnvelope,
        risk.RiskStateChanged,
        risk.KillSwitchTripped,
        risk.KillSwitchReset,
        system.OperatorCommand,
        system.DeadLettered,
        system.JournalFailed,
        system.ReconciliationBreak,
        system.RunStarted,
        system.RunEnded,
    }
)
NORMAL: Final[frozenset[type[Event]]] = frozenset(
    {
        strategy.Signal,
        strategy.StrategyRegistered,
        decision.SignalRejected,
        decision.EdgeGuardChanged,
        portfolio.CapitalAllocated,
        portfolio.ActiveStrategiesChanged,
        portfolio.ShadowClosed,
        market.RegimeChanged,
        market.InstrumentUpdated,
        system.TimerFired,
    }
)
LOW: Final[frozenset[type[Event]]] = frozenset(
    {
        market.Quote,
        market.Trade,
        market.BookUpdate,
        market.Bar,
        market.FundingRate,
        market.MarkPrice,
        market.Liquidation,
        market.SentimentReading,
        market.FeedGap,
        market.Frame,
        system.Heartbeat,
    }
)
EVENT_TYPES: Final[tuple[type[Event], ...]] = tuple(
    sorted(CRITICAL | NORMAL | LOW, key=lambda kind: kind.__name__)
)
"""Every event there is, sorted by name."""

DURABLE: Final[frozenset[type[Event]]] = frozenset(
    {
        strategy.Signal,
        decision.OrderRequest,
        venue.OrderSubmitted,
        venue.OrderAccepted,
        venue.OrderRejected,
        venue.OrderCancelled,
        venue.OrderExpired,
        venue.OrderFilled,
        venue.OrderUnknown,
        venue.FundingPaid,
        venue.WalletUpdated,
        venue.VenueSnapshot,
        portfolio.PositionOpened,
        portfolio.PositionChanged,
        portfolio.PositionClosed,
        portfolio.CapitalAllocated,
        portfolio.ActiveStrategiesChanged,
        risk.RiskStateChanged,
        risk.KillSwitchTripped,
        risk.KillSwitchReset,
        system.ReconciliationBreak,
    }
)
"""Events that a failing handler must not lose: the dead-letter queue retries them."""

MONEY_EVENTS: Final[frozenset[type[Event]]] = frozenset(
    {
        venue.OrderFilled,
        venue.FundingPaid,
        venue.WalletUpdated,
        portfolio.PositionOpened,
        portfolio.PositionChanged,
        portfolio.PositionClosed,
    }
)
"""Durable events whose permanent loss halts new entries."""

PRIORITY: Final[dict[type[Event], Priority]] = {
    **dict.fromkeys(CRITICAL, Priority.CRITICAL),
    **dict.fromkeys(NORMAL, Priority.NORMAL),
    **dict.fromkeys(LOW, Priority.LOW),
}

_union: Any = EVENT_TYPES[0]
for _kind in EVENT_TYPES[1:]:
    _union = _union | _kind

_ENCODER: Final = msgspec.json.Encoder(decimal_format="string", order="deterministic")
_DECODER: Final = msgspec.json.Decoder(_union)


encode: Final[Callable[[Event], bytes]] = _ENCODER.encode
"""Return the event as one line of JSON; the same event gives the same bytes everywhere."""


def decode(data: bytes | str) -> Event:
    """Return the event of a JSON line; raises `msgspec.ValidationError` for what is no event."""
    return _DECODER.decode(data)


def schema() -> dict[str, Any]:
    """Return the JSON schema of every event, as committed in `events.schema.json`."""
    (_, components) = msgspec.json.schema_components(EVENT_TYPES, ref_template="#/$defs/{name}")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": components}


def schema_text() -> str:
    """Return the schema as the text of `events.schema.json`."""
    return msgspec.json.format(_ENCODER.encode(schema()), indent=2).decode() + "\n"
