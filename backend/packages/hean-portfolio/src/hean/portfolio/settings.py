"""Settings of the books, the allocator and AutoPilot: `PORTFOLIO__...`."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field, model_validator

from hean.config import HEANSettings, Section
from hean.core.errors import SettingsError

_TOLERANCE = 1e-9


class PortfolioSettings(Section):
    """What only hean-portfolio reads; weights and caps are fractions of equity."""

    performance_weight: float = Field(default=0.7, ge=0.0, le=1.0)
    """Share of the allocation that follows performance; with PHASE_WEIGHT it adds up to 1."""
    phase_weight: float = Field(default=0.3, ge=0.0, le=1.0)
    """Share of the allocation that follows market phase."""
    max_shift_per_reallocation: float = Field(default=0.10, ge=0.01, le=0.40)
    """Largest change of one strategy's weight in one reallocation, in points of equity."""
    reallocation_min_change: float = Field(default=0.02, ge=0.0, le=0.10)
    """Smallest change of any weight that is worth a reallocation."""
    cluster_cap: float = Field(default=0.40, ge=0.0, le=1.0)
    """Largest share of equity that correlated strategies get together."""
    cluster_caps: dict[str, float] = Field(default_factory=dict)
    """Caps of single clusters by name, as JSON; others have CLUSTER_CAP."""
    allocation_min_outcomes: int = Field(default=5, ge=1, le=100)
    """Outcomes that at least two strategies need before allocation leaves the equal split."""
    bmin_enter: float = Field(default=1.2, ge=1.0, le=10.0)
    """Multiple of its smallest viable budget a strategy needs to be given capital."""
    bmin_stay: float = Field(default=1.0, ge=1.0, le=10.0)
    """Multiple of its smallest viable budget a strategy needs to keep capital."""
    evidence_tilt: float = Field(default=1.0, ge=0.0, le=3.0)
    """How strongly evidence moves the performance share; 0 is not at all."""
    edge_prior_sd: float = Field(default=0.03, ge=0.005, le=0.2)
    """Prior spread of true Sharpe ratios per 8 hours among strategies."""
    full_tier_dsr: float = Field(default=0.95, ge=0.8, le=0.999)
    """Deflated Sharpe probability that lifts a strategy to the FULL tier."""
    full_tier_min_trades: int = Field(default=50, ge=20, le=1000)
    """Closed trades on the account that the FULL tier needs."""
    trial_again_psr: float = Field(default=0.80, ge=0.0, le=0.999)
    """Probability of a positive Sharpe ratio below which FULL becomes TRIAL again."""
    correlation_prior_bins: int = Field(default=60, ge=10, le=1000)
    """Bins of 8 hours that the prior correlations are worth."""
    shadow_weight: float = Field(default=0.5, ge=0.0, le=1.0)
    """Weight of a bin known only from the shadow book."""
    autopilot_enabled: bool = True
    """Whether AutoPilot chooses who is active; false makes all eligible strategies active."""
    autopilot_min_active: int = Field(default=2, ge=0, le=64)
    """Fewest active strategies while that many are eligible."""
    autopilot_max_active: int = Field(default=8, ge=1, le=64)
    """Most active strategies."""
    autopilot_epoch_seconds: int = Field(default=86_400, ge=3600, le=604_800)
    """Kernel seconds between two draws, aligned to 00:00 UTC."""
    autopilot_dwell_epochs: int = Field(default=2, ge=0, le=30)
    """Epochs a strategy stays in or out before a voluntary change."""
    autopilot_max_changes: int = Field(default=2, ge=1, le=8)
    """Most voluntary changes of the active set in one epoch."""
    autopilot_half_life_days: float = Field(default=30.0, ge=5.0, le=365.0)
    """Days after which an outcome counts half."""
    autopilot_diversity: float = Field(default=0.05, ge=0.0, le=0.5)
    """Penalty per unit of positive correlation with a strategy already picked."""
    autopilot_hysteresis: float = Field(default=0.03, ge=0.0, le=0.5)
    """Bonus of a strategy that is active now."""
    autopilot_learning_seconds: int = Field(default=3600, ge=0, le=604_800)
    """Kernel seconds at the start in which AutoPilot changes nothing."""
    autopilot_seed: int = 0
    """Seed of AutoPilot's draws."""
    wallet_tolerance: Decimal = Field(default=Decimal("0.01"), ge=0)
    """Difference in USDT between books and venue wallet that is no break."""
    wallet_tolerance_bp: Decimal = Field(default=Decimal(1), ge=0)
    """The same in basis points of equity; the larger of the two holds."""
    reconcile_interval_seconds: int = Field(default=60, ge=10, le=600)
    """Kernel seconds between two comparisons of books and venue."""
    trials: int = Field(default=0, ge=0)
    """Strategies and parameter sets ever tried; deflates every Sharpe ratio."""

    @model_validator(mode="after")
    def _check_together(self) -> PortfolioSettings:
        if abs(self.performance_weight + self.phase_weight - 1.0) > _TOLERANCE:
            raise ValueError(
                f"PERFORMANCE_WEIGHT={self.performance_weight:g} and "
                f"PHASE_WEIGHT={self.phase_weight:g} do not add up to 1; change one of them"
            )
        if self.autopilot_min_active > self.autopilot_max_active:
            raise ValueError(
                f"AUTOPILOT_MIN_ACTIVE={self.autopilot_min_active} is above "
                f"AUTOPILOT_MAX_ACTIVE={self.autopilot_max_active}; lower it"
            )
        if self.trial_again_psr >= self.full_tier_dsr:
            raise ValueError(
                f"TRIAL_AGAIN_PSR={self.trial_again_psr:g} is not below "
                f"FULL_TIER_DSR={self.full_tier_dsr:g}; lower it"
            )
        return self

    def cap_of(self, cluster: str) -> float:
        """Return the largest share of equity that a cluster may get."""
        return self.cluster_caps.get(cluster, self.cluster_cap)


def check_portfolio(settings: HEANSettings, section: PortfolioSettings) -> None:
    """Raise `SettingsError` when the floors of a full active set cannot fit into the capital."""
    floor, reserve = settings.min_strategy_weight, settings.cash_reserve_rate
    needed = floor * section.autopilot_max_active
    if needed > 1.0 - reserve + _TOLERANCE:
        raise SettingsError(
            f"MIN_STRATEGY_WEIGHT={floor:g} x PORTFOLIO__AUTOPILOT_MAX_ACTIVE="
            f"{section.autopilot_max_active} = {needed:g} is above 1 - CASH_RESERVE_RATE = "
            f"{1.0 - reserve:g}; lower one of them"
        )
    for name, cap in (("", section.cluster_cap), *section.cluster_caps.items()):
        if cap < floor:
            raise SettingsError(
                f"the cap {cap:g} of cluster {name or '(any)'} is below "
                f"MIN_STRATEGY_WEIGHT={floor:g}; raise it"
            )
