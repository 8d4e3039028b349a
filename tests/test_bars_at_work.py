"""On bars, through the whole system: groups stand on both legs, refused signals come to an end."""

from __future__ import annotations

from pathlib import Path

import pytest

from hean.app.strategy_selection import enabling
from hean.app.testing import (
    FinishedRun,
    finish_run,
    make_bar_dataset,
    open_dataset,
    read_columns,
    settings_with,
    write_columns,
)
from hean.core.events import (
    OrderStyle,
    PositionClosed,
    PositionOpened,
    ShadowClosed,
    Signal,
    SignalRejected,
)

SECOND = 1_000_000_000
UNHEDGED_NS = 2 * SECOND
LATENCY_NS = 150_000_000


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Ten days of hourly bars whose funding is rich for five, then gone."""
    directory = tmp_path_factory.mktemp("carried")
    target = make_bar_dataset(directory, days=10, minutes=60, spot=True)
    for path in directory.glob("funding-*.parquet"):
        columns = read_columns(path)
        count = len(columns["funding_rate"])
        columns["funding_rate"] = [0.002 if place < count // 2 else 1e-6 for place in range(count)]
        write_columns(path, columns)
    settings = settings_with(
        **enabling(("funding_harvester",)),
        INITIAL_CAPITAL="20000",
        PORTFOLIO__AUTOPILOT_ENABLED="false",
    )
    return finish_run(open_dataset(target, tmp_path_factory.mktemp("run"), settings))


def _alone(run: FinishedRun) -> list[int]:
    """Return for how long (ns) each group stood on one leg, at its beginning and at its end."""
    open_legs: dict[str, dict[str, None]] = {}
    since: dict[str, int] = {}
    found: list[int] = []
    for event in run.events("PositionOpened", "PositionClosed"):
        assert isinstance(event, PositionOpened | PositionClosed)
        legs = open_legs.setdefault(event.group, {})
        if isinstance(event, PositionOpened):
            legs[event.instrument] = None
        else:
            del legs[event.instrument]
        if len(legs) == 1:
            since.setdefault(event.group, event.ts_init)
        elif event.group in since:
            found.append(event.ts_init - since.pop(event.group))
    assert not since
    return found


def test_no_leg_stands_alone_on_bars(carried: FinishedRun) -> None:
    """Hedged groups open and close on both legs within two seconds, though bars last an hour."""
    alone = _alone(carried)
    assert len(alone) >= 4
    assert max(alone) <= UNHEDGED_NS


def test_groups_on_bars_take_both_legs(carried: FinishedRun) -> None:
    """Each leg of each group is an IOC, and none waits for a bar to trade through it."""
    legs = [one for one in carried.events("Signal") if isinstance(one, Signal) and one.legs == 2]
    assert legs
    assert {one.style for one in legs} == {OrderStyle.LIMIT_IOC}


def test_a_refused_momentum_signal_comes_to_an_outcome(bars: Path, tmp_path: Path) -> None:
    """Refused because unproven, it is entered one latency later and followed to its end.

    On bars a resting first order could never fill, and such a strategy never earn its way back.
    """
    settings = settings_with(
        **enabling(("momentum_trader",)),
        EDGE_GUARD="enforce",
        PORTFOLIO__AUTOPILOT_ENABLED="false",
    )
    run = finish_run(open_dataset(bars, tmp_path, settings))
    refused = {
        one.signal_id: one.ts_init
        for one in run.events("SignalRejected")
        if isinstance(one, SignalRejected)
    }
    assert refused
    assert run.summary["order_requests"] == 0
    ended = [one for one in run.events("ShadowClosed") if isinstance(one, ShadowClosed)]
    assert ended
    for one in ended:
        assert one.opened_at == refused[one.signal_id] + LATENCY_NS
