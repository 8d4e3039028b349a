"""What is left for one strategy: the numbers a sizer starts from."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from hean.config import HEANSettings
from hean.core.events.portfolio import Tier
from hean.core.events.strategy import Intent
from hean.core.instruments import MONEY, ZERO, decimal_of
from hean.risk.exposure import Key
from hean.risk.margin import maintenance_margin
from hean.risk.sentinel_state import Standing
from hean.risk.settings import RiskSettings
from hean.risk.sizing import Room

MOST_FACTORS: Final = 50


class Rooms:
    """Builds rooms from where the account stands; clusters and margin are worked out on change."""

    def __init__(
        self, *, settings: HEANSettings, section: RiskSettings, standing: Standing
    ) -> None:
        self._standing = standing
        self._cluster_share = decimal_of(section.cluster_risk_share)
        self._carry_share = decimal_of(section.carry_risk_share)
        self._trade_risk = {
            Tier.TRIAL: decimal_of(settings.trial_trade_risk),
            Tier.FULL: decimal_of(settings.max_trade_risk),
        }
        self._balance = ZERO
        self._balance_of = -1
        self._clusters: dict[str, tuple[tuple[str, ...], Decimal] | None] = {}

    def forget_clusters(self) -> None:
        """Find clusters anew: a profile or an allocation changed."""
        self._clusters.clear()

    def room(
        self,
        strategy: str,
        *,
        smallest_only: bool,
        replaced: Key | None = None,
    ) -> Room:
        """Return what is left for a strategy.

        The account's limits count every order until the venue says it is gone. Of the strategy's
        own budget the quotes about to be replaced are free, unless they are leaving already.
        """
        equity, exposure = self._standing.state.equity, self._standing.exposure
        tally = exposure.strategy(strategy)
        freed_risk = freed_value = freed_bound = ZERO
        if replaced is not None:
            for order in exposure.orders_of(replaced):
                is_replaced = order.intent is Intent.QUOTE and not order.is_leaving
                if is_replaced and not order.is_unknown:
                    freed_risk += order.at_risk
                    freed_value += order.notional
                    freed_bound += MONEY.multiply(order.notional, order.weight)
        left = self._standing.open_risk_limit - exposure.open_risk
        trade_risk = self._trade_risk[self._standing.budgets.tier(strategy)]
        free = self._standing.state.available - self._bound_margin()
        return Room(
            equity=equity,
            budget=self._standing.budget(strategy),
            multiplier=self._standing.multiplier,
            trade_risk=MONEY.multiply(trade_risk, equity),
            notional_used=tally.notional - freed_value,
            bound_used=tally.bound - freed_bound,
            risk_used=tally.risk - freed_risk,
            open_risk_left=left,
            cluster_risk_left=self._cluster_left(strategy, left),
            gross_left=self._standing.gross_limit - exposure.gross,
            available=max(ZERO, free),
            balance=self._free_balance(),
            smallest_only=smallest_only,
            tails=self._standing.tails,
        )

    def bind_margin(self, client_order_id: str, amount: Decimal) -> None:
        """Count margin of an order the venue's wallet does not show yet."""
        self._standing.state.margins[client_order_id] = amount

    def _bound_margin(self) -> Decimal:
        """Return the margin of minted orders that still work and no wallet has shown."""
        margins, orders = self._standing.state.margins, self._standing.exposure.orders
        total = ZERO
        for one, amount in list(margins.items()):
            if one in orders:
                total += amount
            else:
                del margins[one]
        return total

    def note_factor(self, strategy: str, factor: float) -> None:
        """Remember the size factor k of a signal that was sized, to zero or not; 0 is none.

        The planner uses the median of the last 50.
        """
        if factor <= 0.0:
            return
        kept = self._standing.state.factors.get(strategy)
        if kept is None:
            kept = self._standing.state.factors[strategy] = []
        kept.append(round(factor, 9))
        if len(kept) > MOST_FACTORS:
            kept.pop(0)

    def size_factor(self, strategy: str) -> float:
        """Return the median size factor of the strategy's last fifty signals, 1 before these.

        Of fewer none is taken: one small signal could switch a strategy off for good.
        """
        kept = self._standing.state.factors.get(strategy)
        if kept is None or len(kept) < MOST_FACTORS:
            return 1.0
        place = MOST_FACTORS // 2
        ordered = sorted(kept)
        return round((ordered[place - 1] + ordered[place]) / 2.0, 9)

    def _free_balance(self) -> Decimal:
        """Return equity less the maintenance margin of the net positions."""
        exposure = self._standing.exposure
        if self._balance_of != exposure.version:
            kept = ZERO
            for name, tally in exposure.by_instrument.items():
                rules = self._standing.view.instruments.get(name)
                if tally.quantity and rules is not None:
                    kept += maintenance_margin(rules, abs(tally.net))
            self._balance, self._balance_of = kept, exposure.version
        return self._standing.state.equity - self._balance

    def _cluster_left(self, strategy: str, left: Decimal) -> Decimal:
        """Return the open risk left for the strategy's cluster, and for carry where it is one."""
        if strategy not in self._clusters:
            self._clusters[strategy] = self._find_cluster(strategy)
        found = self._clusters[strategy]
        if found is None:
            return left
        members, share = found
        room = MONEY.multiply(share, self._standing.open_risk_limit)
        for member in members:
            room -= self._standing.exposure.strategy(member).risk
        return room

    def _find_cluster(self, strategy: str) -> tuple[tuple[str, ...], Decimal] | None:
        profile = self._standing.profiles.get(strategy)
        if profile is not None and profile.carry:
            names = tuple(name for name, one in self._standing.profiles.items() if one.carry)
            return names, self._carry_share
        cluster = self.cluster(strategy)
        if not cluster:
            return None
        names = tuple(name for name in self._standing.profiles if self.cluster(name) == cluster)
        return names, self._cluster_share

    def cluster(self, strategy: str) -> str:
        """Return the strategy's cluster: the allocation's, else its profile's."""
        found = self._standing.budgets.cluster(strategy)
        if found is not None:
            return found
        profile = self._standing.profiles.get(strategy)
        return "" if profile is None else profile.cluster
