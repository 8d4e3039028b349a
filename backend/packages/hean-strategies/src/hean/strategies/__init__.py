"""The strategies, the base they share, and how they are found and set up."""

from __future__ import annotations

from hean.strategies.base import DeskState, Parameters, Strategy, StrategySection, hear
from hean.strategies.desk import Desk
from hean.strategies.momentum_trader import MomentumSettings, MomentumTrader
from hean.strategies.registry import StrategySet, build_strategies, load_strategies
from hean.strategies.settings import StrategiesSettings
from hean.strategies.spec import TABLE, SpecRow, Tunable, tunable
from hean.strategies.universe import Market

__all__ = [
    "TABLE",
    "Desk",
    "DeskState",
    "Market",
    "MomentumSettings",
    "MomentumTrader",
    "Parameters",
    "SpecRow",
    "StrategiesSettings",
    "Strategy",
    "StrategySection",
    "StrategySet",
    "Tunable",
    "build_strategies",
    "hear",
    "load_strategies",
    "tunable",
]
