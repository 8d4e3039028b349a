"""Who may be active at all: enabled, fed, live under the guard, payable and not blocked."""

from __future__ import annotations

import msgspec

from hean.core.events import StrategyProfile
from hean.portfolio.correlation import HIGH_PAIRS
from hean.portfolio.guard_cells import GuardCells

_CLASS_ORDER = {"LOW": 0, "MEDIUM": 1, "HIGH": 2}
_FOLLOWERS = frozenset(pair[1] for pair in HIGH_PAIRS)


class Known(msgspec.Struct, kw_only=True):
    """What AutoPilot knows of a strategy apart from its results."""

    profile: StrategyProfile
    enabled: bool
    cannot_run_because: str
    forced: str = ""
    blocked_until: int = 0


class Standards(msgspec.Struct, kw_only=True):
    """The conditions of the moment: what an eligible strategy must meet."""

    guard: GuardCells
    enforces: bool
    now: int
    capital_at_cap: float

    def refusal(self, one: Known, minimum_budget: float) -> str:
        """Return why a strategy is not eligible, or an empty string."""
        if not one.enabled:
            return "DISABLED"
        if one.cannot_run_because:
            return "NEEDS"
        if one.forced == "off":
            return "FORCED_OFF"
        if self.enforces and not self.guard.is_live(one.profile.strategy):
            return "GUARD"
        if one.blocked_until > self.now:
            return "BLOCKED"
        if minimum_budget > self.capital_at_cap:
            return "B_MIN"
        return ""


def learning_order(known: dict[str, Known], eligible: list[str]) -> list[str]:
    """Return the eligible in the order of LEARNING: slow before fast, then name, followers last.

    A follower is the second named of a documented pair.
    """

    def place(name: str) -> tuple[bool, int, str]:
        profile = known[name].profile
        return (name in _FOLLOWERS, _CLASS_ORDER[profile.frequency.value], name)

    return sorted(eligible, key=place)
