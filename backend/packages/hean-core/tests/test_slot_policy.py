from __future__ import annotations

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.core.events.strategy import FrequencyClass, StrategyProfile
from hean.core.slot_policy import SlotPolicy
from hean.core.testing import SECOND, profile

_TTL = 30 * SECOND


def _timed(
    name: str, frequency: FrequencyClass, cooldown: float, hold: float, legs: int = 1
) -> StrategyProfile:
    found = profile(name, frequency=frequency, cooldown=cooldown, legs=legs)
    return replace(found, time_stop_seconds=hold)


def _policy(*profiles: StrategyProfile, maximum: int = 4) -> SlotPolicy:
    policy = SlotPolicy(maximum=maximum, ttl_ns=_TTL)
    for one in profiles:
        policy.register(one)
    return policy


_SLOW = _timed("slow", FrequencyClass.LOW, 1800.0, 86400.0)
_FAST = _timed("fast", FrequencyClass.HIGH, 30.0, 60.0)
_HOLDER = _timed("holder", FrequencyClass.HIGH, 30.0, 3600.0)
_MEDIUM = _timed("medium", FrequencyClass.MEDIUM, 30.0, 86400.0)


def test_a_kept_slot_is_lent_to_who_gives_it_back_in_time() -> None:
    """A fast strategy whose hold is below the slow one's cooldown may borrow; a holder may not."""
    policy = _policy(_SLOW, _FAST, _HOLDER)
    assert policy.kept_against("fast", {}, 0) == 0
    assert policy.kept_against("holder", {}, 0) == 1
    assert policy.kept_against("holder", {"slow": 1}, 0) == 0


def test_a_claim_stops_the_lending_until_it_is_settled_or_lapses() -> None:
    """After a refusal nothing is lent; a grant, or two cooldowns of silence, end that."""
    policy = _policy(_SLOW, _FAST)
    policy.refused("slow", 0)
    assert policy.kept_against("fast", {}, 1) == 1
    assert policy.kept_against("fast", {}, 3600 * SECOND + 1) == 0
    policy.refused("slow", 4000 * SECOND)
    policy.granted("slow")
    assert policy.kept_against("fast", {}, 4000 * SECOND) == 0


def test_a_loan_is_not_renewed_while_claimed() -> None:
    """A quoting strategy renews its slot until a claimant waits, then only to its time stop."""
    policy = _policy(_SLOW, _FAST)
    assert policy.may_renew("fast", has_position=False, now=0)
    policy.refused("slow", 0)
    assert not policy.may_renew("fast", has_position=False, now=1)
    assert policy.may_renew("fast", has_position=True, now=59 * SECOND)
    assert not policy.may_renew("fast", has_position=True, now=61 * SECOND)
    assert policy.may_renew("slow", has_position=False, now=1)


def test_medium_strategies_lose_at_most_half_the_slots() -> None:
    """Against a MEDIUM strategy that holds for days no more than half of all slots are kept."""
    slow = [_timed(f"slow{n}", FrequencyClass.LOW, 1800.0, 60.0) for n in range(4)]
    policy = _policy(*slow, _MEDIUM, _HOLDER)
    assert policy.kept_against("medium", {}, 0) == 2
    assert policy.kept_against("holder", {}, 0) == 4
    assert policy.kept_against("stranger", {}, 0) == 2
    assert policy.kept_against("slow0", {}, 0) == 0


def test_claimants_that_do_not_fit_are_served_in_turn() -> None:
    """With more claims than slots the oldest need leave nothing, the next leave the oldest's."""
    slow = [_timed(f"slow{n}", FrequencyClass.LOW, 1800.0, 60.0) for n in range(3)]
    policy = _policy(*slow, maximum=2)
    for number, one in enumerate(slow):
        policy.refused(one.strategy, number)
    assert [policy.kept_against(one.strategy, {}, 5) for one in slow] == [0, 1, 2]


def test_a_newcomer_leaves_an_open_claim_its_room() -> None:
    """A slow strategy without a claim waits for its own share instead of taking a claimed one."""
    slow = [_timed(f"slow{n}", FrequencyClass.LOW, 1800.0, 60.0) for n in range(2)]
    policy = _policy(*slow, maximum=2)
    policy.refused("slow0", 0)
    assert policy.kept_against("slow1", {}, 1) == 1
    assert policy.kept_against("slow0", {}, 1) == 0


def test_beyond_its_share_a_slow_strategy_is_like_any_other() -> None:
    """A second slot of a strategy with one leg may not come out of another's share."""
    policy = _policy(_SLOW, _timed("other", FrequencyClass.LOW, 1800.0, 86400.0))
    assert policy.kept_against("other", {}, 0) == 0
    assert policy.kept_against("other", {}, 0, 2) == 1
    assert policy.kept_against("other", {"other": 1}, 0) == 1


def test_the_policy_resumes_where_it_was() -> None:
    """State taken from one policy makes another answer alike."""
    policy = _policy(_SLOW, _FAST)
    policy.refused("slow", 5)
    other = SlotPolicy(maximum=4, ttl_ns=_TTL)
    other.resume(policy.state())
    assert other.state() == policy.state()
    assert other.kept_against("fast", {}, 6) == 1
    assert other.waiting({}) == ["slow"]


_SLOWS = st.lists(
    st.tuples(st.sampled_from([60.0, 600.0, 2500.0, 9000.0]), st.integers(1, 2)),
    min_size=1,
    max_size=3,
)
_FASTS = st.lists(st.sampled_from([40.0, 300.0, 900.0, 7200.0]), min_size=1, max_size=4)
_STEPS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 120)), min_size=20, max_size=120)


@hypothesis_settings(max_examples=300, deadline=None)
@given(holds=_FASTS, slows=_SLOWS, steps=_STEPS, spare=st.integers(0, 2))
def test_no_slow_strategy_starves(
    holds: list[float],
    slows: list[tuple[float, int]],
    steps: list[tuple[int, int]],
    spare: int,
) -> None:
    """However fast ones crowd in, a slow one waits at most a cooldown after its first refusal."""
    slow = [
        _timed(f"slow{n}", FrequencyClass.LOW, 1800.0 * (n + 1), hold, legs)
        for n, (hold, legs) in enumerate(slows)
    ]
    maximum = spare
    for one in slow:
        maximum += one.legs
    fast = [_timed(f"fast{n}", FrequencyClass.HIGH, 1.0, hold) for n, hold in enumerate(holds)]
    policy = _policy(*slow, *fast, maximum=maximum)
    now = 0
    held: list[tuple[str, int]] = []
    first_refusal: dict[str, int] = {}
    profiles = [*slow, *fast]
    for choice, pause in steps:
        now += pause * 10 * SECOND
        held = [(name, until) for name, until in held if until > now]
        for one in (profiles[choice % len(profiles)], *fast):
            name = one.strategy
            counts: dict[str, int] = {}
            for holder, _ in held:
                counts[holder] = counts.get(holder, 0) + 1
            if one.frequency is FrequencyClass.LOW and counts.get(name, 0):
                continue
            kept = policy.kept_against(name, counts, now, one.legs)
            if len(held) + one.legs + kept <= maximum:
                policy.granted(name)
                first_refusal.pop(name, None)
                until = now + _TTL + round(one.time_stop_seconds * SECOND)
                held.extend([(name, until)] * one.legs)
            else:
                waits = policy.has_claim(name, now)
                policy.refused(name, now)
                if one.frequency is FrequencyClass.LOW:
                    begun = first_refusal[name] if waits else now
                    first_refusal[name] = begun
                    assert now - begun <= round(one.cooldown_seconds * SECOND)
