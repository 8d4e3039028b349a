from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.risk.decisions import LAYERS, SLOT, DecisionCounts


@given(st.lists(st.sampled_from([None, *range(len(LAYERS))]), max_size=40))
def test_every_layer_counts_whoever_reached_it(outcomes: list[int | None]) -> None:
    """A layer's passes and refusals add up to the signals that the layer before let through."""
    counts = DecisionCounts()
    for layer in outcomes:
        if layer is None:
            counts.note_order()
        else:
            counts.note_refusal(layer)
    found = counts.statistics()
    arrived = len(outcomes)
    for name in LAYERS:
        assert found.passed[name] + found.refused[name] == arrived
        arrived = found.passed[name]
    assert found.orders == found.passed["SLOT"] == outcomes.count(None)
    assert found.rejected == sum(found.refused.values())


def test_exits_pass_no_layer() -> None:
    """An exit's order raises the orders and no layer's passes."""
    counts = DecisionCounts()
    counts.orders += 1
    found = counts.statistics()
    assert (found.orders, set(found.passed.values())) == (1, {0})


def test_statistics_are_a_frozen_copy() -> None:
    """What is counted later does not show in statistics taken before, and they cannot be set."""
    counts = DecisionCounts()
    before = counts.statistics()
    counts.note_refusal(SLOT)
    assert (before.rejected, before.refused["SLOT"]) == (0, 0)
    with pytest.raises(AttributeError):
        before.rejected = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_two_counts_share_no_list() -> None:
    """A fresh count starts at zero however much another one counted."""
    DecisionCounts().note_refusal(0)
    assert sum(DecisionCounts().refused) == 0
