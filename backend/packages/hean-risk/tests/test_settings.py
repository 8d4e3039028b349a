from __future__ import annotations

import pytest
from pydantic import ValidationError

from hean.risk import RiskSettings


def test_defaults_are_those_of_the_specification() -> None:
    """The defaults that decide most are the documented ones."""
    section = RiskSettings()
    assert (section.max_positions, section.max_orders) == (10, 20)
    assert (section.max_open_risk, section.drawdown_floor) == (0.05, 0.20)
    assert (section.kill_total_loss, section.kill_day_loss) == (0.30, 0.15)
    assert (section.cusum_k, section.cusum_h, section.cusum_block_hours) == (0.25, 7.0, 24)


@pytest.mark.parametrize(
    "values",
    [
        {"max_open_risk": 0.2},
        {"max_open_risk": 0.1, "drawdown_floor": 0.1, "hard_stop_enter": 0.1},
        {"soft_brake_enter": 0.16},
        {"hard_stop_enter": 0.21},
        {"soft_brake_leave": 0.10},
        {"kill_total_loss": 0.19},
        {"kill_day_loss": 0.05},
        {"max_positions": 0},
        {"stop_slippage_bp": 51},
        {"max_positon": 3},
    ],
)
def test_values_out_of_bounds_refuse_to_start(values: dict[str, float]) -> None:
    """Bounds, cross checks and unknown names are refused when settings are built."""
    with pytest.raises(ValidationError):
        RiskSettings.model_validate(values)
