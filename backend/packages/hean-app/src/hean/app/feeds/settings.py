"""Settings of the feeds."""

from __future__ import annotations

from pydantic import Field

from hean.config import Section


class SimSettings(Section):
    """The built-in simulated market."""

    history_days: float = Field(default=5.0, ge=0.1, le=30.0)
    """Days of its own past that `sim` plays as minute bars before it starts."""
    history_tick_hours: float = Field(default=2.0, ge=0.0, le=24.0)
    """Hours of its own past that `sim` plays as ticks before it starts."""
