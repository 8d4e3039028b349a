from datetime import date
from pathlib import Path

import pytest

import release
from api_gate import Verdict
from workspace import Member


@pytest.fixture
def member(tmp_path: Path) -> Member:
    """Stand hean-core 0.3.1 in a folder of its own, with a changelog."""
    (tmp_path / "changelog.d").mkdir()
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\nIntroduction.\n\n## 0.3.1\n\n- Old.\n")
    return Member(tmp_path, {"project": {"name": "hean-core", "version": "0.3.1"}})


def tell(member: Member, name: str, text: str = "Something.") -> None:
    """Leave a fragment."""
    (member.path / "changelog.d" / name).write_text(text + "\n")


def test_fragments_move_into_the_changelog(member: Member) -> None:
    """A release puts every fragment under its kind, above the older versions, and removes it."""
    tell(member, "12.fixed.md", "A fault is gone.")
    tell(member, "11.breaking.md", "Bus.poke is gone;\nuse publish.")
    release.write_changelog(member, "0.4.0", release.fragments(member))
    text = (member.path / "CHANGELOG.md").read_text()
    assert text.startswith("# Changelog\n\nIntroduction.\n\n## 0.4.0 (")
    order = [
        "### Breaking",
        "- Bus.poke is gone;\n  use publish.",
        "### Fixed",
        "- A fault is gone.",
    ]
    places = [text.index(part) for part in [*order, "## 0.3.1\n\n- Old.\n"]]
    assert places == sorted(places)
    assert release.fragments(member) == []


def test_a_first_section_needs_no_older_one() -> None:
    """A changelog without versions gets its first."""
    new = release.section("0.1.0", date(2030, 1, 2), [])
    assert release.insert("# Changelog\n", new) == "# Changelog\n\n## 0.1.0 (2030-01-02)\n"


@pytest.mark.parametrize("name", ["12.md", "12.bugfix.md"])
def test_odd_fragments_are_refused(member: Member, name: str) -> None:
    """A fragment of no known kind stops the release, so that no change is lost."""
    tell(member, name)
    with pytest.raises(SystemExit, match="write <change>"):
        release.fragments(member)


@pytest.mark.parametrize(
    ("step", "version"), [("patch", "0.3.2"), ("minor", "0.4.0"), ("major", "1.0.0")]
)
def test_steps_of_a_version(step: release.Step, version: str) -> None:
    """Each step raises its part and clears what follows."""
    assert release.next_version("0.3.1", step) == version


def test_a_breaking_fragment_demands_a_minor(member: Member) -> None:
    """What people call a break needs a minor in 0.x, even where the gate saw none."""
    seen = Verdict("hean-core", "hean-core-v0.3.1")
    tell(member, "12.fixed.md")
    assert release.smallest_step(member, seen, release.fragments(member)) == "patch"
    tell(member, "13.breaking.md")
    assert release.smallest_step(member, seen, release.fragments(member)) == "minor"


def test_ranges_widen_only_where_they_must() -> None:
    """A range that holds stays as it is, one that the version leaves moves on, others are safe."""
    text = 'dependencies = ["hean-core>=0.3,<0.4", "hean-core-extra>=0.3,<0.4", "numpy>=2"]\n'
    assert release.widen(text, "hean-core", "0.3.9") == text
    moved = text.replace('"hean-core>=0.3,<0.4"', '"hean-core>=0.4,<0.5"')
    assert release.widen(text, "hean-core", "0.4.0") == moved


def test_ranges_allow_no_break() -> None:
    """In 0.x the next minor is outside the range, later the next major."""
    assert release.new_range("0.4.2") == ">=0.4,<0.5"
    assert release.new_range("1.2.0") == ">=1.2,<2"


def test_siblings_are_told(member: Member, tmp_path: Path) -> None:
    """A sibling whose range moves gets a fragment that says so."""
    home = tmp_path / "hean-risk"
    (home / "changelog.d").mkdir(parents=True)
    (home / "pyproject.toml").write_text('dependencies = ["hean-core>=0.3,<0.4"]\n')
    sibling = Member(home, {"project": {"name": "hean-risk", "version": "0.1.0"}})
    assert release.write_ranges(member, "0.4.0", [sibling]) == [sibling]
    assert [change.text for change in release.fragments(sibling)] == ["Works with hean-core 0.4.0."]


def test_unknown_packages_are_refused() -> None:
    """A misspelt package ends with exit code 2."""
    with pytest.raises(SystemExit) as stopped:
        release.main(["hean-nothing"])
    assert stopped.value.code == 2
