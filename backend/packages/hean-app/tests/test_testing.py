from pathlib import Path

from hean.app.feeds.replay import DatasetFeed
from hean.app.testing import FinishedRun, make_bar_dataset


def test_a_dataset_depends_on_its_seed_alone(tmp_path: Path) -> None:
    """Made twice with one seed a dataset has the same digest; another seed has another."""
    digests: list[str] = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        (tmp_path / name).mkdir()
        path = make_bar_dataset(tmp_path / name, days=1, seed=seed)
        digests.append(DatasetFeed(path).description.digest)
    assert digests[0] == digests[1] != digests[2]


def test_a_finished_run_gives_rows_and_events(backtested: FinishedRun) -> None:
    """Tables and journaled events of a run agree with its summary."""
    assert len(backtested.rows("fills")) == backtested.summary["fills"]
    assert len(backtested.events("Signal")) == backtested.summary["signals"] > 0
