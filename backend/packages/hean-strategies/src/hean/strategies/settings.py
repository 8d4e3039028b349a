"""Settings of the strategies: one field a strategy; each Section lies in its strategy's module."""

from __future__ import annotations

from pydantic import Field

from hean.config import Section
from hean.strategies.basis_arbitrage import BasisSettings
from hean.strategies.correlation_arb import CorrelationSettings
from hean.strategies.funding_desk import FundingSettings
from hean.strategies.grid_desk import GridSettings
from hean.strategies.hf_scalping import ScalpingSettings
from hean.strategies.impulse_engine import ImpulseSettings
from hean.strategies.liquidity_sweep import SweepSettings
from hean.strategies.market_making_desk import MarketMakingSettings
from hean.strategies.momentum_trader import MomentumSettings
from hean.strategies.rebate_farmer import RebateSettings
from hean.strategies.sentiment_strategy import SentimentSettings


class StrategiesSettings(Section):
    """`STRATEGIES__...`: what each strategy may be told, and the tunables of foreign ones."""

    hf_scalping: ScalpingSettings = ScalpingSettings()
    """HFScalping."""
    inventory_neutral_mm: MarketMakingSettings = MarketMakingSettings()
    """InventoryNeutralMM."""
    rebate_farmer: RebateSettings = RebateSettings()
    """RebateFarmer."""
    impulse_engine: ImpulseSettings = ImpulseSettings()
    """ImpulseEngine."""
    liquidity_sweep: SweepSettings = SweepSettings()
    """LiquiditySweep."""
    momentum_trader: MomentumSettings = MomentumSettings()
    """MomentumTrader."""
    enhanced_grid: GridSettings = GridSettings()
    """EnhancedGrid."""
    funding_harvester: FundingSettings = FundingSettings()
    """FundingHarvester."""
    basis_arbitrage: BasisSettings = BasisSettings()
    """BasisArbitrage."""
    correlation_arb: CorrelationSettings = CorrelationSettings()
    """CorrelationArbitrage."""
    sentiment_strategy: SentimentSettings = SentimentSettings()
    """SentimentStrategy."""
    others: dict[str, dict[str, str | float | bool]] = Field(default_factory=dict)
    """Settings of strategies from other packages, as JSON: name, then field, then value."""
