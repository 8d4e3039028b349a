from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.app.reports.charts import (
    WIDTH,
    drawdown_chart,
    equity_chart,
    net_chart,
    padded,
    stack_chart,
    time_ticks,
    value_ticks,
)
from hean.app.reports.series import Curve, Stack

DAY = 86_400_000_000_000


@settings(max_examples=100, deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_value_ticks_lie_inside_and_are_few(low: float, span: float) -> None:
    """Ticks never leave the range and never crowd it."""
    high = low + span
    ticks = value_ticks(low, high)
    assert len(ticks) <= 12
    assert all(low - span * 1e-6 <= tick <= high + span * 1e-6 for tick in ticks)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2 * 10**18), st.integers(60_000_000_000, 20 * 365 * DAY))
def test_time_ticks_lie_inside_and_are_few(first: int, span: int) -> None:
    """From a minute to decades there are some labels at most, all inside."""
    ticks = time_ticks(first, first + span)
    assert len(ticks) <= 30
    assert all(first <= at <= first + span for at, _ in ticks)


def test_bounds_have_room_even_around_a_constant() -> None:
    """A flat curve does not sit on the edge."""
    low, high = padded([300.0, 300.0])
    assert low < 300.0 < high
    assert padded([5.0], zero=True)[0] < 0.0


def test_charts_are_well_formed_and_stay_inside() -> None:
    """Every chart parses as XML and no coordinate of its paths leaves the picture."""
    times = [0, DAY, 2 * DAY]
    equity = Curve("equity", times, [300.0, 310.0, 290.0])
    charts = [
        equity_chart(equity, equity, str),
        drawdown_chart(Curve("drawdown", times, [0.0, 0.0, -0.06]), str),
        net_chart([(Curve("a<b", times, [1.0, -2.0, 3.0]), 9)], 0, 2 * DAY, str),
        stack_chart(Stack(["a"], times, [[0.1, 0.2, 0.4]]), [0], 0, 2 * DAY, str),
    ]
    for chart in charts:
        root = ElementTree.fromstring(chart)
        _, _, width, height = (float(part) for part in root.attrib["viewBox"].split())
        assert width == WIDTH
        for node in root.iter("path"):
            for x in _across(node.attrib["d"]):
                assert 0 <= x <= width
        assert height > 0


def _across(path: str) -> list[float]:
    spaced = path
    for letter in "MLHVZ":
        spaced = spaced.replace(letter, f" {letter} ")
    parts = spaced.split()
    return [float(parts[at + 1]) for at, part in enumerate(parts) if part in "MLH"]
