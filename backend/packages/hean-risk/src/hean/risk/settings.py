"""The settings of hean-risk: limits, governor, kill switch, anomaly guard, stress (`RISK__…`)."""

from __future__ import annotations

from pydantic import Field, model_validator

from hean.config import Section


class RiskSettings(Section):
    """Whether and how much; every fraction "of E" is of account equity."""

    max_open_risk: float = Field(default=0.05, ge=0.005, le=0.10)
    """Fraction of equity that all stops together may lose; below the drawdown floor."""
    cluster_risk_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of the open risk that one cluster of like strategies may hold."""
    carry_risk_share: float = Field(default=0.25, ge=0.0, le=1.0)
    """Share of the open risk that carry strategies may hold together."""
    max_gross: float = Field(default=2.0, ge=0.1, le=5.0)
    """Largest sum of position values, in equities."""
    max_instrument: float = Field(default=0.75, ge=0.1, le=5.0)
    """Largest net value on one instrument, in equities."""
    max_positions: int = Field(default=10, ge=1, le=100)
    """Most positions at once, reserved slots and working entries included."""
    max_orders: int = Field(default=20, ge=1, le=100)
    """Most entry orders at work at once."""
    max_daily_loss: float = Field(default=0.05, ge=0.005, le=0.15)
    """Loss since 00:00 UTC, as a fraction, that pauses entries until the next day."""
    drawdown_floor: float = Field(default=0.20, ge=0.05, le=0.50)
    """Drawdown D at which size reaches zero; sizes shrink in proportion before it."""
    soft_brake_enter: float = Field(default=0.10, gt=0.0, lt=1.0)
    """Drawdown that enters SOFT_BRAKE."""
    quarantine_enter: float = Field(default=0.15, gt=0.0, lt=1.0)
    """Drawdown that enters QUARANTINE."""
    hard_stop_enter: float = Field(default=0.20, gt=0.0, lt=1.0)
    """Drawdown that enters HARD_STOP, which only the operator leaves."""
    soft_brake_leave: float = Field(default=0.07, ge=0.0, lt=1.0)
    """Drawdown below which SOFT_BRAKE is left after the dwell."""
    quarantine_leave: float = Field(default=0.12, ge=0.0, lt=1.0)
    """Drawdown below which QUARANTINE is left after the dwell."""
    risk_state_dwell_seconds: int = Field(default=1800, ge=0, le=86_400)
    """Kernel seconds under the leave level before the state steps down once."""
    kill_total_loss: float = Field(default=0.30, gt=0.0, lt=1.0)
    """Loss of NAV from its reference that trips the kill switch; at least the drawdown floor."""
    kill_day_loss: float = Field(default=0.15, gt=0.0, lt=1.0)
    """Loss of NAV from the day's high that trips the kill switch; above the daily loss."""
    kill_margin_ratio: float = Field(default=0.5, ge=0.1, le=0.9)
    """Maintenance margin over margin balance that trips the kill switch."""
    kill_silence_seconds: int = Field(default=60, ge=10, le=600)
    """Kernel seconds without the venue, while exposed, that trip the kill switch."""
    rearm_multiplier: float = Field(default=0.4, ge=0.0, le=0.5)
    """Drawdown multiplier that the operator's re-arm guarantees."""
    risk_sentinel_update_interval_ms: int = Field(default=1000, ge=100, le=10_000)
    """Kernel milliseconds between two recomputations from marks alone."""
    risk_envelope_max_age_ms: int = Field(default=5000, ge=1000, le=60_000)
    """Kernel milliseconds after which the envelope's inputs are too old for entries."""
    regime_size_range: float = Field(default=0.7, ge=0.0, le=1.2)
    """Size factor in a RANGE regime."""
    regime_size_normal: float = Field(default=1.0, ge=0.0, le=1.2)
    """Size factor in a NORMAL regime."""
    regime_size_impulse: float = Field(default=1.2, ge=0.0, le=1.2)
    """Size factor in an IMPULSE regime."""
    confidence_size_floor: float = Field(default=0.5, ge=0.0, le=1.0)
    """Size factor just above confidence 0; confidence 0 itself gives no size."""
    stop_slippage_bp: float = Field(default=2.0, ge=0.0, le=50.0)
    """Slippage expected at a stop, in basis points."""
    kelly_enabled: bool = False
    """Whether a Kelly fraction caps the risk of a trade; it never raises it."""
    kelly_fraction: float = Field(default=0.09, ge=0.0, le=0.25)
    """Fraction of the Kelly stake that caps the risk of a trade."""
    min_reward_risk: float = Field(default=0.0, ge=0.0, le=5.0)
    """Least ratio of first target to stop; 0 is off."""
    loss_streak_enabled: bool = True
    """Whether the sequential loss test may block a strategy."""
    cusum_k: float = Field(default=0.25, ge=0.1, le=1.0)
    """Allowance of the sequential loss test, in standard deviations per trade."""
    cusum_h: float = Field(default=7.0, ge=3.0, le=20.0)
    """Threshold of the sequential loss test, in standard deviations."""
    cusum_block_hours: int = Field(default=24, ge=1, le=168)
    """Hours a strategy is blocked after its loss test trips."""
    anomaly_jump: float = Field(default=0.05, ge=0.01, le=0.5)
    """Move within 5 s that blocks an instrument."""
    anomaly_crash: float = Field(default=0.10, ge=0.01, le=0.5)
    """Move within 60 s that blocks an instrument for long."""
    anomaly_bad_print_block_seconds: int = Field(default=60, ge=1, le=86_400)
    """Kernel seconds of block after a print that mark and index did not follow."""
    anomaly_jump_block_seconds: int = Field(default=300, ge=1, le=86_400)
    """Kernel seconds of block after a real jump."""
    anomaly_crash_block_seconds: int = Field(default=900, ge=1, le=86_400)
    """Kernel seconds of block after a crash."""
    anomaly_z: float = Field(default=12.0, ge=4.0, le=50.0)
    """Move in forecast standard deviations that counts as a jump."""
    anomaly_stale_seconds: int = Field(default=60, ge=1, le=3600)
    """Kernel seconds without an update after which an instrument is stale."""
    stress_cushion: float = Field(default=0.75, ge=0.0, le=1.0)
    """Share of the cushion above the floor that the worst stress scenario may cost."""
    cvar_cushion: float = Field(default=0.20, ge=0.0, le=1.0)
    """Share of the cushion above the floor that the 8-hour CVaR at 97.5 % may cost."""
    depth_share: float = Field(default=0.05, ge=0.0, le=1.0)
    """Share of the top five levels that one order may take."""
    margin_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of the available balance that one order may bind."""

    @model_validator(mode="after")
    def _check_together(self) -> RiskSettings:
        floor = self.drawdown_floor
        if self.max_open_risk >= floor:
            raise ValueError(
                f"MAX_OPEN_RISK={self.max_open_risk:g} is not below DRAWDOWN_FLOOR={floor:g}"
            )
        enter = (self.soft_brake_enter, self.quarantine_enter, self.hard_stop_enter)
        if not enter[0] < enter[1] < enter[2] <= floor:
            raise ValueError(
                f"SOFT_BRAKE_ENTER, QUARANTINE_ENTER, HARD_STOP_ENTER={enter} "
                f"must rise and end at or below DRAWDOWN_FLOOR={floor:g}"
            )
        if self.soft_brake_leave >= enter[0] or self.quarantine_leave >= enter[1]:
            raise ValueError("SOFT_BRAKE_LEAVE or QUARANTINE_LEAVE is not below its enter level")
        if self.kill_total_loss < floor:
            raise ValueError(
                f"KILL_TOTAL_LOSS={self.kill_total_loss:g} is below DRAWDOWN_FLOOR={floor:g}"
            )
        if self.kill_day_loss <= self.max_daily_loss:
            raise ValueError(
                f"KILL_DAY_LOSS={self.kill_day_loss:g} is not above "
                f"MAX_DAILY_LOSS={self.max_daily_loss:g}"
            )
        return self
