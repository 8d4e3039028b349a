"""The strategies, the base they share, and how they are found and set up."""

from __future__ import annotations

from hean.strategies.base import (
    DeskState,
    Parameters,
    Strategy,
    StrategyNote,
    StrategySection,
    hear,
)
from hean.strategies.basis_arbitrage import BasisArbitrage
from hean.strategies.correlation_arb import CorrelationArbitrage
from hean.strategies.desk import Desk
from hean.strategies.enhanced_grid import EnhancedGrid
from hean.strategies.funding_harvester import FundingHarvester
from hean.strategies.hf_scalping import HFScalping
from hean.strategies.impulse_engine import ImpulseEngine
from hean.strategies.inventory_neutral_mm import InventoryNeutralMM
from hean.strategies.liquidity_sweep import LiquiditySweep
from hean.strategies.momentum_trader import MomentumTrader
from hean.strategies.notes import NOTES, note_of
from hean.strategies.rebate_farmer import RebateFarmer
from hean.strategies.registry import StrategySet, build_strategies, load_strategies
from hean.strategies.sentiment_strategy import SentimentStrategy
from hean.strategies.settings import StrategiesSettings
from hean.strategies.spec import TABLE, SpecRow, Tunable, tunable
from hean.strategies.universe import Market

__all__ = [
    "NOTES",
    "TABLE",
    "BasisArbitrage",
    "CorrelationArbitrage",
    "Desk",
    "DeskState",
    "EnhancedGrid",
    "FundingHarvester",
    "HFScalping",
    "ImpulseEngine",
    "InventoryNeutralMM",
    "LiquiditySweep",
    "Market",
    "MomentumTrader",
    "Parameters",
    "RebateFarmer",
    "SentimentStrategy",
    "SpecRow",
    "StrategiesSettings",
    "Strategy",
    "StrategyNote",
    "StrategySection",
    "StrategySet",
    "Tunable",
    "build_strategies",
    "hear",
    "load_strategies",
    "note_of",
    "tunable",
]
