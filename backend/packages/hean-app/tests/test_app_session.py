from pathlib import Path

import pytest

from hean.app.session import Session, package_versions, settings_of_facts
from hean.app.testing import FinishedRun, finish_run, open_dataset, settings_with
from hean.core.errors import StateError
from hean.core.journal import SqliteJournal

EVENTS = 6000


def _folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made


def test_a_resumed_session_ends_like_one_never_stopped(
    bars: Path, backtested: FinishedRun, tmp_path: Path
) -> None:
    """Stopped in the middle and opened anew, a session makes the same decisions and journal."""
    first = open_dataset(bars, tmp_path, settings_with())
    for _ in range(EVENTS):
        event = first.next_event()
        assert event is not None
        first.take(event)
    first.peek()
    first.checkpoint()
    first.journal.close()
    second = open_dataset(bars, tmp_path, settings_with())
    assert second.resumed
    assert second.feed_events == EVENTS
    run = finish_run(second)
    for key in ("events_in", "decisions_sha256", "journal_sha256", "wallet_end", "strategies"):
        assert run.summary[key] == backtested.summary[key]


def test_peeking_takes_nothing(bars: Path, tmp_path: Path) -> None:
    """What was looked at is handed out next, once."""
    session = open_dataset(bars, tmp_path, settings_with())
    seen = session.peek()
    assert seen is session.peek()
    assert session.next_event() is seen
    assert session.next_event() is not seen
    assert session.feed_events == 0
    session.journal.close()


def test_pulling_takes_what_was_peeked_at_first(bars: Path, tmp_path: Path) -> None:
    """A pull takes so many events in order, the peeked one first, and none beyond them."""
    session = open_dataset(bars, tmp_path, settings_with())
    one_by_one = open_dataset(bars, _folder(tmp_path, "other"), settings_with())
    expected = [one_by_one.next_event() for _ in range(6)]
    assert session.peek() == expected[0]
    assert session.pull(5) == 5
    assert session.feed_events == 5
    assert session.next_event() == expected[5]
    for one in (session, one_by_one):
        one.journal.close()


def test_a_pull_stops_before_what_is_later(bars: Path, tmp_path: Path) -> None:
    """Nothing later than the given time is taken; the first that is stays in hand."""
    session = open_dataset(bars, tmp_path, settings_with())
    until = session.feed.description.first + 3600 * 10**9
    assert session.pull(1 << 20, until) == session.feed_events > 0
    assert session.now <= until
    following = session.peek()
    assert following is not None
    assert following.ts_init > until
    assert session.pull(1 << 20, until) == 0
    assert session.peek() is following
    session.journal.close()


def test_a_pull_at_the_end_of_the_feed_is_short(bars: Path, tmp_path: Path) -> None:
    """At its end the feed gives what is left, then nothing."""
    session = open_dataset(bars, tmp_path, settings_with())
    whole = sum(1 for _ in session.feed.events())
    session.journal.close()
    again = open_dataset(bars, _folder(tmp_path, "again"), settings_with())
    assert again.pull(whole + 1) == whole
    assert again.pull(1) == 0
    again.journal.close()


def test_facts_bring_the_settings_back(bars: Path, tmp_path: Path) -> None:
    """What a segment notes is enough to load the same settings again."""
    settings = settings_with(RISK__MAX_POSITIONS="4", INITIAL_CAPITAL="123.45")
    session = open_dataset(bars, tmp_path, settings)
    facts = session.facts()
    assert settings_of_facts(facts) == settings
    assert facts["version:hean-app"] == package_versions()["hean-app"]
    session.journal.close()


def test_another_identity_is_refused(bars: Path, tmp_path: Path) -> None:
    """A journal of another seed is refused before anything is written to it."""
    open_dataset(bars, tmp_path, settings_with()).journal.close()
    with pytest.raises(StateError, match=r"seed '0'.*'5'"):
        open_dataset(bars, tmp_path, settings_with(RANDOM_SEED="5"))


def test_a_state_of_another_version_is_told(bars: Path, tmp_path: Path) -> None:
    """A snapshot that no longer fits names the directory and what to do."""
    session: Session = open_dataset(bars, tmp_path, settings_with())
    session.checkpoint()
    session.journal.close()
    journal = SqliteJournal(tmp_path / "journal.db")
    found = journal.snapshot()
    assert found is not None
    states = {**found.states, "funnel": b"\x93\xa6funnel\x01\x80"}
    journal.save_snapshot(found.input_sequence, found.ts_ns, states)
    journal.close()
    with pytest.raises(StateError, match="another version of HEAN"):
        open_dataset(bars, tmp_path, settings_with())
