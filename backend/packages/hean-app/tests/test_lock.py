from pathlib import Path

import pytest

from hean.app.lock import StateLock
from hean.core.errors import StateError


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    """A second lock of the same directory is refused while the first lives, and free after."""
    with StateLock(tmp_path), pytest.raises(StateError, match="in use"), StateLock(tmp_path):
        pass
    with StateLock(tmp_path):
        assert (tmp_path / "lock").exists()


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    """A place where no lock file can be made is named."""
    with pytest.raises(StateError, match="cannot be written"), StateLock(tmp_path / "nothing"):
        pass
