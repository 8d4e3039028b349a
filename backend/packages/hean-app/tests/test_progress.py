from typing import cast

import pytest

from hean.app.progress import Progress
from hean.core.clock import WallClock


class _Clock:
    def __init__(self) -> None:
        self.now = 0

    def now_ns(self) -> int:
        return self.now


def test_plain_lines_when_not_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal there is a line every ten seconds: share, rate and time left."""
    clock = _Clock()
    with Progress(cast(WallClock, clock), 0, 100) as progress:
        clock.now = 5 * 10**9
        progress.update(500, 10)
        assert capsys.readouterr().err == ""
        clock.now = 10 * 10**9
        progress.update(1000, 25)
    assert capsys.readouterr().err == "replaying: 25 %, 100 events/s, 30 s left\n"


def test_an_end_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the end is not known only the rate is told."""
    clock = _Clock()
    with Progress(cast(WallClock, clock), 0, None, "verifying") as progress:
        clock.now = 20 * 10**9
        progress.update(1000, 25)
    assert capsys.readouterr().err == "verifying: 0 %, 50 events/s\n"
