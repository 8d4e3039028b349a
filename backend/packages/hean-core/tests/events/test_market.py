from __future__ import annotations

from math import isnan

from hean.core.events.market import NOT_READY, FrameFeatures, Side


def test_sides_mirror_each_other() -> None:
    """A side's opposite has the opposite sign, twice the opposite is the side."""
    for side in Side:
        assert side.sign == -side.opposite.sign
        assert side.opposite.opposite is side
    assert Side.BUY.sign == 1


def test_features_are_not_ready_until_they_are_set() -> None:
    """Every feature starts as NaN, which differs from itself."""
    features = FrameFeatures()
    assert isnan(NOT_READY)
    assert all(isnan(getattr(features, name)) for name in FrameFeatures.__struct_fields__)
