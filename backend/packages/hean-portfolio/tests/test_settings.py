from __future__ import annotations

import pytest
from pydantic import ValidationError

from hean.config import HEANSettings
from hean.core.errors import SettingsError
from hean.portfolio import PortfolioSettings, check_portfolio


@pytest.mark.parametrize(
    "wrong",
    [
        {"performance_weight": 0.8},
        {"autopilot_min_active": 9},
        {"trial_again_psr": 0.97},
        {"cluster_cap": 1.5},
        {"unknown": 1},
    ],
)
def test_settings_out_of_bounds_are_refused(wrong: dict[str, float]) -> None:
    """Numbers out of bounds, or that do not fit each other, refuse to start."""
    with pytest.raises(ValidationError):
        PortfolioSettings(**wrong)  # type: ignore[arg-type]


def test_floors_that_cannot_fit_are_refused() -> None:
    """The smallest weights of a full active set must fit into capital less reserve and clusters."""
    check_portfolio(HEANSettings(), PortfolioSettings())
    with pytest.raises(SettingsError, match=r"MIN_STRATEGY_WEIGHT=0\.15"):
        check_portfolio(HEANSettings(min_strategy_weight=0.15), PortfolioSettings())
    with pytest.raises(SettingsError, match="cluster twins"):
        check_portfolio(HEANSettings(), PortfolioSettings(cluster_caps={"twins": 0.01}))


def test_a_named_cluster_has_its_own_cap() -> None:
    """A cap given for one cluster leaves the others at the general one."""
    section = PortfolioSettings(cluster_caps={"twins": 0.2})
    assert (section.cap_of("twins"), section.cap_of("other")) == (0.2, 0.4)
