"""All settings of the application: what several packages read, and a section for each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from hean.app.feeds.settings import SimSettings
from hean.app.venues.settings import VenueSettings
from hean.config import HEANSettings, Local
from hean.portfolio.settings import PortfolioSettings
from hean.risk.settings import RiskSettings
from hean.strategies.settings import StrategiesSettings


class AppSettings(HEANSettings):
    """Every setting of HEAN, with a field for each package's section."""

    feature_tables: Annotated[Path | None, Local()] = None
    """File of fitted micro-price and level tables, made by hean-app data fit; empty: none."""

    risk: RiskSettings = RiskSettings()
    """Whether and how much: limits, governor, kill switch."""

    portfolio: PortfolioSettings = PortfolioSettings()
    """Who gets capital: allocator, AutoPilot, books."""

    strategies: StrategiesSettings = StrategiesSettings()
    """The strategies' own thresholds and windows."""

    venue: VenueSettings = VenueSettings()
    """The paper venue: latency and fill models."""

    sim: SimSettings = SimSettings()
    """The built-in simulated market."""
