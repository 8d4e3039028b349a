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
from hean.core.planner import BudgetTerms, minimum_budget, structures

STOP_SLIPPAGE_BP: Final = 2.0
"""Slippage at the stop that the planner reckons with."""

_STEPS_PER_E: Final = 200
_BP: Final = 1e4


_Key = tuple[str, int, tuple[tuple[str, int], ...]]


def _price(rules: Instrument, step: int) -> Decimal:
    """Return the price of a step on the instrument's grid."""
    return rules.price(math.exp(step / _STEPS_PER_E)) or rules.tick_size


class MinimumBudgets:
    """Computes B_min in USDT, remembered per half per cent of price."""

    def __init__(self, settings: HEANSettings, view: MarketView) -> None:
        self._risk_of_budget = decimal_of(settings.risk_of_budget)
        self._leverage = decimal_of(settings.budget_leverage)
        self._view = view
        self._known: dict[tuple[str, str, int, int], float] = {}
        self._of_group: dict[str, tuple[_Key, float]] = {}

    def forget(self) -> None:
        """Drop what was remembered, because an instrument changed."""
        self._known.clear()
        self._of_group.clear()

    def of(self, profile: StrategyProfile, size_factor: float) -> float:
        """Return B_min over the strategy's instruments; 0 while no price is known.

        `size_factor` is k*m; at 0 nothing is affordable and the answer is infinite. Legs that must
        match need what the planner says of them.
        """
        if size_factor <= 0.0:
            return math.inf
        factor = max(1, round(size_factor * 100.0))
        if profile.legs > 1:
            return self._of_legs(profile, factor)
        return min(self._each(profile, factor), default=0.0)

    def _of_legs(self, profile: StrategyProfile, factor: int) -> float:
        steps = tuple(
            (name, round(math.log(mark.price) * _STEPS_PER_E))
            for name in self._view.instruments
            if (mark := self._view.mark(name)) is not None and mark.price > 0.0
        )
        key = (profile.strategy, factor, steps)
        known = self._of_group.get(profile.strategy)
        if known is None or known[0] != key:
            known = (key, self._compute_legs(profile, dict(steps), factor))
            self._of_group[profile.strategy] = known
        return known[1]

    def _compute_legs(self, profile: StrategyProfile, steps: dict[str, int], factor: int) -> float:
        rules = self._view.instruments
        prices = {name: _price(rules[name], step) for name, step in steps.items()}
        terms = BudgetTerms(
            risk_of_budget=self._risk_of_budget,
            budget_leverage=self._leverage,
            size_factor=Decimal(factor) / 100,
        )
        slippage = decimal_of(STOP_SLIPPAGE_BP / _BP)
        found = structures(profile, rules, prices, slippage)
        return min(
            (float(minimum_budget(one, terms, levelled=True)[0]) for one in found), default=0.0
        )

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
        price = _price(rules, step)
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
