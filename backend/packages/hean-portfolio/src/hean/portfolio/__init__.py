"""The books, and who gets capital: ledger, allocator, shadow book and AutoPilot."""

from hean.portfolio.autopilot import AutoPilot, Mode
from hean.portfolio.equity import Equity
from hean.portfolio.kinship import Kinship
from hean.portfolio.ledger import EXTERNAL, Ledger
from hean.portfolio.performance import Performance, Standing
from hean.portfolio.portfolio import Portfolio, build_portfolio
from hean.portfolio.positions import InstrumentBook, Tally, VirtualPosition
from hean.portfolio.reconciliation import Reconciler
from hean.portfolio.settings import PortfolioSettings, check_portfolio
from hean.portfolio.shadow_book import ShadowBook
from hean.portfolio.strategy_capital_allocator import StrategyCapitalAllocator

__all__ = [
    "EXTERNAL",
    "AutoPilot",
    "Equity",
    "InstrumentBook",
    "Kinship",
    "Ledger",
    "Mode",
    "Performance",
    "Portfolio",
    "PortfolioSettings",
    "Reconciler",
    "ShadowBook",
    "Standing",
    "StrategyCapitalAllocator",
    "Tally",
    "VirtualPosition",
    "build_portfolio",
    "check_portfolio",
]
