from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from hean.core.instruments import Instrument, MarginTier
from hean.core.testing import btc_perpetual, btc_spot
from hean.risk.margin import initial_rate, liquidation_distance, maintenance_margin, tier_of


def tiered() -> Instrument:
    """Return BTC with two tiers."""
    tiers = (
        MarginTier(
            limit=Decimal(1000),
            initial_rate=Decimal("0.01"),
            maintenance_rate=Decimal("0.005"),
        ),
        MarginTier(
            limit=Decimal(5000),
            initial_rate=Decimal("0.02"),
            maintenance_rate=Decimal("0.01"),
            deduction=Decimal(5),
        ),
    )
    return replace(btc_perpetual(), tiers=tiers)


def test_the_tier_follows_the_value() -> None:
    """A value belongs to the first tier that reaches it, beyond the last to the last."""
    rules = tiered()
    assert tier_of(rules, Decimal(1000)).initial_rate == Decimal("0.01")
    assert tier_of(rules, Decimal(1001)).initial_rate == Decimal("0.02")
    assert tier_of(rules, Decimal(9000)).initial_rate == Decimal("0.02")


def test_maintenance_uses_rate_and_deduction() -> None:
    """Maintenance margin is value times rate less the tier's deduction; spot needs none."""
    assert maintenance_margin(tiered(), Decimal(2000)) == Decimal(15)
    assert maintenance_margin(btc_spot(), Decimal(2000)) == 0


def test_initial_margin_is_never_below_the_leverage_set() -> None:
    """Leverage 3 binds a third although the tier would ask for 1 %; spot is paid in full."""
    assert round(initial_rate(tiered(), Decimal(100), Decimal(3)), 4) == Decimal("0.3333")
    assert initial_rate(btc_spot(), Decimal(100), Decimal(3)) == 1


def test_liquidation_is_as_far_as_the_balance_reaches() -> None:
    """A balance of 300 less 15 maintenance lets 0.02 BTC lose 14,250 of price."""
    distance = liquidation_distance(tiered(), Decimal("0.02"), Decimal(100_000), Decimal(300))
    assert distance == Decimal(14_250)
    assert liquidation_distance(btc_spot(), Decimal(1), Decimal(1), Decimal(1)) is None
