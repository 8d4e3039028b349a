"""Who gets a scarce slot: slow strategies keep room, fast ones may borrow it and give it back.

Each LOW strategy has a share: as many slots as its profile has legs. What it does not hold of it is
kept, and lent to whoever gives it back in time: whose time stop, plus the TTL of a reservation, is
not above the shortest cooldown of all LOW strategies. A refused LOW strategy opens a claim; while
it lasts nothing of that share is lent, and what a HIGH strategy has on loan is not renewed beyond
its time stop. Claims are served in the order in which they were opened.

The starvation bound: if the shares fit into the maximum and holders keep their time stops, a LOW
strategy within its share is never refused later than one cooldown after its first refusal. For by
then all earlier loans are back; who holds longer was granted only what left every share free;
and every later grant left the claim free, or went to an older claim out of that one's own share.
MEDIUM strategies that cannot give back in time find at most half of all slots kept against them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hean.core.events.strategy import FrequencyClass, StrategyProfile

_SECOND_NS = 1_000_000_000
_FOREVER = 1 << 62


class Claim(msgspec.Struct, frozen=True):
    """A LOW strategy was refused: when first, and when last."""

    opened: int
    renewed: int


class Standing(msgspec.Struct, frozen=True):
    """What the policy knows of a strategy; times in ns."""

    frequency: FrequencyClass
    share: int
    cooldown: int
    hold: int


_STRANGER = Standing(FrequencyClass.MEDIUM, 0, 0, _FOREVER)


class PolicyState(msgspec.Struct, frozen=True):
    """Everything the policy remembers."""

    standings: dict[str, Standing]
    claims: dict[str, Claim]


class SlotPolicy:
    """Decides how many free slots are out of a strategy's reach; holds no slots itself."""

    def __init__(self, *, maximum: int, ttl_ns: int) -> None:
        self.maximum = maximum
        self._ttl = ttl_ns
        self._standings: dict[str, Standing] = {}
        self._claims: dict[str, Claim] = {}
        self._slow: tuple[tuple[str, Standing], ...] = ()
        self._shortest_cooldown = 0

    def register(self, profile: StrategyProfile) -> None:
        """Learn a strategy's class, legs, cooldown and time stop."""
        slow = profile.frequency is FrequencyClass.LOW
        self._standings[profile.strategy] = Standing(
            profile.frequency,
            max(profile.legs, 1) if slow else 0,
            round(profile.cooldown_seconds * _SECOND_NS),
            round(profile.time_stop_seconds * _SECOND_NS) + self._ttl,
        )
        self._sort()

    def forget(self, strategy: str) -> None:
        """Keep nothing for a strategy that does not run."""
        self._standings.pop(strategy, None)
        self._claims.pop(strategy, None)
        self._sort()

    def kept_against(
        self, strategy: str, held: Mapping[str, int], now: int, wanted: int = 1
    ) -> int:
        """Return how many slots must stay free when `strategy` takes `wanted` more.

        `held` counts slots by strategy.
        """
        me = self._standings.get(strategy, _STRANGER)
        is_own_share = held.get(strategy, 0) + wanted <= me.share
        returns_in_time = me.hold <= self._shortest_cooldown
        if not self._claims and (is_own_share or returns_in_time):
            return 0
        kept = 0
        claimed = 0
        for name, slow in self._slow:
            missing = slow.share - held.get(name, 0)
            if missing <= 0 or name == strategy:
                continue
            if self.has_claim(name, now):
                if not (is_own_share and self._goes_before(strategy, name, now)):
                    claimed += missing
            elif not is_own_share and not returns_in_time:
                kept += missing
        if me.frequency is not FrequencyClass.HIGH:
            kept = min(kept, self.maximum // 2)
        return kept + claimed

    def _goes_before(self, strategy: str, other: str, now: int) -> bool:
        """Return whether both wait and `strategy` has waited longer."""
        if not self.has_claim(strategy, now):
            return False
        mine, theirs = self._claims[strategy], self._claims[other]
        return (mine.opened, strategy) < (theirs.opened, other)

    def may_renew(self, strategy: str, *, has_position: bool, now: int) -> bool:
        """Return whether a slot already held may be used again while others claim theirs."""
        me = self._standings.get(strategy, _STRANGER)
        if me.frequency is not FrequencyClass.HIGH or not self._claims:
            return True
        oldest = _FOREVER
        for name, _ in self._slow:
            if self.has_claim(name, now):
                oldest = min(oldest, self._claims[name].opened)
        if oldest == _FOREVER:
            return True
        return has_position and now < oldest + me.hold - self._ttl

    def waiting(self, held: Mapping[str, int]) -> list[str]:
        """Return the slow strategies for which slots are kept, by name."""
        return [name for name, slow in self._slow if slow.share > held.get(name, 0)]

    def has_claim(self, strategy: str, now: int) -> bool:
        """Return whether a refused LOW strategy still waits; two cooldowns of silence end it."""
        claim = self._claims.get(strategy)
        if claim is None:
            return False
        return now <= claim.renewed + 2 * self._standings[strategy].cooldown

    def refused(self, strategy: str, now: int) -> None:
        """Note a refusal: a LOW strategy opens its claim, or keeps it alive."""
        me = self._standings.get(strategy, _STRANGER)
        if me.frequency is FrequencyClass.LOW:
            alive = self.has_claim(strategy, now)
            opened = self._claims[strategy].opened if alive else now
            self._claims[strategy] = Claim(opened, now)

    def granted(self, strategy: str) -> None:
        """Note a grant: the claim is settled."""
        self._claims.pop(strategy, None)

    def state(self) -> PolicyState:
        """Return everything it remembers."""
        return PolicyState(dict(self._standings), dict(self._claims))

    def resume(self, state: PolicyState) -> None:
        """Take over what another remembered."""
        self._standings = dict(state.standings)
        self._claims = dict(state.claims)
        self._sort()

    def _sort(self) -> None:
        self._slow = tuple(
            (name, self._standings[name])
            for name in sorted(self._standings)
            if self._standings[name].frequency is FrequencyClass.LOW
        )
        self._shortest_cooldown = min((slow.cooldown for _, slow in self._slow), default=0)
