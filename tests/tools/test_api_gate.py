from pathlib import Path
from typing import Any

import pytest

import api_gate
from api_gate import Verdict, Waiver
from workspace import ROOT, Member, members


def schema(**changes: object) -> dict[str, Any]:
    """Write a schema of one event, changed as asked."""
    event: dict[str, Any] = {
        "description": "A fill.",
        "properties": {"price": {"type": "string"}, "note": {"type": "string", "default": ""}},
        "required": ["price"],
    }
    return {"$defs": {"OrderFilled": event | changes, "Side": {"enum": ["BUY", "SELL"]}}}


def test_additions_do_not_break() -> None:
    """A new event, a new field with a default and other words are no break."""
    after = schema(description="A fill, once.")
    after["$defs"]["OrderLost"] = {"properties": {}}
    after["$defs"]["OrderFilled"]["properties"]["fee"] = {"type": "string", "default": "0"}
    after["$defs"]["Side"]["enum"].append("NONE")
    assert api_gate.schema_breaks(schema(), after) == []


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ({"$defs": {"Side": {"enum": ["BUY", "SELL"]}}}, "OrderFilled is gone"),
        (schema(properties={"price": {"type": "string"}}), "OrderFilled.note is gone"),
        (
            schema(properties={"price": {"type": "number"}, "note": {"type": "string"}}),
            "OrderFilled.price changed its type",
        ),
        (schema(required=["price", "note"]), "OrderFilled.note is now required"),
    ],
)
def test_each_break_of_an_event_is_named(after: dict[str, Any], message: str) -> None:
    """A lost event or field, a changed type and a new required field break readers."""
    assert api_gate.schema_breaks(schema(), after) == [f"event schema: {message}"]


def test_a_lost_value_breaks() -> None:
    """An enum that loses a value breaks what was written with it."""
    after = schema()
    after["$defs"]["Side"]["enum"] = ["BUY"]
    assert api_gate.schema_breaks(schema(), after) == ["event schema: Side lost the value SELL"]


def test_steps_follow_the_version() -> None:
    """A break needs a minor in 0.x and a major later; without one a patch is enough."""
    broken = Verdict("hean-core", "hean-core-v0.1.0", ("a name is gone",))
    assert broken.step("0.1.0") == "minor"
    assert broken.step("1.2.0") == "major"
    assert Verdict("hean-core", "hean-core-v0.1.0").step("0.1.0") == "patch"


def test_a_waiver_excuses_its_own_break_only() -> None:
    """A waived break does not count, and a waiver of another package helps nobody here."""
    mine = Waiver("hean-core", "Bus.poke", "was never documented")
    other = Waiver("hean-risk", "Bus.push", "the same")
    found = ["bus.py: Bus.poke was removed", "bus.py: Bus.push was removed"]
    verdict = api_gate.weigh("hean-core", "hean-core-v0.1.0", found, [mine, other])
    assert verdict.waived == (mine,)
    assert verdict.breaks == ("bus.py: Bus.push was removed",)


def member_at(path: Path) -> Member:
    """Stand a member in a folder of its own."""
    (path / "changelog.d").mkdir(parents=True)
    return Member(path, {"project": {"name": "hean-core", "version": "0.1.0"}})


def test_a_break_must_be_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A break passes only with a breaking fragment in that package's changelog.d."""
    member = member_at(tmp_path)
    verdict = Verdict("hean-core", "hean-core-v0.1.0", ("a name is gone",))
    assert not api_gate.passes(member, verdict, [])
    assert "smallest legal step is minor" in capsys.readouterr().out
    (tmp_path / "changelog.d" / "7.breaking.md").write_text("The name is gone.")
    assert api_gate.passes(member, verdict, [])


def test_unused_waivers_fail(tmp_path: Path) -> None:
    """A waiver that matches nothing any more must go."""
    stale = Waiver("hean-core", "Bus.poke", "was never documented")
    verdict = Verdict("hean-core", "hean-core-v0.1.0")
    assert not api_gate.passes(member_at(tmp_path), verdict, [stale])


def test_waivers_need_a_reason(tmp_path: Path) -> None:
    """A waiver without its reason is refused when read."""
    path = tmp_path / api_gate.WAIVERS
    path.parent.mkdir()
    path.write_text('[[waiver]]\npackage = "hean-core"\nmatch = "x"\nreason = ""\n')
    with pytest.raises(SystemExit, match="reason"):
        api_gate.waivers(tmp_path)


def test_without_a_tag_there_is_nothing_to_compare(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first release the gate says so and passes."""

    def no_tags(_root: Path, *_words: str) -> str:
        return ""

    monkeypatch.setattr(api_gate, "git", no_tags)
    assert all(api_gate.passes(each, api_gate.judge(ROOT, each, []), []) for each in members(ROOT))
    assert capsys.readouterr().out.count("no tag yet") == 5
