"""Who may spend how much: weights from one allocation or an equal split, never a mixture.

(1) an allocation solved for the active set in force; (2) another one for at most a minute, for the
strategies it knew; (3) equal shares. Older versions of anything are ignored.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import Final

import msgspec

from hean.config import HEANSettings
from hean.core.events.portfolio import CapitalAllocated, Tier
from hean.core.events.risk import BudgetSource
from hean.core.instruments import MONEY, ZERO, decimal_of

GRACE_NS: Final = 60_000_000_000
CENT: Final = Decimal("0.01")
_BILLION: Final = 10**9


class Weights(msgspec.Struct, frozen=True):
    """Weights of equity in force, their source, and until when a pending one lasts."""

    source: BudgetSource
    by_strategy: dict[str, Decimal]


class _State(msgspec.Struct):
    active: tuple[str, ...] = ()
    active_version: int = -1
    allocation_version: int = -1
    allocation_active: int = -1
    lines: dict[str, tuple[float, Tier, str]] = {}
    pending_since: int = -1


class Budgets:
    """Active set and allocation in force; `weights(now)` answers for this instant."""

    def __init__(self, *, settings: HEANSettings) -> None:
        self._uses_allocation = settings.strategy_capital_allocation
        self._deployable = 1.0 - settings.cash_reserve_rate
        self._largest = settings.max_strategy_weight
        self._state = _State()
        self._weights: Weights | None = None
        self._is_pending = False

    @property
    def active(self) -> tuple[str, ...]:
        return self._state.active

    @property
    def active_version(self) -> int:
        return self._state.active_version

    @property
    def allocation_version(self) -> int:
        return self._state.allocation_version

    @property
    def pending_until(self) -> int:
        """When a pending allocation gives way to the equal split, or -1."""
        return -1 if self._state.pending_since < 0 else self._state.pending_since + GRACE_NS

    def set_active(self, active: tuple[str, ...], version: int, now: int) -> bool:
        """Take an active set; return False for one already known or older."""
        state = self._state
        if version <= state.active_version:
            return False
        state.active, state.active_version = tuple(active), version
        self._settle(now)
        return True

    def set_allocation(self, event: CapitalAllocated, now: int) -> bool:
        """Take an allocation; return False for one already known or older."""
        state = self._state
        if event.version <= state.allocation_version:
            return False
        state.allocation_version = event.version
        state.allocation_active = event.active_version
        state.lines = {one.strategy: (one.weight, one.tier, one.cluster) for one in event.lines}
        self._settle(now)
        return True

    def tier(self, strategy: str) -> Tier:
        """Return a strategy's tier; TRIAL before anything is known."""
        line = self._state.lines.get(strategy)
        return Tier.TRIAL if line is None else line[1]

    def cluster(self, strategy: str) -> str | None:
        """Return the allocation's cluster of a strategy, or None before an allocation names one."""
        line = self._state.lines.get(strategy)
        return None if line is None else line[2]

    def weights(self, now: int) -> Weights:
        """Return the weights in force."""
        if self._weights is not None and not (self._is_pending and now >= self.pending_until):
            return self._weights
        self._weights = self._solve(now)
        return self._weights

    def _settle(self, now: int) -> None:
        state = self._state
        if state.allocation_active == state.active_version:
            state.pending_since = -1
        elif state.pending_since < 0:
            state.pending_since = now
        self._weights = None

    def _solve(self, now: int) -> Weights:
        state = self._state
        self._is_pending = False
        if not state.active:
            return Weights(BudgetSource.EQUAL_SPLIT, {})
        if self._uses_allocation and state.allocation_version >= 0:
            current = state.allocation_active == state.active_version
            self._is_pending = not current
            if current or now < self.pending_until:
                found = self._allocated()
                if found is not None:
                    source = BudgetSource.ALLOCATION if current else BudgetSource.PENDING
                    return Weights(source, found)
            self._is_pending = False
        share = min(self._deployable / len(state.active), self._largest)
        weight = _weight(share)
        return Weights(BudgetSource.EQUAL_SPLIT, dict.fromkeys(state.active, weight))

    def _allocated(self) -> dict[str, Decimal] | None:
        """Return the allocation's weights of active strategies; None if they break the reserve."""
        lines = self._state.lines
        found: dict[str, Decimal] = {}
        total = ZERO
        for strategy in self._state.active:
            line = lines.get(strategy)
            weight = ZERO if line is None else decimal_of(max(0.0, line[0]))
            found[strategy] = weight
            total += weight
        return found if total <= decimal_of(round(self._deployable, 9)) else None

    def state(self) -> bytes:
        """Return what is in force."""
        return msgspec.msgpack.encode(self._state)

    def resume(self, data: bytes) -> None:
        """Take over what was in force."""
        self._state = msgspec.msgpack.decode(data, type=_State)
        self._weights = None


def budget_of(weight: Decimal, equity: Decimal) -> Decimal:
    """Return a weight's budget in USDT, rounded down to the cent; 0 without equity."""
    if equity <= ZERO:
        return ZERO
    return MONEY.multiply(weight, equity).quantize(CENT, rounding=ROUND_FLOOR)


def _weight(share: float) -> Decimal:
    """Return a share of equity rounded down to 9 decimals, so that equal shares never exceed it."""
    exact = round(share, 12)
    return MONEY.divide(Decimal(int(exact * _BILLION + 1e-3)), Decimal(_BILLION))
