"""B_min of a strategy: the smallest budget with which its cheapest instrument can be traded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from hean.config import HEANSettings
from hean.core.events import OrderStyle, StrategyProfile
from hean.core.instruments import Instrument, decimal_of, minimum_viable_budget
from hean.core.market_view import MarketView

STOP_SLIPPAGE_BP: Final = 2.0
"""Slippage at the stop that the planner reckons with."""

_STEPS_PER_E: Final = 200
_BP: Final = 1e4


class MinimumBudgets:
    """Computes B_min in USDT, remembered per half per cent of price."""

    def __init__(self, settings: HEANSettings, view: MarketView) -> None:
        self._risk_of_budget = decimal_of(settings.risk_of_budget)
        self._leverage = decimal_of(settings.budget_leverage)
        self._view = view
        self._known: dict[tuple[str, str, int, int], float] = {}

    def forget(self) -> None:
        """Drop what was remembered, because an instrument changed."""
        self._known.clear()

    def of(self, profile: StrategyProfile, size_factor: float) -> float:
        """Return B_min over the strategy's instruments; 0 while no price is known.

        `size_factor` is k*m; at 0 nothing is affordable and the answer is infinite. Two legs need
        the dearer of the two cheapest, twice.
        """
        if size_factor <= 0.0:
            return math.inf
        found = sorted(self._each(profile, max(1, round(size_factor * 100.0))))
        if not found:
            return 0.0
        if profile.legs > 1:
            return found[min(1, len(found) - 1)] * profile.legs
        return found[0]

    def _each(self, profile: StrategyProfile, factor: int) -> Iterable[float]:
        for name in profile.instruments or tuple(self._view.instruments):
            rules = self._view.instruments.get(name)
            mark = self._view.mark(name)
            if rules is None or mark is None or mark.price <= 0.0:
                continue
            step = round(math.log(mark.price) * _STEPS_PER_E)
            key = (profile.strategy, name, step, factor)
            if key not in self._known:
                self._known[key] = self._compute(profile, rules, step, factor)
            yield self._known[key]

    def _compute(
        self, profile: StrategyProfile, rules: Instrument, step: int, factor: int
    ) -> float:
        price = rules.price(math.exp(step / _STEPS_PER_E)) or rules.tick_size
        maker = OrderStyle.POST_ONLY in profile.styles
        cost = rules.fee_rate(maker=maker) + rules.taker_fee
        budget = minimum_viable_budget(
            rules,
            price,
            stop_fraction=decimal_of(profile.typical_stop_bp / _BP),
            cost_fraction=cost + decimal_of(STOP_SLIPPAGE_BP / _BP),
            risk_of_budget=self._risk_of_budget,
            budget_leverage=self._leverage,
            size_factor=Decimal(factor) / 100,
        )
        return float(budget)
