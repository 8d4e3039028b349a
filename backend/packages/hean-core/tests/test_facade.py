from __future__ import annotations

from types import ModuleType

import pytest

import hean.core
import hean.core.events


@pytest.mark.parametrize("facade", [hean.core, hean.core.events], ids=lambda one: one.__name__)
def test_a_facade_is_complete(facade: ModuleType) -> None:
    """`__all__` names what exists, once, and leaves out nothing public that is imported."""
    listed: list[str] = facade.__all__
    assert len(listed) == len(set(listed))
    public = {
        name
        for name, value in vars(facade).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
    }
    assert public == set(listed)
