from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from hean.core.events import (
    Affinity,
    CapitalAllocated,
    Cycle,
    EdgeGuardChanged,
    GuardMode,
    Phase,
    Regime,
    RegimeChanged,
)
from hean.core.testing import (
    BTC,
    HOUR,
    START,
    position_closed,
    profile,
)

from .scenes import Stage


def names_of(count: int) -> list[str]:
    """Return names."""
    return [f"s{n:02d}" for n in range(count)]


def test_the_first_allocation_is_the_equal_split() -> None:
    """Without outcomes eight active get 10 % each, cold start, for the set they were solved for."""
    stage = Stage()
    stage.know(*(profile(one) for one in names_of(9)))
    stage.activate(*names_of(8))
    assert stage.weights() == dict.fromkeys(names_of(8), 0.1)
    assert stage.last.reason == "ACTIVE_SET:COLD_START"
    assert (stage.last.version, stage.last.active_version) == (1, 1)
    assert [one.bound for one in stage.last.lines if not one.weight] == ["INACTIVE"]


def test_twins_share_one_cap() -> None:
    """Documented twins get at most 40 % together, the rest is cash."""
    stage = Stage()
    stage.know(profile("funding_harvester"), profile("basis_arbitrage"))
    stage.activate("basis_arbitrage", "funding_harvester")
    assert stage.weights() == {"basis_arbitrage": 0.2, "funding_harvester": 0.2}


def test_deactivation_cuts_at_once_and_increases_wait() -> None:
    """C6: the deactivated falls to 0 in the same dispatch, what it frees waits an hour."""
    stage = Stage()
    stage.know(*(profile(one) for one in names_of(3)))
    stage.activate(*names_of(2))
    assert stage.weights() == {"s00": 0.4, "s01": 0.4}
    stage.system.advance(600)
    stage.activate("s01", "s02")
    assert stage.weights() == {"s01": 0.4}
    assert {one.bound for one in stage.last.lines if one.strategy == "s02"} == {"COOLDOWN"}
    stage.system.advance(3600)
    assert stage.weights() == {"s01": 0.4, "s02": 0.1}
    assert stage.last.active_version == 2
    stage.activate("s01", version=1)
    assert stage.weights() == {"s01": 0.4, "s02": 0.1}


def test_what_one_step_cannot_reach_the_next_hours_do() -> None:
    """C4: two at 40 %, six join: 25 and 5, in an hour 15 and 8.33, then 10 each, by time alone."""
    stage = Stage()
    stage.know(*(profile(one) for one in names_of(8)))
    stage.activate(*names_of(2))
    stage.system.advance(2 * 3600)
    stage.activate(*names_of(8))
    seen: list[tuple[float, ...]] = []
    for _ in range(4):
        found = stage.weights()
        seen.append((found["s00"], found["s01"], *{found[one] for one in names_of(8)[2:]}))
        stage.system.advance(3600)
    assert seen == [(0.25, 0.25, 0.05), (0.15, 0.15, 0.0833), (0.1, 0.1, 0.1), (0.1, 0.1, 0.1)]


def test_at_most_one_reallocation_an_hour() -> None:
    """However much happens, weights that rise do so at most once per cooldown."""
    stage = Stage()
    stage.know(*(profile(one) for one in names_of(8)))
    stage.activate(*names_of(8))
    for number in range(12 * 30):
        stage.system.advance(1200)
        name = names_of(8)[number % 8]
        stage.system.take(
            position_closed(name, net="1" if name == "s00" else "-0.5", at=stage.system.now)
        )
    times = [one.ts_init for one in stage.system.of(CapitalAllocated)]
    assert len(times) > 3
    assert min(b - a for a, b in pairwise(times)) >= HOUR
    assert stage.weights()["s00"] > 0.1


def test_losing_the_guard_cell_cuts_at_once_where_it_is_enforced() -> None:
    """A live strategy without a PROBE or ACTIVE cell has no weight."""
    stage = Stage(mode="live")
    stage.know(profile("s00"), profile("s01"))

    def tell(name: str, mode: GuardMode) -> None:
        now = stage.system.now
        stage.system.take(
            EdgeGuardChanged(
                ts_event=now,
                ts_init=now,
                strategy=name,
                cell="c",
                mode=mode,
                previous=GuardMode.SHADOW,
                outcomes=1,
                posterior_mean_bp=0.0,
                posterior_error_bp=0.0,
                last_mean_bp=0.0,
                cost_bp=0.0,
            )
        )

    tell("s00", GuardMode.PROBE)
    stage.activate("s00", "s01")
    assert stage.weights() == {"s00": 0.4}
    tell("s00", GuardMode.SHADOW)
    assert stage.weights() == {}


def test_low_confidence_still_favours_a_match_a_little() -> None:
    """C5: at confidence 0.1 the strategy whose phase rules gets slightly more than the others."""
    stage = Stage(method="phase_matched")
    liked = replace(profile("liked"), affinity=Affinity(favoured=("ice",)), instruments=(BTC,))
    stage.know(
        liked,
        *(profile(one) for one in names_of(3)),
    )
    stage.system.take(
        RegimeChanged(
            ts_event=START,
            ts_init=START,
            instrument=BTC,
            ready=True,
            regime=Regime.NORMAL,
            phase=Phase.ICE,
            cycle=Cycle.ACCUMULATION,
            regime_confidence=0.5,
            phase_confidence=0.1,
            cycle_confidence=0.0,
            moved=("phase",),
        )
    )
    for number in range(20):
        stage.system.take(position_closed(names_of(3)[number % 3], net="0.1"))
        stage.system.take(position_closed("liked", net="0.1"))
    stage.activate("liked", *names_of(3))
    found = stage.weights()
    assert 0.0 < found["liked"] - found["s00"] < 0.03
    assert len({found[one] for one in names_of(3)}) == 1


@pytest.mark.parametrize("method", ["equal", "performance", "risk_parity", "hrp", "hybrid"])
def test_every_method_keeps_the_sum(method: str) -> None:
    """Whatever makes the targets, the weights add up to what the reserve leaves."""
    stage = Stage(method=method)
    stage.know(*(profile(one) for one in names_of(8)))
    for number in range(80):
        stage.system.take(position_closed(names_of(8)[number % 8], net="0.2"))
    stage.activate(*names_of(8))
    total = round(10_000 * 0.0)
    for one in stage.weights().values():
        total += round(one * 10_000)
    assert 7_990 <= total <= 8_000
    assert stage.last.method == method


def test_no_capital_gives_no_weights() -> None:
    """Without equity every weight is 0."""
    stage = Stage(capital=0)
    stage.know(profile("s00"))
    stage.activate("s00")
    assert stage.weights() == {}


def test_a_restart_gives_the_same_bytes() -> None:
    """J15: an allocator restored from bytes goes on to publish the same objects."""
    stages = [Stage(), Stage()]
    for stage in stages:
        stage.know(*(profile(one) for one in names_of(8)))
        stage.activate(*names_of(8))
    stages[1].allocator.restore(stages[1].allocator.snapshot())
    for stage in stages:
        for number in range(240):
            net = "1" if number % 8 == 0 else "-0.5"
            at = stage.system.now
            stage.system.take(position_closed(names_of(8)[number % 8], net=net, at=at))
            stage.system.advance(3600)
    assert stages[0].last == stages[1].last
    assert stages[0].last.reason == "HYBRID"
    assert stages[0].weights()["s00"] > 0.1
