from pathlib import Path

import pytest

from hean.app.feature_counts import COUNTS_FILE, read_counts
from hean.app.testing import FinishedRun
from hean.core.errors import DataError


def test_every_finished_run_leaves_its_counts(backtested: FinishedRun) -> None:
    """The file names the data by digest; on bars nothing is counted."""
    counts = read_counts(backtested.directory)
    dataset = backtested.summary["dataset"]
    assert (counts.source, counts.source_sha256) == (dataset["name"], dataset["sha256"])
    assert counts.last > counts.first
    assert not any(any(one.touches.leave) for one in counts.instruments.values())


def test_a_directory_without_counts_is_told(tmp_path: Path) -> None:
    """A directory that is no finished run is named with the missing file."""
    with pytest.raises(DataError, match=COUNTS_FILE):
        read_counts(tmp_path)
