"""Promise 3: every signal ends in exactly one decision; every refused evaluation is counted."""

from collections import Counter

import pytest

from hean.app.testing import FinishedRun
from hean.core.events import Event, RefusedBy, Signal, SignalRejected


@pytest.fixture(params=["bar_run", "sim_run"])
def run(request: pytest.FixtureRequest) -> FinishedRun:
    """Both runs, one after the other."""
    return request.getfixturevalue(request.param)


def test_every_signal_is_accounted_for(run: FinishedRun) -> None:
    """Signals == order_requests + withdrawals + sum(rejections), in all and for each strategy."""
    assert run.summary["signals"] > 0
    for told in (run.summary, *run.summary["strategies"].values()):
        refused = 0
        for count in told["rejections"].values():
            refused += count
        assert told["signals"] == told["order_requests"] + told["withdrawals"] + refused


def test_every_signal_has_exactly_one_row(run: FinishedRun) -> None:
    """The rows of `decisions.parquet` are the journaled signals, each once."""
    signals = [one.signal_id for one in run.events("Signal") if isinstance(one, Signal)]
    rows = [row["signal_id"] for row in run.rows("decisions")]
    assert sorted(rows) == sorted(signals)
    assert len(set(rows)) == len(rows) == run.summary["signals"]


def test_the_rows_tell_what_the_summary_counts(run: FinishedRun) -> None:
    """Outcomes and reasons of `decisions.parquet` add up to the summary's."""
    rows = run.rows("decisions")
    outcomes = Counter(row["outcome"] for row in rows)
    reasons = Counter(row["reason"] for row in rows if row["outcome"] == "rejected")
    assert outcomes["order_request"] == run.summary["order_requests"]
    assert outcomes["withdrawn"] == run.summary["withdrawals"]
    assert dict(reasons) == run.summary["rejections"]
    assert set(outcomes) <= {"order_request", "withdrawn", "rejected"}


def test_refused_evaluations_are_counted(
    bar_run: FinishedRun, witnessed: dict[type[Event], list[Event]]
) -> None:
    """Each refusal a strategy published itself is in `evaluations_refused`, under its reason."""
    own = [
        one
        for one in witnessed[SignalRejected]
        if isinstance(one, SignalRejected) and one.refused_by is RefusedBy.STRATEGY
    ]
    assert own
    assert Counter(one.code.value for one in own) == bar_run.summary["evaluations_refused"]
    assert len({one.signal_id for one in own}) == len(own)
