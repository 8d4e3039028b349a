"""Settings of the paper venue: `VENUE__...`."""

from __future__ import annotations

from pydantic import Field

from hean.config import Section


class VenueSettings(Section):
    """How the paper venue treats orders; live trading has a venue of its own."""

    order_latency_ms: float = Field(default=50.0, ge=0.0, le=60_000.0)
    """Milliseconds from sending an order, cancel or amendment until the paper venue has it."""
    report_latency_ms: float = Field(default=10.0, ge=0.0, le=60_000.0)
    """Milliseconds from what happens at the paper venue until its report is here."""
    slippage_bp: float = Field(default=1.0, ge=0.0, le=100.0)
    """What a taker pays beyond the price it meets, where depth is not known; also stops."""
    thin_book_bp: float = Field(default=10.0, ge=0.0, le=500.0)
    """What a market order pays beyond the last level shown for the size the book lacks."""
    collateral_share: float = Field(default=0.9, ge=0.0, le=1.0)
    """Share of a coin's value that counts as margin for perpetuals."""
