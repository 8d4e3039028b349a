from __future__ import annotations

import inspect

from hean.core import errors
from hean.core.errors import BrokenPromiseError, DataError, HEANError, SettingsError


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """Every error derives from HEANError and stands in the module's drawing."""
    drawing = errors.__doc__ or ""
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    assert all(issubclass(kind, HEANError) for kind in kinds)
    assert all(kind.__name__ in drawing for kind in kinds)


def test_exit_codes_tell_kinds_apart() -> None:
    """Settings, data and broken promises end the process with codes of their own."""
    codes = [HEANError, SettingsError, DataError, BrokenPromiseError]
    assert [kind.exit_code for kind in codes] == [1, 2, 3, 4]
