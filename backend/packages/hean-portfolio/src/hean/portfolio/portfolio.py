"""The whole of hean-portfolio, built and in its declared order."""

from __future__ import annotations

from dataclasses import dataclass

from hean.config import HEANSettings
from hean.core.bus import Bus, Component
from hean.core.market_view import MarketView
from hean.core.timers import Agenda
from hean.portfolio.autopilot import AutoPilot
from hean.portfolio.equity import Equity
from hean.portfolio.kinship import Kinship
from hean.portfolio.ledger import Ledger
from hean.portfolio.performance import Performance
from hean.portfolio.reconciliation import Reconciler
from hean.portfolio.settings import PortfolioSettings, check_portfolio
from hean.portfolio.shadow_book import ShadowBook
from hean.portfolio.strategy_capital_allocator import StrategyCapitalAllocator


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """The components of the books and of who gets capital."""

    ledger: Ledger
    reconciler: Reconciler
    equity: Equity
    shadow_book: ShadowBook
    performance: Performance
    kinship: Kinship
    autopilot: AutoPilot
    allocator: StrategyCapitalAllocator

    @property
    def components(self) -> tuple[Component, ...]:
        """All of them, in the order in which they attach and are snapshot and restored."""
        return (
            self.ledger,
            self.reconciler,
            self.equity,
            self.shadow_book,
            self.performance,
            self.kinship,
            self.autopilot,
            self.allocator,
        )


def build_portfolio(
    settings: HEANSettings,
    section: PortfolioSettings,
    bus: Bus,
    agenda: Agenda,
    view: MarketView,
) -> Portfolio:
    """Return the portfolio, not yet attached; raises `SettingsError` if floors cannot fit."""
    check_portfolio(settings, section)
    ledger = Ledger(bus=bus, agenda=agenda, view=view)
    equity = Equity(settings=settings, bus=bus, agenda=agenda, view=view, ledger=ledger)
    performance = Performance(section=section, bus=bus, agenda=agenda, view=view, ledger=ledger)
    kinship = Kinship(section=section, performance=performance)
    return Portfolio(
        ledger=ledger,
        reconciler=Reconciler(
            section=section, bus=bus, agenda=agenda, ledger=ledger, equity=equity
        ),
        equity=equity,
        shadow_book=ShadowBook(bus=bus, agenda=agenda, view=view),
        performance=performance,
        kinship=kinship,
        autopilot=AutoPilot(
            settings=settings,
            section=section,
            bus=bus,
            agenda=agenda,
            view=view,
            equity=equity,
            performance=performance,
            kinship=kinship,
        ),
        allocator=StrategyCapitalAllocator(
            settings=settings,
            section=section,
            bus=bus,
            agenda=agenda,
            view=view,
            equity=equity,
            performance=performance,
            kinship=kinship,
        ),
    )
